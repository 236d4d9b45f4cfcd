"""What a conditional model can be conditioned on, and the checks that it is."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds


class Condition:
    """A kind of condition; each turns into one real vector per example, which networks take."""

    #: Length of that vector.
    size: int

    def spec(self) -> tf.TensorSpec:
        """Returns shape and dtype of the condition of a batch, as exports take it."""
        raise NotImplementedError

    def validate(self, condition) -> tf.Tensor:
        """Returns the condition as a tensor, or raises a sentence that says what is wrong with it."""
        raise NotImplementedError

    def vectors(self, condition: tf.Tensor) -> tf.Tensor:
        """Returns float32 vectors of shape `(batch, size)`."""
        raise NotImplementedError

    def examples(self, num: int) -> tf.Tensor:
        """Returns `num` conditions to draw pictures and compare exports with."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class ClassLabel(Condition):
    """One of several classes, a whole number; its vector is one-hot."""

    num_classes: int
    #: Whether -1 is a label, too, for examples whose class is not known; its vector holds zeros.
    unknown: bool = False

    @property
    def size(self) -> int:
        return self.num_classes

    def spec(self):
        return tf.TensorSpec((None,), tf.int32, "condition")

    def validate(self, condition):
        labels = condition if tf.is_tensor(condition) else np.asarray(condition)
        if not (tf.as_dtype(labels.dtype).is_integer or tf.as_dtype(labels.dtype).is_bool):
            raise TypeError(f"`condition` must hold whole class labels, received dtype {labels.dtype}.")
        if not tf.TensorShape((None,)).is_compatible_with(labels.shape):
            raise ValueError(f"`condition` must have shape (batch,), received {tuple(labels.shape)}.")
        labels = tf.cast(labels, tf.int32)
        if isinstance(labels, tf.__internal__.EagerTensor):
            lowest = -1 if self.unknown else 0
            outside = tf.boolean_mask(labels, (labels < lowest) | (labels >= self.num_classes))
            if tf.size(outside):
                raise ValueError(
                    f"`condition` holds the label {outside[0].numpy()}; "
                    f"expected whole labels from {lowest} to {self.num_classes - 1}."
                )
        return labels

    def vectors(self, condition):
        return tf.one_hot(condition, self.num_classes)

    def examples(self, num):
        return tf.range(num) % self.num_classes


@dataclasses.dataclass(frozen=True)
class Vector(Condition):
    """A vector of real numbers."""

    size: int

    def spec(self):
        return tf.TensorSpec((None, self.size), tf.float32, "condition")

    def validate(self, condition):
        vectors = condition if tf.is_tensor(condition) else np.asarray(condition)
        kind = tf.as_dtype(vectors.dtype)
        if not (kind.is_floating or kind.is_integer):
            raise TypeError(f"`condition` must hold real numbers, received dtype {vectors.dtype}.")
        if not tf.TensorShape((None, self.size)).is_compatible_with(vectors.shape):
            raise ValueError(f"`condition` must have shape (batch, {self.size}), received {tuple(vectors.shape)}.")
        vectors = tf.cast(vectors, tf.float32)
        if isinstance(vectors, tf.__internal__.EagerTensor) and not tf.reduce_all(tf.math.is_finite(vectors)):
            raise ValueError("`condition` holds a value that is not finite; expected finite real numbers.")
        return vectors

    def vectors(self, condition):
        return condition

    def examples(self, num):
        return seeds.normal((num, self.size), (0, 0))


def one_kind(num_classes: int | None, condition_size: int | None) -> Condition | None:
    """Returns the kind of condition that a model's arguments name: a class, a vector, or none.

    Raises:
        ValueError: if both are given, or one is smaller than 1.
        TypeError: if one is not a whole number.
    """
    if num_classes is not None and condition_size is not None:
        raise ValueError(
            f"`condition_size` must be None where `num_classes` is given; received {condition_size} and {num_classes}."
        )
    if num_classes is not None:
        return ClassLabel(checks.positive_int("num_classes", num_classes))
    if condition_size is not None:
        return Vector(checks.positive_int("condition_size", condition_size))
    return None
