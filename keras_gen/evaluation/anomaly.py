"""Anomaly detection: scores of examples, higher for more anomalous ones, and how well they separate sets.

Likelihood ratio: Jie Ren et al. (2019), Likelihood Ratios for Out-of-Distribution Detection,
https://arxiv.org/abs/1906.02845
Input complexity: Joan Serrà et al. (2019), Input complexity and out-of-distribution detection with likelihood-based
generative models, https://arxiv.org/abs/1909.11480
"""

import bz2
import dataclasses
import io
import lzma
import math
import zlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import PIL.Image
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from keras_gen import checks, seeds
from keras_gen.core import EventModel
from keras_gen.evaluation.batches import batches_of
from keras_gen.evaluation.likelihood import log_likelihood_function

tfd = tfp.distributions

#: A function from a batch of examples to one number for each.
Score = Callable[[np.ndarray], np.ndarray]

#: Smallest probability of a bit in a reconstruction; exactly 0 or 1 could make its error infinite.
MIN_PROBABILITY = 1e-6


@dataclasses.dataclass(frozen=True)
class AUROC:
    """The probability that an outlier scores higher than an inlier; ties count half.

    Attributes:
        value: from 0 to 1; 0.5 for an uninformative score.
        standard_error: standard error of the value, over the examples of both sets.
    """

    value: float
    standard_error: float


def auroc(inlier_scores, outlier_scores) -> AUROC:
    """Computes the area under the curve of true against false positives.

    The standard error is that of DeLong, DeLong and Clarke-Pearson (1988): with V_i the share of outliers that
    score above inlier i, and W_j the share of inliers that score below outlier j,

        standard error² = var(V) / number of inliers + var(W) / number of outliers.

    It is 0 for sets that the score separates without an error, and NaN for a set of one example.

    Args:
        inlier_scores: one number per example, infinite ones included.
        outlier_scores: the same for the outliers.

    Returns:
        The area, and its standard error.

    Raises:
        ValueError: if a set is empty or a score is NaN.
    """
    groups = {"inlier_scores": inlier_scores, "outlier_scores": outlier_scores}
    inliers, outliers = (np.asarray(scores, np.float64).ravel() for scores in groups.values())
    for name, scores in zip(groups, (inliers, outliers), strict=True):
        if not len(scores):
            raise ValueError(f"`{name}` holds no scores; at least one is expected.")
        if np.isnan(scores).any():
            raise ValueError(f"`{name}` holds NaN; numbers are expected.")
    m, n = len(inliers), len(outliers)
    # Ranks instead of scores, because they also order infinite scores.
    ranks = stats.rankdata(np.concatenate([inliers, outliers]))
    above = 1.0 - (ranks[:m] - stats.rankdata(inliers)) / n
    below = (ranks[m:] - stats.rankdata(outliers)) / m
    error = math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n) if min(m, n) > 1 else math.nan
    return AUROC(float(below.mean()), error)


def anomaly_table(
    scores: Mapping[str, Score] | EventModel, inliers, outliers: Mapping[str, object], *, batch_size: int = 100
) -> dict[str, dict[str, AUROC]]:
    """Evaluates how well scores separate outliers from inliers.

    Example:

    ```python
    scores = evaluation.anomaly_scores(model, background=background)
    table = evaluation.anomaly_table(scores, x_test, {"usps": usps, "noise": noise})
    table["usps"]["likelihood_ratio"].value
    ```

    Args:
        scores: score functions by name, each from a batch of examples to one number per example, higher for more
            anomalous ones; or a model, for all scores of `anomaly_scores` that it has.
        inliers: held-out examples like those the model was trained on: an array, or a `tf.data.Dataset` of batches,
            whose labels are ignored.
        outliers: sets of other examples, by name.
        batch_size: number of examples of an array to score at once.

    Returns:
        Name of the outliers to name of the score to its AUROC.

    Raises:
        ValueError: if there is no score, or a set holds no examples.
    """
    if isinstance(scores, EventModel):
        scores = anomaly_scores(scores)
    if not scores:
        raise ValueError("`scores` holds no score; at least one is expected.")
    inlier_scores = scored(scores, inliers, batch_size)
    table = {}
    for name, examples in outliers.items():
        outlier_scores = scored(scores, examples, batch_size)
        table[name] = {score: auroc(inlier_scores[score], outlier_scores[score]) for score in scores}
    return table


def scored(scores: Mapping[str, Score], examples, batch_size: int = 100) -> dict[str, np.ndarray]:
    """Returns all scores of all examples, float64 of shape `(num,)`, in one pass over them."""
    parts = {name: [] for name in scores}
    for x in batches_of(examples, batch_size):
        for name, score in scores.items():
            parts[name].append(np.asarray(score(x), np.float64))
    if not all(parts.values()):
        raise ValueError("a set to be scored holds no examples; at least one is expected.")
    return {name: np.concatenate(values) for name, values in parts.items()}


