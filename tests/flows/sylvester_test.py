"""Tests of Sylvester flows."""

import re

import keras
import numpy as np
import pytest
from contracts import ConditionContract, ContinuousDensityContract, FlowContract, ModelContract, randomise

from keras_gen.data import toy
from keras_gen.flows import SylvesterFlow


class TestContracts(ModelContract, ConditionContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        arguments = {"num_layers": 2, "num_reflections": 2, "condition_size": 2, "seed": 3, "name": "flow"}
        return SylvesterFlow((3,), **{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).standard_normal((40, 1))
        return np.concatenate([first, first**2, 3.0 - first], axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(SylvesterFlow((2,), num_layers=4, seed=1), 1.0, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        return randomise(SylvesterFlow((2,), num_layers=20, num_reflections=1, condition_size=2, seed=1), 0.3)


def test_the_equation_of_the_paper():
    model = randomise(SylvesterFlow((3,), num_layers=1, num_reflections=2), 2.0)
    z = np.random.default_rng(0).standard_normal((6, 3))
    (layer,) = (bijector.bijector for bijector in model.steps(None))
    v = layer.reflections.numpy().astype(np.float64)
    first, second = (np.eye(3) - 2.0 * np.outer(row, row) / (row @ row) for row in v)
    q, outer, inner = first @ second, layer.outer.numpy(), layer.inner.numpy()
    x = z + np.tanh(z @ q @ inner.T + layer.b.numpy()) @ outer.T @ q.T
    assert np.abs(x - z).max() > 0.2
    np.testing.assert_allclose(model.decode(z), x, rtol=1e-4, atol=1e-5)


def test_near_the_identity_at_the_start():
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    z = SylvesterFlow((4,)).encode(x).numpy()
    assert 0.0 < np.abs(z - x).max() < 0.3


def test_no_density_is_above_the_true_one():
    density = toy.get("two_moons")
    x = density.sample(2048)
    model = SylvesterFlow((2,), 2)
    model.adapt(x)
    model.compile(keras.optimizers.Adam(0.02), steps_per_execution=8)
    history = model.fit(x, batch_size=256, epochs=20, verbose=0).history["nll"]
    fresh = density.sample(20_000, seed=1)
    gap = density.log_density(fresh) - model.log_prob(fresh).numpy()
    assert gap.mean() > -4.0 * gap.std() / len(gap) ** 0.5
    assert history[-1] < history[0] - 0.1


def test_wrong_arguments():
    with pytest.raises(ValueError, match=re.escape("`num_reflections` must be at least 1, received 0.")):
        SylvesterFlow((2,), num_reflections=0)
