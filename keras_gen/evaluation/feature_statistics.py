r"""Comparison of two sets of feature vectors: those of samples and those of real examples.

- Fréchet distance: Martin Heusel et al. (2017), GANs trained by a two time-scale update rule,
  https://arxiv.org/abs/1706.08500
- kernel distance: Mikołaj Bińkowski et al. (2018), Demystifying MMD GANs, https://arxiv.org/abs/1801.01401
- precision and recall: Tuomas Kynkäänniemi et al. (2019), Improved precision and recall metric,
  https://arxiv.org/abs/1904.06991
- density and coverage: Muhammad Ferjad Naeem et al. (2020), Reliable fidelity and diversity metrics,
  https://arxiv.org/abs/2002.09797
- score: Tim Salimans et al. (2016), Improved techniques for training GANs, https://arxiv.org/abs/1606.03498

Everything is NumPy in float64.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from scipy import special

from keras_gen import checks
from keras_gen.evaluation.likelihood import standard_error

#: Number of distances that are held at once.
DISTANCES_AT_ONCE = 4_000_000

#: Squared distances below this share of the squared lengths are rounding errors of equal points.
ROUNDING = 1e-12

#: The same for a distance that equals the radius of a ball, as a share of the radius.
BORDER = 1e-9


@dataclasses.dataclass(frozen=True)
class Moments:
    """Number, mean and scatter of vectors, to which more vectors can be added batch by batch.

    Example:

    ```python
    moments = Moments.of(first_batch)
    moments = moments + Moments.of(second_batch)
    moments.mean, moments.covariance
    ```

    Attributes:
        num: number of vectors.
        mean: float64 mean, of shape `(size,)`.
        scatter: float64 sum of the outer products of the deviations from the mean, `(size, size)`.
    """

    num: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, vectors) -> "Moments":
        """Returns the moments of vectors of shape `(num, size)`."""
        vectors = checked("vectors", vectors, 1)
        mean = vectors.mean(axis=0)
        return cls(len(vectors), mean, (vectors - mean).T @ (vectors - mean))

    def __add__(self, other: "Moments") -> "Moments":
        """Returns the moments of both sets together, by the update of Chan, Golub and LeVeque (1979)."""
        num = self.num + other.num
        gap = other.mean - self.mean
        scatter = self.scatter + other.scatter + np.outer(gap, gap) * (self.num * other.num / num)
        return Moments(num, self.mean + gap * (other.num / num), scatter)

    @property
    def covariance(self) -> np.ndarray:
        """The unbiased covariance.

        Raises:
            ValueError: if there is only one vector.
        """
        if self.num < 2:
            raise ValueError(f"a covariance needs at least two vectors, received {self.num}.")
        return self.scatter / (self.num - 1)


def frechet_distance(first: Moments, second: Moments) -> float:
    r"""Computes the squared Fréchet (Wasserstein) distance between the Gaussians with the moments of two sets.

    $$|μ_1 - μ_2|^2 + \mathrm{tr}(Σ_1 + Σ_2 - 2 (Σ_1 Σ_2)^{1/2})$$

    It falls with the number of vectors even if both sets come from one distribution: compare sets of equal sizes.

    Args:
        first: moments of one set.
        second: moments of the other.

    Raises:
        ValueError: if a set has only one vector, or the vectors are not equally long.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(
            f"`second` must have vectors of {len(first.mean)} entries as `first` has, received {len(second.mean)}."
        )
    # The trace of the root is the sum of the singular values of Σ₁^½ Σ₂^½. They exist for any ranks, and no root is
    # taken of a number that should be zero.
    roots = [square_root(moments.covariance) for moments in (first, second)]
    root_trace = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    traces = sum(np.trace(moments.covariance) for moments in (first, second))
    return max(0.0, float(np.sum((first.mean - second.mean) ** 2) + traces - 2.0 * root_trace))


