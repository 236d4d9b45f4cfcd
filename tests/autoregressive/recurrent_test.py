"""Tests of the recurrent autoregressive model: its cells against Keras' own, every kind of entry, conditions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    AutoregressiveContract,
    ContinuousDensityContract,
    DiscreteDensityContract,
    ModelContract,
    randomise,
)
from small_data import rows_of_levels

from keras_gen.autoregressive import RecurrentAR

LEVELS = {
    "event_shape": (2, 3),
    "hidden_units": (8, 6),
    "levels": 3,
    "cell": "gru",
    "num_components": 3,
    "num_classes": 4,
    "seed": 5,
    "name": "recurrent",
}


class TestLevels(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    """Three levels given a class, every argument away from its default."""

    def make_model(self, **changes):
        return RecurrentAR(**{**LEVELS, **changes})

    def make_data(self):
        return rows_of_levels()

    def make_enumerable(self):
        return self.make_model()


class TestBits(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self):
        return RecurrentAR((8,), (8,), cell="lstm")

    def make_enumerable(self):
        return self.make_model()


class TestRealNumbers(ContinuousDensityContract, AutoregressiveContract):
    def make_model(self):
        return RecurrentAR((6,), (8,), None, cell="simple", num_components=3)

    def make_plane(self):
        return randomise(RecurrentAR((2,), (8,), None, cell="simple", num_components=3))


def keras_layer(model):
    """Returns Keras' layer with the weights of the model's."""
    layer, units = model.recurrent_layers[0], model.hidden_units[0]
    kernel, recurrent, bias = (w.numpy() for w in (layer.kernel, layer.recurrent_kernel, layer.bias))
    if model.cell == "simple":
        theirs, weights = keras.layers.SimpleRNN(units, return_sequences=True), [kernel, recurrent, bias]
    elif model.cell == "gru":
        theirs = keras.layers.GRU(units, return_sequences=True, reset_after=True)
        zeros = np.zeros(2 * units, np.float32)
        weights = [kernel, recurrent, np.stack([bias, np.concatenate([zeros, layer.candidate_bias.numpy()])])]
    else:
        theirs = keras.layers.LSTM(units, return_sequences=True)

        def in_their_order(weight):
            o, f, i, g = np.split(weight, 4, axis=-1)
            return np.concatenate([i, f, g, o], axis=-1)

        weights = [in_their_order(weight) for weight in (kernel, recurrent, bias)]
    theirs.build((None, None, kernel.shape[0]))
    theirs.set_weights(weights)
    return theirs


@pytest.mark.parametrize("cell", ["simple", "gru", "lstm"])
def test_states_and_gradients_are_those_of_keras(cell):
    model = randomise(RecurrentAR((12,), (5,), cell=cell))
    layer, theirs = model.recurrent_layers[0], keras_layer(model)
    x = tf.constant(np.random.default_rng(0).standard_normal((7, 3, 1)).astype(np.float32))
    ours = layer.trainable_weights
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        h = layer(x)
        expected = tf.transpose(theirs(tf.transpose(x, (1, 0, 2))), (1, 0, 2))
        losses = [tf.reduce_sum(tf.sin(states)) for states in (h, expected)]
    np.testing.assert_allclose(h, expected, rtol=1e-4, atol=1e-5)
    found, wanted = (
        tape.gradient(loss, [x, weights[0].value, weights[1].value])
        for loss, weights in zip(losses, (ours, theirs.trainable_weights), strict=True)
    )
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-3, atol=1e-5)
    for first, second in zip(found[1:], wanted[1:], strict=True):
        # Keras' gates come in another order.
        np.testing.assert_allclose(np.sort(first, axis=None), np.sort(second, axis=None), rtol=1e-3, atol=1e-5)


def test_density_is_that_of_the_recurrence():
    model = randomise(RecurrentAR((4,), (3,), cell="simple"))
    layer, x = model.recurrent_layers[0], np.array([1, 0, 1, 1], np.float32)
    h, log_prob = np.zeros(3), 0.0
    for before, entry in zip([0.0, *x[:-1]], x, strict=True):
        h = np.tanh(before * layer.kernel.numpy()[0] + h @ layer.recurrent_kernel.numpy() + layer.bias.numpy())
        logit = (h @ model.head.kernel.numpy() + model.head.bias.numpy())[0]
        log_prob -= np.logaddexp(0.0, -logit if entry else logit)
    np.testing.assert_allclose(model.log_prob(x[np.newaxis])[0], log_prob, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"hidden_units": ()}, ValueError, r"`hidden_units` must hold the width of at least one layer, received \(\)"),
        ({"hidden_units": (4, 0)}, ValueError, "`hidden_units` must be at least 1, received 0"),
        ({"cell": "LSTM"}, ValueError, "`cell` .LSTM. is unknown; expected one of simple, gru, lstm"),
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"num_components": 0}, ValueError, "`num_components` must be at least 1, received 0"),
        ({"num_classes": 0}, ValueError, "`num_classes` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        RecurrentAR(**{**LEVELS, **arguments})
