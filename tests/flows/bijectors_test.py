"""Tests of the bijectors against automatic differentiation."""

import numpy as np
import tensorflow as tf

from keras_gen.flows.bijectors import InverseAutoregressive


def log_det(bijector, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        x = bijector.forward(z)
    return np.linalg.slogdet(tape.batch_jacobian(x, z).numpy().astype(np.float64))


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
