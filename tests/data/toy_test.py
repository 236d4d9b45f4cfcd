"""The toy densities: each integrates to one, and its samples follow it."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from keras_gen.data import toy

# The board's squares are whole numbers of cells, so that the midpoint rule is exact for the checkerboard too.
EDGES = np.linspace(-6.0, 6.0, 241)
CELL = EDGES[1] - EDGES[0]
BLOCKS = 10  # cells along the side of a block of the coarse grid


@pytest.fixture(scope="module", params=toy.NAMES)
def density(request):
    return toy.get(request.param)


@pytest.fixture(scope="module")
def masses(density):
    """The mass of each cell of the fine grid, by the midpoint rule."""
    middle = (EDGES[:-1] + EDGES[1:]) / 2.0
    points = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.exp(density.log_density(points)).reshape(len(middle), len(middle)) * CELL**2


def test_integrates_to_one(masses):
    np.testing.assert_allclose(masses.sum(), 1.0, atol=1e-5)


def test_samples_follow_the_density(density, masses):
    num_samples = 20_000
    x, y = density.sample(num_samples, seed=1).T
    counts, _, _ = np.histogram2d(x, y, bins=[EDGES[::BLOCKS]] * 2)
    assert counts.sum() == num_samples
    coarse = masses.reshape(len(masses) // BLOCKS, BLOCKS, -1, BLOCKS).sum(axis=(1, 3))
    # Blocks in which fewer than ten points are expected are counted as one.
    frequent = coarse * num_samples >= 10
    observed = np.append(counts[frequent], counts[~frequent].sum())
    expected = np.append(coarse[frequent], coarse[~frequent].sum()) * num_samples
    statistic = np.sum((observed - expected) ** 2 / np.maximum(expected, 1e-3))
    assert stats.chi2.sf(statistic, df=len(observed) - 1) > 1e-3


def test_seeds(density):
    first = density.sample(50, seed=3)
    assert first.shape == (50, 2)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, density.sample(50, seed=3))
    assert not np.any(np.all(first == density.sample(50, seed=4), axis=-1))


@pytest.mark.parametrize("point", [(0.0, 1.0), (0.5, 0.25), (1.9, 0.6), (-1.2, -0.3), (8.0, -5.0)])
def test_two_moons_agree_with_adaptive_quadrature(point):
    def integrand(angle, log_max):
        upper = np.hypot(point[0] - np.cos(angle), point[1] - np.sin(angle))
        lower = np.hypot(point[0] - 1.0 + np.cos(angle), point[1] - 0.5 + np.sin(angle))
        log_density = -(np.array([upper, lower]) ** 2) / 0.02 - np.log(2.0 * np.pi * 0.01)
        return np.exp(log_density - log_max).sum() / (2.0 * np.pi)

    found = toy.get("two_moons").log_density([point])[0]
    # Relative to the value found, the integral must be one; far points would underflow otherwise.
    pieces = np.linspace(0.0, np.pi, 33)
    integrals = [integrate.quad(integrand, *piece, args=(found,))[0] for piece in itertools.pairwise(pieces)]
    np.testing.assert_allclose(np.sum(integrals), 1.0, atol=1e-8)


def test_unknown_name():
    with pytest.raises(ValueError, match=r"`name` 'two_moon' is unknown; did you mean two_moons"):
        toy.get("two_moon")


def test_errors(density):
    with pytest.raises(ValueError, match=r"`num_samples` must be at least 1, received 0\."):
        density.sample(0)
    with pytest.raises(ValueError, match=r"`points` must have shape \(num_points, 2\), received \(3,\)\."):
        density.log_density([0.0, 1.0, 2.0])
