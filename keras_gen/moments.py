"""Means and deviations in float64, and whether float32 can distinguish numbers."""

import numpy as np

#: Share of an entry's deviation that float32 must be able to distinguish.
RESOLUTION = 1e-3

#: Weight that replaces zero as a divisor.
SMALLEST = 1e-300


class EntryMoments:
    """Means and deviations of entries, accumulated in float64 batch by batch; entries that are NaN do not count.

    Args:
        event_shape: shape of an example.
        shared_axes: axes of an example whose entries share one mean and one deviation.
    """

    def __init__(self, event_shape: tuple[int, ...], shared_axes: tuple[int, ...] = ()):
        self.event_shape = event_shape
        self.axes = (0, *(axis + 1 for axis in shared_axes))
        shape = tuple(1 if axis in shared_axes else size for axis, size in enumerate(event_shape))
        self.count, self.mean, self.squares = (np.zeros(shape) for _ in range(3))
        self.rounding = 0.0

    def add(self, x, weights=None) -> "EntryMoments":
        """Adds rows of shape `(batch, *event_shape)`, with weights of shape `(batch,)`, and returns itself."""
        x = np.asarray(x)
        self.rounding = max(self.rounding, np.finfo(x.dtype if x.dtype.kind == "f" else np.float64).eps)
        x = x.astype(np.float64)
        counts = np.isfinite(x).astype(np.float64)
        if weights is not None:
            counts *= np.reshape(np.asarray(weights, np.float64), (-1, *[1] * len(self.event_shape)))
        x = np.where(counts > 0.0, x, 0.0)

        def total(values):
            return values.sum(axis=self.axes, keepdims=True)[0]

        count = total(counts)
        mean = total(counts * x) / np.maximum(count, SMALLEST)
        # Combines both parts as in Chan, Golub, LeVeque (1983).
        both, shift = np.maximum(self.count + count, SMALLEST), mean - self.mean
        self.squares += total(counts * (x - mean) ** 2) + shift**2 * self.count * count / both
        self.mean += shift * count / both
        self.count += count
        return self

    def deviation(self) -> np.ndarray:
        """Returns the deviations, which are 0 for entries that vary only by rounding."""
        deviation = np.sqrt(self.squares / np.maximum(self.count, SMALLEST))
        return np.where(deviation > 8.0 * self.rounding * np.abs(self.mean), deviation, 0.0)

    def scale(self, *, constant: bool) -> np.ndarray:
        """Returns the divisors of entries: their deviations, or 1 where a deviation is 0.

        Args:
            constant: whether deviations of 0 are allowed.

        Raises:
            ValueError: if they are not allowed, and an entry is the same in all rows.
        """
        deviation = self.deviation()
        varies = deviation > 0.0
        if not constant and not varies.all():
            raise ValueError(f"`x` must vary in every entry; entry {int(np.argmin(varies))} is the same in all rows.")
        return np.where(varies, deviation, 1.0)

    def coarse_entry(self) -> tuple[int, float, float] | None:
        """Finds an entry like the function `coarse_entry`, from the rows so far, with the mean as the largest value."""
        return first_coarse(np.abs(self.mean).reshape(-1), self.deviation().reshape(-1))


def is_wide(dtype: np.dtype) -> bool:
    """Returns whether numbers of a dtype may lose their differences in float32."""
    return (dtype.kind == "f" and dtype.itemsize > 4) or (dtype.kind in "iu" and dtype.itemsize >= 4)


def coarse_entry(x: np.ndarray) -> tuple[int, float, float] | None:
    """Finds an entry whose values differ by less than float32 can distinguish, as can happen with times in seconds.

    Args:
        x: float64 examples, of shape `(rows, ...)`.

    Returns:
        The position of the first such entry, its largest magnitude and its deviation; None if there is none.
    """
    x = x.reshape(len(x), -1)
    # Numbers beyond float32 get a different message, where they are cast.
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = EntryMoments(x.shape[1:]).add(x).deviation()
    return first_coarse(np.where(np.isfinite(x), np.abs(x), 0.0).max(axis=0, initial=0.0), deviation)


def first_coarse(largest: np.ndarray, deviation: np.ndarray) -> tuple[int, float, float] | None:
    """Finds, as `coarse_entry` does, an entry from the largest magnitude and the deviation of each."""
    with np.errstate(over="ignore", invalid="ignore"):
        spacing = np.spacing(largest.astype(np.float32)).astype(np.float64)
    coarse = np.flatnonzero((deviation > 0.0) & (spacing > RESOLUTION * deviation))
    return (int(coarse[0]), float(largest[coarse[0]]), float(deviation[coarse[0]])) if coarse.size else None
