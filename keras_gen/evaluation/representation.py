"""Representations: what the codes of a model reveal about labels, and pictures of the code space."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import PIL.Image
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from keras_gen import checks
from keras_gen.core import GenerativeModel
from keras_gen.core.interpolation import interpolated
from keras_gen.evaluation.batches import columns_for
from keras_gen.latent import VAE
from keras_gen.pictures import as_images, image_grid
from keras_gen.pictures.figures import new_figure, rendered

#: Codes and the label of each.
Labelled = tuple[np.ndarray, np.ndarray]

#: Strengths C of the linear probe: inverses of the penalty on the squared weights.
PROBE_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)

#: Numbers of neighbours to choose from.
NEIGHBOURS = (1, 3, 5, 9, 15)


def codes(model: GenerativeModel, examples, *, batch_size: int = 500) -> np.ndarray:
    """Computes the codes of many examples.

    Args:
        model: a model with `encode`.
        examples: an array, or a `tf.data.Dataset` of batches in any form that `fit` takes. A conditional model takes
            labels as its condition; any other model ignores them.
        batch_size: number of examples of an array to encode at once.

    Returns:
        Array of shape `(num, *code_shape)`.

    Raises:
        ValueError: if there are no examples.
    """
    return mapped(model.encode, model, examples, batch_size)


def hidden_features(model: VAE, examples, *, batch_size: int = 500) -> np.ndarray:
    """Computes the last hidden layer of the encoder for many examples.

    Args:
        model: a VAE.
        examples: as in `codes`.
        batch_size: as in `codes`.

    Returns:
        Array of shape `(num, units)`.

    Raises:
        ValueError: as in `codes`.
    """
    return mapped(model.features, model, examples, batch_size)


def posterior_moments(model: VAE, examples, *, batch_size: int = 500) -> np.ndarray:
    """Computes the means of q(z|x) and the logarithms of its standard deviations for many examples.

    Args:
        model: a VAE with a posterior whose standard deviations are known, such as "diagonal".
        examples: as in `codes`.
        batch_size: as in `codes`.

    Returns:
        Array of shape `(num, 2 · latent_size)`: all means, then all logarithms.

    Raises:
        ValueError: as in `codes`.
    """

    def moments(x, condition=None):
        posterior = model.posterior_distribution(model.validated(x), model.validated_condition(condition))
        return tf.concat([posterior.mean(), tf.math.log(posterior.stddev())], axis=-1)

    return mapped(moments, model, examples, batch_size)


def mapped(function: Callable[..., tf.Tensor], model: GenerativeModel, examples, batch_size: int) -> np.ndarray:
    """Applies a function of the columns that a model takes to many examples, in batches, as a graph."""
    if not isinstance(examples, tf.data.Dataset):
        examples = tf.data.Dataset.from_tensor_slices(examples).batch(checks.positive_int("batch_size", batch_size))
    compute = tf.function(lambda columns: function(**columns), autograph=False, reduce_retracing=True)
    parts = [compute(columns_for(model, batch)).numpy() for batch in examples]
    if not parts:
        raise ValueError("`examples` holds no examples; at least one is expected.")
    return np.concatenate(parts)


# Classifiers on codes


@dataclasses.dataclass(frozen=True)
class Probe:
    """How well a classifier predicts the labels of codes.

    Attributes:
        num_labels: number of labels that it was trained with.
        accuracy: share of the test examples that it classifies correctly, averaged over the draws.
        standard_error: standard error of the accuracy: over the draws of the labels or, with a single draw, over test
            examples.
        chosen: the setting chosen on validation data in each draw.
    """

    num_labels: int
    accuracy: float
    standard_error: float
    chosen: tuple[float, ...]


def linear_probe(
    train: Labelled,
    validation: Labelled,
    test: Labelled,
    *,
    label_budgets: Sequence[int | None] = (None,),
    num_draws: int = 10,
    strengths: Sequence[float] = PROBE_STRENGTHS,
    scale: float | None = None,
    seed: int = 0,
) -> list[Probe]:
    """Classifies codes by logistic regression.

    Codes have a natural unit, the standard deviation of the prior. An uninformative entry, whose codes are all near the
    prior's mean, must not weigh as much as an informative one, as it would if each entry were divided by its own
    deviation.

    Example:

    ```python
    labelled = [(evaluation.codes(model, splits.array(s)), splits.labels(s)) for s in ("train", "validation", "test")]
    for probe in evaluation.linear_probe(*labelled, label_budgets=(100, 1000, None), scale=1.0):
        print(probe.num_labels, probe.accuracy, probe.standard_error)
    ```

    Args:
        train: codes of shape `(num, ...)` and labels of shape `(num,)`.
        validation: further codes and labels, on which the penalty is chosen.
        test: further codes and labels, on which the accuracy is measured.
        label_budgets: numbers of labels to train with; the numbers per class differ by at most one. The same number is
            used for validation, if available. None uses all labels of both.
        num_draws: number of draws of the labels of a budget; all labels are used once.
        strengths: inverse penalties to choose from.
        scale: divisor of all entries: for codes, the standard deviation of the prior. None standardises each entry with
            the training rows, for features without a common unit.
        seed: seed of the draws.

    Returns:
        One result for each budget.

    Raises:
        ValueError: if a budget is smaller than the number of classes or larger than the number of labels.
    """

    def classifier(strength):
        scaler = StandardScaler() if scale is None else FunctionTransformer(lambda z: z / scale)
        return make_pipeline(scaler, LogisticRegression(C=strength, max_iter=2000))

    return probes(classifier, strengths, train, validation, test, label_budgets, num_draws, seed)


def nearest_neighbours(
    train: Labelled,
    validation: Labelled,
    test: Labelled,
    *,
    label_budgets: Sequence[int | None] = (None,),
    num_draws: int = 10,
    neighbours: Sequence[int] = NEIGHBOURS,
    seed: int = 0,
) -> list[Probe]:
    """Classifies codes by the majority of their nearest neighbours, by Euclidean distance between unscaled codes.

    Args:
        train: as in `linear_probe`.
        validation: as in `linear_probe`; the number of neighbours is chosen on it.
        test: as in `linear_probe`.
        label_budgets: as in `linear_probe`.
        num_draws: as in `linear_probe`.
        neighbours: numbers of neighbours to choose from; those beyond the number of labels are left out.
        seed: as in `linear_probe`.

    Returns:
        One result for each budget.

    Raises:
        ValueError: as in `linear_probe`.
    """
    return probes(KNeighborsClassifier, neighbours, train, validation, test, label_budgets, num_draws, seed)


def probes(
    classifier: Callable, choices, train: Labelled, validation: Labelled, test: Labelled, budgets, num_draws, seed
) -> list[Probe]:
    """Trains classifiers with each budget of labels, as described in `linear_probe`."""
    train, validation, test = (labelled(*part) for part in (train, validation, test))
    found = []
    for budget in budgets:
        draws, chosen = [], []
        for draw in range(1 if budget is None else checks.positive_int("num_draws", num_draws)):
            random = np.random.default_rng((seed, draw))
            few, few_validation = train, validation
            if budget is not None:
                few = subset(train, stratified(train[1], budget, random))
                rows = stratified(validation[1], min(budget, len(validation[1])), random)
                few_validation = subset(validation, rows)
            # There cannot be more nearest neighbours than examples.
            possible = [c for c in choices if classifier is not KNeighborsClassifier or c <= len(few[0])]
            fitted = [classifier(choice).fit(*few) for choice in possible]
            best = int(np.argmax([model.score(*few_validation) for model in fitted]))
            draws.append(fitted[best].score(*test))
            chosen.append(float(possible[best]))
        accuracy = float(np.mean(draws))
        variance = accuracy * (1.0 - accuracy) / len(test[0])
        if len(draws) > 1:
            variance = np.var(draws, ddof=1) / len(draws)
        found.append(Probe(len(few[0]), accuracy, math.sqrt(variance), tuple(chosen)))
    return found


def labelled(z, labels) -> Labelled:
    """Returns codes as rows, together with their labels."""
    z, labels = np.asarray(z), np.asarray(labels)
    if len(z) != len(labels) or labels.ndim != 1:
        raise ValueError(f"there must be one label for each of the {len(z)} codes, received {labels.shape}.")
    return z.reshape(len(z), -1), labels


def subset(part: Labelled, rows: np.ndarray) -> Labelled:
    return part[0][rows], part[1][rows]


def stratified(labels: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Draws rows with numbers of all classes as equal as possible.

    Args:
        labels: label of each row.
        size: number of rows.
        random: generator of the draw.

    Returns:
        Distinct indices of rows, of shape `(size,)`.

    Raises:
        ValueError: if `size` is smaller than the number of classes or larger than the number of labels.
    """
    classes, places = np.unique(labels, return_inverse=True)
    if not len(classes) <= size <= len(labels):
        raise ValueError(
            f"`label_budgets` must be from the number of classes, {len(classes)}, to the number of labels, "
            f"{len(labels)}; received {size}."
        )
    order = random.permutation(len(labels))
    # The rows in rounds, each of which takes one row of each class that has rows left, in a random order.
    turn = np.empty(len(labels))
    for index in range(len(classes)):
        rows = order[places[order] == index]
        turn[rows] = np.arange(len(rows))
    return order[np.argsort(turn[order], kind="stable")][:size]


