"""Tables read by pandas: text with any usual delimiter, decimal mark and encoding, Parquet, and data frames.

Columns of a table are real numbers, whole or not; levels come from arrays or images.
"""

import bz2
import codecs
import collections
import contextlib
import csv
import dataclasses
import gzip
import io
import itertools
import lzma
import pathlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd

from keras_gen.data.columns import Reading
from keras_gen.spaces import Reals

if TYPE_CHECKING:
    import pyarrow

TABLE_SUFFIXES = (".csv", ".tsv", ".data", ".txt", ".parquet")

#: Maps the extension of a compressed file to the function that opens it.
PACKED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

#: Delimiters in the order in which they are tried.
DELIMITERS = (";", "\t", "|", ",")

#: Number of bytes of a file that are examined at once.
BLOCK = 1 << 20

#: Number of lines that determine a table's format.
FORM_LINES = 1000

#: Largest number of columns that an error names.
NAMED_COLUMNS = 10

#: Markers of missing values, in addition to those of pandas.
MISSING = ("?", "NaN", "na", "Na", "-", "--")

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
#: 1,5
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
#: 1,234 and 1,234.5
COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
#: 1.234,5
POINT_GROUPS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d*")
YEAR = re.compile(r"(19|20)\d\d")


def suffix_of(path: pathlib.Path) -> str:
    """Returns the extension of a file name in lower case, without that of the compression."""
    return (path.with_suffix("") if is_packed(path) else path).suffix.lower()


def is_packed(path: pathlib.Path) -> bool:
    """Returns whether a file is compressed, according to its name."""
    return path.suffix.lower() in (*PACKED, ".zip")


def read_table(path: pathlib.Path, *, columns: str | None, text: str, missing: str) -> Reading:
    """Reads a table from a file.

    Args:
        path: the file.
        columns: as in `data.load`.
        text: as in `data.load`.
        missing: as in `data.load`.

    Raises:
        ValueError: if the file is damaged, or its rows do not all have as many columns as the first one; or as in
            `read_frame`.
        ImportError: if the library for reading a Parquet file is missing.
    """
    return read_frame(next(frames_of(path)), str(path), columns=columns, text=text, missing=missing)


def frames_of(path: pathlib.Path, rows_at_once: int | None = None) -> Iterator[pd.DataFrame]:
    """Yields the table in a file all at once, or a few rows at a time, in memory that does not grow with the file.

    Args:
        path: the file.
        rows_at_once: number of rows in a part; None for all.

    Raises:
        ValueError: if the file is damaged, or its rows do not all have as many columns as the first one.
        ImportError: if the library for reading a Parquet file is missing.
    """
    return (as_frame(part) for part in table_parts(path, rows_at_once))


def table_parts(path: pathlib.Path, rows_at_once: int | None = None) -> Iterator["pd.DataFrame | pyarrow.RecordBatch"]:
    """Yields the table in a file like `frames_of`, but in Arrow's form for a Parquet file."""
    return (parquet_batches if suffix_of(path) == ".parquet" else text_frames)(path, rows_at_once)


def as_frame(part: "pd.DataFrame | pyarrow.RecordBatch | pyarrow.Table") -> pd.DataFrame:
    """Returns a part of a table as a data frame."""
    return part if isinstance(part, pd.DataFrame) else part.to_pandas()


def parquet_batches(path: pathlib.Path, rows_at_once: int | None) -> Iterator["pyarrow.RecordBatch | pyarrow.Table"]:
    """Yields the table in a Parquet file."""
    try:
        from pyarrow import parquet

        # Arrow would read ahead and keep everything it has read.
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**20) as file:
            if rows_at_once is None:
                yield file.read()
            else:
                yield from file.iter_batches(rows_at_once)
    except ImportError:
        raise ImportError(f"`name`: {path} needs a library that reads Parquet: pip install pyarrow.") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"`name`: {path} is not a readable Parquet file ({error}).") from None


