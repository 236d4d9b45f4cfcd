"""How close translations of images are to their targets, one by one and as a set."""

from collections.abc import Mapping

import numpy as np

from keras_gen import checks
from keras_gen.evaluation import restoration
from keras_gen.evaluation.feature_statistics import frechet_distance
from keras_gen.evaluation.features import Features, random_convolutions


def translation_quality(
    target, translations: Mapping[str, np.ndarray], levels: int, extractor=None, *, batch_size: int = 100
) -> dict[str, dict[str, float]]:
    """Compares translations, and baselines such as the mean image, with the targets.

    Args:
        target: images in levels, of shape `(num, height, width, channels)`.
        translations: images of the same shape, by name.
        levels: number of levels of an entry.
        extractor: function from images to the features of the Fréchet distance, as in `FeatureExtractor.of`; None uses
            `random_convolutions`.
        batch_size: number of images whose features are computed at once.

    Returns:
        For each name: "l1", the mean absolute difference where levels go from -1 to 1; "psnr" and "ssim" with their
        standard errors, as in `restoration.quality`; and the "frechet_distance" between the two sets of images.

    Raises:
        ValueError: if the images are not as described.
    """
    target = restoration.images("target", target)
    figures = restoration.quality(target, translations, levels)
    extractor = random_convolutions(target.shape[-1]) if extractor is None else extractor

    def moments(x):
        batches = (x[start : start + batch_size] for start in range(0, len(x), batch_size))
        return Features.of(batches, extractor, levels=levels, keep=1).moments

    checks.positive_int("batch_size", batch_size)
    real = moments(target)
    for name, x in translations.items():
        difference = np.abs(np.subtract(x, target, dtype=np.float64)).mean()
        figures[name] = {
            "l1": float(2.0 * difference / (levels - 1)),
            **figures[name],
            "frechet_distance": frechet_distance(real, moments(np.asarray(x))),
        }
    return figures
