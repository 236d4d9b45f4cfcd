"""Estimates of a likelihood: what they are, and how far off."""

import numpy as np
import pytest

from contracts.helpers import Contract, condition_for, draw, traced


class EstimatesContract(Contract):
    """An estimate of the likelihood follows its seed, tells its error, and is on the side that it says.

    A test class is one of `ModelContract`, too, and provides `make_known` where the likelihood of a model is known.
    """

    #: Samples for each example of an estimate.
    num_samples = 50

    def make_known(self):
        """Returns a model, valid examples, and their log-likelihoods in nats, float64 of shape `(batch,)`."""
        raise NotImplementedError

    def estimates(self, model, x, seeds, num_samples=None):
        """Returns the estimates and their errors, arrays of shape `(seeds, batch)`."""
        condition, num_samples = condition_for(model, len(x)), num_samples or self.num_samples
        found = [model.log_prob_bound(x, condition, num_samples, seed=seed) for seed in seeds]
        return (np.stack(part).astype(np.float64) for part in zip(*found, strict=True))

    def test_an_estimate_follows_its_seed_and_tells_its_error(self, model):
        x = draw(model, 4, seed=0)
        (first, again, other), errors = self.estimates(model, x, (1, 1, 2))
        assert first.shape == errors[0].shape == (4,)
        np.testing.assert_array_equal(first, again)
        assert np.all(np.isfinite(errors))
        assert np.all(errors >= 0.0)
        # Estimates are as far from each other as their errors say.
        assert np.all(np.abs(first - other) <= 6.0 * np.hypot(errors[0], errors[2]) + 1e-4)
        assert np.any(first != other) == np.any(errors > 0.0)

    @pytest.mark.parametrize(("num_samples", "error"), [(0, ValueError), (1.5, TypeError)], ids=["none", "a fraction"])
    def test_wrong_number_of_samples(self, model, num_samples, error):
        with pytest.raises(error, match=r"^`num_samples` must be .*, received .*\.$"):
            model.log_prob_bound(draw(model, 2, seed=0), condition_for(model, 2), num_samples)

    def test_the_estimate_is_on_the_side_that_it_says(self):
        model, x, expected = self.make_known()
        seeds = range(40)
        for num_samples in (1, self.num_samples):
            # So many calls repay their tracing.
            with traced():
                found, _ = self.estimates(model, x, seeds, num_samples)
            distance, error = found.mean(axis=0) - expected, found.std(axis=0) / len(seeds) ** 0.5
            slack = 4.0 * error + 1e-4
            if model.likelihood_kind == "lower bound":
                assert np.all(distance <= slack)
            elif model.likelihood_kind == "upper bound":
                assert np.all(distance >= -slack)
        # With many samples it comes near, from wherever.
        assert np.all(np.abs(distance) <= 0.5)
