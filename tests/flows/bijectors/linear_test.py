"""Tests of invertible linear maps against NumPy and automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import log_determinant

from keras_gen.flows.bijectors import LUProduct


def normal(seed, *shape, scale=1.0):
    return tf.constant(scale * np.random.default_rng(seed).standard_normal(shape), tf.float32)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_linear_map_is_its_matrix(size):
    random = np.random.default_rng(size)
    factors, order = random.standard_normal((size, size)).astype(np.float32) / size, random.permutation(size)
    bijector = LUProduct(tf.constant(factors), order)
    x = normal(1, 20, size)
    lower = np.tril(factors, -1) + np.eye(size)
    upper = np.triu(factors, 1) + np.diag(np.exp(np.diag(factors)))
    y = tf.identity(bijector.forward(x))
    np.testing.assert_allclose(y, x.numpy()[:, order] @ lower @ upper, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bijector.inverse(y), x, atol=1e-4)
    np.testing.assert_allclose(
        bijector.forward_log_det_jacobian(x, 1), log_determinant(bijector.forward, x)[0], atol=1e-4
    )
    np.testing.assert_allclose(
        bijector.inverse_log_det_jacobian(y, 1), log_determinant(bijector.inverse, y)[0], atol=1e-4
    )


def test_the_linear_map_of_images_counts_every_position():
    bijector = LUProduct(normal(0, 3, 3, scale=0.4), np.array([2, 0, 1]), event_ndims=3)
    x = normal(1, 2, 2, 2, 3)
    np.testing.assert_allclose(bijector.inverse(tf.identity(bijector.forward(x))), x, atol=1e-4)
    expected = log_determinant(bijector.forward, x)[0]
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 3), expected, atol=1e-4)
