"""Convolutions of batches of any size, empty ones included."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen import seeds

#: Layers of Keras that convolve each example alone.
CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def with_rows(operation: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Applies a convolution, also to a batch without rows, as one of several replicas may have it.

    On CPUs, where TensorFlow uses oneDNN, the output of an empty batch has the shape of its input, and gradients fail.
    So such a batch gets a row of zeros, which is taken off again.

    Args:
        operation: function of a batch, which treats each example alone.
        x: tensor of shape `(batch, ...)`.
    """
    context = seeds.replica_context()
    if context is None or not any("CPU" in device for device in context.strategy.extended.worker_devices):
        return operation(x)
    num = tf.shape(x)[0]
    added = [[0, tf.maximum(1 - num, 0)], *([0, 0] for _ in x.shape[1:])]
    return operation(tf.ensure_shape(tf.pad(x, added), (None, *x.shape[1:])))[:num]


def conv2d(x: tf.Tensor, kernel: tf.Tensor, stride: int | tuple[int, int], padding: str) -> tf.Tensor:
    """Returns what `tf.nn.conv2d` does, of a batch of any size."""
    return with_rows(lambda x: tf.nn.conv2d(x, kernel, stride, padding), x)


def doubled(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the transposed convolution of stride 2 that doubles height and width, of a batch of any size."""
    _, height, width, _ = x.shape

    def operation(x):
        return tf.nn.conv2d_transpose(x, kernel, (tf.shape(x)[0], 2 * height, 2 * width, kernel.shape[2]), 2, "SAME")

    return with_rows(operation, x)


class OfAnyBatch:
    """What makes a convolution of Keras one of a batch of any size."""

    def call(self, x):
        return with_rows(super().call, x)


class Conv1D(OfAnyBatch, keras.layers.Conv1D):
    """As in Keras, of a batch of any size."""


class Conv2D(OfAnyBatch, keras.layers.Conv2D):
    """As in Keras, of a batch of any size."""


class Conv1DTranspose(OfAnyBatch, keras.layers.Conv1DTranspose):
    """As in Keras, of a batch of any size."""


class Conv2DTranspose(OfAnyBatch, keras.layers.Conv2DTranspose):
    """As in Keras, of a batch of any size."""


def convolution(
    inputs: int,
    filters: int,
    size: int,
    stride: int,
    initializer,
    dtype,
    kind=Conv2D,
    *,
    use_bias: bool = True,
    padding: str = "same",
) -> keras.layers.Layer:
    """Returns a built convolution; its output has the size of the input divided by the stride, if padding is "same"."""
    layer = kind(filters, size, stride, padding, use_bias=use_bias, kernel_initializer=initializer, dtype=dtype)
    layer.build((*(None for _ in range(layer.rank + 1)), inputs))
    return layer
