"""What layers share: products and writes in loops, and initial weights."""

import keras
import numpy as np
import tensorflow as tf


def product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the matrix product along the last axis of a tensor of any rank."""
    shape = (*(-1 if size is None else size for size in x.shape[:-1]), kernel.shape[1])
    if shape.count(-1) > 1:
        shape = tf.concat([tf.shape(x)[:-1], kernel.shape[1:]], axis=0)
    return tf.reshape(tf.matmul(tf.reshape(x, (-1, kernel.shape[0])), kernel), shape)


def put(tensor: tf.Tensor, index: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Returns the tensor with one slice of its first axis replaced."""
    return tf.tensor_scatter_nd_update(tensor, [[index]], value[tf.newaxis])


def same_shapes(new, old):
    """Returns the structure `new`, which a loop needs to have the static shapes of `old`."""
    for ours, theirs in zip(tf.nest.flatten(new), tf.nest.flatten(old), strict=True):
        ours.set_shape(theirs.shape)
    return new


def glorot(seed: tuple[int, ...]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=whole(seed))


def uniform(scale: float, seed: tuple[int, ...]) -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-scale, scale, seed=whole(seed))


def whole(seed: tuple[int, ...]) -> int:
    """Returns one number for several: layers' weights come from streams of their own."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
