"""Small examples with structure that a model can learn."""

import numpy as np


def rows_of_levels() -> np.ndarray:
    """Returns 40 examples of shape (2, 3) in three levels; the first entry of a row determines the others."""
    first = np.random.default_rng(0).integers(0, 3, (40, 2, 1))
    return np.concatenate([first, first, (first + 1) % 3], axis=2)


def colours() -> np.ndarray:
    """Returns 40 images of shape (2, 2, 3) in three levels of red, green and blue; red determines the others."""
    red = np.random.default_rng(0).integers(0, 3, (40, 2, 2, 1))
    return np.concatenate([red, red, (red + 1) % 3], axis=-1)
