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
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd

from keras_gen.data.columns import Reading
from keras_gen.spaces import Reals
from keras_gen.spaces.base import numbers_of_objects

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

#: Largest number of lines that determine it where those are not enough.
ALL_LINES = 100_000

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
#: 1.234 and 1.234.567, where the comma is the decimal mark
WHOLE_POINT_GROUPS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
#: 1 234,5 and 1'234.5
OTHER_GROUPS = re.compile(r"[+-]?\d{1,3}(?:( )\d{3}(?: \d{3})*|(')\d{3}(?:'\d{3})*)([.,]\d*)?")
YEAR = re.compile(r"(19|20)\d\d")
#: 12 %, $3.50 and 3,50 €
SIGN = r"(?:[%‰$£€¥₹]|EUR|USD|GBP|CHF|JPY|CNY|INR)"
WITH_SIGN = re.compile(rf"[+-]?{SIGN}?\s*[+-]?[\d.,' ]*\d[\d.,' ]*\s*{SIGN}?")
#: Line above a table in which spreadsheets declare the delimiter.
TOLD_DELIMITER = re.compile(r"\ufeff?\"?sep=([;,|\t])\"?", re.IGNORECASE)

#: Maps non-breaking and thin spaces, the minus sign of Unicode and a curly apostrophe to those of ASCII.
PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2019": "'"})

#: Fields without a value, in lower case; they are not names.
NO_VALUES = {"", "?", "-", "--", "na", "nan", "n/a", "#n/a", "<na>", "null", "none", "inf", "infinity"}

#: Maps what files of other kinds begin with, after white space, to what an error says of them.
OTHER_KINDS = {
    rb"<(!doctype|!--|html|head|body|\?xml|svg)": "a page of HTML or XML, such as the error of a download",
    rb"\{\s*([\"}]|$)|\[\s*([\[{\"\]]|-?\d[\d.eE+-]*\s*[,\]]|$)": "JSON; `pandas.read_json` makes a data frame of it",
    rb"%PDF-": "a PDF document",
    rb"version https://git-lfs": "the address of a file in Git LFS; `git lfs pull` fetches the file itself",
    rb"PK\x03\x04": "a zip archive or a workbook; `pandas.read_excel` makes a data frame of a workbook",
    rb"\xd0\xcf\x11\xe0": "an old workbook; `pandas.read_excel` makes a data frame of it",
    rb"\x1f\x8b": "text packed by gzip; the name of such a file must end in .gz",
    rb"BZh[1-9]": "text packed by bzip2; the name of such a file must end in .bz2",
    rb"\xfd7zXZ": "text packed by xz; the name of such a file must end in .xz",
    rb"PAR1": "a Parquet file; its name must end in .parquet",
    rb"\x93NUMPY": "a NumPy array; its name must end in .npy",
    rb"\x89HDF|SQLite format": "a database",
}

#: Number of bytes that tell the kind of a file.
KIND_BYTES = 256

#: At least this many numbers that count from 0 are names, unless the row below goes on counting.
MANY_NAMES = 8


def suffix_of(path: pathlib.Path) -> str:
    """Returns the extension of a file name in lower case, without that of the compression."""
    return (path.with_suffix("") if is_packed(path) else path).suffix.lower()


def is_packed(path: pathlib.Path) -> bool:
    """Returns whether a file is compressed, according to its name."""
    return path.suffix.lower() in (*PACKED, ".zip")


def read_table(path: pathlib.Path, *, columns: str | Sequence[str] | None, text: str, missing: str) -> Reading:
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
    check_kind(path)
    with opened(path, encoding) as file:
        form = form_of(first_lines(file), path)
    yield from frames_in_form(path, encoding, form, rows_at_once)


