"""Steps: their randomness, means over replicas, and what they leave behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts.replicas import two_replicas

from keras_gen import seeds
from keras_gen.core import Step


def make_step(seed=5, **arguments):
    return Step(seeds.as_pair(seed), training=True, **arguments)


def on_replicas(function, *columns, sizes) -> list[dict]:
    """Runs a function on each of two replicas, which hold so many rows of each column, and returns both results."""
    strategy = two_replicas()

    def rows(column):
        parts = np.split(column, [sizes[0]])
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.convert_to_tensor(parts[context.replica_id_in_sync_group])
        )

    found = strategy.run(function, args=tuple(rows(column) for column in columns))
    values = {name: strategy.experimental_local_results(value) for name, value in found.items()}
    return [{name: value[replica] for name, value in values.items()} for replica in range(2)]


# Randomness


def test_steps_that_are_split_or_folded_have_seeds_of_their_own():
    step = make_step()
    steps = [step, *step.split(3), step.fold(0), step.fold(1)]
    draws = [each.normal((4,)).numpy() for each in steps]
    for index, first in enumerate(draws):
        for second in draws[index + 1 :]:
            assert np.all(first != second)
    for ours, theirs in zip(draws, [each.normal((4,)).numpy() for each in (step, *step.split(3))], strict=False):
        np.testing.assert_array_equal(ours, theirs)
    assert np.any(draws[0] != make_step(6).normal((4,)).numpy())


def test_steps_from_one_share_everything_but_the_seed():
    step = make_step(sample_weight=tf.constant([1.0, 2.0]), iteration=tf.constant(7, tf.int64))
    variable = keras.Variable(0.0)
    for index, each in enumerate([*step.split(2), step.fold(3)]):
        assert each.training
        assert each.iteration == 7
        np.testing.assert_array_equal(each.sample_weight, [1.0, 2.0])
        each.update(variable, float(index))
    step.apply()
    assert float(variable) == 2.0


def test_numbers_are_uniform_and_normal():
    step = make_step()
    uniform, normal = step.uniform((20_000, 2)).numpy(), step.normal((20_000, 2)).numpy()
    assert np.all((uniform >= 0.0) & (uniform < 1.0))
    np.testing.assert_allclose(np.quantile(uniform, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.01)
    np.testing.assert_allclose([normal.mean(), normal.std()], [0.0, 1.0], atol=0.02)


@pytest.mark.parametrize("sizes", [(3, 2), (5, 0), (0, 5)], ids=str)
def test_replicas_draw_the_rows_of_the_global_batch(sizes):
    step = make_step()
    expected = {"uniform": step.uniform((5, 2)), "normal": step.normal((5,)), "rows": tf.range(5) * 10}

    def draws(column):
        num = tf.shape(column)[0]
        return {
            "uniform": step.uniform((num, 2)),
            "normal": step.normal((num,)),
            "rows": step.rows(lambda rows: tf.range(rows) * 10, num),
        }

    first, second = on_replicas(draws, np.zeros((5, 2), np.float32), sizes=sizes)
    for name, whole in expected.items():
        np.testing.assert_array_equal(tf.concat([first[name], second[name]], axis=0), whole)


# The global batch


def test_means_are_by_the_weights_of_the_examples():
    values = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    np.testing.assert_allclose(make_step().mean(values), values.mean(axis=0))
    weights = np.array([2.0, 0.0, 1.0], np.float32)
    found = make_step(sample_weight=tf.constant(weights)).mean(tf.constant(values))
    np.testing.assert_allclose(found, np.average(values, axis=0, weights=weights), rtol=1e-6)
    # Without any weight there is no mean; 0 leaves everything as it is.
    np.testing.assert_array_equal(make_step(sample_weight=tf.zeros(3)).mean(tf.constant(values)), np.zeros(4))


@pytest.mark.parametrize("sizes", [(3, 2), (5, 0)], ids=str)
def test_means_sums_and_rows_are_those_of_all_replicas(sizes):
    values = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    weights = np.array([1.0, 2.0, 0.0, 4.0, 0.5], np.float32)

    def figures(values, weights):
        step = make_step(sample_weight=weights)
        return {
            "mean": step.mean(values),
            "plain": make_step().mean(values),
            "total": step.total(tf.reduce_sum(values)),
            "gather": step.gather(values),
        }

    expected = {
        "mean": np.average(values, axis=0, weights=weights),
        "plain": values.mean(axis=0),
        "total": values.sum(),
        "gather": values,
    }
    for replica in on_replicas(figures, values, weights, sizes=sizes):
        for name, value in expected.items():
            np.testing.assert_allclose(replica[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


# What a step leaves behind


def test_nothing_changes_before_the_end_and_the_last_value_counts():
    variable = keras.Variable([1.0, 2.0])
    step = make_step()
    step.update(variable, tf.constant([3.0, 4.0]))
    step.update(variable, tf.constant([5.0, 6.0]))
    np.testing.assert_array_equal(variable, [1.0, 2.0])
    step.apply()
    np.testing.assert_array_equal(variable, [5.0, 6.0])
    # It is applied once.
    variable.assign([0.0, 0.0])
    step.apply()
    np.testing.assert_array_equal(variable, [0.0, 0.0])


def test_no_update_sees_another_one():
    first, second = keras.Variable(1.0), keras.Variable(2.0)
    step = make_step()
    step.update(first, lambda: tf.identity(second.value))
    step.update(second, lambda: tf.identity(first.value))
    step.apply()
    assert (float(first), float(second)) == (2.0, 1.0)


def test_updates_of_a_silent_step_are_forgotten():
    variable = keras.Variable(1.0)
    step = make_step(sample_weight=tf.ones(2))
    silent = step.silent()
    np.testing.assert_array_equal(silent.normal((3,)), step.normal((3,)))
    assert silent.sample_weight is step.sample_weight
    silent.update(variable, 5.0)
    step.apply()
    assert float(variable) == 1.0


def test_updates_can_be_forgotten():
    first, second = keras.Variable(1.0), keras.Variable(2.0)
    step = make_step()
    step.update(first, 3.0)
    step.update(second, 4.0)
    step.forget([first, keras.Variable(0.0)])
    step.apply()
    assert (float(first), float(second)) == (1.0, 4.0)


@pytest.fixture
def layer():
    layer = keras.layers.BatchNormalization(momentum=0.5)
    layer.build((None, 2))
    return layer


X = np.array([[1.0, 3.0], [5.0, -1.0]], np.float32)


def test_what_layers_of_keras_assign_waits_until_the_end(layer):
    step = make_step()
    found = step.record(lambda: {"y": layer(X, training=True)}, layer.non_trainable_variables)
    np.testing.assert_allclose(found["y"], [[-1.0, 1.0], [1.0, -1.0]], atol=1e-3)
    np.testing.assert_array_equal(layer.moving_mean, [0.0, 0.0])
    step.apply()
    np.testing.assert_allclose(layer.moving_mean, 0.5 * X.mean(axis=0))
    np.testing.assert_allclose(layer.moving_variance, 0.5 + 0.5 * X.var(axis=0))


def test_a_second_pass_builds_on_the_statistics_of_the_first(layer):
    step = make_step()
    for x in (X, X + 2.0):
        step.record(lambda x=x: {"y": layer(x, training=True)}, layer.non_trainable_variables)
    step.apply()
    np.testing.assert_allclose(layer.moving_mean, 0.25 * X.mean(axis=0) + 0.5 * (X.mean(axis=0) + 2.0))


def test_other_variables_than_those_named_stay(layer):
    step = make_step()
    step.record(lambda: {"y": layer(X, training=True)}, [layer.moving_mean])
    step.apply()
    assert np.any(layer.moving_mean.numpy() != 0.0)
    np.testing.assert_array_equal(layer.moving_variance, [1.0, 1.0])


def test_a_pass_that_assigns_nothing_forgets_no_earlier_update(layer):
    step = make_step()
    step.update(layer.moving_mean, tf.constant([7.0, 7.0]))
    step.update(layer.moving_variance, lambda: tf.constant([9.0, 9.0]))
    step.record(lambda: {"y": layer(X, training=False)}, layer.non_trainable_variables)
    step.apply()
    np.testing.assert_array_equal(layer.moving_mean, [7.0, 7.0])
    np.testing.assert_array_equal(layer.moving_variance, [9.0, 9.0])
