"""A residual block of convolutions."""

import keras
import tensorflow as tf

from keras_gen.layers.convolution import convolution
from keras_gen.layers.initializers import glorot


class ResidualBlock(keras.layers.Layer):
    """x plus what a 3×3 and a 1×1 convolution, each after a ReLU, make of it.

    Args:
        inputs: number of features of input and output.
        filters: number of features between the convolutions.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, inputs: int, filters: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.wide = convolution(inputs, filters, 3, 1, glorot((*seed, 0)), self.dtype_policy)
        self.narrow = convolution(filters, inputs, 1, 1, glorot((*seed, 1)), self.dtype_policy)
        self.built = True

    def call(self, x):
        return x + self.narrow(tf.nn.relu(self.wide(tf.nn.relu(x))))
