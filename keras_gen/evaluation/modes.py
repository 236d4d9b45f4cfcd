"""Counts the modes of a known distribution that the samples of a model find.

Two-dimensional Gaussians and stacked digits are the tests of Luke Metz et al. (2016), Unrolled generative adversarial
networks, https://arxiv.org/abs/1611.02163, and of Akash Srivastava et al. (2017), VEEGAN,
https://arxiv.org/abs/1705.07761, who count samples of high quality.
"""

import numpy as np
from scipy import spatial, special

from keras_gen import checks
from keras_gen.evaluation.batches import batches_of
from keras_gen.evaluation.features import FeatureExtractor


def mode_count(samples, centres, scale: float, *, within: float = 3.0) -> dict[str, float]:
    """Counts the centres that samples lie at.

    A sample has high quality if it lies within a number of standard deviations of a centre. A mode is found if it is
    the nearest one to a sample of high quality.

    Example:

    ```python
    ring = toy.get("eight_gaussians")
    evaluation.mode_count(model.sample(10_000, seed=0), ring.centres, ring.noise)
    ```

    Args:
        samples: vectors of shape `(num, size)`.
        centres: means of equally likely isotropic Gaussians, of shape `(num_modes, size)`.
        scale: standard deviation of each.
        within: number of standard deviations within which quality is high.

    Returns:
        Number of "modes" found; share of samples of high quality, "high_quality"; and the "mode_divergence" in nats,
        the KL divergence of the shares of the modes among these from equal shares (infinite if there are none).

    Raises:
        ValueError: if the shapes do not fit, or a value is not finite.
    """
    samples, centres = (np.asarray(x, np.float64) for x in (samples, centres))
    if samples.ndim != 2 or centres.ndim != 2 or samples.shape[1] != centres.shape[1] or not len(samples):
        raise ValueError(
            f"`samples` and `centres` must be vectors of one length, received shapes {samples.shape} and "
            f"{centres.shape}."
        )
    if not np.all(np.isfinite(samples)):
        raise ValueError("`samples` holds a value that is not finite; expected finite real numbers.")
    radius = checks.positive("scale", scale) * checks.positive("within", within)
    distances, nearest = spatial.KDTree(centres).query(samples)
    good = distances <= radius
    counts = np.bincount(nearest[good], minlength=len(centres))
    return {"modes": int(np.count_nonzero(counts)), "high_quality": float(good.mean()), **divergence(counts)}


def stacked_mode_count(samples, extractor=None, *, levels: int | None = 256, batch_size: int = 500) -> dict[str, float]:
    """Counts the combinations of digits in images that have a digit in each channel.

    Args:
        samples: images of shape `(num, height, width, channels)`, like those of `data.stacked`.
        extractor: extractor with the class probabilities of a grey image, as in `FeatureExtractor.of`. None uses the
            classifier of handwritten digits that comes with the package.
        levels: number of levels of an entry; None for real numbers.
        batch_size: number of images to classify at once.

    Returns:
        Number of "modes" found, of `num_classes ** channels`; and the "mode_divergence" in nats, the KL divergence of
        their shares from equal shares.

    Raises:
        ValueError: if samples are not images, or the extractor returns no class probabilities.
    """
    extractor = FeatureExtractor.of(extractor)
    samples = np.asarray(samples)
    if samples.ndim != 4 or not len(samples):
        raise ValueError(f"`samples` must have shape (num, height, width, channels), received {samples.shape}.")
    modes, num_modes = np.zeros(len(samples), np.int64), 1
    for channel in range(samples.shape[-1]):
        parts = batches_of(samples[..., channel : channel + 1], batch_size)
        found = [extractor(part, levels)[1] for part in parts]
        if found[0] is None:
            raise ValueError(f"`extractor` must give class probabilities; {extractor.name} gives features alone.")
        probabilities = np.concatenate(found)
        modes = modes * probabilities.shape[1] + probabilities.argmax(axis=1)
        num_modes *= probabilities.shape[1]
    counts = np.bincount(modes, minlength=num_modes)
    return {"modes": int(np.count_nonzero(counts)), **divergence(counts)}


def divergence(counts: np.ndarray) -> dict[str, float]:
    """Returns the "mode_divergence" of counts of samples."""
    total = counts.sum()
    if not total:
        return {"mode_divergence": float("inf")}
    return {"mode_divergence": float(special.rel_entr(counts / total, 1.0 / len(counts)).sum())}
