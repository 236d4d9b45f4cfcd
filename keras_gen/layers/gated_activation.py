"""The gated activation of Gated PixelCNN and WaveNet."""

import tensorflow as tf


def gated_activation(x: tf.Tensor) -> tf.Tensor:
    """Returns tanh of the first half of the features times the sigmoid of the second half."""
    y, gate = tf.split(x, 2, axis=-1)
    return tf.tanh(y) * tf.sigmoid(gate)
