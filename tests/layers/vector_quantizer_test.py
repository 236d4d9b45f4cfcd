"""Tests of the vector quantizer against computations by hand and k-means."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.cluster import KMeans

from keras_gen.core import Step
from keras_gen.layers import VectorQuantizer

RANDOM = np.random.default_rng(0)
SEED = tf.constant([0, 1])


def quantizer(codebook, *, decay=None, restart_after=None):
    layer = VectorQuantizer(*np.shape(codebook), decay=decay, restart_after=restart_after, seed=(0,))
    layer.codebook.assign(codebook)
    if decay is not None:
        layer.sums.assign(codebook)
    return layer


def learn(layer, z, seed=SEED, weights=None):
    """Learns from vectors, each of an example of its own, and returns their codes."""
    z = tf.constant(z, tf.float32)
    codes = layer.nearest(z)
    step = Step(seed, training=True, sample_weight=None if weights is None else tf.constant(weights, tf.float32))
    before = [weight.numpy() for weight in layer.weights]
    layer.learn(z, codes, step)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    step.apply()
    return codes.numpy()


def test_vectors_are_rounded_to_the_nearest_code():
    codebook, z = RANDOM.standard_normal((7, 3)), RANDOM.standard_normal((4, 5, 2, 3)).astype(np.float32)
    layer = quantizer(codebook)
    codes = layer.nearest(tf.constant(z))
    assert codes.dtype == tf.int32
    distances = np.sum((z[..., np.newaxis, :] - codebook) ** 2, axis=-1)
    np.testing.assert_array_equal(codes, distances.argmin(axis=-1))
    np.testing.assert_allclose(layer(codes), codebook[codes.numpy()], rtol=1e-6)
    assert len(np.unique(codes)) == 7


def test_averages_move_as_the_paper_says():
    layer = quantizer([[0.0], [10.0], [20.0]], decay=0.9)
    # The first two vectors go to code 0, the third to code 1, none to code 2.
    assert list(learn(layer, [[1.0], [3.0], [8.0]])) == [0, 0, 1]
    np.testing.assert_allclose(layer.counts, [0.9 + 0.2, 0.9 + 0.1, 0.9], rtol=1e-6)
    np.testing.assert_allclose(layer.codebook[:, 0], [0.4 / 1.1, 9.0 + 0.8, 20.0], rtol=1e-6)
    assert list(learn(layer, [[2.0], [9.0], [11.0]])) == [0, 1, 1]
    np.testing.assert_allclose(layer.counts, [0.99 + 0.1, 0.9 + 0.2, 0.81], rtol=1e-6)
    expected = [(0.9 * 0.4 + 0.2) / 1.09, (0.9 * 9.8 + 0.1 * 20.0) / 1.1, 20.0]
    np.testing.assert_allclose(layer.codebook[:, 0], expected, rtol=1e-6)


def test_without_memory_it_is_k_means():
    centres = 5.0 * RANDOM.standard_normal((4, 2))
    z = np.concatenate([centre + RANDOM.standard_normal((50, 2)) for centre in centres])
    layer = quantizer(z[:4], decay=0.0)
    expected = KMeans(4, init=z[:4], n_init=1, algorithm="lloyd", max_iter=100, tol=0.0).fit(z)
    for _ in range(expected.n_iter_):
        codes = learn(layer, z)
    np.testing.assert_allclose(layer.codebook, expected.cluster_centers_, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(codes, expected.labels_)


def test_a_code_that_is_long_unused_stays_where_it_is():
    layer = quantizer([[0.0], [7.0]], decay=0.01)
    for _ in range(30):
        learn(layer, [[1.0]])
    np.testing.assert_allclose(layer.codebook[:, 0], [1.0, 7.0])
    assert layer.counts[1] == 0.0
    # It moves with the first vector that is rounded to it again.
    learn(layer, [[6.0]])
    np.testing.assert_allclose(layer.codebook[:, 0], [1.0, 6.0])


@pytest.mark.parametrize(
    ("codes", "perplexity"), [([2, 2, 2], 1.0), ([0, 1, 2, 3], 4.0), ([0, 0, 3, 1], 2.0**1.5), ([[0], [1]], 2.0)]
)
def test_perplexity_of_known_codes(codes, perplexity):
    layer = quantizer(np.zeros((4, 2)))
    np.testing.assert_allclose(layer.perplexity(tf.constant(codes), Step(SEED, training=False)), perplexity, rtol=1e-6)


@pytest.mark.parametrize("decay", [None, 0.9])
def test_only_dead_codes_are_moved_and_to_vectors_of_the_batch(decay):
    codebook = np.array([[0.0], [5.0], [50.0], [60.0], [70.0]])
    layer, other = (quantizer(codebook, decay=decay, restart_after=3) for _ in range(2))
    alone = quantizer(codebook, decay=decay)
    z = np.linspace(-1.0, 6.0, 20)[:, np.newaxis]
    for number in range(3):
        # The last code is used once, and is younger than the others.
        batch = np.append(z, [[70.0]], axis=0) if number == 1 else z
        for each, seed in ((layer, [0, number]), (other, [1, number]), (alone, [0, number])):
            learn(each, batch, tf.constant(seed))
        if number < 2:
            np.testing.assert_array_equal(layer.codebook, alone.codebook)
    np.testing.assert_array_equal(layer.codebook.numpy()[[0, 1, 4]], alone.codebook.numpy()[[0, 1, 4]])
    moved = layer.codebook.numpy()[2:4, 0]
    assert np.isin(moved, z.astype(np.float32)).all()
    assert moved[0] != moved[1]
    assert (moved != other.codebook.numpy()[2:4, 0]).any()
    np.testing.assert_array_equal(layer.ages, [0, 0, 0, 0, 1])
    if decay is not None:
        np.testing.assert_allclose(layer.counts[2:4], 1.0)
        np.testing.assert_allclose(layer.sums.numpy()[2:4, 0], moved)


@pytest.mark.parametrize("decay", [None, 0.9])
def test_weight_two_is_the_vector_twice_and_weight_zero_its_absence(decay):
    codebook = np.array([[0.0, 0.0], [5.0, 5.0], [50.0, 50.0]])
    z = RANDOM.uniform(-1.0, 6.0, (6, 2))
    weighted, repeated = (quantizer(codebook, decay=decay, restart_after=1) for _ in range(2))
    codes = learn(weighted, z, weights=[2.0, 1.0, 0.0, 1.0, 3.0, 0.0])
    learn(repeated, z[[0, 0, 1, 3, 4, 4, 4]])
    # The vector that an unused code moves to is drawn, from those with a weight.
    for layer in (weighted, repeated):
        assert np.any(np.all(np.isclose(z[[0, 1, 3, 4]], layer.codebook.numpy()[2]), axis=1))
    for ours, theirs in zip(weighted.weights, repeated.weights, strict=True):
        np.testing.assert_allclose(ours[:2], theirs[:2], rtol=1e-5)
    step = Step(SEED, training=False, sample_weight=tf.constant([2.0, 1.0, 0.0, 1.0, 3.0, 0.0]))
    shares = np.bincount(codes, [2.0, 1.0, 0.0, 1.0, 3.0, 0.0]) / 7.0
    expected = np.exp(-np.sum(shares * np.log(shares)))
    np.testing.assert_allclose(weighted.perplexity(tf.constant(codes), step), expected, rtol=1e-5)


def test_a_codebook_learns_by_gradient_descent_or_by_averages():
    assert quantizer(np.zeros((2, 3))).trainable_weights
    layer = quantizer(np.zeros((2, 3)), decay=0.9)
    assert not layer.trainable_weights
    before = [weight.numpy() for weight in layer.weights]
    layer(layer.nearest(tf.ones((4, 3))))
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
