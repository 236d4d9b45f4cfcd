"""Built dense layers, and products along the last axis."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen.layers.bias import OF_16_BITS, completed


def call_dense(layer: keras.layers.Dense, call: Callable[[tf.Tensor], tf.Tensor], x, training=None) -> tf.Tensor:
    """Calls a Keras dense layer, in 16 bits with `add_bias`.

    Args:
        layer: the layer.
        call: its method.
        x: features of shape `(..., inputs)`.
        training: as Keras passes it; it makes no difference to a dense layer.
    """
    if layer.compute_dtype not in OF_16_BITS:
        return call(x)
    return completed(layer, keras.ops.matmul(x, layer.kernel))


class Dense(keras.layers.Dense):
    """As in Keras; in 16 bits its bias learns as in `add_bias`."""

    def call(self, x):
        return call_dense(self, super().call, x)


def matmul(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the matrix product along the last axis of a tensor of any rank."""
    shape = (*(-1 if size is None else size for size in x.shape[:-1]), kernel.shape[1])
    if shape.count(-1) > 1:
        shape = tf.concat([tf.shape(x)[:-1], kernel.shape[1:]], axis=0)
    return tf.reshape(tf.matmul(tf.reshape(x, (-1, kernel.shape[0])), kernel), shape)


def dense(
    inputs: int, units: int, initializer: keras.initializers.Initializer, dtype, *, use_bias: bool = True
) -> Dense:
    """Returns a built dense layer."""
    layer = Dense(units, use_bias=use_bias, kernel_initializer=initializer, dtype=dtype)
    layer.build((None, inputs))
    return layer


def dense_network(
    inputs: int, units: tuple[int, ...], activation, initializers: list, dtype, name: str | None = None
) -> keras.Sequential:
    """Returns a sequence of dense layers, the last one linear.

    Args:
        inputs: length of the input.
        units: width of each layer.
        activation: activation of all layers except the last.
        initializers: initializer of the kernel of each layer.
        dtype: as in `keras.layers.Layer`.
        name: as in `keras.layers.Layer`.
    """
    activations = [activation] * (len(units) - 1) + [None]
    layers = [
        Dense(width, activation=function, kernel_initializer=initializer, dtype=dtype)
        for width, function, initializer in zip(units, activations, initializers, strict=True)
    ]
    return keras.Sequential([keras.Input((inputs,)), *layers], name=name)
