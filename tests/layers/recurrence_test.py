"""Tests of the recurrence: against a loop in Python, its gradients, and numbers of steps that blocks do not divide."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers.recurrence import BLOCK, lstm, scan


def lstm_step(gates, state, weights):
    hidden, cell = state
    return lstm(gates + tf.matmul(hidden, weights[0]), cell, 1)


@pytest.mark.parametrize(
    ("steps", "jit_compile"),
    # XLA compiles the same graphs: one of them with several blocks and a rest tells.
    [(1, False), (BLOCK - 1, False), (BLOCK, False), (2 * BLOCK + 1, False), (2 * BLOCK + 1, True)],
)
def test_states_and_gradients_are_those_of_a_plain_loop(steps, jit_compile):
    random = np.random.default_rng(0)
    shapes = ((steps, 3, 8), (8, 2), (3, 2), (3, 2))
    inputs, kernel, hidden, cell = (tf.constant(random.standard_normal(shape), tf.float32) for shape in shapes)
    kernel = tf.transpose(kernel)

    def plain(step, inputs, state, weights):
        outputs = []
        for x in inputs:
            state = step(x, state, weights)
            outputs.append(state[0])
        return tf.stack(outputs)

    def outputs_and_gradients(recurrence):
        sources = (inputs, kernel, hidden, cell)
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = recurrence(lstm_step, inputs, (hidden, cell), (kernel,))
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, *tape.gradient(loss, sources)

    found = tf.function(lambda: outputs_and_gradients(scan), jit_compile=jit_compile)()
    for ours, expected in zip(found, outputs_and_gradients(plain), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_sixteen_bit_gradients_are_summed_in_thirty_two():
    """A thousand steps, each with a gradient that 16 bits cannot add to the sum of all."""
    inputs = tf.ones((1000, 1), tf.bfloat16)
    kernel = tf.constant([2.0], tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        outputs = scan(lambda x, state, weights: (x * weights[0],), inputs, (tf.zeros(1, tf.bfloat16),), (kernel,))
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32))
    np.testing.assert_allclose(tf.cast(tape.gradient(loss, kernel), tf.float32), [1000.0], rtol=1e-2)
