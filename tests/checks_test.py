"""Tests of the checks of arguments, and of seeds."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import checks, seeds


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.uint8(7)])
def test_whole_numbers(value):
    found = checks.positive_int("n", value)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize(("value", "error"), [(True, TypeError), (1.0, TypeError), ("1", TypeError), (0, ValueError)])
def test_no_whole_numbers(value, error):
    with pytest.raises(error, match=r"^`n` must be .*, received .*\.$"):
        checks.positive_int("n", value)


def test_shapes_come_back_as_tuples_of_ints():
    found = checks.event_shape(np.array([2, 3]))
    assert found == (2, 3)
    assert all(type(size) is int for size in found)
    with pytest.raises(ValueError, match=r"^`event_shape` must have at least one axis, received \(\)\.$"):
        checks.event_shape(())
    for value in (4, "ab"):
        with pytest.raises(TypeError, match=r"^`event_shape` must be a tuple of whole numbers, received .*\.$"):
            checks.event_shape(value)


@pytest.mark.parametrize(
    ("check", "inside", "outside"),
    [
        (checks.rate, [0.0, 0.5, 0.999], [1.0, -0.1, math.nan]),
        (checks.share, [0.0, 0.5, 1.0], [1.01, -0.1, math.nan]),
        (checks.positive, [1e-9, 5.0], [0.0, -1.0, math.nan]),
        (checks.not_negative, [0.0, 5.0], [-1e-9, math.nan]),
    ],
)
def test_ranges_of_numbers(check, inside, outside):
    for value in inside:
        assert check("n", value) == value
        assert type(check("n", np.float64(value))) is float
    for value in outside:
        with pytest.raises(ValueError, match=rf"^`n` must be .*, received {value}\.$"):
            check("n", value)
    with pytest.raises(TypeError, match=r"^`n` must be a real number, received '0\.5'\.$"):
        check("n", "0.5")


def test_a_whole_number_is_not_rounded():
    assert checks.not_negative("n", np.int64(0), whole=True) == 0
    assert type(checks.not_negative("n", np.int64(3), whole=True)) is int
    with pytest.raises(TypeError, match=r"^`n` must be a whole number, received 2\.5\.$"):
        checks.not_negative("n", 2.5, whole=True)


def test_numbers_of_a_kind():
    assert checks.number("n", 2) == checks.number("n", np.float32(2.0)) == 2
    assert checks.number("n", np.int64(3), whole=True) == 3
    for value, whole in (("1", False), (True, False), (None, False), (0.5, True)):
        with pytest.raises(TypeError, match=rf"^`n` must be a {'whole' if whole else 'real'} number, received"):
            checks.number("n", value, whole=whole)
    with pytest.raises(ValueError, match=r"^`n` must be a number, received nan\.$"):
        checks.number("n", math.nan)


def test_levels_are_two_at_least():
    assert checks.levels(np.int64(2)) == 2
    assert checks.levels(None, allow_none=True) is None
    with pytest.raises(ValueError, match=r"^`num_codes` must be at least 2, received 1\.$"):
        checks.levels(1, name="num_codes")
    with pytest.raises(TypeError, match=r"^`levels` must be a whole number, received None\.$"):
        checks.levels(None)


def test_names_that_are_near():
    assert checks.choice("kind", "float16", ["float16", "int8"]) == "float16"
    with pytest.raises(ValueError, match=r"`kind` 'flaot16' is unknown; did you mean float16\?"):
        checks.choice("kind", "flaot16", ["float16", "int8"])
    with pytest.raises(ValueError, match=r"`kind` 'x' is unknown; expected one of float16, int8\."):
        checks.choice("kind", "x", ["float16", "int8"])


class Penalty:
    def __init__(self, size: int, *, weight: float = 1.0):
        self.weight = weight


def test_a_component_has_a_class_and_arguments():
    options = {"penalty": Penalty}
    assert checks.component("regularizer", "penalty", options) == (Penalty, {})
    assert checks.component("regularizer", {"name": "penalty", "weight": 2.0}, options) == (Penalty, {"weight": 2.0})
    for value in (1, {"weight": 2.0}, ["penalty"]):
        with pytest.raises(TypeError, match=r'^`regularizer` must be a name or a dict with the key "name", received'):
            checks.component("regularizer", value, options)
    with pytest.raises(ValueError, match=r"^`regularizer` 'penalti' is unknown; did you mean penalty\?$"):
        checks.component("regularizer", "penalti", options)
    # What the model gives it itself is nobody's to choose.
    for name in ("wieght", "size"):
        with pytest.raises(ValueError, match=rf"^`regularizer\['penalty'\]` '{name}' is unknown"):
            checks.component("regularizer", {"name": "penalty", name: 2.0}, options)


def test_the_arguments_of_a_component_are_those_of_the_constructor_that_it_inherits():
    class Base:
        def __new__(cls, *args, **kwargs):
            return super().__new__(cls)

        def __init__(self, rows, *, num_steps=1):
            self.num_steps = num_steps

    class Special(Base):
        """Has neither of its own."""

    options = {"special": Special}
    assert checks.component("phase", {"name": "special", "num_steps": 3}, options) == (Special, {"num_steps": 3})
    with pytest.raises(ValueError, match=r"`phase\['special'\]` 'num_step' is unknown; did you mean num_steps"):
        checks.component("phase", {"name": "special", "num_step": 3}, options)


def test_seeds_are_pairs():
    np.testing.assert_array_equal(seeds.as_pair(5), [0, 5])
    np.testing.assert_array_equal(seeds.as_pair(np.int64(5)), [0, 5])
    np.testing.assert_array_equal(seeds.as_pair((3, 5)), [3, 5])
    np.testing.assert_array_equal(seeds.as_pair(tf.constant(5)), [0, 5])
    np.testing.assert_array_equal(seeds.as_pair(tf.constant([3, 5], tf.int64)), [3, 5])
    # Only the lowest 32 bits count.
    np.testing.assert_array_equal(seeds.as_pair(2**32 + 5), [0, 5])
    np.testing.assert_array_equal(seeds.as_pair(-1), [0, -1])
    for seed in (None, 0.5, "a", True, (1, 2, 3), (1, 0.5), tf.constant([0.5, 1.0]), tf.constant([1, 2, 3])):
        with pytest.raises(TypeError, match="`seed` must be an integer or a pair of integers, received"):
            seeds.as_pair(seed)
