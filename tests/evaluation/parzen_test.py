"""Parzen windows against scikit-learn and a closed form, and clusters as a classifier."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import KernelDensity

from keras_gen import evaluation
from keras_gen.evaluation import parzen


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(0)


def test_scikit_learn_finds_the_same_density(random, monkeypatch):
    samples, x = random.random((70, 5)), random.random((41, 5))
    # Parts of a few rows, the last one smaller.
    monkeypatch.setattr(parzen, "DISTANCES_AT_ONCE", 500)
    found = parzen.parzen_log_prob(samples, x, np.array([0.05, 0.4]))
    for values, sigma in zip(found, (0.05, 0.4), strict=True):
        theirs = KernelDensity(bandwidth=sigma, rtol=1e-12).fit(samples).score_samples(x)
        np.testing.assert_allclose(values, theirs, rtol=1e-9)


def test_gaussian_samples_give_the_gaussian_of_both_variances(random):
    """In expectation over samples of N(0, 1), the windows have the density of N(0, 1 + σ²)."""
    # The quantiles of equal shares stand for many samples.
    samples = stats.norm.ppf((np.arange(10_000) + 0.5) / 10_000)[:, np.newaxis]
    test = random.standard_normal((300, 1))
    found = evaluation.parzen_log_likelihood(samples, test, test, sigmas=(0.5,))
    variance = 1.25
    expected = -0.5 * math.log(2.0 * math.pi * variance) - 0.5 * np.mean(test**2) / variance
    assert found["parzen_log_likelihood"] == pytest.approx(expected, abs=2e-4)


def test_width_is_chosen_on_validation_data_alone(random):
    samples = random.random((50, 2, 3)).astype(np.float32)
    validation = samples + 0.1 * random.standard_normal(samples.shape)
    test = samples + 1.0 * random.standard_normal(samples.shape)
    sigmas = (0.03, 0.1, 0.3, 1.0)
    found = evaluation.parzen_log_likelihood(samples, test, validation, sigmas)
    flat = [x.reshape(50, 6).astype(np.float64) for x in (samples, test, validation)]
    on = {
        name: [KernelDensity(bandwidth=sigma, rtol=1e-12).fit(flat[0]).score_samples(x) for sigma in sigmas]
        for name, x in (("test", flat[1]), ("validation", flat[2]))
    }
    best = int(np.argmax(np.mean(on["validation"], axis=1)))
    assert best != int(np.argmax(np.mean(on["test"], axis=1)))
    assert found["sigma"] == sigmas[best]
    assert found["parzen_log_likelihood"] == pytest.approx(on["test"][best].mean(), rel=1e-9)
    assert found["parzen_standard_error"] == pytest.approx(on["test"][best].std(ddof=1) / math.sqrt(50), rel=1e-9)
    assert found["validation_log_likelihood"] == pytest.approx(on["validation"][best].mean(), rel=1e-9)
    assert found["parzen_samples"] == 50
    width, mean = evaluation.parzen_width(samples, validation, sigmas)
    assert (width, mean) == (found["sigma"], found["validation_log_likelihood"])


def test_width_at_the_end_of_the_range_gets_a_warning(random):
    samples, x = random.standard_normal((200, 2)), random.standard_normal((100, 2))
    for sigmas in ((1e-3, 1e-2), (10.0, 100.0)):
        with pytest.warns(
            UserWarning, match="the Parzen width 0.01|10 is at the end of `sigmas`, from .* to .*; a better"
        ):
            evaluation.parzen_log_likelihood(samples, x, x, sigmas)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluation.parzen_log_likelihood(samples, x, x, (1e-3, 0.4, 100.0))["sigma"] == 0.4
        evaluation.parzen_log_likelihood(samples, x, x, (1e-3,))


def test_cluster_centres_beat_the_true_distribution(random):
    """What the warning says: four centres are no samples of the distribution, and have the better figure."""

    def draws(num):
        return 6.0 * np.eye(4, 60)[random.integers(4, size=num)] + random.standard_normal((num, 60))

    test, validation = draws(300), draws(300)
    sigmas = np.linspace(0.7, 2.0, 14)
    true = evaluation.parzen_log_likelihood(draws(1000), test, validation, sigmas)
    centres = evaluation.parzen_log_likelihood(6.0 * np.eye(4, 60), test, validation, sigmas)
    gap = centres["parzen_log_likelihood"] - true["parzen_log_likelihood"]
    assert gap > 10.0 * true["parzen_standard_error"]


def test_far_and_equal_points_do_not_overflow():
    x = np.full((2, 784), 1.0)
    found = evaluation.parzen_log_likelihood(np.zeros((3, 784)), x, x, sigmas=(0.01,))
    expected = -0.5 * 784 / 1e-4 - 0.5 * 784 * math.log(2.0 * math.pi * 1e-4)
    assert found["parzen_log_likelihood"] == pytest.approx(expected, rel=1e-12)
    found = evaluation.parzen_log_likelihood(x, x, x, sigmas=(0.01,))
    assert found["parzen_log_likelihood"] == pytest.approx(-0.5 * 784 * math.log(2.0 * math.pi * 1e-4), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"test": np.zeros((2, 4))}, r"`test` must hold examples of the shape of `samples`, received \(2, 4\)"),
        ({"validation": np.zeros((0, 3))}, r"`validation` must hold .*, received \(0, 3\)"),
        ({"samples": np.full((2, 3), np.nan)}, "`samples` holds a value that is not finite"),
        ({"sigmas": (0.1, 0.0)}, "`sigmas` must be greater than 0, received 0.0"),
        ({"sigmas": ()}, "`sigmas` must hold at least one width, received none"),
    ],
)
def test_wrong_arguments(arguments, sentence):
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=sentence):
        evaluation.parzen_log_likelihood(**{"samples": x, "test": x, "validation": x, **arguments})
