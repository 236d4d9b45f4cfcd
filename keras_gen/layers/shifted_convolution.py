"""Convolutions that reach up and left, and their transposes, for whole images and row by row or pixel by pixel.

If a pixel is drawn as a whole, a convolution over the preceding pixels needs no mask: its kernel covers a pixel and
those above it and on its left. Whole maps are rotated by 180°, since TensorFlow then pads such kernels as needed,
without a padded copy. Rows have the shape `(columns, batch, features)`, pixels `(batch, features)`.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_gen.layers.bias import add_bias
from keras_gen.layers.convolution import conv2d, doubled
from keras_gen.layers.dense import matmul
from keras_gen.layers.initializers import uniform
from keras_gen.layers.loops import set_slice
from keras_gen.layers.masked_convolution import convolved


class ShiftedConvolution(keras.layers.Layer):
    """A convolution over a pixel, its left and possibly its right neighbour, and the row above them.

    Args:
        inputs: number of features of the input.
        filters: number of features of the output.
        right: number of columns on the right, 0 or 1.
        stride: 2 keeps every other row and column of the output, starting with the first; 1 keeps all.
        gain: initial standard deviation of the output, for inputs of variance 1.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        right: int,
        *,
        stride: int = 1,
        gain: float = 1.0,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.right = right
        self.stride = stride
        self.shape = (2, 2 + right, inputs, filters)
        size = 2 * (2 + right) * inputs
        # One row of the kernel for each feature of each tap, first those of the row above.
        self.kernel = self.add_weight(
            name="kernel", shape=(size, filters), initializer=uniform(gain * (3.0 / size) ** 0.5, seed)
        )
        self.bias = self.add_weight(name="bias", shape=(filters,), initializer="zeros")
        self.built = True

    def kernel_in_use(self) -> tf.Tensor:
        return tf.cast(self.kernel, self.compute_dtype)

    def with_bias(self, y: tf.Tensor) -> tf.Tensor:
        return add_bias(y, self.bias)

    def call(self, maps):
        """Takes maps of shape `(batch, rows, columns, inputs)`, rotated by 180°, and returns rotated maps."""
        kernel = tf.reverse(tf.reshape(self.kernel_in_use(), self.shape), (0, 1))
        if self.stride == 1:
            return self.with_bias(convolved(maps, kernel, (0, 1), (self.right, 1)))
        # In rotated maps, the first of two rows or columns is the last one.
        maps = tf.pad(maps[:, 1:, 1 - self.right :], ((0, 0), (0, 1), (0, 1), (0, 0)))
        return self.with_bias(conv2d(maps, kernel, self.stride, "VALID"))


class DownConvolution(ShiftedConvolution):
    """The convolution with 2×3 taps, which computes whole rows."""

    def __init__(self, inputs: int, filters: int, **kwargs):
        super().__init__(inputs, filters, 1, **kwargs)

    def start(self, columns: int, batch_size: tf.Tensor) -> tf.Tensor:
        """Returns the row above the first one, with padding on each side."""
        return tf.zeros((columns + 2, batch_size, self.shape[2]), self.compute_dtype)

    def advance(self, above: tf.Tensor, row: tf.Tensor):
        """Takes a row and returns it, as the row above the next one, and the output."""
        columns = np.arange(0, row.shape[0], self.stride)
        row = tf.pad(row, ((1, 1), (0, 0), (0, 0)))
        taps = columns[:, np.newaxis] + np.concatenate([np.arange(3), np.arange(3) + row.shape[0]])
        taps = tf.transpose(tf.gather(tf.concat([above, row], axis=0), taps), (0, 2, 1, 3))
        taps = tf.reshape(taps, (len(columns), -1, 6 * self.shape[2]))
        return row, self.with_bias(matmul(taps, self.kernel_in_use()))


class AcrossConvolution(ShiftedConvolution):
    """The convolution with 2×2 taps, which computes pixel by pixel."""

    def __init__(self, inputs: int, filters: int, **kwargs):
        super().__init__(inputs, filters, 0, **kwargs)

    def start(self, columns: int, batch_size: tf.Tensor):
        """Returns the row so far, preceded by padding, and the contribution of the row above to each output."""
        return {
            "row": tf.zeros((columns + 1, batch_size, self.shape[2]), self.compute_dtype),
            "above": tf.zeros((columns // self.stride, batch_size, self.shape[3]), self.compute_dtype),
        }

    def begin_row(self, state, given=0.0):
        """Returns the state before a row; `given` is added to all outputs of the row."""
        row, columns = state["row"], state["row"].shape[0] - 1
        taps = [row[tap : tap + columns : self.stride] for tap in range(2)]
        kernel, _ = tf.split(self.kernel_in_use(), 2)
        return {"row": row, "above": self.with_bias(matmul(tf.concat(taps, axis=-1), kernel)) + given}

    def advance(self, state, column: tf.Tensor, x: tf.Tensor):
        """Takes a pixel and returns the state and the output, which is meaningless if the stride skips it."""
        _, kernel = tf.split(self.kernel_in_use(), 2)
        y = tf.matmul(tf.concat([tf.gather(state["row"], column), x], axis=-1), kernel)
        y += tf.gather(state["above"], column // self.stride if self.stride > 1 else column)
        return {**state, "row": set_slice(state["row"], column + 1, x)}, y


class TransposedConvolution(keras.layers.Layer):
    """The transpose of a shifted convolution with stride 2, to twice as many rows and columns.

    Each pixel contributes to two rows, its own and the one below, and to two columns, its own and the next one; with
    `right` also to the column before its own.

    Args:
        filters: number of features of input and output.
        right: number of columns on the right that a pixel of the output sees, 0 or 1.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, filters: int, right: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        # A pixel of the output sees one pixel of the input; with `right`, in every other column two.
        scale = (3.0 / (filters * (1.0 + 0.5 * right))) ** 0.5
        shape = (2, 2 + right, filters, filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=uniform(scale, seed))
        self.bias = self.add_weight(name="bias", shape=(filters,), initializer="zeros")
        self.built = True

    def weights_in_use(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the kernel, of shape `(2, width, inputs, filters)`, and the bias."""
        return tf.cast(self.kernel, self.compute_dtype), tf.cast(self.bias, self.compute_dtype)

    def call(self, maps):
        """Takes and returns rotated maps, of shape `(batch, rows, columns, filters)`."""
        kernel, bias = self.weights_in_use()
        kernel = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))
        return add_bias(doubled(maps, kernel), bias)


class DownTransposed(TransposedConvolution):
    """The transpose of `DownConvolution`."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, 1, **kwargs)

    def output(self, coarse: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
        """Returns a row, given the coarse row it belongs to."""
        kernel, bias = self.weights_in_use()
        before, own, after = tf.unstack(kernel[row % 2])
        following = tf.pad(coarse[1:], ((0, 1), (0, 0), (0, 0)))
        odd = matmul(tf.concat([coarse, following], axis=-1), tf.concat([after, before], axis=0))
        columns, _, filters = coarse.shape
        y = tf.stack([matmul(coarse, own), odd], axis=1)
        return tf.reshape(y, (2 * columns, -1, filters)) + bias


class AcrossTransposed(TransposedConvolution):
    """The transpose of `AcrossConvolution`."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, 0, **kwargs)

    def output(self, coarse: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        """Returns a pixel, given the coarse row it belongs to."""
        kernel, bias = self.weights_in_use()
        return tf.matmul(tf.gather(coarse, column // 2), kernel[row % 2, column % 2]) + bias
