"""Captions of grey images of digits, or of other signs, generated from measurements."""

import dataclasses
import random
import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.data import strokes
from keras_gen.data.splits import Source, Splits
from keras_gen.spaces import ClassLabel, Levels, Text

#: Names of each class of digits.
DIGITS = (
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
)

#: Maps each property, then direction (-1 for little, 0 for the middle, 1 for much) to the adjectives and clauses that
#: express it. Values between these have no words.
PHRASES = {
    "thickness": {
        -1: (("thin", "fine"), ("with thin strokes", "in fine lines")),
        1: (("thick", "bold"), ("with thick strokes", "in bold lines")),
    },
    "slant": {
        -1: (("left-leaning",), ("leaning left", "slanted to the left")),
        0: (("upright",), ("standing upright",)),
        1: (("right-leaning",), ("leaning right", "slanted to the right")),
    },
    "size": {
        -1: (("small", "little"), ("of small size",)),
        1: (("large", "big"), ("of large size",)),
    },
    "horizontal": {-1: ((), ("on the left", "at the left")), 1: ((), ("on the right", "at the right"))},
    "vertical": {-1: ((), ("at the top",)), 1: ((), ("at the bottom",))},
}

#: Angle in degrees from which a sign leans; below half of this angle, it is upright.
LEANING = 8.0

#: Smallest and largest factor for the size of a placed sign.
SCALE = (0.65, 1.1)


@dataclasses.dataclass(frozen=True)
class CaptionedSplits(Splits):
    """Images with captions: columns "x", "condition" (the caption) and, if the class is known, "label".

    An image may have several captions. A training batch holds one of them, drawn anew in each epoch; a validation or
    test batch always holds the same one. `array(split, "condition")` returns all captions of an image, of shape `(num,
    most)`, with "" after the last one.

    Attributes:
        limits: property to the measured values beyond which captions say that there is little, or much, of it; empty
            for captions written by somebody else.
    """

    limits: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def gathered(self, split, indices, seed, start):
        found = super().gathered(split, indices, seed, start)
        captions = found["condition"]
        num = tf.cast(tf.math.count_nonzero(tf.strings.length(captions), axis=1), tf.float32)
        # After rounding, the product may equal the number itself.
        chosen = tf.cast(tf.minimum(seeds.uniform_rows(tf.shape(num), seed, start) * num, num - 1.0), tf.int32)
        return {**found, "condition": tf.gather(captions, chosen, axis=1, batch_dims=1)}

    def without_labels(self) -> "CaptionedSplits":
        """Returns the set without the column "label"."""
        return dataclasses.replace(self, spaces={name: s for name, s in self.spaces.items() if name != "label"})


