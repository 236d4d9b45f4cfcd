"""Tables that are too large for memory: their rows are converted once and then read by position."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_gen.console import tracked
from keras_gen.data import columns
from keras_gen.data.columns import Reading
from keras_gen.data.readers.tables import as_frame, frames_of, is_packed, read_frame, suffix_of, table_parts
from keras_gen.data.stored import ArrayFile, StoredRows
from keras_gen.files import make_once, read_ahead, short_hash
from keras_gen.spaces import Reals

if TYPE_CHECKING:
    import pyarrow

#: Number of rows that are converted at once.
ROWS_AT_ONCE = 50_000

#: Factor by which a compressed file is assumed to grow when decompressed.
PACKED_FACTOR = 4

#: Arrow types whose values are all representable in float32.
WITHIN_FLOAT32 = {"bool", "int8", "int16", "uint8", "uint16", "halffloat", "float"}


def is_large(path: pathlib.Path) -> bool:
    """Returns whether, judging by its size, the numbers of a table in a file do not fit in memory."""
    if suffix_of(path) == ".parquet":
        with contextlib.suppress(ImportError, ValueError, OSError):
            from pyarrow import parquet

            with parquet.ParquetFile(path) as file:
                return 8 * file.metadata.num_rows * file.metadata.num_columns > columns.MEMORY_LIMIT
        # The reader of small tables reports what is wrong with it.
        return False
    factor = PACKED_FACTOR if is_packed(path) else 1
    return factor * path.stat().st_size > columns.MEMORY_LIMIT


def read_large_table(path: pathlib.Path, **arguments: str | Sequence[str] | None) -> Reading:
    """Reads a table from a hidden folder beside its file that holds its numbers; the folder is made if there is none.

    The folder belongs to the present state of the file and to these arguments. Folders of earlier states are removed;
    those of other arguments are not, because another process may be reading them.

    Args:
        path: the file.
        **arguments: as in `tables.read_table`.

    Raises:
        ValueError: as in `tables.read_table`, or if a column holds text only in some rows.
        OSError: if the folder cannot be written.
    """
    state = path.stat()
    of_this_state = f".{path.name}.rows-{short_hash(json.dumps([state.st_size, state.st_mtime_ns]))}"
    folder = path.with_name(f"{of_this_state}-{short_hash(json.dumps(arguments))}")
    if not folder.is_dir():
        for old in path.parent.glob(f".{glob_escaped(path.name)}.rows-*"):
            if not old.name.startswith(of_this_state):
                shutil.rmtree(old, ignore_errors=True)
        make_once(folder, lambda beside: convert(path, beside, arguments))
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    names = tuple(about["names"])
    # Folders of earlier versions do not contain their dtype.
    dtype = np.dtype(about.get("dtype", "float64"))
    file = ArrayFile(folder / "rows.bin", 0, (about["num_rows"], len(names)), dtype)
    space = Reals((len(names),), missing=about["missing"])
    return Reading({"all": {"x": StoredRows(file)}}, {"x": space}, options=tuple(arguments), names=names)


def glob_escaped(name: str) -> str:
    """Returns a pattern that matches only the given name."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def dtype_of(path: pathlib.Path) -> np.dtype:
    """Returns float32 if it can represent all values of a table's columns, and float64 otherwise."""
    if suffix_of(path) != ".parquet":
        return np.dtype(np.float64)
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        types = {str(column.type) for column in file.schema_arrow}
    return np.dtype(np.float32 if types <= WITHIN_FLOAT32 else np.float64)


def convert(path: pathlib.Path, folder: pathlib.Path, arguments: dict):
    """Writes the numbers of a table, row by row, and their description."""
    names, dtype = names_of(path, arguments), dtype_of(path)
    num_rows, some_are_missing = 0, False
    with (folder / "rows.bin").open("wb") as file:
        for part in shown(path, "converting"):
            x = plain_rows(part, names, dtype)
            if x is None:
                options = {"missing": arguments["missing"], "first_row": num_rows, "hints": False}
                x = read_frame(as_frame(part), str(path), columns=names, **options).columns["all"]["x"]
                some_are_missing |= bool(np.isnan(x).any())
            np.ascontiguousarray(x, dtype).tofile(file)
            num_rows += len(x)
    about = {"names": names, "num_rows": num_rows, "missing": some_are_missing, "dtype": dtype.name}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def plain_rows(part: "pd.DataFrame | pyarrow.RecordBatch", names: tuple[str, ...], dtype) -> np.ndarray | None:
    """Returns the rows of a table in Arrow's form; converting through a data frame takes three times as long.

    Returns None if `read_frame` has to examine them, because columns are not all plain finite numbers.
    """
    if isinstance(part, pd.DataFrame) or not all(part.schema.names.count(name) == 1 for name in names):
        return None
    from pyarrow import types

    rows = np.empty((len(part), len(names)), dtype)
    for place, column in enumerate(map(part.column, names)):
        is_number = types.is_boolean(column.type) or types.is_integer(column.type) or types.is_floating(column.type)
        if not is_number or column.null_count:
            return None
        rows[:, place] = column.to_numpy(zero_copy_only=False)
    return rows if np.isfinite(rows).all() else None


def names_of(path: pathlib.Path, arguments: dict) -> tuple[str, ...]:
    """Returns the names of a table's columns; with zeros and ones for text, those of the values in all rows."""
    if arguments["columns"] is not None and not isinstance(arguments["columns"], str):
        return tuple(arguments["columns"])
    if arguments["text"] != "one_hot":
        first = next(frames_of(path, ROWS_AT_ONCE))
        return read_frame(first, str(path), **{**arguments, "missing": "keep"}).names
    found, labels, num_rows = {}, [], 0
    for frame in map(as_frame, shown(path, "collecting the values of text in")):
        labels = list(map(str, frame.columns))
        found |= dict.fromkeys(read_frame(frame, str(path), **arguments, first_row=num_rows).names)
        num_rows += len(frame)
    names = []
    for label in labels:
        values = sorted(name for name in found if name.startswith(f"{label}="))
        if label in found and values:
            raise ValueError(f"`name`: column {label} of {path} must hold numbers or text; it holds both.")
        names += [label] if label in found else values
    return tuple(names)


def shown(path: pathlib.Path, what: str) -> Iterator["pd.DataFrame | pyarrow.RecordBatch"]:
    """Returns a table in parts, and shows the progress."""
    return tracked(read_ahead(table_parts(path, ROWS_AT_ONCE)), f"{what} {path.name}", transient=True)
