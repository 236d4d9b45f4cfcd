"""WGAN-GP: contracts, and a critic that measures a distance which is known."""

import keras
import numpy as np
import pytest
from contracts import AdversarialContract

from keras_gen.adversarial import WGANGP


class TestContract(AdversarialContract):
    """Every argument away from its default."""

    passes = 8

    def make_model(self, **changes):
        options = {
            "latent_distribution": "uniform",
            "latent_size": 3,
            "objective": "non_saturating",
            "regularizers": ({"name": "gradient_penalty", "weight": 2.0, "target": 0.5},),
            "discriminator_steps": 2,
            "generator_network": {"name": "convolutional", "filters": [3]},
            "discriminator_network": {"name": "residual", "filters": [3]},
            "name": "players",
        }
        return WGANGP(self.event_shape, 9, **{**options, **changes})


def test_a_penalized_linear_critic_finds_the_distance():
    """f(x) = w x against points at 3 and fakes at 0: -3 w + λ (|w| - 1)² is least at w = 1 + 3 / 2λ."""
    model = WGANGP(
        (1,),
        None,
        latent_size=1,
        discriminator_steps=1,
        generator_network={"name": "dense", "hidden_units": []},
        discriminator_network={"name": "dense", "hidden_units": []},
        standardize=False,
    )
    for weight in model.generator.weights:
        weight.assign(0.0 * weight)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.03), run_eagerly=True)
    model.discriminator.head.kernel.assign([[0.3]])
    x = np.full((8, 1), 3.0, np.float32)
    for _ in range(30):
        model.train_on_batch(x)
    assert model.discriminator.head.kernel.numpy() == pytest.approx(1.15, rel=1e-4)
    found = model.evaluate(x, verbose=0, return_dict=True)
    assert found["penalty"] == pytest.approx(10.0 * 0.15**2, rel=1e-3)
    assert found["discriminator_loss"] == pytest.approx(-3.0 * 1.15 + 10.0 * 0.15**2, rel=1e-4)
