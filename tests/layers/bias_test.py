"""Sums in 16 bits: a bias learns from all outputs, and an image of one column is an image."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.autoregressive.wavenet import CausalConvolution
from keras_gen.layers import MaskedConvolution, MaskedDense
from keras_gen.layers.affine import affine
from keras_gen.layers.bias import add_bias
from keras_gen.layers.convolution import Conv1D, Conv2D, Conv2DTranspose, convolution, doubled
from keras_gen.layers.dense import dense
from keras_gen.layers.equalized import Equalized
from keras_gen.layers.row_convolution import RowConvolution
from keras_gen.layers.shifted_convolution import AcrossTransposed, DownConvolution
from keras_gen.layers.weight_normalization import WeightNormalization
from keras_gen.networks import KerasNetwork

#: A bias of each has a gradient of one for each of the numbers that its layer returns.
ROWS, SIDE, COUNT = 40, 16, 40 * 16 * 16

PRECISIONS = ("mixed_bfloat16", "mixed_float16")

#: The last place of bfloat16, which a sum of sums may be wrong by: processors differ in how they add up.
UNIT = 2.0**-7


def kernel(shape) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.3, seed=3)


def own(policy) -> KerasNetwork:
    layers = [keras.layers.Conv2D(4, 3, padding="same", dtype=policy), keras.layers.Dense(2, dtype=policy)]
    return KerasNetwork("network", keras.Sequential(layers), [(SIDE, SIDE, 2)], [(SIDE, SIDE, 2)], dtype=policy)


LAYERS = {
    "dense": lambda policy: dense(2, 4, kernel(0), policy),
    "affine": lambda policy: affine((3, 3, 2, 4), kernel(0), policy, False, (0,)),
    "spectral_norm": lambda policy: affine((3, 3, 2, 4), kernel(0), policy, True, (0,)),
    "convolution": lambda policy: convolution(2, 4, 3, 1, kernel(0), policy),
    "transposed": lambda policy: convolution(2, 4, 3, 2, kernel(0), policy, Conv2DTranspose),
    "equalized": lambda policy: Equalized((3, 3, 2, 4), seed=(0,), dtype=policy),
    "weight_normalization": lambda policy: WeightNormalization((3, 3, 2, 4), initializer=kernel(0), dtype=policy),
    "masked_convolution": lambda policy: MaskedConvolution(2, 4, 1, 1, "B", seed=(0,), dtype=policy),
    "row_convolution": lambda policy: RowConvolution(2, 4, 1, width=3, seed=(0,), dtype=policy),
    "down": lambda policy: DownConvolution(2, 4, seed=(0,), dtype=policy),
    "across_transposed": lambda policy: AcrossTransposed(2, seed=(0,), dtype=policy),
    "one's own": own,
}


@pytest.mark.parametrize("policy", PRECISIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_bias_learns_from_all_outputs(name, policy):
    layer = LAYERS[name](policy)
    x = tf.random.stateless_normal((ROWS, SIDE, SIDE, 2), (0, 1))
    with tf.GradientTape() as tape:
        y = layer(tf.cast(x, layer.compute_dtype))
        total = tf.reduce_sum(tf.cast(y, tf.float32))
    (*_, bias) = (weight for weight in layer.trainable_weights if weight.name.endswith("bias"))
    outputs = y.shape.num_elements() / bias.shape[0]
    np.testing.assert_allclose(tape.gradient(total, bias.value), np.full(bias.shape, outputs), rtol=UNIT)


@pytest.mark.parametrize("policy", PRECISIONS)
def test_a_masked_bias_learns_from_all_rows(policy):
    layer, degrees = MaskedDense(4, dtype=policy), np.arange(4)
    with tf.GradientTape() as tape:
        y = layer(tf.ones((COUNT, 4), layer.compute_dtype), degrees, degrees)
        total = tf.reduce_sum(tf.cast(y, tf.float32))
    np.testing.assert_allclose(tape.gradient(total, layer.bias.value), np.full(4, COUNT), rtol=UNIT)


@pytest.mark.parametrize("policy", PRECISIONS)
def test_the_vector_of_a_code_learns_from_all_places_of_the_code(policy):
    layer = CausalConvolution(3, 4, seed=(0,), dtype=policy)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.cast(layer(tf.ones((ROWS, 100))), tf.float32))
    # The last sample is in no other one's past.
    expected = np.zeros((3, 4))
    expected[1] = 99 * ROWS
    gradient = tf.convert_to_tensor(tape.gradient(total, layer.kernel.value))
    np.testing.assert_allclose(gradient, expected, rtol=UNIT)


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("rows", [0, 1, 5000])
@pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])
def test_sums_of_gradients(rows, precision, jit_compile):
    upstream = tf.cast(tf.random.stateless_uniform((rows, 3), (1, 2)), precision)
    bias = tf.constant([1.0, 2.0, 3.0])

    @tf.function(jit_compile=jit_compile)
    def gradients(y, bias):
        with tf.GradientTape() as tape:
            tape.watch([y, bias])
            total = add_bias(y, bias)
        return total, *tape.gradient(total, [y, bias], output_gradients=upstream)

    total, for_y, for_bias = gradients(tf.zeros_like(upstream), bias)
    np.testing.assert_array_equal(total, tf.zeros_like(upstream) + tf.cast(bias, precision))
    np.testing.assert_array_equal(for_y, upstream)
    np.testing.assert_allclose(for_bias, np.sum(tf.cast(upstream, tf.float64), axis=0), rtol=UNIT)


def test_gradients_of_gradients():
    x, bias = tf.random.stateless_normal((6, 3), (1, 2)), tf.constant([0.1, 0.2, 0.3])

    def penalty(precision):
        with tf.GradientTape() as outer:
            outer.watch(bias)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.cast(add_bias(tf.cast(x, precision), bias), tf.float32) ** 3)
            square = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return outer.gradient(square, bias)

    np.testing.assert_allclose(penalty(tf.bfloat16), penalty(tf.float32), rtol=0.03)


#: Maps whose convolutions have a stride and results of one column, and were arbitrary memory in bfloat16.
NARROW = {
    "Conv2D": (lambda policy: Conv2D(4, 3, 2, "same", dtype=policy), (16, 2, 8)),
    "Conv2D, one column": (lambda policy: Conv2D(4, 3, 2, "same", dtype=policy), (2, 1, 8)),
    "Conv2D, valid": (lambda policy: Conv2D(4, 3, 2, "valid", dtype=policy), (16, 4, 8)),
    "Conv2D, stride 3": (lambda policy: Conv2D(4, 2, 3, "same", dtype=policy), (16, 3, 8)),
    "Conv1D": (lambda policy: Conv1D(4, 3, 2, "same", dtype=policy), (1, 8)),
    "Conv2DTranspose": (lambda policy: Conv2DTranspose(4, 3, 2, "same", dtype=policy), (16, 1, 8)),
    "affine": (lambda policy: affine((5, 5, 8, 4), kernel(0), policy, False, (0,), stride=2), (16, 2, 8)),
    "spectral_norm": (lambda policy: affine((5, 5, 8, 4), kernel(0), policy, True, (0,), stride=2), (16, 2, 8)),
    "stride (1, 2)": (lambda policy: affine((3, 3, 8, 4), kernel(0), policy, True, (0,), stride=(1, 2)), (16, 2, 8)),
    "doubled": (lambda policy: Equalized((3, 3, 8, 4), resize="double", seed=(0,), dtype=policy), (16, 1, 8)),
    "halved": (lambda policy: Equalized((3, 3, 8, 4), resize="halve", seed=(0,), dtype=policy), (16, 2, 8)),
}


def rounded(values: tf.Tensor) -> tf.Tensor:
    """Returns the nearest numbers of bfloat16."""
    return tf.cast(tf.cast(values, tf.bfloat16), tf.float32)


@pytest.mark.parametrize("name", NARROW)
def test_narrow_maps_are_convolved_in_bfloat16(name):
    make, shape = NARROW[name]
    x = rounded(tf.random.stateless_normal((2, *shape), (1, 2)))
    exact, layer = make("float32"), make("mixed_bfloat16")
    exact(x)
    layer(x)
    for weight, same in zip(layer.weights, exact.weights, strict=True):
        same.assign(rounded(same.value))
        weight.assign(same)

    def results(layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cast(layer(tf.cast(x, layer.compute_dtype)), tf.float32)
            total = tf.reduce_sum(y * tf.cos(tf.range(tf.size(y), dtype=tf.float32)).numpy().reshape(y.shape))
        return y, *tape.gradient(total, [x, *(weight.value for weight in layer.trainable_weights)])

    expected = results(exact)
    for _ in range(5):
        # Memory that was in use holds NaN, for whoever reads more than it has written.
        del [tf.fill((count,), np.nan) for count in (16, 64, 256, 1024, 4096, 16384)][:]
        for found, wanted in zip(results(layer), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0.03, atol=0.03 * np.abs(wanted).max())


def test_a_transposed_convolution_that_doubles():
    x, kernel = tf.ones((1, 2, 1, 1), tf.bfloat16), tf.ones((2, 2, 1, 1), tf.bfloat16)
    np.testing.assert_array_equal(doubled(x, kernel)[0, :, :, 0], np.ones((4, 2)))
