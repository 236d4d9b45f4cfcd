"""Conditional GAN: samples follow a class, or a vector."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import AdversarialContract

from keras_gen.adversarial import ConditionalGAN

SMALL = {
    "latent_size": 2,
    "generator_network": {"name": "dense", "noise_units": 8, "condition_units": 8, "hidden_units": [16]},
    "discriminator_network": {
        "name": "maxout",
        "units": [16, 16],
        "pieces": [2, 2],
        "condition_units": 8,
        "condition_pieces": 2,
        "dropout": 0.0,
        "input_dropout": 0.0,
    },
}


class TestContract(AdversarialContract):
    """Every argument away from its default: vectors given vectors."""

    def make_model(self, **changes):
        options = {"num_classes": None, "condition_size": 3, "name": "players"}
        options |= {"output_activation": "tanh", "objective": "minimax"}
        return ConditionalGAN((4,), None, **{**SMALL, **options, **changes})

    def make_data(self):
        return (3.0 + np.random.default_rng(0).standard_normal((32, 4))).astype(np.float32)


def test_networks_of_the_paper():
    model = ConditionalGAN((28, 28, 1))
    shapes = [tuple(weight.shape) for weight in model.generator.weights if weight.name == "kernel"]
    assert sorted(shapes) == sorted([(100, 200), (10, 1000), (1200, 1200), (1200, 784)])
    shapes = [tuple(weight.shape) for weight in model.discriminator.weights if weight.name == "kernel"]
    assert sorted(shapes) == sorted([(784, 240 * 5), (10, 50 * 5), (240 + 50, 240 * 4), (240, 1)])


def test_vectors_given_vectors():
    """Examples are twice their condition, and so are samples."""
    random = np.random.default_rng(0)
    y = random.choice([-1.0, 1.0], (512, 2)).astype(np.float32)
    x = 2.0 * y + 0.1 * random.standard_normal((512, 2)).astype(np.float32)
    model = ConditionalGAN((2,), None, condition_size=2, regularizers=({"name": "r1", "weight": 0.1},), **SMALL)
    optimizers = (keras.optimizers.Adam(0.005, beta_1=0.5) for _ in range(2))
    model.compile(*optimizers, steps_per_execution=8)
    model.fit(x, y, batch_size=64, epochs=40, verbose=0)
    given = np.repeat([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]], 50, axis=0).astype(np.float32)
    samples = model.sample(150, condition=given, seed=0).numpy()
    assert np.mean(np.abs(samples - 2.0 * given)) < 0.7
    assert np.mean(np.sign(samples) == np.sign(given)) > 0.97


def test_a_vector_takes_the_place_of_the_classes():
    model = ConditionalGAN((2,), None, condition_size=3, **SMALL)
    assert (model.num_classes, model.condition_size) == (None, 3)
    copy = ConditionalGAN.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert model.sample(2, condition=np.eye(3)[:2], seed=0).shape == (2, 2)
    with pytest.raises(ValueError, match="`num_classes` or `condition_size` must be given; received None for both"):
        ConditionalGAN((2,), None, num_classes=None)


def test_a_condition_weighs_as_much_as_an_image_from_the_start():
    discriminator = ConditionalGAN((28, 28, 1)).discriminator
    random = np.random.default_rng(0)
    images = np.where(random.random((50, 784)) < 0.2, random.random((50, 784)), 0.0).astype(np.float32)
    of_images = discriminator.maxout_layers[0](images).numpy().std(axis=0).mean()
    of_classes = discriminator.condition_layer(tf.eye(10)).numpy().std(axis=0).mean()
    assert 0.5 < of_classes / of_images < 2.0

    discriminator = ConditionalGAN((28, 28, 1), num_classes=None, condition_size=10).discriminator
    vectors = random.standard_normal((50, 10)).astype(np.float32)
    of_vectors = discriminator.condition_layer(vectors).numpy().std(axis=0).mean()
    assert 0.3 < of_vectors / of_images < 2.0
