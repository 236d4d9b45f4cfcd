"""Tests of the masked convolution against an ordinary one whose kernel is multiplied by the mask."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import MaskedConvolution

KINDS = pytest.mark.parametrize(
    ("rows", "columns", "mask", "groups"),
    [
        (3, 3, "A", 1),
        (1, 1, "A", 1),
        (1, 1, "B", 1),
        (2, 2, "B", 1),
        (1, 2, "B", 1),
        (0, 3, "A", 1),
        (0, 1, "B", 1),
        (0, 0, "B", 1),
        (3, 3, "A", 3),
        (0, 3, "A", 3),
        (1, 1, "B", 3),
        (0, 1, "B", 3),
        (0, 0, "A", 3),
        (0, 0, "B", 3),
    ],
)
INPUTS, FILTERS, ROWS, COLUMNS, BATCH = 6, 9, 5, 4, 2


def make_layer(*arguments):
    rows, columns, mask, groups = arguments
    layer = MaskedConvolution(INPUTS, FILTERS, rows, columns, mask, groups=groups, seed=(0,))
    layer.bias.assign(np.arange(1, FILTERS + 1))
    return layer


def written_out(layer) -> np.ndarray:
    """Returns the kernel of an ordinary convolution, after asking that it is zero where the mask is."""
    rows, columns = layer.rows, layer.columns
    kernel = np.zeros((2 * rows + 1, 2 * columns + 1, INPUTS, FILTERS), np.float32)
    if rows:
        kernel[:rows] = tf.reshape(layer.above, (rows, -1, INPUTS, FILTERS))
    kernel[rows, : layer.row_taps] = tf.reshape(layer.row, (-1, INPUTS, FILTERS))
    if layer.mask == "A" and layer.groups == 1:
        assert layer.row_taps == columns
    else:
        for i in range(INPUTS):
            for j in range(FILTERS):
                first, second = i * layer.groups // INPUTS, j * layer.groups // FILTERS
                kernel[rows, columns, i, j] *= first < second if layer.mask == "A" else first <= second
    return kernel


@pytest.fixture(scope="module")
def maps():
    return np.random.default_rng(0).standard_normal((BATCH, ROWS, COLUMNS, INPUTS)).astype(np.float32)


@KINDS
def test_taps_are_those_of_an_ordinary_convolution(maps, rows, columns, mask, groups):
    layer = make_layer(rows, columns, mask, groups)
    expected = tf.nn.conv2d(maps, written_out(layer), 1, "SAME") + layer.bias
    np.testing.assert_allclose(layer(maps[:, ::-1, ::-1])[:, ::-1, ::-1], expected, rtol=1e-4, atol=1e-5)


@KINDS
def test_every_weight_that_the_mask_leaves_counts(maps, rows, columns, mask, groups):
    layer = make_layer(rows, columns, mask, groups)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(maps) ** 2)
    stored, kept = 0, np.count_nonzero(written_out(layer)) + FILTERS
    for weight, gradient in zip(layer.weights, tape.gradient(loss, layer.weights), strict=True):
        if weight is layer.row and layer.row_mask is not None:
            np.testing.assert_array_equal(gradient.numpy() != 0.0, layer.row_mask != 0.0)
            stored -= np.count_nonzero(layer.row_mask == 0.0)
        else:
            assert np.all(gradient.numpy() != 0.0)
        stored += int(np.prod(weight.shape))
    assert stored == kept


@KINDS
def test_entry_by_entry_is_the_same(maps, rows, columns, mask, groups):
    """Inputs are observed as soon as the mask allows it, and not before."""
    layer = make_layer(rows, columns, mask, groups)
    entries = maps.reshape(BATCH, ROWS, COLUMNS * groups, INPUTS // groups)
    state, found = layer.start(COLUMNS, BATCH), []
    for row in range(ROWS):
        state = layer.begin_row(state)
        for entry in range(COLUMNS * groups):
            step, x = tf.constant(entry), tf.constant(entries[:, row, entry])
            if mask == "B":
                state = layer.observe(state, step, x)
            found.append(layer.output(state, step))
            if mask == "A":
                state = layer.observe(state, step, x)
    found = np.stack(found, axis=1).reshape(BATCH, ROWS, COLUMNS, FILTERS)
    expected = tf.nn.conv2d(maps, written_out(layer), 1, "SAME") + layer.bias
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_mask_has_a_name():
    with pytest.raises(ValueError, match="`mask` 'C' is unknown; expected one of A, B"):
        MaskedConvolution(1, 1, 1, 1, "C", seed=(0,))
