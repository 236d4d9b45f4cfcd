"""Models that add up statistics over an epoch and solve at its end."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts.replicas import two_replicas

from keras_gen.core import DensityModel, EpochSolver

tfd = tfp.distributions


class Gaussian(EpochSolver, DensityModel):
    """A normal with the mean and the variance of the data, each entry for itself."""

    def __init__(self, event_shape, *, seed=0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.num = self.state("num", (), "zeros")
        self.sums = self.state("sums", (2, *self.event_shape), "zeros")
        self.mean = self.state("mean", self.event_shape, "zeros")
        self.variance = self.state("variance", self.event_shape, "ones")

    def state(self, name, shape, initializer):
        return self.add_weight(shape, initializer, trainable=False, aggregation="only_first_replica", name=name)

    def statistics(self):
        return [self.num, self.sums]

    def accumulate(self, batch, step):
        x = batch["x"]
        weights = step.example_weights(tf.shape(x)[0])
        moments = tf.einsum("b,bd->d", weights, x), tf.einsum("b,bd->d", weights, x**2)
        step.update(self.num, self.num + step.total_weight(weights))
        step.update(self.sums, self.sums + step.total(tf.stack(moments)))

    def solve(self):
        mean = self.sums[0] / self.num
        self.mean.assign(mean)
        self.variance.assign(self.sums[1] / self.num - mean**2)

    def log_prob(self, x, condition=None):
        source = tfd.MultivariateNormalDiag(tf.convert_to_tensor(self.mean), tf.sqrt(self.variance))
        return source.log_prob(self.validated(x))

    def noise_distributions(self):
        return {"z": tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)}

    def generate(self, noise, condition=None):
        return self.mean + tf.sqrt(self.variance) * noise["z"]


X = (np.random.default_rng(0).standard_normal((21, 2)) * [1.0, 3.0] + [2.0, -1.0]).astype(np.float32)
OTHER = X[:5] + 1.0


@pytest.fixture
def model():
    model = Gaussian((2,))
    model.compile()
    return model


@pytest.mark.parametrize(("epochs", "batch_size"), [(1, 21), (1, 4), (3, 4)])
def test_one_epoch_is_enough_and_every_epoch_begins_anew(model, epochs, batch_size):
    model.fit(X, epochs=epochs, batch_size=batch_size, verbose=0)
    np.testing.assert_allclose(model.mean, X.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.variance, X.var(axis=0), rtol=1e-4)
    assert float(model.num) == 21.0


def test_the_optimizer_has_nothing_to_do(model):
    model.fit(X, verbose=0)
    assert model.trainable_weights == []
    assert int(model.optimizer.iterations) == 0


def test_validation_sees_what_the_epoch_has_found(model):
    history = model.fit(X, epochs=2, batch_size=4, validation_data=(OTHER,), verbose=0).history
    expected = -np.mean(model.log_prob(OTHER))
    np.testing.assert_allclose(history["val_loss"], [expected, expected], rtol=1e-5)
    # While it goes over the data, the parameters are those of the epoch before.
    assert history["loss"][1] == pytest.approx(-np.mean(model.log_prob(X)), rel=1e-5)
    assert history["loss"][0] > history["loss"][1]


def test_solutions_weigh_the_examples(model):
    weights = np.linspace(0.0, 2.0, 21)
    model.fit(X, sample_weight=weights, batch_size=4, verbose=0)
    mean = np.average(X, axis=0, weights=weights)
    np.testing.assert_allclose(model.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(model.variance, np.average((X - mean) ** 2, axis=0, weights=weights), rtol=1e-4)


def test_callbacks_see_the_solution(model):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.mean.numpy()))
    model.fit(X, callbacks=[callback], verbose=0)
    model.fit(X, callbacks=callback, verbose=0)
    for mean in seen:
        np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-5)
    assert len(seen) == 2


def test_evaluation_neither_adds_nor_solves(model):
    model.fit(X, verbose=0)
    before = model.get_weights()
    model.evaluate(OTHER, verbose=0)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_statistics_are_those_of_all_replicas():
    strategy = two_replicas()
    with strategy.scope():
        model = Gaussian((2,))
        model.compile()
    # The last batch leaves a replica without an example.
    model.fit(X, batch_size=5, verbose=0)
    np.testing.assert_allclose(model.mean, X.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.variance, X.var(axis=0), rtol=1e-4)
