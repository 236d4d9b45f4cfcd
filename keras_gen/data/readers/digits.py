"""Sets that come with scikit-learn."""

import numpy as np

from keras_gen.data.columns import Reading
from keras_gen.spaces import ClassLabel, Levels


def read_digits() -> Reading:
    """Returns 1,797 handwritten digits of 8×8 pixels and 17 levels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    columns = {"x": digits.images[..., np.newaxis].astype(np.uint8), "condition": digits.target}
    return Reading({"all": columns}, {"x": Levels((8, 8, 1), 17), "condition": ClassLabel(10)})


def read_photos() -> Reading:
    """Returns 299 squares of 32×32 pixels cut out of two photographs: a temple and a flower.

    They do not overlap; flat ones, whose channels deviate from their mean by less than 8 levels, are left out.
    """
    from sklearn.datasets import load_sample_images

    side, squares = 32, []
    for photo in load_sample_images().images:
        rows, columns = photo.shape[0] // side, photo.shape[1] // side
        cut = photo[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
        squares.append(cut.transpose(0, 2, 1, 3, 4).reshape(-1, side, side, 3))
    x = np.concatenate(squares)
    x = x[x.std(axis=(1, 2)).mean(axis=-1) >= 8.0]
    return Reading({"all": {"x": x}}, {"x": Levels((side, side, 3), 256)})


def read_breast_cancer() -> Reading:
    """Returns 569 rows of 30 measurements of cell nuclei, which are malignant (0) or benign (1)."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    return Reading({"all": {"x": table.data, "condition": table.target}}, {"condition": ClassLabel(2)})
