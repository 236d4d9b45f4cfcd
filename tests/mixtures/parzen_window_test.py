"""Tests of Parzen windows against scikit-learn and sums over all pairs."""

import numpy as np
import pytest
from contracts import ContinuousDensityContract, ModelContract, traced
from scipy import optimize, special
from sklearn.neighbors import KernelDensity

from keras_gen.mixtures import ParzenWindow


def rows(num, size, seed=0):
    random = np.random.default_rng(seed)
    x = np.concatenate([random.normal(size=(num // 2, size)), 0.3 * random.normal(size=(num - num // 2, size)) + 3.0])
    return random.permutation(x).astype(np.float32)


def started(x, width=1.0, **arguments):
    model = ParzenWindow(x.shape[1:], **{"num_points": len(x), **arguments})
    model.start_from(x, np.ones(len(x)))
    model.width.assign(width)
    model.started.assign(1.0)
    model.compile()
    return model


def left_out_log_prob(x, width):
    """The log density of each row under windows around all others, by a sum over all pairs."""
    x = x.reshape(len(x), -1).astype(np.float64)
    squares = np.sum((x[:, np.newaxis] - x) ** 2, axis=-1)
    np.fill_diagonal(squares, np.inf)
    size = x.shape[1]
    normalizer = np.log(len(x) - 1) + 0.5 * size * np.log(2.0 * np.pi * width**2)
    return special.logsumexp(-0.5 * squares / width**2, axis=1) - normalizer


class TestContracts(ModelContract, ContinuousDensityContract):
    def make_model(self, **changes):
        arguments = {"num_points": 25, "min_width": 0.01, "seed": 5, "name": "windows", **changes}
        return started(rows(20, 4, seed=7).reshape(20, 2, 2), 2.0, **arguments)

    def make_data(self):
        return rows(40, 4).reshape(40, 2, 2)

    def compile(self, model, **arguments):
        model.compile(**arguments)
        return model

    def optimizers(self, model):
        return []

    def make_plane(self):
        return started(rows(30, 2), 0.5)


def test_mean_samples_are_points_and_draws_lie_around_these():
    points = rows(30, 2)
    model = started(points, 0.3)
    drawn, means = (model.sample(200, seed=4, mean=mean).numpy() for mean in (False, True))
    distances = np.linalg.norm(means[:, np.newaxis] - points, axis=-1)
    assert distances.min(axis=1).max() < 1e-5
    assert len(set(distances.argmin(axis=1))) > 20
    np.testing.assert_allclose(np.std(drawn - means), 0.3, rtol=0.1)


def test_densities_are_those_of_scikit_learn():
    """With points in several chunks, the last of which is not full."""
    points, x = rows(2500, 3), rows(40, 3, seed=1)
    model = started(points, 0.4, num_points=3100)
    peer = KernelDensity(bandwidth=0.4).fit(points.astype(np.float64))
    np.testing.assert_allclose(model.log_prob(x), peer.score_samples(x.astype(np.float64)), rtol=1e-4, atol=1e-4)
    # Far away, where every window underflows.
    far = np.full((1, 3), 60.0, np.float32)
    np.testing.assert_allclose(model.log_prob(far), peer.score_samples(far), rtol=1e-4)


def test_training_leaves_each_row_out_of_its_own_density():
    x = rows(60, 3)
    # A row that is there twice keeps its twin.
    x[1] = x[0]
    model = started(x, 0.5)
    history = model.fit(x, batch_size=16, verbose=0).history
    np.testing.assert_allclose(history["loss"][0], -left_out_log_prob(x, 0.5).mean(), rtol=1e-5)


def test_the_width_is_the_best_by_leaving_one_out_and_no_epoch_is_worse():
    x = rows(150, 2)
    model = ParzenWindow((2,))
    model.compile()
    with traced():
        history = model.fit(x, batch_size=150, epochs=30, verbose=0).history["loss"]
    assert np.all(np.diff(history) < 1e-6)
    best = optimize.minimize_scalar(
        lambda width: -left_out_log_prob(x, width).mean(), bounds=(0.05, 2.0), method="bounded"
    )
    np.testing.assert_allclose(model.width.numpy(), best.x, rtol=0.01)
    assert model.num_kept == 150


def test_a_further_fit_chooses_the_width_on_validation_data():
    x, valid = rows(100, 2), rows(80, 2, seed=1)
    model = started(x, 1.0)
    with traced():
        model.fit(valid, batch_size=80, epochs=30, verbose=0)
    widths = np.linspace(0.5, 1.5, 21) * float(model.width)
    means = [KernelDensity(bandwidth=width).fit(x).score(valid) for width in widths]
    assert abs(np.argmax(means) - 10) <= 1


def test_no_more_than_so_many_points_are_kept():
    x = rows(200, 2)
    first, second = (ParzenWindow((2,), 50, seed=seed) for seed in (0, 0))
    for model in (first, second):
        model.compile()
        model.fit(x, verbose=0)
    assert first.num_kept == 50
    np.testing.assert_array_equal(first.points, second.points)
    points = first.points.numpy().reshape(-1, 2) + first.centre.numpy()
    distances = np.abs(points[:, np.newaxis] - x).max(axis=-1)
    assert distances.min(axis=1).max() < 1e-5


def test_equal_points_leave_the_least_width():
    model = ParzenWindow((2,), min_width=0.02)
    model.compile()
    history = model.fit(np.zeros((10, 2)), epochs=3, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert model.width.numpy() == pytest.approx(0.02)
