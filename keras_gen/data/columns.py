"""Columns of examples: from what readers find to three splits with known spaces."""

import dataclasses
import functools
from typing import Any

import numpy as np

from keras_gen.data.orders import order_of
from keras_gen.data.stored import StoredRows, parts_of
from keras_gen.moments import EntryMoments, coarse_entry, is_wide
from keras_gen.spaces import ClassLabel, Levels, Numbers, Reals, Sound, Space

#: Examples that need more bytes than this are not held in memory.
MEMORY_LIMIT = 2**31

#: An array; or, where values are read whenever they are needed, an object with a length and rows, like an array, and
#: with `gather(indices)`, which reads the values at an int64 tensor of indices inside a graph.
Column = np.ndarray | Any

#: Split to columns by name.
Columns = dict[str, dict[str, Column]]


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a reader found.

    Attributes:
        columns: for "train" and, if they exist, "validation" and "test", or for "all" of an undivided set: the columns
            by name, "x" and, if examples have labels, "condition".
        spaces: spaces of columns; the space of a column that is not listed follows from its values.
        options: names of the arguments of `load` that the reader accepts.
        names: names of the columns of a table.
        class_names: names of the classes, if labels are those of subfolders.
    """

    columns: Columns
    spaces: dict[str, Space] = dataclasses.field(default_factory=dict)
    options: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    def labelled(
        self, labels: dict[str, np.ndarray], num_classes: int | None, class_names: tuple[str, ...] = ()
    ) -> "Reading":
        """Returns the same with labels (split to array), whose number of classes may be unknown."""
        columns = {split: {**found, "condition": labels[split]} for split, found in self.columns.items()}
        spaces = {} if num_classes is None else {"condition": ClassLabel(num_classes)}
        return dataclasses.replace(self, columns=columns, spaces={**self.spaces, **spaces}, class_names=class_names)


def with_plain_labels(reading: Reading) -> Reading:
    """Returns a reading with labels of shape (n,), converted from columns, one-hot rows and floats that are whole."""
    columns, spaces = {}, reading.spaces
    for split, found in reading.columns.items():
        labels = found.get("condition")
        if isinstance(labels, np.ndarray) and labels.dtype.kind in "buif":
            if labels.ndim == 2 and labels.shape[1] == 1:
                labels = labels[:, 0]
            elif labels.ndim == 2 and np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all():
                spaces = {**spaces, "condition": ClassLabel(labels.shape[1])}
                labels = labels.argmax(axis=1)
            if labels.dtype.kind == "f" and np.all(np.isfinite(labels)) and np.all(labels == np.floor(labels)):
                labels = labels.astype(np.int64)
            found = {**found, "condition": labels}
        columns[split] = found
    return dataclasses.replace(reading, columns=columns, spaces=spaces)


def label_space(columns: Columns, known: ClassLabel | None, name: str) -> ClassLabel:
    """Returns the space of labels, where -1 means an unknown class.

    Args:
        columns: all columns.
        known: the space that the reader knows; None determines the number of classes from the largest label.
        name: name of the set, for errors.

    Raises:
        ValueError: if an example has no label, or a label is not an integer or not that of a class.
    """
    refused = f"`labels` must be False: {name}"
    for split, found in columns.items():
        if "condition" not in found:
            raise ValueError(f"{refused} has none.")
        labels, num = found["condition"], len(found["x"])
        if not isinstance(labels, np.ndarray):
            # Labels that stay in files have known classes.
            return known
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
    """Returns all three splits, taking missing ones from the rest, in the same way at every call.

    A set without any splits is divided 80/10/10 in a shuffled order; a missing test or validation split is the
    last sixth (at most 10,000 examples) of the training examples.

    Raises:
        ValueError: if a split is left without examples.
    """
    shares = {"test": 6, "validation": 6}
    if "all" in columns:
        order = order_of(num_rows(columns["all"]))
        if all(isinstance(column, np.ndarray) for column in columns["all"].values()):
            # Once for all columns.
            order = np.asarray(order)
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
    """Returns the length of columns, which is the length of the first one."""
    return len(next(iter(columns.values())))


def rows_of(columns: dict[str, Column], rows) -> dict[str, Column]:
    """Returns some rows of all columns, chosen by a slice or an array of indices."""
    return {name: column[rows] for name, column in columns.items()}


def example_space(columns: Columns, name: str) -> Numbers:
    """Returns the space that follows from the values of arrays: levels for integers, else real numbers.

    Bits have 2 levels, bytes 256, and other integers as many as the largest of them requires. All splits are checked
    before anything is cast. The only check left to training, which looks at each batch, is whether real numbers that
    stay in their file are finite.

    Raises:
        ValueError: if the values are not finite numbers, integers are negative, or splits differ in kind or shape.
    """
    first = columns["train"]["x"]
    for split, found in columns.items():
        x = found["x"]
        if x.dtype.kind not in "buif":
            raise ValueError(f"`name`: {name} must hold numbers, received dtype {x.dtype}.")
        if 0 in x.shape[1:]:
            raise ValueError(f"`name`: {name} must hold numbers, received examples of shape {x.shape[1:]}.")
        if x.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"`name`: {name} must have examples of one shape; those of its train split have {first.shape[1:]}, "
                f"those of its {split} split {x.shape[1:]}."
            )
        if (x.dtype.kind == "f") != (first.dtype.kind == "f"):
            raise ValueError(
                f"`name`: {name} must hold whole numbers or real numbers in all splits; its train split has dtype "
                f"{first.dtype}, its {split} split {x.dtype}."
            )
        if x.dtype.kind == "f" and isinstance(x, np.ndarray) and not np.isfinite(x).all():
            raise ValueError(f"`name`: {name} holds NaN or infinity; finite numbers are expected.")
    if first.dtype.kind == "f":
        return Reals(first.shape[1:] or (1,))
    ranges = [range_of(found["x"]) for found in columns.values()]
    least, largest = min(low for low, _ in ranges), max(high for _, high in ranges)
    if least < 0:
        raise ValueError(
            f"`name`: {name} holds whole numbers from {least} to {largest}, but levels count from 0: subtract {least}, "
            "or give real numbers as floats."
        )
    # Grey images may lack the channel axis.
    shape = (*first.shape[1:], 1) if first.ndim in (1, 3) else first.shape[1:]
    return Levels(shape, 2 if largest <= 1 else 256 if first.dtype == np.uint8 else largest + 1)


def with_levels(columns: Columns, space: Numbers, levels: int, name: str) -> tuple[Columns, Levels]:
    """Returns examples, including real numbers that are whole, as a given number of levels, and their space.

    Raises:
        ValueError: if the examples are not integers, or one is beyond the levels.
    """
    if isinstance(space, Reals):
        parts = (part for found in columns.values() for part in parts_of(found["x"]))
        if all(np.all((part >= 0.0) & (part == np.floor(part))) for part in parts):
            space = Levels(space.shape, levels)
    if not isinstance(space, Levels):
        raise ValueError(f"`levels` must be None: {name} holds real numbers; received {levels}.")
    for split, found in columns.items():
        x = found["x"]
        if not isinstance(x, (np.ndarray, StoredRows)) or (x.dtype == np.uint8 and levels >= 256):
            continue
        largest = max(part.max() for part in parts_of(x))
        if largest >= levels:
            raise ValueError(
                f"`levels` must be above the largest level, {largest:g} in the {split} split of {name}; "
                f"received {levels}."
            )
    return columns, Levels(space.shape, levels)


def range_of(x: Column) -> tuple[int, int]:
    """Returns the smallest and largest of integers; for bytes in a file, 0 and 255 as soon as one is not a bit."""
    least, largest = 0, 0
    for index, part in enumerate(parts_of(x)):
        low, high = int(part.min()), int(part.max())
        least, largest = (low, high) if index == 0 else (min(least, low), max(largest, high))
        if isinstance(x, StoredRows) and part.dtype == np.uint8 and largest > 1:
            return 0, 255
    return least, largest


def moments(x: Column) -> EntryMoments:
    """Returns means and deviations of the entries of an array; one in a file is read in one pass."""
    found = EntryMoments(x.shape[1:])
    for part in parts_of(x):
        found.add(part.astype(np.float64))
    return found


def standard_scale(x: Column, space: Numbers, name: str, names: tuple[str, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Returns the float64 mean and standard deviation of each entry of real vectors; missing entries do not count.

    Args:
        x: the training examples.
        space: their space.
        name: name of the set, for errors.
        names: names of the columns, if they have names.

    Raises:
        ValueError: if the examples are not real vectors, or an entry is constant.
    """
    if isinstance(space, Sound):
        raise ValueError(f"`standardize` must be False: {name} holds sound, whose amplitudes go from -1 to 1.")
    if isinstance(space, Levels):
        raise ValueError(f"`standardize` must be False: {name} holds whole levels.")
    found = moments(x)
    mean, scale = found.mean, found.deviation()
    varies = scale > 0.0
    if not varies.all():
        constant = ", ".join(names[place] if names else str(place) for place in np.flatnonzero(~varies))
        raise ValueError(f"`standardize` needs columns that vary; columns {constant} of {name} are constant.")
    return mean, scale


