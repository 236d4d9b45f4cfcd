"""A convolution whose kernel is a direction and a length."""

import keras
import tensorflow as tf


class WeightNormalization(keras.layers.Layer):
    r"""A convolution that learns the length of each filter apart from its direction.

    Salimans and Kingma (2016), Weight Normalization, https://arxiv.org/abs/1602.07868, equation 2:

    $$w = \frac{g}{‖v‖} v$$

    for the kernel w of each filter. At the start g = ‖v‖, so that the layer is the plain convolution of its initial
    kernel.

    Args:
        kernel_shape: `(height, width, inputs, filters)`.
        initializer: initial kernel.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, kernel_shape: tuple[int, int, int, int], *, initializer, **kwargs):
        super().__init__(**kwargs)
        # Lengths are computed in float32, whatever the layer computes in.
        self.kernel = self.add_weight(shape=kernel_shape, initializer=initializer, name="kernel", autocast=False)
        self.length = self.add_weight(shape=kernel_shape[-1:], initializer="ones", name="length", autocast=False)
        self.length.assign(tf.sqrt(tf.reduce_sum(tf.square(self.kernel.value), axis=(0, 1, 2))))
        self.bias = self.add_weight(shape=kernel_shape[-1:], initializer="zeros", name="bias")
        self.built = True

    def call(self, x):
        """Takes shape `(batch, height, width, inputs)`, and keeps height and width."""
        kernel = self.length.value * tf.math.l2_normalize(self.kernel.value, axis=(0, 1, 2), epsilon=1e-24)
        y = tf.nn.conv2d(tf.cast(x, self.compute_dtype), tf.cast(kernel, self.compute_dtype), 1, "SAME")
        return tf.nn.bias_add(y, tf.cast(self.bias, self.compute_dtype))
