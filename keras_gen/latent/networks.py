"""The networks of latent-variable models: from an example, or a code, to a vector, and from a code to an example."""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.convolution import Conv2DTranspose, convolution
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.networks import KerasNetwork, OwnNetwork


class Encoder(keras.layers.Layer):
    """Convolutions, then dense layers, from scaled examples to a vector; without convolutions, also from codes.

    Args:
        event_shape: shape of an example.
        outputs: number of entries of the vector.
        hidden_units: width of each dense hidden layer; without any, and without filters, the network is affine.
        filters: channels of each convolution before them; each halves height and width.
        activation: activation of the hidden layers.
        condition_size: length of a vector that is appended to the features before the dense layers; 0 for none.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.

    Raises:
        ValueError: if there are filters and `event_shape` is not (height, width, channels).
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        outputs: int,
        *,
        hidden_units: tuple[int, ...] = (),
        filters: tuple[int, ...] = (),
        activation="silu",
        condition_size: int = 0,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.event_shape = event_shape
        self.activation_function = keras.activations.get(activation)
        self.convolutions = []
        shape = event_shape
        if filters:
            sizes = halved_sizes(event_shape, len(filters))
        for depth, channels in enumerate(filters):
            self.convolutions.append(
                convolution(shape[-1], channels, 4, 2, glorot((*seed, 0, depth)), self.dtype_policy)
            )
            shape = (*sizes[depth + 1], channels)
        widths = (math.prod(shape) + condition_size, *hidden_units, outputs)
        self.dense_layers = dense_layers(widths, (*seed, 1), self.dtype_policy)
        self.built = True

    def call(self, x, condition=None):
        """Takes examples of shape `(batch, *event_shape)` and vectors of shape `(batch, condition_size)`."""
        return self.dense_layers[-1](self.features(x, condition))

    def features(self, x, condition=None) -> tf.Tensor:
        """Returns the last hidden layer, of shape `(batch, units)`; without any, the scaled example itself."""
        h = tf.cast(x, self.compute_dtype)
        for layer in self.convolutions:
            h = self.activation_function(layer(h))
        h = append_condition(tf.reshape(h, (-1, math.prod(h.shape[1:]))), condition)
        for layer in self.dense_layers[:-1]:
            h = self.activation_function(layer(h))
        return h


class Decoder(keras.layers.Layer):
    """The mirror of an `Encoder`, from a code to the parameters of each entry of an example.

    Args:
        latent_size: entries of a code.
        event_shape: shape of an example.
        entry_parameters: number of parameters of each entry.
        hidden_units: as in `Encoder`; the decoder has them in reverse.
        filters: as in `Encoder`.
        activation: activation of the hidden layers.
        condition_size: length of a vector that is appended to the code; 0 for none.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        entry_parameters: int,
        *,
        hidden_units: tuple[int, ...] = (),
        filters: tuple[int, ...] = (),
        activation="silu",
        condition_size: int = 0,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.event_shape = event_shape
        self.entry_parameters = entry_parameters
        self.activation_function = keras.activations.get(activation)
        self.sizes = halved_sizes(event_shape, len(filters)) if filters else None
        self.smallest = (*self.sizes[-1], filters[-1]) if filters else (*event_shape, entry_parameters)
        widths = (latent_size + condition_size, *hidden_units[::-1], math.prod(self.smallest))
        self.dense_layers = dense_layers(widths, (*seed, 0), self.dtype_policy)
        self.convolutions = []
        channels = event_shape[-1] * entry_parameters
        for depth in reversed(range(len(filters))):
            outputs = filters[depth - 1] if depth else channels
            kind = Conv2DTranspose
            self.convolutions.append(
                convolution(filters[depth], outputs, 4, 2, glorot((*seed, 1, depth)), self.dtype_policy, kind)
            )
        self.built = True

    def call(self, z, condition=None):
        """Takes codes of shape `(batch, latent_size)`; returns shape `(batch, *event_shape, entry_parameters)`."""
        h = append_condition(tf.cast(z, self.compute_dtype), condition)
        for layer in self.dense_layers[:-1]:
            h = self.activation_function(layer(h))
        h = tf.reshape(self.dense_layers[-1](h), (-1, *self.smallest))
        for index, layer in enumerate(self.convolutions):
            height, width = self.sizes[len(self.convolutions) - 1 - index]
            h = layer(self.activation_function(h))[:, :height, :width]
        return tf.reshape(h, (-1, *self.event_shape, self.entry_parameters))


def make_encoder(
    own: OwnNetwork | None, event_shape: tuple[int, ...], outputs: int, *, condition_size: int = 0, **options
) -> keras.layers.Layer:
    """Returns the custom encoder, if there is one, or an `Encoder` with the options."""
    if own is None:
        return Encoder(event_shape, outputs, condition_size=condition_size, **options)
    inputs = [event_shape, *([(condition_size,)] if condition_size else [])]
    return KerasNetwork("encoder_network", own, inputs, [(outputs,)])


def make_decoder(
    own: OwnNetwork | None,
    latent_size: int,
    event_shape: tuple[int, ...],
    entry_parameters: int,
    *,
    condition_size: int = 0,
    linear: bool = False,
    **options,
) -> keras.layers.Layer:
    """Returns the custom decoder, if there is one, or a `Decoder` with the options."""
    if own is None:
        return Decoder(latent_size, event_shape, entry_parameters, condition_size=condition_size, **options)
    inputs = [(latent_size,), *([(condition_size,)] if condition_size else [])]
    return own_decoder(own, inputs, event_shape, entry_parameters, linear=linear)


def own_decoder(
    own: OwnNetwork, inputs: list[tuple[int, ...]], event_shape: tuple[int, ...], entry_parameters: int, *, linear: bool
) -> KerasNetwork:
    """Returns a custom decoder.

    Its output may have the parameters of the entries as its channels, or along a separate axis.

    Args:
        own: the layer.
        inputs: shapes of its inputs.
        event_shape: shape of an example.
        entry_parameters: number of parameters of each entry.
        linear: whether the likelihood itself bounds the numbers.
    """
    outputs = [(*event_shape, entry_parameters), (*event_shape[:-1], event_shape[-1] * entry_parameters)]
    return KerasNetwork("decoder_network", own, inputs, outputs, linear=linear)


def dense_layers(widths: tuple[int, ...], seed: tuple[int, ...], dtype) -> list[keras.layers.Dense]:
    """Returns dense layers from each width to the next."""
    return [
        dense(inputs, units, glorot((*seed, index)), dtype)
        for index, (inputs, units) in enumerate(itertools.pairwise(widths))
    ]


def halved_sizes(event_shape: tuple[int, ...], times: int) -> list[tuple[int, int]]:
    """Returns height and width of an image, and those after each convolution of stride 2."""
    if len(event_shape) != 3:
        raise ValueError(f"`event_shape` must be (height, width, channels) with `filters`, received {event_shape}.")
    height, width, _ = event_shape
    return [(-(-height // 2**depth), -(-width // 2**depth)) for depth in range(times + 1)]
