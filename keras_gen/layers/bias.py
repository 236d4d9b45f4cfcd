"""The sum of features and a bias, in any precision."""

import keras
import tensorflow as tf

#: Precisions of 16 bits, in which sums over many numbers need care.
OF_16_BITS = ("float16", "bfloat16")


def add_bias(y: tf.Tensor, bias) -> tf.Tensor:
    """Returns y + bias, in the precision of y, with a gradient of the bias that adds up in float32.

    TensorFlow's own gradient adds numbers of 16 bits one after the other on CPUs: in bfloat16 a sum of ones ends at
    512, and biases of layers with many outputs hardly learn.

    Args:
        y: features of shape `(..., features)`.
        bias: variable or tensor of shape `(features,)`.
    """
    bias = tf.cast(bias, y.dtype)
    return tf.nn.bias_add(y, bias) if y.dtype.size > 2 else add_bias_of_16_bits(y, bias)  # noqa: TID251


@tf.custom_gradient
def add_bias_of_16_bits(y: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Returns y + bias; its gradient is a product of matrices, which all processors compute in float32."""

    def gradient(upstream):
        rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
        return upstream, tf.linalg.matvec(rows, tf.ones_like(rows[:, 0]), transpose_a=True)

    return tf.nn.bias_add(y, bias), gradient  # noqa: TID251


def completed(layer: keras.layers.Layer, y: tf.Tensor) -> tf.Tensor:
    """Adds the bias of an affine layer of Keras, if it has one, and applies its activation, if it has one."""
    if layer.use_bias:
        y = add_bias(y, layer.bias)
    return y if layer.activation is None else layer.activation(y)
