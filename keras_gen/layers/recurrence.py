"""Recurrences along the first axis of a tensor, and the LSTM."""

from collections.abc import Callable

import tensorflow as tf

from keras_gen.layers.loops import block_loop, same_shapes, set_slice

Tensors = tuple[tf.Tensor, ...]

#: Number of steps taken together. Without XLA, TensorFlow copies all outputs whenever it appends some.
BLOCK = 8


def scan(step: Callable[[tf.Tensor, Tensors, Tensors], Tensors], inputs: tf.Tensor, state: Tensors, weights: Tensors):
    """Runs a recurrence.

    The loop iterates over blocks of steps and keeps the state before each block; its gradient goes back over the blocks
    and recomputes each one. This avoids a list of tensors, whose length LiteRT and XLA would have to know.

    Args:
        step: function from an input, the state before it and the weights to the state after it. It must not use
            variables, which no gradient would reach.
        inputs: tensor of shape `(steps, ...)`.
        state: state before the first step.
        weights: tensors that all steps use.

    Returns:
        The first tensor of the state after every step, of shape `(steps, ...)`.
    """
    steps, num_states = inputs.shape[0], len(state)
    size = min(BLOCK, steps)
    num_blocks = -(-steps // size)
    # Unused steps pad the last block to the length of the others.
    inputs = tf.pad(inputs, ((0, num_blocks * size - steps), *((0, 0) for _ in inputs.shape[1:])))
    inputs = tf.reshape(inputs, tf.concat([(num_blocks, size), tf.shape(inputs)[1:]], axis=0))

    def block(inputs: tf.Tensor, state: Tensors, weights: Tensors) -> Tensors:
        """Returns the outputs of a block, stacked, and the state after it."""
        outputs = []
        for x in tf.unstack(inputs):
            state = same_shapes(step(x, state, weights), state)
            outputs.append(state[0])
        return tf.stack(outputs), *state

    def room(tensor: tf.Tensor, *shape: int) -> tf.Tensor:
        """Returns zeros for an array, of the given shape, of tensors like the given one."""
        return tf.zeros(tf.concat([shape, tf.shape(tensor)], axis=0), tensor.dtype)

    @tf.custom_gradient
    def run(inputs, *rest):
        state, weights = rest[:num_states], rest[num_states:]

        def forward(index, outputs, *values):
            state, starts = values[:num_states], values[num_states:]
            outputs_of_block, *after = block(inputs[index], state, weights)
            starts = (set_slice(start, index, value) for start, value in zip(starts, state, strict=True))
            return set_slice(outputs, index, outputs_of_block), *after, *starts

        first = (room(state[0], num_blocks, size), *state, *(room(tensor, num_blocks) for tensor in state))
        outputs, *values = block_loop(num_blocks, forward, first)
        starts = values[num_states:]

        def gradient(upstream):
            def backward(index, gradient_inputs, *gradients):
                sources = (inputs[index], tuple(start[index] for start in starts), weights)
                with tf.GradientTape() as tape:
                    tape.watch(sources)
                    results = block(*sources)
                into_inputs, into_state, into_weights = tape.gradient(
                    results, sources, (upstream[index], *gradients[:num_states]), unconnected_gradients="zero"
                )
                sums = (
                    total + tf.cast(gradient, total.dtype)
                    for total, gradient in zip(gradients[num_states:], into_weights, strict=True)
                )
                return set_slice(gradient_inputs, index, into_inputs), *into_state, *sums

            # Sums over all blocks are in 32 bits, including those of 16-bit numbers.
            sums = (tf.zeros_like(weight, tf.float32) for weight in weights)
            zeros = (tf.zeros_like(inputs), *(tf.zeros_like(tensor) for tensor in state), *sums)
            gradients = block_loop(num_blocks, backward, zeros, backwards=True)
            return [tf.cast(gradient, like.dtype) for gradient, like in zip(gradients, (inputs, *rest), strict=True)]

        return outputs, gradient

    outputs = run(inputs, *state, *weights)
    return tf.reshape(outputs, tf.concat([[num_blocks * size], tf.shape(state[0])], axis=0))[:steps]


def lstm(gates: tf.Tensor, cell: tf.Tensor, groups: int) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of an LSTM.

    Args:
        gates: shape `(..., 4h)`; in each group first o, then f, i and g.
        cell: shape `(..., h)`.
        groups: number of groups of features.

    Returns:
        State and cell, each of shape `(..., h)`.
    """
    shape = tf.shape(cell)
    gates = tf.reshape(gates, tf.concat([shape[:-1], [groups, 4, cell.shape[-1] // groups]], axis=0))
    o, f, i, g = (tf.reshape(gate, shape) for gate in tf.unstack(gates, axis=-2))
    cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(cell), cell
