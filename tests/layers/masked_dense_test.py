"""Tests of the masked dense layer against a matrix product with the mask written out."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import MaskedDense


@pytest.fixture(scope="module")
def layer():
    layer = MaskedDense(300)
    layer.build((None, 20))
    layer.bias.assign(np.arange(300.0))
    return layer


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((7, 20)).astype(np.float32)


def degrees(ascending: bool):
    random = np.random.default_rng(1)
    inputs, units = random.integers(1, 20, 20), random.integers(0, 18, 300)
    return (np.sort(inputs), np.sort(units)) if ascending else (inputs, units)


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_connections_are_those_of_the_degrees(layer, x, ascending, known):
    inputs, units = degrees(ascending)
    mask = inputs[:, np.newaxis] <= units
    assert not mask.any(axis=0).all()
    if not known:
        inputs, units = tf.constant(inputs), tf.constant(units)
    expected = x @ (layer.kernel.numpy() * mask) + layer.bias.numpy()
    with tf.GradientTape() as tape:
        y = layer(x, inputs, units)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    gradient = tape.gradient(y, layer.kernel.value).numpy()
    np.testing.assert_allclose(gradient, x.sum(axis=0)[:, np.newaxis] * mask, rtol=1e-5, atol=1e-5)


def test_units_without_any_input_are_their_biases(layer, x):
    inputs, units = np.arange(1, 21), np.zeros(300, int)

    @tf.function
    def outputs_and_gradient(x):
        with tf.GradientTape() as tape:
            y = layer(x, inputs, units)
        return y, tape.gradient(y, layer.kernel.value)

    y, gradient = outputs_and_gradient(x)
    np.testing.assert_array_equal(y, np.tile(np.arange(300.0), (7, 1)))
    np.testing.assert_array_equal(gradient, np.zeros((20, 300)))
    # On a product with an empty side, oneDNN aborts the process.
    graph = outputs_and_gradient.get_concrete_function(x).graph
    products = [operation for operation in graph.get_operations() if operation.type == "MatMul"]
    assert products
    assert all(0 not in tensor.shape for product in products for tensor in product.inputs)


def test_config_makes_the_same_layer(layer):
    copy = MaskedDense.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()


def test_inputs_that_no_unit_of_a_block_sees_are_left_out(x):
    layer = MaskedDense(2 * MaskedDense.block_units)
    layer.build((None, 20))
    # The first block of units sees the first five inputs: nothing may be computed from the others, not even zeros.
    inputs, units = np.arange(1, 21), np.repeat([5, 20], MaskedDense.block_units)
    kernel = layer.kernel.numpy()
    kernel[5:, : MaskedDense.block_units] = np.nan
    layer.kernel.assign(kernel)
    for call in (layer, tf.function(lambda *_: layer(x, inputs, units))):
        assert np.isfinite(call(x, inputs, units)).all()
