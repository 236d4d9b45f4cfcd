"""A density over the plane."""

import numpy as np
import pytest

from contracts.helpers import Contract, chi_square


class ContinuousDensityContract(Contract):
    """A density over the plane integrates to one, and samples follow it.

    A test class provides `make_plane`.
    """

    #: Cells along each side of the grid, a multiple of 30.
    num_cells = 600

    def make_plane(self):
        """Returns a model of `event_shape` (2,)."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def cells(cls):
        """A model, the edges of a grid that holds all but a negligible part of its density, and the cells' masses."""
        model = cls().make_plane()
        samples = model.sample(2000, seed=0).numpy()
        centre, half = samples.mean(axis=0), 12.0 * samples.std(axis=0)
        edges = np.linspace(centre - half, centre + half, cls.num_cells + 1)
        middle = (edges[1:] + edges[:-1]) / 2.0
        points = np.stack(np.meshgrid(*middle.T, indexing="ij"), axis=-1).reshape(-1, 2)
        masses = np.exp(model.predict(points, batch_size=20_000, verbose=0).astype(np.float64))
        masses = masses.reshape(cls.num_cells, cls.num_cells) * np.prod(2.0 * half / cls.num_cells)
        return model, edges, masses

    def test_density_integrates_to_one(self, cells):
        _, _, masses = cells
        np.testing.assert_allclose(masses.sum(), 1.0, atol=1e-3)

    def test_samples_follow_the_density(self, cells):
        model, edges, masses = cells
        num_samples = 20_000
        step = self.num_cells // 30
        counts, _, _ = np.histogram2d(*model.sample(num_samples, seed=1).numpy().T, bins=list(edges[::step].T))
        coarse = masses.reshape(30, step, 30, step).sum(axis=(1, 3))
        assert chi_square(counts.ravel(), coarse.ravel() * num_samples) > 1e-4
