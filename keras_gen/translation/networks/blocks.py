"""What networks of translation are built from."""

import keras

from keras_gen import checks
from keras_gen.layers import BatchNormalization, InstanceNormalization

#: Kinds of normalization by name.
NORMALIZATIONS = {"batch": BatchNormalization, "instance": InstanceNormalization}


def normalization(name: str, channels: int, dtype) -> keras.layers.Layer:
    """Returns a built layer that normalizes images and takes a step: a name in `NORMALIZATIONS`."""
    kind = NORMALIZATIONS[checks.choice("normalization", name, NORMALIZATIONS)]
    return kind((None, None, None, channels), dtype=dtype)
