"""Tests of the priors: they integrate to 1, their samples follow them, and divergences agree."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import randomise

from keras_gen.core import Step
from keras_gen.latent import VAE
from keras_gen.latent.base import divergence
from keras_gen.latent.posteriors import POSTERIORS, draw_with_log_prob

tfd = tfp.distributions

PRIORS = [
    "standard_normal",
    {"name": "laplace", "scale": 0.7},
    {"name": "student_t", "degrees_of_freedom": 6.0},
    "uniform_cube",
    {"name": "gaussian_mixture", "num_components": 3},
    {"name": "vamp_prior", "num_components": 4, "initial_mean": 0.5, "initial_deviation": 0.5},
    {"name": "model", "model": "flows.RealNVP", "arguments": {"num_layers": 2, "hidden_units": [6]}},
    {"name": "model", "model": "autoregressive.RNADE", "arguments": {"hidden_units": 4, "num_components": 2}},
]


def name_of(prior):
    return prior if isinstance(prior, str) else prior.get("model", prior["name"])


@pytest.fixture(scope="module", params=PRIORS, ids=name_of)
def model(request):
    model = VAE((5,), latent_size=2, hidden_units=(6,), prior=request.param)
    # Any weights but the first ones, with which flows are the identity.
    random = np.random.default_rng(1)
    for weight in (*model.encoder.trainable_variables, *model.prior_family.trainable_variables):
        if "pseudo" not in weight.path:
            weight.assign_add(random.normal(scale=0.15, size=weight.shape))
    return model


def test_it_integrates_to_one_and_its_samples_follow_it(model):
    prior = model.prior_distribution()
    limit, count = (1.0, 400) if model.prior_family.support() is not None else (14.0, 1400)
    # The centres of small squares.
    axis = limit * ((np.arange(count) + 0.5) / count * 2 - 1)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
    masses = np.exp(prior.log_prob(grid).numpy().astype(np.float64)) * (2 * limit / count) ** 2
    np.testing.assert_allclose(masses.sum(), 1.0, atol=2e-3)

    samples = model.noise(40_000, seed=3)["z"].numpy()
    for frequency in ([0.7, 0.0], [0.0, 1.1], [0.8, -0.6]):
        for wave in (np.cos, np.sin):
            expected = masses @ wave(grid @ np.array(frequency))
            found = wave(samples @ np.array(frequency))
            assert abs(found.mean() - expected) < 5 * found.std() / 200 + 2e-3


def test_draws_from_the_posterior_are_possible_under_the_prior(model):
    x = tf.constant(np.random.default_rng(0).integers(0, 2, (3, 5)), tf.float32)
    posterior = model.posterior_distribution(x)
    noise = tf.random.stateless_normal((500, 3, 2), (0, 1))
    z, log_posterior = draw_with_log_prob(posterior, noise)
    assert np.isfinite(model.prior_distribution().log_prob(z)).all()
    np.testing.assert_allclose(log_posterior, posterior.log_prob(tf.identity(z)), rtol=1e-3, atol=1e-3)
    assert np.isfinite(model.log_prob_bound(x, num_samples=20, seed=0)[0]).all()


def test_closed_and_sampled_divergence_agree(model):
    x = tf.constant(np.random.default_rng(0).integers(0, 2, (3, 5)), tf.float32)
    prior = model.prior_distribution()
    for posterior in (model.posterior_distribution(x), tfd.MultivariateNormalTriL([0.3, -1.0], [[0.5, 0], [0.7, 2.0]])):
        closed = divergence(posterior, prior)
        if name_of(model.prior) == "standard_normal":
            assert closed is not None
        if closed is not None:
            z = posterior.sample(40_000, seed=(0, 2))
            sampled = (posterior.log_prob(z) - prior.log_prob(z)).numpy()
            np.testing.assert_array_less(np.abs(sampled.mean(axis=0) - closed), 5 * sampled.std(axis=0) / 200)


def test_every_weight_of_it_gets_a_gradient(model):
    x = tf.constant(np.random.default_rng(0).integers(0, 2, (8, 5)), tf.float32)
    with tf.GradientTape() as tape:
        step = Step(tf.constant([0, 0]), training=True)
        loss = tf.reduce_mean(model.loss_terms({"x": x}, step)["loss"])
    for weight, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_a_vamp_prior_is_the_mixture_of_the_posteriors_of_its_pseudo_inputs(posterior):
    prior = {"name": "vamp_prior", "num_components": 3}
    model = VAE((5,), latent_size=2, hidden_units=(6,), prior=prior, posterior=posterior)
    randomise(model)
    x = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [1, 0, 0, 1, 1]], np.float32)
    model.prior_family.pseudo_inputs.assign(x)
    z = tf.constant(np.random.default_rng(0).normal(size=(6, 2)), tf.float32)
    each = [model.posterior_distribution(x[index : index + 1]).log_prob(z) for index in range(3)]
    expected = np.log(np.exp(each).mean(axis=0))
    np.testing.assert_allclose(model.prior_distribution().log_prob(z), expected, rtol=1e-4)
    # As for the samples of a bound: codes along two axes.
    found = model.prior_distribution().log_prob(tf.reshape(z, (2, 3, 2)))
    np.testing.assert_allclose(found, expected.reshape(2, 3), rtol=1e-4)


def test_a_wrong_model_gets_one_sentence():
    for name in ("flows.RealNVQ", "flows.dcgan"):
        with pytest.raises(ValueError, match=r"`model` must name a density model such as flows\.RealNVP, received"):
            VAE((4,), prior={"name": "model", "model": name})
    with pytest.raises(ValueError, match="`model` 'flow' is unknown; did you mean flows"):
        VAE((4,), prior={"name": "model", "model": "flow.RealNVP"})
