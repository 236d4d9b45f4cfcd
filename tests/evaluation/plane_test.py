"""Densities of the plane, normalised by quadrature."""

import keras
import numpy as np
import pytest
from scipy import stats

from keras_gen import energy, evaluation
from keras_gen.data import toy

NORMAL = stats.multivariate_normal([0.5, -1.0], [[0.5, 0.2], [0.2, 0.4]])


def test_quadrature_finds_the_normaliser_of_a_gaussian():
    density = evaluation.plane_density(lambda x: 3.0 - NORMAL.logpdf(x), (-4.0, -5.0), (5.0, 3.0), num_per_side=120)
    assert density.log_normalizer == pytest.approx(-3.0, abs=1e-4)
    np.testing.assert_allclose(density.log_density, NORMAL.logpdf(density.points), atol=1e-3)
    assert np.exp(density.log_density).sum() * density.area == pytest.approx(1.0)
    assert density.edge_share < 1e-6


def test_mass_at_the_edge_is_told():
    density = evaluation.plane_density(lambda x: np.zeros(len(x)), (0.0, 0.0), (2.0, 3.0), num_per_side=50)
    assert density.log_normalizer == pytest.approx(np.log(6.0))
    # The outermost tenth on each side leaves 0.8² of the area.
    assert density.edge_share == pytest.approx(1.0 - 0.8**2)


def linear_model() -> energy.DeepEBM:
    """Returns a model with a linear energy, and mass wherever one looks."""
    model = energy.DeepEBM((2,), None, network=keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    model.logit_network.layer.set_weights([np.array([[0.7], [-0.4]]), np.array([5.0])])
    return model


def test_the_likelihood_of_a_model_is_that_of_its_energy():
    truth = toy.get("two_moons")
    x = truth.sample(4000, seed=3)
    found = evaluation.plane_likelihood(linear_model(), x, truth=truth.log_density, margin=0.1, num_per_side=200)
    low, high = (edge.astype(np.float64) for edge in (x.min(axis=0), x.max(axis=0)))
    low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
    # The integral of exp(a·x + 5) over a rectangle, entry by entry.
    a = np.array([0.7, -0.4])
    log_z = 5.0 + np.log((np.exp(a * high) - np.exp(a * low)) / a).sum()
    log_prob = x @ a + 5.0 - log_z
    assert found["log_normalizer"] == pytest.approx(log_z, abs=1e-4)
    assert found["nll"] == pytest.approx(-log_prob.mean(), abs=1e-3)
    gap = truth.log_density(x) - log_prob
    assert found["gap_to_truth"] == pytest.approx(gap.mean(), abs=1e-3)
    # The divergence is the same in the mean over other points, too.
    assert abs(found["kl_from_truth"] - gap.mean()) < 4.0 * gap.std() / len(x) ** 0.5
    assert found["edge_share"] > 0.1


def test_mistakes_get_one_sentence():
    with pytest.raises(
        ValueError, match=r"^`model` must be an unconditional model of two real numbers, received a Dee"
    ):
        evaluation.plane_likelihood(energy.DeepEBM((3,), None), np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"^`high` must be a pair above `low` \[0\.0, 0\.0\], received \[1\.0, 0\.0\]"):
        evaluation.plane_density(lambda x: np.zeros(len(x)), (0, 0), (1, 0))
