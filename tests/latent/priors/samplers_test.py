"""Priors that can be drawn from: each follows its density, with and without labels."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import randomise
from scipy import stats

import keras_gen
from keras_gen.core import saving
from keras_gen.flows import RealNVP
from keras_gen.latent import AdversarialAutoencoder
from keras_gen.latent.priors import samplers

tfd = tfp.distributions

NUM = 20_000


def draws(sampler, num=NUM, labels=None, seed=0):
    sources = sampler.noise_distributions()
    noise = {name: source.sample(num, seed=(seed, index)) for index, (name, source) in enumerate(sources.items())}
    return sampler.codes(noise, None if labels is None else tf.constant(labels)).numpy()


@pytest.mark.parametrize(
    ("sampler", "distribution"),
    [
        (samplers.Normal(3, scale=5.0), stats.norm(0.0, 5.0)),
        (samplers.Uniform(3, bound=2.0), stats.uniform(-2.0, 4.0)),
    ],
)
def test_independent_entries_follow_their_distribution(sampler, distribution):
    codes = draws(sampler)
    assert codes.shape == (NUM, 3)
    for entry in codes.T:
        assert stats.kstest(entry, distribution.cdf).pvalue > 1e-3
    correlations = np.corrcoef(codes.T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(correlations, 0.0, atol=5.0 / math.sqrt(NUM))


def test_ring_is_the_mixture_that_it_says():
    """Its draws fill the cells of a grid as the density of TFP's mixture of full covariances does."""
    sampler = samplers.Ring(2, num_modes=5, radius=3.0, length=0.8, width=0.5)
    angles = 2.0 * np.pi * np.arange(5) / 5
    rotations = np.stack([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    means = rotations @ [3.0, 0.0]
    factors = np.linalg.cholesky(rotations @ np.diag([0.64, 0.25]) @ rotations.transpose(0, 2, 1))
    components = tfd.MultivariateNormalTriL(tf.constant(means), tf.constant(factors))
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=np.full(5, 0.2)), components)

    cells, fine = 24, 5
    edges = np.linspace(-6.0, 6.0, cells + 1)
    middles = np.linspace(-6.0, 6.0, cells * fine, endpoint=False) + 6.0 / (cells * fine)
    grid = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1)
    masses = mixture.prob(grid).numpy() * (12.0 / (cells * fine)) ** 2
    expected = masses.reshape(cells, fine, cells, fine).sum(axis=(1, 3)).ravel() * NUM
    codes = draws(sampler)
    counts = np.histogram2d(codes[:, 0], codes[:, 1], [edges, edges])[0].ravel()
    frequent = expected > 10
    observed = np.append(counts[frequent], NUM - counts[frequent].sum())
    wanted = np.append(expected[frequent], NUM - expected[frequent].sum())
    assert stats.chisquare(observed, wanted, sum_check=False).pvalue > 1e-3

    for label in (0, 3):
        codes = draws(sampler, labels=np.full(NUM, label))
        error = 5.0 / math.sqrt(NUM)
        np.testing.assert_allclose(codes.mean(axis=0), means[label], atol=error)
        np.testing.assert_allclose(np.cov(codes.T), factors[label] @ factors[label].T, atol=error)


def test_swiss_roll_is_the_spiral_that_it_says():
    sampler = samplers.SwissRoll(2, num_modes=4, radius=6.0, turns=1.5, width=1e-4)
    labels = np.repeat(np.arange(4), NUM // 4)
    codes = draws(sampler, labels=labels)
    # Radius and angle each give the place u along the spiral, in turns.
    turned = np.linalg.norm(codes, axis=1) / 6.0 * 2.5 - 1.0
    angle = np.arctan2(codes[:, 1], codes[:, 0]) / (2.0 * np.pi)
    np.testing.assert_allclose((turned - angle + 0.5) % 1.0, 0.5, atol=1e-3)
    along = turned / 1.5
    for label in range(4):
        place = (along[labels == label] - label / 4) * 4
        assert stats.kstest(place, "uniform").pvalue > 1e-3
    # Without labels the whole spiral is drawn, uniformly in u.
    anywhere = (np.linalg.norm(draws(sampler, seed=3), axis=1) / 6.0 * 2.5 - 1.0) / 1.5
    assert stats.kstest(anywhere, "uniform").pvalue > 1e-3
    # The width is the distance, in each direction, from the spiral.
    wide = samplers.SwissRoll(2, num_modes=4, radius=6.0, turns=1.5, width=0.3)
    np.testing.assert_allclose((draws(wide, labels=labels) - codes).std(axis=0), 0.3, rtol=0.03)


@pytest.mark.parametrize("sampler", [samplers.Ring(2, num_modes=3, width=0.1), samplers.SwissRoll(2, num_modes=3)])
def test_an_unknown_label_draws_from_any_mode(sampler):
    unknown = draws(sampler, labels=np.full(NUM, -1))
    np.testing.assert_array_equal(unknown, draws(sampler))
    mixed = draws(sampler, labels=np.array([-1, 2] * (NUM // 2)))
    np.testing.assert_array_equal(mixed[::2], unknown[::2])
    np.testing.assert_array_equal(mixed[1::2], draws(sampler, labels=np.full(NUM, 2))[1::2])
    assert np.any(mixed[1::2] != unknown[1::2])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: samplers.Normal(2, scale=0.0), "`scale` must be greater than 0, received 0.0"),
        (lambda: samplers.Uniform(2, bound=-1.0), "`bound` must be greater than 0, received -1.0"),
        (lambda: samplers.Ring(3), "`latent_size` must be 2 for a prior over the plane, received 3"),
        (lambda: samplers.SwissRoll(2, num_modes=0), "`num_modes` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_flow_is_a_prior_that_an_autoencoder_keeps(tmp_path):
    flow = randomise(RealNVP((2,), 2, (6,)), 0.5)
    arguments = {"num_layers": 2, "hidden_units": [6]}
    prior = {"name": "model", "model": "flows.RealNVP", "arguments": arguments}
    aae = AdversarialAutoencoder((3,), 2, None, prior=prior, hidden_units=(4,), discriminator_units=(4,))
    aae.prior_sampler.model.set_weights(flow.get_weights())
    noise = aae.noise(50, seed=0)
    codes = aae.prior_sampler.codes(noise).numpy()
    np.testing.assert_allclose(flow.encode(codes), noise["z"], atol=1e-4)
    x = np.random.default_rng(0).standard_normal((32, 3)).astype(np.float32)
    aae.compile()
    aae.fit(x, batch_size=16, verbose=0)
    np.testing.assert_array_equal(aae.prior_sampler.codes(noise), codes)
    saving.save_model(aae, tmp_path / "model.keras")
    np.testing.assert_array_equal(keras_gen.load_model(tmp_path / "model.keras").prior_sampler.codes(noise), codes)
