"""Tests of RNADE: its mixtures, and the gradient that training follows."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, ContinuousDensityContract, ModelContract, randomise
from contracts.sample_weight import terms_of
from scipy import special, stats

from keras_gen.autoregressive import RNADE


class TestLaplace(ModelContract, ContinuousDensityContract, AutoregressiveContract):
    def make_model(self, **changes):
        return RNADE(
            **{
                "event_shape": (2, 3),
                "hidden_units": 20,
                "num_components": 3,
                "component": "laplace",
                "activation": "tanh",
                "seed": 5,
                "name": "mixtures",
                **changes,
            }
        )

    def make_data(self):
        random = np.random.default_rng(0)
        first = random.standard_normal((40, 2, 1))
        return np.concatenate([first, np.abs(first), first + 0.1 * random.standard_normal((40, 2, 1))], axis=2)

    def make_plane(self):
        return self.make_model(event_shape=(2,))


class TestGaussian(ContinuousDensityContract, AutoregressiveContract):
    def make_model(self):
        return RNADE((5,), hidden_units=20, num_components=4)

    def make_plane(self):
        return randomise(RNADE((2,), hidden_units=20, num_components=4))


@pytest.mark.parametrize(("component", "family"), [("gaussian", stats.norm), ("laplace", stats.laplace)])
def test_each_conditional_is_a_mixture(component, family):
    model = randomise(RNADE((3,), hidden_units=7, num_components=2, component=component))
    w, c, rho, v, b = (weight.numpy() for weight in model.trainable_weights)
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    log_prob = 0.0
    for entry in range(3):
        h = np.maximum(0.0, rho[entry] * (c + x[:, :entry] @ w[:entry]))
        logits, locations, scales = np.split(h @ v[entry] + b[entry], 3, axis=-1)
        components = family.logpdf(x[:, entry, np.newaxis], locations, 1e-3 + np.exp(scales))
        log_prob += special.logsumexp(special.log_softmax(logits, axis=-1) + components, axis=-1)
    np.testing.assert_allclose(model.log_prob(x), log_prob, rtol=1e-5)


def test_training_starts_from_nearly_independent_entries():
    """As in the authors' code, W and V have a deviation of 0.01 and ρ is 1: nothing has been seen of dependences."""
    model = RNADE((20,), hidden_units=50, num_components=4)
    for weight in (model.kernel, model.output_kernel):
        np.testing.assert_allclose(weight.numpy().std(), 0.01, rtol=0.1)
        np.testing.assert_allclose(weight.numpy().mean(), 0.0, atol=0.002)
    np.testing.assert_array_equal(model.factors, np.ones(20))
    x = np.random.default_rng(0).standard_normal((50, 20))
    # Four components at quantiles of the normal distribution, for every entry whatever came before it.
    quantiles = stats.norm.ppf((np.arange(4) + 0.5) / 4)
    expected = np.log(stats.norm.pdf(x[..., np.newaxis], quantiles, 1.001).mean(axis=-1)).sum(axis=-1)
    np.testing.assert_allclose(model.log_prob(x), expected, atol=0.02)


def test_training_multiplies_the_gradients_of_locations_by_their_scales():
    model = randomise(RNADE((1,), hidden_units=3, num_components=4))
    x = np.array([[0.3], [-1.2]], np.float32)
    gradients = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            losses, _ = terms_of(model, {"x": x}, 1, training=training)["loss"]
            loss = tf.reduce_mean(losses)
        # Nothing comes before the first entry: its parameters are the same for all examples.
        gradients.append(np.split(tape.gradient(loss, model.output_bias.value).numpy()[0], 3))
        np.testing.assert_allclose(losses, -model.log_prob(x), rtol=1e-6)
    scales = model.conditional.split(model.parameters(tf.constant(x)))[2].numpy()[0, 0]
    (logits, locations, before_exp), trained = gradients
    assert np.ptp(scales) > 0.1
    for expected, found in zip((logits, scales * locations, before_exp), trained, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_components_of_the_first_entry_become_different():
    """Two narrow clusters far apart: the best single Gaussian has a negative log-likelihood of 1.42."""
    x = np.tile([[-1.0], [1.0]], (50, 1)) + 0.05 * np.random.default_rng(0).standard_normal((100, 1))
    model = RNADE((1,), hidden_units=2, num_components=2)
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(tf.data.Dataset.from_tensors(x).repeat(150), verbose=0)
    assert -np.mean(model.log_prob(x)) < 0.0


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"^`component` 'gausian' is unknown; did you mean gaussian"):
        RNADE((4,), component="gausian")
    with pytest.raises(ValueError, match=r"^`num_components` must be at least 1, received 0\.$"):
        RNADE((4,), num_components=0)
