"""InfoGAN: a bound of the information that never exceeds the code's entropy, and a generator that carries the code."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import AdversarialContract, randomise

from keras_gen import seeds
from keras_gen.adversarial import InfoGAN
from keras_gen.core import Step

#: Entropy of four categories and two uniform numbers between -1 and 1.
ENTROPY = math.log(4.0) + 2.0 * math.log(2.0)


def make(**options):
    defaults = {
        "latent_size": 2,
        "num_categories": 4,
        "num_continuous": 2,
        "code_units": 8,
        "generator_network": {"name": "dense", "hidden_units": [8]},
        "discriminator_network": {"name": "dense", "hidden_units": [8]},
    }
    return InfoGAN((6,), None, **{**defaults, **options})


class TestContract(AdversarialContract):
    """Every argument away from its default."""

    passes = 10

    event_shape = (4, 4, 1)

    def make_model(self, **changes):
        options = {"num_categories": 3, "num_continuous": 1, "information_weight": 0.5, "seed": 4, "name": "players"}
        return InfoGAN(
            self.event_shape,
            9,
            **{
                "latent_size": 3,
                "code_units": 5,
                "generator_network": {"name": "dense", "hidden_units": [8]},
                "discriminator_network": {"name": "dense", "hidden_units": [8]},
                **options,
                **changes,
            },
        )

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(5e-3), **arguments)
        return model

    def outputs(self, model, seed):
        x = model.sample(3, seed=seed)
        return np.concatenate([tf.reshape(x, (3, -1)), *model.infer(x).values()], axis=1)


def bound_of(model, noise):
    return model.information(model.features(model.unrounded(noise, None), None), noise)


def test_the_bound_is_its_formula():
    model = randomise(make())
    noise = model.noise(50, 0)
    found, code = bound_of(model, noise), model.infer(model.unrounded(noise, None))
    category = np.log(4.0 * code["category"].numpy()[np.arange(50), noise["category"]])
    np.testing.assert_allclose(found["category_information"], category, rtol=1e-4, atol=1e-5)
    errors = np.sum((noise["code"] - code["code"]) ** 2, axis=1)
    expected = category - 0.5 * errors - math.log(2.0 * math.pi) + 2.0 * math.log(2.0)
    np.testing.assert_allclose(found["information"], expected, rtol=1e-4, atol=1e-5)


def test_the_bound_never_exceeds_the_entropy():
    """Neither at weights that are very sure of everything, nor where all is read off without error."""
    for seed in range(5):
        model = randomise(make(), scale=30.0, seed=seed)
        noise = model.noise(200, seed)
        found = bound_of(model, noise)
        assert np.max(found["information"]) <= ENTROPY
        assert np.max(found["category_information"]) <= math.log(4.0) + 1e-6
    model.posterior = lambda features, step: (1e4 * tf.one_hot(noise["category"], 4), noise["code"])
    found = bound_of(model, noise)
    np.testing.assert_allclose(found["category_information"], math.log(4.0), rtol=1e-6)
    assert np.max(found["information"]) <= ENTROPY


def test_the_generator_learns_to_carry_the_category():
    model = make(num_continuous=0, standardize=False)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    x = np.random.default_rng(0).standard_normal((256, 6)).astype(np.float32)
    history = model.fit(x, batch_size=64, epochs=25, verbose=0).history["category_information"]
    assert history[0] < 0.3
    assert 0.7 * math.log(4.0) < history[-1] <= math.log(4.0)
    noise = model.noise(200, 1)
    inferred = np.argmax(model.infer(model.generate(noise))["category"], axis=1)
    assert np.mean(inferred == noise["category"]) > 0.8


def test_each_player_learns_the_bound():
    """Q learns in the discriminator's step, and only there; the generator's loss holds the bound, too."""
    model = make(information_weight=2.0)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    q = [weight.numpy() for layer in model.code_layers for weight in layer.weights]
    batch = {"x": tf.zeros((8, 6))}
    model.take_generator_step(batch, Step(seeds.as_pair((1, 2)), training=True))
    assert all(
        np.array_equal(a, b) for a, b in zip(q, [w for la in model.code_layers for w in la.weights], strict=True)
    )
    plain = make(information_weight=0.0)
    plain.set_weights(model.get_weights())
    step = Step(seeds.as_pair((1, 2)), training=False)
    found, without = (each.loss_terms(batch, step) for each in (model, plain))
    for player in ("generator_loss", "discriminator_loss"):
        expected = np.mean(without[player]) - 2.0 * np.mean(found["information"])
        assert np.mean(found[player]) == pytest.approx(expected, rel=1e-4)
    model.take_discriminator_step(batch, Step(seeds.as_pair((1, 2)), training=True))
    assert not np.array_equal(q[0], model.code_layers[0].weights[0])


def test_clipping_is_of_the_critic_alone():
    """Q, which learns beside it, has to grow sure of the code."""
    model = make(objective="wasserstein", regularizers=("weight_clipping",))
    model.compile(run_eagerly=True)
    model.train_on_batch(np.zeros((8, 6), np.float32))
    assert max(np.abs(weight).max() for weight in model.discriminator.get_weights()) == np.float32(0.01)
    hidden, _, outputs = model.code_layers
    assert all(np.abs(layer.kernel).max() > 0.1 for layer in (hidden, outputs))


def test_networks_of_the_paper():
    model = InfoGAN((28, 28, 1))
    kernels = [weight.shape for weight in model.generator.weights if weight.name == "kernel"]
    assert kernels == [(74, 1024), (1024, 7 * 7 * 128), (4, 4, 64, 128), (4, 4, 1, 64)]
    kernels = [weight.shape for weight in model.discriminator.weights if weight.name == "kernel"]
    assert kernels == [(4, 4, 1, 64), (4, 4, 64, 128), (7 * 7 * 128, 1024), (1024, 1)]
    assert [weight.shape for weight in model.code_layers[0].weights] == [(1024, 128)]
    assert model.code_layers[2].kernel.shape == (128, 12)
    scales = [weight.shape for weight in model.generator.weights if weight.name == "gamma"]
    assert scales == [(1024,), (128,), (64,)]
    scales = [weight.shape for weight in model.discriminator.weights if weight.name == "gamma"]
    assert scales == [(128,), (1024,)]


def test_the_slope_of_the_discriminator():
    """Of a network whose first kernel is -1, for an image of ones; its other kernels are 1."""
    network = {"name": "convolutional", "filters": [1], "kernel_size": 1, "dense_units": [1], "batch_norm": False}
    model = InfoGAN((8, 8, 1), None, discriminator_network={**network, "slope": 0.1}, latent_size=2, code_units=3)
    first, dense, head = model.discriminator.layers
    for layer, value in ((first, -1.0), (dense, -1.0), (head, 1.0)):
        layer.kernel.assign(value * tf.ones_like(layer.kernel))
    # 16 places of -0.1; then their negative sum.
    assert float(model.discriminator(np.ones((1, 8, 8, 1)))[0, 0]) == pytest.approx(1.6)


def test_statistics_of_the_code_move_in_the_step_of_the_discriminator():
    """Q's are those of generated examples, and move once in a step."""
    model = make()
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    hidden, normalization, _ = model.code_layers
    batch, step = {"x": tf.zeros((8, 6))}, Step(seeds.as_pair((1, 2)), training=True)
    model.take_generator_step(batch, step)
    assert not np.any(normalization.moving_mean)
    x = model.fakes(batch, step)["x"]
    model.take_discriminator_step(batch, step)
    expected = 0.1 * tf.reduce_mean(hidden(model.features(x, None)), axis=0)
    np.testing.assert_allclose(normalization.moving_mean, expected, rtol=1e-4, atol=1e-6)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`num_categories` must be at least 2, received 1"):
        make(num_categories=1)
    with pytest.raises(ValueError, match="`num_continuous` must be at least 0, received -1"):
        make(num_continuous=-1)
