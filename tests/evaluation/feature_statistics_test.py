"""Distances of sets of vectors against closed forms, SciPy and sets made so that the answer is known."""

import math

import numpy as np
import pytest
from scipy import linalg

from keras_gen.evaluation import feature_statistics
from keras_gen.evaluation.feature_statistics import Moments


@pytest.fixture
def random():
    return np.random.default_rng(0)


def gaussian(mean, covariance):
    """Returns what infinitely many draws of a Gaussian have as moments."""
    return Moments(2, np.asarray(mean, np.float64), np.asarray(covariance, np.float64))


def turned(variances, random):
    """Returns a covariance with the given eigenvalues."""
    basis, _ = np.linalg.qr(random.standard_normal((len(variances), len(variances))))
    return basis @ np.diag(variances) @ basis.T


# Moments


def test_moments_of_batches_are_those_of_all_even_far_from_the_origin(random):
    x = (1e6 + random.standard_normal((1000, 4))) * (1.0, 2.0, 3.0, 0.01)
    moments = Moments.of(x[:1])
    for part in np.split(x[1:], [1, 30, 700]):
        moments = moments + Moments.of(part)
    assert moments.num == 1000
    np.testing.assert_allclose(moments.mean, x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(moments.covariance, np.cov(x.T), rtol=1e-6, atol=1e-7)
    once = Moments.of(x)
    assert feature_statistics.frechet_distance(moments, once) < 1e-9


def test_float32_features_are_summed_in_float64():
    x = np.full((100_000, 1), 16_777_216.0, np.float32) + np.arange(2, dtype=np.float32).repeat(50_000)[:, None] * 2
    assert Moments.of(x).mean[0] == 16_777_217.0


# Fréchet distance


def test_frechet_distance_of_commuting_gaussians_is_that_of_their_standard_deviations(random):
    deviations = np.array([[1.0, 2.0, 0.5], [3.0, 0.1, 0.5]])
    means = np.array([[0.0, 1.0, 2.0], [1.0, -1.0, 2.0]])
    basis, _ = np.linalg.qr(random.standard_normal((3, 3)))
    found = feature_statistics.frechet_distance(
        *(gaussian(m, basis @ np.diag(s**2) @ basis.T) for m, s in zip(means, deviations, strict=True))
    )
    expected = np.sum((means[0] - means[1]) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2)
    assert found == pytest.approx(expected, rel=1e-12)


def test_scipy_finds_the_same_root_of_gaussians_that_do_not_commute(random):
    first, second = turned([4.0, 1.0, 0.2, 0.01], random), turned([0.3, 2.0, 5.0, 1.0], random)
    assert np.abs(first @ second - second @ first).max() > 0.1
    expected = np.trace(first + second) - 2.0 * np.trace(linalg.sqrtm(first @ second).real) + 4.0
    found = feature_statistics.frechet_distance(gaussian(np.zeros(4), first), gaussian(np.ones(4), second))
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # A line against one at a right angle to it: the product of the covariances is zero.
        ([[4.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 9.0]], 13.0),
        ([[4.0, 0.0], [0.0, 0.0]], [[9.0, 0.0], [0.0, 0.0]], 1.0),
        # u uᵀ and v vᵀ with u = (1, 1), v = (2, 0): the trace of the root is |u·v|.
        ([[1.0, 1.0], [1.0, 1.0]], [[4.0, 0.0], [0.0, 0.0]], 2.0 + 4.0 - 2.0 * 2.0),
        ([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.5], [0.5, 1.0]], 2.0),
    ],
)
def test_frechet_distance_of_gaussians_without_full_rank(first, second, expected):
    found = feature_statistics.frechet_distance(gaussian([0.0, 0.0], first), gaussian([0.0, 0.0], second))
    assert found == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_of_equal_sets_with_fewer_vectors_than_entries_is_zero(random):
    moments = Moments.of(random.standard_normal((20, 300)))
    assert feature_statistics.frechet_distance(moments, moments) < 1e-9


def test_frechet_distance_of_draws_approaches_that_of_the_gaussians(random):
    x = random.standard_normal((200_000, 2))
    y = 1.0 + 2.0 * random.standard_normal((200_000, 2))
    found = feature_statistics.frechet_distance(Moments.of(x), Moments.of(y))
    # Two entries, each (0 - 1)² + (1 - 2)².
    assert found == pytest.approx(4.0, abs=0.05)


# Kernel distance


def discrepancy(x, y):
    """The unbiased estimate of the squared discrepancy, term by term."""

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1.0) ** 3

    def mean_of_pairs(a):
        return (kernel(a, a).sum() - np.trace(kernel(a, a))) / (len(a) * (len(a) - 1))

    return mean_of_pairs(x) + mean_of_pairs(y) - 2.0 * kernel(x, y).mean()


