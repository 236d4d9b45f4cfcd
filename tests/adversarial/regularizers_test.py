"""Penalties against critics whose gradients are known, and bounds of weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen import seeds
from keras_gen.adversarial import GAN, regularizers
from keras_gen.core import Step

SLOPE = np.array([3.0, -4.0], np.float32)
STEP = Step(seeds.as_pair((1, 2)), training=True)


def linear(x, step):
    return tf.linalg.matvec(x, SLOPE)


def quadratic(x, step):
    return 0.5 * tf.reduce_sum(tf.square(x), axis=-1)


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    return [tf.constant(random.standard_normal((50, 2)), tf.float32) for _ in range(2)]


def test_gradient_penalty_of_a_linear_critic(pair):
    """Its gradient has length 5 everywhere."""
    found = regularizers.GradientPenalty(weight=10.0).penalty(linear, *pair, STEP)
    np.testing.assert_allclose(found, np.full(50, 10.0 * (5.0 - 1.0) ** 2), rtol=1e-5)
    found = regularizers.GradientPenalty(weight=2.0, target=0.0).penalty(linear, *pair, STEP)
    np.testing.assert_allclose(found, np.full(50, 50.0), rtol=1e-5)


def test_gradient_penalty_looks_between_data_and_fakes_with_one_share_for_each_example(pair):
    """Where the gradient is the point itself, the penalty tells how far from the origin it was taken."""
    x, fakes = pair
    seen = []
    critic = lambda points, step: seen.append(points) or quadratic(points, step)  # noqa: E731
    found = regularizers.GradientPenalty(weight=1.0).penalty(critic, x, fakes, STEP)
    (points,) = seen
    shares = (points - fakes) / (x - fakes)
    np.testing.assert_allclose(shares[:, 0], shares[:, 1], atol=1e-3)
    shares = shares.numpy()[:, 0]
    assert np.all((shares > -1e-3) & (shares < 1.001))
    assert len(np.unique(shares.round(3))) > 40
    np.testing.assert_allclose(found, (np.linalg.norm(points, axis=-1) - 1.0) ** 2, rtol=1e-4, atol=1e-5)


def test_shares_of_images_are_one_for_each_image():
    x, fakes = tf.ones((6, 3, 3, 2)), tf.zeros((6, 3, 3, 2))
    seen = []
    critic = lambda points, step: seen.append(points) or tf.reduce_sum(points, axis=(1, 2, 3))  # noqa: E731
    regularizers.GradientPenalty().penalty(critic, x, fakes, STEP)
    flat = seen[0].numpy().reshape(6, -1)
    np.testing.assert_array_equal(flat, np.repeat(flat[:, :1], 18, axis=1))
    assert len(np.unique(flat)) == 6


def test_penalties_are_finite_where_the_gradient_is_zero(pair):
    slope = tf.Variable([0.0, 0.0])
    for regularizer in (regularizers.GradientPenalty(), regularizers.R1()):
        with tf.GradientTape() as tape:
            critic = lambda x, step: tf.linalg.matvec(x, slope)  # noqa: E731
            loss = regularizer.penalty(critic, *pair, STEP)
        expected = 10.0 if isinstance(regularizer, regularizers.GradientPenalty) else 0.0
        np.testing.assert_allclose(loss, np.full(50, expected), rtol=1e-4)
        assert np.all(np.isfinite(tape.gradient(loss, slope)))


def test_a_penalty_has_the_derivative_of_its_formula(pair):
    """d/dw 10 (|w| - 1)² = 20 (|w| - 1) w / |w|: the second derivative of the critic is taken."""
    slope = tf.Variable(SLOPE)
    with tf.GradientTape() as tape:
        critic = lambda x, step: tf.linalg.matvec(x, slope)  # noqa: E731
        loss = tf.reduce_mean(regularizers.GradientPenalty().penalty(critic, *pair, STEP))
    np.testing.assert_allclose(tape.gradient(loss, slope), 20.0 * 4.0 * SLOPE / 5.0, rtol=1e-4)


def test_r1_is_half_the_squared_gradient_at_the_data(pair):
    x, fakes = pair
    found = regularizers.R1(weight=4.0).penalty(quadratic, x, fakes, STEP)
    np.testing.assert_allclose(found, 2.0 * np.sum(np.square(x), axis=-1), rtol=1e-5)


def test_consistency_of_what_is_moved():
    images = np.random.default_rng(0).random((40, 6, 5, 1)).astype(np.float32)
    regularizer = regularizers.Consistency(weight=3.0, shift=1, noise=0.0)
    total = lambda x, step: tf.reduce_sum(x, axis=(1, 2, 3))  # noqa: E731
    moved = regularizers.shifted(tf.constant(images), 1, STEP.split(3)[0]).numpy()
    found = regularizer.penalty(total, tf.constant(images), None, STEP)
    np.testing.assert_allclose(found, 3.0 * (images - moved).sum(axis=(1, 2, 3)) ** 2, rtol=1e-3, atol=1e-4)
    # Each image is one of its nine neighbours, its border repeated.
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
    places = [padded[:, i : i + 6, j : j + 5] for i in range(3) for j in range(3)]
    which = np.array([[np.array_equal(place[n], moved[n]) for place in places] for n in range(40)])
    assert np.all(which.sum(axis=1) == 1)
    assert np.all(which.any(axis=0))
    constant = tf.ones((4, 6, 5, 1))
    np.testing.assert_array_equal(regularizer.penalty(total, constant, None, STEP), np.zeros(4))


def test_consistency_of_what_has_noise(pair):
    """Of a linear critic, the expected penalty is λ σ² |w|²."""
    x = tf.repeat(pair[0], 400, axis=0)
    found = regularizers.Consistency(weight=2.0, noise=0.1).penalty(linear, x, None, STEP)
    # 20,000 squared normal numbers: their mean is known to one percent.
    assert np.mean(found) == pytest.approx(2.0 * 0.01 * 25.0, rel=0.05)


def test_consistency_term_compares_two_draws_of_dropout(pair):
    x, fakes = pair
    critic = lambda x, step: step.uniform((50,))  # noqa: E731
    first, second = (step.uniform((50,)).numpy() for step in STEP.split(2))
    found = regularizers.ConsistencyTerm(weight=2.0, margin=0.3).penalty(critic, x, fakes, STEP)
    np.testing.assert_allclose(found, 2.0 * np.maximum(0.0, abs(first - second) - 0.3), atol=1e-6)
    assert np.any(found)


def test_clipping_bounds_hold_after_each_step():
    model = GAN(
        (2,),
        levels=None,
        latent_size=2,
        objective="wasserstein",
        regularizers=({"name": "weight_clipping", "limit": 0.03},),
        generator_network={"name": "dense", "hidden_units": [4]},
        discriminator_network={"name": "dense", "hidden_units": [4]},
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    assert max(np.abs(weight).max() for weight in model.discriminator.get_weights()) > 0.03
    x = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    for _ in range(3):
        model.train_on_batch(x)
        sizes = [np.abs(weight).max() for weight in model.discriminator.get_weights()]
        assert max(sizes) == np.float32(0.03)
    assert max(np.abs(weight).max() for weight in model.generator.get_weights()) > 0.03


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        ("r1", TypeError, "`regularizers` must be a tuple of names or dicts, received 'r1'"),
        (("r2",), ValueError, "`regularizers` 'r2' is unknown; did you mean r1"),
        (({"name": "r1", "wait": 1.0},), ValueError, "`regularizers.*` 'wait' is unknown; did you mean weight"),
        (({"name": "weight_clipping", "limit": 0.0},), ValueError, "`limit` must be greater than 0, received 0.0"),
    ],
)
def test_wrong_regularizers(value, error, sentence):
    with pytest.raises(error, match=sentence):
        GAN((2,), levels=None, regularizers=value)
