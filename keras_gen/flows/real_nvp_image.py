"""Real NVP for images: checkerboard and channel-wise couplings, at several scales.

Density estimation using Real NVP. Laurent Dinh, Jascha Sohl-Dickstein, Samy Bengio (2016),
https://arxiv.org/abs/1605.08803
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import Step
from keras_gen.flows.base import FlowModel
from keras_gen.flows.bijectors import MaskedCoupling, affine_coupling, checkerboard, on_second_half, on_squeezed
from keras_gen.flows.networks import (
    OwnImageConditioner,
    add_condition,
    check_image,
    default_scales,
    shift_and_log_scale,
)
from keras_gen.flows.normalization import BatchNormalization
from keras_gen.layers import ResidualBlock
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.layers.weight_normalization import WeightNormalization
from keras_gen.networks import OwnNetwork, argument_value

tfb = tfp.bijectors

#: Number of couplings of each kind at a scale, and of the only kind at the last scale.
TURNS, LAST_TURNS = 3, 4


class ResidualNetwork(keras.layers.Layer):
    """The functions s and t of one affine coupling: a convolutional residual network with two heads in one.

    The kernels of all convolutions are normalized (section 3.7). s ends in a tanh times a learned factor for each
    channel, which bounds how far one coupling stretches.

    Args:
        inputs: number of channels of the input.
        outputs: number of channels of s, and of t.
        filters: number of channels inside the network.
        num_blocks: number of residual blocks.
        vector_size: length of the vector that examples are conditioned on; 0 for none.
        seed: seeds of the initial weights.
        **kwargs: `dtype`, as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        filters: int,
        num_blocks: int,
        *,
        vector_size: int,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.first = WeightNormalization((3, 3, inputs, filters), initializer=glorot((*seed, 0)), dtype=policy)
        self.projection = dense(vector_size, filters, glorot((*seed, 1)), policy) if vector_size else None
        self.blocks = [
            ResidualBlock(filters, filters, seed=(*seed, 2, index), weight_normalization=True, dtype=policy)
            for index in range(num_blocks)
        ]
        # Small weights: the flow starts near the identity, yet every weight has a gradient.
        shape = (3, 3, filters, 2 * outputs)
        self.last = WeightNormalization(shape, initializer=glorot((*seed, 3), 0.1), dtype=policy)
        self.factor = self.add_weight(shape=(outputs,), initializer="ones", name="factor")
        self.built = True

    def call(self, x, condition=None, start: Step | None = None):
        """Returns t and s, as float32, for images of shape `(batch, height, width, inputs)`.

        Args:
            x: the images.
            condition: vectors of shape `(batch, vector_size)`, or None.
            start: step that takes the initial weights of all convolutions except the last, given these images; None
                afterwards.
        """
        h = add_condition(self.first(x, start=start), self.projection, condition)
        for block in self.blocks:
            h = block(h, start=start)
        return shift_and_log_scale(self.last(tf.nn.relu(h)), self.factor)


