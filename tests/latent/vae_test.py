"""Tests of the VAE against models whose evidence is known."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import CodesContract, EstimatesContract, ModelContract
from linear_gaussian import LinearGaussian, X, inverse_softplus

from keras_gen import export
from keras_gen.core import Step, estimates
from keras_gen.latent import VAE, posteriors
from keras_gen.latent.base import LatentVariableModel

tfd = tfp.distributions


class TestConvolutionalOverLevels(ModelContract, EstimatesContract, CodesContract):
    """Every argument away from its default."""

    argument_bases = (LatentVariableModel,)

    def make_model(self, **changes):
        return VAE(
            **{
                "event_shape": (5, 3, 2),
                "latent_size": 3,
                "levels": 6,
                "hidden_units": (7,),
                "filters": (4, 6),
                "likelihood": "categorical",
                "prior": {"name": "gaussian_mixture", "num_components": 3},
                "posterior": {"name": "planar_flow", "num_flows": 2},
                "estimator": "sampled",
                "beta": 0.8,
                "warm_up_steps": 3,
                "free_nats": 0.01,
                "activation": "elu",
                "seed": 5,
                "name": "convolutional",
                **changes,
            }
        )

    def make_data(self):
        random = np.random.default_rng(0)
        return np.broadcast_to(random.integers(0, 6, (40, 1, 1, 1)), (40, 5, 3, 2)).copy()

    def make_known(self):
        case = LinearGaussian(exact_posterior=False)
        return case.model, X, case.evidence(X)


def elbo(model, x, seed=0):
    terms = model.loss_terms({"x": tf.constant(x)}, Step(tf.constant([0, seed]), training=True))
    return {name: value.numpy() for name, value in terms.items()}


def numpy_bound(model, x, num_samples, seed):
    return [value.numpy() for value in model.log_prob_bound(x, num_samples=num_samples, seed=seed)]


def test_every_bound_is_the_evidence_when_the_posterior_is_exact(monkeypatch):
    case = LinearGaussian(exact_posterior=True)
    evidence = case.evidence(X)
    # Every importance weight is p(x): one sample is enough, and any sample counted too often would show.
    monkeypatch.setattr(estimates, "ROWS_AT_ONCE", 9)
    for num_samples in (1, 2, 3, 7):
        bound, standard_error = numpy_bound(case.model, X, num_samples, seed=0)
        np.testing.assert_allclose(bound, evidence, atol=1e-4)
        if num_samples > 1:
            np.testing.assert_allclose(standard_error, 0.0, atol=2e-3)
        else:
            assert np.isnan(standard_error).all()
    case.model.estimator = "sampled"
    np.testing.assert_allclose(elbo(case.model, X)["elbo"], evidence, atol=1e-4)


def test_bounds_grow_from_the_elbo_to_the_evidence():
    case = LinearGaussian(exact_posterior=False)
    evidence = case.evidence(X)
    rows = 4000
    tiled = np.repeat(X, rows, axis=0)
    means, errors = [], []
    for values in (
        elbo(case.model, tiled)["elbo"],
        *(numpy_bound(case.model, tiled, num_samples, seed=1)[0] for num_samples in (3, 30)),
    ):
        values = values.reshape(len(X), rows)
        means.append(values.mean(axis=1))
        errors.append(values.std(axis=1) / math.sqrt(rows))
    assert (means[0] + 4 * errors[0] < means[1] - 4 * errors[1]).all()
    assert (means[1] + 4 * errors[1] < means[2] - 4 * errors[2]).all()
    assert (means[2] < evidence + 4 * errors[2]).all()
    # The gap between evidence and ELBO is KL(q(z|x) || p(z|x)), in closed form by the exact model's posterior.
    exact = LinearGaussian(exact_posterior=True).model.posterior_distribution(X)
    gap = tfd.kl_divergence(case.model.posterior_distribution(X), exact).numpy()
    np.testing.assert_array_less(np.abs(evidence - means[0] - gap), 5 * errors[0] + 1e-4)

    bound, standard_error = numpy_bound(case.model, X, 20_000, seed=2)
    np.testing.assert_array_less(np.abs(bound - evidence), 5 * standard_error + 1e-4)
    assert (standard_error < 0.02).all()


def test_standard_error_is_the_deviation_of_repeated_estimates():
    model = LinearGaussian(exact_posterior=False).model
    bound, standard_error = numpy_bound(model, np.repeat(X[1:2], 3000, axis=0), 200, seed=0)
    np.testing.assert_allclose(np.std(bound), np.sqrt(np.mean(np.square(standard_error))), rtol=0.1)


def tiny_binary_model(**arguments):
    model = VAE((2, 2, 1), latent_size=2, hidden_units=(5,), activation="relu", **arguments)
    random = np.random.default_rng(3)
    # Larger weights than initial ones: entries must depend on each other through z.
    model.decoder.set_weights([random.normal(scale=1.5, size=w.shape) for w in model.decoder.get_weights()])
    # A posterior wider than the true one keeps the importance weights bounded.
    model.encoder.trainable_variables[-1].assign(np.concatenate([[0.3, -0.2], inverse_softplus([1.2, 1.3])]))
    return model


def every_point(size, levels=2):
    return np.array(list(itertools.product(range(levels), repeat=size)), np.float32)


def masses_by_quadrature(model, points):
    """Integrates p(x|z) p(z) over a grid of a two-dimensional z."""
    axis = np.linspace(-7.0, 7.0, 281)
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 1, 2).astype(np.float32)
    log_joint = model.log_likelihood(points, tf.constant(z)) + model.prior_distribution().log_prob(z)
    return tf.reduce_sum(tf.exp(log_joint), axis=0).numpy() * (axis[1] - axis[0]) ** 2


@pytest.fixture(scope="module")
def binary():
    model = tiny_binary_model()
    points = every_point(4).reshape(-1, 2, 2, 1)
    return model, points, masses_by_quadrature(model, points)


def test_masses_of_all_points_sum_to_one(binary):
    model, points, masses = binary
    np.testing.assert_allclose(masses.sum(), 1.0, atol=1e-4)
    marginals = np.tensordot(masses, points, 1)
    independent = np.prod(np.where(points > 0, marginals, 1 - marginals), axis=(1, 2, 3))
    assert np.abs(masses - independent).max() > 0.01
    bound, standard_error = numpy_bound(model, points, 20_000, seed=0)
    np.testing.assert_array_less(np.abs(bound - np.log(masses)), 5 * standard_error + 1e-3)


def test_samples_follow_the_masses(binary):
    model, _, masses = binary
    samples = model.sample(20_000, seed=5).numpy().reshape(-1, 4)
    found = np.bincount((samples @ [8, 4, 2, 1]).astype(int), minlength=16)
    expected = 20_000 * masses / masses.sum()
    chi_square = np.sum((found - expected) ** 2 / expected)
    assert chi_square < tfd.Chi2(15.0).quantile(0.9999)


def test_both_estimators_have_one_mean_and_the_analytic_one_less_variance(binary):
    x = np.repeat(binary[1][6:7], 20_000, axis=0)
    analytic, sampled = (elbo(tiny_binary_model(estimator=name), x) for name in ("analytic", "sampled"))
    np.testing.assert_allclose(sampled["kl"].mean(), analytic["kl"][0], atol=5 * sampled["kl"].std() / 20_000**0.5)
    deviation = (sampled["elbo"] - analytic["elbo"]).std() / 20_000**0.5
    np.testing.assert_allclose(sampled["elbo"].mean(), analytic["elbo"].mean(), atol=5 * deviation)
    assert deviation > 0
    assert analytic["elbo"].var() < 0.9 * sampled["elbo"].var()


def test_terms_add_up(binary):
    terms = elbo(binary[0], binary[1])
    np.testing.assert_allclose(terms["reconstruction"] - terms["kl"], terms["elbo"], rtol=1e-6)
    np.testing.assert_allclose(-terms["elbo"], terms["loss"])
    np.testing.assert_allclose(-terms["elbo"] / 4 / np.log(2), terms["bits_per_dim"], rtol=1e-6)


def test_a_decoder_that_ignores_z_pulls_the_posterior_to_the_prior():
    model = VAE((4,), latent_size=2, hidden_units=())
    model.decoder.set_weights([np.zeros((2, 4)), np.zeros(4)])
    _, bias = model.encoder.trainable_variables
    mean, scale = np.array([0.4, -1.5]), np.array([0.5, 2.0])
    model.encoder.set_weights([np.zeros((4, 4)), np.concatenate([mean, inverse_softplus(scale)])])
    with tf.GradientTape() as tape:
        terms = model.loss_terms({"x": tf.ones((1, 4))}, Step(tf.constant([0, 0]), training=True))
        loss = tf.reduce_mean(terms["loss"])
    gradient = tape.gradient(loss, bias).numpy()
    # KL = Σ (μ² + σ² - 1) / 2 - log σ, and σ is a softplus of the output.
    slope = 1.0 - np.exp(-(scale - posteriors.MIN_SCALE))
    np.testing.assert_allclose(terms["kl"][0], np.sum((mean**2 + scale**2 - 1) / 2 - np.log(scale)), rtol=1e-5)
    np.testing.assert_allclose(gradient, np.concatenate([mean, (scale - 1 / scale) * slope]), rtol=1e-4)

    model.compile(keras.optimizers.Adam(0.05))
    model.decoder.trainable = False
    model.fit(np.tile(every_point(4), (200, 1)), batch_size=16, verbose=0)
    assert model.evaluate(every_point(4), verbose=0, return_dict=True)["kl"] < 1e-3


def test_the_loss_weighs_and_forgives_the_divergence(binary):
    model, points, _ = binary
    plain = elbo(model, points)
    weighed = elbo(tiny_binary_model(beta=2.5), points)
    np.testing.assert_allclose(weighed["elbo"], plain["elbo"], rtol=1e-6)
    np.testing.assert_allclose(weighed["loss"], -plain["reconstruction"] + 2.5 * plain["kl"], rtol=1e-5)
    mean = plain["kl"].mean()
    below = elbo(tiny_binary_model(free_nats=float(mean) + 0.1), points)
    np.testing.assert_allclose(below["loss"].mean(), -plain["reconstruction"].mean() + mean + 0.1, rtol=1e-5)
    above = elbo(tiny_binary_model(free_nats=float(mean) - 0.1), points)
    np.testing.assert_allclose(above["loss"], plain["loss"], rtol=1e-5)

    warming = tiny_binary_model(warm_up_steps=4)
    warming.compile(keras.optimizers.SGD(0.0))
    for weight in (0.25, 0.5, 0.75, 1.0, 1.0):
        logs = warming.train_on_batch(points, return_dict=True)
        np.testing.assert_allclose(logs["loss"], -logs["reconstruction"] + weight * logs["kl"], rtol=1e-5)
        np.testing.assert_allclose(logs["kl"], mean, rtol=1e-5)
        warming.reset_metrics()
    evaluated = warming.evaluate(points, verbose=0, return_dict=True)
    np.testing.assert_allclose(evaluated["loss"], -evaluated["reconstruction"] + mean, rtol=1e-5)


def test_imputation_is_gibbs_sampling():
    # With the exact posterior the missing entry follows its normal distribution given the others.
    model = LinearGaussian(exact_posterior=True).model
    marginal = LinearGaussian(exact_posterior=True).marginal
    x = np.repeat(X[1:2], 20_000, axis=0)
    imputed = model.impute(x, np.array([0, 0, 1]), num_steps=30, seed=0).numpy()
    np.testing.assert_array_equal(imputed[:, :2], x[:, :2])
    mean, covariance = marginal.mean().numpy(), marginal.covariance().numpy()
    gain = np.linalg.solve(covariance[:2, :2], covariance[:2, 2])
    expected = mean[2] + gain @ (X[1, :2] - mean[:2])
    deviation = np.sqrt(covariance[2, 2] - gain @ covariance[:2, 2])
    assert abs(imputed[:, 2].mean() - expected) < 5 * deviation / math.sqrt(20_000)
    np.testing.assert_allclose(imputed[:, 2].std(), deviation, rtol=0.03)


@pytest.mark.parametrize("levels", [3, 5, 256])
def test_masses_of_the_levels_sum_to_one_and_gradients_stay_finite(levels):
    model = VAE((35,), latent_size=1, levels=levels, hidden_units=())
    half = (levels - 1) / 2
    # Locations inside, at and far beyond the range; scales from the least one to several ranges.
    cases = list(itertools.product((-30.0, -1.0, -0.4, 0.0, 0.37, 1.0, 40.0), (-30.0, -4.0, -1.0, 2.0, 10.0)))
    model.decoder.set_weights([np.zeros((1, 70)), np.array(cases).reshape(70)])
    location, scale = model.conditional.split(model.likelihood_parameters(tf.zeros((1, 1))))
    np.testing.assert_allclose(location[0], [half * (1 + case[0]) for case in cases], rtol=1e-6)
    assert scale.numpy().min() == pytest.approx(half * posteriors.MIN_SCALE)

    x = tf.repeat(tf.range(float(levels))[:, tf.newaxis], 35, axis=1)
    with tf.GradientTape() as tape:
        log_masses = model.conditional.log_prob(model.likelihood_parameters(tf.zeros((1, 1))), x)
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(log_masses), axis=0), 1.0, atol=1e-5)
    assert np.isfinite(log_masses).all()
    assert np.isfinite(tape.gradient(log_masses, model.decoder.trainable_variables[1])).all()

    # A grid of uniform numbers in place of random ones: each level is drawn as often as its mass says.
    count = 2000
    uniform = np.repeat((np.arange(count)[:, np.newaxis] + 0.5) / count, 35, axis=1).astype(np.float32)
    samples = model.generate({"z": tf.zeros((count, 1)), "uniform": tf.constant(uniform)}).numpy()
    found = np.stack([(samples == level).mean(axis=0) for level in range(levels)])
    np.testing.assert_allclose(found, np.exp(log_masses), atol=1.01 / count)
    # The mean before rounding is at most half a level from the mean of the whole levels.
    mean = np.arange(levels) @ np.exp(log_masses)
    np.testing.assert_array_less(np.abs(model.decode(np.zeros((1, 1)))[0] - mean), 0.5)
    wide = np.array([case[1] >= 2.0 for case in cases])
    np.testing.assert_allclose(model.decode(np.zeros((1, 1)))[0][wide], mean[wide], atol=0.02 * half)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (5, 9, 3), (1, 6, 2)])
def test_convolutional_networks_reach_every_entry_of_any_size(shape):
    model = VAE(shape, latent_size=3, levels=256, filters=(3, 4, 5), hidden_units=(6,), activation="elu")
    with tf.GradientTape(persistent=True) as tape:
        z = tf.random.stateless_normal((4, 3), (0, 0))
        tape.watch(z)
        location, scale = model.conditional.split(model.likelihood_parameters(z))
    assert location.shape == scale.shape == (4, *shape)
    assert (np.ptp(location, axis=0) > 0).all()
    assert (np.ptp(scale, axis=0) > 0).all()
    x = tf.constant(np.random.default_rng(0).integers(256, size=(2, *shape)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        mean = model.posterior_distribution(x).mean()
    assert (tape.gradient(mean, x).numpy() != 0).all()


def test_training_stores_the_data_in_the_code():
    patterns = np.array([[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0]], np.float32)
    model = VAE((8,), latent_size=1, hidden_units=(8,))
    model.compile(keras.optimizers.Adam(0.02))
    model.fit(np.tile(patterns, (32 * 300, 1)), batch_size=64, verbose=0)
    # One bit is the entropy of the data: -0.69 nats at best, -5.5 for independent entries.
    bound, _ = numpy_bound(model, patterns, 1000, seed=0)
    assert (bound > -1.5).all()
    assert np.exp(bound).sum() < 1.01
    np.testing.assert_array_equal(np.round(model.reconstruct(patterns)), patterns)
    assert np.ptp(model.encode(patterns)) > 1


def test_mixed_precision_keeps_densities_in_float32():
    full = VAE((6,), latent_size=2, hidden_units=(5,))
    mixed = VAE((6,), latent_size=2, hidden_units=(5,), dtype="mixed_bfloat16")
    x = every_point(6)
    for name, value in elbo(mixed, x).items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, elbo(full, x)[name], rtol=0.05, atol=0.05)
    assert mixed.sample(3, seed=0).dtype == mixed.reconstruct(x).dtype == tf.float32
    # Keras would round what it passes to `call` to 16 bits.
    reals = VAE((2,), latent_size=1, levels=None, dtype="mixed_bfloat16")
    reals.call = lambda x: x
    np.testing.assert_array_equal(reals(np.array([[1.001, 300.7]], np.float32)), np.array([[1.001, 300.7]], np.float32))


def test_bounds_follow_the_seed(binary):
    model, points, _ = binary
    first, again, other = (numpy_bound(model, points, 50, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    assert (numpy_bound(model, points, 50, seed=None)[0] != numpy_bound(model, points, 50, seed=None)[0]).all()


def test_signatures_are_the_verbs(binary):
    model, points, _ = binary
    signatures = model.signatures()
    assert {"sample", "generate", "encode", "decode", "reconstruct", "log_prob_bound"} == set(signatures)
    x = tf.constant(points)
    served = signatures["log_prob_bound"].function(x=x, num_samples=tf.constant(40), seed=tf.constant(3))
    bound, standard_error = numpy_bound(model, points, 40, seed=3)
    np.testing.assert_allclose(served["log_prob_bound"], bound, atol=1e-5)
    np.testing.assert_allclose(served["standard_error"], standard_error, atol=1e-5)
    assert not signatures["log_prob_bound"].deterministic
    z = signatures["encode"].function(x=x)["z"]
    reconstruction = signatures["reconstruct"].function(x=x)["x"]
    np.testing.assert_array_equal(signatures["decode"].function(z=z)["x"], reconstruction)
    np.testing.assert_allclose(model.predict(points, verbose=0), reconstruction, atol=1e-6)


@pytest.mark.parametrize("levels", [2, None])
def test_litert_agrees_with_the_other_likelihoods(levels, tmp_path):
    model = VAE((6,), latent_size=2, levels=levels, hidden_units=(5,))
    report = export.litert(model, tmp_path / "model.tflite")
    assert set(report) == {"generate", "encode", "decode", "reconstruct"}


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda m: VAE((4,), latent_size=0), ValueError, "`latent_size` must be at least 1, received 0."),
        (
            lambda m: VAE((4,), hidden_units=8),
            TypeError,
            "`hidden_units` must be a tuple of whole numbers, received 8.",
        ),
        (
            lambda m: VAE((4,), filters=(8,)),
            ValueError,
            r"`event_shape` must be \(height, width, channels\) with `filters`, received \(4,\).",
        ),
        (lambda m: VAE((4,), prior="vamprior"), ValueError, "`prior` 'vamprior' is unknown; did you mean vamp_prior"),
        (lambda m: VAE((4,), prior=3), TypeError, '`prior` must be a name or a dict with the key "name", received 3.'),
        (
            lambda m: VAE((4,), prior={"name": "laplace", "sale": 2.0}),
            ValueError,
            r"`prior\['laplace'\]` 'sale' is unknown; did you mean scale",
        ),
        (lambda m: VAE((4,), likelihood="normal"), ValueError, "`likelihood` 'normal' does not suit entries with 2 le"),
        (lambda m: VAE((4,), beta=-1), ValueError, "`beta` must be at least 0, received -1."),
        (lambda m: m.impute(np.zeros((1, 2, 2, 1)), 1, num_steps=0), ValueError, "`num_steps` must be at least 1, rec"),
        (lambda m: VAE((4,), estimator="analytical"), ValueError, "`estimator` 'analytical' is unknown; did you mean"),
        (lambda m: m.log_prob_bound(np.full((1, 2, 2, 1), 0.5)), ValueError, "`x` holds the value 0.5; expected whole"),
        (
            lambda m: m.log_prob_bound(np.zeros((1, 2, 2, 1)), None, 0),
            ValueError,
            "`num_samples` must be at least 1, rec",
        ),
        (
            lambda m: m.encode(np.zeros((1, 4))),
            ValueError,
            r"`x` must have shape \(batch, 2, 2, 1\), received \(1, 4\)",
        ),
        (lambda m: m.reconstruct(np.full((1, 2, 2, 1), np.nan)), ValueError, "`x` holds the value nan; expected whole"),
        (lambda m: m.decode(np.zeros((3, 5))), ValueError, r"`z` must have shape \(batch, 2\), received \(3, 5\)"),
        (lambda m: m.decode(np.full((3, 2), np.inf)), ValueError, "`z` holds the value inf; expected finite real"),
    ],
)
def test_mistakes_get_one_sentence(binary, call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(binary[0])