def frames_in_form(path: pathlib.Path, encoding: str, form: "Form", rows_at_once: int | None) -> Iterator[pd.DataFrame]:
    """Yields the table in a text file of the given format.

    If it is read all at once, and a number after its first lines is marked differently, such as the first one with a
    decimal comma, all of its lines determine the format.
    """
    with opened(path, encoding) as file:
        try:
            with pd.read_csv(
                Plain(file) if form.has_other_marks else file,
                sep=r"\s+" if form.delimiter == " " else form.delimiter or "\0",
                skipinitialspace=True,
                na_values=list(MISSING),
                index_col=False,
                low_memory=False,
                engine="c",
                iterator=True,
                **form.options,
            ) as reader:
                if rows_at_once is None:
                    frame = reader.read()
                    if form.lines == FORM_LINES and has_marked_numbers(frame):
                        with opened(path, encoding) as again:
                            of_all = form_of(first_lines(again, ALL_LINES), path)
                        if of_all.lines > form.lines:
                            (anew,) = frames_in_form(path, encoding, of_all, None)
                            if num_numeric(anew) > num_numeric(frame):
                                yield anew
                                return
                    yield form.named(frame, 0, path)
                else:
                    reader.chunksize = rows_at_once
                    first = 0
                    for frame in reader:
                        yield form.named(frame, first, path)
                        first += len(frame)
        except (ValueError, pd.errors.ParserError) as error:
            if str(error).startswith("`name`: "):
                raise
            raise ValueError(
                f"`name`: {path} must have as many columns in every row ({error}).".replace("\n", " ")
            ) from None


@dataclasses.dataclass(frozen=True)
class Form:
    """The format of a table in a text file.

    Attributes:
        delimiter: delimiter of fields: one of `DELIMITERS`, " " for white space, or "" for a single column.
        options: further arguments of `pandas.read_csv`.
        nameless: positions of columns without a name that are left out.
        has_other_marks: whether characters that `PLAIN` maps to ASCII occur.
        lines: number of lines that determined the format.
    """

    delimiter: str
    options: dict
    nameless: tuple[int, ...]
    has_other_marks: bool
    lines: int

    def named(self, frame: pd.DataFrame, first: int, path: pathlib.Path) -> pd.DataFrame:
        """Returns the rows without the columns in `nameless`.

        If it is one of them, the first column holds the names of rows, as pandas and R write them. The others come from
        delimiters at the end of rows.

        Args:
            frame: some rows of the table.
            first: number of rows before them.
            path: path of the file.

        Raises:
            ValueError: if one of these other columns holds a value.
        """
        frame.attrs["marks"] = {mark: self.options[mark] for mark in ("decimal", "thousands") if mark in self.options}
        if not self.nameless:
            return frame
        for place in self.nameless:
            held = frame.iloc[:, place].notna().to_numpy()
            if place and held.any():
                raise ValueError(
                    f"`name`: row {first + int(np.argmax(held)) + 1} of {path} has a value in column {place}, which "
                    "has no name; a name for each column is expected in the first row."
                )
        kept = frame.iloc[:, [place for place in range(frame.shape[1]) if place not in self.nameless]]
        return kept if "names" in self.options else kept.set_axis(range(kept.shape[1]), axis=1)


class Plain:
    """A text file that is read with the characters in `PLAIN` mapped to ASCII.

    Args:
        file: the file.
    """

    def __init__(self, file: io.TextIOWrapper):
        self.file = file

    def read(self, size: int = -1) -> str:
        return self.file.read(size).translate(PLAIN)

    def __iter__(self) -> Iterator[str]:
        return (line.translate(PLAIN) for line in self.file)