def text_frames(path: pathlib.Path, rows_at_once: int | None) -> Iterator[pd.DataFrame]:
    """Yields the table in a text file, whose format follows from its first lines."""
    encoding = encoding_of(path)
    with opened(path, encoding) as file:
        lines = [line for line in first_lines(file) if line.strip()]
    if not lines:
        raise ValueError(f"`name`: {path} holds no rows.")
    options = {}
    if lines[0].lstrip().startswith("#"):
        # NumPy writes names after a comment mark.
        names = lines[0].lstrip().lstrip("#").strip()
        lines = [line for line in lines if not line.lstrip().startswith("#")]
        options["comment"] = "#"
    else:
        names = None
    delimiter = delimiter_of(lines)
    rows = [fields_of(line, delimiter) for line in lines]
    has_names = names is None and is_header(rows)
    marks = number_marks([field for row in rows[has_names:] for field in row], delimiter)
    if names is not None:
        options["names"] = fields_of(names, delimiter) if rows else None
        if rows and len(options["names"]) != len(rows[0]):
            del options["names"]
    with opened(path, encoding) as file:
        try:
            with pd.read_csv(
                file,
                sep=r"\s+" if delimiter == " " else delimiter or "\0",
                header=0 if has_names else None,
                skipinitialspace=True,
                na_values=list(MISSING),
                index_col=False,
                low_memory=False,
                engine="c",
                iterator=True,
                **marks,
                **options,
            ) as reader:
                if rows_at_once is None:
                    yield reader.read()
                else:
                    reader.chunksize = rows_at_once
                    yield from reader
        except (ValueError, pd.errors.ParserError) as error:
            raise ValueError(
                f"`name`: {path} must have as many columns in every row ({error}).".replace("\n", " ")
            ) from None


@contextlib.contextmanager
def opened(path: pathlib.Path, encoding: str | None = None) -> Iterator[BinaryIO | io.TextIOWrapper]:
    """Opens a file, compressed or not, as bytes or, if an encoding is given, as text."""
    with contextlib.ExitStack() as stack:
        if path.suffix.lower() == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            (name,) = [name for name in archive.namelist() if not name.endswith("/")]
            file = stack.enter_context(archive.open(name))
        else:
            file = stack.enter_context(PACKED.get(path.suffix.lower(), open)(path, "rb"))
        yield file if encoding is None else io.TextIOWrapper(file, encoding, errors="replace", newline="\n")


