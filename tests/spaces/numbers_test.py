"""Scales of numbers."""

import numpy as np
import pytest

from keras_gen.spaces import Interval, Levels, Numbers, Reals, Sound, levels_or_reals

SCALED = [Levels((5,), 2), Levels((5,), 256), Interval((5,), -3.0, 0.5), Sound((5,))]


def ends(space: Numbers) -> tuple[float, float]:
    """Returns the least and the greatest value of a space."""
    return (0.0, space.num_levels - 1.0) if isinstance(space, Levels) else (space.low, space.high)


@pytest.mark.parametrize("space", SCALED, ids=str)
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (2.0, 7.0)])
def test_the_ends_of_a_space_are_the_ends_of_the_scale_and_all_between_is_linear(space, low, high):
    least, greatest = ends(space)
    np.testing.assert_allclose(space.scaled(np.array([least, greatest], np.float32), low, high), [low, high], rtol=1e-6)
    x = space.examples(20, (0, 1))
    scaled = space.scaled(x, low, high)
    expected = low + (high - low) * (x.numpy().astype(np.float64) - least) / (greatest - least)
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(space.unscaled(scaled, low, high), x, rtol=1e-5, atol=1e-4)


def test_real_numbers_have_no_scale():
    x = Reals((5,)).examples(4, (0, 1))
    for found in (Reals((5,)).scaled(x), Reals((5,)).unscaled(x, 0.0, 1.0), Reals((5,)).nearest(x)):
        np.testing.assert_array_equal(found, x)


def test_the_nearest_value_of_a_space():
    x = np.array([-4.0, -0.2, 0.4, 0.6, 2.7, 9.0], np.float32)
    np.testing.assert_array_equal(Levels((6,), 4).nearest(x), [0, 0, 0, 1, 3, 3])
    np.testing.assert_array_equal(Interval((6,), 0.0, 0.5).nearest(x), np.clip(x, 0.0, 0.5))
    assert np.all(Levels((6,), 4).contains(Levels((6,), 4).nearest(x)))


def test_vectors_are_their_own_vectors_and_images_have_none():
    x = Reals((3,)).examples(2, (0, 1))
    assert Reals((3,)).vector_size == 3
    np.testing.assert_array_equal(Reals((3,)).vectors(x), x)
    image = Levels((2, 2, 1), 4)
    assert image.vector_size is None
    with pytest.raises(ValueError, match=r"^Levels has no vectors; a network of its own must embed it\.$"):
        image.vectors(image.examples(2))


def test_levels_where_there_is_a_number_of_them():
    assert levels_or_reals((2,), None) == Reals((2,))
    assert levels_or_reals((2,), 5) == Levels((2,), 5)
    assert levels_or_reals((2,), 5) != Levels((2,), 6)


@pytest.mark.parametrize(
    ("num_levels", "value", "advice"),
    [
        (2, 255, "; larger ones take a model with `levels=256`."),
        (2, 16, "; larger ones take a model with `levels=256`."),
        (256, 65535, "; larger ones take a model with `levels=65536`."),
        (2, 0.25, "; `x >= 0.5` makes bits of shades of grey."),
        (256, 0.25, "from 0 to 255."),
        (2, -1, "from 0 to 1."),
        (2, np.nan, "from 0 to 1."),
    ],
)
def test_an_error_says_what_to_do_about_values_of_other_levels(num_levels, value, advice):
    with pytest.raises(ValueError, match="`x` holds the value") as raised:
        Levels((2,), num_levels).validate(np.array([[0, value]]), "x")
    assert str(raised.value).endswith(advice)
    with pytest.raises(ValueError, match=rf"from 0 to {num_levels - 1}\.$"):
        Levels((2,), num_levels).validate(np.array([[0, value]]), "codes")


@pytest.mark.parametrize("space", [Levels((2,), 3, missing=True), Reals((2,), missing=True)], ids=str)
def test_entries_may_be_missing_where_a_space_says_so(space):
    x = np.array([[1.0, np.nan]], np.float32)
    np.testing.assert_array_equal(space.validate(x, "x"), x)
    np.testing.assert_array_equal(space.guard(x, "x"), x)
    np.testing.assert_array_equal(space.scaled(x) != space.scaled(x), np.isnan(x))
    with pytest.raises(ValueError, match=r"^`x` holds the value inf; expected .*, or NaN where one is missing\.$"):
        space.validate([[np.inf, 0.0]], "x")
    whole = type(space)(*((2,), 3)[: 1 + isinstance(space, Levels)])
    with pytest.raises(ValueError, match=r"^`x` holds the value nan; expected [^,]*\.$"):
        whole.validate(x, "x")


def test_samples_are_missing_behind_the_end_of_a_sound_alone():
    space, nan = Sound((3,), missing=True), np.nan
    x = np.array([[0.5, nan, nan], [1.0, -1.0, nan], [0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(space.validate(x, "x"), x)
    np.testing.assert_array_equal(space.guard(x, "x"), x)
    for wrong, value in (([nan, nan, nan], "nan"), ([0.5, nan, 0.25], "0.25"), ([0.5, 1.5, nan], "1.5")):
        sentence = f"^`x` holds the value {value}; expected real numbers from -1 to 1, or NaN behind the end.$"
        with pytest.raises(ValueError, match=sentence):
            space.validate([wrong], "x")
    with pytest.raises(
        ValueError,
        match=r"^`x` holds the value nan; expected real numbers from -1 to 1; `x\[0\]` is the first with one\.$",
    ):
        Sound((3,)).validate(x, "x")
