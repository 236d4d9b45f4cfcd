"""Tests of splines, couplings and linear maps against TFP, NumPy and automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.coupling import Coupling, LUProduct
from keras_gen.flows.bijectors.splines import RationalQuadratic

tfb = tfp.bijectors


def normal(seed, *shape, scale=1.0):
    return tf.constant(scale * np.random.default_rng(seed).standard_normal(shape), tf.float32)


def gradient(function, x):
    # TFP remembers what it computed for a tensor, and has no gradient of that.
    x = tf.identity(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


def log_det(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return np.linalg.slogdet(tape.batch_jacobian(y, x).numpy().astype(np.float64)).logabsdet


@pytest.mark.parametrize("num_bins", [2, 5, 16])
def test_the_spline_is_that_of_tfp(num_bins):
    ours = RationalQuadratic(normal(0, 500, 3, 3 * num_bins - 1), bound=2.0)
    theirs = tfb.RationalQuadraticSpline(ours.widths, ours.heights, ours.slopes[..., 1:-1], range_min=-2.0)
    np.testing.assert_allclose(tf.reduce_sum(ours.widths, axis=-1), 4.0 * np.ones((500, 3)), rtol=1e-5)
    # In the interval, and outside.
    x = normal(1, 500, 3, scale=1.5)
    assert 0.1 < np.mean(np.abs(x) > 2.0) < 0.5
    np.testing.assert_allclose(ours.forward(x), theirs.forward(x), atol=1e-5)
    np.testing.assert_allclose(
        ours.forward_log_det_jacobian(x), theirs.forward_log_det_jacobian(x), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(ours.inverse(x), theirs.inverse(x), atol=2e-4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_spline_both_ways(jit_compile):
    bijector = RationalQuadratic(normal(0, 2000, 3, 23))
    compiled = tf.function(lambda function, x: function(x), jit_compile=jit_compile)
    x = normal(1, 2000, 3, scale=2.0)
    for there, back in ((bijector.forward, bijector.inverse), (bijector.inverse, bijector.forward)):
        again = compiled(back, tf.identity(compiled(there, x)))
        # Where the first function is flat, rounding its value moves that of the second by so much.
        flatness = 1.0 / gradient(there, x)
        np.testing.assert_array_less(np.abs(again - x), 2e-6 * (1.0 + flatness))


def test_the_slopes_of_the_spline_are_those_of_automatic_differentiation():
    bijector = RationalQuadratic(normal(0, 500, 3, 23))
    x = normal(1, 500, 3, scale=2.0)
    slope = gradient(bijector.forward, x)
    assert np.all(slope > 0.0)
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(tf.identity(x)), np.log(slope), rtol=1e-3, atol=1e-3)
    slope = gradient(bijector.inverse, x)
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(tf.identity(x)), np.log(slope), rtol=1e-3, atol=1e-3)


def test_the_gradient_of_the_log_slope_reaches_every_parameter():
    random = normal(0, 200, 8)

    def total(parameters, x):
        bijector = RationalQuadratic(parameters[tf.newaxis])
        return tf.reduce_sum(bijector.forward(x)), tf.reduce_sum(bijector.forward_log_det_jacobian(x))

    parameters, x = tf.cast(random[0], tf.float64), tf.cast(tf.reshape(random[1:], (-1,)), tf.float64)
    for part in (0, 1):
        found = gradient(lambda parameters, part=part: total(parameters, x)[part], parameters)
        for index in range(8):
            step = 1e-6 * np.eye(8)[index]
            above, below = (total(parameters + sign * step, x)[part].numpy() for sign in (1, -1))
            np.testing.assert_allclose(found[index], (above - below) / 2e-6, rtol=1e-4, atol=1e-4)


def test_the_spline_is_the_identity_for_zeros_and_outside_the_interval():
    x = normal(1, 500, 3, scale=2.0)
    identity = RationalQuadratic(tf.zeros((1, 3, 23)))
    np.testing.assert_allclose(identity.forward(x), x, atol=1e-6)
    np.testing.assert_allclose(identity.forward_log_det_jacobian(x), np.zeros((500, 3)), atol=1e-6)
    np.testing.assert_allclose(identity.inverse(x), x, atol=1e-6)
    far = tf.constant([-1e30, -3.0, 3.0, 1e30])
    # Extreme parameters leave the ends, and gradients, as they are.
    extreme = RationalQuadratic(1e4 * normal(2, 4, 23))
    np.testing.assert_array_equal(extreme.forward(far), far)
    np.testing.assert_array_equal(extreme.inverse(far), far)
    np.testing.assert_array_equal(gradient(extreme.forward, far), np.ones(4))
    inside = tf.linspace(-2.99, 2.99, 4)
    assert np.all(np.isfinite(gradient(extreme.inverse, inside)))
    assert np.all(np.isfinite(extreme.forward_log_det_jacobian(inside)))


@pytest.mark.parametrize("keeps_first", [True, False])
def test_a_coupling_is_that_of_tfp_and_calls_its_network_once(keeps_first):
    kernel, calls = normal(0, 5, 5), []
    num_kept = 2 if keeps_first else 3

    def affine(kept):
        calls.append(kept)
        parameters = tf.tanh(tf.matmul(kept, kernel[:num_kept]))
        return tfb.Chain([tfb.Shift(parameters[:, : 5 - num_kept]), tfb.Scale(log_scale=parameters[:, num_kept - 5 :])])

    theirs = tfb.RealNVP(2 if keeps_first else -3, bijector_fn=lambda kept, _: affine(kept))
    x = normal(1, 20, 5)
    for name in ("forward", "inverse"):
        ours = Coupling(2, keeps_first, affine)
        calls.clear()
        y, log_determinant = getattr(ours, name)(x), getattr(ours, f"{name}_log_det_jacobian")(x, 1)
        assert len(calls) == 1
        np.testing.assert_allclose(y, getattr(theirs, name)(x), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(log_determinant, getattr(theirs, f"{name}_log_det_jacobian")(x, 1), rtol=1e-5)
        # Other values are not those that it remembers.
        np.testing.assert_allclose(getattr(ours, name)(x + 1.0), getattr(theirs, name)(x + 1.0), rtol=1e-5, atol=1e-6)


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
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 1), log_det(bijector.forward, x)[0], atol=1e-4)
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(y, 1), log_det(bijector.inverse, y)[0], atol=1e-4)


def test_the_linear_map_of_images_counts_every_position():
    bijector = LUProduct(normal(0, 3, 3, scale=0.4), np.array([2, 0, 1]), event_ndims=3)
    x = normal(1, 2, 2, 2, 3)
    np.testing.assert_allclose(bijector.inverse(tf.identity(bijector.forward(x))), x, atol=1e-4)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reshape(bijector.forward(x), (2, 12))
    jacobian = tf.reshape(tape.batch_jacobian(y, x), (2, 12, 12))
    expected = np.linalg.slogdet(jacobian.numpy()).logabsdet[0]
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 3), expected, atol=1e-4)
