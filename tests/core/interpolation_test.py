"""Ways between codes by hand."""

import numpy as np

from keras_gen.core.interpolation import interpolated


def test_a_line_and_a_great_circle():
    a, b = np.array([[3.0, 0.0]]), np.array([[0.0, 3.0]])
    line = interpolated(a, b, 4)
    np.testing.assert_allclose(line[0], [[3, 0], [2, 1], [1, 2], [0, 3]], atol=1e-6)
    angles = np.radians([0, 30, 60, 90])
    circle = interpolated(a, b, 4, spherical=True)
    np.testing.assert_allclose(circle[0], 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-6)
    # Parallel codes have no circle between them, nor has the origin.
    for end in ([[6.0, 0.0]], [[0.0, 0.0]]):
        np.testing.assert_allclose(interpolated(a, end, 5, spherical=True), interpolated(a, end, 5))
    assert interpolated(np.ones((2, 3, 4, 5)), np.zeros((2, 3, 4, 5)), 7).shape == (2, 7, 3, 4, 5)
