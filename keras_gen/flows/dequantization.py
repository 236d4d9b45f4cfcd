"""Distributions q(u|x) of the noise that turns levels into real numbers."""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.flows.bijectors import MaskedCoupling, checkerboard
from keras_gen.flows.networks import CouplingNetwork, add_condition
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.convolution import convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.spaces import Levels

tfb = tfp.bijectors


class Dequantizer(keras.layers.Layer):
    """A distribution of noise in [0, 1) for each entry of an example.

    Args:
        space: the space of an example.
        vector_size: length of the vector that examples are conditioned on; 0 for none.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, space: Levels, vector_size: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.space = space
        self.vector_size = vector_size
        self.seed = seed
        self.built = True

    def draw(self, x: tf.Tensor, condition: tf.Tensor | None, uniform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Turns uniform numbers into noise.

        Args:
            x: float32 levels of shape `(batch, *space.shape)`.
            condition: vectors of shape `(batch, vector_size)`, or None.
            uniform: numbers in [0, 1) of the shape of `x`.

        Returns:
            u, of the shape of `x`, and log q(u|x) in nats, of shape `(batch,)`.
        """
        raise NotImplementedError


class Uniform(Dequantizer):
    """Independent uniform noise (Theis et al., 2015, https://arxiv.org/abs/1511.01844)."""

    def draw(self, x, condition, uniform):
        return uniform, tf.zeros(tf.shape(x)[:1])


class Variational(Dequantizer):
    r"""Noise from a flow that sees the example (Ho et al., 2019, https://arxiv.org/abs/1902.00275, section 3.1).

    The logits of uniform numbers v pass through affine couplings, whose networks see features of the example x, and a
    sigmoid turns the result into u. The flow starts as the identity, so q(u|x) starts as uniform.

    $$u = σ(f_x(\operatorname{logit} v)), \qquad \log q(u|x) = -\log \left|\det \frac{∂u}{∂v}\right|$$

    Networks are convolutional for images of shape (height, width, channels), and dense for any other shape.

    Args:
        space: as in `Dequantizer`.
        vector_size: as in `Dequantizer`.
        num_layers: number of couplings.
        filters: number of features inside the networks.
        seed: as in `Dequantizer`.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        space: Levels,
        vector_size: int,
        *,
        num_layers: int = 4,
        filters: int = 16,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(space, vector_size, seed=seed, **kwargs)
        num_layers = checks.positive_int("num_layers", num_layers)
        filters = checks.positive_int("filters", filters)
        policy = self.dtype_policy
        # Anything other than an image is one pixel, for whose channels a 1×1 convolution is a dense layer.
        is_image = len(space.shape) == 3
        self.image_shape = space.shape if is_image else (1, 1, math.prod(space.shape))
        size, channels = 3 if is_image else 1, self.image_shape[-1]
        self.first = convolution(channels, filters, size, 1, glorot((*seed, 0)), policy)
        self.second = convolution(filters, filters, size, 1, glorot((*seed, 1)), policy)
        self.projection = dense(vector_size, filters, glorot((*seed, 2)), policy) if vector_size else None
        self.coupling_networks = [
            CouplingNetwork(channels + filters, filters, channels, size=size, seed=(*seed, 3, index), dtype=policy)
            for index in range(num_layers)
        ]

    def draw(self, x, condition, uniform):
        # The logit of 0 is infinite; uniform numbers are multiples of 2^-23.
        v = tf.reshape(tf.maximum(uniform, 2.0**-24), (-1, *self.image_shape))
        flow = self.flow(x, condition)
        u = flow.forward(v)
        return tf.reshape(u, tf.shape(x)), -flow.forward_log_det_jacobian(v, event_ndims=3)

    def flow(self, x: tf.Tensor, condition: tf.Tensor | None) -> tfb.Bijector:
        """Returns the function from v to u, both of shape `(batch, *image_shape)`, for examples x."""
        images = tf.cast(tf.reshape(self.space.scaled(x), (-1, *self.image_shape)), self.compute_dtype)
        h = add_condition(self.first(images), self.projection, condition)
        features = tf.nn.relu(self.second(tf.nn.relu(h)))

        def coupling(index, network):
            mask = checkerboard(self.space.shape, index % 2).reshape(self.image_shape)
            return MaskedCoupling(mask, lambda z: network(append_condition(features, z)))

        couplings = [coupling(index, network) for index, network in enumerate(self.coupling_networks)]
        return tfb.Chain([tfb.Sigmoid(), *couplings, tfb.Invert(tfb.Sigmoid())])


DEQUANTIZERS = {"uniform": Uniform, "variational": Variational}
