"""The losses against the formulas they are stated by."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.adversarial import losses

LOGITS = np.linspace(-8.0, 8.0, 33).astype(np.float32)


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a.astype(np.float64)))


def test_discriminator_cross_entropy_is_its_formula():
    real, fake = np.meshgrid(LOGITS, LOGITS)
    expected = -np.log(sigmoid(real)) - np.log(1.0 - sigmoid(fake))
    found = losses.discriminator_cross_entropy(tf.constant(real), tf.constant(fake))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_generator_losses_are_their_formulas():
    fakes = sigmoid(LOGITS)
    np.testing.assert_allclose(losses.non_saturating(tf.constant(LOGITS)), -np.log(fakes), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses.minimax(tf.constant(LOGITS)), np.log(1.0 - fakes), rtol=1e-5, atol=1e-6)


def test_at_the_optimum_of_the_game():
    """Where D(x) = 1/2 everywhere, the value of the game is -log 4."""
    zero = tf.zeros(1)
    np.testing.assert_allclose(losses.discriminator_cross_entropy(zero, zero), [np.log(4.0)], rtol=1e-6)
    np.testing.assert_allclose(losses.non_saturating(zero), [np.log(2.0)], rtol=1e-6)
    np.testing.assert_allclose(losses.minimax(zero), [-np.log(2.0)], rtol=1e-6)


@pytest.mark.parametrize("density_ratio", [0.1, 1.0, 7.0])
def test_best_discriminator_is_the_density_ratio(density_ratio):
    """Where the data is r times as dense as the generated examples, D = r / (1 + r) minimises the loss."""
    logit = tf.Variable(np.log(density_ratio), dtype=tf.float32)
    with tf.GradientTape() as tape:
        real_part = losses.discriminator_cross_entropy(logit, tf.constant(-100.0))
        fake_part = losses.discriminator_cross_entropy(tf.constant(100.0), logit)
        loss = density_ratio * real_part + fake_part
    np.testing.assert_allclose(tape.gradient(loss, logit), 0.0, atol=1e-6)


def test_only_the_non_saturating_gradient_survives_a_confident_discriminator():
    logit = tf.Variable(-20.0)
    with tf.GradientTape(persistent=True) as tape:
        non_saturating, minimax = losses.non_saturating(logit), losses.minimax(logit)
    np.testing.assert_allclose(tape.gradient(non_saturating, logit), -1.0, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(minimax, logit), 0.0, atol=1e-6)


def test_finite_for_any_logit():
    logits = tf.constant([-1e4, 1e4])
    for values in (
        losses.discriminator_cross_entropy(logits, -logits),
        losses.non_saturating(logits),
        losses.minimax(logits),
    ):
        assert np.all(np.isfinite(values))


# The objectives

REAL, FAKE = np.array([-1.5, 0.0, 0.5, 3.0]), np.array([-2.0, 0.25, 1.0, -0.5])


@pytest.mark.parametrize(
    ("objective", "discriminator", "generator", "prediction"),
    [
        (
            losses.NonSaturating(),
            [1.828341, 1.519087, 1.787339, 0.522664],
            [2.126928, 0.575939, 0.313262, 0.974077],
            [0.119203, 0.562177, 0.731059, 0.377541],
        ),
        (
            losses.NonSaturating(discriminator_weight=0.5),
            [0.9141704, 0.7595434, 0.8936693, 0.2613324],
            [2.126928, 0.575939, 0.313262, 0.974077],
            [0.119203, 0.562177, 0.731059, 0.377541],
        ),
        (
            losses.Minimax(),
            [1.828341, 1.519087, 1.787339, 0.522664],
            [-0.126928, -0.825939, -1.313262, -0.474077],
            [0.119203, 0.562177, 0.731059, 0.377541],
        ),
        (
            losses.LeastSquares(),
            [3.625, 1.28125, 2.125, 2.125],
            [2.0, 0.03125, 0.5, 0.125],
            [0.0, 0.625, 1.0, 0.25],
        ),
        (
            losses.LeastSquares(fake=0.0, real=1.0, wanted=1.0),
            [5.125, 0.53125, 0.625, 2.125],
            [4.5, 0.28125, 0.0, 1.125],
            [0.0, 0.25, 1.0, 0.0],
        ),
        (losses.Wasserstein(), [-0.5, 0.25, 0.5, -3.5], [2.0, -0.25, -1.0, 0.5], FAKE),
        (losses.Hinge(), [2.5, 2.25, 2.5, 0.5], [2.0, -0.25, -1.0, 0.5], FAKE),
    ],
    ids=["non_saturating", "half", "minimax", "least_squares", "least_squares_01", "wasserstein", "hinge"],
)
def test_objectives_on_numbers_computed_by_hand(objective, discriminator, generator, prediction):
    real, fake = tf.constant(REAL, tf.float32), tf.constant(FAKE, tf.float32)
    np.testing.assert_allclose(objective.discriminator(real, fake), discriminator, atol=2e-6)
    np.testing.assert_allclose(objective.generator(fake), generator, atol=2e-6)
    np.testing.assert_allclose(objective.prediction(fake), prediction, atol=2e-6)


@pytest.mark.parametrize("name", ["non_saturating", "minimax", "least_squares"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_prediction_of_the_best_discriminator_is_the_probability_of_data(name, share):
    """Where a share of what it sees is data, the loss is smallest at the logit whose prediction is that share."""
    objective = losses.OBJECTIVES[name]()
    logits = tf.constant(np.linspace(-4.0, 4.0, 8001), tf.float32)
    ones = tf.ones_like(logits)
    loss = share * objective.discriminator(logits, ones) + (1.0 - share) * objective.discriminator(ones, logits)
    best = logits[int(np.argmin(loss))]
    assert float(objective.prediction(best)) == pytest.approx(share, abs=2e-3)


def test_least_squares_needs_two_labels():
    with pytest.raises(ValueError, match=r"`real` must be greater than `fake`, received 0\.0 and 0\.0"):
        losses.LeastSquares(fake=0.0, real=0.0)