# Pictures


def traversals(
    model: GenerativeModel,
    z: np.ndarray,
    *,
    start: np.ndarray | None = None,
    num_entries: int = 10,
    span: float = 3.0,
    num_steps: int = 11,
) -> PIL.Image.Image:
    """Draws the effect of each entry of the code: one row for each entry, along which only this entry changes.

    Args:
        model: a model with `decode`.
        z: codes of many examples, of shape `(num, *code_shape)`, or draws from the prior. An entry goes from `span` of
            its standard deviations below its mean to `span` above.
        start: code that provides the other entries, of shape `code_shape`; None uses the mean code.
        num_entries: number of rows; entries with the largest standard deviations come first.
        span: range of an entry, in standard deviations.
        num_steps: number of columns.

    Returns:
        A picture.
    """
    decoded = decode(model, traversal_codes(z, start, num_entries, span, num_steps))
    return image_grid(as_images(decoded), model.event_space, columns=num_steps)


def traversal_codes(z, start, num_entries: int, span: float, num_steps: int) -> np.ndarray:
    """Returns the codes that `traversals` draws, row by row: shape `(rows · num_steps, *code_shape)`."""
    z = np.asarray(z, np.float32)
    flat = z.reshape(len(z), -1)
    mean, deviation = flat.mean(axis=0), flat.std(axis=0)
    start = mean if start is None else np.asarray(start, np.float32).reshape(-1)
    entries = np.argsort(-deviation, kind="stable")[:num_entries]
    steps = np.linspace(-span, span, num_steps)
    walk = np.tile(start, (len(entries), num_steps, 1))
    for row, entry in enumerate(entries):
        walk[row, :, entry] = mean[entry] + steps * deviation[entry]
    return walk.reshape(-1, *z.shape[1:])


