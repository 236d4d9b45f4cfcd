"""Building blocks of translation networks."""

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers import BatchNormalization, InstanceNormalization

#: Kinds of normalization by name.
NORMALIZATIONS = {"batch": BatchNormalization, "instance": InstanceNormalization}


def normalization(name: str, channels: int, dtype) -> keras.layers.Layer:
    """Returns a built layer that normalizes images and takes a step: a name in `NORMALIZATIONS`."""
    kind = NORMALIZATIONS[checks.choice("normalization", name, NORMALIZATIONS)]
    return kind((None, None, None, channels), dtype=dtype)


def zeros_around(images: tf.Tensor, width: int) -> tf.Tensor:
    """Returns images with a border of zeros."""
    return tf.pad(images, ((0, 0), (width, width), (width, width), (0, 0)))