def encoding_of(path: pathlib.Path) -> str:
    """Returns which of the usual encodings a text file has; the whole file is read.

    UTF-8 and UTF-16 are recognised; anything else is assumed to be Windows-1252, whose digits are those of all others.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with opened(path) as file:
            blocks = itertools.takewhile(bool, (file.read(BLOCK) for _ in itertools.count()))
            encoding = "utf-8-sig"
            for number, block in enumerate(blocks):
                if number == 0 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    encoding = "utf-16"
                if encoding == "utf-8-sig":
                    try:
                        decoder.decode(block)
                    except UnicodeDecodeError:
                        encoding = "cp1252"
            return encoding
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise ValueError(f"`name`: {path} is not a readable packed file of one table ({error}).") from None


def first_lines(file: io.TextIOWrapper) -> list[str]:
    """Returns the lines that determine the format of a table."""
    return [line.rstrip("\n") for _, line in zip(range(FORM_LINES), file, strict=False)]


def delimiter_of(lines: list[str]) -> str:
    """Returns the delimiter of fields: one of `DELIMITERS`, " " for white space, or "" for a single column."""
    counts = {}
    for delimiter in DELIMITERS:
        found = collections.Counter(len(fields_of(line, delimiter)) for line in lines)
        most, number = found.most_common(1)[0]
        if most > 1 and number == len(lines):
            return delimiter
        counts[delimiter] = (number if most > 1 else 0, delimiter)
    widths = {len(line.split()) for line in lines}
    if len(widths) == 1 and widths != {1} and is_number(lines[-1].split()[0]):
        return " "
    number, delimiter = max(counts.values())
    # Rows differ in length: an error will name the first one that is wrong.
    return delimiter if number > len(lines) // 2 else ""


def fields_of(line: str, delimiter: str) -> list[str]:
    """Returns the fields of a line, without quotes and surrounding white space."""
    if delimiter == " ":
        return line.split()
    fields = next(csv.reader([line], delimiter=delimiter or "\0", skipinitialspace=True), [])
    return [field.strip() for field in fields]


def is_header(rows: list[list[str]]) -> bool:
    """Returns whether the first row holds the names of columns: not numbers, or years above other numbers."""
    first, rest = rows[0], rows[1:]
    if not any(is_number(field) or is_grouped(field) for field in first):
        return any(first)
    years = all(YEAR.fullmatch(field) for field in first) and len(set(first)) == len(first)
    return years and bool(rest) and not any(YEAR.fullmatch(field) for field in rest[0])


def is_number(field: str) -> bool:
    """Returns whether a field is a number, with a point as decimal mark."""
    return NUMBER.fullmatch(field) is not None


def is_grouped(field: str) -> bool:
    """Returns whether a field is a number with a comma."""
    return any(pattern.fullmatch(field) for pattern in (DECIMAL_COMMA, COMMA_GROUPS, POINT_GROUPS))


def number_marks(fields: list[str], delimiter: str) -> dict[str, str]:
    """Determines the marks of decimals and thousands.

    If all numbers with a comma could be either, such as 1,234, the comma marks thousands in a table whose delimiter is
    a comma, or whose decimals are marked by a point, and decimals otherwise.

    Returns:
        "decimal" and "thousands", as arguments of `pandas.read_csv`.
    """
    commas = [field for field in fields if "," in field and is_grouped(field)]
    if not commas:
        return {}
    if any(POINT_GROUPS.fullmatch(field) for field in commas):
        return {"decimal": ",", "thousands": "."}
    points = any("." in field and is_number(field) for field in fields) or any("." in field for field in commas)
    if all(COMMA_GROUPS.fullmatch(field) for field in commas) and (points or delimiter == ","):
        return {"thousands": ","}
    return {"decimal": ","}


def read_frame(
    frame: pd.DataFrame,
    name: str,
    *,
    columns: str | None = None,
    text: str = "refuse",
    missing: str = "refuse",
    names: Sequence[str] = (),
    first_row: int = 0,
    hints: bool = True,
) -> Reading:
    """Reads the columns of a table as real numbers.

    Args:
        frame: the table.
        name: its name, for errors.
        columns: as in `data.load`.
        text: as in `data.load`.
        missing: as in `data.load`.
        names: names of the columns of another table, which are selected from this one in their order, including columns
            of zeros and ones for the values of a column of text; `columns` and `text` are then ignored.
        first_row: number of rows of the table before these.
        hints: whether errors say what other values of `text` and `missing` would do.

    Raises:
        ValueError: if the table has no rows, or a column is missing or not allowed by `text` and `missing`.
    """
    if not len(frame) or not len(frame.columns):
        raise ValueError(f"`name`: {name} holds no rows.")
    table = Table(name, first_row, hints)
    if names:
        found = named_columns(frame, table, names, missing)
    else:
        frame = frame.iloc[:, chosen_columns(columns, list(map(str, frame.columns)))]
        found = {}
        for label, column in zip(frame.columns, (frame.iloc[:, place] for place in range(frame.shape[1])), strict=True):
            values = numbers_of(column)
            if values is not None:
                found[str(label)] = values
            elif text == "one_hot":
                table.refuse_missing(column.isna().to_numpy(), str(label))
                as_text = column.astype(str)
                for value in sorted(as_text.unique()):
                    found[f"{label}={value}"] = (as_text == value).to_numpy(np.float64)
            elif text == "refuse":
                raise ValueError(f"`name`: {table.text_sentence(column, str(label))}")
    if not found:
        raise ValueError(f"`name`: {name} holds no column of numbers.")
    x = np.stack(list(found.values()), axis=1)
    for place, label in enumerate(found):
        infinite = np.flatnonzero(np.isinf(x[:, place]))
        if infinite.size:
            raise ValueError(f"`name`: row {first_row + infinite[0] + 1} of column {label} of {name} is infinite.")
        if missing == "refuse":
            table.refuse_missing(np.isnan(x[:, place]), label)
    space = Reals((x.shape[1],), missing=bool(np.isnan(x).any()))
    return Reading({"all": {"x": x}}, {"x": space}, options=("columns", "text", "missing"), names=tuple(found))


def named_columns(frame: pd.DataFrame, table: "Table", names: Sequence[str], missing: str) -> dict[str, np.ndarray]:
    """Returns the columns with given names, in their order; for a column of text, those of its values."""
    labels = list(map(str, frame.columns))
    if not set(names) & set(labels) and isinstance(frame.columns, pd.RangeIndex) and len(labels) == len(names):
        # A table without names has its columns in the order of the other table.
        labels = list(names)
    found = {}
    for place, label in enumerate(labels):
        column, values = frame.iloc[:, place], [name for name in names if name.startswith(f"{label}=")]
        if label in names:
            found[label] = numbers_of(column)
            if found[label] is None:
                raise ValueError(f"`name`: {table.text_sentence(column, label)}")
        elif values:
            table.refuse_missing(column.isna().to_numpy(), label)
            as_text = (f"{label}=" + column.astype(str)).to_numpy()
            unknown = np.flatnonzero(~np.isin(as_text, values))
            if unknown.size:
                known = ", ".join(value.removeprefix(f"{label}=") for value in values)
                raise ValueError(
                    f"`name`: row {table.first_row + unknown[0] + 1} of column {label} of {table.name} holds "
                    f"{str(column.iloc[unknown[0]])!r}; expected one of {known}."
                )
            found.update({value: (as_text == value).astype(np.float64) for value in values})
    absent = [name for name in names if name not in found]
    if absent:
        raise ValueError(
            f"`name`: {table.name} has no column {absent[0]}; expected {', '.join(names)}, received "
            f"{', '.join(labels[:NAMED_COLUMNS])}{', …' if len(labels) > NAMED_COLUMNS else ''}."
        )
    return {name: found[name] for name in names}


def numbers_of(column: pd.Series) -> np.ndarray | None:
    """Returns a column as float64 numbers, with NaN for missing ones; None if it holds something else."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        if pd.api.types.is_complex_dtype(column):
            return None
        return column.to_numpy(np.float64, na_value=np.nan)
    return np.full(len(column), np.nan) if column.isna().all() else None