def interpolations(
    model: GenerativeModel, first, last, *, num_steps: int = 9, spherical: bool = False
) -> PIL.Image.Image:
    """Draws paths from one example to another through the code space.

    Args:
        model: a model with `encode` and `decode`.
        first: examples of shape `(num, *event_shape)`.
        last: equally many examples.
        num_steps: number of codes on each path, including both ends.
        spherical: whether to go along a great circle instead of a straight line.

    Returns:
        A picture with a row for each pair: the first example, the decoded codes, the last example.
    """
    ways = interpolated(codes(model, first), codes(model, last), num_steps, spherical=spherical)
    decoded = decode(model, ways.reshape(-1, *ways.shape[2:])).reshape(*ways.shape[:2], *model.event_shape)
    rows = np.concatenate([np.asarray(first)[:, np.newaxis], decoded, np.asarray(last)[:, np.newaxis]], axis=1)
    return image_grid(as_images(rows.reshape(-1, *model.event_shape)), model.event_space, columns=num_steps + 2)


def latent_map(z: np.ndarray, labels: np.ndarray, *, classes: Iterable[str] | None = None) -> PIL.Image.Image:
    """Plots codes in the plane, coloured by class.

    Args:
        z: codes of shape `(num, ...)`; with more than two entries, the first two principal components are shown.
        labels: class of each.
        classes: names of the classes, in their order.

    Returns:
        A picture.
    """
    z, labels = labelled(z, labels)
    names = ("first entry", "second entry")
    if z.shape[1] > 2:
        pca = PCA(2).fit(z)
        z, shares = pca.transform(z), pca.explained_variance_ratio_
        names = [f"component {index + 1}: {share:.0%} of the variance" for index, share in enumerate(shares)]
    elif z.shape[1] < 2:
        raise ValueError("`z` must have two entries or more to be shown in the plane; received one.")
    values, places = np.unique(labels, return_inverse=True)
    titles = [str(value) for value in values] if classes is None else list(classes)
    figure, (axis,) = new_figure(1, 1, 6)
    # In the order of the rows: drawn class by class, the last class would hide the others.
    points = axis.scatter(z[:, 0], z[:, 1], c=places, s=6, alpha=0.7, cmap="tab10" if len(values) <= 10 else "turbo")
    handles = points.legend_elements(num=None)[0] if len(values) > 1 else []
    axis.legend(handles, titles, fontsize=8, markerscale=0.8)
    axis.set(xlabel=names[0], ylabel=names[1], aspect="equal")
    return rendered(figure)


def decode(model: GenerativeModel, z: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Decodes many codes in batches."""
    return np.concatenate([model.decode(z[start : start + batch_size]) for start in range(0, len(z), batch_size)])
