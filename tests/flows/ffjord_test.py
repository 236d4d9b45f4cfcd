"""Tests of FFJORD."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import ConditionContract, ContinuousDensityContract, FlowContract, ModelContract, randomise
from scipy import linalg, stats

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.flows import ContinuousFlow


class TestContracts(ModelContract, ConditionContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default."""

    #: The density is smooth, and a point costs forty passes.
    num_cells = 150

    def make_model(self, **changes):
        arguments = {
            "hidden_units": (8, 7),
            "num_steps": 1,
            "trace": "hutchinson",
            "activation": "softplus",
            "num_classes": 3,
            "seed": 3,
            "name": "flow",
        }
        return ContinuousFlow((3,), **{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).standard_normal((40, 1))
        return np.concatenate([first, first**2, 3.0 - first], axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(ContinuousFlow((2,), (8,), num_steps=10, seed=1), 1.0, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        # The depth of a continuous flow is its number of steps.
        return randomise(ContinuousFlow((3,), (4,), num_steps=20, seed=1), 0.5)


def linear_flow(matrix, num_steps=20):
    """Returns a flow whose vector field is `matrix @ z` at all times."""
    model = ContinuousFlow((2,), (2,), num_steps=num_steps)
    for weight in model.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    first, last = model.dynamics.linear_layers
    # The tanh of small numbers is linear; gates of 0 halve what passes.
    first.kernel.assign(2e-3 * np.eye(2))
    last.kernel.assign(2e3 * np.transpose(matrix))
    return model


def own_linear_flow(matrix, trace="exact"):
    """Returns a flow of the same field, which a layer of Keras computes."""
    layer = keras.layers.Dense(2, use_bias=False)
    model = ContinuousFlow((2,), num_steps=20, trace=trace, dynamics_network=layer)
    # The time makes no difference.
    layer.kernel.assign(np.concatenate([np.transpose(matrix), np.zeros((1, 2))]))
    return model


@pytest.mark.parametrize("make", [linear_flow, own_linear_flow])
def test_a_linear_field_moves_points_by_the_exponential_of_its_matrix(make):
    matrix = np.array([[0.3, -0.8], [0.5, -0.4]])
    model = make(matrix)
    z = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    np.testing.assert_allclose(model.decode(z), z @ linalg.expm(matrix).T, rtol=1e-3, atol=1e-3)
    # ∫ Tr dt = Tr(matrix), whatever z.
    found = model.flow().inverse_log_det_jacobian(tf.constant(z), 1)
    np.testing.assert_allclose(found, np.full(6, np.trace(matrix)), atol=1e-3)


def test_the_error_falls_with_the_fourth_power_of_the_number_of_steps():
    base = randomise(ContinuousFlow((2,), (8,), num_steps=64, seed=1), 1.0)
    z = base.noise(50, seed=0)["z"]
    exact = base.decode(z).numpy()
    errors = []
    for num_steps in (1, 2, 4):
        model = ContinuousFlow((2,), (8,), num_steps=num_steps)
        model.set_weights(base.get_weights())
        errors.append(np.abs(model.decode(z) - exact).max())
    assert errors[0] / errors[1] > 10.0
    assert errors[1] / errors[2] > 10.0


def test_products_with_the_jacobian_are_those_of_automatic_differentiation():
    model = randomise(ContinuousFlow((3,), (8, 7), condition_size=2, activation="softplus"), 1.0)
    random = np.random.default_rng(0)
    z, condition, directions = (
        tf.constant(random.standard_normal(shape), tf.float32) for shape in ((5, 3), (5, 2), (5, 4, 3))
    )
    with tf.GradientTape() as tape:
        tape.watch(z)
        moved, _ = model.dynamics(z, tf.constant(0.3), condition)
    jacobian = tape.batch_jacobian(moved, z)
    found, products = model.dynamics(z, tf.constant(0.3), condition, directions)
    np.testing.assert_allclose(found, moved, rtol=1e-5, atol=1e-6)
    expected = tf.einsum("bij,bkj->bki", jacobian, directions)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(products, expected, rtol=1e-4, atol=1e-5)


def test_time_and_condition_change_the_field():
    model = randomise(ContinuousFlow((2,), (4,), condition_size=2))
    z, condition = tf.ones((1, 2)), tf.ones((1, 2))
    field = model.dynamics(z, tf.constant(0.2), condition)[0].numpy()
    assert np.all(np.abs(model.dynamics(z, tf.constant(0.7), condition)[0] - field) > 1e-3)
    assert np.all(np.abs(model.dynamics(z, tf.constant(0.2), -condition)[0] - field) > 1e-3)


def test_the_mean_of_estimates_is_the_trace():
    model = randomise(ContinuousFlow((3,), (8,), num_steps=4, trace="hutchinson"), 1.0)
    num = 4000
    x = np.repeat(np.random.default_rng(0).standard_normal((1, 3)), num, axis=0).astype(np.float32)

    def log_prob(seed, training):
        step = Step(seeds.as_pair(seed), training=training)
        return -model.loss_terms({"x": x}, step)["loss"].numpy()

    estimates = log_prob(5, training=True)
    exact = model.log_prob(x).numpy()
    np.testing.assert_allclose(exact, exact[0], rtol=1e-5)
    error = estimates.std() / num**0.5
    assert estimates.std() > 1e-2
    assert abs(estimates.mean() - exact[0]) < 5.0 * error
    # The noise is the step's: the same seed gives the same, another seed another.
    np.testing.assert_array_equal(log_prob(5, training=True), estimates)
    assert np.any(log_prob(6, training=True) != estimates)
    directions = model.directions(9, Step(seeds.as_pair(5), training=True)).numpy()
    np.testing.assert_array_equal(np.abs(directions), np.ones((9, 1, 3)))
    assert 0.1 < np.mean(directions > 0.0) < 0.9
    # Evaluation takes the trace itself.
    np.testing.assert_allclose(log_prob(5, training=False), exact, rtol=1e-5)


def test_estimates_of_a_layer_of_ones_own_are_of_the_trace_of_its_jacobian():
    """Of a linear field, the estimate along ε is εᵀ A ε at all times and points."""
    matrix = np.array([[0.3, -0.8], [0.5, -0.4]])
    model = own_linear_flow(matrix, "hutchinson")
    x = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    step = Step(seeds.as_pair(5), training=True)
    epsilon = model.directions(8, step)[:, 0].numpy()
    expected = model.base_distribution().log_prob(model.encode(x)) - np.einsum("bi,ij,bj->b", epsilon, matrix, epsilon)
    assert len(set(np.round(np.einsum("bi,ij,bj->b", epsilon, matrix, epsilon), 3))) == 2
    np.testing.assert_allclose(-model.loss_terms({"x": x}, step)["loss"], expected, atol=1e-4)


def test_near_the_identity_at_the_start():
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    z = ContinuousFlow((4,)).encode(x).numpy()
    assert 0.0 < np.abs(z - x).max() < 0.5


@pytest.mark.parametrize("trace", ["exact", "hutchinson"])
def test_learns_a_gaussian_up_to_its_entropy(trace):
    covariance = np.array([[2.0, 1.2], [1.2, 1.0]])
    x = np.random.default_rng(0).multivariate_normal([3.0, -1.0], covariance, 2048).astype(np.float32)
    model = ContinuousFlow((2,), (16,), num_steps=4, trace=trace)
    model.adapt(x)
    model.compile(keras.optimizers.Adam(0.02), steps_per_execution=8)
    model.fit(x, batch_size=256, epochs=12, verbose=0)
    entropy = stats.multivariate_normal([0.0, 0.0], covariance).entropy()
    fresh = np.random.default_rng(1).multivariate_normal([3.0, -1.0], covariance, 4096)
    assert abs(model.evaluate(fresh, verbose=0, return_dict=True)["nll"] - entropy) < 0.1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trace": "hutchison"}, "`trace` 'hutchison' is unknown; did you mean hutchinson?"),
        ({"activation": "relu"}, "`activation` 'relu' is unknown; expected one of softplus, tanh."),
        ({"num_steps": 0}, "`num_steps` must be at least 1, received 0."),
    ],
)
def test_wrong_arguments(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        ContinuousFlow((2,), (4,), **changes)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (keras.layers.Dense(3, name="a"), "must map shape (batch, 3) to (batch, 2); received Dense 'a', which gives"),
        (
            keras.Sequential([keras.layers.Dense(2), keras.layers.Dropout(0.5, name="drop")], name="b"),
            "must have no layer that is another in training, as dropout and 'drop' are; received Sequential 'b'.",
        ),
    ],
)
def test_a_wrong_layer_as_the_field(layer, sentence):
    with pytest.raises(ValueError, match="^`dynamics_network` " + re.escape(sentence)):
        ContinuousFlow((2,), dynamics_network=layer)
