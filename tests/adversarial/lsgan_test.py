"""LSGAN: contracts; its losses are tested with the others."""

import keras
import numpy as np
from contracts import ModelContract

from keras_gen.adversarial import LSGAN


class TestContract(ModelContract):
    """Every argument away from its default."""

    falling_term = "discriminator_loss"

    def make_model(self, **changes):
        options = {
            "objective": {"name": "least_squares", "fake": 0.0, "real": 1.0, "wanted": 1.0},
            "latent_size": 3,
            "generator_network": {"name": "dense", "hidden_units": [6]},
            "discriminator_network": {"name": "dense", "hidden_units": [6]},
            "name": "players",
        }
        return LSGAN((4, 4, 1), 9, **{**options, **changes})

    def make_data(self):
        return np.random.default_rng(0).integers(0, 9, (32, 4, 4, 1)) // 4 * 4

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.Adam(5e-3), **arguments)
        return model

    def optimizers(self, model):
        return [model.optimizer, model.discriminator_optimizer]
