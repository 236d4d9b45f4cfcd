"""Tests of planar, radial and Sylvester flows against automatic differentiation, and of what they add to a point."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import log_determinant

from keras_gen.flows.bijectors.residual import Planar, Radial, Sylvester, tanh_root

SIZE = 3


def make(family, scale, num=200, size=SIZE):
    """Returns a bijector with parameters of their own for each of `num` points, and the points."""
    random = np.random.default_rng(0)

    def normal(*shape):
        return tf.constant(random.normal(scale=scale, size=shape), tf.float32)

    z = normal(num, size)
    if family is Sylvester:
        return Sylvester.from_parameters(normal(num, Sylvester.num_parameters(size, 2)), size, 2), z
    return family.from_parameters(normal(num, family.num_parameters(size))), z


@pytest.mark.parametrize("family", [Planar, Radial, Sylvester])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_log_determinants_and_inverses(family, scale):
    bijector, z = make(family, scale)
    expected = log_determinant(bijector.forward, z)
    found = bijector.forward_log_det_jacobian(tf.identity(z), 1)
    # Near a determinant of 0 rounding counts for more.
    safe = expected > -5
    assert safe.mean() > 0.7
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(found.numpy()[safe], expected[safe], rtol=1e-3, atol=2e-3)
    x = tf.identity(bijector.forward(z))
    np.testing.assert_allclose(bijector.inverse(x).numpy()[safe], z.numpy()[safe], atol=2e-4 * max(1.0, scale))
    inverse = log_determinant(bijector.inverse, tf.identity(x))
    np.testing.assert_allclose(inverse[safe], -expected[safe], rtol=1e-3, atol=5e-3)
    backwards = bijector.inverse_log_det_jacobian(tf.identity(x), 1).numpy()
    np.testing.assert_allclose(backwards[safe], -expected[safe], rtol=1e-3, atol=5e-3)


def test_the_equations_of_planar_and_radial_flows():
    z = np.random.default_rng(0).standard_normal((6, 2))
    u, w, b = np.array([0.3, 2.0]), np.array([1.0, -0.5]), 0.7
    corrected = u + (np.log1p(np.exp(w @ u)) - 1 - w @ u) * w / (w @ w)
    expected = z + corrected * np.tanh(z @ w + b)[:, np.newaxis]
    planar = Planar(*(tf.constant(value, tf.float32) for value in (u, w, b)))
    np.testing.assert_allclose(planar.forward(tf.constant(z, tf.float32)), expected, rtol=1e-5, atol=1e-5)

    centre, alpha, beta = np.array([0.5, -1.0]), 0.8, -0.4
    corrected = -alpha + np.log1p(np.exp(beta))
    distance = np.linalg.norm(z - centre, axis=1, keepdims=True)
    expected = z + corrected / (alpha + distance) * (z - centre)
    radial = Radial(*(tf.constant(value, tf.float32) for value in (centre, alpha, beta)))
    np.testing.assert_allclose(radial.forward(tf.constant(z, tf.float32)), expected, rtol=1e-5, atol=1e-5)


def test_the_equation_of_sylvester_flows():
    bijector, z = make(Sylvester, 1.0, num=5)
    q = np.stack([bijector.rotated(tf.repeat(row[tf.newaxis], 5, axis=0)) for row in tf.eye(SIZE)], axis=-1)
    np.testing.assert_allclose(q @ q.transpose(0, 2, 1), np.tile(np.eye(SIZE), (5, 1, 1)), atol=1e-5)
    for index, v in enumerate(bijector.reflections.numpy()):
        householder = [np.eye(SIZE) - 2.0 * np.outer(row, row) / (row @ row) for row in v]
        np.testing.assert_allclose(q[index], householder[0] @ householder[1], atol=1e-5)
    for index, x in enumerate(bijector.forward(z).numpy()):
        outer, inner = bijector.outer[index].numpy(), bijector.inner[index].numpy()
        for matrix in (outer, inner):
            assert np.all(np.tril(matrix, -1) == 0.0)
            assert np.all(matrix[np.triu_indices(SIZE)] != 0.0)
        hidden = np.tanh(inner @ q[index].T @ z[index].numpy() + bijector.b[index].numpy())
        np.testing.assert_allclose(x, z[index] + q[index] @ outer @ hidden, rtol=1e-4, atol=1e-5)


def test_planar_without_a_plane_is_a_shift():
    bijector = Planar(tf.constant([1.0, 2.0]), tf.zeros(2), tf.constant(0.5))
    x = bijector.forward(tf.zeros((1, 2)))
    np.testing.assert_allclose(x[0], np.array([1.0, 2.0]) * np.tanh(0.5), rtol=1e-6)
    assert bijector.forward_log_det_jacobian(tf.zeros((1, 2)), 1)[0] == 0
    np.testing.assert_allclose(bijector.inverse(tf.identity(x)), np.zeros((1, 2)), atol=1e-6)


def test_radial_at_its_centre_stays_there_with_finite_gradients():
    centre = tf.constant([1.0, 2.0])
    bijector = Radial(centre, tf.constant(0.5), tf.constant(1.0))
    z = centre[tf.newaxis]
    for function in (bijector.forward, bijector.inverse):
        with tf.GradientTape() as tape:
            tape.watch(z)
            x = function(z)
        np.testing.assert_allclose(x, z, atol=1e-6)
        assert np.all(np.isfinite(tape.gradient(x, z)))


def test_the_root_is_one_for_any_slope_and_target():
    slope = np.concatenate([np.logspace(-6, 0, 40), np.logspace(0, 5, 40)]).astype(np.float32)
    target = np.concatenate([-np.logspace(-5, 4, 50), [0.0], np.logspace(-5, 4, 50)]).astype(np.float32)
    slope, target = np.meshgrid(slope, target)
    y = tanh_root(tf.constant(target), tf.constant(slope)).numpy().astype(np.float64)
    # float32 keeps seven figures of the largest term.
    largest = np.maximum(np.maximum(np.abs(y), slope), np.abs(target))
    assert np.max(np.abs(y + (slope - 1.0) * np.tanh(y) - target) / largest) < 1e-6


def test_gradients_of_the_root_are_exact():
    target, slope = tf.constant([-3.0, 0.4, 2.0]), tf.constant([0.2, 1.0, 7.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((target, slope))
        y = tanh_root(target, slope)
    derivative = 1.0 + (slope - 1.0) * (1.0 - tf.tanh(y) ** 2)
    np.testing.assert_allclose(tape.gradient(y, target), 1.0 / derivative, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(y, slope), -tf.tanh(y) / derivative, rtol=1e-5)
