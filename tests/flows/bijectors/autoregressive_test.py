"""Test of functions of one entry after the other against automatic differentiation."""

import numpy as np
import tensorflow as tf
from contracts import log_determinant

from keras_gen.flows.bijectors import MaskedAutoregressive
from keras_gen.flows.maf import gated_entries
from keras_gen.networks import AutoregressiveNetwork


def test_masked_autoregressive_both_ways_with_several_rows_for_each_context():
    random = np.random.default_rng(0)
    network = AutoregressiveNetwork(np.array([[2, 0, 3, 1]]), (9, 8), 2, context_size=2, seed=(0,))
    for weight in network.trainable_weights:
        weight.assign_add(0.3 * random.standard_normal(weight.shape))
    context = tf.constant(random.standard_normal((5, 2)), tf.float32)
    x = tf.constant(random.standard_normal((3, 5, 4)), tf.float32)
    bijector = MaskedAutoregressive(network, gated_entries, context)
    y = tf.identity(bijector.forward(x))
    assert y.shape == x.shape
    np.testing.assert_allclose(bijector.inverse(y), x, atol=1e-4)
    for rows, images, index in zip(x, y, range(3), strict=True):
        alone = MaskedAutoregressive(network, gated_entries, context)
        np.testing.assert_allclose(alone.forward(rows), images, atol=1e-5)
        expected = log_determinant(alone.forward, rows)
        found = bijector.forward_log_det_jacobian(x, 1)[index]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            alone.inverse_log_det_jacobian(tf.identity(images), 1), -expected, rtol=1e-3, atol=1e-3
        )
