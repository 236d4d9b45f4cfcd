"""Tests of the full table and of independent entries; `markov_test.py` compares them with counts."""

import numpy as np
from contracts import AutoregressiveContract, DiscreteDensityContract
from markov_test import CountingContract, with_random_counts

from keras_gen.autoregressive import Independent, Tabular


class TestTabular(CountingContract, DiscreteDensityContract, AutoregressiveContract):
    def make_model(self, **changes):
        arguments = {"event_shape": (2, 3), "levels": 3, "smoothing": 0.5, "seed": 5, "name": "table"}
        return with_random_counts(Tabular(**{**arguments, **changes}))

    def make_enumerable(self):
        return self.make_model()


class TestIndependent(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self, **changes):
        return with_random_counts(Independent((2, 3), levels=3))

    def make_enumerable(self):
        return self.make_model()

    def sees(self, model):
        return np.zeros((6, 6), bool)
