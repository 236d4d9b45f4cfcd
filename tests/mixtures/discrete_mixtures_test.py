"""Tests of the mixtures of Bernoullis and of categorical distributions."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import DiscreteDensityContract, ModelContract, chi_square

from keras_gen.mixtures import BernoulliMixture, CategoricalMixture

tfd = tfp.distributions


def groups(num, size, levels, seed=0):
    """Rows of two kinds."""
    random, shapes = np.random.default_rng(seed), np.random.default_rng(1)
    masses = shapes.dirichlet(np.full(levels, 0.7), size=(2, size))
    kinds = random.integers(0, 2, num)
    return (random.random((num, size, 1)) > np.cumsum(masses[kinds], axis=-1)).sum(axis=-1).clip(max=levels - 1)


def with_holes(x, share, seed=0):
    x = np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x).astype(np.float32)
    x[0] = np.nan
    return x


def randomised(model):
    """A model of parameters that `fit` might have left."""
    random = np.random.default_rng(0)
    model.log_proportions.assign(np.log(random.dirichlet(np.full(model.num_components, 5.0))))
    model.log_probs.assign(np.log(random.dirichlet(np.ones(model.levels), size=model.log_probs.shape[:2])))
    model.started.assign(1.0)
    model.compile()
    return model


class DiscreteMixtureContract(ModelContract, DiscreteDensityContract):
    shared = {"num_components": 3, "smoothing": 0.5, "num_starts": 2, "seed": 5, "name": "mixture"}

    def compile(self, model, **arguments):
        model.compile(**arguments)
        return model

    def optimizers(self, model):
        return []

    def make_enumerable(self):
        return self.make_model()

    def make_data(self):
        model = self.make_model()
        return with_holes(groups(40, model.event_size, model.levels), 0.2).reshape(40, *model.event_shape)


class TestBernoulli(DiscreteMixtureContract):
    def make_model(self, **changes):
        return randomised(BernoulliMixture(**{"event_shape": (2, 3), **self.shared, "online_decay": 0.9, **changes}))


class TestCategorical(DiscreteMixtureContract):
    excluded_arguments = ("online_decay",)

    def make_model(self, **changes):
        return randomised(CategoricalMixture(**{"event_shape": (2, 2), "levels": 3, **self.shared, **changes}))


def em_by_patterns(x, weights, proportions, masses, smoothing):
    """One iteration of EM in float64, entry by entry; entries that are missing say nothing."""
    joint = np.tile(np.log(proportions), (len(x), 1))
    for row, entry in itertools.product(range(len(x)), range(x.shape[1])):
        if not np.isnan(x[row, entry]):
            joint[row] += np.log(masses[:, entry, int(x[row, entry])])
    log_prob = np.logaddexp.reduce(joint, axis=1)
    shares = np.exp(joint - log_prob[:, np.newaxis]) * weights[:, np.newaxis]
    counts = np.full(masses.shape, smoothing)
    for row, entry in itertools.product(range(len(x)), range(x.shape[1])):
        if not np.isnan(x[row, entry]):
            counts[:, entry, int(x[row, entry])] += shares[row]
    sizes = shares.sum(axis=0) + smoothing
    return log_prob, sizes / sizes.sum(), counts / counts.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
@pytest.mark.parametrize("levels", [2, 4])
def test_em_with_missing_entries_and_weights_is_that_of_all_patterns(levels, smoothing):
    x = with_holes(groups(80, 5, levels), 0.3)
    weights = np.random.default_rng(3).uniform(0.0, 2.0, 80).astype(np.float32)
    model = randomised(CategoricalMixture((5,), 3, levels, smoothing=smoothing))
    truth = model.proportions.numpy().astype(np.float64), np.exp(model.log_probs.numpy().astype(np.float64))
    for _ in range(3):
        log_prob, *after = em_by_patterns(x, weights, *truth, smoothing)
        np.testing.assert_allclose(model.log_prob(x), log_prob, rtol=1e-5, atol=1e-5)
        model.fit(x, sample_weight=weights, batch_size=32, verbose=0)
        truth = after
        np.testing.assert_allclose(model.proportions, truth[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(np.exp(model.log_probs), truth[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_em_never_lowers_the_likelihood(share):
    x = groups(300, 6, 3).astype(np.float32) if not share else with_holes(groups(300, 6, 3), share)
    model = CategoricalMixture((6,), 4, 3, smoothing=0.0, num_starts=1)
    model.compile()
    losses = model.fit(x, validation_data=(x,), batch_size=300, epochs=10, verbose=0).history["val_loss"]
    assert np.all(np.diff(losses) < 1e-6)
    assert losses[-1] < losses[0] - 1e-3


def test_weight_two_is_the_row_twice():
    x = with_holes(groups(60, 5, 2), 0.1)
    weights = np.random.default_rng(2).integers(0, 4, 60)
    weighted, repeated = (randomised(BernoulliMixture((5,), 3)) for _ in range(2))
    weighted.fit(x, sample_weight=weights.astype(np.float32), batch_size=32, epochs=2, verbose=0)
    repeated.fit(np.repeat(x, weights, axis=0), batch_size=32, epochs=2, verbose=0)
    np.testing.assert_allclose(weighted.log_probs, repeated.log_probs, rtol=1e-4, atol=1e-5)


def test_densities_are_those_of_tensorflow_probability():
    model, x = randomised(BernoulliMixture((5,), 3)), groups(50, 5, 2).astype(np.float32)
    components = tfd.Independent(tfd.Bernoulli(probs=tf.exp(model.log_probs[..., 1]), dtype=tf.float32), 1)
    truth = tfd.MixtureSameFamily(tfd.Categorical(probs=model.proportions), components)
    np.testing.assert_allclose(model.log_prob(x), truth.log_prob(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.means, np.exp(model.log_probs[..., 1]), rtol=1e-6)


def test_mean_samples_are_the_mean_levels_of_drawn_components():
    model = randomised(CategoricalMixture((2, 1), 3, 4))
    masses = np.exp(model.log_probs.numpy().astype(np.float64))
    expected = (masses @ np.arange(4.0)).reshape(3, 2, 1)[model.drawn_components(model.noise(20, 1)).numpy()]
    np.testing.assert_allclose(model.sample(20, seed=1, mean=True), expected, rtol=1e-5)
    assert len(np.unique(expected)) == 6
    bits = randomised(BernoulliMixture((2, 2, 1), 3))
    component = bits.drawn_components(bits.noise(4, 1)).numpy()
    np.testing.assert_allclose(bits.sample(4, seed=1, mean=True), bits.means.numpy()[component], rtol=1e-6)
    assert list(bits.preview({"x": np.zeros(4)}, seed=1)) == ["means", "draws"]


@pytest.mark.parametrize("levels", [2, 3])
def test_marginals_and_imputation_follow_the_exact_conditional(levels):
    model = randomised(CategoricalMixture((5,), 3, levels))
    row = np.array([1, np.nan, 0, np.nan, np.nan], np.float32)
    lost = np.isnan(row)
    points = np.array(list(itertools.product(range(levels), repeat=int(lost.sum()))), np.float32)
    x = np.tile(row, (len(points), 1))
    x[:, lost] = points
    masses = np.exp(model.log_prob(x).numpy().astype(np.float64))
    np.testing.assert_allclose(np.exp(model.log_prob(row[np.newaxis])), masses.sum(), rtol=1e-5)
    num = 20_000
    drawn = model.impute(np.tile(row, (num, 1)), seed=2).numpy()
    np.testing.assert_array_equal(drawn[:, ~lost], np.tile(row[~lost], (num, 1)))
    counts = np.bincount((drawn[:, lost] @ levels ** np.arange(3)[::-1]).astype(int), minlength=len(points))
    expected = masses / masses.sum() * num
    frequent = expected >= 10
    statistic = np.sum((counts - expected)[frequent] ** 2 / expected[frequent])
    assert statistic < 3.0 * frequent.sum()
    if frequent.sum() > 10:
        assert chi_square(counts, expected) > 1e-4


def test_stepwise_em_reaches_the_optimum_of_em():
    x = groups(2000, 12, 2)
    batch, online = (randomised(BernoulliMixture((12,), 2, online_decay=decay)) for decay in (None, 0.7))
    batch.fit(x, batch_size=2000, epochs=20, verbose=0)
    # What a step of size γ on batches of b rows leaves is that of about 2 b / γ rows: here twice as many as there are.
    online.fit(x, batch_size=50, epochs=4, shuffle=False, verbose=0)
    assert abs(batch.log_prob(x).numpy().mean() - online.log_prob(x).numpy().mean()) < 0.01
    np.testing.assert_allclose(online.means, batch.means, atol=0.05)


def test_a_start_finds_the_kinds_of_rows():
    x = groups(500, 12, 2)
    model = BernoulliMixture((12,), 2)
    model.compile()
    model.fit(x, batch_size=500, epochs=20, verbose=0)
    truth = np.random.default_rng(1).dirichlet(np.full(2, 0.7), size=(2, 12))[..., 1]
    found = model.means.numpy()
    difference = min(np.abs(found - truth).max(), np.abs(found[::-1] - truth).max())
    assert difference < 0.15
    assert model.num_free_parameters == 1 + 2 * 12
    np.testing.assert_allclose(model.bic(x) - model.aic(x), (np.log(500) - 2.0) * 25, rtol=1e-6)
    assert CategoricalMixture((3,), 4, 5).num_free_parameters == 3 + 4 * 3 * 4


def test_what_was_never_seen_has_hardly_a_mass_and_never_nan():
    model = BernoulliMixture((2,), 1, smoothing=0.0)
    model.compile()
    model.fit([[0, 1], [0, 1]], verbose=0)
    assert model.log_prob([[0, 1]]).numpy() == pytest.approx(0.0, abs=1e-5)
    assert model.log_prob([[1, 1]]).numpy()[0] < -50.0
    np.testing.assert_array_equal(model.sample(50, seed=0), np.tile([0.0, 1.0], (50, 1)))
