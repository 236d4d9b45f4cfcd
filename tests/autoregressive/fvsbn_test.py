"""Tests of the fully visible sigmoid belief network."""

import numpy as np
import pytest
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract, randomise
from small_data import rows_of_levels

from keras_gen.autoregressive import FVSBN


class TestLevels(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    def make_model(self, **changes):
        return FVSBN(**{"event_shape": (2, 3), "levels": 3, "seed": 5, "name": "regressions", **changes})

    def make_data(self):
        return rows_of_levels()

    def make_enumerable(self):
        return self.make_model()


class TestBits(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self):
        return FVSBN((8,))

    def make_enumerable(self):
        return self.make_model()


def test_each_conditional_is_a_logistic_regression():
    model = randomise(FVSBN((4,)))
    weights, bias = model.regressions.kernel.numpy(), model.regressions.bias.numpy()
    x = np.array([[1, 0, 1, 1], [0, 1, 1, 0]], np.float32)
    log_prob = 0.0
    for entry in range(4):
        logit = bias[entry] + x[:, :entry] @ weights[:entry, entry]
        log_prob += np.where(x[:, entry] == 1, -np.logaddexp(0, -logit), -np.logaddexp(0, logit))
    np.testing.assert_allclose(model.log_prob(x), log_prob, rtol=1e-5)


@pytest.mark.parametrize(("size", "levels", "number"), [(1, 2, 1), (4, 2, 10), (1, 5, 4), (3, 3, 18)])
def test_number_of_free_parameters(size, levels, number):
    assert FVSBN((size,), levels).num_free_parameters == number
