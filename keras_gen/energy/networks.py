"""Networks whose outputs are negative energies: dense, convolutional, or any Keras network."""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers.affine import affine
from keras_gen.layers.initializers import glorot
from keras_gen.networks import KerasNetwork, OwnNetwork


class EnergyNetwork(keras.layers.Layer):
    """From an example to its logits, which are negative energies: one, or one for each class.

    The last layer has no bias: a constant does not change the density.
    """

    def call(self, x, *, step=None):
        """Returns logits of shape `(batch, num_logits)`.

        Args:
            x: scaled examples of shape `(batch, *event_shape)`.
            step: the step, for its updates; None outside of training and evaluation.
        """
        raise NotImplementedError


class DenseNetwork(EnergyNetwork):
    """Dense layers, for examples of any shape.

    Args:
        event_shape: shape of an example.
        num_logits: number of outputs.
        hidden_units: width of each hidden layer.
        activation: activation of the hidden layers. It should be smooth: examples move along the gradient.
        spectral_norm: whether all layers have spectral normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        num_logits: int,
        *,
        hidden_units=(128, 128),
        activation="silu",
        spectral_norm: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        widths = (math.prod(event_shape), *checks.positive_ints("hidden_units", hidden_units), num_logits)
        self.activation_function = keras.activations.get(activation)
        *self.hidden_layers, self.head = [
            affine(
                (inputs, units),
                glorot((*seed, index)),
                self.dtype_policy,
                spectral_norm,
                (*seed, index),
                use_bias=index < len(widths) - 2,
            )
            for index, (inputs, units) in enumerate(itertools.pairwise(widths))
        ]
        self.built = True

    def call(self, x, *, step=None):
        h = tf.cast(tf.reshape(x, (-1, math.prod(x.shape[1:]))), self.compute_dtype)
        for layer in self.hidden_layers:
            h = self.activation_function(layer(h, step=step))
        return self.head(h, step=step)


class ConvolutionalNetwork(EnergyNetwork):
    """Strided convolutions, the first 5×5 and the others 3×3, and a dense layer, for images of any size.

    Args:
        event_shape: height, width and channels of an image.
        num_logits: number of outputs.
        filters: channels of each convolution; each halves height and width.
        hidden_units: width of each dense hidden layer after them.
        activation: activation of the hidden layers. It should be smooth: images move along the gradient.
        spectral_norm: whether all layers have spectral normalization.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.

    Raises:
        ValueError: if the examples are not images, or `filters` is empty.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        num_logits: int,
        *,
        filters=(16, 32, 64, 64),
        hidden_units=(64,),
        activation="silu",
        spectral_norm: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        if len(event_shape) != 3:
            raise ValueError(f"`event_shape` must be (height, width, channels), received {event_shape}.")
        filters = checks.positive_ints("filters", filters)
        if not filters:
            raise ValueError("`filters` must have at least one entry, received ().")
        self.activation_function = keras.activations.get(activation)
        *sides, channels = event_shape
        self.convolutions = []
        for index, outputs in enumerate(filters):
            size = 3 if index else 5
            self.convolutions.append(
                affine(
                    (size, size, channels, outputs),
                    glorot((*seed, 0, index)),
                    self.dtype_policy,
                    spectral_norm,
                    (*seed, 0, index),
                    stride=2,
                )
            )
            sides, channels = [math.ceil(side / 2) for side in sides], outputs
        self.dense_network = DenseNetwork(
            (*sides, channels),
            num_logits,
            hidden_units=hidden_units,
            activation=activation,
            spectral_norm=spectral_norm,
            seed=(*seed, 1),
            dtype=self.dtype_policy,
        )
        self.built = True

    def call(self, x, *, step=None):
        h = tf.cast(x, self.compute_dtype)
        for layer in self.convolutions:
            h = self.activation_function(layer(h, step=step))
        return self.dense_network(h, step=step)


class OwnEnergyNetwork(KerasNetwork):
    """Any Keras layer or model that computes the same in training as later: an energy depends on one example.

    Args:
        event_shape: shape of an example.
        num_logits: number of outputs.
        layer: the layer or model, or what `keras.saving.serialize_keras_object` returns for it.
        seed: not needed; the initializers have their own seeds.
        **kwargs: as in `keras.layers.Layer`.

    Raises:
        ValueError: if the network has outputs of another shape, or layers such as dropout or batch normalization.
    """

    def __init__(
        self, event_shape: tuple[int, ...], num_logits: int, *, layer: OwnNetwork, seed: tuple[int, ...], **kwargs
    ):
        super().__init__("network", layer, [event_shape], [(num_logits,)], **kwargs)
        self.check_is_stateless()


#: The networks that can be chosen by name.
NETWORKS = {"dense": DenseNetwork, "convolutional": ConvolutionalNetwork, "keras": OwnEnergyNetwork}
