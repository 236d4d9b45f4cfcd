"""Loops over blocks of steps or positions, in the form that XLA and LiteRT accept."""

from collections.abc import Callable

import tensorflow as tf

from keras_gen import seeds


def block_loop(num_blocks: int, body: Callable, values: tuple, *, backwards: bool = False) -> tuple:
    """Iterates over blocks of steps or positions, in a loop that XLA and LiteRT accept.

    Args:
        num_blocks: number of blocks.
        body: function from the index of a block and the values before it to the values after it.
        values: values before the first block.
        backwards: whether to start with the last block.

    Returns:
        The values after all blocks.
    """
    first, stride = (num_blocks - 1, -1) if backwards else (0, 1)
    # XLA needs the number of iterations for a gradient.
    return tf.while_loop(
        lambda index, *_: (index >= 0) & (index < num_blocks),
        lambda index, *values: (index + stride, *body(index, *values)),
        (tf.constant(first), *values),
        maximum_iterations=num_blocks,
        parallel_iterations=1,
    )[1:]


def same_shapes(new, old):
    """Returns the structure `new` with the static shapes of `old`, which a loop requires."""
    for ours, theirs in zip(tf.nest.flatten(new), tf.nest.flatten(old), strict=True):
        ours.set_shape(theirs.shape)
    return new


def set_slice(tensor: tf.Tensor, index: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Returns the tensor with one slice of its first axis replaced."""
    return set_slices(tensor, tf.reshape(index, (1, 1)), value[tf.newaxis])


def set_slices(tensor: tf.Tensor, indices: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Like `tf.tensor_scatter_nd_update`, but also for a tensor without entries."""
    if seeds.replica_context() is not None:
        # A replica may hold no row of a batch, and TensorFlow refuses to write to a tensor without entries.
        num_slices = tf.minimum(tf.size(values), tf.shape(indices)[0])
        indices, values = indices[:num_slices], values[:num_slices]
    return tf.tensor_scatter_nd_update(tensor, indices, values)
