"""Tables, read by pandas: text with any usual delimiter, decimal mark and encoding, Parquet, and data frames.

Columns of a table are real numbers, whole or not: levels come as arrays or images.
"""

import bz2
import codecs
import collections
import csv
import gzip
import io
import lzma
import pathlib
import re
import zipfile
import zlib

import numpy as np
import pandas as pd

from keras_gen.data.columns import Reading
from keras_gen.spaces import Reals

TABLE_SUFFIXES = (".csv", ".tsv", ".data", ".txt", ".parquet")

#: Ending of a packed file to what opens it.
PACKED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

#: Delimiters in the order in which they are tried.
DELIMITERS = (";", "\t", "|", ",")

#: Lines that a table's form is found from.
FORM_LINES = 1000

#: What stands for a missing value, beside what pandas takes for one.
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
    """Returns the ending of a file's name in small letters, without that of a packed file."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes and suffixes[-1] in (*PACKED, ".zip")
    return (suffixes[-2] if len(suffixes) > 1 else "") if packed else path.suffix.lower()


def read_table(path: pathlib.Path, *, columns: str | None, text: str, missing: str) -> Reading:
    """Reads a table from a file.

    Args:
        path: the file.
        columns: as in `data.load`.
        text: as in `data.load`.
        missing: as in `data.load`.

    Raises:
        ValueError: if the file is damaged, or its rows do not have as many columns as the first one; or as in
            `read_frame`.
        ImportError: if a Parquet file cannot be read for want of its library.
    """
    frame = parquet_frame(path) if suffix_of(path) == ".parquet" else text_frame(path)
    return read_frame(frame, str(path), columns=columns, text=text, missing=missing)


def parquet_frame(path: pathlib.Path) -> pd.DataFrame:
    """Returns the table of a Parquet file."""
    try:
        return pd.read_parquet(path)
    except ImportError:
        raise ImportError(f"`name`: {path} needs a library that reads Parquet: pip install pyarrow.") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"`name`: {path} is not a readable Parquet file ({error}).") from None


def text_frame(path: pathlib.Path) -> pd.DataFrame:
    """Returns the table of a text file, whose form its first lines tell."""
    content = text_of(path)
    lines = [line for line in first_lines(content) if line.strip()]
    if not lines:
        raise ValueError(f"`name`: {path} holds no rows.")
    options = {}
    if lines[0].lstrip().startswith("#"):
        # NumPy writes names behind a mark of comments.
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
    try:
        return pd.read_csv(
            io.StringIO(content),
            sep=r"\s+" if delimiter == " " else delimiter or "\0",
            header=0 if has_names else None,
            skipinitialspace=True,
            na_values=list(MISSING),
            index_col=False,
            low_memory=False,
            engine="c",
            **marks,
            **options,
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise ValueError(
            f"`name`: {path} must have as many columns in every row ({error}).".replace("\n", " ")
        ) from None


def text_of(path: pathlib.Path) -> str:
    """Returns what a text file says, packed or not, in whichever of the usual encodings it is.

    UTF-8 and UTF-16 are recognised; anything else is taken for Windows-1252, whose digits are those of all others.
    """
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                (name,) = [name for name in archive.namelist() if not name.endswith("/")]
                raw = archive.read(name)
        else:
            with PACKED.get(path.suffix.lower(), open)(path, "rb") as file:
                raw = file.read()
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise ValueError(f"`name`: {path} is not a readable packed file of one table ({error}).") from None
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def first_lines(content: str) -> list[str]:
    """Returns the lines that the form of a table is found from."""
    file = io.StringIO(content)
    return [line.rstrip("\n") for _, line in zip(range(FORM_LINES), file, strict=False)]


def delimiter_of(lines: list[str]) -> str:
    """Returns what stands between fields: one of `DELIMITERS`, " " for white space, or "" for a single column."""
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
    # Rows of several lengths: an error will name the first one that is wrong.
    return delimiter if number > len(lines) // 2 else ""


def fields_of(line: str, delimiter: str) -> list[str]:
    """Returns the fields of a line, without quotes and the white space around them."""
    if delimiter == " ":
        return line.split()
    fields = next(csv.reader([line], delimiter=delimiter or "\0", skipinitialspace=True), [])
    return [field.strip() for field in fields]


def is_header(rows: list[list[str]]) -> bool:
    """Returns whether the first row holds the names of columns: no numbers; or years above other numbers."""
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
    """Finds what decimals and thousands are marked by.

    Where all numbers with a comma could be either, such as 1,234, the comma marks thousands in a table whose delimiter
    is a comma, or where a point marks decimals, and decimals elsewhere.

    Returns:
        "decimal" and "thousands", as `pandas.read_csv` takes them.
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


