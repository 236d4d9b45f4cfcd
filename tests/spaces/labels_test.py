"""Labels: their vectors, their examples, and the arguments of a model that name them."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.spaces import Attributes, ClassLabel, Reals, class_or_vector


def test_the_vector_of_a_class_is_one_hot_and_that_of_an_unknown_one_is_zero():
    assert ClassLabel(3).vector_size == 3
    np.testing.assert_array_equal(ClassLabel(3).vectors(np.array([2, 0])), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(ClassLabel(3, unknown=True).vectors(np.array([-1, 1])), [[0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, np.float64])
def test_labels_may_be_columns_one_hot_rows_and_whole_floats(in_graph, dtype):
    labels = np.array([2, 0, 1, 2])
    space = ClassLabel(3)

    def validated(values):
        if not in_graph:
            return space.validate(values, "condition")
        read = tf.function(lambda x: space.validate(space.guard(x, "condition"), "condition"), autograph=False)
        return read(tf.constant(values))

    for values in (labels, labels[:, np.newaxis], np.eye(3)[labels]):
        found = validated(values.astype(dtype))
        assert found.dtype == tf.int32
        np.testing.assert_array_equal(found, labels)
    errors = (ValueError, tf.errors.InvalidArgumentError)
    for wrong in (np.array([[0, 1, 1], [0, 1, 0]]), np.array([[0, 0, 0], [0, 1, 0]])):
        with pytest.raises(errors, match="must hold labels, or rows with a single 1 among zeros"):
            validated(wrong.astype(dtype))
    if np.issubdtype(dtype, np.floating):
        with pytest.raises(errors, match=r"`condition` holds the value 1\.5"):
            validated(np.array([1.0, 1.5], dtype))
    with pytest.raises(ValueError, match=r"`condition` must have shape \(batch,\), received \(2, 2\)"):
        validated(np.ones((2, 2), dtype))


def test_bools_are_labels_of_two_classes():
    np.testing.assert_array_equal(ClassLabel(2).validate(np.array([True, False]), "condition"), [1, 0])
    np.testing.assert_array_equal(ClassLabel(2).validate(np.eye(2, dtype=bool), "condition"), [0, 1])


def test_examples_of_a_class_go_through_all_in_turn():
    np.testing.assert_array_equal(ClassLabel(3).examples(7), [0, 1, 2, 0, 1, 2, 0])


def test_attributes_do_not_exclude_each_other():
    space = Attributes(3)
    x = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(space.vectors(space.validate(x, "condition")), x)
    assert space.vectors(x).dtype == np.float32
    assert space.vector_size == 3


def test_the_arguments_of_a_model_name_a_class_a_vector_or_nothing():
    assert class_or_vector(None, None) is None
    assert class_or_vector(4, None) == ClassLabel(4)
    assert class_or_vector(None, 4) == Reals((4,))
    with pytest.raises(
        ValueError, match=r"^`condition_size` must be None where `num_classes` is given; received 3 and"
    ):
        class_or_vector(4, 3)
    with pytest.raises(ValueError, match=r"^`num_classes` must be at least 1, received 0\.$"):
        class_or_vector(0, None)
    with pytest.raises(TypeError, match=r"^`condition_size` must be a whole number, received 1\.5\.$"):
        class_or_vector(None, 1.5)