# Scores


def anomaly_scores(
    model: EventModel,
    *,
    background: EventModel | None = None,
    num_samples: int = 100,
    levels: int | None = None,
    prepare: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    r"""Returns the scores that a model has.

    - "log_prob", for a model with an exact likelihood: $-\log p(x)$, in nats;
    - "elbo" and "bound", for a model with a lower bound on the likelihood: minus the bound with one sample and with
      `num_samples`, in nats; "bound" or "estimate", for a model with an upper bound or an estimate: minus that;
    - "reconstruction", for a model that reconstructs examples: see `reconstruction_error`;
    - "likelihood_ratio", given a background model: $-(\log p(x) - \log p_0(x))$, in nats;
    - "complexity", for levels: $-\log_2 p(x) - L(x)$, where L is `compressed_bits`, in bits.

    The last two use the bound or the estimate if there is no exact likelihood.

    Args:
        model: any model; scores that need verbs it does not have are left out.
        background: a model with a likelihood of the same kind, trained on `mutated` examples.
        num_samples: number of samples of a bound or an estimate.
        levels: number of levels of an entry, for "complexity"; None uses the model's.
        prepare: function from examples, which are levels, to the model's inputs; None for a model that takes them
            unchanged. A reconstruction is compared with the model's input.
        seed: seed of these samples, the same for each batch.

    Raises:
        ValueError: if the model has no score, or the background model's likelihood is of another kind.
    """
    prepare = prepare or (lambda x: x)
    levels = model.levels if levels is None else levels
    kind, scores = model.likelihood_kind, {}
    if kind is not None:
        log_likelihood = remembering_log_likelihood(model, prepare, num_samples, seed)
        if kind == "lower bound":
            elbo = remembering_log_likelihood(model, prepare, 1, seed)
            scores["elbo"] = lambda x: -elbo(x)
        name = {"exact": "log_prob", "lower bound": "bound", "upper bound": "bound", "estimate": "estimate"}[kind]
        scores[name] = lambda x: -log_likelihood(x)
    if "reconstruct" in model.signatures():
        scores["reconstruction"] = lambda x: reconstruction_error(model, prepare(x))
    if kind is not None and background is not None:
        if background.likelihood_kind != kind:
            raise ValueError(
                f"`background` must have a likelihood of the same kind as the model, {kind}; received a "
                f"{type(background).__name__}, whose kind is {background.likelihood_kind}."
            )
        background_log_likelihood = remembering_log_likelihood(background, prepare, num_samples, seed)
        scores["likelihood_ratio"] = lambda x: background_log_likelihood(x) - log_likelihood(x)
    if kind is not None and levels is not None:
        scores["complexity"] = lambda x: -log_likelihood(x) / math.log(2.0) - compressed_bits(x, levels)
    if not scores:
        raise ValueError(
            f"`model` must have a likelihood or reconstruct examples to score them; a {type(model).__name__} does "
            "neither."
        )
    return scores


def remembering_log_likelihood(model: EventModel, prepare, num_samples: int, seed: int) -> Score:
    """Returns the function from examples to their log-likelihood, or its bound or estimate, in nats.

    It caches the last batch, because several scores request the same one.
    """
    compute = log_likelihood_function(model, num_samples)
    remembered = []

    def log_likelihood(x):
        if not remembered or remembered[0] is not x:
            remembered[:] = x, compute({"x": prepare(x)}, seeds.as_pair(seed))[0]
        return remembered[1]

    return log_likelihood


def reconstruction_error(model: EventModel, x, condition=None) -> np.ndarray:
    r"""Computes how far reconstructions are from the examples.

    For bits, it is the negative log-likelihood of independent Bernoullis whose probabilities are the reconstruction, in
    nats. For anything else it is half the squared distance, $\frac{1}{2} \sum_i (x_i - \hat x_i)^2$, with levels scaled
    to [0, 1]: up to a constant, the negative log-likelihood in nats of normal distributions with standard deviation 1.

    Args:
        model: a model with `reconstruct`.
        x: examples of shape `(batch, *event_shape)`.
        condition: conditions of the examples, for a model whose codes are conditioned on them.

    Returns:
        float64 array of shape `(batch,)`.
    """
    x = model.validated(x)
    reconstruction = tf.cast(model.reconstruct(x) if condition is None else model.reconstruct(x, condition), tf.float32)
    if model.levels == 2:
        probabilities = tf.clip_by_value(reconstruction, MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)
        entries = -tfd.Bernoulli(probs=probabilities).log_prob(x)
    else:
        ours, theirs = (model.event_space.scaled(part, 0.0, 1.0) for part in (x, reconstruction))
        entries = 0.5 * (ours - theirs) ** 2
    return entries.numpy().astype(np.float64).reshape(len(x), -1).sum(axis=1)


def compressed_bits(x, levels: int) -> np.ndarray:
    """Computes the length in bits of examples after lossless compression.

    For each example, the shortest result of PNG (for images of one or three channels and up to 256 levels), zlib, bz2
    and xz is used. Bits are first packed eight to a byte.

    Args:
        x: integer levels of shape `(batch, *event_shape)`.
        levels: number of levels of an entry.

    Returns:
        float64 array of shape `(batch,)`.

    Raises:
        ValueError: if an entry is not an integer from 0 to `levels - 1`.
    """
    x, levels = whole_levels(x, levels)
    x = x.astype(np.uint8 if levels <= 256 else ">u4")
    return np.array([8.0 * min(map(len, compressed(example, levels))) for example in x])


def compressed(example: np.ndarray, levels: int) -> Iterator[bytes]:
    """Yields an example in the format of each compressor."""
    raw = np.packbits(example).tobytes() if levels == 2 else example.tobytes()
    yield zlib.compress(raw, 9)
    # Blocks and dictionaries are no larger than the example: the default ones take longer to allocate than to fill.
    yield bz2.compress(raw, min(9, 1 + len(raw) // 100_000))
    # Without the container, because its header is longer than a small image.
    lzma_filter = {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": max(4096, len(raw))}
    yield lzma.compress(raw, lzma.FORMAT_RAW, filters=[lzma_filter])
    if example.ndim == 3 and example.shape[-1] in (1, 3) and levels <= 256:
        pixels = example[..., 0] if example.shape[-1] == 1 else example
        image = PIL.Image.fromarray(pixels * np.uint8(255) if levels == 2 else pixels)
        buffer = io.BytesIO()
        (image.convert("1") if levels == 2 else image).save(buffer, format="PNG", optimize=True)
        yield buffer.getvalue()


# Data: outliers, and examples for background models


def simple_outliers(x, levels: int | None, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Makes images, or rows of real numbers, that differ from the given ones but share something with them.

    Args:
        x: images in levels, of shape `(num, height, width, channels)`; or real vectors of shape `(num, entries)`.
        levels: number of levels of an entry; None for real vectors.
        seed: seed of the random choices.

    Returns:
        For real vectors: "noise", uniform from the smallest to the largest value of each entry; and "shuffled", each
        entry in its own order among the rows, so that entries no longer depend on each other. For images: "noise",
        uniform over the levels; "shuffled", the pixels of each image in their own random order; "inverted", light
        instead of dark; and, for square images, "turned", by a quarter turn. Each has the shape of `x`.
    """
    random = np.random.default_rng(seed)
    if levels is None:
        x = np.asarray(x)
        noise = random.uniform(np.nanmin(x, axis=0), np.nanmax(x, axis=0), x.shape)
        return {"noise": noise.astype(x.dtype), "shuffled": random.permuted(x, axis=0)}
    x, levels = whole_levels(x, levels)
    pixels = x.reshape(len(x), -1, x.shape[-1])
    order = random.permuted(np.tile(np.arange(pixels.shape[1]), (len(x), 1)), axis=1)
    outliers = {
        "noise": random.integers(0, levels, x.shape).astype(x.dtype),
        "shuffled": np.take_along_axis(pixels, order[..., np.newaxis], axis=1).reshape(x.shape),
        "inverted": (levels - 1 - x).astype(x.dtype),
    }
    return {**outliers, "turned": np.rot90(x, axes=(1, 2)).copy()} if x.shape[1] == x.shape[2] else outliers


def mutated(x, levels: int, rate: float, seed: int) -> np.ndarray:
    """Returns examples with some entries changed at random, for training a background model.

    Such a model learns what examples and mutated ones have in common, such as how many entries are black, and this
    cancels in the ratio of likelihoods.

    Args:
        x: integer levels.
        levels: number of levels of an entry.
        rate: probability μ that an entry changes to one of the other levels, each equally likely.
        seed: integer; the same seed gives the same changes.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        ValueError: if `rate` is not from 0 to 1, or an entry is not an integer level.
    """
    checks.share("rate", rate)
    x, levels = whole_levels(x, levels)
    random = np.random.default_rng(seed)
    steps = random.integers(1, levels, x.shape) * (random.random(x.shape) < rate)
    return ((x.astype(np.int64) + steps) % levels).astype(x.dtype)


def whole_levels(x, levels: int) -> tuple[np.ndarray, int]:
    """Checks both arguments and returns the examples as an array, and the number of levels."""
    x, levels = np.asarray(x), checks.levels(levels)
    outside = (x < 0) | (x >= levels) | (x != np.floor(x))
    if outside.any():
        raise ValueError(f"`x` holds the value {x[outside][0]:g}; expected whole levels from 0 to {levels - 1}.")
    return x, levels
