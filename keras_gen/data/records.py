"""Records in TFRecord and ArrayRecord files, read by position: any order is exact, and nothing is held in memory."""

import concurrent.futures
import dataclasses
import functools
import os
import pathlib
import resource
import struct
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_gen.console import tracked
from keras_gen.files import cached

#: Bytes of a TFRecord record before its contents (a length of 8 bytes and its checksum) and after them.
BEFORE, BEHIND = 12, 4

#: Bytes that are read at once while locating records: small records are close together.
BLOCK = 2**15

#: Number of files that a process needs in addition to those of the data.
OTHER_FILES = 256


class RecordFiles:
    """The records of several TFRecord files, one after the other.

    Such files have no index. The positions of records are found once, from their lengths, and kept in the cache.

    Args:
        paths: the files.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is truncated.
    """

    def __init__(self, paths: Sequence[pathlib.Path]):
        self.paths = tuple(paths)
        state = state_of(self.paths)
        self.num_bytes = sum(size for _, size, _ in state)

        def write(folder):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                found = pool.map(places_of_records, self.paths)
                title = f"finding the records of {len(self.paths):,} files"
                found = list(tracked(found, title, total=len(self.paths), transient=True))
            files = np.repeat(np.arange(len(found)), [len(places) for places in found])
            np.save(folder / "places.npy", np.column_stack([files, np.concatenate(found)]))

        # For each record: its file, the position of its contents, and their number of bytes.
        self.places = np.load(cached(f"records of {self.paths}", state, write) / "places.npy")

    def __len__(self):
        return len(self.places)

    @functools.cached_property
    def lengths(self) -> list[int]:
        """Number of records in each file."""
        return np.bincount(self.places[:, 0], minlength=len(self.paths)).tolist()

    @functools.cached_property
    def descriptors(self) -> list[int]:
        """The open files; they stay open as long as the process runs."""
        allow_files(len(self.paths))
        return [os.open(path, os.O_RDONLY) for path in self.paths]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the contents of records as an array of bytes objects.

        Raises:
            OSError: if a file has become shorter.
        """
        found = np.empty(len(rows), object)
        for index, (file, position, num) in enumerate(self.places[rows]):
            found[index] = os.pread(self.descriptors[file], num, position)
            if len(found[index]) < num:
                raise OSError(f"{self.paths[file]} ends within a record; it was longer when it was opened.")
        return found


class ArrayRecordFiles:
    """The records of several ArrayRecord files, which have an index, one after the other.

    Args:
        paths: the files.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is truncated or damaged, or the library is not installed.
    """

    def __init__(self, paths: Sequence[pathlib.Path]):
        try:
            from array_record.python.array_record_data_source import ArrayRecordDataSource
        except ImportError:
            raise ValueError(
                f"`name`: {paths[0]} is an ArrayRecord file, which needs `pip install keras_gen[shards]`."
            ) from None
        self.paths = tuple(paths)
        self.num_bytes = sum(size for _, size, _ in state_of(self.paths))
        allow_files(len(self.paths))
        self.lengths = []
        for path in self.paths:
            try:
                self.lengths.append(len(ArrayRecordDataSource(str(path))))
            except RuntimeError as error:
                raise ValueError(f"`name`: the shard {path} is cut short or damaged ({error}).") from None
        paths_and_ends = [f"{path}[0:{num}]" for path, num in zip(self.paths, self.lengths, strict=True)]
        self.source = ArrayRecordDataSource(paths_and_ends)

    def __len__(self):
        return len(self.source)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the contents of records as an array of bytes objects."""
        found = np.empty(len(rows), object)
        found[:] = self.source.__getitems__(rows.tolist()) if len(rows) else []
        return found


def record_files(paths: Sequence[pathlib.Path]) -> RecordFiles | ArrayRecordFiles:
    """Returns the records of files of one kind, recognised by their names; raises what its constructor raises."""
    kind = ArrayRecordFiles if ".array_record" in paths[0].name else RecordFiles
    return kind(paths)


def name_of_record(files: RecordFiles | ArrayRecordFiles, row: int) -> str:
    """Returns the name of a record in errors: its number, counted from 1, and its file."""
    ends = np.cumsum(files.lengths)
    file = int(np.searchsorted(ends, row, side="right"))
    return f"record {row - ends[file] + files.lengths[file] + 1} of {files.paths[file]}"


def state_of(paths: Sequence[pathlib.Path]) -> list[tuple[str, int, int]]:
    """Returns a state that changes when files do: path, size in bytes and modification time of each.

    Raises:
        FileNotFoundError: if one is missing.
    """
    state = []
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"`name`: the shard {path} is missing.")
        found = path.stat()
        state.append((str(path.resolve()), found.st_size, found.st_mtime_ns))
    return state


def allow_files(num: int) -> None:
    """Lets the process open `num` files in addition to those it needs otherwise, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = num + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def places_of_records(path: pathlib.Path) -> np.ndarray:
    """Returns the position and number of bytes of each record's contents in a TFRecord file, an int64 array.

    Raises:
        ValueError: if it is truncated.
    """
    places = []
    with path.open("rb", buffering=0) as file:
        size, position = os.fstat(file.fileno()).st_size, 0
        block, start = b"", 0
        while position < size:
            if position + BEFORE > start + len(block):
                block, start = os.pread(file.fileno(), BLOCK, position), position
            # The length, unless the file ends within it.
            num = struct.unpack_from("<Q", block, position - start)[0] if position + BEFORE <= size else 0
            end = position + BEFORE + num + BEHIND
            if end > size:
                raise ValueError(
                    f"`name`: the shard {path} is cut short: {size} bytes, within its record {len(places)}."
                )
            places.append((position + BEFORE, num))
            position = end
    return np.array(places, np.int64).reshape(-1, 2)


@dataclasses.dataclass(frozen=True)
class Records:
    """One value of each record, as a column.

    Attributes:
        files: the records.
        decode: function from the contents of a record, a scalar tensor of strings, to the value.
        spec: shape and dtype of a value.
        rows: indices of the records, in order.
    """

    files: RecordFiles | ArrayRecordFiles
    decode: Callable[[tf.Tensor], tf.Tensor]
    spec: tf.TensorSpec
    rows: np.ndarray

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows) -> "Records":
        return dataclasses.replace(self, rows=self.rows[rows])

    def silent(self) -> "Records":
        """Returns the same sounds with silence after their end."""

        def decode(contents):
            sound = self.decode(contents)
            return tf.where(tf.math.is_nan(sound), 0.0, sound)

        return dataclasses.replace(self, decode=decode)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Returns the contents of the records at an array of indices."""
        return self.files.read(self.rows[indices])

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """Reads the values of the records at an int64 tensor of indices."""
        contents = tf.ensure_shape(tf.numpy_function(self.read, [indices], tf.string, stateful=False), (None,))
        found = tf.map_fn(self.decode, contents, fn_output_signature=self.spec)
        return tf.ensure_shape(found, (indices.shape[0], *self.spec.shape))