@dataclasses.dataclass(frozen=True)
class Table:
    """The description of a table in errors.

    Attributes:
        name: its name.
        first_row: number of rows before those being examined.
        hints: whether errors say what other arguments would do.
    """

    name: str
    first_row: int = 0
    hints: bool = True

    def text_sentence(self, column: pd.Series, label: str) -> str:
        """Returns what is wrong with a column that is not numeric: its first value that is not a number."""
        wrong = column.notna() & pd.to_numeric(column, errors="coerce").isna()
        row = int(np.argmax(wrong.to_numpy()))
        hint = (
            '; `text="one_hot"` (--text one_hot) makes columns of zeros and ones of such a column, "drop" leaves it out'
        )
        return (
            f"row {self.first_row + row + 1} of column {label} of {self.name} holds {str(column.iloc[row])!r}, where a "
            f"number is expected{hint if self.hints else ''}."
        )

    def refuse_missing(self, absent: np.ndarray, label: str):
        """Raises an error if a value is missing."""
        if absent.any():
            hint = '; `missing="keep"` (--missing keep) leaves missing numbers as NaN, for a model that takes them'
            raise ValueError(
                f"`name`: {self.name} lacks a value in row {self.first_row + int(np.argmax(absent)) + 1} of column "
                f"{label}{hint if self.hints else ''}."
            )


def chosen_columns(columns: str | None, names: list[str]) -> list[int]:
    """Returns the positions of the columns chosen by "0:11", "0,2,5", "0:4,6" or names such as "age,height".

    Raises:
        ValueError: if there is no such column.
    """
    count = len(names)
    if columns is None:
        return list(range(count))
    places = []
    for part in (part.strip() for part in columns.split(",")):
        if part in names:
            places.append(names.index(part))
            continue
        try:
            bounds = [int(bound) if bound else None for bound in part.split(":")]
            places += range(count)[slice(*bounds)] if len(bounds) > 1 else [range(count)[bounds[0]]]
        except (ValueError, TypeError, IndexError):
            raise ValueError(
                f"`columns` must be places such as '0:11' or '0,2,5' out of {count}, or names out of "
                f"{', '.join(names[:NAMED_COLUMNS])}{', …' if count > NAMED_COLUMNS else ''}; received {columns!r}."
            ) from None
    return places
