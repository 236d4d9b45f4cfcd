"""Likelihoods over a data set, and baselines."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen import autoregressive, data, evaluation, flows, latent


@pytest.fixture(scope="module")
def bits():
    return (np.random.default_rng(0).random((50, 6)) < np.linspace(0.1, 0.9, 6)).astype(np.uint8)


def test_the_mean_is_over_examples_not_batches(bits):
    model = autoregressive.MADE((6,), (8,))
    exact = -model.log_prob(bits).numpy().astype(np.float64)
    # The last batch is smaller: a mean of batch means would be wrong.
    found = evaluation.likelihood(model, tf.data.Dataset.from_tensor_slices(bits).batch(16))
    assert found["nll"] == pytest.approx(exact.mean(), rel=1e-6)
    assert found["bits_per_dim"] == pytest.approx(exact.mean() / 6 / math.log(2), rel=1e-6)
    assert found["nll_standard_error"] == pytest.approx(exact.std(ddof=1) / math.sqrt(50), rel=1e-6)


def test_an_evaluation_that_is_killed_goes_on_with_the_same_bits(bits, tmp_path):
    model = latent.VAE((6,), 2, hidden_units=(8,))
    batches = tf.data.Dataset.from_tensor_slices(bits).batch(16)
    expected = evaluation.likelihood(model, batches, num_samples=20)
    passed = []

    def killed(x):
        passed.append(x)
        if len(passed) == 3:
            raise KeyboardInterrupt
        return batch_of(x)

    kept = evaluation.Kept(tmp_path / "kept.json", seconds=0.0)
    batch_of, model.unpack = model.unpack, killed
    with pytest.raises(KeyboardInterrupt):
        evaluation.likelihood(model, batches, num_samples=20, kept=kept)
    assert kept.read().num_batches == 2
    # Two more batches, on two devices.
    found = evaluation.likelihood(model, batches, num_samples=20, kept=kept, devices=["CPU:0", "CPU:0"])
    assert len(passed) == 5
    assert found == expected
    kept.remove()
    assert not list(tmp_path.iterdir())


def test_more_samples_tighten_the_bound_of_a_vae(bits):
    model = latent.VAE((6,), 2, hidden_units=(8,))
    batches = tf.data.Dataset.from_tensor_slices(bits).batch(25)
    few, many = (evaluation.likelihood(model, batches, num_samples=k, seed=1) for k in (1, 500))
    assert many["nll_bound"] < few["nll_bound"]
    assert many["nll_bound_monte_carlo_error"] < 0.1
    assert many["num_samples"] == 500
    # So few samples do not tell their error.
    assert math.isnan(few["nll_bound_monte_carlo_error"])
    again = evaluation.likelihood(model, batches, num_samples=500, seed=1)
    assert again["nll_bound"] == many["nll_bound"]


def test_levels_of_a_flow_have_a_bound(bits):
    """It is the mean of what the model says of each batch; the data may be columns by name, too."""
    model = flows.NICE((6,), 2, (4,), levels=2)
    batches = tf.data.Dataset.from_tensor_slices({"x": bits}).batch(25)
    found = evaluation.likelihood(model, batches, num_samples=20, seed=1)
    batch_seeds = [tf.random.experimental.stateless_fold_in((0, 1), index) for index in range(2)]
    parts = [
        model.log_prob_bound(x, num_samples=20, seed=seed)
        for x, seed in zip(np.split(bits, 2), batch_seeds, strict=True)
    ]
    bounds, errors = (np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True))
    assert found == pytest.approx(
        {
            "nll_bound": -bounds.mean(),
            "bits_per_dim_bound": -bounds.mean() / 6 / math.log(2),
            "nll_bound_standard_error": bounds.std(ddof=1) / math.sqrt(50),
            "nll_bound_monte_carlo_error": math.sqrt((errors**2).sum()) / 50,
            "num_samples": 20,
        },
        rel=1e-5,
    )


def test_names_of_figures_say_what_they_are(bits):
    class Other(latent.VAE):
        """A model that is told what its estimate is."""

    model = Other((6,), 2, hidden_units=(8,))
    batches = tf.data.Dataset.from_tensor_slices(bits).batch(25)
    figures = {}
    for kind, name in {"lower bound": "bound", "upper bound": "lower_bound", "estimate": "estimate"}.items():
        model.likelihood_kind = kind
        found = evaluation.likelihood(model, batches, num_samples=3)
        figures[kind] = found[f"nll_{name}"]
        assert set(found) == {
            f"nll_{name}",
            f"bits_per_dim_{name}",
            f"nll_{name}_standard_error",
            f"nll_{name}_monte_carlo_error",
            "num_samples",
        }
    assert len(set(figures.values())) == 1
    with pytest.raises(ValueError, match="`model` must have a likelihood; Autoencoder has none"):
        evaluation.likelihood(latent.Autoencoder((6,), 2, hidden_units=(8,)), batches)


def test_validation_and_test_data_have_the_figures_of_their_kind():
    exact = evaluation.likelihoods(autoregressive.MADE((30,), (4,), None), data.load("breast_cancer"))
    assert set(exact["validation"]) == {"nll", "nll_standard_error"}
    assert set(exact["test"]) - set(exact["validation"]) == {"nll_gaussian"}
    splits = data.load("digits", binarization="threshold")
    model = latent.VAE((8, 8, 1), 2, hidden_units=(8,))
    bounds = evaluation.likelihoods(model, splits, 20)
    assert set(bounds["validation"]) == {"elbo", "elbo_standard_error"}
    assert bounds["test"]["num_samples"] == 20
    assert bounds["test"]["elbo"] < -bounds["test"]["nll_bound"]
    assert -bounds["test"]["elbo"] == evaluation.likelihood(model, splits.test, num_samples=1)["nll_bound"]


@pytest.mark.parametrize("fit", [evaluation.independent_entries, evaluation.bernoulli_mixture])
def test_a_baseline_is_a_distribution(bits, fit):
    # Evaluated on a single point at a time, the masses of all points must add up to 1.
    points = np.array(list(itertools.product((0, 1), repeat=6)), np.uint8)
    total = sum(math.exp(-fit(bits, point[np.newaxis])) for point in points)
    assert total == pytest.approx(1.0, abs=1e-9)


def test_independent_entries_reach_the_entropy_of_independent_bits():
    means = np.array([0.2, 0.5, 0.7])
    train, test = ((np.random.default_rng(seed).random((20_000, 3)) < means).astype(int) for seed in (0, 1))
    entropy = -(means * np.log(means) + (1 - means) * np.log(1 - means)).sum()
    assert evaluation.independent_entries(train, test) == pytest.approx(entropy, abs=0.02)


def test_em_finds_two_clusters():
    random = np.random.default_rng(0)
    means = np.where(random.random((4000, 1)) < 0.5, 0.05, 0.95)
    x = (random.random((4000, 8)) < means).astype(int)
    counts = x.sum(axis=1)
    log_mass = [counts * np.log(p) + (8 - counts) * np.log(1 - p) for p in (0.05, 0.95)]
    true_nll = -np.mean(np.logaddexp(*log_mass) + np.log(0.5))
    assert evaluation.bernoulli_mixture(x, x, num_components=2) == pytest.approx(true_nll, abs=0.02)


def test_the_gaussian_has_its_entropy():
    mixing = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, -1.0, 30.0]])
    train, test = (np.random.default_rng(seed).standard_normal((20_000, 3)) @ mixing + 5.0 for seed in (0, 1))
    entropy = 1.5 * math.log(2.0 * math.pi * math.e) + math.log(abs(np.linalg.det(mixing)))
    assert evaluation.gaussian(train, test) == pytest.approx(entropy, abs=0.05)


def test_baselines_of_rows_with_missing_entries_are_those_of_the_entries_that_are_there(bits):
    x, rest = np.random.default_rng(0).normal([1.0, -30.0], [2.0, 0.1], (500, 2)), np.full((500, 2), np.nan)
    # A column's own likelihood, where the other column is missing in every second row.
    train, test = np.append(x, rest, axis=1)[:, [0, 2]], x[:1].copy()
    train[:, 1] = np.where(np.arange(500) % 2, x[:, 1], np.nan)
    columns = [stats.norm.logpdf(test[0, i], np.nanmean(train[:, i]), np.nanstd(train[:, i])) for i in (0, 1)]
    assert evaluation.independent_gaussians(train, test) == pytest.approx(-sum(columns))
    test[0, 1] = np.nan
    assert evaluation.independent_gaussians(train, test) == pytest.approx(-columns[0])
    # Masses of what is there add up to 1, whatever is missing, and rows without an entry add nothing.
    holes = np.append(bits.astype(float), np.full((9, bits.shape[1]), np.nan), axis=0)
    for fit in (evaluation.independent_entries, evaluation.bernoulli_mixture):
        points = np.array([[*point, *[np.nan] * 4] for point in itertools.product((0, 1), repeat=2)])
        total = sum(math.exp(-fit(holes, point[np.newaxis])) for point in points)
        assert total == pytest.approx(1.0, abs=1e-9)
    assert evaluation.independent_entries(holes, bits) == pytest.approx(evaluation.independent_entries(bits, bits))


def test_independent_logistics_reach_the_entropy_of_logistic_levels():
    """The entropy of a logistic distribution is log s + 2; noise that is narrow against the scale adds nothing."""
    means, scales = np.array([2000.0, 700.0, 900.0]), np.array([60.0, 30.0, 80.0])
    train, test = (np.floor(np.random.default_rng(seed).logistic(means, scales, (40_000, 3))) for seed in (0, 1))
    expected = np.sum(np.log(scales) + 2.0)
    assert evaluation.independent_logistics(train, test) == pytest.approx(expected, abs=0.03)
    # An entry that is always 0 is uniform noise.
    points = (np.arange(1000) + 0.5) / 1000
    best = min(-stats.logistic.logpdf(points, 0.5, scale).mean() for scale in np.geomspace(0.05, 0.5, 500))
    nothing = evaluation.independent_logistics(np.zeros((20_000, 1)), np.zeros((20_000, 1)))
    assert nothing == pytest.approx(best, abs=0.01)


def test_baselines_of_digits():
    found = evaluation.baselines(data.load("digits", binarization="threshold"))
    assert found["nll_mixture_of_bernoullis"] < found["nll_independent_entries"] < 64 * math.log(2)
    assert set(evaluation.baselines(data.load("digits"))) == {"nll_independent_entries"}
    assert set(evaluation.baselines(data.load("two_moons"))) == {"nll_gaussian"}
