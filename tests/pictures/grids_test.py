"""Grids: which pixel stands where, and how bright it is."""

import numpy as np
import pytest

from keras_gen import pictures
from keras_gen.spaces import Interval, Levels, Reals


def test_a_grid_shows_every_pixel_at_its_place():
    images = np.arange(4)[:, np.newaxis, np.newaxis, np.newaxis] * np.ones((4, 3, 3, 1))
    grid = np.asarray(pictures.image_grid(images, Levels((3, 3, 1), 4), min_size=1))
    assert grid.shape == (12, 12)
    np.testing.assert_array_equal(grid[3::5, 3::5], [[0, 85], [170, 255]])
    # Between images, and around them, it is grey.
    assert np.all(grid[[0, 1, 5, 6, 10, 11]] == 128)


@pytest.mark.parametrize(
    ("space", "values", "brightness"),
    [
        (Levels((1, 1, 1), 256), [0, 1, 254, 255], [0, 1, 254, 255]),
        (Interval((1, 1, 1), -1.0, 1.0), [-1.0, 0.0, 1.0, 2.0], [0, 128, 255, 255]),
        (Reals((1, 1, 1)), [-3.0, 1.0, 5.0, 5.0], [0, 128, 255, 255]),
        (Reals((1, 1, 1)), [7.0, 7.0, 7.0, 7.0], [0, 0, 0, 0]),
    ],
)
def test_the_space_says_what_is_black_and_white(space, values, brightness):
    images = np.reshape(values, (4, 1, 1, 1))
    grid = np.asarray(pictures.image_grid(images, space, columns=4, margin=1, min_size=1))
    np.testing.assert_array_equal(grid[1, 1::2], brightness)


def test_small_images_are_magnified_by_a_whole_factor():
    grid = pictures.image_grid(np.zeros((4, 8, 8, 3)), Levels((8, 8, 3), 2), min_size=400)
    assert grid.size == (18 * 22, 18 * 22)
    assert grid.mode == "RGB"


def test_examples_of_another_shape_become_a_row_of_pixels():
    np.testing.assert_array_equal(pictures.as_images(np.arange(6).reshape(2, 3))[1], [[[3], [4], [5]]])
    assert pictures.as_images(np.zeros((5, 4, 4, 2))).shape == (5, 1, 32, 1)
    assert pictures.as_images(np.zeros((5, 4, 4, 3))).shape == (5, 4, 4, 3)
