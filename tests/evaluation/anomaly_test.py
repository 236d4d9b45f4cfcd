"""Scores of anomalies, and the area under the curve."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen import autoregressive, evaluation, flows, latent


@pytest.mark.parametrize("distance", [0.0, 0.8, 2.0])
def test_two_normals_have_their_area(distance):
    # Scored by the coordinate between them, an outlier is above an inlier with probability Φ(d / √2).
    random = np.random.default_rng(0)
    inliers, outliers = random.standard_normal(20_000), distance + random.standard_normal(10_000)
    found = evaluation.auroc(inliers, outliers)
    assert abs(found.value - stats.norm.cdf(distance / math.sqrt(2.0))) < 4.0 * found.standard_error
    assert found.standard_error < 0.005


def test_the_true_density_finds_wide_outliers_at_their_rate():
    # Under N(0, 1) the score grows with x²; of N(0, s²), |outlier| > |inlier| with probability 2 arctan(s) / π.
    random = np.random.default_rng(0)
    score = {"log_prob": lambda x: -stats.norm.logpdf(x)}
    outliers = 3.0 * random.standard_normal(10_000)
    found = evaluation.anomaly_table(score, random.standard_normal(10_000), {"wide": outliers})["wide"]["log_prob"]
    assert abs(found.value - 2.0 * math.atan(3.0) / math.pi) < 4.0 * found.standard_error


def test_the_standard_error_is_the_deviation_of_the_area():
    random = np.random.default_rng(0)
    found = [evaluation.auroc(random.standard_normal(40), 1 + 2 * random.standard_normal(60)) for _ in range(1000)]
    deviation = np.std([area.value for area in found])
    assert np.sqrt(np.mean([area.standard_error**2 for area in found])) == pytest.approx(deviation, rel=0.08)


def test_the_area_counts_pairs_ties_and_infinite_scores():
    inliers, outliers = [0.0, 1.0, 1.0, math.inf, -math.inf], [1.0, 2.0, math.inf]
    pairs = [(b > a) + 0.5 * (a == b) for a, b in itertools.product(inliers, outliers)]
    assert evaluation.auroc(inliers, outliers).value == pytest.approx(np.mean(pairs))
    assert evaluation.auroc([0.0, 1.0], [2.0, 3.0]) == evaluation.AUROC(1.0, 0.0)
    assert math.isnan(evaluation.auroc([0.0], [1.0, 2.0]).standard_error)
    with pytest.raises(ValueError, match="`outlier_scores` holds NaN"):
        evaluation.auroc([0.0], [math.nan])
    with pytest.raises(ValueError, match="`inlier_scores` holds no scores"):
        evaluation.auroc([], [1.0])


def test_complexity_orders_constant_structured_and_noise_images():
    random = np.random.default_rng(0)
    constant = np.full((1, 16, 16, 1), 7)
    stripes = np.broadcast_to(np.arange(16)[:, np.newaxis] * 10, (1, 16, 16))[..., np.newaxis]
    noise = random.integers(0, 256, (1, 16, 16, 1))
    bits = [evaluation.compressed_bits(x, 256)[0] for x in (constant, stripes, noise)]
    assert bits[0] < bits[1] < bits[2]
    # Noise cannot be compressed; no format adds more than a few bytes to it.
    assert 16 * 16 * 8 <= bits[2] < 16 * 16 * 8 + 200
    # A bit of noise takes a bit, and not a byte.
    noisy_bits = evaluation.compressed_bits(random.integers(0, 2, (5, 32, 32)), 2)
    assert noisy_bits.shape == (5,)
    assert np.all((noisy_bits >= 32 * 32) & (noisy_bits < 32 * 32 + 200))


def test_png_serves_where_it_is_shorter():
    # A gradient in both directions is constant after PNG's filters.
    gradient = (np.arange(64)[:, np.newaxis] * 3 + np.arange(64) * 5)[np.newaxis, ..., np.newaxis] % 256
    as_vector = evaluation.compressed_bits(gradient.reshape(1, -1), 256)
    assert evaluation.compressed_bits(gradient, 256) < as_vector


@pytest.mark.parametrize("levels", [2, 5])
def test_mutations_have_their_rate_and_reach_all_other_levels_equally(levels):
    x = np.full((200, 10, 20), 1, np.uint8)
    mutated = evaluation.mutated(x, levels, 0.3, seed=0)
    assert mutated.shape == x.shape
    assert mutated.dtype == np.uint8
    shares = np.bincount(mutated.ravel(), minlength=levels) / x.size
    expected = np.full(levels, 0.3 / (levels - 1))
    expected[1] = 0.7
    np.testing.assert_allclose(shares, expected, atol=4 * math.sqrt(0.25 / x.size))
    np.testing.assert_array_equal(mutated, evaluation.mutated(x, levels, 0.3, seed=0))
    assert np.any(mutated != evaluation.mutated(x, levels, 0.3, seed=1))
    np.testing.assert_array_equal(evaluation.mutated(x, levels, 0.0, seed=0), x)
    assert np.all(evaluation.mutated(x, levels, 1.0, seed=0) != x)


def test_scores_of_an_exact_likelihood():
    bits = np.random.default_rng(0).integers(0, 2, (50, 8))
    model, background = (autoregressive.MADE((8,), (8,), seed=seed) for seed in (0, 1))
    log_prob, reference = (m.log_prob(bits).numpy() for m in (model, background))
    scores = evaluation.anomaly_scores(model, background=background)
    assert set(scores) == {"log_prob", "likelihood_ratio", "complexity"}
    np.testing.assert_allclose(scores["log_prob"](bits), -log_prob, rtol=1e-6)
    np.testing.assert_allclose(scores["likelihood_ratio"](bits), reference - log_prob, rtol=1e-5, atol=1e-5)
    complexity = -log_prob / math.log(2) - evaluation.compressed_bits(bits, 2)
    np.testing.assert_allclose(scores["complexity"](bits), complexity, rtol=1e-6)
    # A second batch is not mistaken for the first.
    np.testing.assert_allclose(scores["log_prob"](bits[::-1].copy()), -log_prob[::-1], rtol=1e-6)


def test_the_likelihood_ratio_forgets_what_both_models_agree_on():
    # Outliers differ in "background" entries, of which both models know the same: the ratio does not see them.
    class Bits(autoregressive.MADE):
        """Independent bits with given probabilities."""

        def __init__(self, probabilities):
            super().__init__((len(probabilities),), (4,))
            self.probabilities = np.asarray(probabilities, np.float32)

        def log_prob(self, x, condition=None):
            x = tf.cast(x, tf.float32)
            return tf.reduce_sum(x * np.log(self.probabilities) + (1 - x) * np.log1p(-self.probabilities), axis=1)

    random = np.random.default_rng(0)
    model, background = Bits([0.9] * 20 + [0.8] * 5), Bits([0.9] * 20 + [0.5] * 5)
    inliers = random.random((4000, 25)) < model.probabilities
    # As many likely background entries as make up for the entries that matter.
    outliers = random.random((4000, 25)) < np.array([0.99] * 20 + [0.4] * 5)
    scores = evaluation.anomaly_scores(model, background=background)
    # The ratio is a linear function of the number of ones among the last five entries alone.
    ones = inliers[:, 20:].sum(axis=1)
    expected = np.log(0.5) * 5 - np.log(0.8) * ones - np.log(0.2) * (5 - ones)
    np.testing.assert_allclose(scores["likelihood_ratio"](inliers), expected, atol=1e-4)
    table = evaluation.anomaly_table(scores, inliers, {"outliers": outliers})["outliers"]
    assert table["log_prob"].value < 0.8 < 0.9 < table["likelihood_ratio"].value


def test_scores_of_a_bound_in_batches_of_arrays_and_data_sets():
    bits = np.random.default_rng(0).integers(0, 2, (50, 6))
    model = latent.VAE((6,), 2, hidden_units=(8,))
    scores = evaluation.anomaly_scores(model, num_samples=20, seed=3)
    assert set(scores) == {"elbo", "bound", "reconstruction", "complexity"}
    for name, num_samples in (("elbo", 1), ("bound", 20)):
        np.testing.assert_allclose(
            scores[name](bits), -model.log_prob_bound(bits, num_samples=num_samples, seed=3)[0], rtol=1e-6
        )
    probabilities = model.reconstruct(bits).numpy()
    cross_entropy = -np.log(np.where(bits == 1, probabilities, 1.0 - probabilities)).sum(axis=1)
    np.testing.assert_allclose(scores["reconstruction"](bits), cross_entropy, rtol=1e-5)

    labelled = tf.data.Dataset.from_tensor_slices((bits, np.arange(50))).batch(20)
    from_array = evaluation.anomaly_table(model, bits[:30], {"rest": bits[30:]}, batch_size=20)
    from_data_set = evaluation.anomaly_table(model, bits[:30], {"all": labelled}, batch_size=20)
    assert set(from_array["rest"]) == set(from_data_set["all"]) == set(scores)
    assert evaluation.anomaly.scored(scores, bits, 20)["bound"].tolist() == (
        evaluation.anomaly.scored(scores, labelled)["bound"].tolist()
    )


def test_scores_of_a_flow_of_levels_are_those_of_its_bound():
    levels = np.random.default_rng(0).integers(0, 3, (20, 2, 3, 1))
    model, background = (flows.NICE((2, 3, 1), 2, (4,), levels=3, seed=seed) for seed in (0, 1))
    scores = evaluation.anomaly_scores(model, background=background, num_samples=10, seed=3)
    assert set(scores) == {"elbo", "bound", "likelihood_ratio", "complexity"}
    bounds = [m.log_prob_bound(levels, num_samples=10, seed=3)[0] for m in (model, background)]
    np.testing.assert_allclose(scores["bound"](levels), -bounds[0], rtol=1e-6)
    np.testing.assert_allclose(scores["likelihood_ratio"](levels), bounds[1] - bounds[0], rtol=1e-5, atol=1e-5)
    complexity = -bounds[0] / math.log(2) - evaluation.compressed_bits(levels, 3)
    np.testing.assert_allclose(scores["complexity"](levels), complexity, rtol=1e-6)
    # That of real numbers is exact.
    assert set(evaluation.anomaly_scores(flows.NICE((6,), 2, (4,)))) == {"log_prob"}


@pytest.mark.parametrize(("levels", "scale"), [(None, 1.0), (5, 4.0)])
def test_the_reconstruction_error_is_half_the_squared_distance(levels, scale):
    model = latent.VAE((6,), 2, levels, hidden_units=(8,))
    x = np.random.default_rng(0).integers(0, 5, (10, 6))
    expected = 0.5 * (((x - model.reconstruct(x).numpy()) / scale) ** 2).sum(axis=1)
    np.testing.assert_allclose(evaluation.reconstruction_error(model, x), expected, rtol=1e-5)


def test_levels_are_prepared_for_a_model_of_real_numbers():
    levels = np.random.default_rng(0).integers(0, 4, (20, 3, 3, 1))
    model = latent.VAE((9,), 2, levels=None, hidden_units=(8,))

    def prepare(x):
        return x.reshape(len(x), -1) + 0.5

    scores = evaluation.anomaly_scores(model, prepare=prepare, num_samples=5, levels=4)
    bound = model.log_prob_bound(prepare(levels), num_samples=5, seed=0)[0]
    np.testing.assert_allclose(scores["bound"](levels), -bound, rtol=1e-6)
    expected = -bound / math.log(2) - evaluation.compressed_bits(levels, 4)
    np.testing.assert_allclose(scores["complexity"](levels), expected, rtol=1e-6)
    assert "complexity" not in evaluation.anomaly_scores(model)


def test_simple_outliers_keep_what_they_should():
    x = np.random.default_rng(0).integers(0, 5, (30, 6, 6, 3)).astype(np.uint8) ** 2 // 4
    outliers = evaluation.simple_outliers(x, 5, seed=0)
    shares = np.bincount(outliers["noise"].ravel(), minlength=5) / x.size
    np.testing.assert_allclose(shares, 0.2, atol=5 * math.sqrt(0.16 / x.size))
    np.testing.assert_array_equal(outliers["inverted"] + x, 4)
    np.testing.assert_array_equal(outliers["turned"][:, 0, 0], x[:, 0, -1])
    # Each image has the pixels that it had, whole ones, in an order of its own.
    before, after = (
        [sorted(map(bytes, image.reshape(-1, 3))) for image in images] for images in (x, outliers["shuffled"])
    )
    assert before == after
    assert np.any(outliers["shuffled"] != x)
    same = evaluation.simple_outliers(np.broadcast_to(np.arange(36).reshape(6, 6, 1), (2, 6, 6, 1)), 36)["shuffled"]
    assert np.any(same[0] != same[1])
    assert "turned" not in evaluation.simple_outliers(x[:, :5], 5)


def test_mistakes_get_a_sentence():
    model = latent.VAE((6,), 2, hidden_units=(8,))
    sentence = (
        "`background` must have a likelihood of the same kind as the model, lower bound; received a MADE, .* exact"
    )
    with pytest.raises(ValueError, match=sentence):
        evaluation.anomaly_scores(model, background=autoregressive.MADE((6,), (8,)))
    with pytest.raises(ValueError, match="`model` must have a likelihood or reconstruct examples to score them"):
        evaluation.anomaly_scores(evaluation.Classifier((8, 8, 1)))
    with pytest.raises(ValueError, match="`x` holds the value 3; expected whole levels from 0 to 1"):
        evaluation.compressed_bits(np.full((1, 4), 3), 2)
    with pytest.raises(ValueError, match="`rate` must be from 0 to 1, received 2"):
        evaluation.mutated(np.zeros((1, 4)), 2, 2, seed=0)
    with pytest.raises(ValueError, match="`scores` holds no score"):
        evaluation.anomaly_table({}, np.zeros((1, 4)), {})


def test_outliers_of_rows_keep_their_range_or_their_columns():
    random = np.random.default_rng(0)
    first = random.normal(10.0, 2.0, 500)
    x = np.stack([first, 3.0 * first], axis=1).astype(np.float32)
    outliers = evaluation.simple_outliers(x, None, seed=3)
    assert set(outliers) == {"noise", "shuffled"}
    for rows in outliers.values():
        assert rows.dtype == np.float32
        assert np.all((rows.min(axis=0) >= x.min(axis=0)) & (rows.max(axis=0) <= x.max(axis=0)))
        assert abs(np.corrcoef(rows.T)[0, 1]) < 0.2
    np.testing.assert_array_equal(np.sort(outliers["shuffled"], axis=0), np.sort(x, axis=0))
    # Uniform: as many rows in each quarter of the range.
    counts, _ = np.histogram(outliers["noise"][:, 0], 4, (x[:, 0].min(), x[:, 0].max()))
    assert stats.chisquare(counts).pvalue > 1e-3