class MultiScaleRealNVP(FlowModel):
    r"""A flow of affine couplings of pixels and channels from images to standard normal noise.

    A coupling keeps the entries that a mask b marks, and scales and shifts the others by functions of the kept ones
    (equation 9 of the paper):

    $$y = b ⊙ x + (1 - b) ⊙ (x ⊙ \exp(s(b ⊙ x)) + t(b ⊙ x))$$

    Each scale begins with three couplings with checkerboard masks. A squeeze then turns 2×2 pixels into one with four
    times the channels, three couplings whose mask is half of the channels follow, and half of the channels become
    noise. The last scale has four checkerboard couplings (section 3.6). The flow starts near the identity.

    Example:

    ```python
    model = keras_gen.flows.MultiScaleRealNVP((28, 28, 1))
    model.compile(keras.optimizers.Adam(1e-3))
    model.adapt(x_train)                                   # levels 0..255
    model.fit(x_train, batch_size=64, epochs=10)
    model.log_prob_bound(x_test)                           # nats, with a standard error
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: (height, width, channels) of an image; height and width are divisible by 2 ** (`num_scales` - 1).
        levels: as in `FlowModel`.
        num_scales: number of scales; by default 2, or 1 if an image cannot be squeezed.
        filters: number of channels inside the networks s and t of the first scale; it doubles from scale to scale.
        num_blocks: number of residual blocks in each of these networks.
        batch_normalization: whether each coupling except the last is followed by a batch normalization (section 3.7).
        conditioner_network: a Keras layer or model in place of the residual networks, from the kept entries or
            channels, and the condition's vector, to features of the same height and width. It must accept any height
            and width, since they halve from scale to scale. A convolution follows. Each coupling gets a new instance of
            it.
        seed: as in `FlowModel`.
        **kwargs: as in `FlowModel`.
    """

    shared_axes = (0, 1)

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        num_scales: int | None = None,
        filters: int = 32,
        num_blocks: int = 2,
        batch_normalization: bool = False,
        conditioner_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        if num_scales is None:
            num_scales = 1 + default_scales(self.event_shape, 1)
        self.num_scales = checks.positive_int("num_scales", num_scales)
        self.filters = checks.positive_int("filters", filters)
        self.num_blocks = checks.positive_int("num_blocks", num_blocks)
        self.batch_normalization = batch_normalization
        self.conditioner_network = argument_value("conditioner_network", conditioner_network)
        check_image(self.event_shape, self.num_scales - 1, self.num_scales)

        self.coupling_networks, self.normalizations = [], []
        for scale in range(self.num_scales):
            last = scale == self.num_scales - 1
            channels = self.event_shape[-1] * 2**scale
            # A checkerboard keeps the number of channels; after a squeeze there are four times as many, in two halves.
            sizes = [channels] * LAST_TURNS if last else [channels] * TURNS + [2 * channels] * TURNS
            for index, size in enumerate(sizes):
                by_pixels = last or index < TURNS
                self.coupling_networks.append(self.new_network(scale, by_pixels, size, (seed, scale, index)))
                if batch_normalization and not (last and index == LAST_TURNS - 1):
                    self.normalizations.append(BatchNormalization(channels if by_pixels else 4 * channels))

    def new_network(
        self, scale: int, by_pixels: bool, channels: int, seed: tuple[int, ...]
    ) -> ResidualNetwork | OwnImageConditioner:
        """Returns a new network for a coupling of pixels, or of channels after a squeeze, at a scale."""
        arguments = {"vector_size": self.vector_size, "seed": seed, "dtype": self.dtype_policy}
        if self.conditioner_network is None:
            return ResidualNetwork(channels, channels, self.filters * 2**scale, self.num_blocks, **arguments)
        height, width = (size // 2 ** (scale if by_pixels else scale + 1) for size in self.event_shape[:2])
        return OwnImageConditioner(self.conditioner_network, (height, width, channels), channels, **arguments)

    # Densities

    def steps(self, condition, step=None):
        return self.steps_with(self.coupling_networks, condition, step)

    def steps_with(self, networks: Sequence[Callable], condition, step: Step | None) -> list[tfb.Bijector]:
        """Returns what `steps` does, with given networks."""
        return self.scale_steps(0, iter(networks), iter(self.normalizations), condition, step)

    def start_step(self, x, condition, step):
        """Initializes the networks' convolutions."""
        networks = [functools.partial(network, start=step) for network in self.coupling_networks]
        tfb.Chain(self.steps_with(networks, condition, step)[::-1]).forward(x)

    def scale_steps(
        self,
        scale: int,
        networks: Iterator,
        normalizations: Iterator,
        condition: tf.Tensor | None,
        step: Step | None,
    ) -> list[tfb.Bijector]:
        """Returns the bijectors of a scale and of all later scales; each takes the next of the networks."""
        height, width, channels = self.event_shape
        shape = (height // 2**scale, width // 2**scale, channels * 2**scale)

        def couplings(num, make):
            for index in range(num):
                yield make(index, next(networks))
                normalization = next(normalizations, None)
                if normalization is not None:
                    yield normalization.bijector(3, step)

        def of_pixels(index, network):
            return MaskedCoupling(checkerboard(shape, index % 2), lambda kept: network(kept, condition))

        def of_channels(index, network):
            return affine_coupling(2 * shape[-1], index % 2 == 0, network, condition)

        if scale == self.num_scales - 1:
            return list(couplings(LAST_TURNS, of_pixels))
        by_pixels, by_channels = list(couplings(TURNS, of_pixels)), list(couplings(TURNS, of_channels))
        inner = self.scale_steps(scale + 1, networks, normalizations, condition, step)
        rest = on_second_half(tfb.Chain(inner[::-1]), 4 * shape[-1])
        return [*by_pixels, on_squeezed([*by_channels, rest])]
