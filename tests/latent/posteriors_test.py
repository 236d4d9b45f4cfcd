"""Tests of the posteriors: what is drawn has the density that is claimed."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.latent.posteriors import POSTERIORS, drawn, standard_normal

SIZE = 3
ARGUMENTS = {
    "diagonal": {},
    "full_covariance": {},
    "planar_flow": {"num_flows": 4},
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
        z, log_prob = drawn(posterior, noise)
    jacobian = tape.batch_jacobian(z, noise).numpy().astype(np.float64)
    sign, log_det = np.linalg.slogdet(jacobian)
    assert (sign > 0).all() or isinstance(case[0], POSTERIORS["inverse_autoregressive_flow"])
    np.testing.assert_allclose(log_prob, standard_normal(SIZE).log_prob(noise) - log_det, rtol=1e-3, atol=1e-3)


def test_density_at_what_was_drawn(case):
    family, posterior = case
    z, log_prob = drawn(posterior, tf.random.stateless_normal((4, 6, SIZE), (0, 0)))
    if family.has_density:
        np.testing.assert_allclose(posterior.log_prob(tf.identity(z)), log_prob, rtol=1e-2, atol=1e-2)
    else:
        with pytest.raises(NotImplementedError):
            posterior.log_prob(tf.identity(z))


def test_samples_have_the_covariance_of_the_full_one():
    family = POSTERIORS["full_covariance"](SIZE, seed=(0,))
    parameters = np.random.default_rng(1).normal(size=(1, family.num_parameters)).astype(np.float32)
    posterior = family.distribution(tf.constant(parameters))
    z, _ = drawn(posterior, tf.random.stateless_normal((100_000, 1, SIZE), (0, 0)))
    found = np.cov(z[:, 0].numpy().T)
    np.testing.assert_allclose(found, posterior.covariance()[0], atol=0.05 * np.abs(found).max())
    assert np.abs(np.corrcoef(z[:, 0].numpy().T) - np.eye(SIZE)).max() > 0.2


def test_autoregressive_networks_see_only_what_is_before():
    family = POSTERIORS["inverse_autoregressive_flow"](4, seed=(0,), num_flows=1, hidden_units=9, context_size=2)
    (network,) = family.networks
    context = tf.random.stateless_normal((1, 2), (0, 0))
    z = tf.random.stateless_normal((1, 4), (0, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((z, context))
        shift, logit = network(z, context)
    strictly_lower = np.tril(np.ones((4, 4)), -1) > 0
    for output in (shift, logit):
        np.testing.assert_array_equal(tape.jacobian(output, z)[0, :, 0].numpy() != 0, strictly_lower)
        assert (tape.jacobian(output, context).numpy()[0, 1:] != 0).all()
