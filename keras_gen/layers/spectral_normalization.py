"""A dense layer, or a convolution, whose kernel is divided by its spectral norm."""

import keras
import numpy as np
import tensorflow as tf

from keras_gen.layers.bias import add_bias
from keras_gen.layers.convolution import conv2d


class SpectralNormalization(keras.layers.Layer):
    r"""An affine layer whose kernel is divided by its largest singular value.

    Miyato et al. (2018), Spectral Normalization for Generative Adversarial Networks, https://arxiv.org/abs/1802.05957:

    $$\bar W = W / σ(W), \qquad σ(W) ≈ v^\top W u, \qquad v = W u / ‖W u‖, \qquad u = W^\top v / ‖W^\top v‖$$

    where W has a row for each number that the layer sees: a convolution's kernel is treated as one matrix. A pass takes
    one step of the power iteration from the stored vector u, and is a function of the weights. A training step stores
    the next u once the optimizer has moved the kernel. No gradient flows through u and v.

    Args:
        kernel_shape: `(inputs, units)` for a dense layer, `(height, width, inputs, filters)` for a convolution.
        stride: stride of a convolution; it pads so that only the stride makes its output smaller.
        use_bias: whether a bias is added.
        initializer: initial kernel.
        seed: seeds of the initial u.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        kernel_shape: tuple[int, ...],
        *,
        stride: int | tuple[int, int] = 1,
        use_bias: bool = True,
        initializer,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stride = stride
        # The norm is computed in float32, whatever the layer's precision.
        self.kernel = self.add_weight(shape=kernel_shape, initializer=initializer, name="kernel", autocast=False)
        self.bias = None
        if use_bias:
            self.bias = self.add_weight(shape=kernel_shape[-1:], initializer="zeros", name="bias")
        start = np.random.default_rng(seed).standard_normal(kernel_shape[-1]).astype(np.float32)
        self.vector = self.add_weight(
            shape=start.shape,
            initializer=lambda shape, dtype: tf.constant(start / np.linalg.norm(start), dtype),
            trainable=False,
            name="vector",
            autocast=False,
        )
        self.built = True

    def singular_vectors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns v and u, one step of the power iteration after the stored vector."""
        kernel = tf.stop_gradient(self.matrix())
        left = tf.math.l2_normalize(tf.linalg.matvec(kernel, self.vector.value), epsilon=1e-24)
        right = tf.math.l2_normalize(tf.linalg.matvec(kernel, left, transpose_a=True), epsilon=1e-24)
        return left, right

    def matrix(self) -> tf.Tensor:
        """Returns the kernel with a row for each number that the layer sees."""
        return tf.reshape(self.kernel.value, (-1, self.kernel.shape[-1]))

    def spectral_norm(self) -> tf.Tensor:
        """Returns σ(W), a scalar."""
        left, right = self.singular_vectors()
        return tf.reduce_sum(left * tf.linalg.matvec(self.matrix(), right))

    def call(self, x, step=None):
        """Takes shape `(batch, inputs)`, or `(batch, height, width, inputs)`, and moves u in a training step."""
        if step is not None and step.training:
            step.update(self.vector, lambda: self.singular_vectors()[1])
        # A kernel of zeros stays zero.
        kernel = tf.math.divide_no_nan(self.kernel.value, self.spectral_norm())
        kernel = tf.cast(kernel, self.compute_dtype)
        y = tf.matmul(x, kernel) if len(kernel.shape) == 2 else conv2d(x, kernel, self.stride, "SAME")
        return y if self.bias is None else add_bias(y, self.bias)
