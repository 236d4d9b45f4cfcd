"""Codes: what they tell about labels, and pictures of their space."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen import evaluation, latent
from keras_gen.evaluation import representation


def two_normals(num, distance, seed):
    """Codes around two means, of which only the first of three entries tells the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, num)
    z = random.standard_normal((num, 3)) * (1.0, 1.0, 0.01)
    z[:, 0] += distance * labels
    return z, labels


@pytest.fixture(scope="module")
def normals():
    return [two_normals(num, 2.0, seed) for seed, num in enumerate((2000, 500, 4000))]


def test_both_classifiers_reach_the_best_possible_accuracy(normals):
    # The best decision between two normals at distance d is right with probability Φ(d / 2).
    best = stats.norm.cdf(1.0)
    (linear,) = evaluation.linear_probe(*normals)
    assert linear.num_labels == 2000
    assert linear.accuracy == pytest.approx(best, abs=4 * linear.standard_error)
    assert linear.standard_error == pytest.approx(math.sqrt(best * (1 - best) / 4000), rel=0.05)
    (nearest,) = evaluation.nearest_neighbours(*normals, neighbours=(1, 99))
    assert nearest.chosen == (99.0,)
    assert nearest.accuracy == pytest.approx(best, abs=4 * nearest.standard_error + 0.01)


def test_more_labels_help_and_the_error_is_that_of_the_draws(normals):
    few, many, whole = evaluation.linear_probe(*normals, label_budgets=(4, 200, None), num_draws=8, strengths=(1.0,))
    assert (few.num_labels, many.num_labels, whole.num_labels) == (4, 200, 2000)
    assert few.accuracy < many.accuracy - 0.02
    assert few.standard_error > many.standard_error > 0.0
    assert len(few.chosen) == 8
    assert len(whole.chosen) == 1
    again = evaluation.linear_probe(*normals, label_budgets=(4,), num_draws=8, strengths=(1.0,))
    assert again == [few]


def test_the_linear_probe_does_not_depend_on_units(normals):
    scaled = [(z * (1e-4, 1.0, 1e4) + 7.0, labels) for z, labels in normals]
    (found,), (expected,) = (evaluation.linear_probe(*parts, strengths=(1.0,)) for parts in (scaled, normals))
    assert found.accuracy == pytest.approx(expected.accuracy, abs=1e-3)


def test_in_units_of_the_prior_entries_that_tell_nothing_count_for_nothing():
    """One entry tells the class, and 50 collapsed ones hold noise: divided by their own deviations, they drown it."""
    random = np.random.default_rng(0)

    def collapsed(num):
        z, labels = random.standard_normal((num, 51)), random.integers(0, 2, num)
        z[:, 1:] *= 1e-3
        z[:, 0] += 3.0 * labels
        return z, labels

    parts = [collapsed(num) for num in (40, 400, 4000)]
    (prior,), (own,) = (evaluation.linear_probe(*parts, strengths=(1.0,), scale=scale) for scale in (1.0, None))
    best = stats.norm.cdf(1.5)
    assert prior.accuracy == pytest.approx(best, abs=0.015)
    assert own.accuracy < best - 0.03
    # The unit of the codes is the scale: the same penalty on the same decision.
    scaled = [(5.0 * z, labels) for z, labels in parts]
    (five,) = evaluation.linear_probe(*scaled, strengths=(1.0,), scale=5.0)
    assert five.accuracy == prior.accuracy


def test_posterior_moments_and_hidden_features_are_what_the_code_is_made_of():
    model = latent.VAE((6,), 2, hidden_units=(8, 5))
    bits = np.random.default_rng(0).integers(0, 2, (25, 6))
    moments = evaluation.posterior_moments(model, bits, batch_size=10)
    posterior = model.posterior_distribution(tf.constant(bits, tf.float32))
    np.testing.assert_allclose(moments[:, :2], evaluation.codes(model, bits), atol=1e-6)
    np.testing.assert_allclose(np.exp(moments[:, 2:]), posterior.stddev(), rtol=1e-5)
    hidden = evaluation.hidden_features(model, bits, batch_size=10)
    assert hidden.shape == (25, 5)
    kernel, bias = model.encoder.dense_layers[-1].get_weights()
    np.testing.assert_allclose((hidden @ kernel + bias)[:, :2], moments[:, :2], atol=1e-5)


