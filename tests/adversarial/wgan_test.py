"""WGAN: contracts, and a critic that measures a distance which is known."""

import keras
import numpy as np
import pytest
from contracts import AdversarialContract

from keras_gen.adversarial import WGAN


class TestContract(AdversarialContract):
    """Every argument away from its default."""

    passes = 8

    def make_model(self, **changes):
        options = {
            "latent_distribution": "uniform",
            "latent_size": 3,
            "objective": "hinge",
            "regularizers": ({"name": "weight_clipping", "limit": 0.2},),
            "discriminator_steps": 2,
            "generator_network": {"name": "convolutional", "filters": [3]},
            "discriminator_network": {"name": "convolutional", "filters": [3], "batch_norm": False},
            "name": "players",
        }
        return WGAN(self.event_shape, 9, **{**options, **changes})

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.RMSprop(2e-3), **arguments)
        return model


def test_a_clipped_linear_critic_finds_the_distance():
    """Of points at 3 from fakes at 0, f(x) = w x with |w| ≤ c finds c times their distance, and is at the bound."""
    model = WGAN(
        (1,),
        None,
        latent_size=1,
        regularizers=({"name": "weight_clipping", "limit": 0.5},),
        discriminator_steps=1,
        generator_network={"name": "dense", "hidden_units": []},
        discriminator_network={"name": "dense", "hidden_units": []},
        standardize=False,
    )
    for weight in model.generator.weights:
        weight.assign(0.0 * weight)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.RMSprop(0.05), run_eagerly=True)
    x = np.full((8, 1), 3.0, np.float32)
    for _ in range(30):
        logs = model.train_on_batch(x, return_dict=True)
    assert model.discriminator.head.kernel.numpy() == pytest.approx(0.5)
    assert model.evaluate(x, verbose=0, return_dict=True)["discriminator_loss"] == pytest.approx(-1.5)
    assert np.isfinite(logs["loss"])
