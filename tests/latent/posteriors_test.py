"""Tests of the posteriors: draws have the density that is claimed."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.latent.posteriors import POSTERIORS, draw_with_log_prob, standard_normal

SIZE = 3
ARGUMENTS = {
    "diagonal": {},
    "full_covariance": {},
    "planar_flow": {"num_flows": 4},
    "radial_flow": {"num_flows": 5},
    "sylvester_flow": {"num_flows": 3, "num_reflections": 2},
    "inverse_autoregressive_flow": {"num_flows": 3, "hidden_units": 8, "context_size": 5},
}


@pytest.fixture(scope="module", params=POSTERIORS)
def case(request):
    family = POSTERIORS[request.param](SIZE, seed=(0, 1), **ARGUMENTS[request.param])
    random = np.random.default_rng(0)
    for weight in family.trainable_variables:
        weight.assign_add(random.normal(scale=0.5, size=weight.shape))
    parameters = random.normal(scale=1.5, size=(6, family.num_parameters)).astype(np.float32)
    return family, family.distribution(tf.constant(parameters))


def test_log_prob_is_that_of_the_noise_less_the_jacobian(case):
    _, posterior = case
    noise = tf.random.stateless_normal((6, SIZE), (0, 0))
    with tf.GradientTape() as tape:
        tape.watch(noise)
        z, log_prob = draw_with_log_prob(posterior, noise)
    jacobian = tape.batch_jacobian(z, noise).numpy().astype(np.float64)
    sign, log_det = np.linalg.slogdet(jacobian)
    assert (sign > 0).all() or isinstance(case[0], POSTERIORS["inverse_autoregressive_flow"])
    np.testing.assert_allclose(log_prob, standard_normal(SIZE).log_prob(noise) - log_det, rtol=1e-3, atol=1e-3)


def test_the_density_at_draws_is_that_of_the_inverse(case):
    _, posterior = case
    z, log_prob = draw_with_log_prob(posterior, tf.random.stateless_normal((4, 6, SIZE), (0, 0)))
    # A new tensor: TFP remembers what it drew.
    found = posterior.log_prob(tf.identity(z)).numpy()
    # Where a flow squeezes points together, rounding leaves less of what the inverse needs.
    np.testing.assert_allclose(np.quantile(np.abs(found - log_prob), 0.9), 0.0, atol=1e-2)
    np.testing.assert_allclose(found, log_prob, rtol=1e-2, atol=0.1)


@pytest.mark.parametrize("name", ["planar_flow", "radial_flow", "sylvester_flow"])
def test_gradients_of_a_density_are_those_of_differences(name):
    family = POSTERIORS[name](SIZE, seed=(0, 1), **ARGUMENTS[name])
    random = np.random.default_rng(3)
    parameters = tf.constant(random.normal(size=(5, family.num_parameters)), tf.float32)
    z = tf.constant(random.normal(size=(5, SIZE)), tf.float32)
    directions = [tf.constant(random.normal(size=tensor.shape), tf.float32) for tensor in (parameters, z)]
    with tf.GradientTape() as tape:
        tape.watch((parameters, z))
        log_prob = family.distribution(parameters).log_prob(z)
    gradients = tape.gradient(log_prob, (parameters, z))
    step = 2e-3
    sides = [
        family.distribution(parameters + sign * step * directions[0]).log_prob(z + sign * step * directions[1])
        for sign in (1.0, -1.0)
    ]
    expected = (sides[0] - sides[1]) / (2.0 * step)
    found = sum(tf.reduce_sum(g * d, axis=-1) for g, d in zip(gradients, directions, strict=True))
    assert np.abs(found).max() > 1.0
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=5e-2)


def test_samples_have_the_covariance_of_the_full_one():
    family = POSTERIORS["full_covariance"](SIZE, seed=(0,))
    parameters = np.random.default_rng(1).normal(size=(1, family.num_parameters)).astype(np.float32)
    posterior = family.distribution(tf.constant(parameters))
    z, _ = draw_with_log_prob(posterior, tf.random.stateless_normal((100_000, 1, SIZE), (0, 0)))
    found = np.cov(z[:, 0].numpy().T)
    np.testing.assert_allclose(found, posterior.covariance()[0], atol=0.05 * np.abs(found).max())
    assert np.abs(np.corrcoef(z[:, 0].numpy().T) - np.eye(SIZE)).max() > 0.2


def test_autoregressive_networks_see_only_what_is_before():
    family = POSTERIORS["inverse_autoregressive_flow"](4, seed=(0,), num_flows=1, hidden_units=40, context_size=2)
    (network,) = family.networks
    context = tf.random.stateless_normal((1, 2), (0, 0))
    z = tf.random.stateless_normal((1, 4), (0, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((z, context))
        shift, logit = tf.unstack(network(z, context), axis=-1)
    strictly_lower = np.tril(np.ones((4, 4)), -1) > 0
    for output in (shift, logit):
        np.testing.assert_array_equal(tape.jacobian(output, z)[0, :, 0].numpy() != 0, strictly_lower)
        assert (tape.jacobian(output, context).numpy() != 0).all()
