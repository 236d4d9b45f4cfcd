"""Labels: one of several classes, or several yes-or-no attributes."""

import dataclasses

import tensorflow as tf

from keras_gen import checks
from keras_gen.spaces.base import Space
from keras_gen.spaces.numbers import Reals


@dataclasses.dataclass(frozen=True)
class ClassLabel(Space):
    """One of several classes, a whole number; its vector is one-hot.

    Labels may also be given as columns of shape `(batch, 1)`, as one-hot rows, or as floats that are whole numbers.
    """

    num_classes: int
    #: Whether -1 is also a label, for examples of unknown class; its vector is all zeros.
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

    def contains(self, values):
        return (values >= self.lowest) & (values < self.num_classes)

    def check_spec(self, dtype, shape, name):
        shape = tf.TensorShape(shape)
        if shape.rank == 2 and shape[1] in (1, self.num_classes):
            shape = shape[:1]
        super().check_spec(dtype, shape, name)

    def tensor(self, values, name):
        """As in `Space`; a column or one-hot rows become plain labels.

        Raises:
            ValueError: also if a row of several entries is not one-hot.
        """
        values = super().tensor(values, name)
        if values.shape.rank != 2:
            return values
        if values.shape[1] == 1:
            return values[:, 0]
        if values.dtype.is_bool:
            values = tf.cast(values, tf.int32)
        ones = tf.reduce_all((values == 0) | (values == 1), axis=1) & (tf.reduce_sum(values, axis=1) == 1)
        sentence = f"`{name}` must hold labels, or rows with a single 1 among zeros; a row is neither."
        if tf.executing_eagerly() and isinstance(values, tf.__internal__.EagerTensor):
            if not tf.reduce_all(ones):
                raise ValueError(sentence)
            return tf.argmax(values, axis=1, output_type=tf.int32)
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(ones), [sentence])]):
            return tf.argmax(values, axis=1, output_type=tf.int32)

    def guard(self, values, name):
        return super().guard(self.tensor(values, name), name)

    def examples(self, num, seed=(0, 0)):
        """Returns all classes in turn."""
        return tf.range(num) % self.num_classes

    def vectors(self, values):
        return tf.one_hot(values, self.num_classes)


@dataclasses.dataclass(frozen=True)
class Attributes(Space):
    """Several attributes, each yes (1) or no (0), which do not exclude each other."""

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
    """Returns the space of the condition that a model's arguments specify: a class, a vector, or none.

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


@dataclasses.dataclass(frozen=True)
class ClassOrAttributes(Space):
    """Labels of two sets: some examples have a class, and others have attributes.

    A label is a row of whole numbers: either the class, followed by zeros; or -1, followed by yes (1) or no (0) for
    each attribute. Its vector is the one-hot class, the attributes, and which of the two are known: the mask vector of
    Choi et al. (2018), https://arxiv.org/abs/1711.09020.
    """

    num_classes: int
    num_attributes: int

    dtype = tf.int32
    kind = "whole numbers"

    @property
    def shape(self):
        return (1 + self.num_attributes,)

    @property
    def vector_size(self):
        return self.num_classes + self.num_attributes + 2

    @property
    def expected(self):
        return f"a class from 0 to {self.num_classes - 1} and zeros, or -1 and zeros and ones"

    def accepts(self, dtype):
        return dtype.is_integer

    def contains(self, values):
        label, attributes = values[..., :1], values[..., 1:]
        known = (label >= -1) & (label < self.num_classes)
        return tf.concat([known, (attributes == 0) | ((attributes == 1) & (label == -1))], axis=-1)

    def examples(self, num, seed=(0, 0)):
        """Returns classes in turn and random attributes, alternating."""
        rows = tf.range(num)
        has_class = rows % 2 == 0
        label = tf.where(has_class, rows // 2 % self.num_classes, -1)
        answers = tf.random.stateless_uniform((num, self.num_attributes), seed, maxval=2, dtype=tf.int32)
        answers = tf.where(has_class[:, tf.newaxis], 0, answers)
        return tf.concat([label[:, tf.newaxis], answers], axis=-1)

    def vectors(self, values):
        label = values[:, 0]
        mask = tf.stack([label >= 0, label < 0], axis=-1)
        parts = [tf.one_hot(label, self.num_classes), values[:, 1:], mask]
        return tf.concat([tf.cast(part, tf.float32) for part in parts], axis=-1)
