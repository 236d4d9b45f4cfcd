"""Cross-validation of a density on a small set of real vectors.

The protocol of RNADE: The Real-valued Neural Autoregressive Density-Estimator.
Benigno Uria, Iain Murray, Hugo Larochelle (2013), https://arxiv.org/abs/1306.0186
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from keras_gen import checks


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """The mean test log-likelihood of each fold, in nats.

    Attributes:
        folds: one value per fold.
    """

    folds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the folds."""
        return float(np.mean(self.folds))

    @property
    def standard_error(self) -> float:
        """The standard error of the mean."""
        return float(np.std(self.folds, ddof=1) / math.sqrt(len(self.folds)))


def cross_validate(
    fit: Callable[[np.ndarray, np.ndarray], object],
    x,
    *,
    num_folds: int = 10,
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> CrossValidation:
    """Fits a density to all folds but one, in turn, and computes its log-likelihood on the fold left out.

    Rows are shuffled and divided into folds. In each turn, all rows are standardised with the mean and the standard
    deviation of the rows that are not left out, and likelihoods are those of standardised rows. Part of the rows that
    are not left out is set aside for validation.

    Args:
        fit: function that takes the training rows and the validation rows, float32 arrays of shape
            `(rows, dimensions)`, and returns a fitted model with `log_prob`.
        x: real vectors of shape `(rows, dimensions)`; NaN where an entry is missing, for models that accept it.
        num_folds: number of folds, from 2 to the number of rows.
        validation_fraction: share of the rows that are not left out to use for validation, more than 0 and less than 1.
        seed: integer that determines how the rows are shuffled.

    Returns:
        The mean test log-likelihood of each fold, with the mean over folds and its standard error.

    Raises:
        ValueError: if `x` or an argument is not as described, or if a column is constant in a training fold.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2:
        raise ValueError(f"`x` must have shape (rows, dimensions), received {x.shape}.")
    if np.any(np.isinf(x)):
        raise ValueError(f"`x` holds the value {x[np.isinf(x)][0]:g}; expected finite real numbers.")
    if not 2 <= checks.positive_int("num_folds", num_folds) <= len(x):
        raise ValueError(f"`num_folds` must be from 2 to the number of rows, {len(x)}, received {num_folds}.")
    if not 0.0 < validation_fraction < 1.0:
        raise ValueError(f"`validation_fraction` must be between 0 and 1, received {validation_fraction}.")

    folds = np.array_split(np.random.default_rng(seed).permutation(len(x)), num_folds)
    figures = []
    for index, test in enumerate(folds):
        rest = np.concatenate([fold for other, fold in enumerate(folds) if other != index])
        if np.any(np.isnan(x[rest]).all(axis=0)):
            column = int(np.argmax(np.isnan(x[rest]).all(axis=0)))
            raise ValueError(
                f"`x` must hold numbers in every column; column {column} has none in training fold {index}."
            )
        mean, deviation = np.nanmean(x[rest], axis=0), np.nanstd(x[rest], axis=0)
        if np.any(deviation == 0.0):
            column = int(np.argmin(deviation))
            raise ValueError(
                f"`x` must vary in every column; column {column} is constant in the training fold {index}."
            )
        standardised = ((x - mean) / deviation).astype(np.float32)
        num_valid = max(1, round(validation_fraction * len(rest)))
        if num_valid == len(rest):
            raise ValueError(f"`x` must leave a row for training beside validation and test; it has {len(x)} rows.")
        model = fit(standardised[rest[num_valid:]], standardised[rest[:num_valid]])
        figures.append(float(np.mean(model.log_prob(standardised[test]))))
    return CrossValidation(tuple(figures))
