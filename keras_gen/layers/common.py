"""What layers share: products, loops, writes in loops, gates, dropout, dense layers, convolutions, initial weights."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen import seeds


def product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the matrix product along the last axis of a tensor of any rank."""
    shape = (*(-1 if size is None else size for size in x.shape[:-1]), kernel.shape[1])
    if shape.count(-1) > 1:
        shape = tf.concat([tf.shape(x)[:-1], kernel.shape[1:]], axis=0)
    return tf.reshape(tf.matmul(tf.reshape(x, (-1, kernel.shape[0])), kernel), shape)


def put(tensor: tf.Tensor, index: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Returns the tensor with one slice of its first axis replaced."""
    return tf.tensor_scatter_nd_update(tensor, [[index]], value[tf.newaxis])


def block_loop(num_blocks: int, body: Callable, values: tuple, *, backwards: bool = False) -> tuple:
    """Goes over blocks, of steps or of positions, in a loop that XLA and LiteRT take.

    Args:
        num_blocks: number of blocks.
        body: function from the index of a block and the values so far to the values after it.
        values: values before the first block.
        backwards: whether the last block comes first.

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
    """Returns the structure `new`, which a loop needs to have the static shapes of `old`."""
    for ours, theirs in zip(tf.nest.flatten(new), tf.nest.flatten(old), strict=True):
        ours.set_shape(theirs.shape)
    return new


def gated(x: tf.Tensor) -> tf.Tensor:
    """Returns tanh of the first half of the features, times the sigmoid of the second half."""
    y, gate = tf.split(x, 2, axis=-1)
    return tf.tanh(y) * tf.sigmoid(gate)


def thinned(h: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Sets features to zero at random, and scales up the others; all replicas draw for the global batch.

    Args:
        h: features, of shape `(batch, ...)`.
        rate: share that is set to zero.
        seed: int32 tensor of shape (2,).
    """
    uniform = seeds.replica_rows(lambda rows: seeds.uniform((rows, *h.shape[1:]), seed), tf.shape(h)[0])
    return tf.where(uniform < rate, tf.zeros_like(h), h / (1.0 - rate))


def dense(
    inputs: int, units: int, initializer: keras.initializers.Initializer, dtype, *, use_bias: bool = True
) -> keras.layers.Dense:
    """Returns a dense layer that has its weights."""
    layer = keras.layers.Dense(units, use_bias=use_bias, kernel_initializer=initializer, dtype=dtype)
    layer.build((None, inputs))
    return layer


def dense_network(
    inputs: int, units: tuple[int, ...], activation, initializers: list, dtype, name: str | None = None
) -> keras.Sequential:
    """Returns dense layers one after the other, the last one linear.

    Args:
        inputs: length of the input.
        units: width of each layer.
        activation: activation of all layers but the last.
        initializers: initializer of the kernel of each layer.
        dtype: as in `keras.layers.Layer`.
        name: as in `keras.layers.Layer`.
    """
    activations = [activation] * (len(units) - 1) + [None]
    layers = [
        keras.layers.Dense(width, activation=function, kernel_initializer=initializer, dtype=dtype)
        for width, function, initializer in zip(units, activations, initializers, strict=True)
    ]
    return keras.Sequential([keras.Input((inputs,)), *layers], name=name)


def convolution(
    inputs: int,
    filters: int,
    size: int,
    stride: int,
    initializer,
    dtype,
    kind=keras.layers.Conv2D,
    *,
    use_bias: bool = True,
) -> keras.layers.Layer:
    """Returns a convolution that has its weights; its output has the size of the input, divided by the stride."""
    layer = kind(filters, size, stride, "same", use_bias=use_bias, kernel_initializer=initializer, dtype=dtype)
    layer.build((None, None, None, inputs))
    return layer


def glorot(seed: tuple[int, ...], scale: float = 1.0) -> keras.initializers.Initializer:
    """Returns the uniform distribution of Glorot and Bengio, its standard deviation multiplied by `scale`."""
    return keras.initializers.VarianceScaling(scale**2, "fan_avg", "uniform", seed=whole(seed))


def uniform(scale: float, seed: tuple[int, ...]) -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-scale, scale, seed=whole(seed))


def whole(seed: tuple[int, ...]) -> int:
    """Returns one number for several: layers' weights come from streams of their own."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def joined(h: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
    """Returns features with the condition behind them."""
    return h if condition is None else tf.concat([h, tf.cast(condition, h.dtype)], axis=-1)
