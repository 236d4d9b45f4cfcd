"""Tests of convolutions whose kernels are normalized."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.layers.convolution import convolution
from keras_gen.layers.initializers import glorot
from keras_gen.layers.weight_normalization import WeightNormalization


@pytest.fixture
def layer():
    return WeightNormalization((3, 3, 2, 4), initializer=glorot((5,)))


def test_it_starts_as_the_plain_convolution(layer):
    x = np.random.default_rng(0).standard_normal((3, 5, 5, 2)).astype(np.float32)
    plain = convolution(2, 4, 3, 1, glorot((5,)), "float32")
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-5, atol=1e-6)


def test_the_length_of_a_filter_is_its_own_weight(layer):
    x = np.random.default_rng(0).standard_normal((3, 5, 5, 2)).astype(np.float32)
    layer.length.assign([1.0, 2.0, 3.0, 0.0])
    layer.bias.assign([0.5, 0.0, 0.0, -1.0])
    before = layer(x).numpy()
    # The kernel only says the direction.
    layer.kernel.assign(layer.kernel * [7.0, 0.1, 1.0, 2.0])
    np.testing.assert_allclose(layer(x), before, rtol=1e-5, atol=1e-5)
    kernel = layer.kernel.numpy()
    kernel *= np.array([1.0, 2.0, 3.0, 0.0]) / np.linalg.norm(kernel.reshape(-1, 4), axis=0)
    expected = tf.nn.conv2d(x, kernel.astype(np.float32), 1, "SAME").numpy() + np.array([0.5, 0.0, 0.0, -1.0])
    np.testing.assert_allclose(before, expected, rtol=1e-4, atol=1e-5)


def test_the_start_standardises_the_features_of_given_examples(layer):
    x = np.random.default_rng(0).normal(4.0, 3.0, (30, 5, 5, 2)).astype(np.float32)
    direction = layer.kernel.numpy() / np.linalg.norm(layer.kernel.numpy().reshape(-1, 4), axis=0)
    step = Step(seeds.as_pair(0), training=True)
    y = layer(x, start=step).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), np.zeros(4), atol=1e-4)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), np.ones(4), rtol=1e-4)
    step.apply()
    np.testing.assert_allclose(layer(x), y, rtol=1e-4, atol=1e-4)
    # Only length and bias have changed.
    found = layer.kernel.numpy() / np.linalg.norm(layer.kernel.numpy().reshape(-1, 4), axis=0)
    np.testing.assert_array_equal(found, direction)


def test_no_gradient_goes_along_the_direction(layer):
    x = np.random.default_rng(0).standard_normal((3, 5, 5, 2)).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    gradient, kernel = tape.gradient(loss, layer.kernel.value).numpy(), layer.kernel.numpy()
    np.testing.assert_allclose(np.sum(gradient * kernel, axis=(0, 1, 2)), np.zeros(4), atol=1e-3)
