"""Evaluation of generated sounds: by a classifier, and by faults that anybody would hear."""

import numpy as np

from keras_gen import checks
from keras_gen.core import Model
from keras_gen.evaluation import feature_statistics
from keras_gen.evaluation.classifier import Classifier
from keras_gen.evaluation.features import Features, sample_batches
from keras_gen.evaluation.sample_quality import compared, image_features

#: A sound is silent if no amplitude is beyond this: 46 decibels below the full scale.
SILENT_PEAK = 0.005

#: Amplitudes from here on are at the end of the scale.
FULL_SCALE = 0.999

#: A sound is clipped if this many samples in a row are.
CLIPPED_SAMPLES = 3


def sound_faults(sounds: np.ndarray) -> dict[str, float]:
    """Returns the share of silent sounds and the share of clipped ones.

    A sound is silent if no amplitude is beyond 0.005, 46 decibels below the full scale; it is clipped if three samples
    in a row are at 0.999 or beyond.

    Args:
        sounds: amplitudes from -1 to 1, of shape `(num, samples)`.

    Returns:
        The shares "silent" and "clipped".

    Raises:
        ValueError: if there are no such sounds.
    """
    sounds = np.asarray(sounds)
    if sounds.ndim != 2 or not sounds.size:
        raise ValueError(f"`sounds` must hold amplitudes of shape (num, samples), received shape {sounds.shape}.")
    sizes = np.abs(sounds)
    full, num = sizes >= FULL_SCALE, max(0, sounds.shape[1] - CLIPPED_SAMPLES + 1)
    in_a_row = np.all([full[:, start : start + num] for start in range(CLIPPED_SAMPLES)], axis=0)
    return {
        "silent": float(np.mean(sizes.max(axis=1) <= SILENT_PEAK)),
        "clipped": float(np.mean(in_a_row.any(axis=1))),
    }


def sound_quality(
    source, data: np.ndarray, judge: Classifier, *, num_samples: int | None = None, seed: int = 0
) -> dict[str, float]:
    """Compares sounds with real ones by a classifier and by their faults, alongside the figures of real sounds.

    Example:

    ```python
    evaluation.sound_quality(model, x_test, classifier)["score"]
    ```

    Args:
        source: a model that draws sounds, with examples of its condition if it is conditional; or sounds as an array.
        data: real sounds, of shape `(num, samples)`.
        judge: a classifier that was trained on other real sounds.
        num_samples: number of sounds that a model draws; None draws as many as there are real ones, so that both scores
            are means over equally large parts.
        seed: seed of the sounds.

    Returns:
        What `sample_quality` returns, and the shares "silent" and "clipped" of `sound_faults`; "score_of_data",
        "silent_of_data" and "clipped_of_data" are those of the real sounds.

    Raises:
        TypeError: if `source` is a model that cannot draw samples.
        ValueError: if there are too few sounds, or the judge does not accept them.
    """
    if isinstance(source, Model):
        num_samples = len(data) if num_samples is None else checks.positive_int("num_samples", num_samples)
        source = np.concatenate(list(sample_batches(source, num_samples, 100, seed)))
    real, samples = (image_features(sounds, judge, batch_size=100) for sounds in (data, source))
    of_data = {"score": score_of(real), **sound_faults(data)}
    return {
        **compared(samples, real),
        **sound_faults(source),
        **{f"{name}_of_data": value for name, value in of_data.items()},
    }


def score_of(features: Features) -> float:
    """Returns the inception score of features with class probabilities."""
    return feature_statistics.score(features.probabilities)[0]
