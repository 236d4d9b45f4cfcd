"""Players of residual blocks, for images of any size (Gulrajani et al., 2017; Miyato et al., 2018)."""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen.adversarial.networks.base import Discriminator, Generator
from keras_gen.adversarial.networks.blocks import strided_sizes, strides_between
from keras_gen.layers import BatchNormalization
from keras_gen.layers.affine import affine
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.convolution import convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot


class EnlargingBlock(keras.layers.Layer):
    """Two 3×3 convolutions, each after batch normalization and ReLU, with a shortcut; doubles an image.

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
        self.first_norm = BatchNormalization((None, None, None, inputs), dtype=policy)
        self.first = convolution(inputs, outputs, 3, 1, glorot((*seed, 0), 2**0.5), policy)
        self.second_norm = BatchNormalization((None, None, None, outputs), dtype=policy)
        self.second = convolution(outputs, outputs, 3, 1, glorot((*seed, 1), 2**0.5), policy)
        self.shortcut = convolution(inputs, outputs, 1, 1, glorot((*seed, 2)), policy)
        self.built = True

    def call(self, x, *, step=None):
        y = tf.nn.relu(self.first_norm(x, step=step))
        y = self.first(doubled(y, self.size))
        y = self.second(tf.nn.relu(self.second_norm(y, step=step)))
        # A 1×1 convolution before the enlargement is equivalent to one after it, at a quarter of the cost.
        return doubled(self.shortcut(x), self.size) + y


class ShrinkingBlock(keras.layers.Layer):
    """Two 3×3 convolutions, each after a ReLU, and an average over neighbours, with a shortcut.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        strides: factors by which height and width shrink. A block that keeps the shape has no layer in its shortcut.
        first: whether the input is the image itself, which no ReLU precedes.
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

        def layer(size, channels, index, scale):
            kernel_shape, own_seed = (size, size, channels, outputs), (*seed, index)
            return affine(kernel_shape, glorot(own_seed, scale), self.dtype_policy, spectral_norm, own_seed)

        self.first = layer(3, inputs, 0, 2**0.5)
        self.second = layer(3, outputs, 1, 2**0.5)
        self.shortcut = None if strides == (1, 1) and inputs == outputs else layer(1, inputs, 2, 1.0)
        self.built = True

    def call(self, x, *, step=None):
        y = self.first(x if self.is_first else tf.nn.relu(x), step=step)
        y = averaged(self.second(tf.nn.relu(y), step=step), self.strides)
        # Averaging before a 1×1 convolution is equivalent to averaging after it, at a quarter of the cost.
        x = averaged(x, self.strides)
        return (x if self.shortcut is None else self.shortcut(x, step=step)) + y


class ResidualGenerator(Generator):
    """Residual blocks of 3×3 convolutions, each of which doubles the image, as in Gulrajani et al. (2017).

    Args:
        latent_size: length of the noise.
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector, which is appended to the noise; 0 for none.
        filters: channels of each block of the mirrored discriminator, from the image inwards.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=(64, 64),
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided_sizes(event_shape, filters)
        policy = self.dtype_policy
        self.smallest = (*sizes[-1], filters[-1])
        self.dense_layer = dense(latent_size + condition_size, math.prod(self.smallest), glorot((*seed, 0)), policy)
        widths = itertools.pairwise((*filters[::-1], filters[0]))
        self.blocks = [
            EnlargingBlock(*channels, size, seed=(*seed, 1, index), dtype=policy)
            for index, (channels, size) in enumerate(zip(widths, sizes[-2::-1], strict=True))
        ]
        self.norm = BatchNormalization((None, None, None, filters[0]), dtype=policy)
        self.last = convolution(filters[0], event_shape[-1], 3, 1, glorot((*seed, 2)), policy)
        self.built = True

    def call(self, z, condition=None, *, step=None):
        h = self.dense_layer(append_condition(tf.cast(z, self.compute_dtype), condition))
        h = tf.reshape(h, (-1, *self.smallest))
        for block in self.blocks:
            h = block(h, step=step)
        return self.last(tf.nn.relu(self.norm(h, step=step)))


class ResidualDiscriminator(Discriminator):
    """Residual blocks of 3×3 convolutions, each of which halves the image, and the sum over the remaining pixels.

    A condition enters by a projection.

    Args:
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector; 0 for none.
        filters: channels of each block, from the image inwards; a last block keeps size and channels.
        spectral_norm: whether all layers have spectral normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=(64, 64),
        spectral_norm: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided_sizes(event_shape, filters)
        options = {"spectral_norm": spectral_norm, "dtype": self.dtype_policy}
        strides = [strides_between(*pair) for pair in itertools.pairwise(sizes)] + [(1, 1)]
        widths = itertools.pairwise((event_shape[-1], *filters, filters[-1]))
        self.blocks = [
            ShrinkingBlock(*channels, stride, first=index == 0, seed=(*seed, 0, index), **options)
            for index, (channels, stride) in enumerate(zip(widths, strides, strict=True))
        ]
        self.num_features = filters[-1]
        self.head = affine((filters[-1], 1), glorot((*seed, 1)), self.dtype_policy, spectral_norm, (*seed, 1))
        self.project(condition_size, glorot((*seed, 2)), spectral_norm, (*seed, 2))
        self.built = True

    def extract(self, x, condition, *, step):
        for block in self.blocks:
            x = block(x, step=step)
        return tf.reduce_sum(tf.nn.relu(x), axis=(1, 2))


def doubled(images: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns images with each pixel repeated along the sides that must grow, cropped to a size."""
    for axis, side in ((1, size[0]), (2, size[1])):
        if images.shape[axis] != side:
            images = tf.repeat(images, 2, axis=axis)
    return images[:, : size[0], : size[1]]


def averaged(images: tf.Tensor, strides: tuple[int, int]) -> tf.Tensor:
    """Returns images downsampled by averaging over neighbours."""
    return images if strides == (1, 1) else tf.nn.avg_pool2d(images, strides, strides, "SAME")
