"""A convolution over the preceding pixels, for whole images and for single channels of single pixels.

The features of a map are divided into one group per channel of the image, in the order of the channels. Features of a
group see all preceding pixels and the earlier channels of their own pixel, so red, green and blue follow each other. A
row is sampled entry by entry, where an entry is one channel of one pixel; caches of a row have the shape
`(entries, batch, features of a group)`.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers.bias import add_bias
from keras_gen.layers.convolution import conv2d
from keras_gen.layers.dense import matmul
from keras_gen.layers.initializers import uniform
from keras_gen.layers.loops import set_slice
from keras_gen.layers.row_convolution import by_entry, by_pixel, flat, groups_of, of_group


class MaskedConvolution(keras.layers.Layer):
    r"""Convolution with mask A or B, which has weights only for the taps that the mask keeps.

    With r rows and c columns, the pixel in row i and column j sees the pixels of rows i - r to i - 1 in columns j - c
    to j + c, the pixels of its own row in columns j - c to j - 1, and of the pixel itself

    - with mask A, the groups before each group; with only one group, nothing;
    - with mask B, also each group itself.

    Whole maps are rotated by 180°, so that earlier pixels are below and on the right: TensorFlow then pads a kernel of
    2×3 as needed, without a padded copy. One convolution over r + 1 rows was measured to be faster than one for the
    rows above plus another for the pixels on the left, and faster than a matrix product with gathered pixels; a
    convolution over single pixels is a matrix product.

    Args:
        inputs: number of features of the input.
        filters: number of features of the output.
        rows: number r of rows above.
        columns: number c of columns on each side; a kernel of 3×3 has `rows=1, columns=1`.
        mask: "A" or "B".
        groups: number of groups of features, both of the input and of the output.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        rows: int,
        columns: int,
        mask: str,
        *,
        groups: int = 1,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.inputs = inputs
        self.filters = filters
        self.rows = rows
        self.columns = columns
        self.groups = groups
        self.mask = checks.choice("mask", mask, ("A", "B"))
        # With mask A, the pixel itself has a tap only if one group can see another.
        self.row_taps = columns + (mask == "B" or groups > 1)
        above_taps = rows * (2 * columns + 1)
        # Glorot's variance for the existing taps.
        scale = (6.0 / ((above_taps + self.row_taps) * (inputs + filters))) ** 0.5
        # One row of a kernel for each feature of each tap.
        self.above = None
        if rows:
            shape = (above_taps * inputs, filters)
            self.above = self.add_weight(name="above", shape=shape, initializer=uniform(scale, (*seed, 0)))
        shape = (self.row_taps * inputs, filters)
        self.row = self.add_weight(name="row", shape=shape, initializer=uniform(scale, (*seed, 1)))
        self.bias = self.add_weight(name="bias", shape=(filters,), initializer="zeros")
        self.row_mask = None
        if groups > 1:
            self.row_mask = np.ones(self.row.shape, np.float32)
            first, second = groups_of(inputs, groups)[:, np.newaxis], groups_of(filters, groups)
            self.row_mask[-inputs:] = first < second if mask == "A" else first <= second
        self.built = True

    def weights_in_use(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the kernel of the pixels on the left and of the pixel itself, its groups masked; and the bias."""
        row = tf.convert_to_tensor(self.row)
        row = row if self.row_mask is None else row * self.row_mask
        return tf.cast(row, self.compute_dtype), tf.cast(self.bias, self.compute_dtype)

    def call(self, maps):
        """Takes maps of shape `(batch, rows, columns, inputs)`, rotated by 180°, and returns rotated maps."""
        kernel, bias = self.weights_in_use()
        rows, columns = self.rows, self.columns
        if columns == 0:
            return add_bias(matmul(maps, kernel), bias)
        width = 2 * columns + 1 if rows else columns + 1
        kernel = tf.pad(kernel, ((0, (width - self.row_taps) * self.inputs), (0, 0)))
        if rows:
            kernel = tf.concat([tf.cast(self.above, self.compute_dtype), kernel], axis=0)
        kernel = tf.reverse(tf.reshape(kernel, (rows + 1, width, self.inputs, self.filters)), (0, 1))
        return add_bias(convolved(maps, kernel, (0, rows), (columns if rows else 0, columns)), bias)

    # Sampling

    def start(self, columns: int, batch_size: tf.Tensor):
        """Returns the state before the first row.

        It holds the last rows and the inputs of the current row so far, both with padding on each side, and the
        contribution of the last rows to each entry of the current row.
        """
        padded = columns + 2 * self.columns
        zeros = {
            "rows": (self.rows, padded, batch_size, self.inputs),
            # A convolution over single pixels needs only the current one.
            "row": ((padded if self.columns else 1) * self.groups, batch_size, self.inputs // self.groups),
            "above": (columns * self.groups, batch_size, self.filters // self.groups),
        }
        if self.rows == 0:
            zeros = {"row": zeros["row"]}
        return {name: tf.zeros(shape, self.compute_dtype) for name, shape in zeros.items()}

    def begin_row(self, state):
        """Returns the state before the first entry of the next row, after all entries of the last row."""
        row = tf.zeros_like(state["row"])
        if self.rows == 0:
            return {"row": row}
        rows = tf.concat([state["rows"][1:], by_pixel(state["row"], self.groups)[tf.newaxis]], axis=0)
        columns = rows.shape[1] - 2 * self.columns
        taps = [rows[i, j : j + columns] for i in range(self.rows) for j in range(2 * self.columns + 1)]
        above = matmul(tf.concat(taps, axis=-1), tf.cast(self.above, self.compute_dtype))
        return {"rows": rows, "row": row, "above": by_entry(above, self.groups)}

    def observe(self, state, entry: tf.Tensor, x: tf.Tensor):
        """Returns the state after the input of an entry of the row, of shape `(batch, inputs / groups)`."""
        if self.columns == 0 and self.groups == 1:
            return {"row": x[tf.newaxis]}
        entry = entry + self.columns * self.groups if self.columns else entry % self.groups
        return {**state, "row": set_slice(state["row"], entry, x)}

    def output(self, state, entry: tf.Tensor) -> tf.Tensor:
        """Returns the output of an entry, of shape `(batch, filters / groups)`.

        With mask B the input of the entry has been observed. Inputs of later groups may have any value; they are
        masked.
        """
        group = entry % self.groups
        window = state["row"]
        if self.columns:
            window = tf.gather(window, entry - group + tf.range(self.row_taps * self.groups))
        kernel, bias = self.weights_in_use()
        if self.groups > 1:
            kernel, bias = of_group(kernel, group, self.groups), of_group(bias, group, self.groups)
        y = add_bias(tf.matmul(flat(window), kernel), bias)
        return y + state["above"][entry] if self.rows else y

    def advance(self, state, entry: tf.Tensor, x: tf.Tensor):
        """Takes the input of an entry and returns the state and the output of the entry, for mask B."""
        state = self.observe(state, entry, x)
        return state, self.output(state, entry)


def convolved(maps: tf.Tensor, kernel: tf.Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> tf.Tensor:
    """Returns the convolution of maps padded by `rows` above and below, and by `columns` on the left and the right."""
    # "SAME" pads like this, without a copy, if the second number of each pair equals the first one or is one more.
    if all(second - first in (0, 1) for first, second in (rows, columns)):
        return conv2d(maps, kernel, 1, "SAME")
    return conv2d(tf.pad(maps, ((0, 0), rows, columns, (0, 0))), kernel, 1, "VALID")
