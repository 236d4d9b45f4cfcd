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


def read_breast_cancer() -> Reading:
    """Returns 569 rows of 30 measurements of cell nuclei, which are malignant (0) or benign (1)."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    return Reading({"all": {"x": table.data, "condition": table.target}}, {"condition": ClassLabel(2)})
