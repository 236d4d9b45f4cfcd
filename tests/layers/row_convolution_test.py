"""Tests of the masked convolutions over rows: against ordinary ones, and entry by entry against whole maps."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import randomise

from keras_gen.layers.row_convolution import RowConvolution, by_entry, by_pixel

GROUPS = pytest.mark.parametrize("groups", [1, 3])


@GROUPS
def test_row_convolution_is_the_ordinary_one_with_mask_b(groups):
    layer = randomise(RowConvolution(6, 9, groups, width=2, seed=(0,)))
    maps = np.random.default_rng(1).standard_normal((4, 5, 2, 6)).astype(np.float32)
    kernel = layer.kernel.numpy().reshape(1, 2, 6, 9).copy()
    for group in range(groups):
        kernel[0, 1, 6 // groups * (group + 1) :, 9 // groups * group : 9 // groups * (group + 1)] = 0.0
    padded = np.pad(np.transpose(maps, (2, 0, 1, 3)), ((0, 0), (0, 0), (1, 0), (0, 0)))
    expected = np.transpose(tf.nn.conv2d(padded, kernel, 1, "VALID"), (1, 2, 0, 3)) + layer.bias.numpy()
    np.testing.assert_allclose(layer(maps), expected, rtol=1e-4, atol=1e-5)


@GROUPS
@pytest.mark.parametrize("width", [1, 2])
def test_row_convolution_entry_by_entry(groups, width):
    layer = randomise(RowConvolution(6, 9, groups, width=width, seed=(0,)))
    maps = np.random.default_rng(1).standard_normal((3, 5, 2, 6)).astype(np.float32)
    whole, state = layer(maps), layer.start(5, 2)
    for row in range(3):
        inputs, expected = by_entry(tf.constant(maps[row]), groups), by_entry(whole[row], groups)
        for entry in range(5 * groups):
            state, found = layer.advance(state, tf.constant(entry), inputs[entry])
            np.testing.assert_allclose(found, expected[entry], rtol=1e-4, atol=1e-5)


def test_entries_are_the_groups_of_pixels_in_order():
    row = tf.reshape(tf.range(12.0), (2, 1, 6))
    entries = by_entry(row, 3)
    np.testing.assert_array_equal(entries[:, 0], np.arange(12).reshape(6, 2))
    np.testing.assert_array_equal(by_pixel(entries, 3), row)
