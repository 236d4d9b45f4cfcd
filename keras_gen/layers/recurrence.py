"""Recurrences along the first axis of a tensor, and the LSTM."""

from collections.abc import Callable

import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]


def scan(step: Callable[[tf.Tensor, Tensors, Tensors], Tensors], inputs: tf.Tensor, state: Tensors, weights: Tensors):
    """Runs a recurrence.

    The loop keeps the state of every step and nothing else; its gradient goes back from step to step and computes each
    again. Neither LiteRT nor XLA then meets a list of tensors, whose length they would have to know.

    Args:
        step: function from an input, the state before it and the weights to the state after it. It must use no
            variable, which no gradient would reach.
        inputs: tensor of shape `(steps, ...)`.
        state: state before the first step.
        weights: tensors that all steps use.

    Returns:
        The first tensor of the state after every step, of shape `(steps, ...)`.
    """
    steps, num_states = inputs.shape[0], len(state)

    def loop(body, first: int, values: Tensors) -> Tensors:
        """Calls `body` for each step, from the first or from the last one on."""
        stride = -1 if first else 1
        return tf.while_loop(
            lambda index, *_: (index >= 0) & (index < steps),
            lambda index, *values: (index + stride, *body(index, *values)),
            (tf.constant(first), *values),
            maximum_iterations=steps,
            parallel_iterations=1,
        )[1:]

    @tf.custom_gradient
    def run(inputs, *rest):
        state, weights = rest[:num_states], rest[num_states:]

        def forward(index, *values):
            # The state is handed on beside where it is kept: what is written and never read is written in place.
            after = step(inputs[index], values[:num_states], weights)
            kept = (put(part, index, value) for part, value in zip(values[num_states:], after, strict=True))
            return *after, *kept

        room = [tf.zeros(tf.concat([[steps], tf.shape(part)], axis=0), part.dtype) for part in state]
        kept = loop(forward, 0, (*state, *room))[num_states:]
        # The state before each step, and after the last one.
        kept = [tf.concat([first[tf.newaxis], part], axis=0) for first, part in zip(state, kept, strict=True)]

        def gradient(upstream):
            def backward(index, gradient_inputs, *gradients):
                before = tuple(part[index] for part in kept)
                sources = (inputs[index], before, weights)
                with tf.GradientTape() as tape:
                    tape.watch(sources)
                    after = step(*sources)
                first, *others = gradients[:num_states]
                here, into_state, into_weights = tape.gradient(
                    after, sources, (first + upstream[index], *others), unconnected_gradients="zero"
                )
                sums = (
                    total + tf.cast(part, total.dtype)
                    for total, part in zip(gradients[num_states:], into_weights, strict=True)
                )
                return gradient_inputs.write(index, here), *into_state, *sums

            # Sums over all steps, of 16-bit numbers too, are in 32 bits.
            sums = [tf.zeros_like(part, tf.float32) for part in weights]
            # No export has a gradient: a list may hold those of the inputs.
            gradient_inputs = tf.TensorArray(inputs.dtype, steps, element_shape=inputs.shape[1:])
            zeros = (gradient_inputs, *(tf.zeros_like(part) for part in state), *sums)
            gradient_inputs, *found = loop(backward, steps - 1, zeros)
            found = (gradient_inputs.stack(), *found)
            return [tf.cast(part, like.dtype) for part, like in zip(found, (inputs, *rest), strict=True)]

        return kept[0][1:], gradient

    return run(inputs, *state, *weights)


def lstm(gates: tf.Tensor, cell: tf.Tensor, groups: int) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of an LSTM.

    Args:
        gates: shape `(..., 4h)`; in each group, first o, then f, i and g.
        cell: shape `(..., h)`.
        groups: number of groups of features.

    Returns:
        State and cell, of shape `(..., h)`.
    """
    shape = tf.shape(cell)
    gates = tf.reshape(gates, tf.concat([shape[:-1], [groups, 4, cell.shape[-1] // groups]], axis=0))
    o, f, i, g = (tf.reshape(part, shape) for part in tf.unstack(gates, axis=-2))
    cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(cell), cell


def put(tensor: tf.Tensor, index: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Returns the tensor with one slice of its first axis replaced."""
    return tf.tensor_scatter_nd_update(tensor, [[index]], value[tf.newaxis])
