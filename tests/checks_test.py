"""Tests of the checks of arguments, domains and seeds."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.spaces.numbers import Levels, Reals


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


def test_names_that_are_near():
    assert checks.choice("kind", "float16", ["float16", "int8"]) == "float16"
    with pytest.raises(ValueError, match=r"`kind` 'flaot16' is unknown; did you mean float16\?"):
        checks.choice("kind", "flaot16", ["float16", "int8"])
    with pytest.raises(ValueError, match=r"`kind` 'x' is unknown; expected one of float16, int8\."):
        checks.choice("kind", "x", ["float16", "int8"])


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_levels_of_any_numeric_dtype(dtype):
    x = np.array([[0, 1], [1, 0]], dtype)
    found = Levels(2).validate(x, (2,))
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, x.astype(np.float32))


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Levels(2), [0, 1], [-1, 2, 0.5, np.nan, np.inf]),
        (Levels(256), [0, 17, 255], [256, 300, -1, 254.5, np.nan, -np.inf]),
        (Reals(), [-3e38, 0.0, 0.5], [np.nan, np.inf, -np.inf]),
    ],
)
def test_arrays_and_graphs_refuse_the_same_values_in_the_same_words(domain, inside, outside):
    guard = tf.function(domain.guard)
    for value in inside:
        x = np.full((2, 1), value, np.float32)
        np.testing.assert_array_equal(domain.validate(x, (1,)), x)
        np.testing.assert_array_equal(guard(tf.constant(x)), x)
    for value in outside:
        x = np.array([[inside[0]], [value]], np.float32)
        with pytest.raises(ValueError, match=r"^`x` holds the value .*; expected .*\.$") as raised:
            domain.validate(x, (1,))
        assert f"{value:g}" in str(raised.value)
        with pytest.raises(tf.errors.InvalidArgumentError) as in_graph:
            guard(tf.constant(x))
        assert str(raised.value) in in_graph.value.message


def test_other_arrays():
    with pytest.raises(TypeError, match="`x` must hold numbers, received dtype"):
        Reals().validate(np.array([["a"]]), (1,))
    with pytest.raises(TypeError, match="`x` must hold numbers, received dtype complex64"):
        Reals().validate(np.zeros((1, 1), np.complex64), (1,))
    with pytest.raises(TypeError, match="`x` must hold numbers, received dtype object"):
        Reals().validate(np.array([[None]]), (1,))
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, 2, 3\), received \(2, 3\)\."):
        Reals().validate(np.zeros((2, 3)), (2, 3))
    with pytest.raises(ValueError, match="`x` holds no examples"):
        Reals().validate(np.zeros((0, 3)), (3,))


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