def captioned(
    splits: Splits,
    properties: Sequence[str] | None = None,
    *,
    placed: bool = True,
    held_out: Sequence[str] = (),
    num_captions: int = 5,
    names: Sequence[Sequence[str]] = DIGITS,
    seed: int = 0,
) -> CaptionedSplits:
    """Returns images of digits with captions that state measurements of them.

    A caption names the digit and, with probability ½, each other property that is beyond a limit. The strokes are thin
    or thick, the digit small or large, on the left or the right, at the top or the bottom, if the measurement is in the
    lowest or highest third of the training images; the digit leans left or right from 8 degrees on, and is upright
    below 4. Wording and order are random. The same seed gives the same images and captions.

    Example:

    ```python
    splits = data.captioned(data.load("mnist", labels=True), held_out=("a thick three", "a small seven"))
    splits.spaces                         # "x", "condition": Text, "label": ClassLabel(10)
    splits.array("test", "condition")     # ["a thin 7 leaning right at the top", ...], five for each image
    splits.in_order("zero_shot")          # batches of the test images that are thick threes or small sevens
    ```

    Args:
        splits: grey images with labels, held in memory, where 0 is the background.
        properties: names of the properties that captions state in addition to the digit: keys of `PHRASES`. None means
            all properties or, if digits are not placed, the thickness and the slant.
        placed: whether each digit is first moved to a random size and place; otherwise all digits of MNIST have the
            same size and place. Slant and thickness are those of the result.
        held_out: captions, such as "a thick three". Images for which all of one such caption is true are removed from
            the training and validation data; such test images become a separate split, "zero_shot", whose captions
            state it.
        num_captions: number of captions of each image.
        names: names of each class: one or several words for each.
        seed: seed of places and captions.

    Raises:
        ValueError: if the examples are not grey images with labels held in memory, a property is unknown, or a held-out
            caption does not name a class and a property, or is true of no image.
    """
    if len(splits.event_shape) != 3 or splits.event_shape[-1] != 1 or splits.levels is None:
        raise ValueError(f"`splits` must hold grey images; {splits.name} has examples of shape {splits.event_shape}.")
    label_space = splits.spaces.get("condition")
    if not isinstance(label_space, ClassLabel) or label_space.unknown:
        raise ValueError(f"`splits` must hold a label for each image; {splits.name} does not.")
    if label_space.num_classes != len(names):
        raise ValueError(f"`names` must name {label_space.num_classes} classes, received {len(names)}.")
    if properties is None:
        properties = tuple(PHRASES) if placed else ("thickness", "slant")
    for name in properties:
        checks.choice("properties", name, PHRASES)
    checks.positive_int("num_captions", num_captions)
    splits = splits.own_shard()
    x = {split: splits.array(split) for split in splits.sources}
    if placed:
        x = {
            split: placed_levels(array, splits.levels, (seed, number))
            for number, (split, array) in enumerate(x.items())
        }
    found = {split: strokes.measured(array[..., 0] / (splits.levels - 1.0)) for split, array in x.items()}
    limits = {name: limits_of(name, found["train"][name]) for name in properties}
    columns = {
        split: {
            "x": array,
            "label": splits.labels(split).astype(np.int32),
            **{name: directions(found[split][name], limits[name], name) for name in properties},
        }
        for split, array in x.items()
    }
    columns = without_held_out(columns, asked(held_out, names), held_out)
    sources = {}
    for number, (split, by_name) in enumerate(columns.items()):
        must = by_name.pop("must", None)
        said = {name: by_name.pop(name) for name in properties}
        captions = written(by_name["label"], said, must, num_captions, names, f"{seed} {number}")
        sources[split] = Source.from_columns({**by_name, "condition": captions})
    longest = max(len(caption) for source in sources.values() for caption in source.arrays["condition"].flat)
    spaces = {
        "x": Levels(splits.event_shape, splits.levels),
        "condition": Text(longest),
        "label": label_space,
    }
    own = {field.name: getattr(splits, field.name) for field in dataclasses.fields(Splits)}
    return CaptionedSplits(
        **{**own, "name": f"{splits.name}-captioned", "spaces": spaces, "sources": sources, "shard": (0, 1)},
        limits=limits,
    )


def placed_levels(x: np.ndarray, levels: int, seed: tuple[int, int]) -> np.ndarray:
    """Returns images in levels, of shape `(num, height, width, 1)`, with their contents at a random size and place."""
    ink = strokes.placed(x[..., 0].astype(np.float32) / (levels - 1.0), SCALE, seed)
    return np.round(ink * (levels - 1.0)).astype(x.dtype)[..., np.newaxis]


# Measured values and words


def limits_of(name: str, values: np.ndarray) -> tuple[float, float]:
    """Returns the values of a property beyond which there is little, or much, of it."""
    if name == "slant":
        return -LEANING, LEANING
    low, high = np.nanquantile(values, (1 / 3, 2 / 3))
    return float(low), float(high)


def directions(values: np.ndarray, limits: tuple[float, float], name: str) -> np.ndarray:
    """Returns how words describe measured values: -1, 0 or 1 as in `PHRASES`, or NaN where they do not."""
    low, high = limits
    said = np.where(values < low, -1.0, np.where(values > high, 1.0, np.nan))
    if 0 not in PHRASES[name]:
        return said
    middle = abs(values - (low + high) / 2.0) < (high - low) / 4.0
    return np.where(middle, 0.0, said)


