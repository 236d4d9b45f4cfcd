"""Tests of the IWAE on a linear model whose evidence is known."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import EstimatesContract, ModelContract
from linear_gaussian import LinearGaussian, X

from keras_gen.core import Step
from keras_gen.latent import IWAE


@keras.saving.register_keras_serializable("iwae_test")
class Softened(keras.layers.Layer):
    """A layer of one's own: a dense one behind a softplus."""

    def __init__(self, units: int, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.units, self.seed = units, seed
        self.dense = keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed))

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x):
        return self.dense(tf.nn.softplus(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "seed": self.seed}


class TestWithEveryArgument(ModelContract, EstimatesContract):
    """Networks of one's own take the place of dense and convolutional ones, which the contract of `VAE` has."""

    def make_model(self, **changes):
        return IWAE(
            **{
                "event_shape": (5, 3, 1),
                "latent_size": 3,
                "levels": 3,
                "num_samples": 4,
                "gradient": "doubly_reparameterized",
                "hidden_units": (7,),
                "filters": (4,),
                "encoder_network": keras.Sequential([keras.layers.Flatten(), Softened(7, 1), Softened(9, 2)]),
                "decoder_network": keras.Sequential([Softened(30, 3), keras.layers.Reshape((5, 3, 2))]),
                "posterior": "full_covariance",
                "activation": "elu",
                "seed": 5,
                "name": "importance",
                **changes,
            }
        )

    def make_data(self):
        return np.broadcast_to(np.random.default_rng(0).integers(0, 3, (40, 1, 1, 1)), (40, 5, 3, 1)).copy()

    def make_known(self):
        case = LinearGaussian(exact_posterior=False, model_class=IWAE)
        return case.model, X, case.evidence(X)


def loss_terms(model, x, seed):
    return model.loss_terms({"x": tf.constant(x)}, Step(tf.constant([0, seed]), training=True))


def terms_of(model, x, seed=0):
    terms = loss_terms(model, x, seed)
    return {name: value.numpy() for name, value in terms.items()}


def gradients(model, x, seed=0):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(loss_terms(model, x, seed)["loss"])
    return [value.numpy() for value in tape.gradient(loss, [*model.encoder.weights, *model.decoder.weights])]


@pytest.mark.parametrize("gradient", ["reparameterized", "doubly_reparameterized"])
def test_the_bound_is_the_evidence_when_the_posterior_is_exact(gradient):
    case = LinearGaussian(exact_posterior=True, model_class=IWAE, num_samples=3, gradient=gradient)
    terms = terms_of(case.model, X)
    np.testing.assert_allclose(terms["bound"], case.evidence(X), atol=1e-4)
    np.testing.assert_allclose(terms["elbo"], case.evidence(X), atol=1e-4)


def test_bits_per_dimension_of_levels_are_those_of_the_bound():
    model = IWAE((3,), 2, 2, hidden_units=(4,), num_samples=3)
    terms = terms_of(model, np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]], np.float32))
    np.testing.assert_allclose(terms["bits_per_dim"], -terms["bound"] / 3 / math.log(2), rtol=1e-5)
    assert np.all(terms["bound"] != terms["elbo"])


def test_the_bound_grows_with_the_number_of_samples():
    rows = 4000
    x = np.repeat(X, rows, axis=0)
    evidence = LinearGaussian(exact_posterior=False).evidence(X)
    means, errors = [], []
    for num_samples in (1, 2, 8, 32):
        model = LinearGaussian(exact_posterior=False, model_class=IWAE, num_samples=num_samples).model
        values = terms_of(model, x)["bound"].reshape(3, rows)
        means.append(values.mean(axis=1))
        errors.append(values.std(axis=1) / math.sqrt(rows))
    for smaller, larger, error in zip(means[:-1], means[1:], errors[:-1], strict=True):
        assert (smaller < larger + 3 * error).all()
    assert (means[0] + 4 * errors[0] < means[-1]).all()
    assert (means[-1] < evidence + 4 * errors[-1]).all()
    # With one sample it is the evidence lower bound.
    single = terms_of(LinearGaussian(exact_posterior=False, model_class=IWAE, num_samples=1).model, x)
    np.testing.assert_allclose(single["bound"], single["elbo"], rtol=1e-5)


def test_both_gradients_have_one_mean():
    x = np.repeat(X[1:2], 20_000, axis=0)
    # Gradients with 20 seeds give an error of their mean.
    found = {}
    for gradient in ("reparameterized", "doubly_reparameterized"):
        model = LinearGaussian(exact_posterior=False, model_class=IWAE, num_samples=3, gradient=gradient).model
        each = [gradients(model, x[:1000], seed=seed) for seed in range(20)]
        found[gradient] = [np.stack(values) for values in zip(*each, strict=True)]
    spreads = []
    for plain, doubly in zip(*found.values(), strict=True):
        error = np.sqrt((plain.var(axis=0) + doubly.var(axis=0)) / 19)
        np.testing.assert_array_less(np.abs(plain.mean(axis=0) - doubly.mean(axis=0)), 5 * error + 1e-5)
        spreads.append((plain.var(axis=0).sum(), doubly.var(axis=0).sum()))
    # The gradient of the encoder, its two weights, varies less; that of the decoder is the same.
    assert all(doubly < 0.8 * plain for plain, doubly in spreads[:2])
    for plain, doubly in list(zip(*found.values(), strict=True))[2:]:
        np.testing.assert_allclose(plain, doubly, atol=1e-4)


def test_the_doubly_reparameterized_gradient_vanishes_at_the_exact_posterior():
    def of_the_encoder(gradient):
        case = LinearGaussian(exact_posterior=True, model_class=IWAE, num_samples=3, gradient=gradient)
        return max(np.abs(value).max() for value in gradients(case.model, X)[:2])

    # All weights are alike, wherever z lies: log w does not depend on it.
    assert of_the_encoder("doubly_reparameterized") < 1e-5
    assert of_the_encoder("reparameterized") > 1e-2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_samples": 0}, "`num_samples` must be at least 1, received 0."),
        ({"gradient": "double"}, "`gradient` 'double' is unknown; expected one of reparameterized, doubly_reparam"),
        ({"beta": 2.0}, "`beta` must be 1.0 in an IWAE, received 2.0."),
    ],
)
def test_mistakes_get_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        IWAE((4,), 2, **arguments)
