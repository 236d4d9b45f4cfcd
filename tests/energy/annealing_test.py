import math

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import seeds
from keras_gen.energy import annealing
from keras_gen.energy.annealing import LogPartition, annealed_log_weights, temperatures_near_one

#: Of exp(-(x - 1)² / (2 · 0.8²)), whose path starts at exp(-x² / 2).
LOG_Z = math.log(0.8 * math.sqrt(2.0 * math.pi))
LOG_Z_OF_START = math.log(math.sqrt(2.0 * math.pi))


def annealing_of(num_samples: int, num_temperatures: int):
    """Returns the function from a seed to log weights of the path from a normal density to another one."""

    def log_density(x, beta):
        return -(1.0 - beta) * tf.square(x) / 2.0 - beta * tf.square(x - 1.0) / 1.28

    def transition(x, beta, seed):
        precision, shift = 1.0 - beta + beta / 0.64, beta / 0.64
        # A move that keeps half of the deviation from the mean.
        mean, deviation = shift / precision, 1.0 / tf.sqrt(precision)
        noise = tf.cast(seeds.normal(tf.shape(x), seed), tf.float64)
        return mean + 0.5 * (x - mean) + math.sqrt(0.75) * deviation * noise

    def start(num, seed):
        return tf.cast(seeds.normal((num,), seed), tf.float64)

    temperatures = temperatures_near_one(num_temperatures)
    path = (log_density, transition, start, tf.constant(LOG_Z_OF_START, tf.float64), temperatures)
    return tf.function(lambda seed: annealed_log_weights(*path, num_samples, seed), autograph=False)


def test_the_mean_weight_is_the_partition_function(monkeypatch):
    monkeypatch.setattr(annealing, "CHAINS_AT_ONCE", 3000)
    found = annealing_of(8000, 20)(seeds.as_pair(0)).numpy()
    assert found.shape == (8000,)
    assert found.dtype == np.float64
    # Chunks draw numbers of their own.
    assert len(np.unique(found)) == 8000
    weights = np.exp(found - LOG_Z)
    assert abs(weights.mean() - 1.0) < 4.0 * weights.std() / math.sqrt(8000)
    # One temperature is importance sampling from the start; many make the weights nearly equal.
    one, many = (annealing_of(1000, number)(seeds.as_pair(0)).numpy() for number in (1, 400))
    assert one.std() > 1.4 * found.std()
    assert many.std() < 0.5 * found.std()


def test_the_logarithm_of_a_mean_is_too_small_on_average_and_its_error_says_how_uncertain():
    log_weights = annealing_of(10_000, 6)(seeds.as_pair(0))
    weights = np.exp(log_weights - LOG_Z)
    distances = np.log(weights.reshape(-1, 5).mean(axis=1))
    assert distances.mean() < -3.0 * distances.std() / math.sqrt(len(distances))
    many = [LogPartition.of(weights) for weights in tf.reshape(log_weights, (-1, 100))]
    estimates, errors, low, high = np.array(many).T
    assert np.mean((low <= LOG_Z) & (high >= LOG_Z)) > 0.94
    np.testing.assert_allclose(errors.mean(), estimates.std(), rtol=0.25)


def test_interval_of_given_weights():
    weights = np.array([1.0, 2.0, 3.0, 6.0])
    found = LogPartition.of(tf.constant(np.log(weights) + 1000.0))
    error = weights.std(ddof=1) / 2.0 / weights.mean()
    np.testing.assert_allclose(found.estimate, math.log(3.0) + 1000.0, rtol=1e-12)
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-9)
    # Three errors are more than the mean.
    assert 3.0 * error > 1.0
    assert found.low == -math.inf
    np.testing.assert_allclose(found.high, math.log(3.0 * (1.0 + 3.0 * error)) + 1000.0, rtol=1e-12)
    near = LogPartition.of(tf.constant(np.log(100.0 + weights)))
    error = weights.std(ddof=1) / 2.0
    np.testing.assert_allclose(near[2:], np.log([103.0 - 3.0 * error, 103.0 + 3.0 * error]), rtol=1e-12)
    assert np.all(np.isnan(LogPartition.of(tf.constant([0.0], tf.float64))[1:]))


@pytest.mark.parametrize("number", [1, 7, 2900])
def test_temperatures_go_from_zero_to_one(number):
    found = temperatures_near_one(number)
    assert found.shape == (number + 1,)
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert np.all(np.diff(found) > 0.0)
    if number == 2900:
        assert [np.sum(found <= 0.5), np.sum(found <= 0.9)] == [101, 901]
