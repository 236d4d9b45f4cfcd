"""Estimates of a likelihood: importance sampling by hand, and bounds of a model whose evidence is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import EstimatesContract, ModelContract, randomise, traced

from keras_gen.core import ImportanceBound, NoiseDriven, estimates, importance_bound

tfd = tfp.distributions


def table_of_weights(num, batch_size):
    """Returns logarithms of weights, and the function that hands them out in the order of its calls."""
    log_weights = np.random.default_rng(0).normal(size=(num, batch_size)).astype(np.float32)
    done = []

    def take(number, seed):
        start = sum(done)
        done.append(int(number))
        rows = np.resize(log_weights[start:], (int(number), batch_size)) if start < num else np.zeros((0, batch_size))
        return tf.constant(rows, tf.float32)

    return log_weights.astype(np.float64), take


@pytest.mark.parametrize(("num", "rows_at_once"), [(1, 5000), (2, 5000), (7, 5000), (7, 9), (8, 12)])
def test_a_bound_is_the_logarithm_of_the_mean_weight(monkeypatch, num, rows_at_once):
    """Chunks of several sizes; what the last one holds too many does not count."""
    monkeypatch.setattr(estimates, "ROWS_AT_ONCE", rows_at_once)
    log_weights, take = table_of_weights(num, 4)
    bound, standard_error = importance_bound(take, tf.constant(4), tf.constant(num), tf.constant([0, 1]))
    weights = np.exp(log_weights)
    np.testing.assert_allclose(bound, np.log(weights.mean(axis=0)), rtol=1e-4, atol=1e-5)
    if num == 1:
        assert np.all(np.isnan(standard_error))
    else:
        expected = weights.std(axis=0, ddof=1) / num**0.5 / weights.mean(axis=0)
        np.testing.assert_allclose(standard_error, expected, rtol=1e-3, atol=1e-4)


def test_weights_far_from_one_keep_their_digits():
    """e^±1000 is no float32."""
    for level in (-1000.0, 1000.0):
        bound, standard_error = importance_bound(
            lambda number, seed, level=level: tf.fill((number, 2), level),
            tf.constant(2),
            tf.constant(50),
            tf.constant([0, 1]),
        )
        np.testing.assert_allclose(bound, [level, level], rtol=1e-5)
        np.testing.assert_allclose(standard_error, 0.0, atol=1e-2)


class Latent(ImportanceBound, NoiseDriven):
    r"""x = W z + b + σ ε, a linear model whose evidence is a normal; the proposal of z is a wide normal."""

    def __init__(self, event_shape, latent_size=2, *, scale=0.5, seed=0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.latent_size = latent_size
        self.scale = scale
        normal = keras.initializers.RandomNormal(stddev=0.5, seed=seed)
        self.weight = self.add_weight((latent_size, self.event_size), normal, name="weight")
        self.bias = self.add_weight((self.event_size,), "zeros", name="bias")

    def mean(self, z):
        return tf.matmul(z, self.weight) + self.bias

    def evidence(self) -> tfd.Distribution:
        weight = tf.convert_to_tensor(self.weight)
        covariance = tf.matmul(weight, weight, transpose_a=True) + self.scale**2 * tf.eye(self.event_size)
        return tfd.MultivariateNormalTriL(tf.convert_to_tensor(self.bias), tf.linalg.cholesky(covariance))

    def loss_terms(self, batch, step):
        # -log p(x) by its closed form: the bound is what is tested here.
        return {"loss": -self.evidence().log_prob(batch["x"])}

    def log_weights(self, x, condition, num_samples, seed):
        proposal = tfd.Sample(tfd.Normal(0.0, 1.5), self.latent_size)
        z = proposal.sample((num_samples, tf.shape(x)[0]), seed=seed)
        prior = tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(z), axis=-1)
        given = tf.reduce_sum(tfd.Normal(self.mean(z), self.scale).log_prob(x), axis=-1)
        return prior + given - proposal.log_prob(z)

    def noise_distributions(self):
        return {
            "z": tfd.Sample(tfd.Normal(0.0, 1.0), self.latent_size),
            "noise": tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape),
        }

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        return self.mean(noise["z"]) + self.scale * noise["noise"]


class TestLowerBound(ModelContract, EstimatesContract):
    def make_model(self, **changes):
        return Latent((3,), **{"latent_size": 1, "scale": 0.8, "seed": 2, "name": "linear", **changes})

    def make_data(self):
        z = np.random.default_rng(0).standard_normal((40, 1))
        return (1.0 + z * [1.0, -1.0, 0.5]).astype(np.float32)

    def make_known(self):
        model = randomise(self.make_model())
        x = model.sample(6, seed=1)
        return model, x, model.evidence().log_prob(x).numpy().astype(np.float64)

    def load(self, path):
        return keras.saving.load_model(path, custom_objects={"Latent": Latent})

    def test_more_samples_come_nearer_from_below(self):
        model, x, expected = self.make_known()
        distances = []
        for num_samples in (1, 4, 16):
            with traced():
                found, _ = self.estimates(model, x, range(100), num_samples)
            distances.append(np.mean(expected - found.mean(axis=0)))
        assert distances == sorted(distances, reverse=True)
        assert distances[-1] > 0.0

    def test_the_bound_takes_other_numbers_of_samples_without_another_graph(self):
        model = self.make_model()
        traces = []
        original = model.log_weights
        model.log_weights = lambda *arguments: traces.append(1) or original(*arguments)
        tf.config.run_functions_eagerly(False)
        for num_samples in (1, 2, 5, 1000):
            model.log_prob_bound(np.zeros((2, 3)), num_samples=num_samples, seed=0)
        assert len(traces) == 1


def test_the_condition_stands_second_and_the_seed_is_the_models_own():
    model = Latent((3,))
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"^`condition` must be None: this Latent is not conditional\.$"):
        model.log_prob_bound(x, [0, 1])
    first, second = (model.log_prob_bound(x)[0].numpy() for _ in range(2))
    assert np.all(first != second)
