"""The chain rule: what depends on what, and draws with a cache."""

import numpy as np
import pytest
import tensorflow as tf

from contracts.helpers import Contract, condition_for, draw, randomise, traced


class AutoregressiveContract(Contract):
    """The parameters of each conditional depend on every position before it in the order, and on nothing else;
    drawing with a cache is drawing with a whole pass for every position.

    A test class provides `make_model`.
    """

    def sees(self, model) -> np.ndarray:
        """Returns which position's parameters (rows) depend on which position (columns): on all before it."""
        place = np.argsort(model.positions)
        return place[:, np.newaxis] > place

    @pytest.fixture(scope="class")
    @classmethod
    def random_model(cls):
        return randomise(cls().make_model())

    def test_no_leak_and_no_missing_dependence(self, random_model):
        model = random_model
        np.testing.assert_array_equal(changed_by_entries(model), self.sees(model))

    def test_cached_draws_are_those_of_whole_passes(self, random_model):
        model, num = random_model, 20
        noise, condition = model.noise(num, seed=3), condition_for(random_model, 20)
        cached = model.generate(noise, condition)
        np.testing.assert_allclose(cached, plain_draws(model, noise, condition), rtol=1e-4, atol=1e-5)

    def test_imputation_keeps_what_is_known_and_draws_what_follows(self, random_model):
        model, num = random_model, 20
        condition = condition_for(model, num)
        x = draw(model, num, seed=4).numpy()
        # Each example misses another number of positions at the end of the order.
        place = np.argsort(model.positions)
        missing = place >= np.arange(num)[:, np.newaxis] * (model.num_positions + 1) // num
        mask = np.repeat(missing, model.event_size // model.num_positions, axis=1).reshape(x.shape)
        imputed = model.impute(x, mask, condition=condition, seed=5).numpy()
        np.testing.assert_array_equal(imputed[~mask], x[~mask])
        expected = plain_draws(model, model.noise(num, seed=5), condition, x, missing)
        np.testing.assert_allclose(imputed, expected, rtol=1e-4, atol=1e-5)
        assert np.any(imputed != x)

    def test_imputation_of_what_precedes_is_refused(self, random_model):
        model = random_model
        mask = np.zeros((1, model.num_positions, model.event_size // model.num_positions), bool)
        mask[:, model.positions[0]] = True
        x = draw(model, 2, seed=0)
        with pytest.raises(ValueError, match="`mask` must mark no entry that comes before a known one in the order"):
            model.impute(x, mask.reshape(1, *model.event_shape), condition=condition_for(model, 2))


def changed_by_entries(model, num=64) -> np.ndarray:
    """Finds which position's parameters (rows) change for any of `num` random examples if a position (columns) does."""
    random = np.random.default_rng(0)
    shape, positions = (num, *model.event_shape), model.num_positions
    condition = condition_for(model, num)
    x = random.standard_normal(shape) if model.levels is None else random.integers(0, model.levels, shape)
    x = x.astype(np.float32).reshape(num, positions, -1)
    changed = np.zeros((positions, positions), bool)
    with traced():
        parameters = tf.function(model.parameters, autograph=False)
        before = parameters(tf.constant(x.reshape(shape)), condition).numpy()
        for position in range(positions):
            for channel in range(x.shape[-1]):
                other = x.copy()
                if model.levels is None:
                    other[:, position, channel] += 1.0 + random.random(num)
                else:
                    other[:, position, channel] += random.integers(1, model.levels, num)
                    other[:, position, channel] %= model.levels
                after = parameters(tf.constant(other.reshape(shape)), condition).numpy()
                changed[:, position] |= np.any(after != before, axis=(0, 2))
    return changed


def plain_draws(model, noise, condition=None, known=None, missing=None) -> np.ndarray:
    """Draws with one pass over the whole example for every position."""
    num = len(next(iter(noise.values())))
    shape = model.conditional.position_shape
    x = np.zeros((num, model.num_positions, *shape), np.float32)
    noise = {
        name: tf.reshape(noise[name], (num, model.num_positions, *source.event_shape))
        for name, source in model.conditional.noise_distributions().items()
    }
    whole_pass = tf.function(model.parameters, autograph=False)
    for position in model.positions:
        with traced():
            parameters = whole_pass(tf.constant(x.reshape(num, *model.event_shape)), condition)[:, position]
        x[:, position] = model.conditional.draw(parameters, {name: part[:, position] for name, part in noise.items()})
        if known is not None:
            kept = ~missing[:, position]
            x[kept, position] = known.reshape(x.shape)[kept, position]
    return x.reshape(num, *model.event_shape)
