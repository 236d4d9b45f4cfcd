"""Tests of dropout."""

import numpy as np
import tensorflow as tf

from keras_gen.layers.dropout import apply_dropout


def test_dropout_zeroes_its_share_and_keeps_the_mean():
    h = tf.random.stateless_normal((50_000, 4), (0, 1))
    found = apply_dropout(h, 0.25, tf.constant([0, 2])).numpy()
    np.testing.assert_allclose(np.mean(found == 0.0, axis=0), 0.25, atol=0.01)
    kept = found != 0.0
    np.testing.assert_allclose(found[kept], (h.numpy() / 0.75)[kept], rtol=1e-6)
    np.testing.assert_array_equal(found, apply_dropout(h, 0.25, tf.constant([0, 2])))
    assert np.any(found != apply_dropout(h, 0.25, tf.constant([0, 3])))
