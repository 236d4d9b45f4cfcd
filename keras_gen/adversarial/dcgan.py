"""DCGAN: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks.

Alec Radford, Luke Metz, Soumith Chintala (2016), https://arxiv.org/abs/1511.06434
"""

import itertools
import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.adversarial.base import AdversarialModel
from keras_gen.adversarial.losses import GENERATOR_LOSSES

tfd = tfp.distributions

#: A strided layer halves the sides longer than this; the paper's generator starts from 4×4.
SMALLEST_SIDE = 4


class DCGAN(AdversarialModel):
    r"""A generator of transposed convolutions against a discriminator of strided ones.

    The generator G maps uniform noise to an image, the discriminator D an image to the probability that it comes
    from the data:

    $$z ∼ U(-1, 1)^{latent\_size}, \qquad x = G(z), \qquad D(x) ∈ (0, 1)$$
    $$L_D = -\log D(x) - \log(1 - D(G(z))), \qquad L_G = -\log D(G(z))$$

    All convolutions are 5×5. G projects z onto a small image and doubles it layer by layer, with batch
    normalization and ReLU, up to a tanh; D halves the image layer by layer, with batch normalization (but at its
    input) and LeakyReLU of slope 0.2, down to one logit. The sides of an image may have any length: a layer of D
    halves a side longer than 4, rounding up, and the mirrored layer of G undoes exactly that.

    With `filters=(128, 256, 512, 1024)` and 64×64 pixels, G is the network of the paper's figure 1.

    Example:

    ```python
    model = keras_gen.adversarial.DCGAN((28, 28, 1), filters=(32, 64, 128))
    model.compile()                                        # the paper's Adam for both players
    model.fit(x_train, batch_size=128, epochs=10)          # x_train holds levels 0..255
    model.sample(16, seed=0)                               # levels 0..255
    model.discriminate(x_test)                             # D(x)
    ```

    Args:
        event_shape: height, width and channels of an image.
        levels: number of levels of a channel; inside, they are spread over [-1, 1].
        latent_size: length of z.
        filters: channels of each strided layer of D from the image inwards, and of G in reverse. None takes 64, 128,
            256, …, as many as bring both sides down to 4.
        objective: the generator's loss, "non_saturating" or "minimax" (`keras_gen.adversarial.losses`).
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int = 256,
        *,
        latent_size: int = 100,
        filters=None,
        objective: str = "non_saturating",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        if len(self.event_shape) != 3:
            raise ValueError(f"`event_shape` must be (height, width, channels), received {self.event_shape}.")
        checks.levels(levels)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.filters = None if filters is None else checks.positive_ints("filters", filters)
        if self.filters == ():
            raise ValueError("`filters` must have at least one entry, received ().")
        self.objective = checks.choice("objective", objective, GENERATOR_LOSSES)

        *sides, channels = self.event_shape
        layers = self.filters or [64 * 2**layer for layer in range(max(1, *map(halvings, sides)))]
        # The height and width before each strided layer, and after the last.
        sizes = [tuple(sides)]
        for _ in layers:
            sizes.append(tuple(halved(side) for side in sizes[-1]))
        self.generator = self.build_generator(layers, sizes, channels)
        self.discriminator = self.build_discriminator(layers, sizes, channels)

    # Networks

    def build_generator(self, filters, sizes, channels: int) -> keras.Sequential:
        """Returns the network from z to an image before its tanh."""
        initializers = self.initializers(0)
        network = keras.Sequential([keras.Input((self.latent_size,))], name="generator")

        def add(layer, *args, **options):
            network.add(layer(*args, kernel_initializer=next(initializers), dtype=self.dtype_policy, **options))

        add(keras.layers.Dense, math.prod(sizes[-1]) * filters[-1], use_bias=False)
        network.add(keras.layers.Reshape((*sizes[-1], filters[-1]), dtype=self.dtype_policy))
        for layer in reversed(range(len(filters))):
            network.add(self.batch_normalization())
            network.add(keras.layers.ReLU(dtype=self.dtype_policy))
            strides = strides_between(sizes[layer], sizes[layer + 1])
            add(
                keras.layers.Conv2DTranspose,
                filters[layer - 1] if layer else channels,
                5,
                strides=strides,
                padding="same",
                # Two lengths round up to the same half; this tells which of them to return to.
                output_padding=tuple(
                    side - ((half - 1) * stride + 1)
                    for side, half, stride in zip(sizes[layer], sizes[layer + 1], strides, strict=True)
                ),
                # Batch normalization follows, and has a bias of its own, but at the image.
                use_bias=layer == 0,
            )
        return network

    def build_discriminator(self, filters, sizes, channels: int) -> keras.Sequential:
        """Returns the network from an image in [-1, 1] to a logit."""
        initializers = self.initializers(1)
        network = keras.Sequential([keras.Input((*sizes[0], channels))], name="discriminator")

        def add(layer, *args, **options):
            network.add(layer(*args, kernel_initializer=next(initializers), dtype=self.dtype_policy, **options))

        for layer, units in enumerate(filters):
            strides = strides_between(sizes[layer], sizes[layer + 1])
            add(keras.layers.Conv2D, units, 5, strides=strides, padding="same", use_bias=layer == 0)
            if layer > 0:
                network.add(self.batch_normalization())
            network.add(keras.layers.LeakyReLU(0.2, dtype=self.dtype_policy))
        network.add(keras.layers.Flatten(dtype=self.dtype_policy))
        add(keras.layers.Dense, 1)
        return network

    def batch_normalization(self) -> keras.layers.BatchNormalization:
        """Statistics of the global batch, whatever the number of devices, and moving ones over some ten batches."""
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True, dtype=self.dtype_policy)

    def initializers(self, player: int):
        """Yields N(0, 0.02) for one layer after another, each from a stream of its own."""
        for layer in itertools.count():
            stream = np.random.SeedSequence((self.seed, player, layer))
            yield keras.initializers.RandomNormal(stddev=0.02, seed=int(stream.generate_state(1)[0]))

    # The players

    def noise_distributions(self):
        """The latent code, uniform between -1 and 1."""
        return {"z": tfd.Sample(tfd.Uniform(-1.0, 1.0), self.latent_size)}

    def fakes(self, noise, condition, *, training):
        images = tf.tanh(tf.cast(self.generator(noise["z"], training=training), tf.float32))
        return (images + 1.0) * ((self.levels - 1) / 2)

    def logits(self, x, condition, *, training):
        images = x * (2 / (self.levels - 1)) - 1.0
        return tf.cast(self.discriminator(images, training=training)[:, 0], tf.float32)


def halved(side: int) -> int:
    """Returns the length of a side after a strided layer."""
    return math.ceil(side / 2) if side > SMALLEST_SIDE else side


def halvings(side: int) -> int:
    """Returns how many strided layers bring a side down to `SMALLEST_SIDE`."""
    return 0 if side <= SMALLEST_SIDE else 1 + halvings(halved(side))


def strides_between(size: tuple[int, int], half: tuple[int, int]) -> tuple[int, int]:
    """Returns the strides of the layer between an image's size and the next smaller one."""
    return tuple(1 if a == b else 2 for a, b in zip(size, half, strict=True))
