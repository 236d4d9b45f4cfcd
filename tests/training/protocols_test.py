"""What recipes report of samples: modes on the scale of the data, Parzen windows on that from 0 to 1."""

import numpy as np
import pytest

from keras_gen import data, evaluation, training


class Copies:
    """A model that draws given examples, one after another."""

    def __init__(self, x):
        self.x = x
        self.sizes = []

    def sample_on_examples(self, num_samples, *, seed):
        start = sum(self.sizes)
        self.sizes.append(num_samples)
        return self.x[start : start + num_samples]


@pytest.mark.parametrize("standardize", [False, True])
def test_modes_are_counted_on_the_scale_of_the_data(standardize):
    splits = data.load("twenty_five_gaussians", standardize=standardize)
    assert (splits.scale is not None) == standardize
    model = Copies(splits.array("train"))
    found = training.judged_samples(model, splits, num_samples=2500, seed=0)
    assert sum(model.sizes) == 2500
    assert found["modes"] == 25
    assert found["high_quality"] > 0.97


def test_windows_have_levels_from_0_to_1():
    splits = data.load("digits")
    x = splits.array("train")[:300]
    found = training.judged_samples(Copies(x), splits, num_samples=300, seed=0)
    expected = evaluation.parzen_log_likelihood(
        x / 16.0, splits.array("test") / 16.0, splits.array("validation") / 16.0
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_other_real_vectors_have_no_figure():
    splits = data.load("two_moons")
    assert training.judged_samples(Copies(np.zeros((5, 2))), splits, num_samples=5, seed=0) == {}