def square_root(covariance: np.ndarray) -> np.ndarray:
    """Returns the symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def kernel_distance(real, samples) -> tuple[float, float]:
    r"""Estimates the squared maximum mean discrepancy, without bias, under a cubic kernel.

    $$k(x, y) = (x^T y / d + 1)^3$$
    $$\mathrm{MMD}^2 = \mathrm{E}\, k(x, x') + \mathrm{E}\, k(y, y') - 2 \mathrm{E}\, k(x, y), \qquad x ≠ x', y ≠ y'$$

    Each expectation is the mean over all pairs of vectors (Gretton et al., 2012,
    https://jmlr.org/papers/v13/gretton12a.html, equation 3), not over those of random subsets, which would add a
    further error. If the distributions are equal, at least half of the estimates are negative.

    The standard error is that of the jackknife, over the vectors of both sets. If the distributions are equal, it is
    too large by a factor of √2; otherwise it converges to the right value.

    Args:
        real: feature vectors of shape `(num, size)`.
        samples: feature vectors of shape `(num_samples, size)`.

    Returns:
        The estimate, and its standard error.

    Raises:
        ValueError: if a set has fewer than three vectors, or the vectors are not equally long.
    """
    real, samples = both(real, samples, 3)
    (within_real, across_real), (within_samples, across_samples) = kernel_sums(real, samples)
    num, others = len(real), len(samples)
    parts = within_real.sum() / (num * (num - 1)), within_samples.sum() / (others * (others - 1))
    across = across_real.sum() / (num * others)
    variance = 0.0
    for within, between, size, other in (
        (within_real, across_real, num, others),
        (within_samples, across_samples, others, num),
    ):
        # The estimate without each vector of this set, except for the part that is the same for all.
        left_out = (within.sum() - 2.0 * within) / ((size - 1) * (size - 2))
        left_out -= 2.0 * (between.sum() - between) / ((size - 1) * other)
        variance += (size - 1) * np.var(left_out)
    return float(sum(parts) - 2.0 * across), math.sqrt(variance)


def kernel_sums(real: np.ndarray, samples: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sums the cubic kernel of each vector with all others of its set, and with all vectors of the other set.

    Returns:
        For each set, the two sums, of shape `(num,)`.
    """

    def kernel(a, b):
        values = a @ b.T / a.shape[1] + 1.0
        return values * values * values

    def parts(points, others):
        return np.array_split(points, -(-len(points) * len(others) // DISTANCES_AT_ONCE))

    within = []
    for points in (real, samples):
        itself = (np.sum(points**2, axis=1) / points.shape[1] + 1.0) ** 3
        within.append(np.concatenate([kernel(rows, points).sum(axis=1) for rows in parts(points, points)]) - itself)
    across_real, across_samples = [], np.zeros(len(samples))
    for rows in parts(real, samples):
        values = kernel(rows, samples)
        across_real.append(values.sum(axis=1))
        across_samples += values.sum(axis=0)
    return [(within[0], np.concatenate(across_real)), (within[1], across_samples)]


def precision_recall(real, samples, *, neighbours: int = 3) -> tuple[float, float]:
    """Computes the share of samples that lie among real examples, and of real examples that lie among samples.

    A vector lies among others if it is in the ball around one of them that extends to its `neighbours`-th nearest
    neighbour, boundary included.

    Args:
        real: feature vectors of shape `(num, size)`.
        samples: feature vectors of shape `(num_samples, size)`.
        neighbours: which of the nearest other vectors of the same set is on the boundary of a ball.

    Returns:
        Precision and recall, from 0 to 1.

    Raises:
        ValueError: if a set has no more vectors than `neighbours`.
    """
    found = neighbourhoods(real, samples, neighbours, neighbours)
    return found["precision"], found["recall"]


def density_coverage(real, samples, *, neighbours: int = 5) -> tuple[float, float]:
    r"""Computes how densely real examples surround samples, and the share of real examples with a sample nearby.

    With balls B around real vectors that extend to the `neighbours`-th nearest (k) of the others,

    $$\mathrm{density} = \frac{1}{k M} \sum_{j=1}^M \sum_{i=1}^N 1[y_j ∈ B(x_i)], \qquad
    \mathrm{coverage} = \frac{1}{N} \sum_{i=1}^N 1[∃ j: y_j ∈ B(x_i)]$$

    Unlike precision and recall, neither changes much through a single outlier among the real vectors, with its large
    ball.

    Args:
        real: feature vectors of shape `(num, size)`.
        samples: feature vectors of shape `(num_samples, size)`.
        neighbours: which of the nearest other real vectors is on the boundary of a ball.

    Returns:
        Density, about 1 for samples from the real distribution and larger if they crowd at its centre; and coverage,
        from 0 to 1.

    Raises:
        ValueError: if a set has no more vectors than `neighbours`.
    """
    found = neighbourhoods(real, samples, neighbours, neighbours)
    return found["density"], found["coverage"]


def neighbourhoods(real, samples, for_precision: int = 3, for_density: int = 5) -> dict[str, float]:
    """Computes "precision", "recall", "density" and "coverage" from distances that are computed only once.

    Args:
        real: feature vectors of shape `(num, size)`.
        samples: feature vectors of shape `(num_samples, size)`.
        for_precision: `neighbours` of `precision_recall`.
        for_density: `neighbours` of `density_coverage`.

    Raises:
        ValueError: as in these functions.
    """
    for neighbours in (for_precision, for_density):
        checks.positive_int("neighbours", neighbours)
    real, samples = both(real, samples, max(for_precision, for_density) + 1)
    real_radii, density_radii = reach(real, (for_precision, for_density))
    (sample_radii,) = reach(samples, (for_precision,))
    precise, count, start = 0, 0, 0
    recalled, covered = np.zeros((2, len(real)), bool)
    for rows in distance_blocks(samples, real):
        own_radii = sample_radii[start : start + len(rows), np.newaxis]
        precise += np.any(rows <= real_radii * (1.0 + BORDER), axis=1).sum()
        recalled |= np.any(rows <= own_radii * (1.0 + BORDER), axis=0)
        inside = rows < density_radii * (1.0 - BORDER)
        count += inside.sum()
        covered |= inside.any(axis=0)
        start += len(rows)
    return {
        "precision": float(precise / len(samples)),
        "recall": float(recalled.mean()),
        "density": float(count / (for_density * len(samples))),
        "coverage": float(covered.mean()),
    }


def reach(points: np.ndarray, neighbours: tuple[int, ...]) -> np.ndarray:
    """Returns the squared distances of each point to some of the nearest others; 1 means the nearest.

    Returns:
        float64 array of shape `(len(neighbours), len(points))`.
    """
    # The nearest of all is the point itself, or an equal point.
    found = [np.partition(rows, neighbours, axis=1)[:, neighbours] for rows in distance_blocks(points, points)]
    return np.concatenate(found).T


def distance_blocks(points: np.ndarray, centres: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the squared distances of a few points at a time to all centres, of shape `(few, len(centres))`."""
    lengths = np.sum(centres**2, axis=1)
    for rows in np.array_split(points, -(-len(points) * len(centres) // DISTANCES_AT_ONCE)):
        scale = np.sum(rows**2, axis=1)[:, np.newaxis] + lengths
        distances = scale - 2.0 * rows @ centres.T
        yield np.where(distances > ROUNDING * scale, distances, 0.0)


def score(probabilities, *, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    r"""Computes the inception score from the class probabilities of samples, from any classifier.

    $$\exp \mathrm{E}_x\, \mathrm{KL}(p(y|x) \,‖\, p(y)), \qquad p(y) = \mathrm{E}_x\, p(y|x)$$

    It ranges from 1 to the number of classes; it is high if each sample clearly has a class and all classes are equally
    frequent.

    Args:
        probabilities: shape `(num, num_classes)`, rows that sum to 1.
        splits: number of parts that the samples are divided into; the paper uses 10.
        seed: seed of the order in which they are divided: samples may be sorted by class.

    Returns:
        The mean over the parts, and its standard error; NaN for a single part.

    Raises:
        ValueError: if there are fewer samples than parts, or rows are not probabilities.
    """
    splits = checks.positive_int("splits", splits)
    probabilities = checked("probabilities", probabilities, splits)
    sums = probabilities.sum(axis=1)
    if probabilities.min() < 0.0 or np.abs(sums - 1.0).max() > 1e-3:
        raise ValueError("`probabilities` must hold rows of numbers from 0 to 1 that sum to 1.")
    order = np.random.default_rng(seed).permutation(len(probabilities))
    scores = []
    for rows in np.array_split((probabilities / sums[:, np.newaxis])[order], splits):
        scores.append(np.exp(special.rel_entr(rows, rows.mean(axis=0)).sum(axis=1).mean()))
    return float(np.mean(scores)), standard_error(np.array(scores))


def both(real, samples, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns both sets as float64 vectors of the same length."""
    real, samples = checked("real", real, least), checked("samples", samples, least)
    if real.shape[1] != samples.shape[1]:
        raise ValueError(
            f"`samples` must have vectors of {real.shape[1]} entries as `real` has, received {samples.shape[1]}."
        )
    return real, samples


def checked(name: str, vectors, least: int) -> np.ndarray:
    """Returns vectors in float64, at least `least` of them, or raises an error that says what is wrong with them."""
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2 or len(vectors) < least:
        raise ValueError(f"`{name}` must hold at least {least} vectors, (num, size), received {vectors.shape}.")
    if not np.all(np.isfinite(vectors)):
        raise ValueError(f"`{name}` holds a value that is not finite; expected finite real numbers.")
    return vectors
