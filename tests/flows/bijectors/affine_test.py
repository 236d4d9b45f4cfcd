"""Tests of shifts and scales against automatic differentiation."""

import numpy as np
import tensorflow as tf
from contracts import log_determinant

from keras_gen.flows.bijectors import Normalization, Standardization, affine


def normal(seed, *shape):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


def assert_bijector(bijector, x, event_ndims):
    """Asserts that the inverse inverts, and that log-determinants are those of the full Jacobian, both ways."""
    y = tf.identity(bijector.forward(x))
    np.testing.assert_allclose(bijector.inverse(y), x, rtol=1e-4, atol=1e-4)
    expected = log_determinant(bijector.forward, x)
    assert np.abs(expected).max() > 0.1
    found = bijector.forward_log_det_jacobian(tf.identity(x), event_ndims)
    np.testing.assert_allclose(found + tf.zeros(len(x)), expected, rtol=1e-4, atol=1e-4)
    found = bijector.inverse_log_det_jacobian(tf.identity(y), event_ndims)
    np.testing.assert_allclose(found + tf.zeros(len(x)), -expected, rtol=1e-4, atol=1e-4)


def test_a_standardization_of_numbers_and_of_entries():
    x, location, scale = normal(0, 4, 2, 3), normal(1, 2, 3), tf.exp(normal(2, 2, 3))
    bijector = Standardization(location, scale, 2)
    np.testing.assert_allclose(bijector.forward(x), (x - location) / scale, rtol=1e-5)
    assert_bijector(bijector, x, 2)
    assert_bijector(Standardization(0.5, 3.0, 2), x, 2)


def test_a_normalization_with_moments_that_are_fixed():
    x, mean, log_variance, log_scale, shift = normal(0, 4, 2, 2, 3), *normal(1, 4, 3)
    bijector = Normalization(lambda _: (mean, tf.exp(log_variance)), log_scale, shift, 0.5, 3)
    expected = tf.exp(log_scale) * (x - mean) / tf.sqrt(tf.exp(log_variance) + 0.5) + shift
    np.testing.assert_allclose(bijector.forward(x), expected, rtol=1e-4, atol=1e-5)
    assert_bijector(bijector, x, 3)


def test_an_affine_function():
    x, shift, log_scale = normal(0, 5, 3), normal(1, 3), normal(2, 3)
    bijector = affine(shift, log_scale)
    np.testing.assert_allclose(bijector.forward(x), x * tf.exp(log_scale) + shift, rtol=1e-5)
    assert_bijector(bijector, x, 1)