def given_scale(scale: tuple[np.ndarray, np.ndarray], space: Numbers, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the means and deviations that standardised other data, for examples of the same shape.

    Raises:
        ValueError: if the examples are not real vectors, or have a different shape.
    """
    mean, deviation = (np.asarray(part, np.float64) for part in scale)
    if isinstance(space, (Sound, Levels)) or not mean.shape == deviation.shape == tuple(space.shape):
        raise ValueError(
            f"`standardize` must hold a mean and a deviation for each entry of real examples; {name} holds {space}, "
            f"received shapes {mean.shape} and {deviation.shape}."
        )
    return mean, deviation


#: Number of rows of an array in a file that `check_resolution` examines.
RESOLUTION_ROWS = 10_000


def check_resolution(x: np.ndarray, name: str, names: tuple[str, ...] = ()):
    """Raises an error if values exceed float32, or differ by less than it can distinguish, as times in seconds do.

    Args:
        x: real examples, float64; for those in a file, some evenly spaced ones.
        name: name of the set.
        names: names of the columns, if they have names.
    """
    if not is_wide(x.dtype) or not len(x):
        return
    if isinstance(x, StoredRows):
        x = x.file.read(np.arange(0, x.file.shape[0], -(-x.file.shape[0] // RESOLUTION_ROWS)))
    x = x.astype(np.float64, copy=False)
    beyond = np.argwhere(np.abs(x) > np.finfo(np.float32).max)
    if beyond.size:
        place = int(np.ravel_multi_index(beyond[0, 1:], x.shape[1:])) if x.ndim > 1 else 0
        raise ValueError(
            f"`name`: column {names[place] if names else place} of {name} holds {x[tuple(beyond[0])]:g}, which float32 "
            "cannot hold: `standardize=True` (--standardize) subtracts the mean and divides by the deviation first."
        )
    found = coarse_entry(x)
    if found is not None:
        place, largest, deviation = found
        raise ValueError(
            f"`name`: column {names[place] if names else place} of {name} has values up to {largest:g} that deviate by "
            f"{deviation:g}, which float32 cannot tell apart: `standardize=True` (--standardize) subtracts the mean "
            "first."
        )


def padded_with_silence(columns: Columns, space: Sound) -> tuple[Columns, Sound]:
    """Returns sounds with silence in place of missing samples, and their space."""

    def silent(x):
        return np.nan_to_num(x) if isinstance(x, np.ndarray) else x.silent()

    columns = {split: {**found, "x": silent(found["x"])} for split, found in columns.items()}
    return columns, dataclasses.replace(space, missing=False)


def as_examples(x: Column, space: Numbers, scale: tuple[np.ndarray, np.ndarray] | None) -> Column:
    """Returns an array as it is stored: levels as bytes if they fit, real numbers standardised and then as float32.

    Rows in a file are converted when they are read.
    """
    if isinstance(x, StoredRows):
        return dataclasses.replace(x, convert=functools.partial(as_examples, space=space, scale=scale))
    if not isinstance(x, np.ndarray):
        return x
    if isinstance(space, Levels):
        whole = np.int64 if x.dtype.kind == "f" else x.dtype.newbyteorder("=")
        x = x.astype(np.uint8 if space.num_levels <= 256 else whole)
    else:
        x = x if scale is None else (x.astype(np.float64) - scale[0]) / scale[1]
        x = x.astype(np.float32)
    return x[..., np.newaxis] if x.ndim == len(space.shape) else x
