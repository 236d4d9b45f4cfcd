"""Parzen-window log-likelihood: how well samples of a model cover a test set, for models without a density.

The protocol of Ian Goodfellow et al. (2014), Generative Adversarial Networks, section 5,
https://arxiv.org/abs/1406.2661; 10,000 samples, and MNIST with pixels from 0 to 1.

What the field has learned since: the figure is not a likelihood of the model, and does not rank models as their
likelihoods or samples do. Lucas Theis, Aäron van den Oord, Matthias Bethge (2015), A note on the evaluation of
generative models, https://arxiv.org/abs/1511.01844, section 4.2: in many dimensions it is far from the true value for
any attainable number of samples, and cluster centres of the training data, as samples, beat samples from the true
distribution. It is provided for comparison with old tables; `sample_quality` says more.
"""

import math
import warnings

import numpy as np
from scipy import special

from keras_gen import checks
from keras_gen.evaluation.likelihood import standard_error

#: Number of squared distances that are held at once.
DISTANCES_AT_ONCE = 4_000_000

#: Widths to choose from, as in Goodfellow et al.
SIGMAS = tuple(float(sigma) for sigma in np.logspace(-1.0, 0.0, 10))


def parzen_log_likelihood(samples, test, validation, sigmas=SIGMAS) -> dict[str, float]:
    r"""Evaluates the density with a Gaussian window of the same width around each sample.

    $$\log p(x) = \log \frac{1}{n} \sum_{i=1}^n N(x; s_i, σ^2 I)$$

    The width σ is the one for which validation examples are most likely; a warning says if it is the smallest or
    largest of the choices, because a better one may lie beyond. The figure is not a likelihood of the model: see the
    top of this file.

    Args:
        samples: samples of a model, of shape `(n, ...)`, on the scale to which σ refers.
        test: examples of shape `(num_test, ...)` on the same scale.
        validation: examples to choose σ on.
        sigmas: widths to choose from, all greater than 0.

    Returns:
        "parzen_log_likelihood", the mean over test examples in nats; its "parzen_standard_error" over these; the chosen
        "sigma"; the "validation_log_likelihood" that it was chosen by; and the number of samples, "parzen_samples".

    Raises:
        ValueError: if examples differ in shape, a value is not finite, or no σ is given.
    """
    test_vectors = vectors_like(samples, test, "test")
    sigma, validation_mean = parzen_width(samples, validation, sigmas)
    values = parzen_log_prob(vectors_like(samples, samples, "samples"), test_vectors, np.array([sigma]))[0]
    return {
        "parzen_log_likelihood": float(values.mean()),
        "parzen_standard_error": standard_error(values),
        "sigma": sigma,
        "validation_log_likelihood": validation_mean,
        "parzen_samples": len(samples),
    }


def parzen_width(samples, validation, sigmas=SIGMAS) -> tuple[float, float]:
    """Chooses the width for which validation examples are most likely, as in `parzen_log_likelihood`.

    Args:
        samples: samples of a model, of shape `(n, ...)`.
        validation: examples of shape `(num, ...)` on the same scale.
        sigmas: widths to choose from, all greater than 0.

    Returns:
        σ, and the mean log-likelihood of the validation examples in nats.

    Raises:
        ValueError: if examples differ in shape, a value is not finite, or no σ is given.
    """
    vectors = [vectors_like(samples, x, name) for name, x in (("samples", samples), ("validation", validation))]
    sigmas = np.array([checks.positive("sigmas", sigma) for sigma in np.ravel(sigmas)])
    if len(sigmas) == 0:
        raise ValueError("`sigmas` must hold at least one width, received none.")
    means = parzen_log_prob(*vectors, sigmas).mean(axis=1)
    sigma = sigmas[np.argmax(means)]
    if len(sigmas) > 1 and sigma in (sigmas.min(), sigmas.max()):
        warnings.warn(
            f"the Parzen width {sigma:.3g} is at the end of `sigmas`, from {sigmas.min():.3g} to {sigmas.max():.3g}; "
            "a better one may lie beyond.",
            stacklevel=2,
        )
    return float(sigma), float(means.max())


def vectors_like(samples, x, name: str) -> np.ndarray:
    """Returns examples as float64 vectors.

    Raises:
        ValueError: if they do not have the shape of `samples`, or a value is not finite; the message calls them `name`.
    """
    x = np.asarray(x)
    if x.ndim < 2 or len(x) == 0 or x.shape[1:] != np.shape(samples)[1:]:
        raise ValueError(f"`{name}` must hold examples of the shape of `samples`, received {x.shape}.")
    x = x.reshape(len(x), -1).astype(np.float64)
    if not np.all(np.isfinite(x)):
        raise ValueError(f"`{name}` holds a value that is not finite; expected finite real numbers.")
    return x


def parzen_log_prob(samples: np.ndarray, x: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Returns the log density, in nats, of vectors under windows of each width.

    Args:
        samples: float64 vectors of shape `(n, size)`.
        x: float64 vectors of shape `(num, size)`.
        sigmas: widths.

    Returns:
        float64 array of shape `(len(sigmas), num)`.
    """
    size = samples.shape[1]
    lengths = np.sum(samples**2, axis=1)
    normalizers = np.log(len(samples)) + 0.5 * size * np.log(2.0 * math.pi * sigmas**2)
    parts = []
    for rows in np.array_split(x, max(1, len(x) * len(samples) // DISTANCES_AT_ONCE)):
        distances = np.maximum(np.sum(rows**2, axis=1)[:, np.newaxis] + lengths - 2.0 * rows @ samples.T, 0.0)
        parts.append([special.logsumexp(-0.5 / sigma**2 * distances, axis=1) for sigma in sigmas])
    return np.concatenate(parts, axis=1) - normalizers[:, np.newaxis]
