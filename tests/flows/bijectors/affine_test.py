"""Tests of the bijectors against automatic differentiation."""

import numpy as np
import tensorflow as tf

from keras_gen.flows.bijectors.affine import MaskedAutoregressive
from keras_gen.flows.bijectors.memo import Memo
from keras_gen.flows.maf import gated_entries
from keras_gen.networks import AutoregressiveNetwork


def log_det(bijector, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        x = bijector.forward(z)
    return np.linalg.slogdet(tape.batch_jacobian(x, z).numpy().astype(np.float64))


def test_a_memo_knows_the_last_two_tensors_and_no_others():
    memo, computed = Memo(), []

    def compute(tensor):
        computed.append(tensor)
        return len(computed)

    x, y = tf.ones(2), tf.zeros(2)
    assert memo.of(x, compute) == memo.of(x, compute) == 1
    memo.add(y, "told")
    assert memo.of(y, compute) == "told"
    assert memo.of(x, compute) == 1
    # An equal tensor is another one, and takes the place of the first.
    assert memo.of(tf.identity(x), compute) == 2
    assert memo.of(x, compute) == 3
    assert len(computed) == 3


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
        _, expected = log_det(alone, rows)
        found = bijector.forward_log_det_jacobian(x, 1)[index]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            alone.inverse_log_det_jacobian(tf.identity(images), 1), -expected, rtol=1e-3, atol=1e-3
        )
