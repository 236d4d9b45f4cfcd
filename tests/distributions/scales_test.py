"""Tests of the scale that makes numbers most likely."""

import numpy as np
import pytest
import tensorflow_probability as tfp
from scipy import optimize, stats

from keras_gen.distributions.scales import most_likely_log_scale

tfd = tfp.distributions


@pytest.fixture(scope="module")
def numbers():
    random = np.random.default_rng(0)
    columns = [random.normal(0.0, 3.0, 500), random.standard_t(2, 500), 1e-3 * random.uniform(-1.0, 1.0, 500)]
    return np.stack(columns, axis=1).astype(np.float32)


def test_of_normal_numbers_it_is_the_root_of_the_mean_square(numbers):
    found = most_likely_log_scale(numbers, lambda: tfd.Normal(0.0, 1.0), num_columns=2)
    np.testing.assert_allclose(found, -0.5 * np.log(np.mean(numbers.astype(float) ** 2, axis=0)), atol=2e-5)


def test_of_logistic_numbers_it_is_the_optimum(numbers):
    found = most_likely_log_scale(numbers, lambda: tfd.Logistic(0.0, 1.0))
    for column, log_factor in zip(numbers.T.astype(float), found, strict=True):

        def cost(s, column=column):
            return -np.mean(stats.logistic.logpdf(column * np.exp(s))) - s

        best = optimize.minimize_scalar(cost, bounds=(-20.0, 20.0), method="bounded", options={"xatol": 1e-6})
        assert log_factor == pytest.approx(best.x, abs=1e-4)
