"""Convolutions of batches of any size, including empty ones, in any precision."""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen import seeds
from keras_gen.layers.bias import OF_16_BITS, completed

#: Keras layers whose output is the larger side.
TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)

#: These, and the layers with one kernel whose output is the smaller side.
WITH_ONE_KERNEL = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, *TRANSPOSED)

#: All Keras layers that convolve each example on its own.
CONVOLUTIONS = (
    *WITH_ONE_KERNEL,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def with_rows(operation: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Applies a convolution, also to a batch without rows, which one of several replicas may have.

    On CPUs, where TensorFlow uses oneDNN, the output of an empty batch has the shape of its input, and gradients fail.
    So an empty batch gets a row of zeros, which is removed afterwards.

    Args:
        operation: function of a batch that treats each example on its own.
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
    """Computes a convolution or a transposed one, in float32 where bfloat16 gives wrong results.

    On CPUs, where TensorFlow uses oneDNN, results and gradients in bfloat16 are arbitrary memory if there is a stride
    and the smaller side has a single column.

    Args:
        operation: function of maps and a kernel, of any precision.
        x: maps of shape `(batch, ..., width, channels)`.
        kernel: the kernel.
        stride: its step between columns.
    """
    y = operation(x, kernel)
    if x.dtype != tf.bfloat16 or stride == 1 or 1 not in (x.shape[-2], y.shape[-2]):
        return y
    return tf.cast(operation(tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)), x.dtype)


def conv2d(x: tf.Tensor, kernel: tf.Tensor, stride: int | tuple[int, int], padding: str) -> tf.Tensor:
    """Returns what `tf.nn.conv2d` returns, for a batch of any size and maps of any width."""

    def operation(x, kernel):
        return tf.nn.conv2d(x, kernel, stride, padding)

    step = stride if isinstance(stride, int) else stride[-1]
    return with_rows(lambda x: computed(operation, x, kernel, step), x)


def doubled(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns the transposed convolution with stride 2, which doubles height and width, of a batch of any size."""
    _, height, width, _ = x.shape

    def operation(x, kernel):
        shape = (tf.shape(x)[0], 2 * height, 2 * width, kernel.shape[2])
        return tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")  # noqa: TID251

    return with_rows(lambda x: computed(operation, x, kernel, 2), x)


def convolve(layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
    """Returns what a Keras convolution computes, also in bfloat16; its bias learns as in `add_bias`."""
    if isinstance(layer, TRANSPOSED):
        options = {name: getattr(layer, name) for name in ("padding", "output_padding", "dilation_rate", "data_format")}
        operation = functools.partial(keras.ops.conv_transpose, strides=list(layer.strides), **options)
    else:
        operation = layer.convolution_op
    return completed(layer, computed(operation, x, tf.convert_to_tensor(layer.kernel), layer.strides[-1]))


def call_convolution(layer: keras.layers.Layer, call: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Calls a Keras convolution with a batch of any size, in any precision.

    Args:
        layer: the convolution.
        call: its method.
        x: maps of shape `(batch, ..., channels)`.
    """
    if layer.compute_dtype in OF_16_BITS and isinstance(layer, WITH_ONE_KERNEL):
        return with_rows(functools.partial(convolve, layer), x)
    return with_rows(call, x)


class OfAnyBatch:
    """Makes a Keras convolution accept batches of any size, in any precision."""

    def call(self, x):
        return call_convolution(self, super().call, x)


class Conv1D(OfAnyBatch, keras.layers.Conv1D):
    """As in Keras, for a batch of any size."""


class Conv2D(OfAnyBatch, keras.layers.Conv2D):
    """As in Keras, for a batch of any size."""


class Conv1DTranspose(OfAnyBatch, keras.layers.Conv1DTranspose):
    """As in Keras, for a batch of any size."""


class Conv2DTranspose(OfAnyBatch, keras.layers.Conv2DTranspose):
    """As in Keras, for a batch of any size."""


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
    """Returns a built convolution; with padding "same", its output size is the input size divided by the stride."""
    layer = kind(filters, size, stride, padding, use_bias=use_bias, kernel_initializer=initializer, dtype=dtype)
    layer.build((*(None for _ in range(layer.rank + 1)), inputs))
    return layer
