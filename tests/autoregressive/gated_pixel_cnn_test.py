"""Tests of Gated PixelCNN: no blind spot, conditions, and the network against the paper's equations."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract, randomise
from small_data import colours

from keras_gen.autoregressive import GatedPixelCNN

COLOURS = {
    "event_shape": (2, 2, 3),
    "levels": 3,
    "filters": 6,
    "num_layers": 2,
    "head_filters": 9,
    "one_hot": True,
    "num_classes": 4,
    "seed": 5,
    "name": "gated",
}


class TestColours(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    """Red, green and blue in three levels given a class, every argument away from its default."""

    excluded_arguments = ("condition_size",)

    def make_model(self, **changes):
        return GatedPixelCNN(**{**COLOURS, **changes})

    def make_data(self):
        return colours()

    def make_enumerable(self):
        return self.make_model(event_shape=(1, 2, 3))


class TestBits(DiscreteDensityContract, AutoregressiveContract):
    """Images of which a pixel sees a part, on each side and above, given a vector."""

    def make_model(self):
        return GatedPixelCNN((6, 6, 1), filters=8, num_layers=2, head_filters=8, condition_size=3)

    def make_enumerable(self):
        return GatedPixelCNN((3, 4, 1), filters=8, num_layers=2, head_filters=8, condition_size=3)

    def sees(self, model):
        """The first layer reaches 3 pixels, and each other one more, to both sides in the rows above."""
        row, column = np.divmod(np.arange(model.num_positions), model.event_shape[1])
        up, left = row[:, np.newaxis] - row, column[:, np.newaxis] - column
        reach = 3 + model.num_layers - 1
        return ((up == 0) & (left >= 1) & (left <= reach)) | ((up >= 1) & (up <= reach) & (np.abs(left) <= reach))


class TestColoursAsNumbers(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self, **changes):
        return GatedPixelCNN(**{**COLOURS, "one_hot": False, **changes})

    def make_enumerable(self):
        return self.make_model(event_shape=(1, 2, 3))


class TestUnconditionalBits(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self):
        return GatedPixelCNN((3, 4, 1), filters=8, num_layers=2, head_filters=8)

    def make_enumerable(self):
        return self.make_model()


def convolved(maps, taps, kernel, bias):
    """A convolution written as a sum over its taps, (rows up, columns left), of one image."""
    rows, columns, _ = maps.shape
    y = np.zeros((rows, columns, kernel.shape[-1]))
    for (up, left), weights in zip(taps, kernel.reshape(len(taps), -1, kernel.shape[-1]), strict=True):
        for i in range(rows):
            for j in range(columns):
                if 0 <= i - up < rows and 0 <= j - left < columns:
                    y[i, j] += maps[i - up, j - left] @ weights
    return y + bias


def gate(x):
    a, b = np.split(x, 2, axis=-1)
    return np.tanh(a) / (1.0 + np.exp(-b))


def test_network_is_that_of_the_paper():
    model = randomise(GatedPixelCNN((4, 5, 1), filters=4, num_layers=3, head_filters=3, num_classes=2))
    x = np.random.default_rng(0).integers(0, 2, (4, 5, 1)).astype(np.float32)
    down = across = 2.0 * x - 1.0
    for index, layer in enumerate(model.gated_layers):
        first, reach = index == 0, 1 if index else 3
        rows = range(reach, 0 if first else -1, -1)
        vertical = [(up, left) for up in rows for left in range(reach, -reach - 1, -1)]
        horizontal = [(0, left) for left in range(reach, 0 if first else -1, -1)]
        # The condition is the second of two classes.
        for_down, for_across = np.split(layer.condition_kernel.numpy()[1], 2)
        seen = convolved(down, vertical, layer.vertical.kernel.numpy(), layer.vertical.bias.numpy())
        gates = convolved(across, horizontal, layer.horizontal.row.numpy(), layer.horizontal.bias.numpy())
        y = gate(gates + seen @ layer.link.numpy() + for_across)
        y = y @ layer.output_layer.row.numpy() + layer.output_layer.bias.numpy()
        down, across = gate(seen + for_down), y if first else across + y
    for layer in model.head:
        across = np.maximum(across, 0.0) @ layer.row.numpy() + layer.bias.numpy()
    found = model.parameters(tf.constant(x[np.newaxis]), tf.constant([1]))
    np.testing.assert_allclose(found[0, :, 0], across.reshape(-1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"event_shape": (4, 4)}, ValueError, r"`event_shape` must be \(height, width, channels\), received \(4, 4\)"),
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"filters": 0}, ValueError, "`filters` must be at least 1, received 0"),
        ({"filters": 4}, ValueError, "`filters` must be a multiple of the 3 channels, received 4"),
        ({"head_filters": 4}, ValueError, "`head_filters` must be a multiple of the 3 channels, received 4"),
        ({"num_layers": 0}, ValueError, "`num_layers` must be at least 1, received 0"),
        ({"num_classes": 0}, ValueError, "`num_classes` must be at least 1, received 0"),
        ({"num_classes": None, "condition_size": 0}, ValueError, "`condition_size` must be at least 1, received 0"),
        ({"condition_size": 2}, ValueError, "`condition_size` must be None where `num_classes` is given; received 2"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        GatedPixelCNN(**{**COLOURS, **arguments})