def form_of(found: list[str], path: pathlib.Path) -> Form:
    """Returns the format of a table, which follows from its first lines.

    Raises:
        ValueError: if the lines are not text, there are no rows, or they have more or fewer fields than there are
            names.
    """
    if any("\0" in line for line in found):
        raise ValueError(
            f"`name`: {path} holds bytes that are 0, and is no text in UTF-8, in UTF-16 with its mark or in "
            "Windows-1252."
        )
    lines = [line.translate(PLAIN) for line in found]
    has_other_marks = lines != found
    options, nameless, skipped = {}, (), 0
    number = next((number for number, line in enumerate(lines) if line.strip()), 0)
    delimiter = None
    if lines and (told := TOLD_DELIMITER.fullmatch(lines[number].strip("\r\n"))):
        # Spreadsheets declare the delimiter in a line of its own.
        delimiter, skipped = told[1], number + 1
        options["skiprows"] = skipped
    lines = [line for line in lines[skipped:] if line.strip()]
    remarks = list(itertools.takewhile(is_remark, lines))
    if remarks:
        lines = [line for line in lines if not is_remark(line)]
        options["comment"] = "#"
    if not lines:
        raise ValueError(f"`name`: {path} holds no rows.")
    try:
        delimiter = delimiter_of(lines) if delimiter is None else delimiter
        rows = rows_of_fields(lines, delimiter)
        # NumPy writes names after a comment mark.
        names = fields_of(remarks[-1].lstrip().lstrip("#").strip(), delimiter) if remarks else []
    except csv.Error as error:
        raise ValueError(f"`name`: {path} is not a readable table of text ({error}).") from None
    fit = len(names) == len(rows[0])
    columns = [(field, field_at(rows[1:], place)) for place, field in enumerate(rows[0])]
    has_names = any(is_name_above_numbers(*column) for column in columns) if fit else is_header(rows)
    if has_names:
        names, rows = rows[0], rows[1:]
        names = names_of_all(names, rows, path)
    elif not fit:
        # A delimiter at the end of each row makes an empty column.
        ends = len(rows[0]) > 1 and all(len(row) == len(rows[0]) and not row[-1] for row in rows)
        names, nameless = [], (len(rows[0]) - 1,) * ends
    if names:
        places = [place for place, name in enumerate(names) if not name]
        nameless = tuple(
            place
            for place in places
            if not any(fields := field_at(rows, place)) or (not place and are_names_of_rows(fields))
        )
        nameless = nameless if len(nameless) < len(names) else ()
        options["names"] = unique([name or f"Unnamed: {place}" for place, name in enumerate(names)])
    fields = [field for row in rows for field in row]
    options |= {"header": 0 if has_names else None, **number_marks(fields, delimiter)}
    return Form(delimiter, options, nameless, has_other_marks, len(found))


def names_of_all(names: list[str], rows: list[list[str]], path: pathlib.Path) -> list[str]:
    """Returns the names of all columns, "" for one that has none.

    Raises:
        ValueError: if a row has more fields than there are names, or all have fewer.
    """
    widths = set(map(len, rows))
    if widths == {len(names) + 1} and any(row[-1] for row in rows) and are_names_of_rows(field_at(rows, 0)):
        # R writes no name above the names of rows.
        return ["", *names]
    longer = next((number for number, row in enumerate(rows) if any(row[len(names) :])), None)
    if longer is not None or (widths and max(widths) < len(names)):
        longer = longer or 0
        raise ValueError(
            f"`name`: {path} must have as many columns in every row: its first row names {len(names)}, but row "
            f"{longer + 1} has {len(rows[longer])}."
        )
    return [*names, *[""] * (max(widths, default=0) - len(names))]


def is_remark(line: str) -> bool:
    """Returns whether a line is a comment."""
    return line.lstrip().startswith("#")


def field_at(rows: list[list[str]], place: int) -> list[str]:
    """Returns the fields of a column, from the rows that are long enough."""
    return [row[place] for row in rows if place < len(row)]


def unique(names: list[str]) -> list[str]:
    """Returns the names of columns, with a number appended to each repeated one, as pandas does."""
    found = []
    for name in names:
        numbered = (f"{name}.{number}" for number in itertools.count(1))
        found.append(name if name not in found else next(each for each in numbered if each not in (*names, *found)))
    return found


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
        yield file if encoding is None else io.TextIOWrapper(file, encoding, errors="replace")


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


