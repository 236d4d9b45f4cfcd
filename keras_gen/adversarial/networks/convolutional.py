"""The players of DCGAN: transposed convolutions against strided ones, for images of any size."""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial.networks.base import Discriminator, Generator
from keras_gen.adversarial.networks.blocks import strided_sizes, strides_between
from keras_gen.layers import BatchNormalization
from keras_gen.layers.affine import affine
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.convolution import Conv2DTranspose
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import initializer_seed


class ConvolutionalGenerator(Generator):
    """The generator of DCGAN: transposed convolutions, each after batch normalization and ReLU.

    Args:
        latent_size: length of the noise.
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector, which is appended to the noise; 0 for none.
        filters: channels of each strided layer of the mirrored discriminator, from the image inwards. None uses 64,
            128, 256, …, as many as bring both sides down to 4.
        kernel_size: height and width of the kernels.
        dense_units: widths of dense layers that the noise passes through first, each followed by batch normalization
            and ReLU.
        batch_norm: whether there is batch normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=None,
        kernel_size: int = 5,
        dense_units=(),
        batch_norm: bool = True,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided_sizes(event_shape, filters)
        initializers, policy = normals(seed), self.dtype_policy
        self.batch_norm = batch_norm
        self.doubled_sizes = sizes[-2::-1]
        self.smallest = (*sizes[-1], filters[-1])
        self.dense_units = checks.positive_ints("dense_units", dense_units)
        inputs, self.layers = latent_size + condition_size, []
        for units in (*self.dense_units, math.prod(self.smallest)):
            # If batch normalization follows, its bias replaces the layer's own.
            self.layers.append(dense(inputs, units, next(initializers), policy, use_bias=not batch_norm))
            if batch_norm and len(self.layers) < 2 * len(self.dense_units) + 1:
                self.layers.append(BatchNormalization((None, units), dtype=policy))
            inputs = units
        channels = (event_shape[-1], *filters)
        for layer in reversed(range(len(filters))):
            if batch_norm:
                self.layers.append(BatchNormalization((None, None, None, channels[layer + 1]), dtype=policy))
            strides = strides_between(sizes[layer], sizes[layer + 1])
            transposed = Conv2DTranspose(
                channels[layer],
                kernel_size,
                strides=strides,
                padding="same",
                output_padding=output_padding(sizes[layer], sizes[layer + 1], strides, kernel_size),
                use_bias=layer == 0 or not batch_norm,
                kernel_initializer=next(initializers),
                dtype=policy,
            )
            transposed.build((None, None, None, channels[layer + 1]))
            self.layers.append(transposed)
        self.built = True

    def call(self, z, condition=None, *, step=None):
        layers = iter(self.layers)
        h = append_condition(tf.cast(z, self.compute_dtype), condition)
        for _ in self.dense_units:
            h = next(layers)(h)
            if self.batch_norm:
                h = next(layers)(h, step=step)
            h = tf.nn.relu(h)
        h = tf.reshape(next(layers)(h), (-1, *self.smallest))
        for height, width in self.doubled_sizes:
            if self.batch_norm:
                h = next(layers)(h, step=step)
            # An even kernel may have doubled one pixel too many.
            h = next(layers)(tf.nn.relu(h))[:, :height, :width]
        return h


class ConvolutionalDiscriminator(Discriminator):
    """The discriminator of DCGAN: strided convolutions with batch normalization and LeakyReLU.

    A condition is appended to the image as one plane for each entry of its vector, or enters by a projection.

    Args:
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector; 0 for none.
        filters: channels of each strided layer, as in `ConvolutionalGenerator`.
        kernel_size: height and width of the kernels.
        dense_units: widths of dense layers after the convolutions, also with batch normalization and LeakyReLU.
        slope: slope of LeakyReLU below 0.
        batch_norm: whether all layers except the first and the last have batch normalization.
        spectral_norm: whether all layers have spectral normalization.
        projection: whether the condition enters by a projection.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        filters=None,
        kernel_size: int = 5,
        dense_units=(),
        slope: float = 0.2,
        batch_norm: bool = True,
        spectral_norm: bool = False,
        projection: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided_sizes(event_shape, filters)
        initializers, policy = normals(seed), self.dtype_policy
        self.batch_norm = batch_norm
        self.num_halvings = len(filters)
        channels = (event_shape[-1] + condition_size * (not projection), *filters)
        self.layers = []
        for layer, (inputs, outputs) in enumerate(itertools.pairwise(channels)):
            normalized = batch_norm and layer > 0
            strides = strides_between(sizes[layer], sizes[layer + 1])
            options = {"stride": strides, "use_bias": not normalized}
            kernel_shape, own_seed = (kernel_size, kernel_size, inputs, outputs), (*seed, layer)
            self.layers.append(affine(kernel_shape, next(initializers), policy, spectral_norm, own_seed, **options))
            if normalized:
                self.layers.append(BatchNormalization((None, None, None, outputs), dtype=policy))
        self.slope = checks.not_negative("slope", slope)
        self.dense_units = checks.positive_ints("dense_units", dense_units)
        self.num_convolved = math.prod((*sizes[-1], filters[-1]))
        self.num_features, own_seeds = self.num_convolved, ((*seed, layer) for layer in itertools.count(len(filters)))
        for units in self.dense_units:
            kernel_shape, options = (self.num_features, units), {"use_bias": not batch_norm}
            layer = affine(kernel_shape, next(initializers), policy, spectral_norm, next(own_seeds), **options)
            self.layers.append(layer)
            if batch_norm:
                self.layers.append(BatchNormalization((None, units), dtype=policy))
            self.num_features = units
        kernel_shape = (self.num_features, 1)
        self.layers.append(affine(kernel_shape, next(initializers), policy, spectral_norm, next(own_seeds)))
        if projection:
            self.project(condition_size, next(initializers), spectral_norm, next(own_seeds))
        self.built = True

    @property
    def head(self):
        return self.layers[-1]

    def extract(self, x, condition, *, step):
        if condition is not None:
            planes = tf.cast(condition, x.dtype)[:, tf.newaxis, tf.newaxis]
            x = tf.concat([x, tf.tile(planes, (1, *x.shape[1:3], 1))], axis=-1)
        layers = iter(self.layers)
        for index in range(self.num_halvings):
            x = next(layers)(x, step=step)
            if self.batch_norm and index > 0:
                x = next(layers)(x, step=step)
            x = tf.nn.leaky_relu(x, self.slope)
        x = tf.reshape(x, (-1, self.num_convolved))
        for _ in self.dense_units:
            x = next(layers)(x, step=step)
            if self.batch_norm:
                x = next(layers)(x, step=step)
            x = tf.nn.leaky_relu(x, self.slope)
        return x


def output_padding(size: tuple[int, int], half: tuple[int, int], strides: tuple[int, int], kernel_size: int):
    """Returns the number that tells a transposed convolution which of two sizes with the same half to restore.

    An even kernel, for which Keras has no such number, restores the larger one.
    """
    if kernel_size % 2 == 0:
        return None
    return tuple(a - ((b - 1) * stride + 1) for a, b, stride in zip(size, half, strides, strict=True))


def normals(seed: tuple[int, ...]):
    """Yields N(0, 0.02) for one layer after another, each from its own stream."""
    for layer in itertools.count():
        yield keras.initializers.RandomNormal(stddev=0.02, seed=initializer_seed((*seed, layer)))
