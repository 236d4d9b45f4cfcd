"""Two-dimensional toy densities, with samples and their true log density.

Everything is NumPy in float64, so that a model can be compared with the truth:

```python
density = toy.get("two_moons")
x = density.sample(10_000, seed=0)
gap = np.mean(density.log_density(x) - model.log_prob(x))    # nats; the divergence of the model from the truth
```
"""

import abc
import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from scipy import special

from keras_gen import checks


class ToyDensity(abc.ABC):
    """A density over the plane."""

    def sample(self, num_samples: int, seed: int = 0) -> np.ndarray:
        """Draws points from the density.

        Args:
            num_samples: number of points, at least 1.
            seed: integer, at least 0; the same seed gives the same points.

        Returns:
            float32 array of shape `(num_samples, 2)`.
        """
        num_samples = checks.positive_int("num_samples", num_samples)
        return self.draw(num_samples, np.random.default_rng(seed)).astype(np.float32)

    def log_density(self, points) -> np.ndarray:
        """Computes the true log density.

        Args:
            points: finite numbers of shape `(num_points, 2)`.

        Returns:
            float64 array of shape `(num_points,)`, in nats; minus infinity where the density is zero.

        Raises:
            ValueError: if the points have a different shape.
        """
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"`points` must have shape (num_points, 2), received {points.shape}.")
        return self.log_density_of(points)

    @abc.abstractmethod
    def draw(self, num_samples: int, random: np.random.Generator) -> np.ndarray:
        """Draws float64 points of shape `(num_samples, 2)`."""

    @abc.abstractmethod
    def log_density_of(self, points: np.ndarray) -> np.ndarray:
        """Computes the log density of float64 points of shape `(num_points, 2)`."""


@dataclasses.dataclass(frozen=True)
class NoisyCurves(ToyDensity):
    """A random point on one of several curves, chosen at random, plus isotropic Gaussian noise.

    p(x) = (1/K) Σ_k ∫_0^1 N(x; c_k(u), σ² I) du. The integral is computed by Gauss-Legendre quadrature, whose nodes
    must be closer to each other along the curve than σ.

    Args:
        curves: functions from u of shape `(n,)` to points of shape `(n, 2)`.
        noise: the standard deviation σ.
        num_nodes: number of quadrature nodes of each curve.
    """

    curves: tuple[Callable[[np.ndarray], np.ndarray], ...]
    noise: float
    num_nodes: int = 512

    def draw(self, num_samples, random):
        which = random.integers(len(self.curves), size=num_samples)
        u = random.random(num_samples)
        points = np.stack([curve(u) for curve in self.curves])[which, np.arange(num_samples)]
        return points + self.noise * random.standard_normal(points.shape)

    def log_density_of(self, points):
        nodes, weights = special.roots_legendre(self.num_nodes)
        centres = np.concatenate([curve((nodes + 1.0) / 2.0) for curve in self.curves])
        log_weights = np.tile(np.log(weights / 2.0 / len(self.curves)), len(self.curves))
        # A few hundred points at a time: all pairs of points and nodes would exhaust the memory.
        parts = np.array_split(points, 1 + len(points) // 256)
        return np.concatenate([log_mixture(part, centres, self.noise, log_weights) for part in parts])


@dataclasses.dataclass(frozen=True)
class Rings(ToyDensity):
    """A random point on one of several equally likely circles around the origin, plus isotropic Gaussian noise.

    At distance r from the origin, p(x) = (1/K) Σ_k exp(-(r² + r_k²) / 2σ²) I_0(r r_k / σ²) / 2πσ², where I_0 is the
    modified Bessel function.

    Args:
        radii: the radii r_k.
        noise: the standard deviation σ.
    """

    radii: tuple[float, ...]
    noise: float

    def draw(self, num_samples, random):
        radius = random.choice(self.radii, size=(num_samples, 1))
        return radius * on_circle(random.random(num_samples)) + self.noise * random.standard_normal((num_samples, 2))

    def log_density_of(self, points):
        distance, radii = np.hypot(*points.T)[:, np.newaxis], np.asarray(self.radii)
        # SciPy's scaled I_0 is exp(-|a|) I_0(a), which does not overflow.
        log_bessel = np.log(special.ive(0, distance * radii / self.noise**2))
        log_densities = log_bessel - (distance - radii) ** 2 / (2.0 * self.noise**2)
        return special.logsumexp(log_densities, axis=-1) - np.log(2.0 * np.pi * self.noise**2 * len(radii))


class EqualGaussians(ToyDensity):
    """A mixture of equally likely isotropic Gaussians.

    A subclass provides their `centres`, float64 of shape `(num_components, 2)`, and the standard deviation `noise` of
    each.
    """

    centres: np.ndarray
    noise: float

    def draw(self, num_samples, random):
        which = random.integers(len(self.centres), size=num_samples)
        return self.centres[which] + self.noise * random.standard_normal((num_samples, 2))

    def log_density_of(self, points):
        return log_mixture(points, self.centres, self.noise, -np.log(len(self.centres)))


@dataclasses.dataclass(frozen=True)
class RoundGaussians(EqualGaussians):
    """Equally likely isotropic Gaussians at equal angles on a circle.

    Args:
        num_components: number of Gaussians.
        radius: radius of the circle.
        noise: standard deviation of each.
    """

    num_components: int
    radius: float
    noise: float

    @property
    def centres(self) -> np.ndarray:
        return self.radius * on_circle(np.arange(self.num_components) / self.num_components)


@dataclasses.dataclass(frozen=True)
class GridGaussians(EqualGaussians):
    """Equally likely isotropic Gaussians at the points of a square grid around the origin.

    Args:
        per_side: number of Gaussians along a side.
        spacing: distance between neighbours.
        noise: standard deviation of each.
    """

    per_side: int
    spacing: float
    noise: float

    @property
    def centres(self) -> np.ndarray:
        line = self.spacing * (np.arange(self.per_side) - (self.per_side - 1) / 2.0)
        return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)


