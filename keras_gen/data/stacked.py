"""Grey images stacked as the channels of one image: a set with very many modes, all of which are known."""

import dataclasses

import numpy as np

from keras_gen import checks
from keras_gen.data.splits import Source, Splits


def stacked(splits: Splits, *, num_channels: int = 3, num_examples: int | None = None, seed: int = 0) -> Splits:
    """Returns a set of images whose channels are grey images drawn at random.

    Three of ten digits have 1,000 combinations, which `evaluation.stacked_mode_count` counts.

    Example:

    ```python
    splits = data.stacked(data.load("mnist"))        # examples of shape (28, 28, 3)
    ```

    Args:
        splits: a set of grey images held in memory.
        num_channels: images in a stack.
        num_examples: stacks in each split; None makes as many as there are images.
        seed: seed of the choice.

    Returns:
        The set, whose labels, where `splits` has labels, have shape `(num, num_channels)`.

    Raises:
        ValueError: if the examples are not grey images held in memory.
    """
    if len(splits.event_shape) != 3 or splits.event_shape[-1] != 1:
        raise ValueError(f"`splits` must hold grey images; {splits.name} has examples of shape {splits.event_shape}.")
    num_channels = checks.positive_int("num_channels", num_channels)
    sources = {}
    for number, split in enumerate(splits.sources):
        x, y = splits.array(split), splits.labels(split)
        num = len(x) if num_examples is None else checks.positive_int("num_examples", num_examples)
        rows = np.random.default_rng((seed, number)).integers(len(x), size=(num, num_channels))
        images = np.stack([x[rows[:, channel], ..., 0] for channel in range(num_channels)], axis=-1)
        sources[split] = Source.from_arrays(images, None if y is None else y[rows])
    return dataclasses.replace(
        splits,
        name=f"{splits.name}-stacked",
        event_shape=(*splits.event_shape[:2], num_channels),
        sources=sources,
        shard=(0, 1),
    )
