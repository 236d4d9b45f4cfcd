"""Tests of triangular matrices against NumPy's."""

import numpy as np
import pytest

from keras_gen.layers import unit_triangular_inverse
from keras_gen.layers.triangular import filled_triangle


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9, 43])
@pytest.mark.parametrize("half", [np.tril, np.triu])
def test_the_inverse_of_a_unit_triangular_matrix(size, half):
    full = np.random.default_rng(size).standard_normal((2, size, size)) / size**0.5
    strict = half(full, -1 if half is np.tril else 1).astype(np.float32)
    inverse = unit_triangular_inverse(strict)
    np.testing.assert_allclose(inverse, np.linalg.inv(np.eye(size) + strict), rtol=1e-4, atol=1e-4)
    # Nothing enters the half that is zero.
    np.testing.assert_array_equal(inverse, half(inverse))


@pytest.mark.parametrize("upper", [True, False])
def test_a_triangle_is_filled_row_by_row(upper):
    diagonal, others = np.array([[1.0, 2.0, 3.0]] * 2), np.array([[4.0, 5.0, 6.0]] * 2)
    expected = [[1, 4, 5], [0, 2, 6], [0, 0, 3]] if upper else [[1, 0, 0], [4, 2, 0], [5, 6, 3]]
    np.testing.assert_array_equal(filled_triangle(diagonal, others, upper=upper), [expected] * 2)
