"""Files of arrays: `.npz` and `.npy`."""

import pathlib
import zipfile

import numpy as np

from keras_gen.data import columns
from keras_gen.data.columns import Reading
from keras_gen.data.stored import StoredRows, array_file

#: Maps each split to the names that its examples may have in an `.npz` file.
ARRAY_NAMES = {
    "train": ("train", "x_train"),
    "validation": ("valid", "validation", "val", "x_valid", "x_validation", "x_val"),
    "test": ("test", "x_test"),
}


def read_npz(path: pathlib.Path) -> Reading:
    """Reads the arrays `train`, `valid` and `test`; or `x_train` and the others, with labels `y_train` and so on.

    Raises:
        ValueError: if there are no such arrays, a split has several, or one has no rows.
    """
    found = loaded(path)
    if isinstance(found, np.ndarray):
        raise ValueError(f"`name`: {path} is an .npy file, of one array, under another name.")
    with found as file:
        examples = {name for names in ARRAY_NAMES.values() for name in names}
        arrays = {}
        for name in file.files:
            stored = stored_rows(path, name) if name.lower() in examples and is_large(path) else None
            arrays[name] = array_of(file, name, path) if stored is None else stored
    splits = {}
    for split, names in ARRAY_NAMES.items():
        # Case is ignored, because some write matrices in upper case.
        given = [name for name in arrays if name.lower() in names]
        if len(given) > 1:
            raise ValueError(
                f"`name`: {path} must hold one array of the {split} split; it holds {' and '.join(given)}."
            )
        for name in given:
            splits[split] = {"x": rows_in(arrays[name], f"the array `{name}` of {path}")}
            labels = [other for other in arrays if other.lower() == name.lower().replace("x_", "y_")]
            if name.lower().startswith("x_") and labels:
                splits[split]["condition"] = arrays[labels[0]]
    if "train" not in splits:
        raise ValueError(f"`name`: {path} must hold an array `train` or `x_train`; it holds {', '.join(arrays)}.")
    return Reading(splits)


def read_npy(path: pathlib.Path) -> Reading:
    """Reads one array, with one example per row.

    Raises:
        ValueError: if there is no array, or it has no rows.
    """
    return Reading({"all": {"x": npy_rows(path, stays=is_large(path))}})


def is_large(path: pathlib.Path) -> bool:
    """Returns whether a file's arrays stay in the file instead of being held in memory."""
    return path.stat().st_size > columns.MEMORY_LIMIT


def stored_rows(path: pathlib.Path, member: str | None = None) -> StoredRows | None:
    """Returns an array as rows that stay in their file, or None if they are not contiguous there.

    Args:
        path: an `.npy` file, or an `.npz` file.
        member: name of the array in an `.npz` file.

    Raises:
        ValueError: if the file is not such a file.
    """
    try:
        found = array_file(path, member)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`name`: {path} is not a readable {path.suffix.lower()} file ({error}).") from None
    return None if found is None else StoredRows(found)


def npy_rows(path: pathlib.Path, *, stays: bool) -> np.ndarray | StoredRows:
    """Returns the array of an `.npy` file.

    Args:
        path: the file.
        stays: whether its rows stay in the file, if they are contiguous there.

    Raises:
        ValueError: if the file holds no array of rows.
    """
    stored = stored_rows(path) if stays else None
    if stored is not None:
        return stored
    found = loaded(path)
    if not isinstance(found, np.ndarray):
        found.close()
        raise ValueError(f"`name`: {path} is an .npz file, of several arrays, under another name.")
    return rows_in(found, str(path))


def loaded(path: pathlib.Path):
    """Loads a file of arrays, without anything that could run code."""
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`name`: {path} is not a readable {path.suffix.lower()} file ({error}).") from None


def array_of(file, name: str, path: pathlib.Path) -> np.ndarray:
    """Returns one array of an `.npz` file."""
    try:
        return file[name]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`name`: the array `{name}` of {path} cannot be read ({error}).") from None


def rows_in(array: np.ndarray, name: str) -> np.ndarray:
    """Returns an array that has rows.

    Raises:
        ValueError: if it is a single number.
    """
    if array.ndim == 0:
        raise ValueError(f"`name`: {name} must hold one example a row; it is a single number.")
    return array
