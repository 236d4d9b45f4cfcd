"""Tests of probabilistic PCA against scikit-learn and against the bounds of a linear VAE."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import CodesContract, ContinuousDensityContract, ModelContract
from sklearn.decomposition import PCA

from keras_gen.latent import VAE, ProbabilisticPCA


def correlated(num, size, seed=0):
    random = np.random.default_rng(seed)
    data = random.normal(size=(num, 2)) @ np.random.default_rng(1).normal(size=(2, size)) + 0.5
    return (data + 0.3 * random.normal(size=(num, size))).astype(np.float32)


class TestContracts(ModelContract, CodesContract, ContinuousDensityContract):
    passes = 2

    def make_model(self, **changes):
        return ProbabilisticPCA(
            **{
                "event_shape": (3, 2),
                "latent_size": 3,
                "min_scale": 0.01,
                "seed": 5,
                "name": "principal",
                **changes,
            }
        )

    def make_data(self):
        return correlated(40, 6).reshape(40, 3, 2)

    def compile(self, model, **arguments):
        model.compile(**arguments)
        return model

    def optimizers(self, model):
        return []

    def make_plane(self):
        model = ProbabilisticPCA((2,), latent_size=1)
        model.compile()
        model.fit(correlated(200, 2), verbose=0)
        return model

    def test_event_shape_is_enough(self, model):
        assert ProbabilisticPCA((3,)).sample(2, seed=0).shape == (2, 3)


@pytest.fixture(scope="module")
def fitted():
    data = correlated(600, 5)
    model = ProbabilisticPCA((5,), latent_size=2)
    model.compile()
    model.fit(data, batch_size=64, validation_data=(data,), verbose=0)
    return model, data


def test_the_fit_is_that_of_scikit_learn(fitted):
    model, data = fitted
    peer = PCA(2).fit(data.astype(np.float64))
    # scikit-learn divides the covariance by one less than the number of rows.
    shrink = 599 / 600
    covariance = (peer.components_.T * (peer.explained_variance_ - peer.noise_variance_)) @ peer.components_
    np.testing.assert_allclose(
        tf.matmul(model.loadings, model.loadings, transpose_b=True), covariance * shrink, atol=1e-4
    )
    np.testing.assert_allclose(model.scale**2, peer.noise_variance_ * shrink, rtol=1e-4)
    np.testing.assert_allclose(model.mean, peer.mean_, atol=1e-5)
    # Up to the same factor, the densities agree.
    np.testing.assert_allclose(model.log_prob(data), peer.score_samples(data), atol=0.02)


def test_no_other_parameters_have_a_greater_likelihood(fitted):
    model, data = fitted
    best = model.log_prob(data).numpy().mean()
    kept = model.deviations.numpy()
    for factor in (0.97, 1.03):
        for changed in (slice(0, 1), slice(1, 2), slice(2, 5)):
            deviations = kept.copy()
            deviations[changed] *= factor
            model.deviations.assign(deviations)
            assert model.log_prob(data).numpy().mean() < best
    model.deviations.assign(kept)


def test_the_posterior_is_that_of_bayes(fitted):
    model, data = fitted
    loadings, scale = model.loadings.numpy().astype(np.float64), float(model.scale)
    covariance = np.linalg.inv(loadings.T @ loadings / scale**2 + np.eye(2))
    mean = (data[:7] - model.mean.numpy()) @ loadings @ covariance / scale**2
    posterior = model.posterior(tf.constant(data[:7]))
    np.testing.assert_allclose(posterior.mean(), mean, atol=1e-4)
    np.testing.assert_allclose(posterior.covariance()[0], covariance, atol=1e-4)
    np.testing.assert_allclose(model.encode(data[:7]), mean, atol=1e-4)
    # log p(x) = log p(x|z) + log p(z) - log p(z|x) at any z.
    z = tf.constant(mean + 0.3, tf.float32)
    noise = (data[:7] - model.decode(z)) / scale
    log_joint = -0.5 * np.sum(noise**2 + np.log(2 * np.pi * scale**2), axis=1)
    log_joint += -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=1)
    np.testing.assert_allclose(log_joint - posterior.log_prob(z), model.log_prob(data[:7]), atol=1e-3)


def test_validation_data_see_the_solution(fitted):
    model, data = fitted
    history = model.fit(data, validation_data=(data,), epochs=1, verbose=0).history
    np.testing.assert_allclose(history["val_nll"], -model.log_prob(data).numpy().mean(), rtol=1e-4)


def test_weight_two_is_the_example_twice():
    data = correlated(60, 5)
    weights = np.random.default_rng(2).integers(0, 4, 60).astype(np.float32)
    models = []
    for x, sample_weight in ((data, weights), (np.repeat(data, weights.astype(int), axis=0), None)):
        models.append(ProbabilisticPCA((5,), latent_size=2))
        models[-1].compile()
        models[-1].fit(x, sample_weight=sample_weight, batch_size=16, verbose=0)
    for weighted, repeated in zip(models[0].statistics(), models[1].statistics(), strict=True):
        np.testing.assert_allclose(weighted, repeated, rtol=1e-12)
    np.testing.assert_allclose(models[0].log_prob(data), models[1].log_prob(data), rtol=1e-5)


def test_an_epoch_without_weight_leaves_the_parameters():
    data = correlated(60, 5)
    model = ProbabilisticPCA((5,), latent_size=2)
    model.compile()
    model.fit(data, verbose=0)
    before = model.log_prob(data).numpy()
    # Arrays would be refused; batches of a data set may hold no example that counts.
    columns = {"x": data, "sample_weight": np.zeros(60, np.float32)}
    model.fit(tf.data.Dataset.from_tensor_slices(columns).batch(60), verbose=0)
    np.testing.assert_array_equal(model.log_prob(data), before)


def test_moments_are_added_up_in_float64():
    """Of data far from the origin, whose squares leave float32 no digit for their variance."""
    data = (1e4 + correlated(600, 5)).astype(np.float32)
    model = ProbabilisticPCA((5,), latent_size=2)
    model.compile()
    model.fit(data, batch_size=64, verbose=0)
    expected = np.linalg.eigvalsh(np.cov(data.T.astype(np.float64), bias=True))[::-1]
    np.testing.assert_allclose(np.square(model.deviations[:2]), expected[:2], rtol=1e-4)
    np.testing.assert_allclose(np.square(model.scale), expected[2:].mean(), rtol=1e-3)


def test_a_linear_vae_comes_near_and_never_above(fitted):
    model, data = fitted
    best = model.log_prob(data).numpy().mean()
    noise = {"name": "normal", "scale": float(model.scale)}
    linear = VAE((5,), latent_size=2, levels=None, hidden_units=(), likelihood=noise, posterior="full_covariance")
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.03, 2000))
    linear.compile(optimizer, jit_compile=True, steps_per_execution=50)
    linear.fit(np.tile(data, (1000, 1)), batch_size=300, verbose=0)
    bound, error = linear.log_prob_bound(data, num_samples=500, seed=0)
    assert best - 0.02 < bound.numpy().mean() < best + 3 * error.numpy().mean()


def test_the_code_must_be_smaller():
    with pytest.raises(ValueError, match="`latent_size` must be less than the 3 entries of an example, received 3"):
        ProbabilisticPCA((3,), latent_size=3)
