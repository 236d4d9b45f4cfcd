"""Columns of examples as readers find them, on their way to three splits whose spaces are known."""

import dataclasses
from typing import Any

import numpy as np

from keras_gen.spaces import ClassLabel, Levels, Numbers, Reals, Sound, Space

#: Beyond this many bytes, examples are not held in memory.
MEMORY_LIMIT = 2**31

#: An array; or, where values are read whenever they are needed, what has a length and rows as an array has, and
#: `gather(indices)`, which reads the values at an int64 tensor of indices inside a graph.
Column = np.ndarray | Any

#: Split to columns by name.
Columns = dict[str, dict[str, Column]]


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a reader found.

    Attributes:
        columns: for "train" and, where there are some, "validation" and "test", or for "all" of a set that is not
            divided: the columns by name, "x" and, where examples have labels, "condition".
        spaces: what columns hold; where a column is not named, its values tell.
        options: names of the arguments of `load` that the reader takes.
    """

    columns: Columns
    spaces: dict[str, Space] = dataclasses.field(default_factory=dict)
    options: tuple[str, ...] = ()

    def labelled(self, labels: dict[str, np.ndarray], num_classes: int | None) -> "Reading":
        """Returns the same with labels, split to array, whose number of classes may not be known."""
        columns = {split: {**found, "condition": labels[split]} for split, found in self.columns.items()}
        spaces = {} if num_classes is None else {"condition": ClassLabel(num_classes)}
        return dataclasses.replace(self, columns=columns, spaces={**self.spaces, **spaces})


def label_space(columns: Columns, known: ClassLabel | None, name: str) -> ClassLabel:
    """Returns the space of labels, of which -1 stands for a class that is not known.

    Args:
        columns: all columns.
        known: the space that the reader knows; None takes as many classes as the largest label tells.
        name: name of the set, for errors.

    Raises:
        ValueError: if an example has no label, or a label is no whole number, or not that of a class.
    """
    refused = f"`labels` must be False: {name}"
    for split, found in columns.items():
        if "condition" not in found:
            raise ValueError(f"{refused} has none.")
        labels, num = found["condition"], len(found["x"])
        if labels.dtype.kind not in "bui" or labels.shape != (num,):
            raise ValueError(
                f"{refused} holds labels of shape {labels.shape} and dtype {labels.dtype} in its {split} split; whole "
                f"numbers of shape ({num},) are expected."
            )
    labels = np.concatenate([found["condition"].astype(np.int64) for found in columns.values()])
    num_classes = labels.max(initial=0) + 1 if known is None else known.num_classes
    space = ClassLabel(int(num_classes), unknown=bool(np.any(labels == -1)))
    outside = labels[~space.contains(labels)]
    if outside.size:
        raise ValueError(f"{refused} holds the label {outside[0]}; expected {space.expected}.")
    return space


def three_splits(columns: Columns, name: str) -> Columns:
    """Returns all three splits, taking those that are missing from the rest, the same ones at every call.

    A set without any splits is divided 80/10/10 in a shuffled order; a missing test or validation split is the
    last sixth (at most 10,000 examples) of the training examples.

    Raises:
        ValueError: if a split is left without examples.
    """
    shares = {"test": 6, "validation": 6}
    if "all" in columns:
        order = np.random.default_rng(0).permutation(num_rows(columns["all"]))
        columns = {"train": rows_of(columns["all"], order)}
        shares = {"test": 10, "validation": 9}
    columns = dict(columns)
    for split, share in shares.items():
        if split not in columns:
            train = columns["train"]
            kept = num_rows(train) - min(10_000, -(-num_rows(train) // share))
            columns.update({"train": rows_of(train, slice(kept)), split: rows_of(train, slice(kept, None))})
    for split, found in columns.items():
        if not num_rows(found):
            raise ValueError(f"`name`: the {split} split of {name} holds no examples; at least one is expected.")
    return {split: columns[split] for split in ("train", "validation", "test")}


def num_rows(columns: dict[str, Column]) -> int:
    """Returns the length of columns, which is that of the first one."""
    return len(next(iter(columns.values())))


def rows_of(columns: dict[str, Column], rows) -> dict[str, Column]:
    """Returns some rows of all columns, which a slice or an array of indices chooses."""
    return {name: column[rows] for name, column in columns.items()}


def example_space(columns: Columns, name: str) -> Numbers:
    """Returns the space that the values of arrays tell: levels of whole numbers, else real numbers.

    Bits have 2 levels, bytes 256, and other whole numbers as many as the largest of them tells.

    Raises:
        ValueError: if the values are no finite numbers.
    """
    x = columns["train"]["x"]
    if x.dtype.kind not in "buif":
        raise ValueError(f"`name`: {name} must hold numbers, received dtype {x.dtype}.")
    if x.dtype.kind == "f":
        if not np.isfinite(x).all():
            raise ValueError(f"`name`: {name} holds NaN or infinity; finite numbers are expected.")
        return Reals(x.shape[1:] or (1,))
    largest = max(int(found["x"].max()) for found in columns.values())
    # Grey images may come without their one channel.
    shape = (*x.shape[1:], 1) if x.ndim in (1, 3) else x.shape[1:]
    return Levels(shape, 2 if largest <= 1 else 256 if x.dtype == np.uint8 else largest + 1)


def standard_scale(x: Column, space: Numbers, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each entry of real vectors.

    Raises:
        ValueError: if there are no real vectors, or an entry is constant.
    """
    if isinstance(space, Sound):
        raise ValueError(f"`standardize` must be False: {name} holds sound, whose amplitudes go from -1 to 1.")
    if isinstance(space, Levels):
        raise ValueError(f"`standardize` must be False: {name} holds whole levels.")
    scale = x.mean(axis=0), x.std(axis=0)
    if not (scale[1] > 0).all():
        constant = np.flatnonzero(scale[1] == 0).tolist()
        raise ValueError(f"`standardize` needs columns that vary; columns {constant} of {name} are constant.")
    return scale


def padded_with_silence(columns: Columns, space: Sound) -> tuple[Columns, Sound]:
    """Returns sounds with silence in place of the samples that are missing, and their space."""
    silent = {split: {**found, "x": np.nan_to_num(found["x"])} for split, found in columns.items()}
    return silent, dataclasses.replace(space, missing=False)


def as_examples(x: Column, space: Numbers, scale: tuple[np.ndarray, np.ndarray] | None) -> Column:
    """Returns an array as it is kept: levels as bytes where they fit, real numbers standardised and as float32."""
    if not isinstance(x, np.ndarray):
        return x
    if isinstance(space, Levels):
        x = x.astype(np.uint8) if space.num_levels <= 256 else x
    else:
        x = x.astype(np.float32)
        x = x if scale is None else ((x - scale[0]) / scale[1]).astype(np.float32)
    return x[..., np.newaxis] if x.ndim == len(space.shape) else x
