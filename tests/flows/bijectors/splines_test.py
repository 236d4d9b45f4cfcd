"""Tests of splines against TFP and automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors import RationalQuadratic

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


@pytest.mark.parametrize("num_bins", [2, 5, 16])
def test_the_spline_is_that_of_tfp(num_bins):
    parameters, x = normal(0, 500, 3, 3 * num_bins - 1), normal(1, 500, 3, scale=1.5)
    single = RationalQuadratic(parameters, bound=2.0)
    ours = RationalQuadratic(tf.cast(parameters, tf.float64), bound=2.0)
    theirs = tfb.RationalQuadraticSpline(ours.widths, ours.heights, ours.slopes[..., 1:-1], range_min=-2.0)
    np.testing.assert_allclose(tf.reduce_sum(ours.widths, axis=-1), 4.0 * np.ones((500, 3)), rtol=1e-9)
    # In the interval, and outside.
    assert 0.1 < np.mean(np.abs(x) > 2.0) < 0.5
    # The logarithm of a steep or flat piece loses digits in single precision.
    for verb, tolerance in (("forward", 1e-5), ("forward_log_det_jacobian", 5e-4), ("inverse", 2e-4)):
        found = getattr(ours, verb)(tf.cast(x, tf.float64))
        np.testing.assert_allclose(found, getattr(theirs, verb)(tf.cast(x, tf.float64)), atol=1e-6)
        np.testing.assert_allclose(getattr(single, verb)(x), found, atol=tolerance)


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