@dataclasses.dataclass(frozen=True)
class Checkerboard(ToyDensity):
    """Uniform on the black squares of a board around the origin.

    Args:
        squares_per_side: number of squares along a side, even.
        side: side length of the board.
    """

    squares_per_side: int
    side: float

    def draw(self, num_samples, random):
        row = random.integers(self.squares_per_side, size=num_samples)
        column = 2 * random.integers(self.squares_per_side // 2, size=num_samples) + row % 2
        corner = np.stack([column, row], axis=-1)
        return (corner + random.random((num_samples, 2))) * self.side / self.squares_per_side - self.side / 2.0

    def log_density_of(self, points):
        square = np.floor((points + self.side / 2.0) * self.squares_per_side / self.side)
        on_board = np.all((square >= 0) & (square < self.squares_per_side), axis=-1)
        black = on_board & (square.sum(axis=-1) % 2 == 0)
        return np.where(black, -np.log(self.side**2 / 2.0), -np.inf)


@dataclasses.dataclass(frozen=True)
class Pinwheel(ToyDensity):
    """Gaussians stretched along the radii of a circle and twisted around its centre.

    A point at distance r from the centre is rotated by `twist`·exp(r). This preserves areas, so that the density of a
    point is the same as before.

    Args:
        num_arms: number of Gaussians.
        radial_noise: standard deviation along the radius; the Gaussians' means are at distance 1.
        tangential_noise: standard deviation across it.
        twist: angle, in radians, at distance 0.
        scale: factor by which everything is enlarged at the end.
    """

    num_arms: int
    radial_noise: float
    tangential_noise: float
    twist: float
    scale: float

    #: The mean of an arm before it is rotated.
    mean = np.array([1.0, 0.0])

    def draw(self, num_samples, random):
        noise = random.standard_normal((num_samples, 2)) * (self.radial_noise, self.tangential_noise)
        arm = random.integers(self.num_arms, size=num_samples) / self.num_arms
        return self.scale * self.turned(noise + self.mean, 2.0 * np.pi * arm, self.twist)

    def log_density_of(self, points):
        points = points / self.scale
        log_densities = []
        for arm in range(self.num_arms):
            # The distance to the centre is the same before the twist and after it.
            straight = self.turned(points, -2.0 * np.pi * arm / self.num_arms, -self.twist)
            noise = (straight - self.mean) / (self.radial_noise, self.tangential_noise)
            log_densities.append(-0.5 * np.sum(noise**2, axis=-1))
        log_norm = np.log(2.0 * np.pi * self.radial_noise * self.tangential_noise * self.scale**2 * self.num_arms)
        return special.logsumexp(log_densities, axis=0) - log_norm

    def turned(self, points: np.ndarray, angle, twist: float) -> np.ndarray:
        """Rotates each point by its own angle and by the twist at its distance from the centre."""
        x, y = points.T
        angle = angle + twist * np.exp(np.hypot(x, y))
        return np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], axis=-1)


def on_circle(u: np.ndarray) -> np.ndarray:
    """Returns the points after the fractions `u` of a turn along the unit circle."""
    return np.stack([np.cos(2.0 * np.pi * u), np.sin(2.0 * np.pi * u)], axis=-1)


def log_mixture(points: np.ndarray, centres: np.ndarray, noise: float, log_weights) -> np.ndarray:
    """Computes the log density of a mixture of isotropic Gaussians with one standard deviation, `noise`."""
    # |p - c|² = |p|² + |c|² - 2 p·c; only the last term needs a matrix.
    along = (log_weights - np.sum(centres**2, axis=-1) / (2.0 * noise**2)) + points @ (centres.T / noise**2)
    log_norm = np.sum(points**2, axis=-1) / (2.0 * noise**2) + np.log(2.0 * np.pi * noise**2)
    return special.logsumexp(along, axis=-1) - log_norm


def upper_moon(u: np.ndarray) -> np.ndarray:
    return on_circle(u / 2.0)


def lower_moon(u: np.ndarray) -> np.ndarray:
    return (1.0, 0.5) - on_circle(u / 2.0)


def spiral(u: np.ndarray, sign: float) -> np.ndarray:
    """One and a half turns outwards; the square root makes points about equally dense along the curve."""
    turns = 1.5 * np.sqrt(u)
    return sign * (2.0 * np.pi / 3.0 * turns)[:, np.newaxis] * on_circle(turns) * (-1.0, 1.0)


DENSITIES: dict[str, ToyDensity] = {
    "two_moons": NoisyCurves((upper_moon, lower_moon), noise=0.1, num_nodes=256),
    "two_spirals": NoisyCurves(tuple(functools.partial(spiral, sign=sign) for sign in (1.0, -1.0)), noise=0.1),
    "rings": Rings((0.75, 1.5, 2.25, 3.0), noise=0.08),
    "eight_gaussians": RoundGaussians(8, radius=2.0 * np.sqrt(2.0), noise=np.sqrt(2.0) / 4.0),
    "twenty_five_gaussians": GridGaussians(5, spacing=2.0, noise=0.05),
    "checkerboard": Checkerboard(squares_per_side=4, side=8.0),
    "pinwheel": Pinwheel(5, radial_noise=0.3, tangential_noise=0.1, twist=0.25, scale=2.0),
}

NAMES = tuple(DENSITIES)


def get(name: str) -> ToyDensity:
    """Returns the density with a given name, or raises ValueError with the nearest names."""
    return DENSITIES[checks.choice("name", name, NAMES)]
