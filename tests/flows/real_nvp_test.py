"""Tests of Real NVP."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    CodesContract,
    ConditionContract,
    ContinuousDensityContract,
    FlowContract,
    ModelContract,
    randomise,
)
from scipy import stats

from keras_gen.flows import RealNVP


class TestContracts(ModelContract, CodesContract, ConditionContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        arguments = {
            "num_layers": 2,
            "hidden_units": (8, 7),
            "ordering": "random",
            "batch_normalization": True,
            "num_classes": 3,
            "seed": 3,
            "name": "flow",
        }
        return RealNVP((3,), **{**arguments, **changes})

    def make_data(self):
        first, second, third = np.random.default_rng(0).standard_normal((3, 40, 1))
        # Without noise the likelihood has no bound, and training towards it is rough.
        columns = [first, first**2 + 0.3 * second, 3.0 - first + 0.3 * third]
        return 3.0 + 2.0 * np.concatenate(columns, axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(RealNVP((2,), num_layers=3, hidden_units=(8,), seed=1), 0.6, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        return randomise(RealNVP((3,), num_layers=50, hidden_units=(4,), seed=1), 0.1)


def test_the_equations_of_the_paper():
    model = randomise(RealNVP((3,), num_layers=1, hidden_units=(4,)))
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    # One of three entries stays as it is; the order before the coupling says which.
    kept, *moved = model.permutations[0]
    networks = model.coupling_networks[0]
    s = networks.factor.numpy() * np.tanh(networks.scale_network(x[:, [kept]]).numpy())
    t = networks.translation_network(x[:, [kept]]).numpy()
    expected = np.concatenate([x[:, [kept]], x[:, moved] * np.exp(s) + t], axis=-1)
    np.testing.assert_allclose(model.encode(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ordering", ["alternate", "random"])
@pytest.mark.parametrize("size", [2, 3, 6])
def test_two_couplings_move_every_entry(size, ordering):
    model = RealNVP((size,), num_layers=2, hidden_units=(4,), ordering=ordering, seed=4)
    x = np.ones((1, size), np.float32)
    before = model.encode(x).numpy()
    for networks in model.coupling_networks:
        networks.translation_network.layers[-1].bias.assign(np.full(size - size // 2, 10.0))
    # The noise is in another order than the data: what an entry was, is where the identity flow puts it.
    assert np.all(np.abs(model.encode(x).numpy() - before) > 5.0)


def test_networks_run_once_for_a_density(monkeypatch):
    model, calls = RealNVP((3,), num_layers=4, hidden_units=(4,)), []
    for networks in model.coupling_networks:
        call = networks.call
        monkeypatch.setattr(networks, "call", lambda x, condition=None, call=call: calls.append(0) or call(x))
    model.log_prob(np.zeros((2, 3), np.float32))
    assert len(calls) == 4


def test_learns_a_gaussian_up_to_its_entropy():
    covariance = np.array([[2.0, 1.2], [1.2, 1.0]])
    x = np.random.default_rng(0).multivariate_normal([3.0, -1.0], covariance, 4096).astype(np.float32)
    model = RealNVP((2,), num_layers=2, hidden_units=(8,))
    model.adapt(x)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, batch_size=256, epochs=12, verbose=0)
    entropy = stats.multivariate_normal([0.0, 0.0], covariance).entropy()
    fresh = np.random.default_rng(1).multivariate_normal([3.0, -1.0], covariance, 4096)
    assert abs(model.evaluate(fresh, verbose=0, return_dict=True)["nll"] - entropy) < 0.1


def test_seeds_choose_the_weights():
    first, same, other = (RealNVP((5,), num_layers=1, hidden_units=(4,), seed=seed) for seed in (0, 0, 1))
    for kernel, equal, different in zip(*(model.trainable_weights for model in (first, same, other)), strict=True):
        np.testing.assert_array_equal(kernel, equal)
        assert kernel.name != "kernel" or np.all(kernel.numpy() != different)


def test_mixed_precision_keeps_the_density_in_float32():
    model = RealNVP((3,), num_layers=2, hidden_units=(8,), dtype="mixed_bfloat16")
    x = model.sample(5, seed=0)
    assert model.coupling_networks[0].scale_network.layers[0].compute_dtype == "bfloat16"
    assert x.dtype == model.log_prob(x).dtype == tf.float32


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_layers": 0}, "`num_layers` must be at least 1, received 0."),
        ({"hidden_units": (0,)}, "`hidden_units` must be at least 1, received 0."),
        ({"ordering": "randm"}, "`ordering` 'randm' is unknown; did you mean random?"),
    ],
)
def test_wrong_arguments(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        RealNVP((3,), **{"hidden_units": (4,), **changes})


def test_batch_normalization_learns_the_statistics_of_the_data():
    model = randomise(RealNVP((3,), 2, (4,), batch_normalization=True, seed=1), 0.3)
    x = np.random.default_rng(0).normal(3.0, 5.0, (512, 3)).astype(np.float32)
    before = model.encode(x).numpy()
    model.compile(keras.optimizers.SGD(0.0), steps_per_execution=50)
    # Two hundred steps in one epoch: what Keras does between epochs takes longer than they do.
    model.fit(tf.data.Dataset.from_tensors(x).repeat(200), verbose=0)
    model.fit(x, batch_size=512, verbose=0)
    # Weights stay; what enters the second coupling is standardised now, in training and after it.
    layer = model.normalizations[0]
    first = model.flow().bijectors[::-1]
    h = x
    for bijector in first[:3]:
        h = bijector.forward(h)
    np.testing.assert_allclose(layer.mean, np.mean(h, axis=0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(layer.variance, np.var(h, axis=0), rtol=1e-3, atol=1e-3)
    assert np.abs(model.encode(x) - before).max() > 0.1
    logs = model.evaluate(x, batch_size=512, verbose=0, return_dict=True)
    np.testing.assert_allclose(model.history.history["nll"][-1], logs["nll"], rtol=1e-3)


def test_no_density_is_above_the_true_one():
    random = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    x = random.multivariate_normal([0.0, 0.0], covariance, 256).astype(np.float32)
    model = RealNVP((2,), 4, (16,))
    model.compile(keras.optimizers.Adam(0.01), steps_per_execution=8)
    model.fit(x, epochs=30, verbose=0)
    fresh = random.multivariate_normal([0.0, 0.0], covariance, 20_000)
    gap = stats.multivariate_normal([0.0, 0.0], covariance).logpdf(fresh) - model.log_prob(fresh).numpy()
    assert gap.mean() > -4.0 * gap.std() / len(gap) ** 0.5
    assert gap.mean() < 0.5
