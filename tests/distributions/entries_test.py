"""Tests of the conditionals: masses that sum to one, and draws that follow them."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen.distributions.entries import DiscretizedLogisticMixture


@pytest.mark.parametrize(("levels", "channels"), [(2, 1), (5, 2), (3, 3), (256, 1)])
def test_masses_of_a_rounded_mixture_sum_to_one(levels, channels):
    conditional = DiscretizedLogisticMixture(levels, 3, channels)
    parameters = np.random.default_rng(0).normal(0, 2, (4, 1, conditional.num_parameters)).astype(np.float32)
    points = np.array(list(itertools.product(range(levels), repeat=channels)), np.float32)
    parameters = np.repeat(parameters, len(points), axis=1)
    log_prob = conditional.log_prob(tf.constant(parameters), tf.constant(points[np.newaxis]))
    np.testing.assert_allclose(np.exp(log_prob).sum(axis=1), 1.0, atol=1e-5)


def test_rounded_mixture_is_that_of_the_paper():
    """Two channels; the mean of the second moves with the first; the mass is a difference of sigmoids."""
    conditional = DiscretizedLogisticMixture(8, 2, 2)
    parameters = np.random.default_rng(0).normal(size=(12,)).astype(np.float32)
    (first, second), total = (3.0, 7.0), 0.0
    weights = np.exp(parameters[[0, 6]]) / np.exp(parameters[[0, 6]]).sum()
    for weight, (_, *locations, a, b, coefficient) in zip(weights, parameters.reshape(2, 6), strict=True):
        locations[1] += np.tanh(coefficient) * (2 * first / 7 - 1)
        low, high = stats.logistic(locations[0], np.exp(a)), stats.logistic(locations[1], np.exp(b))
        mass = low.cdf(2 * (first + 0.5) / 7 - 1) - low.cdf(2 * (first - 0.5) / 7 - 1)
        total += weight * mass * high.sf(2 * (second - 0.5) / 7 - 1)
    found = conditional.log_prob(tf.constant(parameters[np.newaxis]), tf.constant([[first, second]]))
    np.testing.assert_allclose(found[0], np.log(total), rtol=1e-5)


def test_draws_of_a_rounded_mixture_follow_its_masses():
    conditional = DiscretizedLogisticMixture(4, 3, 2)
    parameters = tf.constant(np.random.default_rng(1).normal(size=conditional.num_parameters).astype(np.float32))
    num = 40_000
    noise = {
        name: source.sample(num, seed=(1, index))
        for index, (name, source) in enumerate(conditional.noise_distributions().items())
    }
    drawn = conditional.draw(tf.repeat(parameters[tf.newaxis], num, axis=0), noise).numpy().astype(int)
    points = np.array(list(itertools.product(range(4), repeat=2)), np.float32)
    expected = num * np.exp(conditional.log_prob(tf.repeat(parameters[tf.newaxis], 16, axis=0), tf.constant(points)))
    counts = np.bincount(4 * drawn[:, 0] + drawn[:, 1], minlength=16)
    statistic = np.sum((counts - expected) ** 2 / expected)
    assert stats.chi2.sf(statistic, 15) > 1e-4


@pytest.mark.parametrize("location", [-40.0, 0.0, 40.0])
@pytest.mark.parametrize("log_scale", [-5.0, 12.0])
def test_gradients_stay_finite_far_from_the_data(location, log_scale):
    conditional = DiscretizedLogisticMixture(256, 1, 1)
    parameters = tf.Variable([0.0, location, log_scale])
    with tf.GradientTape() as tape:
        log_prob = conditional.log_prob(
            tf.repeat(parameters[tf.newaxis], 3, axis=0), tf.constant([[0.0], [100.0], [255.0]])
        )
    assert np.all(np.isfinite(log_prob))
    assert np.all(np.isfinite(tape.gradient(log_prob, parameters)))
