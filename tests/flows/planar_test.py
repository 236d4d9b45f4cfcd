"""Tests of planar and radial flows."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    ConditionContract,
    ContinuousDensityContract,
    FlowContract,
    ModelContract,
    condition_for,
    randomise,
)
from scipy import stats

from keras_gen.data import toy
from keras_gen.flows import PlanarFlow, RadialFlow


class TestPlanar(ModelContract, ConditionContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        return PlanarFlow((3,), **{"num_layers": 3, "num_classes": 3, "seed": 3, "name": "flow", **changes})

    def make_data(self):
        first = np.random.default_rng(0).standard_normal((40, 1))
        return np.concatenate([first, first**2, 3.0 - first], axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(PlanarFlow((2,), num_layers=6, seed=1), 1.5, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        return randomise(PlanarFlow((3,), num_layers=50, seed=1), 0.5)


class TestRadial(FlowContract, ContinuousDensityContract):
    """The same of the other function, with a vector as condition."""

    def make_model(self, **changes):
        return RadialFlow((3,), **{"num_layers": 4, "condition_size": 2, "seed": 3, **changes})

    def make_plane(self):
        model = randomise(RadialFlow((2,), num_layers=6, seed=1), 1.5, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        return randomise(RadialFlow((3,), num_layers=50, seed=1), 0.5)


@pytest.mark.parametrize("family", [PlanarFlow, RadialFlow])
def test_the_functions_follow_each_other_from_noise_to_data(family):
    model = randomise(family((2,), num_layers=3), 3.0)
    z = np.random.default_rng(0).standard_normal((6, 2))
    x = z
    for row in model.layer_parameters.numpy().astype(np.float64):
        if family is PlanarFlow:
            u, w, b = row[:2], row[2:4], row[4]
            u = u + (np.logaddexp(0.0, w @ u) - 1.0 - w @ u) * w / (w @ w)
            x = x + u * np.tanh(x @ w + b)[:, np.newaxis]
        else:
            alpha = np.logaddexp(0.0, row[2])
            beta = -alpha + np.logaddexp(0.0, row[3])
            x = x + beta / (alpha + np.linalg.norm(x - row[:2], axis=1, keepdims=True)) * (x - row[:2])
    assert np.abs(x - z).max() > 0.2
    np.testing.assert_allclose(model.decode(z), x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", [PlanarFlow, RadialFlow])
def test_near_the_identity_at_the_start(family):
    model = family((4,), num_layers=5)
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    z = model.encode(x).numpy()
    assert 0.0 < np.abs(z - x).max() < 0.3
    assert np.abs(model.log_prob(x) - stats.norm.logpdf(x).sum(axis=1)).max() < 0.5


@pytest.mark.parametrize("family", [PlanarFlow, RadialFlow])
def test_a_condition_changes_every_function(family):
    model = family((3,), num_layers=2, condition_size=2, seed=1)
    condition = condition_for(model, 5)
    z = model.noise(5, seed=0)["z"]
    plain = family((3,), num_layers=2, seed=1).decode(z)
    np.testing.assert_allclose(model.decode(z, tf.zeros((5, 2))), plain, rtol=1e-5, atol=1e-6)
    kernel = model.condition_layer.kernel
    for layer in range(2):
        alone = np.zeros((2, 2, kernel.shape[1] // 2), np.float32)
        alone[:, layer] = np.random.default_rng(layer).standard_normal(alone.shape[2])
        kernel.assign(alone.reshape(kernel.shape))
        assert np.all(np.abs(model.decode(z, condition) - plain).max(axis=1) > 1e-4)


@pytest.mark.parametrize("family", [PlanarFlow, RadialFlow])
def test_no_density_is_above_the_true_one(family):
    density = toy.get("two_moons")
    x = density.sample(2048)
    model = family((2,), 4)
    model.adapt(x)
    model.compile(keras.optimizers.Adam(0.02), steps_per_execution=8)
    history = model.fit(x, batch_size=256, epochs=20, verbose=0).history["nll"]
    fresh = density.sample(20_000, seed=1)
    gap = density.log_density(fresh) - model.log_prob(fresh).numpy()
    assert gap.mean() > -4.0 * gap.std() / len(gap) ** 0.5
    assert history[-1] < history[0] - 0.1


def test_seeds_choose_the_weights():
    same, other = (PlanarFlow((3,), 2, seed=seed).layer_parameters.numpy() for seed in (0, 1))
    assert np.all(same != other)
    np.testing.assert_array_equal(same, PlanarFlow((3,), 2, seed=0).layer_parameters.numpy())


def test_wrong_arguments():
    with pytest.raises(ValueError, match=re.escape("`num_layers` must be at least 1, received 0.")):
        RadialFlow((2,), 0)
