"""The players of DCGAN: strided convolutions against transposed ones, for images of any size."""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen.adversarial.networks.base import Discriminator, Generator
from keras_gen.adversarial.networks.blocks import strided_sizes, strides_between
from keras_gen.layers import BatchNormalization
from keras_gen.layers.affine import affine
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import initializer_seed


class ConvolutionalGenerator(Generator):
    """The generator of DCGAN: transposed convolutions of 5×5, each after batch normalization and ReLU.

    Args:
        latent_size: length of the noise.
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector, which is appended to the noise; 0 for none.
        filters: channels of each strided layer of the mirrored discriminator, from the image inwards. None takes 64,
            128, 256, …, as many as bring both sides down to 4.
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
        batch_norm: bool = True,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters, sizes = strided_sizes(event_shape, filters)
        initializers, policy = normals(seed), self.dtype_policy
        self.batch_norm = batch_norm
        self.num_doublings = len(filters)
        self.smallest = (*sizes[-1], filters[-1])
        inputs, units = latent_size + condition_size, math.prod(self.smallest)
        # Where batch normalization follows, its bias takes the place of the layer's own.
        self.layers = [dense(inputs, units, next(initializers), policy, use_bias=not batch_norm)]
        channels = (event_shape[-1], *filters)
        for layer in reversed(range(len(filters))):
            if batch_norm:
                self.layers.append(BatchNormalization((None, None, None, channels[layer + 1]), dtype=policy))
            strides = strides_between(sizes[layer], sizes[layer + 1])
            transposed = keras.layers.Conv2DTranspose(
                channels[layer],
                5,
                strides=strides,
                padding="same",
                # Two lengths round up to the same half; this tells which of them to return to.
                output_padding=tuple(
                    side - ((half - 1) * stride + 1)
                    for side, half, stride in zip(sizes[layer], sizes[layer + 1], strides, strict=True)
                ),
                use_bias=layer == 0 or not batch_norm,
                kernel_initializer=next(initializers),
                dtype=policy,
            )
            transposed.build((None, None, None, channels[layer + 1]))
            self.layers.append(transposed)
        self.built = True

    def call(self, z, condition=None, *, step=None):
        layers = iter(self.layers)
        h = next(layers)(append_condition(tf.cast(z, self.compute_dtype), condition))
        h = tf.reshape(h, (-1, *self.smallest))
        for _ in range(self.num_doublings):
            if self.batch_norm:
                h = next(layers)(h, step=step)
            h = next(layers)(tf.nn.relu(h))
        return h


class ConvolutionalDiscriminator(Discriminator):
    """The discriminator of DCGAN: strided convolutions of 5×5 with batch normalization and LeakyReLU of slope 0.2.

    A condition is appended to the image as one plane for each entry of its vector, or enters by a projection.

    Args:
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector; 0 for none.
        filters: channels of each strided layer, as in `ConvolutionalGenerator`.
        batch_norm: whether all convolutions except the first have batch normalization.
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
            kernel_shape, own_seed = (5, 5, inputs, outputs), (*seed, layer)
            self.layers.append(affine(kernel_shape, next(initializers), policy, spectral_norm, own_seed, **options))
            if normalized:
                self.layers.append(BatchNormalization((None, None, None, outputs), dtype=policy))
        self.num_features = math.prod((*sizes[-1], filters[-1]))
        kernel_shape, own_seed = (self.num_features, 1), (*seed, len(filters))
        self.layers.append(affine(kernel_shape, next(initializers), policy, spectral_norm, own_seed))
        if projection:
            self.project(condition_size, next(initializers), spectral_norm, (*seed, len(filters) + 1))
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
            x = tf.nn.leaky_relu(x, 0.2)
        return tf.reshape(x, (-1, self.num_features))


def normals(seed: tuple[int, ...]):
    """Yields N(0, 0.02) for one layer after another, each from a stream of its own."""
    for layer in itertools.count():
        yield keras.initializers.RandomNormal(stddev=0.02, seed=initializer_seed((*seed, layer)))
