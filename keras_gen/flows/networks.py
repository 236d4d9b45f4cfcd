"""Layers that several flows share."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import Step
from keras_gen.flows.bijectors import LUProduct
from keras_gen.flows.normalization import ActNorm
from keras_gen.layers.convolution import convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.networks import KerasNetwork

tfb = tfp.bijectors


class LULayer(keras.layers.Layer):
    """An invertible linear map of the last axis, in LU form after a fixed permutation.

    Args:
        factors: initial factors of `LUProduct`, of shape `(size, size)`.
        permutation: order of the entries.
        event_ndims: number of axes of an event.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, factors: np.ndarray, permutation: np.ndarray, event_ndims: int, **kwargs):
        super().__init__(**kwargs)
        self.permutation = permutation
        self.event_ndims = event_ndims
        self.factors = self.add_weight(
            shape=factors.shape, initializer="zeros", dtype="float32", autocast=False, name="factors"
        )
        self.factors.assign(factors)
        self.built = True

    def bijector(self) -> tfb.Bijector:
        """Returns the function."""
        return LUProduct(self.factors.value, self.permutation, self.event_ndims)


class CouplingNetwork(keras.layers.Layer):
    r"""The functions t and log s of an affine coupling: 3×3, 1×1 and 3×3 convolutions, the last one initially zero.

    So a coupling starts as the identity (Kingma and Dhariwal, 2018, https://arxiv.org/abs/1807.03039, section 3.3). As
    in the authors' code, an activation normalization follows each convolution except the last. With the last
    convolution's output h, log s is $2 \tanh(h / 2)$, within ±2, so no input makes the coupling singular.

    Args:
        inputs: number of channels of the input.
        filters: number of channels between the convolutions.
        outputs: number of channels of t, and of log s.
        size: height and width of the first and the last convolution.
        vector_size: length of the vector that examples are conditioned on; 0 for none.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        outputs: int,
        *,
        size: int = 3,
        vector_size: int = 0,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.first = convolution(inputs, filters, size, 1, glorot((*seed, 0)), policy)
        self.second = convolution(filters, filters, 1, 1, glorot((*seed, 1)), policy)
        self.last = convolution(filters, 2 * outputs, size, 1, "zeros", policy)
        self.normalizations = [ActNorm(filters), ActNorm(filters)]
        self.projection = dense(vector_size, filters, glorot((*seed, 2)), policy) if vector_size else None
        self.built = True

    def call(self, x, condition=None, start: Step | None = None):
        """Returns t and log s, as float32, for features of shape `(batch, height, width, inputs)`.

        Args:
            x: the features.
            condition: vectors of shape `(batch, vector_size)`, or None.
            start: step that takes the initial weights of the activation normalizations, given these features; None
                afterwards.
        """
        first, second = (
            layer.bijector(3) if start is None else layer.start_bijector(3, start) for layer in self.normalizations
        )
        h = add_condition(self.first(tf.cast(x, self.compute_dtype)), self.projection, condition)
        h = self.second(tf.cast(tf.nn.relu(first.forward(tf.cast(h, tf.float32))), self.compute_dtype))
        h = self.last(tf.cast(tf.nn.relu(second.forward(tf.cast(h, tf.float32))), self.compute_dtype))
        shift, h = tf.split(tf.cast(h, tf.float32), 2, axis=-1)
        return shift, 2.0 * tf.tanh(0.5 * h)


def shift_and_log_scale(h: tf.Tensor, factor: keras.Variable) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns t, and log s as a tanh times a factor for each channel, as float32, from features that hold both."""
    shift, h = tf.split(tf.cast(h, tf.float32), 2, axis=-1)
    return shift, tf.cast(factor, tf.float32) * tf.tanh(h)


def add_condition(h: tf.Tensor, projection: keras.layers.Dense | None, condition: tf.Tensor | None) -> tf.Tensor:
    """Returns the features of images with a projection of their condition added at every position."""
    return h if projection is None else h + projection(condition)[:, tf.newaxis, tf.newaxis]


def default_scales(event_shape: tuple[int, ...], most: int) -> int:
    """Returns how often an image can be squeezed, at most `most` times; `most` for anything that is not an image."""
    return checks.halvings(event_shape, most) if len(event_shape) == 3 else most


def check_image(event_shape: tuple[int, ...], num_squeezes: int, num_scales: int):
    """Raises an error unless examples are images that can be squeezed several times.

    Args:
        event_shape: shape of an example.
        num_squeezes: how often height and width are divided by two.
        num_scales: the argument that determines the number of squeezes.
    """
    factor = 2**num_squeezes
    if len(event_shape) != 3:
        raise ValueError(f"`event_shape` must be (height, width, channels), received {event_shape}.")
    if event_shape[0] % factor or event_shape[1] % factor:
        raise ValueError(
            f"`event_shape` must have a height and width divisible by {factor} with `num_scales={num_scales}`, "
            f"received {event_shape}."
        )


class OwnConditioner(keras.layers.Layer):
    """A Keras network, followed by a small dense layer that gives the parameters of a coupling.

    Args:
        layer: representation of the network in a configuration; it maps vectors to vectors. A new network is created.
        num_inputs: length of its input vectors.
        num_outputs: number of parameters.
        seed: seed of the initial weights of the dense layer.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, layer: dict, num_inputs: int, num_outputs: int, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.network = KerasNetwork("conditioner_network", layer, [(num_inputs,)], [(None,)])
        # The flow starts near the identity, yet every weight has a gradient.
        self.head = dense(self.network.event_shape[0], num_outputs, glorot(seed, 0.01), self.dtype_policy)
        self.built = True

    def call(self, x):
        """Returns parameters of shape `(batch, num_outputs)` for vectors of shape `(batch, num_inputs)`."""
        return self.head(tf.cast(self.network(x), self.compute_dtype))


class OwnImageConditioner(keras.layers.Layer):
    """The functions t and log s of an affine coupling of images: a Keras network followed by a small convolution.

    log s ends in a tanh times a learned factor for each channel, which bounds how far one coupling stretches.

    Args:
        layer: representation of the network in a configuration; it maps images to features of the same height and
            width. A new network is created.
        shape: (height, width, channels) of its input.
        outputs: number of channels of t, and of log s.
        vector_size: length of the vector that examples are conditioned on, the second input; 0 for none.
        seed: seeds of the initial weights of the convolution.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        layer: dict,
        shape: tuple[int, int, int],
        outputs: int,
        *,
        vector_size: int = 0,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        inputs = [shape, (vector_size,)] if vector_size else [shape]
        self.network = KerasNetwork("conditioner_network", layer, inputs, [(*shape[:2], None)])
        channels = self.network.event_shape[-1]
        # The flow starts near the identity, yet every weight has a gradient.
        self.head = convolution(channels, 2 * outputs, 3, 1, glorot(seed, 0.01), self.dtype_policy)
        self.factor = self.add_weight(shape=(outputs,), initializer="ones", name="factor")
        self.built = True

    def call(self, x, condition=None, start: Step | None = None):
        """Returns t and log s, as float32, for images of shape `(batch, *shape)`.

        Args:
            x: the images.
            condition: vectors of shape `(batch, vector_size)`, or None.
            start: has no effect: nothing is initialized from the data.
        """
        return shift_and_log_scale(self.head(tf.cast(self.network(x, condition), self.compute_dtype)), self.factor)
