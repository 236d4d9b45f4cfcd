"""Judging generated sounds: what a classifier hears in them, and faults that anybody would hear."""

import numpy as np

from keras_gen import checks
from keras_gen.core import Model
from keras_gen.evaluation import feature_statistics
from keras_gen.evaluation.classifier import Classifier
from keras_gen.evaluation.features import Features, sample_batches
from keras_gen.evaluation.sample_quality import compared, image_features

#: A sound is silent if no amplitude is beyond this: 46 decibels below the full scale.
SILENT_PEAK = 0.005

#: An amplitude from here on has come to the end of the scale.
FULL_SCALE = 0.999

#: A sound is clipped if so many samples in a row have.
CLIPPED_SAMPLES = 3


def sound_faults(sounds: np.ndarray) -> dict[str, float]:
    """Returns the share of sounds that nobody can hear, and of those that were cut off.

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
    """Compares sounds with real ones, by a classifier and by their faults; figures of real sounds stand beside.

    Example:

    ```python
    evaluation.sound_quality(model, x_test, classifier)["score"]
    ```

    Args:
        source: a model that draws sounds, of a conditional one on examples of its condition; or sounds as an array.
        data: real sounds, of shape `(num, samples)`.
        judge: a classifier that was trained on other real sounds.
        num_samples: sounds that a model draws; None takes as many as there are real ones, so that both scores are
            means over equally large parts.
        seed: seed of the sounds.

    Returns:
        What `sample_quality` returns, and the shares "silent" and "clipped" of `sound_faults`; "score_of_data",
        "silent_of_data" and "clipped_of_data" are those of the real sounds.

    Raises:
        TypeError: if `source` is a model that draws no samples.
        ValueError: if there are too few sounds, or they are not what the judge takes.
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
    """Returns the inception score that features come with."""
    return feature_statistics.score(features.probabilities)[0]
