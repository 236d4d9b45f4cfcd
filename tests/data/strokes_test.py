"""What is measured of strokes, by geometry: bars and rings of known thickness, slant, size and place."""

import numpy as np
import pytest

from keras_gen.data.strokes import centred, measured, moved, placed

SIDE = 40


def drawn(inside, side: int = SIDE, fine: int = 10) -> np.ndarray:
    """Returns the ink of a shape, of shape `(1, side, side)`.

    Args:
        inside: function from pixels to the right of and below the image's centre to whether a point has ink.
        side: pixels of a side.
        fine: points along a side of a pixel.
    """
    points = (np.arange(side * fine) + 0.5) / fine - side / 2
    down, right = np.meshgrid(points, points, indexing="ij")
    return inside(right, down).reshape(1, side, fine, side, fine).mean(axis=(2, 4))


def bar(width: float, length: float, *, shear: float = 0.0, turn: float = 0.0, right: float = 0.0, down: float = 0.0):
    """Returns an upright bar, its upper end sheared to the right and then turned, angles in degrees."""
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def inside(x, y):
        x, y = x - right, y - down
        x, y = cosine * x + sine * y, cosine * y - sine * x
        return (abs(x + np.tan(np.radians(shear)) * y) <= width / 2) & (abs(y) <= length / 2)

    return drawn(inside)


@pytest.mark.parametrize(("width", "tolerance"), [(2.0, 0.15), (3.0, 0.07), (4.5, 0.07)])
@pytest.mark.parametrize("turn", [0.0, 20.0, 45.0, 90.0])
def test_a_bar_is_as_thick_as_it_is(width, tolerance, turn):
    """But for corners, which the gradient cuts, and two pixels of ink, whose two edges it does not quite tell apart."""
    np.testing.assert_allclose(measured(bar(width, 24.0, turn=turn))["thickness"], [width], rtol=tolerance)


def test_a_ring_is_as_thick_as_its_band():
    """It has no ends, for which the formula allows: a seventh too much, for the thickest band."""
    for width in (2.0, 4.0):
        ring = drawn(lambda x, y, width=width: abs(np.hypot(x, y) - 12.0) <= width / 2)
        np.testing.assert_allclose(measured(ring)["thickness"], [width], rtol=0.15)


@pytest.mark.parametrize("shear", [-30.0, -8.0, 0.0, 15.0, 40.0])
def test_a_sheared_bar_has_that_slant(shear):
    for width in (2.0, 5.0):
        np.testing.assert_allclose(measured(bar(width, 20.0, shear=shear))["slant"], [shear], atol=0.5)


def test_size_is_the_longer_side_and_place_the_centre():
    found = measured(np.concatenate([bar(3.0, 17.0), bar(3.0, 17.0, turn=90.0), bar(6.0, 11.8)]))
    np.testing.assert_allclose(found["size"], [17.0, 17.0, 11.8], atol=0.2)
    for name in ("horizontal", "vertical"):
        np.testing.assert_allclose(found[name], 0.0, atol=1e-9)
    found = measured(bar(3.0, 12.0, right=-5.25, down=3.5))
    np.testing.assert_allclose([found["horizontal"], found["vertical"]], [[-5.25], [3.5]], atol=0.05)


def test_moving_changes_the_place_alone_and_fainter_ink_none_of_angle_size_and_place():
    """A shift by whole pixels leaves everything else exactly as it is."""
    ink = bar(3.0, 15.0, shear=12.0)
    there = measured(np.roll(ink, (4, -6), axis=(1, 2)))
    here, faint = measured(ink), measured(0.25 * ink)
    for name, value in here.items():
        shift = {"horizontal": -6.0, "vertical": 4.0}.get(name, 0.0)
        np.testing.assert_allclose(there[name], value + shift, atol=1e-9)
        if name != "thickness":
            np.testing.assert_allclose(faint[name], value, atol=1e-9)


def test_an_image_without_ink_has_no_properties():
    found = measured(np.concatenate([np.zeros((1, SIDE, SIDE)), bar(3.0, 15.0)]))
    assert {name: np.isnan(values).tolist() for name, values in found.items()} == {
        name: [True, False] for name in found
    }


def test_moved_signs_have_the_size_and_the_place_that_they_are_given():
    ink = np.concatenate([bar(4.0, 20.0, shear=10.0, right=3.0), bar(4.0, 20.0, down=-4.0), bar(4.0, 20.0)])
    before = measured(ink)
    after = measured(moved(ink, np.array([0.5, 0.8, 1.2]), np.array([[2.0, -5.0], [-3.0, 1.5], [0.0, 0.0]])))
    np.testing.assert_allclose(after["size"], before["size"] * [0.5, 0.8, 1.2], atol=0.5)
    np.testing.assert_allclose(after["horizontal"], [2.0, -3.0, 0.0], atol=0.2)
    np.testing.assert_allclose(after["vertical"], [-5.0, 1.5, 0.0], atol=0.2)
    np.testing.assert_allclose(after["slant"], before["slant"], atol=1.5)
    np.testing.assert_allclose(after["thickness"], before["thickness"] * [0.5, 0.8, 1.2], rtol=0.15)


def test_centred_signs_have_the_size_and_the_place_of_those_of_mnist():
    """The centre of mass is in the middle, and not that of the box."""
    hook = drawn(lambda x, y: ((abs(x + 9) <= 2) & (abs(y) <= 6)) | ((abs(x + 6) <= 5) & (abs(y - 4) <= 2)))
    found = measured(centred(np.concatenate([hook, np.roll(hook, (-5, 12), axis=(1, 2)), np.zeros_like(hook)])))
    np.testing.assert_allclose(found["size"], [20.0, 20.0, np.nan], atol=0.6)
    for name in ("horizontal", "vertical"):
        np.testing.assert_allclose(found[name], [0.0, 0.0, np.nan], atol=0.2)


def test_placed_signs_are_whole_and_anywhere():
    ink = np.repeat(bar(4.0, 24.0), 400, axis=0)
    after = placed(ink, (0.5, 1.0), (0,))
    found = measured(after)
    assert after[:, [0, -1]].max() == 0.0 == after[:, :, [0, -1]].max()
    np.testing.assert_array_equal(after, placed(ink, (0.5, 1.0), (0,)))
    assert 11.5 < found["size"].min() < 13.5
    assert 23.0 < found["size"].max() < 24.5
    # A sign of size s may lie up to (38 - s) / 2 below or above the centre, and more to its sides.
    assert np.all(abs(found["vertical"]) < (SIDE - 2 - found["size"]) / 2 + 0.3)
    assert abs(found["vertical"]).max() > 8.0
    assert abs(found["horizontal"]).max() > 15.0
    assert abs(found["vertical"].mean()) < 4.0 * found["vertical"].std() / 20.0
