"""Residual blocks that enlarge or shrink images, and the layers that networks of both players are made of."""

import keras
import tensorflow as tf

from keras_gen.layers import SpectralNormalization
from keras_gen.layers.convolution import convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot


class EnlargingBlock(keras.layers.Layer):
    """Two 3×3 convolutions, each after batch normalization and ReLU, beside a shortcut; doubles an image.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        size: height and width of the output.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.size = size
        policy = self.dtype_policy
        self.first_norm = batch_normalization((None, None, None, inputs), policy)
        self.first = convolution(inputs, outputs, 3, 1, glorot((*seed, 0), 2**0.5), policy)
        self.second_norm = batch_normalization((None, None, None, outputs), policy)
        self.second = convolution(outputs, outputs, 3, 1, glorot((*seed, 1), 2**0.5), policy)
        self.shortcut = convolution(inputs, outputs, 1, 1, glorot((*seed, 2)), policy)
        self.built = True

    def call(self, x, *, training=False):
        y = tf.nn.relu(self.first_norm(x, training=training))
        y = self.first(doubled(y, self.size))
        y = self.second(tf.nn.relu(self.second_norm(y, training=training)))
        # A 1×1 convolution before the enlargement is the same as after it, at a quarter of the cost.
        return doubled(self.shortcut(x), self.size) + y


class ShrinkingBlock(keras.layers.Layer):
    """Two 3×3 convolutions, each after a ReLU, and an average over neighbours, beside a shortcut.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        strides: factors by which height and width shrink; a block that changes nothing of the shape has no layer in
            its shortcut.
        first: whether the input is the image itself, which goes without ReLU.
        spectral_norm: whether all layers have spectral normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        strides: tuple[int, int],
        *,
        first: bool,
        spectral_norm: bool,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.strides = strides
        self.is_first = first

        def layer(size, channels, place, scale):
            initializer = glorot((*seed, place), scale)
            return affine(
                (size, size, channels, outputs), initializer, self.dtype_policy, spectral_norm, (*seed, place)
            )

        self.first = layer(3, inputs, 0, 2**0.5)
        self.second = layer(3, outputs, 1, 2**0.5)
        self.shortcut = None if strides == (1, 1) and inputs == outputs else layer(1, inputs, 2, 1.0)
        self.built = True

    def call(self, x):
        y = self.first(x if self.is_first else tf.nn.relu(x))
        y = averaged(self.second(tf.nn.relu(y)), self.strides)
        # Averaging before a 1×1 convolution is the same as after it, at a quarter of the cost.
        x = averaged(x, self.strides)
        return (x if self.shortcut is None else self.shortcut(x)) + y


def affine(kernel_shape, initializer, dtype, spectral: bool, seed, use_bias: bool = True) -> keras.layers.Layer:
    """Returns a dense layer or a convolution of stride 1, with spectral normalization if asked for."""
    if spectral:
        return SpectralNormalization(kernel_shape, use_bias=use_bias, initializer=initializer, seed=seed, dtype=dtype)
    *size, inputs, outputs = kernel_shape
    if not size:
        return dense(inputs, outputs, initializer, dtype, use_bias=use_bias)
    return convolution(inputs, outputs, size[0], 1, initializer, dtype, use_bias=use_bias)


def batch_normalization(shape, dtype) -> keras.layers.BatchNormalization:
    """Statistics of the global batch, whatever the number of devices, and moving ones over some ten batches."""
    layer = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True, dtype=dtype)
    if shape is not None:
        layer.build(shape)
    return layer


def doubled(images: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns images with each pixel repeated along the sides that have to grow, cut to a size."""
    for axis, side in ((1, size[0]), (2, size[1])):
        if images.shape[axis] != side:
            images = tf.repeat(images, 2, axis=axis)
    return images[:, : size[0], : size[1]]


def averaged(images: tf.Tensor, strides: tuple[int, int]) -> tf.Tensor:
    """Returns images made smaller by averages over neighbours."""
    return images if strides == (1, 1) else tf.nn.avg_pool2d(images, strides, strides, "SAME")
