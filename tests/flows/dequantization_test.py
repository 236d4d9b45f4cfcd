"""Tests of the noise that turns levels into real numbers."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import log_determinant, randomise

from keras_gen.flows.dequantization import Variational
from keras_gen.spaces import Levels


def make(event_shape, vector_size=0, scale=0.15):
    """A dequantizer of three levels at random weights."""
    return randomise(Variational(Levels(event_shape, 3), vector_size, num_layers=3, filters=5, seed=(1,)), scale)


def condition_of(num, size):
    return tf.constant(np.random.default_rng(2).standard_normal((num, size)), tf.float32) if size else None


@pytest.mark.parametrize(("event_shape", "vector_size"), [((3,), 2), ((2, 2, 1), 2), ((2, 2, 2), 0), ((2, 3), 0)])
def test_the_density_agrees_with_automatic_differentiation(event_shape, vector_size):
    dequantizer = make(event_shape, vector_size)
    random = np.random.default_rng(0)
    x = tf.constant(random.integers(0, 3, (20, *event_shape)), tf.float32)
    noise = tf.constant(random.uniform(0.02, 0.98, x.shape), tf.float32)
    condition = condition_of(20, vector_size)
    u, log_density = dequantizer.draw(x, condition, noise)
    assert np.all((u.numpy() >= 0.0) & (u.numpy() <= 1.0))
    expected = -log_determinant(lambda noise: dequantizer.draw(x, condition, noise)[0], noise)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(log_density, expected, atol=1e-3)
    # Another example, and another condition, have another density.
    assert np.all(np.abs(dequantizer.draw(2.0 - x, condition, noise)[1] - log_density) > 0.0)
    if vector_size:
        assert np.all(np.abs(dequantizer.draw(x, -condition, noise)[1] - log_density) > 0.0)


@pytest.mark.parametrize("event_shape", [(2,), (2, 1, 1)])
def test_the_density_integrates_to_one(event_shape):
    dequantizer = make(event_shape, scale=0.3)
    # A grid over the square, and what is drawn from it: its cells' areas are 1/q.
    side = (np.arange(300, dtype=np.float32) + 0.5) / 300
    noise = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, *event_shape)
    u, log_density = dequantizer.draw(tf.fill(noise.shape, 1.0), None, tf.constant(noise))
    u, areas = u.numpy().reshape(-1, 2), np.exp(-log_density.numpy().astype(np.float64)) / len(noise)
    assert areas.std() > 0.05 * areas.mean()
    np.testing.assert_allclose(areas.sum(), 1.0, atol=5e-3)
    np.testing.assert_allclose(areas @ u, [0.5, 0.5], atol=5e-3)
    np.testing.assert_allclose(areas @ u.prod(axis=1), 0.25, atol=5e-3)


def test_it_starts_as_uniform_noise_and_is_finite_at_both_ends():
    dequantizer = Variational(Levels((2, 2, 1), 256), 0, seed=(0,))
    x = tf.fill((3, 2, 2, 1), 255.0)
    noise = tf.constant([0.0, 0.3, 1.0 - 2.0**-23])[:, tf.newaxis, tf.newaxis, tf.newaxis] * tf.ones_like(x)
    u, log_density = dequantizer.draw(x, None, noise)
    np.testing.assert_allclose(u, noise, atol=1e-6)
    np.testing.assert_allclose(log_density, np.zeros(3), atol=1e-4)
