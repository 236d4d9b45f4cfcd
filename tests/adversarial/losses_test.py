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