def test_a_subset_has_equal_classes():
    labels = np.repeat([0, 1, 2], [500, 300, 3])
    random = np.random.default_rng(0)
    for size, counts in ((3, [1, 1, 1]), (9, [3, 3, 3]), (21, [9, 9, 3])):
        rows = representation.stratified(labels, size, random)
        assert len(set(rows.tolist())) == size
        assert np.bincount(labels[rows]).tolist() == counts
    # Each row of a class has the same chance.
    chosen = np.concatenate([representation.stratified(labels[:800], 200, random) for _ in range(500)])
    shares = np.bincount(chosen, minlength=800) / 500
    np.testing.assert_allclose(shares[:500], 0.2, atol=5 * math.sqrt(0.16 / 500))
    np.testing.assert_allclose(shares[500:], 1 / 3, atol=5 * math.sqrt(0.23 / 500))
    with pytest.raises(ValueError, match=r"`label_budgets` must be from the number of classes, 3, .* 803; received 2"):
        representation.stratified(labels, 2, random)


def test_codes_come_in_batches_of_arrays_and_data_sets():
    model = latent.VAE((6,), 2, hidden_units=(8,))
    bits = np.random.default_rng(0).integers(0, 2, (25, 6))
    expected = model.encode(bits).numpy()
    labelled = tf.data.Dataset.from_tensor_slices((bits, np.arange(25))).batch(10)
    for examples in (bits, labelled, labelled.map(lambda x, y: x)):
        np.testing.assert_allclose(evaluation.codes(model, examples, batch_size=10), expected, atol=1e-6)


def test_a_traversal_moves_one_entry_by_its_deviation():
    z = np.random.default_rng(0).standard_normal((5000, 4)) * (1.0, 0.1, 3.0, 2.0) + (0.0, 0.0, 10.0, 0.0)
    start = np.array([0.5, 0.6, 0.7, 0.8])
    walk = representation.traversal_codes(z, start, 2, 3.0, 5).reshape(2, 5, 4)
    # The entries of the largest deviations: first 2, then 3.
    np.testing.assert_allclose(walk[0, :, 2], 10.0 + np.linspace(-9, 9, 5), atol=0.5)
    np.testing.assert_allclose(walk[1, :, 3], np.linspace(-6, 6, 5), atol=0.3)
    np.testing.assert_allclose(walk[0][:, [0, 1, 3]], np.tile(start[[0, 1, 3]], (5, 1)), rtol=1e-6)
    np.testing.assert_allclose(representation.traversal_codes(z, None, 4, 3.0, 3)[1], z.mean(axis=0), atol=1e-4)


def test_pictures_have_a_column_for_each_step():
    model = latent.VAE((8, 8, 1), 3, hidden_units=(8,))
    x = np.random.default_rng(0).integers(0, 2, (6, 8, 8, 1))
    # A cell is 8 pixels and a margin of 2, which surrounds the grid, too; all are enlarged alike.
    grid = evaluation.traversals(model, evaluation.codes(model, x), num_steps=5)
    assert grid.width / grid.height == (5 * 10 + 2) / (3 * 10 + 2)
    way = np.asarray(evaluation.interpolations(model, x[:3], x[3:], num_steps=5, spherical=True))
    factor = way.shape[0] // (3 * 10 + 2)
    assert way.shape == (factor * 32, factor * 72)
    np.testing.assert_array_equal(way[::factor, ::factor][2:10, 2:10], 255 * x[0, ..., 0])
    np.testing.assert_array_equal(way[::factor, ::factor][22:30, 62:70], 255 * x[5, ..., 0])


@pytest.mark.parametrize("size", [2, 5])
def test_the_map_shows_every_class_in_its_colour(size):
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    pixels = np.asarray(evaluation.latent_map(random.standard_normal((90, size)) + 4 * labels[:, np.newaxis], labels))
    # The first, the middle and the last colour of the palette of ten, over white.
    for colour in ((31, 119, 180), (140, 86, 75), (23, 190, 207)):
        over_white = 0.7 * np.array(colour) + 0.3 * 255
        assert (np.abs(pixels - over_white).max(axis=-1) < 6).sum() > 50
    with pytest.raises(ValueError, match="`z` must have two entries or more"):
        evaluation.latent_map(np.zeros((4, 1)), np.arange(4))
