"""Tests of the bijectors of images, by hand and against automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import log_determinant, randomise

from keras_gen.flows import Glow, MultiScaleRealNVP
from keras_gen.flows.bijectors.images import MaskedCoupling, Squeeze, checkerboard, on_second_half, on_squeezed


def normal(seed, *shape):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


def networks(shape, seed):
    """Returns t and s of a masked coupling: functions of every entry that they see."""
    size = int(np.prod(shape))
    kernels = 0.5 * normal(seed, 2, size, size)

    def call(kept):
        rows = tf.reshape(kept, (-1, size))
        shift, log_scale = (tf.reshape(tf.tanh(tf.matmul(rows, kernel)), (-1, *shape)) for kernel in kernels)
        return shift, log_scale

    return call


def assert_bijector(make, x):
    """Asserts that the inverse inverts, and that log-determinants are those of the full Jacobian, both ways.

    Args:
        make: function without arguments to the bijector; each one that it makes remembers nothing.
        x: examples.
    """
    y = tf.identity(make().forward(x))
    np.testing.assert_allclose(make().inverse(y), x, atol=1e-5)
    expected = log_determinant(lambda x: make().forward(x), x)
    np.testing.assert_allclose(make().forward_log_det_jacobian(x, 3) + tf.zeros(len(x)), expected, atol=1e-4)
    np.testing.assert_allclose(make().inverse_log_det_jacobian(y, 3) + tf.zeros(len(x)), -expected, atol=1e-4)
    # One that was asked for the output before answers the same.
    bijector = make()
    y = bijector.forward(x)
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 3) + tf.zeros(len(x)), expected, atol=1e-4)
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(y, 3) + tf.zeros(len(x)), -expected, atol=1e-4)


def test_a_squeeze_by_hand():
    image = np.arange(16.0, dtype=np.float32).reshape(1, 4, 4, 1)
    expected = [[[0, 1, 4, 5], [2, 3, 6, 7]], [[8, 9, 12, 13], [10, 11, 14, 15]]]
    np.testing.assert_array_equal(Squeeze().forward(image)[0], expected)
    np.testing.assert_array_equal(Squeeze().inverse(np.array([expected], np.float32)), image)
    # The channels of a pixel stay together.
    colors = np.concatenate([image, image + 100.0], axis=-1)
    np.testing.assert_array_equal(Squeeze().forward(colors)[0, 0, 0], [0, 100, 1, 101, 4, 104, 5, 105])


def test_a_squeeze_keeps_volume_and_knows_its_shapes():
    x = normal(0, 3, 4, 2, 2)
    assert_bijector(Squeeze, x)
    assert Squeeze().forward_event_shape((4, 2, 2)) == Squeeze().forward(x).shape[1:]
    assert Squeeze().inverse_event_shape((2, 1, 8)) == (4, 2, 2)
    np.testing.assert_array_equal(Squeeze().forward_event_shape_tensor((4, 2, 2)), (2, 1, 8))
    np.testing.assert_array_equal(Squeeze().inverse_event_shape_tensor((2, 1, 8)), (4, 2, 2))


@pytest.mark.parametrize("start", [0, 1])
def test_neighbours_in_a_checkerboard_differ(start):
    mask = checkerboard((3, 4, 2), start)
    assert mask[0, 0, 0] == start
    assert np.all(mask[1:] + mask[:-1] == 1)
    assert np.all(mask[:, 1:] + mask[:, :-1] == 1)
    assert np.all(mask[..., 0] == mask[..., 1])


@pytest.mark.parametrize("start", [0, 1])
def test_a_masked_coupling(start):
    shape, calls = (3, 2, 2), []
    mask, function = checkerboard(shape, start), networks((3, 2, 2), 1)

    def counted(kept):
        calls.append(kept)
        return function(kept)

    x = normal(0, 4, *shape)
    assert_bijector(lambda: MaskedCoupling(mask, function), x)
    bijector = MaskedCoupling(mask, counted)
    y = bijector.forward(x)
    log_determinants = bijector.forward_log_det_jacobian(x, 3), -bijector.inverse_log_det_jacobian(y, 3)
    assert len(calls) == 1
    shift, log_scale = function(x * mask)
    np.testing.assert_allclose(y, tf.where(mask == 1, x, x * tf.exp(log_scale) + shift), rtol=1e-5, atol=1e-6)
    for found in log_determinants:
        np.testing.assert_allclose(found, tf.reduce_sum(log_scale * (1 - mask), axis=(1, 2, 3)), rtol=1e-4, atol=1e-5)
    # Other values are not those that it remembers.
    np.testing.assert_allclose(bijector.forward(x + 1.0), MaskedCoupling(mask, function).forward(x + 1.0), rtol=1e-5)


def test_the_first_half_of_the_channels_stays_as_it_is():
    def inner():
        return MaskedCoupling(checkerboard((2, 2, 2), 0), networks((2, 2, 2), 2))

    x = normal(0, 4, 2, 2, 4)
    assert_bijector(lambda: on_second_half(inner(), 4), x)
    y = on_second_half(inner(), 4).forward(x)
    np.testing.assert_array_equal(y[..., :2], x[..., :2])
    np.testing.assert_allclose(y[..., 2:], inner().forward(x[..., 2:]), rtol=1e-5)


def test_steps_act_on_the_squeezed_image_in_their_order():
    def steps():
        return [MaskedCoupling(checkerboard((2, 1, 4), index), networks((2, 1, 4), index)) for index in range(2)]

    x = normal(0, 4, 4, 2, 1)
    assert_bijector(lambda: on_squeezed(steps()), x)
    h = Squeeze().forward(x)
    for step in steps():
        h = step.forward(h)
    np.testing.assert_allclose(on_squeezed(steps()).forward(x), Squeeze().inverse(h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        Glow((4, 4, 1), None, num_scales=2, num_steps=1, filters=2),
        MultiScaleRealNVP((4, 4, 1), None, num_scales=2, filters=2, num_blocks=1),
    ],
    ids=["glow", "real_nvp"],
)
def test_half_of_the_entries_leave_after_the_first_scale(model):
    randomise(model, 0.15)
    x = normal(0, 3, 4, 4, 1)
    assert_bijector(model.flow, x)
    before = Squeeze().forward(model.encode(x))
    # The last network belongs to the last scale.
    bias = model.coupling_networks[-1].last.bias
    bias.assign_add(tf.ones_like(bias))
    change = np.abs(Squeeze().forward(model.encode(x)) - before).max(axis=(0, 1, 2))
    np.testing.assert_array_equal(change[:2], 0.0)
    assert np.all(change[2:] > 0.1)
