"""The unit of real numbers: means and deviations that a model takes from the first data that it sees."""

import keras
import numpy as np
import tensorflow as tf

from keras_gen.spaces.base import as_array

#: Share of an entry's deviation that float32 has to tell apart.
RESOLUTION = 1e-3

#: Weight that stands for none where one is divided by.
SMALLEST = 1e-300


class Standardization(keras.layers.Layer):
    r"""Location m and scale s of each entry of real examples, $u = (x - m) / s$.

    They are 0 and 1 until a model takes them from data, and no gradient moves them. A density of u is one of x once it
    is divided by the volume of the unit: $\log p(x) = \log p(u) - \sum_i \log s_i$.

    Args:
        event_shape: shape of an example, or of what its entries share.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, event_shape: tuple[int, ...], **kwargs):
        super().__init__(**{"name": "standardization", **kwargs, "dtype": "float32", "autocast": False})
        fixed = {"trainable": False, "autocast": False}
        self.location = self.add_weight(shape=event_shape, initializer="zeros", name="location", **fixed)
        self.scale = self.add_weight(shape=event_shape, initializer="ones", name="scale", **fixed)
        #: Whether location and scale are settled: no data change them any more.
        self.adapted = self.add_weight(shape=(), initializer="zeros", dtype="uint8", name="adapted", **fixed)
        self.built = True

    def forward(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples, of shape `(..., *event_shape)`, in the unit of the networks."""
        return (x - self.location.value) / self.scale.value

    def inverse(self, u: tf.Tensor) -> tf.Tensor:
        """Returns the inverse of `forward`."""
        return self.location.value + self.scale.value * u

    def log_volume(self) -> tf.Tensor:
        """Returns Σ log s, a scalar in nats."""
        return tf.reduce_sum(tf.math.log(self.scale.value))

    def take(self, location: np.ndarray, scale: np.ndarray) -> None:
        """Settles location and scale, of shapes that broadcast to that of an example."""
        for weight, value in ((self.location, location), (self.scale, scale)):
            # Of channels, height and width have one value in common.
            value = np.reshape(value, np.shape(value)[-len(weight.shape) :])
            weight.assign(np.broadcast_to(value, weight.shape))
        self.adapted.assign(1)

    def absorb(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Makes a model of standardised rows, (x - mean) / deviation, one of the rows x themselves.

        Args:
            mean: what was subtracted from each entry, of shape `event_shape`.
            deviation: what each was divided by.
        """
        mean, deviation = (np.asarray(part, np.float64) for part in (mean, deviation))
        self.take(mean + deviation * self.location.numpy(), deviation * self.scale.numpy())

    def load_own_variables(self, store):
        """As in Keras; a file of a model without a unit of its own leaves the unit as it is, and settles it."""
        if len(store.keys()):
            super().load_own_variables(store)
        else:
            self.adapted.assign(1)


class Moments:
    """Means and deviations of entries, added up in float64, batch by batch; entries that are NaN do not count.

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

    def add(self, x, weights=None) -> "Moments":
        """Adds rows of shape `(batch, *event_shape)`, by their weights of shape `(batch,)`, and returns itself."""
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
        # Both parts together, as in Chan, Golub, LeVeque (1983).
        both, shift = np.maximum(self.count + count, SMALLEST), mean - self.mean
        self.squares += total(counts * (x - mean) ** 2) + shift**2 * self.count * count / both
        self.mean += shift * count / both
        self.count += count
        return self

    def deviation(self) -> np.ndarray:
        """Returns the deviations, 0 of entries that vary by rounding alone."""
        deviation = np.sqrt(self.squares / np.maximum(self.count, SMALLEST))
        return np.where(deviation > 8.0 * self.rounding * np.abs(self.mean), deviation, 0.0)

    def scale(self, *, constant: bool) -> np.ndarray:
        """Returns what entries are divided by: their deviations, and 1 where one is 0.

        Args:
            constant: whether that may be.

        Raises:
            ValueError: if it may not, and an entry is the same in all rows.
        """
        deviation = self.deviation()
        varies = deviation > 0.0
        if not constant and not varies.all():
            raise ValueError(f"`x` must vary in every entry; entry {int(np.argmin(varies))} is the same in all rows.")
        return np.where(varies, deviation, 1.0)


def check_resolution(x, name: str = "x") -> None:
    """Raises an error if float64 values differ by less than float32 can tell apart, as times in seconds may.

    Args:
        x: examples, an array, a list or a data frame; of anything else nothing is asked.
        name: what errors call them.

    Raises:
        ValueError: if an entry's values do.
    """
    if not isinstance(x, (np.ndarray, list)) and not hasattr(x, "to_numpy"):
        return
    x = as_array(x)
    if x.dtype != np.float64 or x.ndim == 0 or not x.size:
        return
    x = x.reshape(len(x), -1)
    # Numbers beyond float32 get another sentence, where they are cast.
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = Moments(x.shape[1:]).add(x).deviation()
        largest = np.where(np.isfinite(x), np.abs(x), 0.0).max(axis=0, initial=0.0)
        spacing = np.spacing(largest.astype(np.float32)).astype(np.float64)
    for entry in np.flatnonzero((deviation > 0.0) & (spacing > RESOLUTION * deviation))[:1]:
        raise ValueError(
            f"`{name}` holds values up to {largest[entry]:g} in entry {entry} that deviate by {deviation[entry]:g}, "
            "which float32 cannot tell apart: subtract their mean first."
        )
