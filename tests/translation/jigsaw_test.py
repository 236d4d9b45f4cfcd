"""The jigsaw puzzle: contracts, the Sinkhorn operator, the best permutation, and its loss by hand."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from contracts import TrainingContract, randomise
from scipy import optimize

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.translation import Jigsaw
from keras_gen.translation.jigsaw import best_permutation, placed, sinkhorn


def best_by_scipy(scores):
    """Returns the column of each row by the Hungarian algorithm."""
    return np.array([optimize.linear_sum_assignment(matrix, maximize=True)[1] for matrix in scores])


def make(**options):
    sizes = {"levels": 9, "grid": (2, 2), "filters": (3,), "hidden_units": 6}
    return randomise(Jigsaw((4, 6, 1), **{**sizes, **options}))


def images(num, shape=(4, 6, 1)):
    return np.random.default_rng(0).integers(0, 9, (num, *shape)).astype(np.float32)


class TestContract(TrainingContract):
    """Every argument away from its default; pieces whose brightness tells their position."""

    def make_data(self):
        x = images(32, (6, 4, 2)) // 4
        return x + np.arange(6.0, dtype=np.float32).repeat(4).reshape(6, 4, 1)

    def make_model(self, **changes):
        options = {
            "levels": 9,
            "grid": (3, 1),
            "filters": (3, 4),
            "hidden_units": 6,
            "temperature": 0.8,
            "noise_scale": 0.5,
            "num_sinkhorn_steps": 5,
            "seed": 4,
            "name": "puzzle",
        }
        return Jigsaw((6, 4, 2), **{**options, **changes})

    def outputs(self, model, seed):
        return model.logits(model.pieces_space.examples(3, (seed, 0)))

    def test_pieces_that_tell_their_position_are_put_right(self, training):
        """By chance, one position of three is right, and one image of six."""
        _, _, history = training
        assert history["position_accuracy"][-1] > 0.8
        assert history["image_accuracy"][-1] > 0.7


def test_sinkhorn_is_doubly_stochastic():
    logits = np.random.default_rng(0).normal(0.0, 3.0, (5, 6, 6)).astype(np.float32)
    matrix = np.exp(sinkhorn(tf.constant(logits), 200))
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(matrix.sum(axis=2), 1.0, atol=1e-3)
    # One step by hand: rows, then columns.
    once = np.exp(logits)
    once /= once.sum(axis=2, keepdims=True)
    once /= once.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(sinkhorn(tf.constant(logits), 1)), once, rtol=1e-4)
    # Factors of rows and of columns cancel.
    factors = np.arange(6.0, dtype=np.float32)
    other = sinkhorn(tf.constant(logits + factors[:, np.newaxis] - 2.0 * factors), 200)
    np.testing.assert_allclose(np.exp(other), matrix, atol=1e-3)


def test_sinkhorn_goes_to_the_best_permutation_as_it_gets_cold():
    """Of matrices whose best permutation is better than the second best one by far more than the temperature."""
    scores = np.random.default_rng(1).normal(size=(40, 4, 4)).astype(np.float32)
    permutations = np.array(list(itertools.permutations(range(4))))
    totals = np.sort(scores[:, np.arange(4), permutations].sum(axis=-1), axis=1)
    scores = scores[totals[:, -1] - totals[:, -2] > 1.0]
    assert len(scores) > 5
    expected = np.eye(4)[best_by_scipy(scores)]
    far = [np.abs(np.exp(sinkhorn(tf.constant(scores / heat), 400)) - expected).max() for heat in (1.0, 0.2, 0.05)]
    assert far[0] > far[1] > far[2]
    assert far[2] < 0.01


def test_sinkhorn_is_stable():
    logits = tf.constant([[[1e4, -1e4], [-1e4, 1e4]], [[-1e6, 0.0], [-1e6, -3e6]]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        matrix = tf.exp(sinkhorn(logits, 50))
        loss = tf.reduce_sum(matrix * matrix)
    np.testing.assert_allclose(matrix, [[[1, 0], [0, 1]], [[0, 1], [1, 0]]], atol=1e-6)
    assert np.all(np.isfinite(tape.gradient(loss, logits)))


@pytest.mark.parametrize("num", [1, 2, 4, 9])
def test_the_best_permutation_is_that_of_the_hungarian_algorithm(num):
    scores = np.random.default_rng(num).normal(size=(30, num, num)).astype(np.float32)
    np.testing.assert_array_equal(best_permutation(tf.constant(scores)), best_by_scipy(scores))


def test_the_best_permutation_is_the_best_of_all():
    """Also where rows want the same column, and where several permutations are equally good."""
    scores = np.random.default_rng(0).integers(0, 3, (50, 4, 4)).astype(np.float32)
    found = best_permutation(tf.constant(scores)).numpy()
    permutations = np.array(list(itertools.permutations(range(4))))
    totals = scores[:, np.arange(4), permutations].sum(axis=-1)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(4), (50, 1)))
    np.testing.assert_array_equal(np.take_along_axis(scores, found[..., np.newaxis], 2)[..., 0].sum(1), totals.max(1))


def test_pieces_are_squares_of_the_image_row_by_row():
    model, x = make(), images(3)
    pieces = model.cut(tf.constant(x)).numpy()
    for index, (row, column) in enumerate(itertools.product((0, 2), (0, 3))):
        np.testing.assert_array_equal(pieces[:, index], x[:, row : row + 2, column : column + 3])
    np.testing.assert_array_equal(model.joined(pieces), x)
    parts, positions = model.shuffled(tf.constant(pieces), seeds.uniform((3, 4), seeds.as_pair(0)))
    for example in range(3):
        for part, position in zip(parts.numpy()[example], positions.numpy()[example], strict=True):
            np.testing.assert_array_equal(part, pieces[example, position])
    np.testing.assert_array_equal(placed(parts, positions), pieces)


def test_orders_are_equally_frequent():
    model = make()
    numbers = tf.reshape(tf.tile(tf.range(4.0), [6000]), (6000, 4, 1, 1, 1))
    _, positions = model.shuffled(numbers, seeds.uniform((6000, 4), seeds.as_pair(1)))
    _, counts = np.unique(positions.numpy(), axis=0, return_counts=True)
    # Four standard errors of 6,000 draws of 24 orders.
    assert len(counts) == 24
    assert np.all(abs(counts - 250) < 4.0 * (250 * 23 / 24) ** 0.5)


def test_pieces_in_another_order_get_the_same_positions():
    model = make()
    parts = model.pieces_space.examples(5)
    logits, positions, x = model.logits(parts), model.arrange(parts), model.complete(parts)
    for order in ([3, 1, 0, 2], [1, 0, 3, 2]):
        other = tf.gather(parts, order, axis=1)
        np.testing.assert_allclose(model.logits(other), tf.gather(logits, order, axis=1), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(model.arrange(other), tf.gather(positions, order, axis=1))
        np.testing.assert_array_equal(model.complete(other), x)
    np.testing.assert_array_equal(x, model.joined(placed(parts, positions)))
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    # The other pieces matter, too.
    changed = tf.concat([parts[:, :3], 8.0 - parts[:, 3:]], axis=1)
    assert np.any(model.logits(changed)[:, 0] != logits[:, 0])


@pytest.mark.parametrize("training", [True, False])
def test_the_loss_is_that_of_the_paper(training):
    """In training with Gumbel noise, whose values are those of its quantile function."""
    model = make(temperature=0.5, noise_scale=2.0, num_sinkhorn_steps=3)
    x = images(4)
    step = Step(seeds.as_pair(7), training=training)
    terms = model.loss_terms({"x": tf.constant(x)}, step)
    shuffle, noise = step.split(2)
    pieces = model.cut(x).numpy()
    order = np.argsort(shuffle.uniform((4, 4)).numpy(), axis=1)
    parts = np.take_along_axis(pieces, order[..., np.newaxis, np.newaxis, np.newaxis], axis=1)
    logits = model.logits(parts).numpy()
    import tensorflow_probability as tfp

    draws = tfp.distributions.Gumbel(0.0, 1.0).sample((4, 4, 4), seed=noise.seed).numpy()
    matrix = np.exp((logits + 2.0 * draws * training) / 0.5).astype(np.float64)
    for _ in range(3):
        matrix /= matrix.sum(axis=2, keepdims=True)
        matrix /= matrix.sum(axis=1, keepdims=True)
    mixed = np.einsum("bij,bi...->bj...", matrix, parts / 4.0 - 1.0)
    loss = np.square(mixed - (pieces / 4.0 - 1.0)).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(terms["loss"], loss, rtol=1e-3)
    right = best_by_scipy(logits) == order
    np.testing.assert_allclose(terms["position_accuracy"], right.mean(axis=1))
    np.testing.assert_array_equal(terms["image_accuracy"], right.all(axis=1))


def test_equal_pieces_may_change_places():
    """Of an image whose pieces are all equal, every order is right."""
    model = make()
    terms = model.loss_terms({"x": np.full((3, 4, 6, 1), 5.0, np.float32)}, Step(seeds.as_pair(0), training=True))
    np.testing.assert_allclose(terms["loss"], 0.0, atol=1e-4)
    np.testing.assert_array_equal(terms["position_accuracy"], 1.0)
    np.testing.assert_array_equal(terms["image_accuracy"], 1.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"event_shape": (8, 8)}, r"`event_shape` must be \(height, width, channels\), received \(8, 8\)"),
        ({"grid": (3, 3)}, r"`grid` must divide the sides of images of \(8, 8\), received \(3, 3\)"),
        ({"grid": (8, 4)}, r"`grid` must be \(rows, columns\) of 2 to 16 pieces, received \(8, 4\)"),
        ({"grid": (4,)}, r"`grid` must be \(rows, columns\) of 2 to 16 pieces, received \(4,\)"),
        ({"temperature": 0.0}, "`temperature` must be greater than 0, received 0.0"),
    ],
)
def test_wrong_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Jigsaw(**{"event_shape": (8, 8, 1), "grid": (2, 2), **arguments})