def in_direction(values: np.ndarray, direction: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Returns whether measured values are on the side that words request.

    That is below, or above, the middle between the limits; or between the limits if words request the middle.

    Args:
        values: measured values of one property, of shape `(num,)`.
        direction: -1, 0 or 1 for each; the answer for NaN is False.
        limits: the limits of the property.
    """
    low, high = limits
    middle = (low + high) / 2.0
    between = (values >= low) & (values <= high)
    return np.select(
        [direction == -1, direction == 0, direction == 1], [values < middle, between, values > middle], False
    )


def asked(captions: Sequence[str], names: Sequence[Sequence[str]] = DIGITS) -> dict[str, np.ndarray]:
    """Returns the class and the properties that captions request.

    Args:
        captions: captions from `captioned`, or others in the same words.
        names: as in `captioned`.

    Returns:
        "label", the class of each or -1, int32; and for each property in `PHRASES`, -1, 0 or 1, or NaN if a caption
        does not mention it, float64. All have shape `(num,)`.
    """
    captions = [caption.decode() if isinstance(caption, bytes) else str(caption) for caption in captions]
    label = np.full(len(captions), -1, np.int32)
    for number, words in enumerate(names):
        label[says(captions, words)] = number
    found = {"label": label}
    for name, by_direction in PHRASES.items():
        found[name] = np.full(len(captions), np.nan)
        for direction, (adjectives, clauses) in by_direction.items():
            found[name][says(captions, (*adjectives, *clauses))] = direction
    return found


def says(captions: list[str], phrases: Sequence[str]) -> np.ndarray:
    """Returns whether each caption contains one of the phrases as whole words."""
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, phrases))})(?!\w)", re.IGNORECASE)
    return np.array([pattern.search(caption) is not None for caption in captions], bool)


def without_held_out(columns: dict, pairs: dict[str, np.ndarray], held_out: Sequence[str]) -> dict:
    """Moves test images for which a caption is true to "zero_shot", and removes such images from the other splits.

    Args:
        columns: split to label and directions.
        pairs: class and properties that the held-out captions request.
        held_out: the held-out captions.

    Returns:
        The same, where "zero_shot" has an additional column "must": the index of the caption that is true of each
        image.
    """
    if not len(held_out):
        return columns
    named = [name for name in pairs if name != "label"]
    conditions = []
    for index, caption in enumerate(held_out):
        wanted = {name: pairs[name][index] for name in named if not np.isnan(pairs[name][index])}
        if pairs["label"][index] < 0 or not wanted or any(name not in columns["train"] for name in wanted):
            raise ValueError(f"`held_out` holds {caption!r}; a class and a property that captions name are expected.")
        conditions.append({"label": pairs["label"][index], **wanted})
    result, zero_shot = {}, None
    for split, by_name in columns.items():
        true = np.stack([np.all([by_name[n] == v for n, v in wanted.items()], axis=0) for wanted in conditions])
        if split == "test":
            for caption, of_caption in zip(held_out, true, strict=True):
                if not of_caption.any():
                    raise ValueError(f"`held_out` holds {caption!r}, which is true of no test image.")
            zero_shot = {name: column[true.any(axis=0)] for name, column in by_name.items()}
            must = [set(conditions[index]) - {"label"} for index in true.argmax(axis=0)[true.any(axis=0)]]
            zero_shot["must"] = must
        result[split] = {name: column[~true.any(axis=0)] for name, column in by_name.items()}
    return {**result, "zero_shot": zero_shot}


# Sentences


def written(
    labels: np.ndarray,
    said: dict[str, np.ndarray],
    must: Sequence[set[str]] | None,
    num_captions: int,
    names: Sequence[Sequence[str]],
    seed: str,
) -> np.ndarray:
    """Writes captions.

    Args:
        labels: class of each image.
        said: property to direction of each image, or NaN.
        must: names of the properties that the captions of each image always mention; None for none.
        num_captions: number of captions of each image.
        names: as in `captioned`.
        seed: seed of the wording.

    Returns:
        Strings of shape `(num, num_captions)`.
    """
    choose = random.Random(seed)
    captions = np.empty((len(labels), num_captions), object)
    rows = np.stack([said[name] for name in said], axis=1) if said else np.empty((len(labels), 0))
    for index, (label, row) in enumerate(zip(labels, rows, strict=True)):
        sayable = [(name, direction) for name, direction in zip(said, row, strict=True) if direction == direction]
        wanted = must[index] if must is not None else ()
        for number in range(num_captions):
            facts = [fact for fact in sayable if fact[0] in wanted or choose.random() < 0.5]
            captions[index, number] = sentence(choose, choose.choice(names[label]), facts)
    return captions


def sentence(choose: random.Random, name: str, facts: list[tuple[str, float]]) -> str:
    """Returns a caption of a sign, given pairs of a property and its direction, in random words and order."""
    choose.shuffle(facts)
    before, after = [], []
    for name_of_property, direction in facts:
        adjectives, clauses = PHRASES[name_of_property][int(direction)]
        as_adjective = bool(adjectives) and choose.random() < 0.5
        (before if as_adjective else after).append(choose.choice(adjectives if as_adjective else clauses))
    form = choose.randrange(3)
    if form == 0:
        return ", ".join([name, *before, *after])
    if form == 1:
        return " ".join(["the", *before, "digit", name, *after])
    words = [*before, name, *after]
    article = "an" if re.match("[aeiou8]", words[0]) and words[0] != "one" else "a"
    return " ".join([article, *words])
