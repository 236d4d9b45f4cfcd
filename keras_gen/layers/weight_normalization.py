"""A convolution whose kernel is a direction and a length."""

import keras
import tensorflow as tf

from keras_gen.core.step import Step
from keras_gen.layers.bias import add_bias
from keras_gen.layers.convolution import conv2d


class WeightNormalization(keras.layers.Layer):
    r"""A convolution that learns the length of each filter separately from its direction.

    Salimans and Kingma (2016), Weight Normalization, https://arxiv.org/abs/1602.07868, equation 2:

    $$w = \frac{g}{‖v‖} v$$

    for the kernel w of each filter. Initially g = ‖v‖, so the layer is the plain convolution with its initial kernel.
    `start` sets g and the bias such that the features of some examples have mean 0 and variance 1 (section 3).

    Args:
        kernel_shape: `(height, width, inputs, filters)`.
        initializer: initial kernel.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, kernel_shape: tuple[int, int, int, int], *, initializer, **kwargs):
        super().__init__(**kwargs)
        # Lengths are computed in float32, whatever the layer's precision.
        self.kernel = self.add_weight(shape=kernel_shape, initializer=initializer, name="kernel", autocast=False)
        self.length = self.add_weight(shape=kernel_shape[-1:], initializer="ones", name="length", autocast=False)
        self.length.assign(tf.sqrt(tf.reduce_sum(tf.square(self.kernel.value), axis=(0, 1, 2))))
        self.bias = self.add_weight(shape=kernel_shape[-1:], initializer="zeros", name="bias")
        self.built = True

    def call(self, x, start: Step | None = None):
        """Takes shape `(batch, height, width, inputs)`, and keeps height and width.

        Args:
            x: the features.
            start: step that takes on the length and bias that standardise the result, which is returned; None
                afterwards.
        """
        direction = tf.math.l2_normalize(self.kernel.value, axis=(0, 1, 2), epsilon=1e-24)
        length, bias = self.length.value, tf.cast(self.bias.value, tf.float32)
        if start is not None:
            y = conv2d(tf.cast(x, tf.float32), direction, 1, "SAME")
            mean, variance = tf.nn.moments(y, axes=(0, 1, 2))
            length = tf.math.rsqrt(variance + 1e-6)
            bias = -mean * length
            start.update(self.length, length)
            start.update(self.bias, bias)
        kernel = tf.cast(length * direction, self.compute_dtype)
        y = conv2d(tf.cast(x, self.compute_dtype), kernel, 1, "SAME")
        return add_bias(y, bias)
