"""The players of WaveGAN: DCGAN's, flattened to one dimension, for sound of any length."""

import itertools
import math

import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial.networks.base import Discriminator, Generator
from keras_gen.layers.affine import affine
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.convolution import Conv1D, Conv1DTranspose, convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot

#: Length of a kernel in samples.
KERNEL_SIZE = 25

#: Strided layers shorten anything longer than this; the generator of WaveGAN starts from 16 samples.
SMALLEST_LENGTH = 16


class WaveformGenerator(Generator):
    """The generator of WaveGAN: transposed convolutions over 25 samples, each after a ReLU.

    Args:
        latent_size: length of the noise.
        event_shape: (samples,) of a sound.
        condition_size: length of the condition's vector, which is appended to the noise; 0 for none.
        base_filters: channels of the second-to-last layer; each preceding layer has twice as many as the next.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        base_filters: int = 64,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        lengths, strides = strided_lengths(event_shape)
        channels = doubling_channels(1, base_filters, len(strides))
        policy = self.dtype_policy
        self.smallest = (lengths[-1], channels[-1])
        inputs = latent_size + condition_size
        self.dense_layer = dense(inputs, math.prod(self.smallest), glorot((*seed, 0)), policy)
        self.transposed_layers = []
        for layer in reversed(range(len(strides))):
            transposed = Conv1DTranspose(
                channels[layer],
                KERNEL_SIZE,
                strides=strides[layer],
                padding="same",
                # Several lengths round up to the same quarter; this says which of them to restore.
                output_padding=lengths[layer] - ((lengths[layer + 1] - 1) * strides[layer] + 1),
                kernel_initializer=glorot((*seed, 1, layer)),
                dtype=policy,
            )
            transposed.build((None, None, channels[layer + 1]))
            self.transposed_layers.append(transposed)
        self.built = True

    def call(self, z, condition=None, *, step=None):
        h = self.dense_layer(append_condition(tf.cast(z, self.compute_dtype), condition))
        h = tf.reshape(h, (-1, *self.smallest))
        for layer in self.transposed_layers:
            h = layer(tf.nn.relu(h))
        return h[..., 0]


class WaveformDiscriminator(Discriminator):
    """The discriminator of WaveGAN: strided convolutions over 25 samples, LeakyReLU of slope 0.2, and phase shuffle.

    A condition is appended to the sound as one channel for each entry of its vector.

    Args:
        event_shape: (samples,) of a sound.
        condition_size: length of the condition's vector; 0 for none.
        base_filters: channels of the first layer; each further layer has twice as many as the previous one.
        phase_shuffle: maximum number of samples by which a training step shifts features after each layer except the
            last; 0 for no shuffle.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        base_filters: int = 64,
        phase_shuffle: int = 2,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        lengths, strides = strided_lengths(event_shape)
        channels = doubling_channels(1 + condition_size, base_filters, len(strides))
        policy = self.dtype_policy
        self.phase_shuffle = checks.not_negative("phase_shuffle", phase_shuffle, whole=True)
        # Samples shifted in are reflections, and no sample is reflected twice.
        shortest = lengths[-2]
        if self.phase_shuffle >= shortest:
            raise ValueError(
                f"`phase_shuffle` must be smaller than the {shortest} samples before the last layer, received "
                f"{phase_shuffle}."
            )
        self.convolutions = [
            convolution(*pair, KERNEL_SIZE, stride, glorot((*seed, 0, index)), policy, Conv1D)
            for index, (pair, stride) in enumerate(zip(itertools.pairwise(channels), strides, strict=True))
        ]
        self.num_features = lengths[-1] * channels[-1]
        self.head = affine((self.num_features, 1), glorot((*seed, 1)), policy, False, (*seed, 1))
        self.built = True

    def extract(self, x, condition, *, step):
        x = x[..., tf.newaxis]
        if condition is not None:
            planes = tf.cast(condition, x.dtype)[:, tf.newaxis]
            x = tf.concat([x, tf.tile(planes, (1, x.shape[1], 1))], axis=-1)
        for index, layer in enumerate(self.convolutions):
            x = tf.nn.leaky_relu(layer(x), 0.2)
            if step is not None and step.training and self.phase_shuffle and layer is not self.convolutions[-1]:
                x = phase_shuffled(x, self.phase_shuffle, step.fold(index))
        return tf.reshape(x, (-1, self.num_features))


def phase_shuffled(h: tf.Tensor, largest: int, step) -> tf.Tensor:
    """Returns features shifted to later samples by a draw from -largest..largest, the same for the whole batch.

    Samples shifted in are reflections of the existing ones.

    Args:
        h: features of shape `(batch, samples, channels)`, with more samples than `largest`.
        largest: the largest number of samples.
        step: the step, whose seed all replicas share.
    """
    samples = h.shape[1]
    shift = tf.random.stateless_uniform((), step.seed, -largest, largest + 1, tf.int32, alg="philox")
    # `tf.pad` cannot reflect a batch without rows, which a replica may have.
    before, after = h[:, 1 : largest + 1], h[:, -largest - 1 : -1]
    padded = tf.concat([tf.reverse(before, [1]), h, tf.reverse(after, [1])], axis=1)
    start = largest - shift
    return tf.ensure_shape(padded[:, start : start + samples], h.shape)


def strided_lengths(event_shape: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Returns the lengths before each strided layer and after the last, and the strides: 4, and at the end 4 or 2.

    Raises:
        ValueError: if the examples are not sounds.
    """
    if len(event_shape) != 1:
        raise ValueError(f"`event_shape` must be (samples,), received {event_shape}.")
    lengths, strides = [event_shape[0]], []
    while lengths[-1] > SMALLEST_LENGTH or not strides:
        strides.append(4 if lengths[-1] > 2 * SMALLEST_LENGTH else 2)
        lengths.append(math.ceil(lengths[-1] / strides[-1]))
    return lengths, strides


def doubling_channels(outermost: int, base_filters: int, num_layers: int) -> tuple[int, ...]:
    """Returns the channels of a sound and of each layer's features, from the sound inwards."""
    base_filters = checks.positive_int("base_filters", base_filters)
    return (outermost, *(base_filters * 2**layer for layer in range(num_layers)))
