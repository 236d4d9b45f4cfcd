"""The order of rows that divides a set without splits."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

#: With more rows than this, the order is computed entry by entry: computing all of it takes seconds, and memory.
LONG_ORDER = 10_000_000


def order_of(num: int) -> "np.ndarray | LongOrder":
    """Returns the permutation of `num` rows that divides a set, the same one at every call."""
    return np.random.default_rng(0).permutation(num) if num <= LONG_ORDER else LongOrder(num, 0, num)


@dataclasses.dataclass(frozen=True)
class LongOrder:
    """A piece of a permutation of very many rows, as an array whose entries are computed on demand.

    Slicing returns another piece; indexing by an array of positions, counted from the start, returns their entries.

    Attributes:
        num_rows: number of all rows.
        start: first position of the piece.
        stop: position after its last one.
    """

    num_rows: int
    start: int
    stop: int

    def __len__(self):
        return self.stop - self.start

    def __getitem__(self, places: "slice | np.ndarray") -> "np.ndarray | LongOrder":
        if not isinstance(places, slice):
            return self.entries(self.start + places)
        start, stop, step = places.indices(len(self))
        if step != 1:
            return self.entries(np.arange(self.start + start, self.start + stop, step))
        return dataclasses.replace(self, start=self.start + start, stop=self.start + max(start, stop))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.entries(np.arange(self.start, self.stop)).astype(dtype or np.int64, copy=False)

    def entries(self, places: np.ndarray) -> np.ndarray:
        """Returns the rows at positions of the whole permutation."""
        if not len(places):
            return np.zeros(0, np.int64)
        with tf.device("CPU"):
            places = tf.constant(places, tf.int64)
            return tf.random.experimental.index_shuffle(places, (0, 0), np.int64(self.num_rows - 1)).numpy()

    def lowest_first(self, rows_at_once: int) -> Iterator[np.ndarray]:
        """Yields the rows of the piece in parts, the lowest first."""
        if 2 * len(self) < self.num_rows:
            rows = np.sort(np.asarray(self))
            yield from (rows[start : start + rows_at_once] for start in range(0, len(rows), rows_at_once))
            return
        # All rows except those of the rest.
        rest = [np.arange(self.start), np.arange(self.stop, self.num_rows)]
        absent = np.sort(self.entries(np.concatenate(rest)))
        for start in range(0, self.num_rows, rows_at_once):
            rows = np.arange(start, min(start + rows_at_once, self.num_rows))
            first, last = np.searchsorted(absent, (start, start + len(rows)))
            rows = np.delete(rows, absent[first:last] - start)
            if len(rows):
                yield rows
