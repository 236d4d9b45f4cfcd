"""The unit of real numbers: means and deviations that a model takes from the first data that it sees."""

import keras
import numpy as np
import tensorflow as tf

from keras_gen.moments import coarse_entry, is_wide
from keras_gen.spaces.base import as_array


class Standardization(keras.layers.Layer):
    r"""Location m and scale s of each entry of real examples, $u = (x - m) / s$.

    They are 0 and 1 until a model takes them from data, and no gradient changes them. Dividing a density of u by the
    volume of the unit gives the density of x: $\log p(x) = \log p(u) - \sum_i \log s_i$.

    Args:
        event_shape: shape of an example, or of the values that its entries share.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, event_shape: tuple[int, ...], **kwargs):
        super().__init__(**{"name": "standardization", **kwargs, "dtype": "float32", "autocast": False})
        fixed = {"trainable": False, "autocast": False}
        self.location = self.add_weight(shape=event_shape, initializer="zeros", name="location", **fixed)
        self.scale = self.add_weight(shape=event_shape, initializer="ones", name="scale", **fixed)
        #: Whether location and scale are fixed: no further data change them.
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
        """Fixes location and scale, of shapes that broadcast to that of an example."""
        for weight, value in ((self.location, location), (self.scale, scale)):
            # For channels, all of height and width share one value.
            value = np.reshape(value, np.shape(value)[-len(weight.shape) :])
            weight.assign(np.broadcast_to(value, weight.shape))
        self.adapted.assign(1)

    def absorb(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Turns a model of standardised rows, (x - mean) / deviation, into a model of the rows x themselves.

        Args:
            mean: what was subtracted from each entry, of shape `event_shape`.
            deviation: what each was divided by.
        """
        mean, deviation = (np.asarray(part, np.float64) for part in (mean, deviation))
        self.take(mean + deviation * self.location.numpy(), deviation * self.scale.numpy())

    def load_own_variables(self, store):
        """As in Keras; the file of a model without its own unit leaves the unit unchanged, and fixes it."""
        if len(store.keys()):
            super().load_own_variables(store)
        else:
            self.adapted.assign(1)


def check_resolution(x, name: str = "x") -> None:
    """Raises an error if values of a wide dtype differ by less than float32 can resolve, as times in seconds may.

    Args:
        x: examples, an array, a list, a tensor or a data frame; anything else is not checked.
        name: what errors call them.

    Raises:
        ValueError: if the values of an entry do.
    """
    if not isinstance(x, list) and not any(hasattr(x, name) for name in ("__array__", "to_numpy")):
        return
    x = as_array(x, name)
    if not is_wide(x.dtype) or x.ndim == 0 or not x.size:
        return
    refuse_coarse(coarse_entry(x.astype(np.float64, copy=False)), name)


def refuse_coarse(found: tuple[int, float, float] | None, name: str) -> None:
    """Raises an error about the entry that `coarse_entry` found, if it found one."""
    if found is not None:
        entry, largest, deviation = found
        raise ValueError(
            f"`{name}` holds values up to {largest:g} in entry {entry} that deviate by {deviation:g}, which float32 "
            "cannot tell apart: subtract their mean first."
        )
