"""Maxout: the maximum of several affine functions for each unit."""

import keras
import tensorflow as tf

from keras_gen.layers.dense import dense


class Maxout(keras.layers.Layer):
    r"""Goodfellow et al. (2013), Maxout Networks, https://arxiv.org/abs/1302.4389.

    $$h_i = \max_{j ≤ pieces} (x^\top W_{·ij} + b_{ij})$$

    Args:
        inputs: number of features of the input.
        units: number of units.
        pieces: number of affine functions of each unit.
        initializer: initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, inputs: int, units: int, pieces: int, *, initializer, **kwargs):
        super().__init__(**kwargs)
        self.pieces = pieces
        self.affine = dense(inputs, units * pieces, initializer, self.dtype_policy)
        self.built = True

    def call(self, x):
        y = self.affine(x)
        return tf.reduce_max(tf.reshape(y, (-1, y.shape[-1] // self.pieces, self.pieces)), axis=-1)
