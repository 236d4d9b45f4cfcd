"""Tests of batch normalization and of activation normalization."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.flows.normalization import ActNorm, BatchNormalization


def training_step(sample_weight=None):
    weights = None if sample_weight is None else tf.constant(sample_weight, tf.float32)
    return Step(seeds.as_pair(0), training=True, sample_weight=weights)


def make(features):
    """A batch normalization of which no weight has its initial value."""
    layer = BatchNormalization(features, momentum=0.8, epsilon=0.1)
    random = np.random.default_rng(3)
    for weight in layer.weights:
        weight.assign(random.uniform(0.5, 2.0, features))
    return layer


@pytest.mark.parametrize("positions", [(), (3, 2)], ids=["vectors", "images"])
def test_a_training_step_normalises_by_the_weighted_statistics_of_its_batch(positions):
    layer, counts = make(4), np.array([2, 1, 0, 3, 1])
    x = np.random.default_rng(0).normal(1.0, 2.0, (5, *positions, 4)).astype(np.float32)
    step = training_step(counts)
    bijector = layer.bijector(1 + len(positions), step)
    y = bijector.forward(tf.constant(x))

    # A weight of 2 is the example twice.
    rows = np.repeat(x, counts, axis=0).reshape(-1, 4)
    mean, variance = rows.mean(axis=0), rows.var(axis=0)
    factor = np.exp(layer.log_scale.numpy()) / np.sqrt(variance + 0.1)
    np.testing.assert_allclose(y, (x - mean) * factor + layer.shift.numpy(), rtol=1e-4, atol=1e-5)
    log_det = bijector.forward_log_det_jacobian(tf.constant(x), 1 + len(positions))
    np.testing.assert_allclose(log_det, np.prod(positions, initial=1) * np.log(factor).sum(), rtol=1e-4)

    before = layer.mean.numpy(), layer.variance.numpy()
    step.apply()
    for weight, old, value in zip((layer.mean, layer.variance), before, (mean, variance), strict=True):
        np.testing.assert_allclose(weight, 0.8 * old + 0.2 * value, rtol=1e-4, atol=1e-5)


def test_any_other_pass_is_one_invertible_function():
    layer = make(3)
    x = tf.constant(np.random.default_rng(0).standard_normal((6, 3)), tf.float32)
    bijector = layer.bijector(1)
    y = bijector.forward(x)
    factor = np.exp(layer.log_scale.numpy()) / np.sqrt(layer.variance.numpy() + 0.1)
    np.testing.assert_allclose(y, (x - layer.mean) * factor + layer.shift, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 1), np.log(factor).sum(), rtol=1e-5)
    np.testing.assert_allclose(layer.bijector(1).inverse(tf.identity(y)), x, rtol=1e-4, atol=1e-5)


def test_the_variance_of_numbers_far_from_zero_is_exact():
    layer = BatchNormalization(1, epsilon=0.0)
    x = 1000.0 + 0.01 * np.random.default_rng(0).standard_normal((500, 1)).astype(np.float32)
    step = training_step()
    y = layer.bijector(1, step).forward(tf.constant(x))
    np.testing.assert_allclose(np.std(y), 1.0, rtol=1e-3)
    step.apply()
    np.testing.assert_allclose(layer.variance, 0.95 + 0.05 * x.astype(np.float64).var(axis=0), rtol=1e-6)


def test_the_statistics_of_a_batch_are_computed_once(monkeypatch):
    step, means = training_step(), []
    monkeypatch.setattr(step, "mean", lambda values: means.append(values) or Step.mean(step, values))
    bijector, x = make(3).bijector(1, step), tf.ones((4, 3))
    bijector.forward(x)
    bijector.forward_log_det_jacobian(x, 1)
    assert len(means) == 2


def test_the_gradient_goes_through_the_statistics():
    """Shifting all examples changes nothing, and neither does scaling them where no variance is added."""
    layer = BatchNormalization(2, epsilon=0.0)
    x = tf.constant(np.random.default_rng(0).standard_normal((5, 2)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer.bijector(1, training_step()).forward(x)
        loss = tf.reduce_sum(y**3)
    gradient = tape.gradient(loss, x).numpy()
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient.sum(axis=0), np.zeros(2), atol=1e-4)
    np.testing.assert_allclose((gradient * x.numpy()).sum(axis=0), np.zeros(2), atol=1e-4)


def test_an_activation_normalization_starts_from_the_statistics_of_examples():
    layer, step = ActNorm(3), training_step()
    x = tf.constant(np.random.default_rng(0).normal([5.0, -3.0, 0.0], [0.1, 1.0, 10.0], (40, 2, 2, 3)), tf.float32)
    first = layer.start_bijector(3, step).forward(x)
    np.testing.assert_allclose(np.mean(first, axis=(0, 1, 2)), np.zeros(3), atol=1e-3)
    np.testing.assert_allclose(np.std(first, axis=(0, 1, 2)), np.ones(3), rtol=1e-3)
    # The pass changes nothing before the step is done.
    np.testing.assert_array_equal(layer.bijector(3).forward(x), x)
    step.apply()
    bijector = layer.bijector(3)
    np.testing.assert_allclose(bijector.forward(x), first, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(bijector.inverse(tf.identity(first)), x, rtol=1e-3, atol=1e-3)
    log_det = bijector.forward_log_det_jacobian(x, 3)
    np.testing.assert_allclose(log_det, 4.0 * np.sum(layer.log_scale.numpy()), rtol=1e-5)