def test_kernel_distance_is_the_mean_over_all_pairs_with_the_error_of_a_jackknife(random, monkeypatch):
    x, y = random.standard_normal((30, 4)), 0.7 * random.standard_normal((20, 4)) + 0.2
    left_out = [
        np.array([discrepancy(np.delete(x, row, axis=0), y) for row in range(30)]),
        np.array([discrepancy(x, np.delete(y, row, axis=0)) for row in range(20)]),
    ]
    variance = sum((len(values) - 1) / len(values) * np.sum((values - values.mean()) ** 2) for values in left_out)
    for at_once in (4_000_000, 100):
        monkeypatch.setattr(feature_statistics, "DISTANCES_AT_ONCE", at_once)
        found, error = feature_statistics.kernel_distance(x, y)
        assert found == pytest.approx(discrepancy(x, y), rel=1e-10)
        assert error == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_kernel_distance_has_no_bias(random):
    """Of one distribution, the mean of many estimates is zero within its error, however small the sets."""
    estimates = [feature_statistics.kernel_distance(*random.standard_normal((2, 20, 3)) + 0.5)[0] for _ in range(2000)]
    error = np.std(estimates) / math.sqrt(2000)
    assert abs(np.mean(estimates)) < 3.0 * error
    # What the same sets would give with the pairs of a vector and itself, as a biased estimate has them.
    x = random.standard_normal((2000, 3)) + 0.5
    bias = 2.0 * np.mean((np.sum(x**2, axis=1) / 3.0 + 1.0) ** 3) / 20
    assert bias > 30.0 * error


def test_kernel_distance_of_points_in_closed_form():
    """In one dimension k(x, y) = (x y + 1)³: at 0 all pairs give 1, at 1 they give 8."""
    found, error = feature_statistics.kernel_distance(np.zeros((40, 1)), np.ones((60, 1)))
    assert found == pytest.approx(1.0 + 8.0 - 2.0)
    assert error == pytest.approx(0.0, abs=1e-12)


def test_kernel_distance_of_different_gaussians_in_closed_form(random):
    """The cubic kernel sees three moments: Σ_m C(3, m) |E x^m - E y^m|², for single entries."""
    x, y = random.standard_normal((6000, 1)), 1.0 + 0.5 * random.standard_normal((6000, 1))
    # Moments of N(0, 1) are 0, 1, 0, and of N(1, 1/4) are 1, 5/4, 7/4.
    expected = 3.0 * 1.0 + 3.0 / 16.0 + 49.0 / 16.0
    found, error = feature_statistics.kernel_distance(x, y)
    assert abs(found - expected) < 4.0 * error
    assert error < 0.05 * expected


@pytest.mark.parametrize(("shift", "factor"), [(0.3, 1.0), (0.0, math.sqrt(2.0))])
def test_standard_error_of_kernel_distance_is_the_spread_over_data_sets(random, shift, factor):
    """Where the distributions are equal, the jackknife has twice the variance."""
    estimates, errors = [], []
    for _ in range(400):
        x, y = random.standard_normal((2, 200, 2))
        found, error = feature_statistics.kernel_distance(x, y + np.array([shift, 0.0]))
        estimates.append(found)
        errors.append(error)
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(factor * np.std(estimates), rel=0.15)


# The same vectors in other libraries


def test_other_libraries_find_the_same(random):
    """Figures of torch-fidelity 0.4.0 (with all vectors in one subset) and of prdc 0.2, of these vectors."""
    real = random.standard_normal((400, 8))
    samples = random.standard_normal((400, 8)) * np.linspace(0.6, 1.2, 8) + 0.25
    frechet_distance = feature_statistics.frechet_distance(Moments.of(real), Moments.of(samples))
    assert frechet_distance == pytest.approx(1.1596421684851688, rel=1e-9)
    assert feature_statistics.kernel_distance(real, samples)[0] == pytest.approx(0.37007615674599315, rel=1e-9)
    assert feature_statistics.precision_recall(real, samples) == pytest.approx((0.925, 0.635), abs=1e-7)
    assert feature_statistics.density_coverage(real, samples) == pytest.approx((1.087, 0.9125), abs=1e-12)


# Precision and recall, density and coverage


def test_equal_sets(random):
    x = random.standard_normal((300, 4))
    assert feature_statistics.precision_recall(x, x) == (1.0, 1.0)
    # Each ball holds its centre and all nearer than the fifth of its neighbours.
    assert feature_statistics.density_coverage(x, x) == (1.0, 1.0)


def test_disjoint_sets(random):
    x = random.standard_normal((300, 4))
    assert feature_statistics.precision_recall(x, x + 100.0) == (0.0, 0.0)
    assert feature_statistics.density_coverage(x, x + 100.0) == (0.0, 0.0)


def test_samples_of_half_of_the_modes_have_half_the_recall_and_coverage(random):
    real = np.concatenate([random.standard_normal((300, 2)), 100.0 + random.standard_normal((300, 2))])
    precision, recall = feature_statistics.precision_recall(real, real[:300])
    assert (precision, recall) == (1.0, 0.5)
    density, coverage = feature_statistics.density_coverage(real, real[:300])
    assert (density, coverage) == (1.0, 0.5)
    # And the other way: half of the samples where there are no data.
    assert feature_statistics.precision_recall(real[:300], real) == (0.5, 1.0)
    assert feature_statistics.density_coverage(real[:300], real) == (0.5, 1.0)


