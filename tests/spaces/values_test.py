"""Every space refuses the same values in arrays and in graphs, in the same words."""

import re

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.spaces import Attributes, ClassLabel, Interval, Levels, Reals, Sound, Text, Tokens

#: Spaces, values that belong to them and values that do not, each a scalar that fills one example.
CASES = {
    "bits": (Levels((1,), 2), [0, 1], [-1, 2, 0.5, np.nan, np.inf]),
    "levels": (Levels((2, 1), 256), [0, 17, 255], [256, 300, -1, 254.5, np.nan, -np.inf]),
    "reals": (Reals((3,)), [-3e38, 0.0, 0.5], [np.nan, np.inf, -np.inf]),
    "interval": (Interval((1,), -0.5, 2.0), [-0.5, 0.0, 2.0], [-0.51, 2.1, np.nan, np.inf]),
    "sound": (Sound((4,), sample_rate=8000), [-1.0, 0.25, 1.0], [-1.01, 1.5, np.nan]),
    "class": (ClassLabel(3), [0, 2], [-1, 3, 1 << 40]),
    "class or none": (ClassLabel(3, unknown=True), [-1, 2], [-2, 3]),
    "attributes": (Attributes(2), [0, 1], [-1, 2]),
    "tokens": (Tokens(3, vocabulary_size=5), [0, 4], [-1, 5]),
    "text": (Text(3), ["", "abc", "äöü"], ["abcd", "äöüß"]),
}


def filled(space, value) -> np.ndarray:
    """Returns two examples; the last entry of the second one is the value, and all others are the first example."""
    valid = np.array(space.examples(2, (0, 1)))
    if space.dtype == tf.string:
        return np.array([value, value], object)
    dtype = np.float32 if space.dtype.is_floating else np.int64
    x = np.broadcast_to(valid[:1], valid.shape).astype(dtype)
    x.flat[-1] = value
    return x


def test_the_first_row_with_nan_is_named():
    x = np.zeros((6, 2, 3), np.float32)
    x[4, 1, 2] = x[5, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"expected finite real numbers; `x\[4\]` is the first with one\.$"):
        Reals((2, 3)).validate(x, "x")
    # Of one row, and of a wrong value of another kind, nothing is said.
    for wrong in (x[4:5], np.where(np.isnan(x), np.inf, x)):
        with pytest.raises(ValueError, match=r"expected finite real numbers\.$"):
            Reals((2, 3)).validate(wrong, "x")


@pytest.mark.parametrize(("space", "inside", "outside"), CASES.values(), ids=CASES)
def test_arrays_and_graphs_refuse_the_same_values_in_the_same_words(space, inside, outside):
    guard = tf.function(lambda values: space.guard(values, "name"))
    for value in inside:
        x = filled(space, value)
        for given in (x, x.tolist(), tf.constant(x)):
            found = space.validate(given, "name")
            assert found.dtype == space.dtype
            assert found.shape == (2, *space.shape)
        if space.dtype != tf.string:
            np.testing.assert_array_equal(found, x)
        np.testing.assert_array_equal(guard(tf.constant(x)), tf.constant(x))
        # What a replica may get of a short batch.
        assert guard(tf.constant(x)[:0]).shape[0] == 0
    for value in outside:
        x = filled(space, value)
        with pytest.raises(ValueError, match=r"^`name` holds the value .*; expected .*\.$") as raised:
            space.validate(x, "name")
        assert space.expected in str(raised.value)
        with pytest.raises(tf.errors.InvalidArgumentError) as in_graph:
            guard(tf.constant(x))
        if space.dtype != tf.string:
            shown = f"{value:g}" if space.dtype.is_floating else str(value)
            assert f"the value {shown};" in str(raised.value)
            # What may be done about it stands behind that, in Python alone.
            said, _, _ = str(raised.value).partition(space.expected)
            assert f"{said}{space.expected}." in in_graph.value.message
        else:
            assert f"the value {value!r};" in str(raised.value)


@pytest.mark.parametrize("space", [case[0] for case in CASES.values()], ids=CASES)
def test_examples_are_values_of_the_space_and_follow_the_seed(space):
    examples = space.examples(40, (1, 2))
    assert examples.dtype == space.dtype
    assert examples.shape == (40, *space.shape)
    assert np.all(space.contains(examples))
    np.testing.assert_array_equal(examples, space.examples(40, (1, 2)))
    assert np.any(examples[1:] != examples[:-1])
    spec = space.spec("name")
    assert (spec.dtype, tuple(spec.shape), spec.name) == (space.dtype, (None, *space.shape), "name")


@pytest.mark.parametrize("space", [case[0] for case in CASES.values()], ids=CASES)
def test_wrong_shapes_and_dtypes(space):
    x = np.array(space.examples(2))
    axes = ", ".join(["batch", *map(str, space.shape)]) if space.shape else "batch,"
    larger = np.stack([x] * 9, axis=1)
    sentence = f"`name` must have shape ({axes}), received {larger.shape}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        space.validate(larger, "name")
    with pytest.raises(ValueError, match=r"^`name` must have shape \(batch,.*\), received \(\)\.$"):
        space.validate("a" if space.dtype == tf.string else 1, "name")
    with pytest.raises(ValueError, match=r"^`name` holds no examples; at least one is expected\.$"):
        space.validate(x[:0], "name")
    wrong = [x.astype(complex)] if space.dtype != tf.string else [np.zeros(2)]
    if space.dtype != tf.string:
        wrong += [x.astype(str), np.full(x.shape, "a", object)]
    if space.dtype == tf.int32 and not isinstance(space, ClassLabel):
        wrong += [x.astype(np.float32), np.full(x.shape, None)]
    elif space.dtype != tf.string:
        # None in an array of objects is a missing number.
        with pytest.raises(ValueError, match=r"^`name` holds the value nan; expected "):
            space.validate(np.full(x.shape, None), "name")
    for values in wrong:
        with pytest.raises(TypeError, match=rf"^`name` must hold {space.kind}, received .*\.$"):
            space.validate(values, "name")


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_levels_of_any_numeric_dtype(dtype):
    x = np.array([[0, 1], [1, 0]], dtype)
    found = Levels((2,), 2).validate(x, "x")
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, x.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int8, np.int64, np.uint64])
def test_labels_of_any_whole_dtype(dtype):
    x = np.array([0, 1], dtype)
    for space, values in ((ClassLabel(2), x), (Attributes(2), x[np.newaxis])):
        np.testing.assert_array_equal(space.validate(values, "x"), values.astype(int))


@pytest.mark.parametrize("value", [1 << 32, (1 << 32) + 1, -(1 << 32), 1 << 63])
def test_whole_numbers_never_wrap_around(value):
    """Modulo 2^32, each of these is a label."""
    x = np.array([value], np.uint64 if value > 0 else np.int64)
    for space, values in ((ClassLabel(2), x), (Attributes(1), x[:, np.newaxis]), (Tokens(1, 2), x[:, np.newaxis])):
        with pytest.raises(ValueError, match=rf"^`x` holds the value {value}; expected"):
            space.validate(values, "x")
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"the value {value};"):
            tf.function(space.guard)(tf.constant(values), "x")


def test_a_batch_of_unknown_size_passes_a_graph():
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float64)])
    def validated(x):
        return Reals((3,)).validate(x, "x")

    assert validated(np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, 3\), received \(None, 2\)\."):
        tf.function(lambda x: Reals((3,)).validate(x, "x")).get_concrete_function(tf.TensorSpec((None, 2), tf.float32))
