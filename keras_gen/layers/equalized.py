"""Dense layers and convolutions with an equalized learning rate."""

import math

import keras
import tensorflow as tf

from keras_gen.layers.bias import add_bias
from keras_gen.layers.convolution import conv2d, doubled
from keras_gen.layers.initializers import initializer_seed


class Equalized(keras.layers.Layer):
    r"""An affine layer whose kernel is stored with variance 1 and scaled in each pass.

    Karras et al. (2018), Progressive Growing of GANs, https://arxiv.org/abs/1710.10196, section 4.1:

    $$\hat w = w \, g / \sqrt{n}, \qquad w ∼ N(0, 1)$$

    where n is the number of inputs of each output, and g is the gain. Adam moves all w at about the same rate, so every
    layer learns equally fast, whatever its width. The bias is not scaled.

    Args:
        kernel_shape: `(inputs, units)` for a dense layer, `(height, width, inputs, filters)` for a convolution.
        resize: "keep"; or, for a convolution, "double", which repeats each pixel before the convolution, or "halve",
            which averages over 2×2 pixels after it. The convolution and the resizing are one operation.
        gain: g; √2 suits an activation such as ReLU.
        use_bias: whether a bias is added.
        seed: seeds of the initial kernel.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        kernel_shape: tuple[int, ...],
        *,
        resize: str = "keep",
        gain: float = 2**0.5,
        use_bias: bool = True,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.resize = resize
        self.scale = gain / math.sqrt(math.prod(kernel_shape[:-1]))
        initializer = keras.initializers.RandomNormal(stddev=1.0, seed=initializer_seed(seed))
        # The kernel is scaled in float32, whatever the layer's precision.
        self.kernel = self.add_weight(shape=kernel_shape, initializer=initializer, name="kernel", autocast=False)
        self.bias = None
        if use_bias:
            self.bias = self.add_weight(shape=kernel_shape[-1:], initializer="zeros", name="bias")
        self.built = True

    def call(self, x, step=None):
        """Takes shape `(batch, inputs)`, or `(batch, height, width, inputs)`."""
        kernel = self.scale * self.kernel.value
        x = tf.cast(x, self.compute_dtype)
        if len(kernel.shape) == 2:
            y = tf.matmul(x, tf.cast(kernel, x.dtype))
        elif self.resize == "keep":
            y = conv2d(x, tf.cast(kernel, x.dtype), 1, "SAME")
        elif self.resize == "halve":
            y = conv2d(x, tf.cast(0.25 * spread(kernel), x.dtype), 2, "SAME")
        else:
            # A transposed convolution, which traverses its kernel backwards.
            kernel = tf.transpose(spread(tf.reverse(kernel, (0, 1))), (0, 1, 3, 2))
            y = doubled(x, tf.cast(kernel, x.dtype))
        return y if self.bias is None else add_bias(y, self.bias)


def spread(kernel: tf.Tensor) -> tf.Tensor:
    """Returns the sum of a 3×3 kernel placed at the four corners of a 4×4 one: with stride 2, it sees pixel pairs."""
    corners = [((top, 1 - top), (left, 1 - left), (0, 0), (0, 0)) for top in (0, 1) for left in (0, 1)]
    return tf.add_n([tf.pad(kernel, corner) for corner in corners])
