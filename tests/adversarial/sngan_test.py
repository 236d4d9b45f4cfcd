"""SNGAN: plain and residual networks whose layers have norm 1, with classes by projection."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import AdversarialContract

import keras_gen
from keras_gen.adversarial import SNGAN, sngan
from keras_gen.core import saving
from keras_gen.layers import SpectralNormalization

SHAPE, LEVELS = (5, 4, 1), 9


RESIDUAL = {
    "generator_network": {"name": "residual", "filters": [3]},
    "discriminator_network": {"name": "residual", "filters": [3], "spectral_norm": True},
}


def make(**options):
    networks = {
        "generator_network": {"name": "convolutional", "filters": [3]},
        "discriminator_network": {**sngan.DISCRIMINATOR, "filters": [3]},
    }
    return SNGAN(SHAPE, LEVELS, **{**networks, "latent_size": 4, "num_classes": 3, **options})


class TestContract(AdversarialContract):
    """Every argument away from its default; residual networks have tests of their own."""

    passes = 4

    def make_model(self, **changes):
        options = {"objective": "non_saturating", "latent_distribution": "uniform"}
        return make(**{**options, "discriminator_steps": 2, "seed": 4, "name": "players", **changes})

    def make_data(self):
        return np.random.default_rng(0).integers(0, LEVELS, (32, *SHAPE)) // 4 * 4

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.Adam(1e-4), keras.optimizers.RMSprop(5e-3), **arguments)
        return model


@pytest.mark.parametrize(("options", "num_layers"), [({}, 3), (RESIDUAL, 7)], ids=["convolutional", "residual"])
def test_every_layer_of_the_discriminator_has_norm_one(options, num_layers):
    model = make(**options)
    layers = [layer for layer in model.discriminator._flatten_layers() if isinstance(layer, SpectralNormalization)]
    kernels = [weight for weight in model.discriminator.trainable_weights if weight.name == "kernel"]
    assert len(layers) == len(kernels) == num_layers
    for layer in layers:
        for _ in range(40):
            layer.vector.assign(layer.singular_vectors()[1])
        matrix = layer.kernel.numpy().reshape(-1, layer.kernel.shape[-1]) / float(layer.spectral_norm())
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1.0, rel=0.01)
    assert not any(isinstance(layer, SpectralNormalization) for layer in model.generator._flatten_layers())


def test_classes_are_projected_alone():
    """A class adds a linear function of the features: the logits of two classes differ by the difference of V."""
    model = make(**RESIDUAL)
    x = tf.constant(np.random.default_rng(0).integers(0, LEVELS, (4, *SHAPE)), tf.float32)
    features = model.discriminator.features(model.event_space.scaled(x))
    logits = [model.logits(x, tf.fill(4, y)) for y in range(3)]
    projection = model.discriminator.projection
    directions = projection.kernel / projection.spectral_norm()
    for y in range(1, 3):
        expected = tf.linalg.matvec(features, directions[y] - directions[0])
        np.testing.assert_allclose(logits[y] - logits[0], expected, rtol=1e-3, atol=1e-5)


def test_a_residual_model_trains_and_comes_back_from_a_file(tmp_path):
    model = make(**RESIDUAL, discriminator_steps=1)
    model.compile(run_eagerly=True)
    x, y = np.random.default_rng(0).integers(0, LEVELS, (6, *SHAPE)), np.arange(6) % 3
    before = model.get_weights()
    assert np.isfinite(model.train_on_batch(x, y, return_dict=True)["loss"])
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True) if a.ndim > 1)
    saving.save_model(model, tmp_path / "model.keras")
    copy = keras_gen.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy.sample(3, condition=y[:3], seed=0), model.sample(3, condition=y[:3], seed=0))
    np.testing.assert_array_equal(copy.discriminate(x, y), model.discriminate(x, y))


def test_defaults_are_the_papers():
    model = make(num_classes=None)
    model.compile()
    assert (model.objective, model.discriminator_steps, model.latent_distribution) == ("hinge", 5, "normal")
    for optimizer in (model.optimizer, model.discriminator_optimizer):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
