"""Two players."""

import keras
import numpy as np

from contracts.sampling import ModelContract


class AdversarialContract(ModelContract):
    """What holds for two players; here, of small images with three of nine levels."""

    # Two players chase each other: the generator fools a discriminator less and less while that learns.
    falling_term = "discriminator_loss"
    event_shape = (5, 4, 1)

    def make_data(self):
        return np.random.default_rng(0).integers(0, 9, (32, *self.event_shape)) // 4 * 4

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.Adam(5e-3), **arguments)
        return model
