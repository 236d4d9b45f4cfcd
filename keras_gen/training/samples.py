"""What recipes for models without a likelihood share: figures of their samples."""

import numpy as np

from keras_gen import evaluation
from keras_gen.core import GenerativeModel
from keras_gen.data import Splits, toy

#: What these figures are, for a report.
JUDGED = (
    "Losses of the players on held-out data; of levels, Parzen windows whose width was chosen on validation data, "
    "levels in [0, 1]; of a mixture of Gaussians, the modes that samples lie at."
)


def judged_samples(model: GenerativeModel, splits: Splits, *, num_samples: int, seed: int) -> dict[str, float]:
    """Judges samples by the modes that they find, if the data are a mixture of known Gaussians, or by Parzen windows.

    Args:
        model: trained model; a conditional one draws all conditions in turn.
        splits: its data.
        num_samples: samples to draw.
        seed: seed of the samples.

    Returns:
        What `evaluation.mode_count` returns, or `evaluation.parzen_log_likelihood`; nothing for other real vectors.
    """
    centres = getattr(toy.get(splits.name), "centres", None) if splits.name in toy.NAMES else None
    if centres is None and splits.levels is None:
        return {}
    parts = [len(part) for part in np.array_split(np.arange(num_samples), -(-num_samples // 1000))]
    x = np.concatenate([model.sample_on_examples(num, seed=(seed, index)) for index, num in enumerate(parts)])
    if centres is not None:
        mean, deviation = (0.0, 1.0) if splits.scale is None else splits.scale
        return evaluation.mode_count(x * deviation + mean, centres, toy.get(splits.name).noise)
    highest = splits.levels - 1.0
    test, validation = splits.array("test") / highest, splits.array("validation") / highest
    return evaluation.parzen_log_likelihood(x / highest, test, validation)
