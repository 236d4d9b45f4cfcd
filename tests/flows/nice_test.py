"""Tests of NICE: the paper's equations, its volume, and its priors."""

import re

import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    ConditionContract,
    ContinuousDensityContract,
    FlowContract,
    ModelContract,
    condition_for,
    randomise,
)
from scipy import stats

from keras_gen import evaluation
from keras_gen.flows import NICE


class TestContracts(ModelContract, ConditionContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default, and a class as condition."""

    def make_model(self, **changes):
        arguments = {
            "num_layers": 3,
            "hidden_units": (8, 7),
            "prior": "gaussian",
            "activation": "tanh",
            "num_classes": 3,
            "seed": 3,
            "name": "flow",
        }
        return NICE((3,), **{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).standard_normal((40, 1))
        return np.concatenate([first, first**2, 3.0 - first], axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(NICE((2,), num_layers=3, hidden_units=(8,), seed=1), 0.6, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        return randomise(NICE((3,), num_layers=50, hidden_units=(4,), seed=1), 0.1)


def test_the_equations_of_the_paper():
    model = randomise(NICE((5,), num_layers=2, hidden_units=(4,)), 1.0)
    x = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    h = x.copy()
    h[:, 1::2] += model.networks[0](h[:, ::2]).numpy()
    h[:, ::2] += model.networks[1](h[:, 1::2]).numpy()
    log_scale = model.log_scale.numpy()
    z = h * np.exp(log_scale)
    np.testing.assert_allclose(model.encode(x), z, rtol=1e-4, atol=1e-5)
    expected = stats.logistic.logpdf(z).sum(axis=1) + log_scale.sum()
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("prior", "distribution"), [("logistic", stats.logistic), ("gaussian", stats.norm)])
def test_the_prior_is_the_one_that_is_sampled(prior, distribution):
    model = randomise(NICE((4,), num_layers=2, hidden_units=(4,), prior=prior), 0.5)
    noise = model.noise(5000, seed=0)["z"].numpy()
    assert all(stats.kstest(column, distribution.cdf).pvalue > 1e-3 for column in noise.T)
    codes = model.encode(model.sample(5000, seed=1)).numpy()
    assert all(stats.kstest(column, distribution.cdf).pvalue > 1e-3 for column in codes.T)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_two_couplings_show_every_entry_to_others(size):
    model = randomise(NICE((size,), num_layers=2, hidden_units=(9,), condition_size=2), 1.0)
    x = tf.constant(np.random.default_rng(0).standard_normal((20, size)), tf.float32)
    condition = condition_for(model, 20)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = model.encode(x, condition)
    depends = np.any(tape.batch_jacobian(z, x).numpy() != 0, axis=0)
    odd = np.arange(size) % 2 == 0
    # Even places see the odd ones; these see all others after that, and themselves through the even ones.
    np.testing.assert_array_equal(depends, odd[:, np.newaxis] | odd | np.eye(size, dtype=bool))
    assert np.all(np.any(model.encode(x, condition + 1.0) != z, axis=0))


@pytest.mark.parametrize(("prior", "family"), [("logistic", stats.logistic), ("gaussian", stats.norm)])
def test_adapt_starts_each_factor_at_the_most_likely_one(prior, family):
    """No other factor of an entry makes the data more likely, whatever the couplings are."""
    random = np.random.default_rng(0)
    x = (random.standard_normal((400, 4)) ** 3 * np.array([1.0, 50.0, 0.01, 3.0]) + 7.0).astype(np.float32)
    model = randomise(NICE((4,), num_layers=2, hidden_units=(4,), prior=prior), 0.3)
    model.adapt(x)
    best = model.log_prob(x).numpy().mean()
    start = model.log_scale.numpy()
    for entry in range(4):
        for change in (-0.05, 0.05):
            model.log_scale.assign(start + change * np.eye(4)[entry])
            assert model.log_prob(x).numpy().mean() < best
    model.log_scale.assign(start)
    # Without couplings, these are independent entries of the prior's family.
    plain = NICE((4,), num_layers=2, hidden_units=(4,), prior=prior)
    plain.networks[0].layers[-1].kernel.assign(tf.zeros_like(plain.networks[0].layers[-1].kernel))
    plain.networks[1].layers[-1].kernel.assign(tf.zeros_like(plain.networks[1].layers[-1].kernel))
    plain.adapt(x)
    means, deviations = x.mean(axis=0), x.std(axis=0)
    scales = deviations * np.exp(-plain.log_scale.numpy())
    expected = family.logpdf(x, means, scales).sum(axis=1)
    np.testing.assert_allclose(plain.log_prob(x), expected, rtol=1e-3, atol=1e-3)


def test_levels_start_no_worse_than_independent_logistics():
    x = np.random.default_rng(7).binomial(8, [[0.1], [0.5], [0.02]], (4000, 3, 1))[..., 0]
    model = NICE((3,), num_layers=2, hidden_units=(4,), levels=9, logit_margin=None)
    model.adapt(x)
    bound, _ = model.log_prob_bound(x, num_samples=1, seed=0)
    baseline = evaluation.independent_logistics(x, x)
    assert -float(np.mean(bound)) == pytest.approx(baseline, abs=0.06)


def test_the_identity_at_the_start():
    x = np.random.default_rng(0).standard_normal((50, 5)).astype(np.float32)
    assert np.abs(NICE((5,)).encode(x) - x).max() < 0.1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_layers": 0}, "`num_layers` must be at least 1, received 0."),
        ({"hidden_units": (0,)}, "`hidden_units` must be at least 1, received 0."),
        ({"prior": "gausian"}, "`prior` 'gausian' is unknown; did you mean gaussian?"),
    ],
)
def test_wrong_arguments(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        NICE((3,), **{"hidden_units": (4,), **changes})
