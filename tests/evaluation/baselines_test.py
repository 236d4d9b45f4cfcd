"""Baselines of sound: a Markov chain over its codes."""

import numpy as np
import pytest

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
