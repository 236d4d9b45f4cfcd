"""Files of arrays and tables: `.npz`, `.npy`, and numbers as text."""

import pathlib
import zipfile

import numpy as np

from keras_gen.data.columns import Reading

#: Split to the names that its examples may have in an `.npz` file.
ARRAY_NAMES = {
    "train": ("train", "x_train"),
    "validation": ("valid", "validation", "x_valid", "x_validation"),
    "test": ("test", "x_test"),
}


def read_npz(path: pathlib.Path) -> Reading:
    """Reads the arrays `train`, `valid` and `test`; or `x_train` and the others, with labels `y_train` and so on."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`name`: {path} is not a readable .npz file ({error}).") from None
    splits = {}
    for split, names in ARRAY_NAMES.items():
        for name in names:
            if name in arrays:
                splits[split] = {"x": arrays[name]}
                labels = arrays.get(name.replace("x_", "y_")) if name.startswith("x_") else None
                if labels is not None:
                    splits[split]["condition"] = labels
    if "train" not in splits:
        raise ValueError(f"`name`: {path} must hold an array `train` or `x_train`; it holds {', '.join(arrays)}.")
    return Reading(splits)


def read_npy(path: pathlib.Path) -> Reading:
    """Reads one array, one example a row."""
    return Reading({"all": {"x": np.load(path)}})


def read_text(path: pathlib.Path, columns: str | None) -> Reading:
    """Reads numbers separated by commas or white space, under an optional line of names.

    Args:
        path: the file.
        columns: columns to keep: see `data.load`.

    Raises:
        ValueError: if there is anything but numbers.
    """
    with open(path, encoding="utf-8") as file:
        first = file.readline()
    delimiter = "," if "," in first else None
    fields = first.strip().split(delimiter)
    header = not any(is_number(field) for field in fields)
    indices = range(len(fields)) if columns is None else parse_columns(columns, len(fields))
    try:
        table = np.loadtxt(
            path, dtype=np.float32, delimiter=delimiter, skiprows=int(header), usecols=tuple(indices), ndmin=2
        )
    except ValueError as error:
        raise ValueError(f"`name`: {path} must hold numbers in every row and column ({error}).") from None
    return Reading({"all": {"x": table}}, options=("columns",))


def is_number(text: str) -> bool:
    """Returns whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_columns(columns: str, count: int) -> list[int]:
    """Returns the indices that "0:11", "0,2,5" or "0:4,6" names, out of `count` columns."""
    indices = []
    try:
        for part in columns.split(","):
            bounds = [int(bound) if bound else None for bound in part.split(":")]
            indices += range(count)[slice(*bounds)] if len(bounds) > 1 else [range(count)[bounds[0]]]
    except (ValueError, TypeError, IndexError):
        raise ValueError(
            f"`columns` must be indices such as '0:11' or '0,2,5' out of {count} columns, received {columns!r}."
        ) from None
    return indices
