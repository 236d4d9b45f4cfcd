"""The sum of features and a bias, in any precision."""

import keras
import tensorflow as tf

#: 16-bit precisions, in which sums over many numbers need care.
OF_16_BITS = ("float16", "bfloat16")


def add_bias(y: tf.Tensor, bias) -> tf.Tensor:
    """Returns y + bias, in the precision of y; the gradient of the bias is summed in float32.

    On CPUs, TensorFlow's own gradient sums 16-bit numbers one by one: in bfloat16 a sum of ones stops at 512, and
    biases of layers with many outputs hardly learn.

    Args:
        y: features of shape `(..., features)`.
        bias: variable or tensor of shape `(features,)`.
    """
    bias = tf.cast(bias, y.dtype)
    return tf.nn.bias_add(y, bias) if y.dtype.size > 2 else add_bias_of_16_bits(y, bias)  # noqa: TID251


@tf.custom_gradient
def add_bias_of_16_bits(y: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Returns y + bias; its gradient is a matrix product, which all processors compute in float32."""

    def gradient(upstream):
        rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
        return upstream, tf.linalg.matvec(rows, tf.ones_like(rows[:, 0]), transpose_a=True)

    return tf.nn.bias_add(y, bias), gradient  # noqa: TID251


def completed(layer: keras.layers.Layer, y: tf.Tensor) -> tf.Tensor:
    """Adds the bias of an affine Keras layer, if it has one, and applies its activation, if it has one."""
    if layer.use_bias:
        y = add_bias(y, layer.bias)
    return y if layer.activation is None else layer.activation(y)
