"""Machines so small that all states of all units can be enumerated."""

import itertools

import numpy as np
from contracts import ModelContract, traced


class LayeredContract(ModelContract):
    """As `ModelContract`, where a sample takes a thousand sweeps unless a model is told otherwise."""

    def test_event_shape_is_enough(self, model):
        with traced():
            super().test_event_shape_is_enough(model)


def all_bits(size: int) -> np.ndarray:
    """Returns all vectors of bits, float32 of shape `(2 ** size, size)`."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=size)), np.float32).reshape(-1, size)


def all_states(model) -> dict[str, np.ndarray]:
    """Returns all configurations of all units of a machine of layers: name to statistics, a row for each."""
    values = [
        np.eye(units.size, dtype=np.float32) if units.num_values > 1 else all_bits(units.size)
        for units in model.units.values()
    ]
    rows = list(itertools.product(*values))
    return {name: np.stack([row[index] for row in rows]) for index, name in enumerate(model.units)}


def log_masses(model, states: dict[str, np.ndarray]) -> np.ndarray:
    """Returns -E of states, by the sums of the formula, in float64."""
    bias = dict(zip(model.units, (variable.numpy().astype(np.float64) for variable in model.biases), strict=True))
    total = sum(states[name] @ bias[name] for name in model.units)
    for (below, above), weight in zip(model.connections, model.weights_of_connections, strict=True):
        total = total + np.einsum("ni,ij,nj->n", states[below], weight.numpy().astype(np.float64), states[above])
    return total


def exact(model, name: str = "x") -> tuple[np.ndarray, np.ndarray, float]:
    """Returns all values of a layer, log p of each, and log Z, by brute force."""
    states = all_states(model)
    masses = log_masses(model, states)
    log_z = np.logaddexp.reduce(masses)
    values, place = np.unique(states[name], axis=0, return_inverse=True)
    log_probs = np.array([np.logaddexp.reduce(masses[place.ravel() == index]) for index in range(len(values))])
    return values, log_probs - log_z, log_z
