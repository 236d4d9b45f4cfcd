"""Tests of the inverse of triangular matrices against NumPy's."""

import numpy as np
import pytest

from keras_gen.layers import unit_triangular_inverse


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9, 43])
@pytest.mark.parametrize("half", [np.tril, np.triu])
def test_the_inverse_of_a_unit_triangular_matrix(size, half):
    full = np.random.default_rng(size).standard_normal((2, size, size)) / size**0.5
    strict = half(full, -1 if half is np.tril else 1).astype(np.float32)
    inverse = unit_triangular_inverse(strict)
    np.testing.assert_allclose(inverse, np.linalg.inv(np.eye(size) + strict), rtol=1e-4, atol=1e-4)
    # Nothing enters the half that is zero.
    np.testing.assert_array_equal(inverse, half(inverse))
