"""A residual block of convolutions."""

import keras
import tensorflow as tf

from keras_gen.layers.convolution import convolution
from keras_gen.layers.initializers import glorot
from keras_gen.layers.weight_normalization import WeightNormalization


class ResidualBlock(keras.layers.Layer):
    """Adds to x the output of a 3×3 and a 1×1 convolution, each after a ReLU.

    Args:
        inputs: number of features of input and output.
        filters: number of features between the convolutions.
        seed: seeds of the initial weights.
        weight_normalization: whether the kernels are normalized, as in `WeightNormalization`.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self, inputs: int, filters: int, *, seed: tuple[int, ...], weight_normalization: bool = False, **kwargs
    ):
        super().__init__(**kwargs)

        def layer(size, channels, features, initializer):
            if weight_normalization:
                shape = (size, size, channels, features)
                return WeightNormalization(shape, initializer=initializer, dtype=self.dtype_policy)
            return convolution(channels, features, size, 1, initializer, self.dtype_policy)

        self.wide = layer(3, inputs, filters, glorot((*seed, 0)))
        self.narrow = layer(1, filters, inputs, glorot((*seed, 1)))
        self.built = True

    def call(self, x, **start):
        """Takes images, and with `weight_normalization` the `start` of its convolutions."""
        return x + self.narrow(tf.nn.relu(self.wide(tf.nn.relu(x), **start)), **start)
