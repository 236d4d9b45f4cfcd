"""Distributions q(u|x) of the noise that makes real numbers of levels."""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.flows.bijectors.images import MaskedCoupling, checkerboard
from keras_gen.flows.networks import CouplingNetwork, with_condition
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.convolution import convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot

tfb = tfp.bijectors


class Dequantizer(keras.layers.Layer):
    """A distribution of noise in [0, 1) for each entry of an example.

    Args:
        event_shape: shape of an example.
        levels: number of levels of an entry.
        vector_size: entries of the vector that examples are conditioned on; 0 for none.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, event_shape: tuple[int, ...], levels: int, vector_size: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.event_shape = event_shape
        self.levels = levels
        self.vector_size = vector_size
        self.seed = seed
        self.built = True

    def noise(self, num: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns uniform numbers in [0, 1), of shape `(num, *event_shape)`, that `draw` makes u from."""
        return seeds.uniform((num, *self.event_shape), seed)

    def draw(self, x: tf.Tensor, condition: tf.Tensor | None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Turns uniform numbers into noise.

        Args:
            x: float32 levels of shape `(batch, *event_shape)`.
            condition: vectors of shape `(batch, vector_size)`, or None.
            noise: uniform numbers of the shape of `x`.

        Returns:
            u, of the shape of `x`, and log q(u|x) in nats, of shape `(batch,)`.
        """
        raise NotImplementedError


class Uniform(Dequantizer):
    """Independent uniform noise (Theis et al., 2015, https://arxiv.org/abs/1511.01844)."""

    def draw(self, x, condition, noise):
        return noise, tf.zeros(tf.shape(x)[:1])


class Variational(Dequantizer):
    r"""Noise of a flow that sees the example (Ho et al., 2019, https://arxiv.org/abs/1902.00275, section 3.1).

    The logits of uniform numbers v pass affine couplings, whose networks see features of the example x, and become u by
    a sigmoid; it starts as the identity, so that q(u|x) is uniform.

    $$u = σ(f_x(\operatorname{logit} v)), \qquad \log q(u|x) = -\log \left|\det \frac{∂u}{∂v}\right|$$

    Networks are convolutional for images of shape (height, width, channels), and dense for any other shape.

    Args:
        event_shape: as in `Dequantizer`.
        levels: as in `Dequantizer`.
        vector_size: as in `Dequantizer`.
        num_layers: number of couplings.
        filters: number of features within the networks.
        seed: as in `Dequantizer`.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        levels: int,
        vector_size: int,
        *,
        num_layers: int = 4,
        filters: int = 16,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(event_shape, levels, vector_size, seed=seed, **kwargs)
        num_layers = checks.positive_int("num_layers", num_layers)
        filters = checks.positive_int("filters", filters)
        policy = self.dtype_policy
        # Anything but an image is one pixel, for whose channels a convolution of 1×1 is a dense layer.
        is_image = len(event_shape) == 3
        self.image_shape = event_shape if is_image else (1, 1, math.prod(event_shape))
        size, channels = 3 if is_image else 1, self.image_shape[-1]
        self.first = convolution(channels, filters, size, 1, glorot((*seed, 0)), policy)
        self.second = convolution(filters, filters, size, 1, glorot((*seed, 1)), policy)
        self.projection = dense(vector_size, filters, glorot((*seed, 2)), policy) if vector_size else None
        self.coupling_networks = [
            CouplingNetwork(channels + filters, filters, channels, size=size, seed=(*seed, 3, index), dtype=policy)
            for index in range(num_layers)
        ]

    def draw(self, x, condition, noise):
        # The logit of 0 is infinite; uniform numbers are multiples of 2^-23.
        noise = tf.reshape(tf.maximum(noise, 2.0**-24), (-1, *self.image_shape))
        flow = self.flow(x, condition)
        u = flow.forward(noise)
        return tf.reshape(u, tf.shape(x)), -flow.forward_log_det_jacobian(noise, event_ndims=3)

    def flow(self, x: tf.Tensor, condition: tf.Tensor | None) -> tfb.Bijector:
        """Returns the function from v to u, both of shape `(batch, *image_shape)`, for examples x."""
        scaled = tf.reshape(2.0 * x / (self.levels - 1.0) - 1.0, (-1, *self.image_shape))
        h = with_condition(self.first(tf.cast(scaled, self.compute_dtype)), self.projection, condition)
        context = tf.nn.relu(self.second(tf.nn.relu(h)))

        def coupling(index, network):
            mask = checkerboard(self.event_shape, index % 2).reshape(self.image_shape)
            return MaskedCoupling(mask, lambda z: network(append_condition(context, z)))

        couplings = [coupling(index, network) for index, network in enumerate(self.coupling_networks)]
        return tfb.Chain([tfb.Sigmoid(), *couplings, tfb.Invert(tfb.Sigmoid())])


DEQUANTIZERS = {"uniform": Uniform, "variational": Variational}
