"""Tests of masked and inverse autoregressive flows: the papers' equations, and draws with a cache."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    ConditionContract,
    ContinuousDensityContract,
    FlowContract,
    ModelContract,
    condition_for,
    randomise,
)

from keras_gen.flows import IAF, MAF, MixtureMAF


class Contracts(ModelContract, ConditionContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default."""

    family = None

    def make_model(self, **changes):
        arguments = {
            "num_layers": 1,
            "hidden_units": (8, 9),
            "batch_normalization": True,
            "activation": "tanh",
            "num_classes": 3,
            "seed": 3,
            "name": "flow",
        }
        return self.family((3,), **{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).standard_normal((40, 1))
        return np.concatenate([first, first**2, 3.0 - first], axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(self.family((2,), num_layers=2, hidden_units=(8,), seed=1), 0.3, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        return randomise(self.family((2,), num_layers=20, hidden_units=(4,), seed=1), 0.02)


class TestMAF(Contracts):
    family = MAF


class TestIAF(Contracts):
    family = IAF
    excluded_arguments = ()


class TestMixtureMAF(ModelContract, ConditionContract, ContinuousDensityContract):
    """Noise that is not normal; a vector as condition."""

    def make_model(self, **changes):
        arguments = {"num_layers": 1, "hidden_units": (8,), "num_components": 3, "condition_size": 2, "seed": 3}
        return MixtureMAF((3,), **{**arguments, **changes})

    make_data = Contracts.make_data

    def make_plane(self):
        return randomise(MixtureMAF((2,), num_layers=1, hidden_units=(8,), num_components=3, seed=1), 0.5, seed=2)


def parameters_of(model, index, x):
    parameters = model.networks[index](x).numpy()
    return parameters[..., 0], parameters[..., 1]


def bounded(log_scale):
    return 3.0 * np.tanh(log_scale / 3.0)


def test_the_equations_of_the_masked_flow():
    model = randomise(MAF((4,), num_layers=2, hidden_units=(7,)), 1.0)
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    mean, log_scale = parameters_of(model, 0, x)
    log_scale = bounded(log_scale)
    between = (x - mean) * np.exp(-log_scale)
    second_mean, second_log_scale = parameters_of(model, 1, between)
    second_log_scale = bounded(second_log_scale)
    expected = (between - second_mean) * np.exp(-second_log_scale)
    np.testing.assert_allclose(model.encode(x), expected, rtol=1e-4, atol=1e-5)
    log_det = model.flow().forward_log_det_jacobian(tf.constant(x), 1)
    np.testing.assert_allclose(log_det, -(log_scale + second_log_scale).sum(axis=1), rtol=1e-4, atol=1e-5)


def test_the_equation_of_the_inverse_flow():
    model = randomise(IAF((4,), num_layers=1, hidden_units=(7,)), 1.0)
    u = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    m, s = parameters_of(model, 0, u)
    gate = 1.0 / (1.0 + np.exp(-s))
    np.testing.assert_allclose(model.decode(u), gate * u + (1.0 - gate) * m, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", [MAF, IAF])
def test_what_an_entry_depends_on(family):
    """Noise of MAF, and data of IAF: on entries before it in the first layer's order, and on the second layer's."""
    model = randomise(family((5,), num_layers=1, hidden_units=(40,), num_classes=2), 1.0)
    function = model.encode if family is MAF else model.decode
    x = tf.constant(np.random.default_rng(0).standard_normal((8, 5)), tf.float32)
    labels = condition_for(model, 8)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x, labels)
    depends = np.any(tape.batch_jacobian(y, x).numpy() != 0, axis=0)
    np.testing.assert_array_equal(depends, np.tri(5, dtype=bool))
    # The condition reaches every entry, the first one, too.
    assert np.all(np.any(function(x, 1 - labels).numpy() != y.numpy(), axis=0))


def test_draws_with_a_cache_are_those_of_whole_passes():
    model = randomise(MAF((6,), num_layers=1, hidden_units=(9, 8), condition_size=2), 1.0)
    condition = condition_for(model, 10)
    u = model.noise(10, seed=0)["z"].numpy()
    x = np.zeros_like(u)
    for index in range(6):
        parameters = model.networks[0](x, condition).numpy()
        x[:, index] = u[:, index] * np.exp(bounded(parameters[:, index, 1])) + parameters[:, index, 0]
    np.testing.assert_allclose(model.decode(u, condition), x, rtol=1e-4, atol=1e-5)


def test_the_identity_at_the_start():
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    # Five reversals leave the entries where they are; the gates of the inverse flow start at sigmoid(2).
    assert np.abs(MAF((4,), num_layers=5).encode(x) - x).max() < 0.1
    expected = x / (1.0 / (1.0 + np.exp(-2.0)))
    assert np.abs(IAF((4,), num_layers=1).encode(x) - expected).max() < 0.1


@pytest.mark.parametrize("event_shape", [(2,), (3, 2, 1)])
def test_the_noise_of_a_mixture_has_the_density_of_its_network(event_shape):
    model = randomise(MixtureMAF(event_shape, num_layers=1, hidden_units=(6,), num_components=2), 0.7)
    x = np.random.default_rng(0).standard_normal((5, *event_shape)).astype(np.float32)
    u = tf.identity(model.encode(x))
    log_det = model.flow().forward_log_det_jacobian(tf.constant(x), len(event_shape))
    np.testing.assert_allclose(model.log_prob(x), model.mixtures.log_prob(u) + log_det, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.decode(u), x, rtol=1e-3, atol=1e-3)
    # In a graph as well, where the number of examples is not known.
    model.compile()
    np.testing.assert_allclose(
        model.evaluate(x, verbose=0, return_dict=True)["nll"], -np.mean(model.log_prob(x)), rtol=1e-4
    )
    assert model.base_distribution().sample(4, seed=(0, 1)).shape == (4, *event_shape)
    assert model.sample(4, seed=0).shape == (4, *event_shape)


def test_an_inverse_flow_learns_through_its_loop():
    covariance = np.array([[2.0, 1.2], [1.2, 1.0]])
    x = np.random.default_rng(0).multivariate_normal([3.0, -1.0], covariance, 2048).astype(np.float32)
    model = IAF((2,), 1, (16,))
    model.adapt(x)
    model.compile(keras.optimizers.Adam(0.01), steps_per_execution=8)
    model.fit(x, batch_size=256, epochs=15, verbose=0)
    entropy = 1.0 + np.log(2.0 * np.pi) + 0.5 * np.log(np.linalg.det(covariance))
    fresh = np.random.default_rng(1).multivariate_normal([3.0, -1.0], covariance, 4096)
    assert abs(model.evaluate(fresh, verbose=0, return_dict=True)["nll"] - entropy) < 0.1


def test_draws_far_from_the_data_do_not_overflow():
    """Each entry asks for a scale that grows with the entries before it."""
    model = randomise(MAF((30,), num_layers=2, hidden_units=(8,), seed=1), 2.0)
    raw = np.max([np.abs(parameters_of(model, index, 50.0 * np.ones((1, 30)))[1]).max() for index in (0, 1)])
    assert raw > 88.0  # whose exponential float32 does not hold
    assert np.all(np.isfinite(model.decode(50.0 * model.noise(100, seed=0)["z"])))