def read_frame(frame: pd.DataFrame, name: str, *, columns: str | None, text: str, missing: str) -> Reading:
    """Reads the columns of a table as real numbers.

    Args:
        frame: the table.
        name: its name, for errors.
        columns: as in `data.load`.
        text: as in `data.load`.
        missing: as in `data.load`.

    Raises:
        ValueError: if the table has no rows, or a column is not what `text` and `missing` allow.
    """
    if not len(frame) or not len(frame.columns):
        raise ValueError(f"`name`: {name} holds no rows.")
    frame = frame.iloc[:, chosen_columns(columns, list(map(str, frame.columns)))]
    found = {}
    for label, column in zip(frame.columns, (frame.iloc[:, place] for place in range(frame.shape[1])), strict=True):
        values = numbers_of(column)
        if values is not None:
            found[str(label)] = values
        elif text == "one_hot":
            refuse_missing(column.isna().to_numpy(), str(label), name)
            as_text = column.astype(str)
            for value in sorted(as_text.unique()):
                found[f"{label}={value}"] = (as_text == value).to_numpy(np.float64)
        elif text == "refuse":
            raise ValueError(f"`name`: {text_sentence(column, str(label), name)}")
    if not found:
        raise ValueError(f"`name`: {name} holds no column of numbers.")
    x = np.stack(list(found.values()), axis=1)
    for place, label in enumerate(found):
        infinite = np.flatnonzero(np.isinf(x[:, place]))
        if infinite.size:
            raise ValueError(f"`name`: row {infinite[0] + 1} of column {label} of {name} is infinite.")
        if missing == "refuse":
            refuse_missing(np.isnan(x[:, place]), label, name)
    space = Reals((x.shape[1],), missing=bool(np.isnan(x).any()))
    return Reading({"all": {"x": x}}, {"x": space}, options=("columns", "text", "missing"), names=tuple(found))


def numbers_of(column: pd.Series) -> np.ndarray | None:
    """Returns a column as float64 numbers, NaN where one is missing; None for a column of something else."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        if pd.api.types.is_complex_dtype(column):
            return None
        return column.to_numpy(np.float64, na_value=np.nan)
    return np.full(len(column), np.nan) if column.isna().all() else None


def text_sentence(column: pd.Series, label: str, name: str) -> str:
    """Returns what is wrong with a column that is no numbers: its first value that is none."""
    wrong = column.notna() & pd.to_numeric(column, errors="coerce").isna()
    row = int(np.argmax(wrong.to_numpy()))
    return (
        f"row {row + 1} of column {label} of {name} holds {str(column.iloc[row])!r}, where a number is expected; "
        '`text="one_hot"` (--text one_hot) makes columns of zeros and ones of such a column, "drop" leaves it out.'
    )


def refuse_missing(absent: np.ndarray, label: str, name: str):
    """Raises an error where a value is missing."""
    if absent.any():
        raise ValueError(
            f"`name`: {name} lacks a value in row {int(np.argmax(absent)) + 1} of column {label}; "
            '`missing="keep"` (--missing keep) leaves missing numbers as NaN, for a model that takes them.'
        )


def chosen_columns(columns: str | None, names: list[str]) -> list[int]:
    """Returns the places of the columns that "0:11", "0,2,5", "0:4,6" or names such as "age,height" choose.

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
                f"{', '.join(names[:10])}{', …' if count > 10 else ''}; received {columns!r}."
            ) from None
    return places
