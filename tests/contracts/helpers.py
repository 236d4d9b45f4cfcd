"""What several contracts need: batches, draws, weights, and how functions run."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats


class Contract:
    """A set of promises; a test class that subclasses it says how to make a small model.

    Functions run operation by operation unless a test says otherwise: tracing them costs more than such small models
    do. Training, predicting for many points, and exports are traced.
    """

    @pytest.fixture(autouse=True)
    def functions_run_eagerly(self):
        tf.config.run_functions_eagerly(True)
        yield
        tf.config.run_functions_eagerly(False)


@contextlib.contextmanager
def traced():
    """Runs functions as graphs, as they do outside of the contracts."""
    eager = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(False)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(eager)


def randomise(model, scale=0.5, seed=0):
    """Moves every trainable weight away from its initial value, so that no test passes because a model is simple."""
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        inputs = weight.shape[0] if len(weight.shape) > 0 else 1
        weight.assign_add(scale * random.standard_normal(weight.shape) / max(1, inputs) ** 0.5)
    return model


def condition_for(model, num):
    """Returns conditions of `num` examples, or None for an unconditional model."""
    return None if model.condition_space is None else model.condition_space.examples(num)


def batch_for(model, data) -> dict[str, np.ndarray]:
    """Returns a batch by name.

    Args:
        model: the model.
        data: the first column, or several columns by name; a column that is missing gets examples of its space.
    """
    columns = data if isinstance(data, dict) else {next(iter(model.spaces)): data}
    num = len(next(iter(columns.values())))
    return {
        name: np.asarray(columns[name] if name in columns else space.examples(num))
        for name, space in model.spaces.items()
    }


def rows_of(batch: dict[str, np.ndarray], rows) -> dict[str, np.ndarray]:
    """Returns some rows of a batch: a slice or a list of indices."""
    return {name: column[rows] for name, column in batch.items()}


def draw(model, num, **arguments):
    """Draws `num` examples, of a conditional model on conditions of every kind."""
    return model.sample(num, condition=condition_for(model, num), **arguments)


def values(variables):
    """Returns the values of variables as arrays."""
    return [variable.numpy() for variable in variables]


def assert_same_weights(first, second, **tolerance):
    """Asserts that variables have equal values, or close ones where a tolerance is given."""
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 0, "atol": 0, **tolerance}, err_msg=ours.path)


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """Returns the p-value of counts, all cells that expect fewer than 10 taken together."""
    frequent = expected >= 10
    assert frequent.sum() > 10
    total = counts.sum()
    observed = np.append(counts[frequent], total - counts[frequent].sum())
    expected = np.append(expected[frequent], total - expected[frequent].sum())
    # An empty rest cannot be compared with anything.
    keep = expected > 1e-6 * total
    return stats.chisquare(observed[keep], expected[keep], sum_check=False).pvalue
