"""A set of several domains, made from grey images: ink of two colours, two backgrounds, and strokes of two widths."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data.splits import Source, Splits
from keras_gen.spaces import Attributes, ClassLabel, Levels, Space

#: The attributes that an image may have.
STYLE_ATTRIBUTES = ("red ink", "light background", "thick strokes")

#: Red, green and blue values of the ink and the background, without and with the attribute. All inks are darker than
#: all backgrounds: instance normalization removes an image's mean, and with it which of the two is the darker one.
INKS = np.array([[20, 40, 140], [140, 20, 30]], np.float32)
BACKGROUNDS = np.array([[160, 200, 170], [245, 240, 225]], np.float32)


def styled(splits: Splits, condition: str = "attributes", *, seed: int = 0) -> Splits:
    """Returns grey images, each drawn in a style chosen at random.

    The ink is red or blue, the background light or green, and strokes are thick or unchanged: `STYLE_ATTRIBUTES`. All
    eight styles are equally frequent. The same seed gives the same images, regardless of `condition`.

    Example:

    ```python
    splits = data.styled(data.load("mnist"))        # images of shape (28, 28, 3), three attributes
    ```

    Args:
        splits: a set of grey images held in memory, where 0 is the background.
        condition: what the images are conditioned on: "attributes"; "domain", the style as one of eight classes: 4
            times the first attribute plus 2 times the second plus the third; or "label", the label that `splits` has.
        seed: seed of the choice.

    Raises:
        ValueError: if the examples are not grey images held in memory, or a label is requested but there is none.
    """
    if len(splits.event_shape) != 3 or splits.event_shape[-1] != 1 or splits.levels is None:
        raise ValueError(f"`splits` must hold grey images; {splits.name} has examples of shape {splits.event_shape}.")
    spaces: dict[str, Space] = {"attributes": Attributes(3), "domain": ClassLabel(8)}
    if "condition" in splits.spaces:
        spaces["label"] = splits.spaces["condition"]
    checks.choice("condition", condition, spaces)
    splits = splits.own_shard()
    sources = {}
    for number, split in enumerate(splits.sources):
        x = splits.array(split)
        attributes = np.random.default_rng((seed, number)).integers(2, size=(len(x), 3)).astype(np.int32)
        columns = {"attributes": attributes, "domain": attributes @ np.array([4, 2, 1], np.int32)}
        if "label" in spaces:
            columns["label"] = splits.labels(split)
        drawn = in_style(x.astype(np.float32) / (splits.levels - 1.0), attributes)
        sources[split] = Source.from_columns({"x": drawn, "condition": columns[condition]})
    return dataclasses.replace(
        splits,
        name=f"{splits.name}-styled",
        spaces={"x": Levels((*splits.event_shape[:2], 3), 256), "condition": spaces[condition]},
        sources=sources,
        shard=(0, 1),
    )


def in_style(ink: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Returns images of bytes, drawn with ink on a background.

    Args:
        ink: amount of ink in each pixel, from 0 to 1, of shape `(num, height, width, 1)`.
        attributes: zeros and ones of shape `(num, 3)`: see `STYLE_ATTRIBUTES`.
    """
    red, light, thick = attributes.T
    # Strokes grow by a fourteenth of the width of an image: two pixels of 28.
    size = 1 + max(1, round(ink.shape[2] / 14))
    grown = np.concatenate(
        [tf.nn.max_pool2d(part, size, 1, "SAME") for part in np.array_split(ink, 1 + len(ink) // 5000)]
    )
    ink = np.where(thick[:, np.newaxis, np.newaxis, np.newaxis] == 1, grown, ink)
    colour, background = (table[rows][:, np.newaxis, np.newaxis] for table, rows in ((INKS, red), (BACKGROUNDS, light)))
    return np.round(background + ink * (colour - background)).astype(np.uint8)
