"""A mass over levels."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from contracts.helpers import Contract, chi_square, randomise


class DiscreteDensityContract(Contract):
    """A model over levels is a distribution, and samples follow it.

    A test class provides `make_enumerable`.
    """

    def make_enumerable(self):
        """Returns a model whose space has at most a few thousand points."""
        raise NotImplementedError

    def entry_values(self, model) -> np.ndarray:
        """Returns the values that an entry can have, in increasing order."""
        return np.arange(model.levels)

    @pytest.fixture(scope="class")
    @classmethod
    def enumerated(cls):
        model = randomise(cls().make_enumerable(), scale=1.5)
        entry_values = cls().entry_values(model)
        points = np.array(list(itertools.product(entry_values, repeat=model.event_size)), np.float32)
        # A conditional model is one distribution per condition; the last of three is taken.
        given = None if model.condition_space is None else model.condition_space.examples(3)[2]
        condition = None if given is None else tf.repeat(given[tf.newaxis], len(points), axis=0)
        log_prob = model.log_prob(points.reshape(-1, *model.event_shape), condition)
        assert log_prob.dtype == tf.float32
        return model, log_prob.numpy().astype(np.float64)

    def test_masses_of_all_points_sum_to_one(self, enumerated):
        _, log_prob = enumerated
        assert np.exp(log_prob).std() > 0
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, atol=1e-5)

    def test_samples_follow_log_prob(self, enumerated):
        model, log_prob = enumerated
        num_samples = 20_000
        given = None if model.condition_space is None else model.condition_space.examples(3)[2]
        condition = None if given is None else tf.repeat(given[tf.newaxis], num_samples, axis=0)
        samples = model.sample(num_samples, condition=condition, seed=11).numpy().reshape(num_samples, -1)
        entry_values = self.entry_values(model)
        which = np.argmin(np.abs(samples[..., np.newaxis] - entry_values), axis=-1)
        np.testing.assert_allclose(samples, entry_values[which], atol=1e-6)
        index = which @ len(entry_values) ** np.arange(model.event_size)[::-1]
        counts = np.bincount(index, minlength=len(log_prob))
        expected = np.exp(log_prob) * num_samples
        assert chi_square(counts, expected) > 1e-4
