"""Tests of the bijectors against automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.flows.bijectors import InverseAutoregressive, Planar


def log_det(bijector, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        x = bijector.forward(z)
    return np.linalg.slogdet(tape.batch_jacobian(x, z).numpy().astype(np.float64))


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_planar_log_determinant_and_invertibility(scale):
    random = np.random.default_rng(0)
    u, w, z = (tf.constant(random.normal(scale=scale, size=(200, 3)), tf.float32) for _ in range(3))
    bijector = Planar(u, w, tf.constant(random.normal(size=200), tf.float32))
    sign, expected = log_det(bijector, z)
    assert (sign > 0).all()
    # Near a determinant of 0 rounding counts for more.
    safe = expected > -6
    assert safe.mean() > 0.5
    np.testing.assert_allclose(
        bijector.forward_log_det_jacobian(z, 1).numpy()[safe], expected[safe], rtol=1e-3, atol=2e-3
    )


def test_planar_without_a_plane_is_a_shift():
    bijector = Planar(tf.constant([1.0, 2.0]), tf.zeros(2), tf.constant(0.5))
    np.testing.assert_allclose(bijector.forward(tf.zeros((1, 2)))[0], np.array([1.0, 2.0]) * np.tanh(0.5), rtol=1e-6)
    assert bijector.forward_log_det_jacobian(tf.zeros((1, 2)), 1)[0] == 0


def test_inverse_autoregressive_both_ways():
    random = np.random.default_rng(0)
    kernels = [np.triu(random.normal(size=(4, 4)), 1).astype(np.float32) for _ in range(2)]
    bijector = InverseAutoregressive(lambda z: tuple(tf.tanh(tf.matmul(z, kernel)) + 0.5 for kernel in kernels))
    z = tf.constant(random.normal(size=(50, 4)), tf.float32)
    sign, expected = log_det(bijector, z)
    assert (sign > 0).all()
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(z, 1), expected, rtol=1e-4, atol=1e-4)
    x = tf.identity(bijector.forward(z))
    np.testing.assert_allclose(bijector.inverse(x), z, atol=1e-4)
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(tf.identity(x), 1), -expected, rtol=1e-3, atol=1e-3)
