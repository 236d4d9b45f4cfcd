"""The sets that examples live in: whole levels, real numbers or an interval of them, and the checks that they do."""

import dataclasses

import numpy as np
import tensorflow as tf


class Domain:
    """A set of values, with one check for arrays and the same check inside a graph."""

    expected: str

    def contains(self, x: tf.Tensor) -> tf.Tensor:
        """Whether each entry of the float32 tensor `x` lies in the domain, in the shape of `x`."""
        raise NotImplementedError

    def validate(self, x, event_shape: tuple[int, ...], name: str = "x") -> tf.Tensor:
        """Returns `x` as a float32 tensor.

        Args:
            x: array or tensor of shape `(batch, *event_shape)`, of any integer, boolean or float dtype. The
                values of a symbolic tensor cannot be seen: only its shape and dtype are checked.
            event_shape: shape of one example.
            name: what to call `x` in the sentence of an error.

        Raises:
            TypeError: if the dtype is not numeric.
            ValueError: if the shape, or a value, is not the expected one.
        """
        if not tf.is_tensor(x):
            x = np.asarray(x)
        self.validate_spec(x.dtype, x.shape, event_shape, name)
        x = tf.cast(x, tf.float32)
        if tf.executing_eagerly() and isinstance(x, tf.__internal__.EagerTensor):
            if x.shape[0] == 0:
                raise ValueError(f"`{name}` holds no examples; at least one is expected.")
            outside = tf.boolean_mask(x, ~self.contains(x))
            if tf.size(outside):
                raise ValueError(f"`{name}` holds the value {outside[0].numpy():g}; expected {self.expected}.")
        return x

    def validate_spec(self, dtype, shape, event_shape: tuple[int, ...], name: str = "x") -> None:
        """Raises what `validate` does at a wrong dtype or shape."""
        kind = tf.as_dtype(dtype)
        if not (kind.is_floating or kind.is_integer or kind.is_bool):
            raise TypeError(f"`{name}` must hold numbers, received dtype {getattr(dtype, 'name', dtype)}.")
        if not tf.TensorShape((None, *event_shape)).is_compatible_with(shape):
            raise ValueError(
                f"`{name}` must have shape (batch, {', '.join(map(str, event_shape))}), received {tuple(shape)}."
            )

    def guard(self, x: tf.Tensor, name: str = "x") -> tf.Tensor:
        """Returns `x` unchanged, in a graph that fails with the sentence of `validate` at a value outside."""
        inside = self.contains(tf.cast(x, tf.float32))
        value = tf.strings.as_string(tf.cast(tf.boolean_mask(x, ~inside)[:1], tf.float32), shortest=True)
        sentence = tf.strings.join(
            [f"`{name}` holds the value ", tf.strings.reduce_join(value), f"; expected {self.expected}."]
        )
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inside), [sentence])]):
            return tf.identity(x)


@dataclasses.dataclass(frozen=True)
class Levels(Domain):
    """Whole numbers from 0 to `levels - 1`."""

    levels: int

    @property
    def expected(self) -> str:
        return f"whole levels from 0 to {self.levels - 1}"

    def contains(self, x: tf.Tensor) -> tf.Tensor:
        return (x >= 0) & (x <= self.levels - 1) & (x == tf.floor(x))


@dataclasses.dataclass(frozen=True)
class Reals(Domain):
    """Finite real numbers."""

    expected = "finite real numbers"

    def contains(self, x: tf.Tensor) -> tf.Tensor:
        return tf.math.is_finite(x)


@dataclasses.dataclass(frozen=True)
class Interval(Domain):
    """Real numbers from `low` to `high`, such as the amplitudes of sound."""

    low: float
    high: float

    @property
    def expected(self) -> str:
        return f"real numbers from {self.low:g} to {self.high:g}"

    def contains(self, x: tf.Tensor) -> tf.Tensor:
        return (x >= self.low) & (x <= self.high)
