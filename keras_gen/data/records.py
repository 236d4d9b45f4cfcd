"""Examples in TFRecord files, read by position: any order is exact, and none is held in memory."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

#: Bytes of a record before its contents, a length of 8 bytes and its checksum, and behind them, another checksum.
BEFORE, BEHIND = 12, 4


@dataclasses.dataclass(frozen=True)
class RecordFiles:
    """The records of several files, one after the other.

    Attributes:
        paths: the files.
        places: int64 array of shape `(records, 3)`: of each record the file, where its contents begin, and their bytes.
    """

    paths: tuple[pathlib.Path, ...]
    places: np.ndarray

    @classmethod
    def of(cls, paths: Sequence[pathlib.Path], num_records: Sequence[int]) -> "RecordFiles":
        """Finds the records of files.

        Args:
            paths: the files.
            num_records: how many records each has.

        Raises:
            FileNotFoundError: if a file is missing.
            ValueError: if a file is cut short, or has another number of records.
        """
        places = []
        for index, (path, num) in enumerate(zip(paths, num_records, strict=True)):
            found = places_of_records(path)
            if len(found) != num:
                raise ValueError(f"`name`: the shard {path} must hold {num} records; it holds {len(found)}.")
            places.append(np.concatenate([np.full((len(found), 1), index), found], axis=1))
        return cls(tuple(paths), np.concatenate(places))

    @functools.cached_property
    def descriptors(self) -> list[int]:
        """The opened files; they stay open as long as the process runs."""
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


def places_of_records(path: pathlib.Path) -> np.ndarray:
    """Returns where the contents of each record of a TFRecord file begin, and their bytes, an int64 array.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is cut short.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`name`: the shard {path} is missing.")
    places = []
    with path.open("rb", buffering=0) as file:
        size, position = os.fstat(file.fileno()).st_size, 0
        while position < size:
            num = int.from_bytes(os.pread(file.fileno(), 8, position), "little")
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

    files: RecordFiles
    decode: Callable[[tf.Tensor], tf.Tensor]
    spec: tf.TensorSpec
    rows: np.ndarray

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows) -> "Records":
        return dataclasses.replace(self, rows=self.rows[rows])

    def silent(self) -> "Records":
        """Returns the same, of sounds, with silence behind their end."""

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
