"""Tests of PixelCNN: what a pixel sees, blind spot included, and the network against the paper's."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract, randomise
from small_data import colours

from keras_gen.autoregressive import PixelCNN

COLOURS = {
    "event_shape": (2, 2, 3),
    "levels": 3,
    "filters": 6,
    "num_blocks": 1,
    "head_filters": 9,
    "seed": 5,
    "name": "cnn",
}


class TestColours(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    """Red, green and blue in three levels, every argument away from its default."""

    def make_model(self, **changes):
        return PixelCNN(**{**COLOURS, **changes})

    def make_data(self):
        return colours()

    def make_enumerable(self):
        return self.make_model(event_shape=(1, 2, 3))


class TestBits(DiscreteDensityContract, AutoregressiveContract):
    """Images of which a pixel sees a part, on each side and above."""

    def make_model(self):
        return PixelCNN((6, 6, 1), filters=8, num_blocks=1, head_filters=8)

    def make_enumerable(self):
        return PixelCNN((3, 4, 1), filters=8, num_blocks=2, head_filters=8)

    def sees(self, model):
        """With n blocks: the 7×7 convolution reaches 3 pixels, and each 3×3 convolution one more. To the right, a
        convolution only reaches from a row above, so the 7×7 one bridges the first of the rows; each pixel further
        to the right than its 3 takes one more row. That is the blind spot."""
        row, column = np.divmod(np.arange(model.num_positions), model.event_shape[1])
        up, left = row[:, np.newaxis] - row, column[:, np.newaxis] - column
        reach = 3 + model.num_blocks
        beside = (up == 0) & (left >= 1) & (left <= reach)
        above = (up >= 1) & (up <= reach) & (left <= reach) & (-left <= np.minimum(3 + up - 1, reach))
        return beside | above


def test_network_is_that_of_ordinary_masked_convolutions():
    model = randomise(PixelCNN((5, 4, 1), filters=4, num_blocks=2, head_filters=3))
    x = np.random.default_rng(0).integers(0, 2, (3, 5, 4, 1)).astype(np.float32)

    def convolved(layer, maps):
        rows, columns, shape = layer.rows, layer.columns, (layer.inputs, layer.filters)
        kernel = np.zeros((2 * rows + 1, 2 * columns + 1, *shape), np.float32)
        if rows:
            kernel[:rows] = tf.reshape(layer.above, (rows, -1, *shape))
        kernel[rows, : layer.row_taps] = tf.reshape(layer.row, (-1, *shape))
        return tf.nn.conv2d(maps, kernel, 1, "SAME") + layer.bias

    maps = convolved(model.input_layer, 2.0 * x - 1.0)
    for block in model.blocks:
        narrow, masked, wide = block.convolutions
        maps += convolved(wide, tf.nn.relu(convolved(masked, tf.nn.relu(convolved(narrow, tf.nn.relu(maps))))))
    for layer in model.head:
        maps = convolved(layer, tf.nn.relu(maps))
    np.testing.assert_allclose(model.parameters(x)[..., 0], tf.reshape(maps, (3, 20)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"event_shape": (4, 4)}, ValueError, r"`event_shape` must be \(height, width, channels\), received \(4, 4\)"),
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"filters": 0}, ValueError, "`filters` must be at least 1, received 0"),
        ({"filters": 4}, ValueError, "`filters` must be a multiple of the 3 channels, received 4"),
        ({"head_filters": 4}, ValueError, "`head_filters` must be a multiple of the 3 channels, received 4"),
        ({"num_blocks": 0}, ValueError, "`num_blocks` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        PixelCNN(**{**COLOURS, **arguments})
