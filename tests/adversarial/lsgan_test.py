"""LSGAN: contracts; its losses are tested with the others."""

import keras
from contracts import AdversarialContract

from keras_gen.adversarial import LSGAN


def network(*layers) -> keras.Sequential:
    """Returns layers of Keras behind a dense one with batch normalization, all of them with seeds."""
    hidden = keras.layers.Dense(6, "tanh", kernel_initializer=keras.initializers.GlorotUniform(1))
    return keras.Sequential([hidden, keras.layers.BatchNormalization(momentum=0.9), *layers])


def dense(units: int) -> keras.layers.Layer:
    """Returns a dense layer with a seed."""
    return keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(2))


class TestContract(AdversarialContract):
    """Every argument away from its default: players of one's own, with batch normalization."""

    event_shape = (4, 4, 1)

    def make_model(self, **changes):
        options = {
            "objective": {"name": "least_squares", "fake": 0.0, "real": 1.0, "wanted": 1.0},
            "latent_size": 3,
            "generator_network": network(dense(16), keras.layers.Reshape(self.event_shape)),
            "discriminator_network": keras.Sequential([keras.layers.Flatten(), network(dense(1))]),
            "name": "players",
        }
        return LSGAN(self.event_shape, 9, **{**options, **changes})
