"""Arrays that stay in their files; rows are read when they are needed."""

import dataclasses
import functools
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import tensorflow as tf

from keras_gen.data.orders import LongOrder

#: Bytes that are read at once in a pass over all rows.
PART_BYTES = 2**26

#: First bytes of a zip archive.
ARCHIVE = b"PK"

#: Bytes of a zip archive's header before a member, without its two fields of variable length.
ZIP_HEADER = 30


class RowFile(Protocol):
    """Rows of numbers that are read by position.

    Attributes:
        shape: number of rows, and the shape of a row.
        dtype: type of an entry.
        row_bytes: bytes that a row needs while it is read.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    row_bytes: int

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows at an int64 array of indices."""


@dataclasses.dataclass(frozen=True)
class ArrayFile:
    """An array in a file, row after row.

    Rows are read by position and not memory-mapped, so what was read does not stay in the process's memory.

    Attributes:
        path: the file.
        offset: bytes before the first row.
        shape: shape of the array.
        dtype: type of an entry.
    """

    path: pathlib.Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """Number of bytes of a row."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    @property
    def num_bytes(self) -> int:
        """Number of bytes of all rows."""
        return self.shape[0] * self.row_bytes

    @functools.cached_property
    def descriptor(self) -> int:
        """The open file; it stays open as long as the process runs."""
        return os.open(self.path, os.O_RDONLY)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows at an array of indices; consecutive rows are read in one piece.

        Raises:
            OSError: if the file has become shorter.
        """
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        # Where a row does not follow the previous one.
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        ends = np.append(starts, len(rows))[1:]
        size, memory = self.row_bytes, memoryview(found.reshape(-1).view(np.uint8))
        for start, end in zip(starts, ends, strict=True):
            self.fill(memory[start * size : end * size], self.offset + int(rows[start]) * size)
        return found

    def fill(self, memory: memoryview, position: int):
        """Reads as many bytes as fit, starting at a position."""
        while len(memory):
            num = os.preadv(self.descriptor, [memory], position)
            if not num:
                raise OSError(f"{self.path} ends after {position} bytes; it was longer when it was opened.")
            memory, position = memory[num:], position + num


@dataclasses.dataclass(frozen=True)
class StoredRows:
    """Rows of an array in a file, or of something read like one, as a column.

    Attributes:
        file: the array.
        rows: indices of the rows, in order; None for all of them.
        convert: function applied to rows that were read, which returns an array of the same length.
    """

    file: RowFile
    rows: np.ndarray | LongOrder | None = None
    convert: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, before it is converted."""
        return (len(self), *self.file.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of an entry, before it is converted."""
        return self.file.dtype

    @property
    def ndim(self) -> int:
        """Number of axes, before it is converted."""
        return len(self.file.shape)

    def __len__(self):
        return self.file.shape[0] if self.rows is None else len(self.rows)

    def __getitem__(self, rows) -> "StoredRows":
        if self.rows is not None:
            rows = self.rows[rows]
        elif isinstance(rows, slice):
            rows = np.arange(self.file.shape[0])[rows]
        return dataclasses.replace(self, rows=rows)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Returns the rows at an array of indices, converted."""
        rows = indices if self.rows is None else self.rows[indices]
        return self.converted(self.file.read(np.asarray(rows, np.int64)))

    def converted(self, found: np.ndarray) -> np.ndarray:
        """Returns rows of the file as rows of the column."""
        return found if self.convert is None else self.convert(found)

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """Reads the rows at an int64 tensor of indices."""
        sample = self.converted(np.zeros((0, *self.file.shape[1:]), self.file.dtype))
        found = tf.numpy_function(self.read, [indices], sample.dtype, stateful=False)
        return tf.ensure_shape(found, (indices.shape[0], *sample.shape[1:]))

    def silent(self) -> "StoredRows":
        """Returns the same sounds with silence after their end."""
        return dataclasses.replace(self, file=self.file.silent())

    def parts(self, rows_at_once: int | None = None) -> Iterator[np.ndarray]:
        """Yields all rows before they are converted, in the order of the file.

        Args:
            rows_at_once: number of rows of a part; None for as many as can be read efficiently at once.
        """
        num = rows_at_once or max(1, PART_BYTES // max(1, self.file.row_bytes))
        if isinstance(self.rows, LongOrder):
            yield from map(self.file.read, self.rows.lowest_first(num))
            return
        rows = np.arange(len(self)) if self.rows is None else np.sort(self.rows)
        for start in range(0, len(rows), num):
            yield self.file.read(rows[start : start + num])


def parts_of(column, rows_at_once: int | None = None) -> Iterator[np.ndarray]:
    """Yields the rows of an array, in memory or in a file, in parts.

    Args:
        column: the array.
        rows_at_once: number of rows of a part; None for all rows of an array in memory, and many rows of one in a file.
    """
    if isinstance(column, StoredRows):
        return column.parts(rows_at_once)
    num = rows_at_once or max(1, len(column))
    return (column[start : start + num] for start in range(0, max(1, len(column)), num))


def array_file(path: pathlib.Path, member: str | None = None) -> ArrayFile | None:
    """Returns an array in an `.npy` file, or in an uncompressed `.npz` file, without reading its rows.

    Args:
        path: the file.
        member: name of the array in an `.npz` file.

    Returns:
        The array; None if its rows are not contiguous: in a compressed file or archive, or if its last axis is the
        slowest.

    Raises:
        ValueError: if the file holds no array of numbers, or is truncated.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        if member is not None:
            with zipfile.ZipFile(file) as archive:
                info = archive.getinfo(f"{member}.npy")
            if info.compress_type != zipfile.ZIP_STORED:
                return None
            file.seek(info.header_offset)
            header = file.read(ZIP_HEADER)
            free = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            start = info.header_offset + ZIP_HEADER + free
            file.seek(start)
            length = start + info.file_size
        elif file.read(len(ARCHIVE)) == ARCHIVE:
            return None
        else:
            file.seek(0)
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read_header:
            raise ValueError(f"version {version} of its format is not known")
        shape, fortran_order, dtype = read_header[version](file)
        found = ArrayFile(path, file.tell(), shape, dtype)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which could run code")
    if not shape or (fortran_order and len(shape) > 1):
        return None
    if found.offset + found.num_bytes > length:
        raise ValueError(f"it is cut short: {found.num_bytes} bytes are announced, {length - found.offset} are there")
    return found
