"""Key parts: the squares with most edges, where they were, and sets of images with them."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_gen import data
from keras_gen.data.parts import cut, key_corners, mask_of
from keras_gen.spaces import Levels


def corners_by_hand(image, num_parts, size):
    """Tries every square in turn."""
    image = image.astype(np.float64)
    edges = np.zeros(image.shape[:2])
    edges[:, :-1] += np.abs(np.diff(image, axis=1)).sum(axis=-1)
    edges[:-1] += np.abs(np.diff(image, axis=0)).sum(axis=-1)
    height, width = edges.shape
    found = []
    for _ in range(num_parts):
        places = [(row, column) for row in range(height - size + 1) for column in range(width - size + 1)]
        sums = [edges[row : row + size, column : column + size].sum() for row, column in places]
        row, column = places[int(np.argmax(sums))]
        found.append((row, column))
        edges[row : row + size, column : column + size] = 0.0
    return found


def test_parts_are_the_squares_with_most_edges():
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 3)).astype(np.uint8)
    corners = key_corners(tf.constant(images), 3, 3).numpy()
    np.testing.assert_array_equal(corners, [corners_by_hand(image, 3, 3) for image in images])
    parts, mask = cut(tf.constant(images), corners, 3).numpy(), mask_of(tf.constant(corners), 3, (9, 7)).numpy()
    expected = np.zeros((4, 9, 7, 1))
    for index in range(4):
        for part, (row, column) in zip(parts[index], corners[index], strict=True):
            np.testing.assert_array_equal(part, images[index, row : row + 3, column : column + 3])
            expected[index, row : row + 3, column : column + 3] = 1.0
    np.testing.assert_array_equal(mask, expected)


def test_made_images_have_their_parts_where_something_is():
    """Three crosses, the brightest one first; and an image without an edge."""
    image = np.zeros((2, 20, 20, 1), np.uint8)
    centres = [(4, 14), (14, 4), (15, 15)]
    for level, (row, column) in zip((250, 150, 50), centres, strict=True):
        image[0, row - 1 : row + 2, column] = level
        image[0, row, column - 1 : column + 2] = level
    corners = key_corners(tf.constant(image), 3, 5).numpy()
    for (row, column), (top, left) in zip(centres, corners[0], strict=True):
        # A cross of 3×3 and the pixels that differ from it lie in the square.
        assert top < row - 1
        assert left < column - 1
        assert row + 1 < top + 5
        assert column + 1 < left + 5
    np.testing.assert_array_equal(corners[1], 0)


def test_sets_have_parts_whether_in_memory_or_in_a_folder(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (20, 6, 9, 3)).astype(np.uint8)
    for index, image in enumerate(x):
        PIL.Image.fromarray(image).save(tmp_path / f"{index:02}.png")
    digits = data.with_parts(data.load("digits", labels=True, batch_size=10), part_size=3)
    faces = data.with_parts(data.load(tmp_path, batch_size=10), 2)
    assert list(digits.spaces) == list(faces.spaces) == ["parts", "x", "mask"]
    assert digits.spaces["parts"] == Levels((3, 3, 3, 1), 17)
    assert faces.spaces["parts"] == Levels((2, 2, 2, 3), 256)
    for splits in (digits, faces):
        num_parts, size = splits.spaces["parts"].shape[:2]
        for batch in (next(iter(splits.train)), next(iter(splits.test))):
            corners = key_corners(batch["x"], num_parts, size)
            np.testing.assert_array_equal(batch["parts"], cut(batch["x"], corners, size))
            np.testing.assert_array_equal(batch["mask"], mask_of(corners, size, splits.event_shape[:2]))
    assert data.with_parts(data.load("photos")).spaces["parts"].shape == (3, 10, 10, 3)


@pytest.mark.parametrize(
    ("splits", "arguments", "sentence"),
    [
        (lambda: data.load("two_moons"), {}, "`splits` must hold images as its column x; two_moons has"),
        (lambda: data.load("digits"), {"part_size": 9}, r"`part_size` must be at most 8 for images of \(8, 8\)"),
        (lambda: data.load("digits"), {"num_parts": 0}, "`num_parts` must be at least 1, received 0"),
        (lambda: data.load("digits", binarization="dynamic"), {}, "`splits` must hold images that stay as they are"),
        (lambda: data.augmented(data.load("digits"), "x"), {}, "`splits` must hold images that stay as they are"),
    ],
)
def test_wrong_arguments(splits, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.with_parts(splits(), **arguments)
