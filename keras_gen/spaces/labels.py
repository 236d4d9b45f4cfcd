"""Labels: one class of several, or several answers of yes or no."""

import dataclasses

import tensorflow as tf

from keras_gen import checks
from keras_gen.spaces.base import Space
from keras_gen.spaces.numbers import Reals


@dataclasses.dataclass(frozen=True)
class ClassLabel(Space):
    """One of several classes, a whole number; its vector is one-hot."""

    num_classes: int
    #: Whether -1 is a label, too, for examples whose class is not known; its vector holds zeros.
    unknown: bool = False

    shape = ()
    dtype = tf.int32
    kind = "whole class labels"

    @property
    def vector_size(self):
        return self.num_classes

    @property
    def lowest(self) -> int:
        """The smallest label."""
        return -1 if self.unknown else 0

    @property
    def expected(self):
        return f"whole labels from {self.lowest} to {self.num_classes - 1}"

    def accepts(self, dtype):
        return dtype.is_integer or dtype.is_bool

    def contains(self, values):
        return (values >= self.lowest) & (values < self.num_classes)

    def examples(self, num, seed=(0, 0)):
        """Returns all classes in turn."""
        return tf.range(num) % self.num_classes

    def vectors(self, values):
        return tf.one_hot(values, self.num_classes)


@dataclasses.dataclass(frozen=True)
class Attributes(Space):
    """Several answers of yes (1) or no (0), which do not exclude each other."""

    num_attributes: int

    dtype = tf.int32
    kind = "zeros and ones"
    expected = "zeros and ones"

    @property
    def shape(self):
        return (self.num_attributes,)

    @property
    def vector_size(self):
        return self.num_attributes

    def accepts(self, dtype):
        return dtype.is_integer or dtype.is_bool

    def contains(self, values):
        return (values == 0) | (values == 1)

    def examples(self, num, seed=(0, 0)):
        return tf.random.stateless_uniform((num, self.num_attributes), seed, maxval=2, dtype=tf.int32)

    def vectors(self, values):
        return tf.cast(values, tf.float32)


def class_or_vector(num_classes: int | None, condition_size: int | None) -> Space | None:
    """Returns the space of a condition that the arguments of a model name: a class, a vector, or none.

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
        return Reals((checks.positive_int("condition_size", condition_size),))
    return None
