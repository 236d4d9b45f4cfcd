"""Tests of autoencoders against principal components and the posterior mean of a Gaussian."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import CodesContract, TrainingContract, randomise, values
from scipy import stats

from keras_gen.core import Step
from keras_gen.latent import Autoencoder, DenoisingAutoencoder

ARGUMENTS = {
    "event_shape": (5, 4, 2),
    "latent_size": 3,
    "levels": 6,
    "hidden_units": (7,),
    "filters": (4, 6),
    "activation": "elu",
    "likelihood": "categorical",
    "seed": 5,
    "name": "convolutional",
}


class TestDenoisingAutoencoder(TrainingContract, CodesContract):
    """Every argument of both models away from its default."""

    argument_bases = (Autoencoder,)

    def outputs(self, model, seed):
        x = np.random.default_rng(seed).integers(0, 6, (3, 5, 4, 2))
        return model.reconstruct(x)

    def make_data(self):
        random = np.random.default_rng(0)
        return np.broadcast_to(random.integers(0, 6, (40, 1, 1, 1)), (40, 5, 4, 2)).copy()

    def make_model(self, **changes):
        return DenoisingAutoencoder(**{**ARGUMENTS, "corruption": {"name": "salt_and_pepper", "rate": 0.1}, **changes})


def correlated(num, seed):
    """Draws from a normal distribution over five entries, and returns its mean and covariance."""
    factor = np.random.default_rng(7).standard_normal((5, 5)) * [1.5, 1.2, 0.5, 0.3, 0.2]
    mean = np.array([0.5, -1.0, 0.0, 2.0, 0.3])
    x = mean + np.random.default_rng(seed).standard_normal((num, 5)) @ factor.T
    return x.astype(np.float32), mean, factor @ factor.T


def fitted(model, x, rate, batch_size, steps=800):
    """Trains in one epoch: for so small a model, what Keras does between epochs takes longer than the steps."""
    batches = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x), seed=0).repeat().batch(batch_size)
    rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(rate), jit_compile=True, steps_per_execution=50)
    model.fit(batches, steps_per_epoch=steps, verbose=0)
    return model


def test_affine_networks_find_the_principal_subspace():
    x, _, _ = correlated(2000, seed=0)
    model = fitted(Autoencoder((5,), 2, levels=None, hidden_units=(), standardize=False), x, rate=0.05, batch_size=250)
    eigenvalues, eigenvectors = np.linalg.eigh(np.cov(x.T, bias=True))
    least = eigenvalues[:3].sum() / 5
    error = np.mean((model.reconstruct(x) - x) ** 2)
    assert least * (1 - 1e-4) < error < 1.01 * least
    basis, _ = np.linalg.qr((model.decode(np.eye(2)) - model.decode(np.zeros((2, 2)))).numpy().T)
    cosines = np.linalg.svd(basis.T @ eigenvectors[:, 3:])[1]
    assert cosines.min() > 0.999
    logs = model.evaluate(x, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["mean_squared_error"], error, rtol=1e-4)
    np.testing.assert_allclose(logs["loss"], 5 * (error + np.log(2 * np.pi)) / 2, rtol=1e-4)


def test_the_denoiser_reaches_the_error_of_the_posterior_mean():
    x, mean, covariance = correlated(20_000, seed=1)
    corruption = {"name": "gaussian", "scale": 0.8}
    model = DenoisingAutoencoder((5,), 5, levels=None, hidden_units=(), corruption=corruption, standardize=False)
    model = fitted(model, x, rate=0.02, batch_size=500)
    gain = covariance @ np.linalg.inv(covariance + 0.64 * np.eye(5))
    least = np.trace(covariance - gain @ covariance) / 5

    x, _, _ = correlated(20_000, seed=2)
    noisy = x + 0.8 * np.random.default_rng(3).standard_normal(x.shape)
    denoised = model.denoise(noisy)
    error = np.mean((denoised - x) ** 2)
    assert 0.98 * least < error < 1.03 * least
    assert least < 0.8 * 0.64
    best = mean + (noisy - mean) @ gain.T
    assert np.mean((denoised - best) ** 2) < 0.02 * least
    # The logged error is that of corrupted examples.
    logged = model.evaluate(x, batch_size=20_000, verbose=0, return_dict=True)["mean_squared_error"]
    np.testing.assert_allclose(logged, error, rtol=0.03)


@pytest.mark.parametrize(("levels", "filters"), [(2, ()), (5, (3,)), (None, ())])
def test_weight_two_is_the_example_twice(levels, filters):
    """In loss, gradient and figures, as the loss draws nothing."""
    x = np.random.default_rng(0).integers(0, levels or 3, (4, 3, 3, 1)).astype(np.float32)
    found = []
    for rows, weights in (([0, 1, 2, 3], [2.0, 1.0, 0.0, 3.0]), ([0, 0, 1, 3, 3, 3], None)):
        model = Autoencoder((3, 3, 1), 2, levels, hidden_units=(4,), filters=filters)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        weights = None if weights is None else np.array(weights)
        logs = model.evaluate(x[rows], sample_weight=weights, verbose=0, return_dict=True)
        model.fit(x[rows], sample_weight=weights, epochs=2, verbose=0)
        found.append([*logs.values(), *values(model.weights)])
    for weighted, repeated in zip(*found, strict=True):
        np.testing.assert_allclose(weighted, repeated, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("levels", "likelihood"), [(2, None), (5, None), (5, "categorical"), (5, "discretized_logistic"), (None, None)]
)
def test_the_loss_is_the_negative_log_likelihood(levels, likelihood):
    model = randomise(Autoencoder((4,), 2, levels, hidden_units=(3,), likelihood=likelihood), scale=1.0)
    x = np.random.default_rng(0).integers(0, levels or 9, (6, 4)).astype(np.float32)
    parameters = model.parameters(model.encode(x)).numpy().astype(np.float64)
    mean = model.reconstruct(x).numpy()
    if levels == 2:
        share = 1 / (1 + np.exp(-parameters[..., 0]))
        expected = -np.log(np.where(x == 1, share, 1 - share)).sum(axis=1)
        np.testing.assert_allclose(mean, share, rtol=1e-5)
    elif likelihood is None:
        unit = 1.0 if levels is None else levels - 1.0
        expected = 0.5 * np.sum((x / unit - parameters[..., 0]) ** 2 + np.log(2 * np.pi), axis=1)
        limits = (-np.inf, np.inf) if levels is None else (0, unit)
        np.testing.assert_allclose(mean, np.clip(unit * parameters[..., 0], *limits), rtol=1e-5)
    else:
        masses = [
            np.exp(model.conditional.log_prob(tf.constant(parameters, tf.float32), tf.fill((6, 4), float(level))))
            for level in range(levels)
        ]
        np.testing.assert_allclose(np.sum(masses, axis=0), 1.0, atol=1e-5)
        expected = -np.log(np.choose(x.astype(int), masses)).sum(axis=1)
    terms = model.loss_terms({"x": tf.constant(x)}, Step(tf.constant([0, 0]), training=True))
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-4)
    squares = np.square((x - mean) / (1.0 if levels is None else levels - 1.0)).mean(axis=1)
    np.testing.assert_allclose(terms["mean_squared_error"], squares, rtol=1e-4)


def test_coarsening_gives_squares_their_mean():
    x = np.random.default_rng(0).integers(0, 17, (5, 4, 6, 2))
    model = DenoisingAutoencoder((4, 6, 2), levels=17, corruption={"name": "coarsening", "factor": 2})
    seen = model.corrupted(tf.constant(x, tf.float32), tf.constant([0, 0])).numpy()
    means = x.reshape(5, 2, 2, 3, 2, 2).mean(axis=(2, 4), keepdims=True)
    np.testing.assert_array_equal(seen.reshape(5, 2, 2, 3, 2, 2), np.broadcast_to(np.round(means), (5, 2, 2, 3, 2, 2)))
    with pytest.raises(ValueError, match="both multiples of 4, to be coarsened; received"):
        DenoisingAutoencoder((4, 6, 2), levels=17, corruption={"name": "coarsening", "factor": 4}).corrupted(
            tf.zeros((1, 4, 6, 2)), tf.constant([0, 0])
        )


@pytest.mark.parametrize(
    ("corruption", "levels"),
    [
        ("gaussian", None),
        ({"name": "gaussian", "scale": 0.4}, 11),
        ({"name": "masking", "rate": 0.25}, 11),
        ({"name": "salt_and_pepper", "rate": 0.25}, 11),
    ],
)
def test_corruptions_follow_their_distribution(corruption, levels):
    model = DenoisingAutoencoder((50,), levels=levels, corruption=corruption)
    x = tf.fill((2000, 50), 5.0)
    seen = model.corrupted(x, tf.constant([0, 1])).numpy()
    np.testing.assert_array_equal(seen, model.corrupted(x, tf.constant([0, 1])))
    assert np.any(seen != model.corrupted(x, tf.constant([0, 2])))
    assert np.all(model.event_space.contains(tf.constant(seen)))
    if levels is None:
        np.testing.assert_allclose([seen.mean(), seen.std()], [5.0, 0.3], atol=0.005)
    elif "scale" in corruption:
        assert abs(seen.mean() - 5.0) < 0.05
        # The lowest level takes all that is more than 4.5 below, of a deviation of 4.
        np.testing.assert_allclose(np.mean(seen == 0), stats.norm.cdf(-4.5 / 4), atol=0.005)
    else:
        shares = {level: np.mean(seen == level) for level in (0, 5, 10)}
        both = corruption["name"] == "salt_and_pepper"
        expected = {0: 0.125, 5: 0.75, 10: 0.125} if both else {0: 0.25, 5: 0.75, 10: 0.0}
        np.testing.assert_allclose(list(shares.values()), list(expected.values()), atol=0.005)


def test_a_classifier_starts_from_the_encoder_and_leaves_it_alone():
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 300)
    x = (random.standard_normal((300, 6)) + 2.0 * np.eye(6)[y]).astype(np.float32)
    model = Autoencoder((6,), 4, levels=None, hidden_units=(8,))
    before = values(model.weights)
    for frozen in (True, False):
        classifier = model.classifier(3, frozen=frozen)
        _, _, encoder, *_ = classifier.layers
        np.testing.assert_allclose(encoder(x), model.encode(x), rtol=1e-5, atol=1e-6)
        classifier.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
        loss, _ = classifier.evaluate(x, y, verbose=0)
        classifier.fit(np.tile(x, (20, 1)), np.tile(y, 20), verbose=0)
        after, accuracy = classifier.evaluate(x, y, verbose=0)
        assert after < 0.8 * loss
        assert accuracy > 0.6
        np.testing.assert_allclose(np.sum(classifier.predict(x, verbose=0), axis=1), 1.0, rtol=1e-5)
        assert (np.abs(encoder(x) - model.encode(x)).max() < 1e-5) == frozen
    for weight, value in zip(values(model.weights), before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_verbs():
    model = DenoisingAutoencoder((3, 3, 1), levels=4)
    x = np.random.default_rng(0).integers(0, 4, (5, 3, 3, 1))
    np.testing.assert_array_equal(model.denoise(x), model.decode(model.encode(x)))
    np.testing.assert_allclose(model.predict(x, verbose=0), model.reconstruct(x), rtol=1e-5, atol=1e-5)
    assert list(model.signatures()) == ["denoise", "reconstruct", "encode", "decode"]
    seen = model.corrupted(tf.constant(x, tf.float32), tf.constant([0, 3]))
    rows = model.preview({"x": x}, seed=3)
    assert list(rows) == ["input", "output", "target"]
    assert {space for space, _ in rows.values()} == {model.event_space}
    for (_, row), expected in zip(rows.values(), (seen, model.reconstruct(seen), x), strict=True):
        np.testing.assert_array_equal(row, expected)
    rows = Autoencoder((3, 3, 1), levels=4).preview({"x": x}, seed=3)
    assert list(rows) == ["input", "output"]


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: Autoencoder((4,), 0), ValueError, "`latent_size` must be at least 1, received 0"),
        (lambda: Autoencoder((4,), likelihood="normal"), ValueError, "`likelihood` 'normal' does not suit entries"),
        (
            lambda: Autoencoder((4,), filters=(2,)),
            ValueError,
            r"`event_shape` must be \(height, width, channels\) with",
        ),
        (lambda: Autoencoder((4,)).decode(np.zeros((1, 4))), ValueError, r"`z` must have shape \(batch, 32\)"),
        (lambda: Autoencoder((4,)).encode(np.full((1, 4), 2)), ValueError, "`x` holds the value 2; expected whole"),
        (lambda: Autoencoder((4,)).classifier(0), ValueError, "`num_classes` must be at least 1, received 0"),
        (
            lambda: DenoisingAutoencoder((4,), corruption="noise"),
            ValueError,
            "`corruption` 'noise' is unknown; expected one of gaussian, masking, salt_and_pepper",
        ),
        (
            lambda: DenoisingAutoencoder((4,), corruption={"name": "masking", "rate": 1.0}),
            ValueError,
            "`rate` must be at least 0 and less than 1, received 1.0",
        ),
        (
            lambda: DenoisingAutoencoder((4,), corruption={"name": "gaussian", "scale": 0.0}),
            ValueError,
            "`scale` must be greater than 0, received 0.0",
        ),
        (
            lambda: DenoisingAutoencoder((4,), levels=None, corruption="salt_and_pepper"),
            ValueError,
            "`corruption` 'salt_and_pepper' needs levels; received real numbers",
        ),
        (lambda: DenoisingAutoencoder((4,)).denoise(np.full((1, 4), 0.5)), ValueError, "`x` holds the value 0.5; exp"),
    ],
)
def test_mistakes_get_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
