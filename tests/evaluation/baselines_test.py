"""Baselines: a Markov chain over the codes of sound; a Gaussian, and spikes at repeated values, of real vectors."""

import numpy as np
import pytest
from scipy import stats

from keras_gen import data, evaluation


def test_markov_chain_has_the_smoothed_frequencies_of_pairs():
    """By hand: of four entries one is a 0; 0 is followed by a 1 once; 1 by a 1 once."""
    train, test = np.array([[0, 1], [1, 1]]), np.array([[1, 0], [0, 2]])
    first = [np.log(4 / 7), np.log(2 / 7)]
    following = [np.log(1 / 4), np.log(1 / 4)]
    expected = -(sum(first) + sum(following)) / 2
    assert evaluation.markov_chain(train, test, 3) == pytest.approx(expected)
    assert evaluation.markov_chain(train, np.array([[1, 1]]), 3) == pytest.approx(-np.log(4 / 7 * 2 / 4))
    assert evaluation.markov_chain(train[:, :1], test[:, :1], 3) == pytest.approx(-np.mean([np.log(2 / 5)] * 2))


def test_markov_chain_of_many_levels_knows_what_repeats():
    """Sequences that count up, of 65,536 levels: what always follows costs little, anything else about ln 65,536."""
    train = np.tile(np.arange(1000) % 10, (400, 1)) + 60_000
    good = evaluation.markov_chain(train, train[:1], 65_536) / 1000
    assert good == pytest.approx(-np.log((40_000 + 1) / (40_000 + 65_536)), rel=0.01)
    other = evaluation.markov_chain(train, np.zeros((1, 1000), int), 65_536) / 1000
    assert other == pytest.approx(np.log(65_536), rel=0.01)


def test_markov_chain_of_an_independent_process_is_its_entropy():
    random = np.random.default_rng(0)
    masses = np.array([0.5, 0.3, 0.2])
    x = random.choice(3, p=masses, size=(600, 500))
    found = evaluation.markov_chain(x[:300], x[300:], 3) / 500
    assert found == pytest.approx(-np.sum(masses * np.log(masses)), rel=5e-3)


def test_sound_has_no_baseline_over_amplitudes():
    assert evaluation.baselines(data.load("tones")) == {}


def test_nothing_counts_behind_the_end_of_a_sequence():
    """By hand: the entries 0 0 1 and 1, of two levels; two pairs begin with 0, none with 1."""
    end = np.nan
    train = np.array([[0.0, 0.0, 1.0, end], [1.0, end, end, end]])
    test = np.array([[0.0, 1.0, end, end], [1.0, 1.0, 0.0, end]])
    first = {0: np.log(3 / 6), 1: np.log(3 / 6)}
    expected = [first[0] + np.log(2 / 4), first[1] + np.log(1 / 2) + np.log(1 / 2)]
    assert evaluation.markov_chain(train, test, 2) == pytest.approx(-np.mean(expected))
    longer = [np.pad(x, ((0, 0), (0, 3)), constant_values=end) for x in (train, test)]
    assert evaluation.markov_chain(*longer, 2) == pytest.approx(-np.mean(expected))


def test_gaussian_is_the_same_density_for_rows_and_for_means():
    random = np.random.default_rng(0)
    train, test = random.standard_normal((2, 200, 3)) @ random.standard_normal((3, 3)) + 5.0
    covariance = np.cov(train.T, bias=True)
    covariance += 1e-3 * np.diag(np.diag(covariance))
    expected = stats.multivariate_normal(train.mean(axis=0), covariance).logpdf(test)
    np.testing.assert_allclose(evaluation.Gaussian(train).log_prob(test), expected, rtol=1e-9)
    assert evaluation.gaussian(train, test) == pytest.approx(-expected.mean())


def test_spiked_columns_by_hand():
    """Of four rows two are 0 in the first column: a spike of 2/5; -1 and 1 have a window of the rest, 3/5."""
    train = np.array([[0.0, 3.0], [0.0, 5.0], [-1.0, 4.0], [1.0, 7.0]])
    density = evaluation.SpikedColumns(train, deviation=0.01)
    width = np.sqrt(2.0) * 2**-0.2
    window = stats.norm.pdf([[0.0], [0.3]], [-1.0, 1.0], width).mean(axis=1)
    first = 0.4 * stats.norm.pdf([0.0, 0.3], 0.0, 0.01) + 0.6 * window
    single = [3.0, 5.0, 4.0, 7.0]
    second = stats.norm.pdf(4.5, single, np.std(single, ddof=1) * 4**-0.2).mean()
    found = density.log_prob(np.array([[0.0, 4.5], [0.3, 4.5]]))
    np.testing.assert_allclose(found, np.log(first) + np.log(second), rtol=1e-12)


def test_spikes_gain_without_limit_on_rounded_values_and_nothing_once_noise_is_added():
    """Of halves nearly every value repeats: each factor 10 of the spikes' width is worth ln 10 in each column."""
    random = np.random.default_rng(0)
    rounded = np.round(2.0 * random.standard_normal((2, 500, 2))) / 2.0
    wide, narrow = (evaluation.SpikedColumns(rounded[0], width).log_prob(rounded[1]) for width in (1e-3, 1e-4))
    assert np.median(narrow - wide) == pytest.approx(2.0 * np.log(10.0), rel=1e-3)
    entropy = 2.0 * stats.norm.entropy()
    assert wide.mean() > -entropy + 8.0
    noisy = rounded + 0.5 * random.random(rounded.shape)
    assert evaluation.SpikedColumns(noisy[0]).log_prob(noisy[1]).mean() < -entropy + 0.1
