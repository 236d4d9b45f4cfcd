"""Convolution along the rows of an image, for whole images and for single channels of single pixels.

Maps have the shape `(rows, columns, batch, features)`, which a recurrence over rows or columns can slice without moving
data. The features of a map are divided into one group per channel of the image, in the order of the channels. Features
of a group see all preceding pixels and the earlier channels of their own pixel, so red, green and blue follow each
other.

A row is sampled entry by entry, where an entry is one channel of one pixel, for which each layer computes one group of
one pixel. The caches of a layer have the shape `(entries, batch, features of a group)`.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_gen.layers.bias import add_bias
from keras_gen.layers.dense import matmul
from keras_gen.layers.initializers import glorot
from keras_gen.layers.loops import set_slice


class RowConvolution(keras.layers.Layer):
    """A convolution over a pixel and the pixels just left of it; the groups of the pixel itself have mask B.

    Args:
        inputs: number of features of the input.
        filters: number of features of the output.
        groups: number of groups of features, both of the input and of the output.
        width: number of pixels, including the pixel itself; 1 means a 1×1 convolution.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, inputs: int, filters: int, groups: int, *, width: int = 1, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.groups = groups
        self.width = width
        self.kernel = self.add_weight(name="kernel", shape=(width * inputs, filters), initializer=glorot(seed))
        self.bias = self.add_weight(name="bias", shape=(filters,), initializer="zeros")
        self.mask = np.ones(self.kernel.shape, np.float32)
        self.mask[-inputs:] = groups_of(inputs, groups)[:, np.newaxis] <= groups_of(filters, groups)
        self.built = True

    def weights_in_use(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the masked kernel, and the bias."""
        kernel = self.kernel if self.groups == 1 else self.kernel * self.mask
        return tf.cast(kernel, self.compute_dtype), tf.cast(self.bias, self.compute_dtype)

    def call(self, maps):
        kernel, bias = self.weights_in_use()
        padded = tf.pad(maps, ((0, 0), (self.width - 1, 0), (0, 0), (0, 0)))
        taps = [padded[:, tap : tap + maps.shape[1]] for tap in range(self.width)]
        return add_bias(matmul(tf.concat(taps, axis=-1), kernel), bias)

    def start(self, columns: int, batch_size: tf.Tensor):
        """Returns the inputs of a row so far, preceded by padding; none if an output needs only its own input."""
        if self.width * self.groups == 1:
            return ()
        entries = (columns + self.width - 1) * self.groups
        features = self.kernel.shape[0] // self.width // self.groups
        return tf.zeros((entries, batch_size, features), self.compute_dtype)

    def advance(self, inputs, entry: tf.Tensor, x: tf.Tensor):
        """Takes the features of an entry and returns the state and the output, of shape `(batch, filters / groups)`.

        Later groups still have the values of the row above; the mask hides them.
        """
        kernel, bias = self.weights_in_use()
        group = entry % self.groups
        if self.width * self.groups > 1:
            inputs = set_slice(inputs, entry + (self.width - 1) * self.groups, x)
            x = flat(tf.gather(inputs, entry - group + tf.range(self.width * self.groups)))
        return inputs, tf.matmul(x, of_group(kernel, group, self.groups)) + of_group(bias, group, self.groups)


def by_entry(row: tf.Tensor, groups: int) -> tf.Tensor:
    """From `(columns, batch, features)` to `(columns · groups, batch, features / groups)`."""
    columns, _, features = row.shape
    row = tf.transpose(tf.reshape(row, (columns, -1, groups, features // groups)), (0, 2, 1, 3))
    return tf.reshape(row, (columns * groups, -1, features // groups))


def by_pixel(entries: tf.Tensor, groups: int) -> tf.Tensor:
    """Inverts `by_entry`."""
    size, _, features = entries.shape
    row = tf.transpose(tf.reshape(entries, (size // groups, groups, -1, features)), (0, 2, 1, 3))
    return tf.reshape(row, (size // groups, -1, groups * features))


def flat(window: tf.Tensor) -> tf.Tensor:
    """From `(entries, batch, features)` to `(batch, entries · features)`."""
    entries, _, features = window.shape
    return tf.reshape(tf.transpose(window, (1, 0, 2)), (-1, entries * features))


def of_group(weights: tf.Tensor, group: tf.Tensor, groups: int) -> tf.Tensor:
    """Returns the weights of one group of outputs, which are on the last axis."""
    return tf.gather(tf.reshape(weights, (*weights.shape[:-1], groups, -1)), group, axis=-2)


def groups_of(features: int, groups: int) -> np.ndarray:
    """Returns the group of each feature."""
    return np.arange(features) * groups // features
