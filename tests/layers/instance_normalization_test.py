"""Instance normalization, beside Keras' group normalization and in 16 bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import InstanceNormalization


def layer(dtype: str) -> InstanceNormalization:
    """Returns a layer whose means and deviations are not those that it starts with."""
    made = InstanceNormalization((None, None, None, 3), dtype=dtype)
    made.gamma.assign([0.5, -2.0, 1.5])
    made.beta.assign([1.0, 0.25, -3.0])
    return made


def images(mean: float) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, 1.0, (4, 5, 6, 3)).astype(np.float32)


def test_it_is_group_normalization_with_a_group_for_each_channel():
    ours, x = layer("float32"), images(2.0)
    theirs = keras.layers.GroupNormalization(groups=-1, epsilon=ours.epsilon)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)
    y = ours(x).numpy()
    np.testing.assert_allclose(y.mean(axis=(1, 2)), np.tile(ours.beta, (4, 1)), atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(1, 2)), np.tile(np.abs(ours.gamma), (4, 1)), rtol=1e-4)


@pytest.mark.parametrize(("dtype", "precision"), [("bfloat16", 2**-8), ("float16", 2**-11)])
@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_in_16_bits_only_its_result_is_rounded(dtype, precision, mean):
    ours = layer(f"mixed_{dtype}")
    x = tf.cast(images(mean), dtype)
    y = ours(x)
    assert y.dtype == dtype
    wide = tf.cast(x, tf.float64).numpy()
    deviation = np.sqrt(wide.var(axis=(1, 2), keepdims=True) + ours.epsilon)
    expected = (wide - wide.mean(axis=(1, 2), keepdims=True)) / deviation * ours.gamma.numpy() + ours.beta.numpy()
    np.testing.assert_allclose(tf.cast(y, tf.float64), expected, rtol=precision, atol=2e-5)
