"""Tests of PixelRNN: what a pixel sees, and both LSTMs against the paper's equations, pixel by pixel."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract, randomise
from small_data import colours

from keras_gen.autoregressive import DiagonalBiLSTM, RowLSTM
from keras_gen.autoregressive.pixel_rnn import skew, unskew

COLOURS = {
    "event_shape": (2, 2, 3),
    "levels": 3,
    "units": 6,
    "num_layers": 1,
    "head_units": 9,
    "seed": 5,
    "name": "rnn",
}
MODELS = pytest.mark.parametrize("model_class", [RowLSTM, DiagonalBiLSTM])


class Colours(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    """Red, green and blue in three levels, every argument away from its default."""

    def make_model(self, **changes):
        return self.model_class(**{**COLOURS, **changes})

    def make_data(self):
        return colours()

    def make_enumerable(self):
        return self.make_model(event_shape=(1, 2, 3))


class TestRowLSTMColours(Colours):
    model_class = RowLSTM


class TestDiagonalBiLSTMColours(Colours):
    """Only red and green: each channel adds a step of the LSTM to the graph of a row."""

    model_class = DiagonalBiLSTM

    def make_model(self, **changes):
        return super().make_model(**{"event_shape": (2, 2, 2), "head_units": 8, **changes})

    def make_data(self):
        return colours()[..., :2]

    def make_enumerable(self):
        return self.make_model(event_shape=(1, 3, 2))


class TestRowLSTMBits(DiscreteDensityContract, AutoregressiveContract):
    """Wide images, of which a pixel sees only a triangle."""

    def make_model(self):
        return RowLSTM((3, 8, 1), units=8, num_layers=1, head_units=8)

    def make_enumerable(self):
        return RowLSTM((3, 4, 1), units=8, head_units=8)

    def sees(self, model):
        """The 7×7 convolution reaches 3 pixels to each side, and each step to the next row one more; the convolution
        along the row in each layer reaches one more to the left. In its own row a pixel sees only those on its left."""
        row, column = np.divmod(np.arange(model.num_positions), model.event_shape[1])
        up, left = row[:, np.newaxis] - row, column[:, np.newaxis] - column
        beside = (up == 0) & (left >= 1) & (left <= 3 + model.num_layers)
        # On the right, the 7×7 convolution itself bridges the first of the rows.
        above = (up >= 1) & (left <= 3 + model.num_layers + up) & (left >= -(3 + up - 1))
        return beside | above


class TestDiagonalBiLSTMBits(DiscreteDensityContract, AutoregressiveContract):
    """Wide images, which a pixel sees completely."""

    def make_model(self):
        return DiagonalBiLSTM((3, 6, 1), units=8, num_layers=1, head_units=8)

    def make_enumerable(self):
        return DiagonalBiLSTM((3, 4, 1), units=8, head_units=8)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def lstm_by_hand(gates, cell):
    """One pixel; the gates of each of three groups of two features are o, f, i and g."""
    o, f, i, g = np.moveaxis(gates.reshape(3, 4, 2), 1, 0).reshape(4, 6)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def convolved(layer, inputs):
    return inputs @ (layer.kernel.numpy() * layer.mask) + layer.bias.numpy()


@pytest.fixture(scope="module")
def maps():
    """Features of one image of 4 rows and 5 columns."""
    return np.random.default_rng(1).standard_normal((4, 5, 12)).astype(np.float32)


def test_row_lstm_by_hand(maps):
    block = randomise(RowLSTM(**{**COLOURS, "event_shape": (4, 5, 3)})).blocks[0]
    rows, columns, _ = maps.shape
    # Around the image, a row above and a column on each side are zero.
    hidden, cells = np.zeros((2, rows + 1, columns + 2, 6))
    kernel, nothing = block.from_state.numpy(), np.zeros(12)
    for i in range(rows):
        for j in range(columns):
            inputs = np.concatenate([maps[i, j - 1] if j else nothing, maps[i, j]])
            gates = convolved(block.from_input, inputs) + hidden[i, j : j + 3].reshape(-1) @ kernel
            hidden[i + 1, j + 1], cells[i + 1, j + 1] = lstm_by_hand(gates, cells[i, j + 1])
    found = block.hidden_maps(tf.constant(maps[:, :, np.newaxis]))[:, :, 0]
    np.testing.assert_allclose(found, hidden[1:, 1:-1], rtol=1e-4, atol=1e-6)


def test_diagonal_bi_lstm_by_hand(maps):
    block = randomise(DiagonalBiLSTM(**{**COLOURS, "event_shape": (4, 4, 3)})).blocks[0]
    rows, columns, _ = maps.shape

    def direction(layer, kernel, order, beside):
        hidden, cells = np.zeros((2, rows + 1, columns + 2, 6))
        for i in range(rows):
            for j in order:
                neighbours = np.concatenate([hidden[i + 1, j + 1 + beside], hidden[i, j + 1]])
                gates = convolved(layer, maps[i, j]) + neighbours @ kernel.numpy()
                hidden[i + 1, j + 1], cells[i + 1, j + 1] = lstm_by_hand(gates, cells[i + 1, j + 1 + beside])
        return hidden[:, 1:-1]

    left = direction(block.from_input, block.from_state, range(columns), -1)
    right = direction(block.from_input_right, block.from_state_right, range(columns)[::-1], 1)
    found = block.hidden_maps(tf.constant(maps[:, :, np.newaxis]))[:, :, 0]
    # The second direction is that of the row above, of which the first row has none.
    np.testing.assert_allclose(found, left[1:] + right[:-1], rtol=1e-4, atol=1e-6)


def test_skewed_columns_are_diagonals():
    maps = np.arange(1, 13, dtype=np.float32).reshape(3, 4, 1, 1)
    skewed = skew(tf.constant(maps))
    np.testing.assert_array_equal(
        tf.transpose(skewed[..., 0, 0]), [[1, 2, 3, 4, 0, 0], [0, 5, 6, 7, 8, 0], [0, 0, 9, 10, 11, 12]]
    )
    np.testing.assert_array_equal(unskew(skewed, 4), maps)


@MODELS
def test_compiled_gradients_are_the_same(model_class):
    model = randomise(model_class((2, 3, 1), units=4, num_layers=1, head_units=4))
    x = np.random.default_rng(0).integers(0, 2, (8, 2, 3, 1)).astype(np.float32)

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.log_prob(x))
        return tape.gradient(loss, model.trainable_variables)

    plain, compiled = gradients(), tf.function(gradients, jit_compile=True)()
    for ours, theirs in zip(compiled, plain, strict=True):
        assert np.any(theirs != 0.0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)


@MODELS
@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"event_shape": (4, 4)}, ValueError, r"`event_shape` must be \(height, width, channels\), received \(4, 4\)"),
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"units": 0}, ValueError, "`units` must be at least 1, received 0"),
        ({"units": 4}, ValueError, "`units` must be a multiple of the 3 channels, received 4"),
        ({"head_units": 4}, ValueError, "`head_units` must be a multiple of the 3 channels, received 4"),
        ({"num_layers": 0}, ValueError, "`num_layers` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(model_class, arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        model_class(**{**COLOURS, **arguments})
