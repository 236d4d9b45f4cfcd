"""The spectral norm against the singular values of NumPy, and a forward pass that changes nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.layers import SpectralNormalization


def make(shape, **options):
    initializer = keras.initializers.RandomNormal(stddev=0.7, seed=1)
    return SpectralNormalization(shape, initializer=initializer, seed=(3,), **options)


def take_updates(layer, times):
    x = tf.zeros((1, *(5 for _ in layer.kernel.shape[:-2]), layer.kernel.shape[-2]))
    for _ in range(times):
        step = Step(seeds.as_pair(0), training=True)
        layer(x, step=step)
        step.apply()


@pytest.mark.parametrize("shape", [(20, 8), (5, 30), (3, 3, 6, 10), (6, 1)])
def test_the_norm_is_the_largest_singular_value(shape):
    layer = make(shape)
    matrix = layer.kernel.numpy().reshape(-1, shape[-1]).astype(np.float64)
    largest = np.linalg.svd(matrix, compute_uv=False)[0]
    # One step of the iteration is a bound from below.
    assert float(layer.spectral_norm()) <= largest * (1.0 + 1e-6)
    take_updates(layer, 50)
    assert float(layer.spectral_norm()) == pytest.approx(largest, rel=0.01)


def test_the_norm_follows_a_kernel_that_moves_slowly():
    layer = make((20, 8))
    take_updates(layer, 30)
    random = np.random.default_rng(0)
    for _ in range(20):
        layer.kernel.assign_add(0.02 * random.standard_normal((20, 8)))
        take_updates(layer, 1)
        largest = np.linalg.svd(layer.kernel.numpy(), compute_uv=False)[0]
        assert float(layer.spectral_norm()) == pytest.approx(largest, rel=0.01)


def test_a_pass_is_affine_and_changes_no_weight():
    x = np.random.default_rng(0).standard_normal((4, 20)).astype(np.float32)
    layer = make((20, 8))
    layer.bias.assign(np.arange(8.0))
    before = layer.get_weights()
    training, evaluation = (Step(seeds.as_pair(0), training=training) for training in (True, False))
    first = layer(x)
    for step in (None, training.silent(), evaluation):
        np.testing.assert_array_equal(first, layer(x, step=step))
    for step in (training, evaluation):
        step.apply()
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    expected = x @ layer.kernel.numpy() / float(layer.spectral_norm()) + np.arange(8.0)
    np.testing.assert_allclose(first, expected, rtol=1e-4, atol=1e-5)


def test_a_step_of_training_moves_the_vector_once_the_kernel_has_moved():
    layer, step = make((20, 8)), Step(seeds.as_pair(0), training=True)
    for _ in range(2):
        layer(tf.ones((3, 20)), step=step)
    layer.kernel.assign_add(np.random.default_rng(0).standard_normal((20, 8)))
    left = layer.kernel.numpy() @ layer.vector.numpy()
    right = layer.kernel.numpy().T @ (left / np.linalg.norm(left))
    step.apply()
    np.testing.assert_allclose(layer.vector, right / np.linalg.norm(right), rtol=1e-4, atol=1e-5)


def test_a_convolution_is_that_of_the_divided_kernel():
    x = np.random.default_rng(0).standard_normal((2, 7, 5, 3)).astype(np.float32)
    layer = make((3, 3, 3, 4), stride=2, use_bias=False)
    expected = tf.nn.conv2d(x, layer.kernel / layer.spectral_norm(), 2, "SAME")
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
    assert expected.shape == (2, 4, 3, 4)


def test_the_gradient_is_that_of_the_paper():
    """Equation 12: G - (sum of G and W̄, entry by entry) u v^T, over the norm, with u and v held."""
    layer = make((5, 4), use_bias=False)
    x = tf.constant(np.random.default_rng(0).standard_normal((3, 5)), tf.float32)
    weights = tf.constant(np.random.default_rng(1).standard_normal((3, 4)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weights * layer(x))
    found = tape.gradient(loss, layer.kernel)
    left, right = layer.singular_vectors()
    norm, kernel = float(layer.spectral_norm()), layer.kernel.numpy()
    plain = x.numpy().T @ weights.numpy()
    outer = np.outer(left, right)
    np.testing.assert_allclose(found, (plain - np.sum(plain * kernel) / norm * outer) / norm, rtol=1e-3, atol=1e-4)


def test_a_kernel_of_zeros_is_finite():
    layer = SpectralNormalization((3, 2), initializer="zeros", seed=(0,))
    with tf.GradientTape() as tape:
        y = layer(tf.ones((2, 3)))
    np.testing.assert_array_equal(y, np.zeros((2, 2)))
    assert np.all(np.isfinite(tape.gradient(y, layer.kernel)))


def test_mixed_precision_keeps_the_norm_in_float32():
    layer, exact = make((20, 8), dtype="mixed_float16"), make((20, 8))
    x = np.random.default_rng(0).standard_normal((4, 20)).astype(np.float32)
    assert layer(x).dtype == tf.float16
    assert layer.kernel.dtype == layer.vector.dtype == "float32"
    np.testing.assert_allclose(layer(x), exact(x), atol=0.02)
