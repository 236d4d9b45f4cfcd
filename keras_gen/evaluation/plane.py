"""Densities over the plane, known up to a factor and normalised by quadrature."""

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_gen import checks
from keras_gen.core import EventModel


@dataclasses.dataclass(frozen=True)
class PlaneDensity:
    """A density on a grid of the plane: the midpoint rule on squares of equal size.

    Attributes:
        points: midpoints, float64 of shape `(num, 2)`.
        log_density: log density in nats, of shape `(num,)`.
        log_normalizer: log Z, in nats.
        area: area of the square around a point.
        edge_share: share of the mass in the outermost tenth of the rectangle, on each side. If it is not small, mass
            may lie outside, and Z is too small.
    """

    points: np.ndarray
    log_density: np.ndarray
    log_normalizer: float
    area: float
    edge_share: float


def plane_density(energy: Callable[[np.ndarray], np.ndarray], low, high, *, num_per_side: int = 500) -> PlaneDensity:
    r"""Integrates $Z = ∫ e^{-E(x)} dx$ over a rectangle.

    Args:
        energy: function from float32 points of shape `(num, 2)` to their energies, in nats.
        low: lowest coordinates of the rectangle, a pair.
        high: highest coordinates.
        num_per_side: number of points along each side of the grid. Their spacing must be finer than the details of the
            density.

    Returns:
        The density, e^{-E} / Z.

    Raises:
        ValueError: if `high` is not above `low`.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if low.shape != (2,) or high.shape != (2,) or not np.all(high > low):
        raise ValueError(f"`high` must be a pair above `low` {low.tolist()}, received {high.tolist()}.")
    num = checks.positive_int("num_per_side", num_per_side)
    middles = (np.arange(num) + 0.5) / num
    unit = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)
    points = low + unit * (high - low)
    parts = np.array_split(points.astype(np.float32), 1 + len(points) // 20_000)
    log_mass = -np.concatenate([np.asarray(energy(part), np.float64) for part in parts])
    area = float(np.prod((high - low) / num))
    log_normalizer = float(np.logaddexp.reduce(log_mass) + np.log(area))
    log_density = log_mass - log_normalizer
    at_edge = np.any(np.abs(unit - 0.5) > 0.4, axis=1)
    edge_share = float(np.exp(log_density[at_edge]).sum() * area)
    return PlaneDensity(points, log_density, log_normalizer, area, edge_share)


def plane_likelihood(
    model: EventModel,
    x,
    *,
    truth: Callable[[np.ndarray], np.ndarray] | None = None,
    margin: float = 1.0,
    num_per_side: int = 500,
) -> dict[str, float]:
    """Evaluates an energy-based model of points in the plane by its exact likelihood.

    Example:

    ```python
    density = toy.get("two_moons")
    evaluation.plane_likelihood(model, density.sample(10_000, seed=1), truth=density.log_density)
    ```

    Args:
        model: an unconditional model with `energy`, of two real numbers.
        x: held-out points of shape `(num, 2)`.
        truth: function from points to the log-density that they were drawn from, if it is known.
        margin: how far the rectangle of integration for Z extends beyond the points on each side, as a multiple of
            their range.
        num_per_side: as in `plane_density`.

    Returns:
        "nll", the mean of -log p(x) in nats, and its "standard_error"; "log_normalizer" and "edge_share" as in
        `PlaneDensity`; and, given the truth, "kl_from_truth", KL(truth || model) in nats by quadrature, and
        "gap_to_truth", the same as a mean over the points.

    Raises:
        ValueError: if the model is of another kind.
    """
    if model.event_shape != (2,) or model.levels is not None or model.condition_space is not None:
        raise ValueError(
            f"`model` must be an unconditional model of two real numbers, received a {type(model).__name__} of shape "
            f"{model.event_shape}."
        )
    x = np.asarray(x, np.float32)
    low, high = x.min(axis=0), x.max(axis=0)

    def energy(points: np.ndarray) -> np.ndarray:
        return model.energy(points).numpy().astype(np.float64)

    beyond = margin * (high - low)
    density = plane_density(energy, low - beyond, high + beyond, num_per_side=num_per_side)
    log_prob = -energy(x) - density.log_normalizer
    figures = {
        "nll": float(-log_prob.mean()),
        "standard_error": float(log_prob.std(ddof=1) / len(x) ** 0.5),
        "log_normalizer": density.log_normalizer,
        "edge_share": density.edge_share,
    }
    if truth is not None:
        true = truth(density.points)
        mass = np.exp(true) * density.area
        # Where there is no mass, the logarithm is infinite and has no weight.
        ratio = np.where(mass > 0.0, true - density.log_density, 0.0)
        figures["kl_from_truth"] = float(np.sum(mass * ratio))
        figures["gap_to_truth"] = float(np.mean(truth(x) - log_prob))
    return figures