def first_lines(file: io.TextIOWrapper, most: int = FORM_LINES) -> list[str]:
    """Returns the lines that determine the format of a table, at most that many."""
    return [line.rstrip("\n") for _, line in zip(range(most), file, strict=False)]


def check_kind(path: pathlib.Path) -> None:
    """Raises an error if a file that should be a table of text is of another kind, according to its first bytes."""
    with opened(path) as file:
        start = file.read(KIND_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    for pattern, kind in OTHER_KINDS.items():
        if re.match(pattern, start, re.IGNORECASE):
            raise ValueError(f"`name`: {path} must be a table of text, with a row in each line; it holds {kind}.")


def has_marked_numbers(frame: pd.DataFrame) -> bool:
    """Returns whether a column that is not numeric holds numbers with a comma, thousands separators or a Unicode minus.

    Args:
        frame: a table from text.
    """
    texts = [column for _, column in frame.items() if not pd.api.types.is_numeric_dtype(column)]
    fields = (str(field) for column in texts for field in column.dropna().unique())
    plain = ((field, field.translate(PLAIN).strip()) for field in fields)
    return any(is_grouped(shown) or (is_number(shown) and not field.isascii()) for field, shown in plain)


def num_numeric(frame: pd.DataFrame) -> int:
    """Returns the number of numeric columns."""
    return sum(map(pd.api.types.is_numeric_dtype, frame.dtypes))


def delimiter_of(lines: list[str]) -> str:
    """Returns the delimiter of fields: one of `DELIMITERS`, " " for white space, or "" for a single column."""
    first, *rest = (line.strip().strip('"') for line in lines)
    is_single = not any(delimiter in first for delimiter in DELIMITERS) and not is_number(first)
    if rest and is_single and all(is_number(line) or has_comma(line) for line in rest):
        # Below a single name, a comma does not separate columns.
        return ""
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


def are_names_of_rows(fields: list[str]) -> bool:
    """Returns whether the fields of a column identify rows: all differ, and the numbers among them are whole."""
    return len(set(fields)) == len(fields) and not any(map(is_fraction, fields))


def rows_of_fields(lines: list[str], delimiter: str) -> list[list[str]]:
    """Returns the fields of lines like `fields_of`; a quoted field may continue on the next line."""
    if delimiter == " ":
        return [fields_of(line, delimiter) for line in lines]
    reader = csv.reader(lines, delimiter=delimiter or "\0", skipinitialspace=True)
    return [[field.strip() for field in fields] for fields in reader]


def is_header(rows: list[list[str]]) -> bool:
    """Returns whether the first row holds the names of columns.

    It does in four cases: it holds no numbers; its numbers are years, above numbers that are not; its numbers count
    columns from 0, as for an array, above other numbers; or its numbers are whole, and a name that begins with a letter
    is above numbers only.
    """
    first, rest = rows[0], rows[1:]
    numbers = [place for place, field in enumerate(first) if is_number(field) or is_grouped(field)]
    if not numbers:
        return any(first)
    shown = [first[place] for place in numbers]
    if not rest or len(set(shown)) < len(shown) or not all(field.isdecimal() for field in shown):
        return False
    if shown == list(map(str, range(len(shown)))) and (len(shown) == len(first) or first[1:] == shown):
        below = [field_at(rest, place) for place in numbers]
        if len(shown) < len(first):
            # No name is above the numbers of rows.
            return not first[0]
        continued = [str(len(shown) + int(field)) for field in shown]
        if len(shown) >= MANY_NAMES and rest[0] != continued:
            return True
        # A few such numbers may be a first row of whole numbers, or of columns that begin at zero.
        are_fractions = [all(map(is_fraction, column)) for column in below]
        return any(are_fractions) if len(shown) > 2 else all(are_fractions)
    if all(YEAR.fullmatch(field) for field in shown):
        below = [rest[0][place] for place in numbers if place < len(rest[0])]
        texts_differ = all(first[place] not in field_at(rest, place) for place in set(range(len(first))) - set(numbers))
        return texts_differ and not any(YEAR.fullmatch(field) for field in below)
    return any(is_name_above_numbers(field, field_at(rest, place)) for place, field in enumerate(first))


def is_fraction(field: str) -> bool:
    """Returns whether a field is a number that is not written as a whole number."""
    return (is_number(field) or is_grouped(field)) and not field.lstrip("+-").isdecimal()


def is_name_above_numbers(name: str, fields: list[str]) -> bool:
    """Returns whether a field begins with a letter and is above fields that are numbers or missing values."""
    held = [field for field in fields if field.lower() not in NO_VALUES]
    is_name = name.lower() not in NO_VALUES and name[0].isalpha()
    return is_name and bool(held) and all(is_number(field) or is_grouped(field) for field in held)


def is_number(field: str) -> bool:
    """Returns whether a field is a number, with a point as decimal mark."""
    return NUMBER.fullmatch(field) is not None


def is_grouped(field: str) -> bool:
    """Returns whether a field is a number with a comma or thousands separators."""
    return has_comma(field) or OTHER_GROUPS.fullmatch(field) is not None


def has_comma(field: str) -> bool:
    """Returns whether a field is a number with a comma."""
    return any(pattern.fullmatch(field) for pattern in (DECIMAL_COMMA, COMMA_GROUPS, POINT_GROUPS))


def has_sign(field: str) -> bool:
    """Returns whether a field is a number beside a sign of percent or of a currency."""
    plain = field.translate(PLAIN).strip()
    return WITH_SIGN.fullmatch(plain) is not None and not (is_number(plain) or is_grouped(plain))


def number_marks(fields: list[str], delimiter: str) -> dict[str, str]:
    """Determines the marks of decimals and thousands.

    If all numbers with a comma could be either, such as 1,234, the comma marks thousands in a table whose delimiter is
    a comma, or whose decimals are marked by a point, and decimals otherwise.

    Returns:
        "decimal" and "thousands", as arguments of `pandas.read_csv`.
    """
    commas = [field for field in fields if has_comma(field) and "," in field]
    others = {match[1] or match[2] for field in fields if (match := OTHER_GROUPS.fullmatch(field))}
    if len(others) == 1 and delimiter != " ":
        (mark,) = others
        alike = [field for field in fields if mark in field and not field.strip("+-.,0123456789" + mark)]
        if all(OTHER_GROUPS.fullmatch(field) for field in alike):
            decimal = {"decimal": ","} if commas or any("," in field for field in alike) else {}
            return {"thousands": mark, **decimal}
    if not commas:
        return {}
    points = [field for field in fields if "." in field and is_number(field)]
    some_points = bool(points) or any("." in field for field in commas)
    groups = all(WHOLE_POINT_GROUPS.fullmatch(field) for field in points)
    if any(POINT_GROUPS.fullmatch(field) for field in commas):
        # If points mark decimals elsewhere, the reader names the first number that it cannot read.
        return {"decimal": ",", "thousands": "."} if groups else {"decimal": ","}
    if all(COMMA_GROUPS.fullmatch(field) for field in commas) and (some_points or delimiter == ","):
        return {"thousands": ","}
    return {"decimal": ",", "thousands": "."} if points and groups else {"decimal": ","}


def read_frame(
    frame: pd.DataFrame,
    name: str,
    *,
    columns: str | Sequence[str] | None = None,
    text: str = "refuse",
    missing: str = "refuse",
    first_row: int = 0,
    hints: bool = True,
) -> Reading:
    """Reads the columns of a table as real numbers.

    Args:
        frame: the table.
        name: its name, for errors.
        columns: as in `data.load`; if it is a sequence of names, `text` is ignored.
        text: as in `data.load`.
        missing: as in `data.load`.
        first_row: number of rows of the table before these.
        hints: whether errors say what other values of `text` and `missing` would do.

    Raises:
        ValueError: if the table has no rows, or a column is missing or not allowed by `text` and `missing`.
    """
    if not len(frame) or not len(frame.columns):
        raise ValueError(f"`name`: {name} holds no rows.")
    table = Table(name, first_row, hints)
    if columns is not None and not isinstance(columns, str):
        found = named_columns(frame, table, columns)
    else:
        frame = frame.iloc[:, chosen_columns(columns, list(map(str, frame.columns)))]
        table.check_names(frame)
        found = {}
        for label, column in zip(frame.columns, (frame.iloc[:, place] for place in range(frame.shape[1])), strict=True):
            # If each value gets a column, categories are not read as numbers, even if they are numbers.
            is_category = text == "one_hot" and isinstance(column.dtype, pd.CategoricalDtype)
            values = None if is_category else numbers_of(column)
            if values is not None:
                found[str(label)] = values
            elif text == "one_hot" and all(map(has_sign, column.dropna().astype(str).unique())):
                # Amounts are no categories.
                raise ValueError(f"`name`: {table.text_sentence(column, str(label))}")
            elif text == "one_hot":
                table.refuse_missing(column.isna().to_numpy(), str(label))
                as_text = column.astype(str)
                for value in sorted(as_text.unique()):
                    table.check_is_new(f"{label}={value}", {*found, *map(str, frame.columns)})
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


def named_columns(frame: pd.DataFrame, table: "Table", names: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns the columns with given names, in their order; for a column of text, those of its values."""
    labels = list(map(str, frame.columns))
    table.check_names(frame.loc[:, [label in names for label in labels]])
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
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        if pd.api.types.is_complex_dtype(column):
            return None
        return column.to_numpy(np.float64, na_value=np.nan)
    if column.isna().all():
        return np.full(len(column), np.nan)
    # Such as Arrow's decimals, or truth values with missing ones.
    return numbers_of_objects(column.to_numpy()) if column.dtype == object else None


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
        fields, marks = column, column.attrs.get("marks", {})
        if marks.get("decimal") == ",":
            # As the reader saw them: a point is no decimal mark.
            in_english = str.maketrans({",": ".", ".": None if marks.get("thousands") == "." else "x"})
            fields = column.map(lambda field: field.translate(in_english) if isinstance(field, str) else field)
        wrong = column.notna() & pd.to_numeric(fields, errors="coerce").isna()
        row = int(np.argmax(wrong.to_numpy()))
        found = f"row {self.first_row + row + 1} of column {label} of {self.name} holds {str(column.iloc[row])!r}"
        if has_sign(str(column.iloc[row])):
            return f"{found}, where a number without a sign of percent or of a currency is expected."
        hint = (
            '; `text="one_hot"` (--text one_hot) makes columns of zeros and ones of such a column, "drop" leaves it out'
        )
        return f"{found}, where a number is expected{hint if self.hints else ''}."

    def check_names(self, frame: pd.DataFrame):
        """Raises an error if several columns have the same name, which would select all of them."""
        names = pd.Index(list(map(str, frame.columns)))
        if names.has_duplicates:
            self.check_is_new(names[names.duplicated()][0], names)

    def check_is_new(self, name: str, known: Collection[str]):
        """Raises an error if the name of a column is among those that are known."""
        if name in known:
            raise ValueError(f"`name`: {self.name} has several columns {name}; a name of its own is expected for each.")

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
        TypeError: if `columns` is not a string.
        ValueError: if there is no such column.
    """
    count = len(names)
    if columns is None:
        return list(range(count))
    if not isinstance(columns, str):
        raise TypeError(f"`columns` must be a string such as '0:11' or 'age,height', received {columns!r}.")
    if columns in names:
        return [names.index(columns)]
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
