"""Which picture examples get by their space, and rows under names."""

import numpy as np
import pytest

from keras_gen import pictures
from keras_gen.pictures.plots import histograms, scatter_plot
from keras_gen.pictures.rows import fitted
from keras_gen.spaces import ClassLabel, Interval, Levels, Reals, Sound

RANDOM = np.random.default_rng(0)


def same(first, second) -> bool:
    return first.size == second.size and np.array_equal(np.asarray(first), np.asarray(second))


def test_images_are_a_grid_and_other_levels_rows_of_pixels():
    images, space = RANDOM.integers(0, 256, (9, 4, 6, 3)), Levels((4, 6, 3), 256)
    # What real vectors stand beside does not change a grid.
    assert same(pictures.picture(space, images, images[:1]), pictures.image_grid(images, space))
    bits = RANDOM.integers(0, 2, (9, 16))
    image = np.asarray(pictures.picture(Levels((16,), 2), bits))
    factor = image.shape[0] // (9 + 2 * 2)
    np.testing.assert_array_equal(image[::factor, ::factor][2:-2, 2:-2], 255 * bits)
    assert same(pictures.picture(Levels((4, 4), 2), bits.reshape(9, 4, 4)), pictures.picture(Levels((16,), 2), bits))


def test_real_vectors_are_points_or_histograms_beside_the_data():
    x, data = RANDOM.normal(size=(50, 2)), RANDOM.normal(size=(80, 2))
    assert same(pictures.picture(Reals((2,)), x, data), scatter_plot({"data": data[:50], "samples": x}))
    x, data = RANDOM.normal(size=(50, 3, 1)), RANDOM.normal(size=(80, 3, 1))
    expected = histograms(x.reshape(50, 3), data.reshape(80, 3))
    assert same(pictures.picture(Reals((3, 1)), x, data), expected)
    assert same(pictures.picture(Interval((3, 1), -9.0, 9.0), x, data), expected)


def test_entries_have_the_names_of_their_columns_and_missing_ones_are_left_out():
    x, data = RANDOM.normal(size=(50, 5)), RANDOM.normal(size=(80, 5))
    names = ("age", "born", "city", "dear", "ends")
    for num in (2, 5):
        named = pictures.picture(Reals((num,)), x[:, :num], data[:, :num], names=names[:num])
        assert not same(named, pictures.picture(Reals((num,)), x[:, :num], data[:, :num]))
        # The last row of the grid has one plot; the rest of it is white.
        lacking = np.concatenate([data[:, :num], np.full((3, num), np.nan)])
        assert same(pictures.picture(Reals((num,)), x[:, :num], lacking, names=names[:num]), named)
    height, width, _ = np.asarray(named).shape
    assert np.all(np.asarray(named)[height // 2 + 10 :, width // 4 + 10 :] == 255)


def test_sound_of_an_unknown_rate_is_drawn_as_numbers():
    x = RANDOM.uniform(-1.0, 1.0, (20, 3))
    assert same(pictures.picture(Sound((3,)), x), histograms(x))
    assert not same(pictures.picture(Sound((3,), sample_rate=8), x), histograms(x))


def test_what_is_no_number_has_no_picture():
    for rows in (
        {"label": (ClassLabel(3), np.arange(3))},
        {"a": (Reals((2,)), np.zeros((3, 2))), "b": (ClassLabel(3), 0)},
    ):
        with pytest.raises(ValueError, match=r"must hold numbers to be drawn, received ClassLabel\(num_classes=3"):
            pictures.preview(rows)


def test_one_row_is_drawn_as_it_is():
    x, data = RANDOM.normal(size=(50, 1)), RANDOM.normal(size=(80, 1))
    assert same(pictures.preview({"samples": (Reals((1,)), x)}, data), pictures.picture(Reals((1,)), x, data))


def test_several_rows_stand_under_their_names():
    space = Levels((4, 4, 1), 17)
    rows = {name: RANDOM.integers(0, 17, (12, 4, 4, 1)) for name in ("input", "output", "target")}
    labelled = pictures.labelled_rows({name: x[:10] for name, x in rows.items()}, space)
    assert same(pictures.preview({name: (space, x) for name, x in rows.items()}), labelled)
    # The names take the left; there is a row of black or white images for each.
    flat = {"black": np.zeros((3, 4, 4, 1)), "white": np.full((3, 4, 4, 1), 16)}
    image = np.asarray(pictures.labelled_rows(flat, space))[..., 0]
    column = image[:, image.shape[1] * 3 // 4]
    assert column[len(column) // 4] == 0
    assert column[len(column) * 3 // 4] == 255


def test_points_of_several_rows_stand_beside_each_other():
    rows = {name: RANDOM.normal(size=(30, 2)) for name in ("input", "output")}
    assert same(pictures.preview({name: (Reals((2,)), x) for name, x in rows.items()}), scatter_plot(rows))


def test_rows_of_several_spaces_keep_their_own_black_and_white():
    grey, colour = Levels((2, 2, 1), 2), Levels((4, 4, 3), 256)
    rows = {"source": (grey, np.ones((3, 2, 2, 1))), "target": (colour, np.full((3, 4, 4, 3), (255, 0, 0)))}
    image = np.asarray(pictures.preview(rows))
    pixels = image[:, image.shape[1] * 3 // 4]
    np.testing.assert_array_equal(pixels[len(pixels) // 4], [255, 255, 255])
    np.testing.assert_array_equal(pixels[len(pixels) * 3 // 4], [255, 0, 0])


def test_smaller_images_are_magnified_and_set_into_grey():
    image = np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(fitted(image, 4, 4, 1)[0, ..., 0], np.kron(image[0, ..., 0], np.ones((2, 2))))
    wide = fitted(image, 2, 5, 3)[0]
    np.testing.assert_array_equal(wide[:, 1:3], np.repeat(image[0], 3, axis=-1))
    assert np.all(wide[:, [0, 3, 4]] == 128)
