"""Convolutions of batches of any size, empty ones included, in any precision."""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen import seeds
from keras_gen.layers.bias import OF_16_BITS, completed

#: Layers of Keras whose output is the larger side.
TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)

#: These, and those with one kernel whose output is the smaller side.
WITH_ONE_KERNEL = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, *TRANSPOSED)

#: All layers of Keras that convolve each example alone.
CONVOLUTIONS = (
    *WITH_ONE_KERNEL,
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


def computed(
    operation: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], x: tf.Tensor, kernel: tf.Tensor, stride: int
) -> tf.Tensor:
    """Computes a convolution, or a transposed one; in float32 where bfloat16 is wrong.

    On CPUs, where TensorFlow uses oneDNN, results and gradients in bfloat16 are arbitrary memory if there is a stride
    and the smaller side has a single column.

    Args:
        operation: function of maps and a kernel, of any precision.
        x: maps of shape `(batch, ..., width, channels)`.
        kernel: the kernel.
        stride: its step from column to column.
    """
    y = operation(x, kernel)
    if x.dtype != tf.bfloat16 or stride == 1 or 1 not in (x.shape[-2], y.shape[-2]):
        return y
    return tf.cast(operation(tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)), x.dtype)


def conv2d(x: tf.Tensor, kernel: tf.Tensor, stride: int | tuple[int, int], padding: str) -> tf.Tensor:
    """Returns what `tf.nn.conv2d` does, of a batch of any size and maps of any width."""

    def operation(x, kernel):
        return tf.nn.conv2d(x, kernel, stride, padding)

    step = stride if isinstance(stride, int) else stride[-1]
    return with_rows(lambda x: computed(operation, x, kernel, step), x)


def doubled(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the transposed convolution of stride 2 that doubles height and width, of a batch of any size."""
    _, height, width, _ = x.shape

    def operation(x, kernel):
        shape = (tf.shape(x)[0], 2 * height, 2 * width, kernel.shape[2])
        return tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")  # noqa: TID251

    return with_rows(lambda x: computed(operation, x, kernel, 2), x)


def convolve(layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
    """Returns what a convolution of Keras computes, in bfloat16 too; its bias learns as in `add_bias`."""
    if isinstance(layer, TRANSPOSED):
        options = {name: getattr(layer, name) for name in ("padding", "output_padding", "dilation_rate", "data_format")}
        operation = functools.partial(keras.ops.conv_transpose, strides=list(layer.strides), **options)
    else:
        operation = layer.convolution_op
    return completed(layer, computed(operation, x, tf.convert_to_tensor(layer.kernel), layer.strides[-1]))


def call_convolution(layer: keras.layers.Layer, call: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Calls a convolution of Keras with a batch of any size, in any precision.

    Args:
        layer: the convolution.
        call: its method.
        x: maps of shape `(batch, ..., channels)`.
    """
    if layer.compute_dtype in OF_16_BITS and isinstance(layer, WITH_ONE_KERNEL):
        return with_rows(functools.partial(convolve, layer), x)
    return with_rows(call, x)


class OfAnyBatch:
    """What makes a convolution of Keras one of a batch of any size, in any precision."""

    def call(self, x):
        return call_convolution(self, super().call, x)


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
