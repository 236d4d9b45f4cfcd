"""The ten-fold protocol, with a model whose likelihood is known."""

import re

import numpy as np
import pytest
from scipy import stats

from keras_gen import evaluation


class Gaussian:
    """A full-covariance Gaussian, fitted in closed form."""

    def __init__(self, x):
        self.distribution = stats.multivariate_normal(x.mean(axis=0), np.cov(x.T))

    def log_prob(self, x):
        return self.distribution.logpdf(x)


@pytest.fixture(scope="module")
def rows():
    mixing = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, -1.0, 30.0]])
    return np.random.default_rng(0).standard_normal((5000, 3)) @ mixing + (100.0, 0.0, -5.0)


def test_reaches_the_entropy_of_a_gaussian(rows):
    result = evaluation.cross_validate(lambda train, valid: Gaussian(train), rows)
    # Of standardised rows, the entropy is that of a Gaussian with the correlation matrix.
    entropy = stats.multivariate_normal(np.zeros(3), np.corrcoef(rows.T)).entropy()
    assert abs(result.mean + entropy) < 4.0 * result.standard_error
    # A Gaussian's log density has the variance D/2, and the folds' rows are independent.
    np.testing.assert_allclose(result.standard_error, np.sqrt(1.5 / len(rows)), rtol=0.6)
    np.testing.assert_allclose(result.mean, np.mean(result.folds), rtol=1e-12)


def test_every_row_is_left_out_once_and_never_trained_on():
    rows = np.stack([np.arange(23.0), np.arange(23.0) ** 2], axis=-1)
    turns = []

    class Recorder:
        def __init__(self, train, valid):
            self.seen = np.concatenate([train, valid])
            # The protocol's mean and deviation are those of training and validation rows together.
            np.testing.assert_allclose(self.seen.mean(axis=0), 0.0, atol=1e-6)
            np.testing.assert_allclose(self.seen.std(axis=0), 1.0, atol=1e-6)
            assert len(valid) == round(0.25 * len(self.seen))

        def log_prob(self, test):
            every = np.concatenate([self.seen, test])
            order = np.argsort(every[:, 0])
            # Standardisation keeps distances in proportion, so that the position of a row tells which it is.
            scale = every[order[1], 0] - every[order[0], 0]
            turns.append(np.round((test[:, 0] - every[order[0], 0]) / scale).astype(int))
            assert not set(map(tuple, self.seen)) & set(map(tuple, test))
            return np.zeros(len(test))

    result = evaluation.cross_validate(Recorder, rows, num_folds=4, validation_fraction=0.25, seed=5)
    assert len(turns) == len(result.folds) == 4
    np.testing.assert_array_equal(np.sort(np.concatenate(turns)), np.arange(23))


def test_missing_entries_stay_missing_and_the_others_are_standardised(rows):
    holes = np.where(np.random.default_rng(1).random(rows.shape) < 0.2, np.nan, rows)[:400]

    class Entries:
        """Counts the entries of a row, and looks at their moments."""

        def __init__(self, train, valid):
            seen = np.concatenate([train, valid])
            np.testing.assert_allclose(np.nanmean(seen, axis=0), 0.0, atol=1e-6)
            np.testing.assert_allclose(np.nanstd(seen, axis=0), 1.0, atol=1e-6)

        def log_prob(self, test):
            return np.sum(~np.isnan(test), axis=1)

    result = evaluation.cross_validate(Entries, holes, num_folds=4)
    assert result.mean == pytest.approx(np.mean(np.sum(~np.isnan(holes), axis=1)))


def test_the_seed_decides_the_folds(rows):
    def folds(seed):
        return evaluation.cross_validate(lambda train, valid: Gaussian(train), rows[:200], seed=seed).folds

    assert folds(1) == folds(1)
    assert folds(1) != folds(2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x": np.zeros(5)}, "`x` must have shape (rows, dimensions), received (5,)."),
        ({"x": [[0.0, np.inf]] * 20}, "`x` holds the value inf; expected finite real numbers."),
        ({"x": [[float(row), np.nan] for row in range(20)]}, "column 1 has none in training fold 0."),
        ({"x": np.eye(20)[:, :2] * [1.0, 0.0]}, "`x` must vary in every column; column 1 is constant"),
        ({"num_folds": 1}, "`num_folds` must be from 2 to the number of rows, 200, received 1."),
        ({"num_folds": 201}, "`num_folds` must be from 2 to the number of rows, 200, received 201."),
        ({"validation_fraction": 1.0}, "`validation_fraction` must be between 0 and 1, received 1.0."),
        ({"validation_fraction": 0.999}, "`x` must leave a row for training"),
    ],
)
def test_errors(rows, changes, sentence):
    arguments = {"x": rows[:200], **changes}
    with pytest.raises(ValueError, match=re.escape(sentence)):
        evaluation.cross_validate(lambda train, valid: Gaussian(train), **arguments)
