"""Tests of neural spline flows: the paper's equations, linear maps between layers, and the identity at the start."""

import re

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

from keras_gen.flows import MaskedSplineFlow, NeuralSplineFlow
from keras_gen.flows.bijectors import RationalQuadratic


class Contracts(ModelContract, ConditionContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default, and a class as condition."""

    family = None
    arguments = {}

    def make_model(self, **changes):
        arguments = {"num_layers": 1, "num_bins": 5, "bound": 2.5, "activation": "tanh", "num_classes": 3, "seed": 3}
        return self.family((3,), **{**arguments, **self.arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).standard_normal((40, 1))
        return np.concatenate([first, first**2, 3.0 - first], axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(self.family((2,), 2, seed=1), 0.6, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model


class TestNeuralSplineFlow(Contracts):
    family = NeuralSplineFlow
    arguments = {"units": 8, "num_blocks": 1, "name": "flow"}

    def make_deep(self):
        return randomise(NeuralSplineFlow((3,), num_layers=20, units=4, num_blocks=1, num_bins=4, seed=1), 0.02)


class TestMaskedSplineFlow(Contracts):
    family = MaskedSplineFlow
    arguments = {"hidden_units": (8, 9), "batch_normalization": True, "name": "flow"}

    def make_deep(self):
        return randomise(MaskedSplineFlow((2,), num_layers=20, hidden_units=(4,), num_bins=4, seed=1), 0.02)


def test_the_equations_of_a_coupling():
    model = randomise(NeuralSplineFlow((5,), num_layers=1, units=6, num_blocks=2, num_bins=4), 1.0)
    x = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    linear, network = model.linear_layers[0], model.networks[0]
    factors = linear.factors.numpy()
    lower, upper = np.tril(factors, -1) + np.eye(5), np.triu(factors, 1) + np.diag(np.exp(np.diag(factors)))
    h = (x[:, linear.permutation] @ lower @ upper).astype(np.float32)
    parameters = tf.reshape(network(h[:, :2]), (6, 3, 11))
    spline = RationalQuadratic(parameters, model.bound)
    expected = np.concatenate([h[:, :2], spline.forward(h[:, 2:])], axis=1)
    np.testing.assert_allclose(model.encode(x), expected, rtol=1e-4, atol=1e-4)
    log_det = np.diag(factors).sum() + np.sum(spline.forward_log_det_jacobian(h[:, 2:]), axis=1)
    np.testing.assert_allclose(model.flow().forward_log_det_jacobian(tf.constant(x), 1), log_det, rtol=1e-3, atol=1e-4)


def test_the_residual_network():
    network = NeuralSplineFlow((4,), num_layers=1, units=6, num_blocks=1, num_bins=2).networks[0]
    x = np.random.default_rng(0).standard_normal((3, 2)).astype(np.float32)
    (inner, outer), *_ = network.blocks
    h = network.first(x)
    h = h + outer(tf.nn.relu(inner(tf.nn.relu(h))))
    np.testing.assert_allclose(network(x), network.last(tf.nn.relu(h)), rtol=1e-5)


def test_what_an_entry_of_the_autoregressive_form_depends_on():
    model = randomise(MaskedSplineFlow((5,), num_layers=1, hidden_units=(40,), num_classes=2), 1.0)
    for linear in model.linear_layers:
        linear.factors.assign(tf.zeros_like(linear.factors))
    order = model.linear_layers[0].permutation
    x = tf.constant(np.random.default_rng(0).standard_normal((8, 5)), tf.float32)
    labels = condition_for(model, 8)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = model.encode(x, labels)
    depends = np.any(tape.batch_jacobian(z, x).numpy() != 0, axis=0)
    np.testing.assert_array_equal(depends[:, order], np.tri(5, dtype=bool))
    assert np.all(np.any(model.encode(x, 1 - labels).numpy() != z.numpy(), axis=0))


def test_draws_with_a_cache_are_those_of_whole_passes():
    model = randomise(MaskedSplineFlow((4,), num_layers=1, hidden_units=(9, 8), condition_size=2), 1.0)
    condition = condition_for(model, 10)
    z = model.noise(10, seed=0)["z"].numpy()
    h = np.zeros_like(z)
    for index in range(4):
        parameters = model.networks[0](h, condition)
        h[:, index] = RationalQuadratic(parameters[:, index], model.bound).inverse(tf.constant(z[:, index]))
    x = model.linear_layers[0].bijector().inverse(tf.constant(h))
    np.testing.assert_allclose(model.decode(z, condition), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", [NeuralSplineFlow, MaskedSplineFlow])
def test_reorderings_alone_at_the_start(family):
    model = family((5,), num_layers=3)
    x = np.random.default_rng(0).standard_normal((50, 5)).astype(np.float32)
    expected = x
    for linear in model.linear_layers:
        expected = expected[:, linear.permutation]
    assert np.abs(model.encode(x) - expected).max() < 0.05
    assert len({tuple(linear.permutation) for linear in model.linear_layers}) > 1


@pytest.mark.parametrize(
    ("family", "changes", "sentence"),
    [
        (NeuralSplineFlow, {"units": 0}, "`units` must be at least 1, received 0."),
        (NeuralSplineFlow, {"num_blocks": 0}, "`num_blocks` must be at least 1, received 0."),
        (NeuralSplineFlow, {"num_layers": 0}, "`num_layers` must be at least 1, received 0."),
        (NeuralSplineFlow, {"num_bins": 1}, "`num_bins` must be between 2 and 100, received 1."),
        (MaskedSplineFlow, {"num_bins": 101}, "`num_bins` must be between 2 and 100, received 101."),
        (MaskedSplineFlow, {"bound": 0.0}, "`bound` must be greater than 0, received 0.0."),
    ],
)
def test_wrong_arguments(family, changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        family((3,), **changes)
