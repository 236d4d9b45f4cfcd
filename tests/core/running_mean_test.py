"""The running mean, against that of Keras and by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.core.running_mean import RunningMean


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
@pytest.mark.parametrize("traced", [False, True])
def test_batches_count_as_they_do_in_keras(dtype, traced):
    random = np.random.default_rng(0)
    ours, theirs = RunningMean(name="term"), keras.metrics.Mean(name="term")
    update = tf.function(ours.update_state) if traced else ours.update_state
    batches = [
        (random.normal(size=5), None),
        (random.normal(size=3), random.uniform(size=3)),
        (np.array(2.0), None),
        (np.zeros(0), None),
        (random.normal(size=2), np.array([0.0, 1.0])),
    ]
    for values, weights in batches:
        values = tf.constant(values, dtype)
        weights = None if weights is None else tf.constant(weights, tf.float32)
        update(values, weights)
        theirs.update_state(values, weights)
        np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-6)
    assert [variable.path.split("/")[-1] for variable in ours.variables] == ["total", "count"]
    np.testing.assert_allclose(ours.count, theirs.count, rtol=1e-6)
    ours.reset_state()
    assert ours.result() == 0.0


def test_values_without_weight_do_not_count():
    mean = RunningMean(name="term")
    mean.update_state(tf.constant([1.0, 4.0, 7.0]), tf.constant([0.0, 1.0, 3.0]))
    assert mean.result() == (4.0 + 21.0) / 4.0
    assert RunningMean(name="term").result() == 0.0