def test_samples_of_the_same_distribution(random):
    real, samples = random.standard_normal((2, 2000, 3))
    precision, recall = feature_statistics.precision_recall(real, samples)
    assert precision == pytest.approx(recall, abs=0.02)
    assert precision > 0.9
    density, coverage = feature_statistics.density_coverage(real, samples)
    assert density == pytest.approx(1.0, abs=0.05)
    # The sample that falls nearest to a real vector is nearer than its fifth neighbour, but for 1 in 2⁵.
    assert coverage == pytest.approx(1.0 - 0.5**5, abs=0.015)


def test_balls_by_hand():
    """Real 0, 1, 3 reach 1, 1 and 2 to their nearest; samples 1.5, 4, 4.5 and 10 reach 2.5, 0.5, 0.5 and 5.5."""
    real, samples = np.array([[0.0], [1.0], [3.0]]), np.array([[1.5], [4.0], [4.5], [10.0]])
    # 1.5, 4 and 4.5 are in balls; of the real ones all but none are within 2.5 of 1.5.
    assert feature_statistics.precision_recall(real, samples, neighbours=1) == (0.75, 1.0)
    # 1.5 is in the balls of 1 and 3, 4 and 4.5 in that of 3.
    assert feature_statistics.density_coverage(real, samples, neighbours=1) == (1.0, pytest.approx(2.0 / 3.0))


def test_parts_of_a_few_rows_give_the_same(random, monkeypatch):
    real, samples = random.standard_normal((2, 101, 3))
    samples = samples[:71] * 0.7 + 1.5
    functions = (feature_statistics.precision_recall, feature_statistics.density_coverage)
    whole = [function(real, samples) for function in functions]
    monkeypatch.setattr(feature_statistics, "DISTANCES_AT_ONCE", 500)
    assert [function(real, samples) for function in functions] == whole
    assert all(0.0 < value != 1.0 for pair in whole for value in pair)


def test_collapsed_samples_have_balls_without_extent(random):
    """Copies of one real example are all precise, and reach no other example."""
    real = 50.0 + random.standard_normal((200, 6))
    samples = np.repeat(real[:1], 100, axis=0)
    assert feature_statistics.precision_recall(real, samples) == (1.0, 1.0 / 200)


# Score


def test_score_of_sure_and_balanced_samples_is_the_number_of_classes():
    sure = np.eye(7)[np.arange(700) % 7]
    assert feature_statistics.score(sure, splits=1)[0] == pytest.approx(7.0)


@pytest.mark.parametrize("classes", [np.arange(10_000) % 10, np.sort(np.arange(10_000) % 10)])
def test_score_does_not_depend_on_the_order_of_the_classes(classes):
    """Not even on one that fits the ten parts; a part of 1,000 has a few more of one class than of another."""
    found, error = feature_statistics.score(np.eye(10)[classes])
    assert 9.9 < found < 10.0
    assert 0.0 < error < 0.02


def test_score_is_one_where_samples_tell_nothing():
    assert feature_statistics.score(np.tile([[0.2, 0.3, 0.5]], (50, 1)))[0] == pytest.approx(1.0)
    assert feature_statistics.score(np.tile([[0.0, 1.0, 0.0]], (50, 1)))[0] == pytest.approx(1.0)


def test_score_in_closed_form():
    """Two of four classes equally often, each with certainty 3/4 within a pair of classes."""
    rows = np.array([[0.75, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.75]])
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    marginal = -2.0 * (0.375 * math.log(0.375) + 0.125 * math.log(0.125))
    assert feature_statistics.score(np.tile(rows, (20, 1)), splits=1)[0] == pytest.approx(math.exp(marginal - entropy))


# Wrong arguments


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: Moments.of(x[0]), r"`vectors` must hold at least 1 vectors, \(num, size\), received \(3,\)"),
        (lambda x: Moments.of(x[:1]).covariance, "a covariance needs at least two vectors, received 1"),
        (lambda x: Moments.of(x * np.nan), "`vectors` holds a value that is not finite"),
        (
            lambda x: feature_statistics.frechet_distance(Moments.of(x), Moments.of(x[:, :2])),
            "`second` must have vectors of 3 entries as `first` has, received 2",
        ),
        (lambda x: feature_statistics.kernel_distance(x, x[:2]), "`samples` must hold at least 3 vectors"),
        (lambda x: feature_statistics.kernel_distance(x, x[:, :2]), "`samples` must have vectors of 3 entries"),
        (lambda x: feature_statistics.precision_recall(x[:3], x), "`real` must hold at least 4 vectors"),
        (lambda x: feature_statistics.density_coverage(x, x[:, :2]), "`samples` must have vectors of 3 entries"),
        (lambda x: feature_statistics.density_coverage(x, x, neighbours=0), "`neighbours` must be at least 1"),
        (lambda x: feature_statistics.score(x), "`probabilities` must hold rows of numbers from 0 to 1 that sum to 1"),
        (lambda x: feature_statistics.score(x[:5]), "`probabilities` must hold at least 10 vectors"),
    ],
)
def test_wrong_arguments(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(np.arange(90.0).reshape(30, 3))
