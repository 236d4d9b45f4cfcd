"""Players of dense layers, for examples of any shape."""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial.networks.base import Discriminator, Generator
from keras_gen.adversarial.networks.blocks import initial_weights, training_dropout
from keras_gen.layers import BatchNormalization
from keras_gen.layers.affine import affine
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.dense import dense


class DenseGenerator(Generator):
    """Dense layers.

    Args:
        latent_size: length of the noise.
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none.
        hidden_units: width of each hidden layer.
        activation: activation of the hidden layers.
        noise_units: width of a hidden layer that the noise passes through before it is joined with the condition; 0 for
            none.
        condition_units: the same for the condition.
        batch_norm: whether hidden layers have batch normalization.
        dropout: fraction of the hidden units that a training step drops.
        initial_scale: initial weights are uniform from -initial_scale to initial_scale; None for those of Glorot and
            Bengio.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        hidden_units=(256, 256),
        activation="relu",
        noise_units: int = 0,
        condition_units: int = 0,
        batch_norm: bool = False,
        dropout: float = 0.0,
        initial_scale: float | None = None,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        hidden_units = checks.positive_ints("hidden_units", hidden_units)
        policy = self.dtype_policy
        self.event_shape = event_shape
        self.activation_function = keras.activations.get(activation)
        self.dropout = checks.rate("dropout", dropout)
        self.noise_layer = self.condition_layer = None
        if noise_units:
            self.noise_layer = dense(latent_size, noise_units, initial_weights(initial_scale, (*seed, 0)), policy)
        if condition_units and condition_size:
            initializer = initial_weights(initial_scale, (*seed, 1))
            self.condition_layer = dense(condition_size, condition_units, initializer, policy)
        inputs = noise_units or latent_size
        inputs += condition_units if self.condition_layer else condition_size
        self.dense_layers = [
            dense(a, b, initial_weights(initial_scale, (*seed, 2, index)), policy)
            for index, (a, b) in enumerate(itertools.pairwise((inputs, *hidden_units, math.prod(event_shape))))
        ]
        normalized = hidden_units if batch_norm else ()
        self.norms = [BatchNormalization((None, units), dtype=policy) for units in normalized]
        self.built = True

    @property
    def output_bias(self):
        return self.dense_layers[-1].bias

    def call(self, z, condition=None, *, step=None):
        h = tf.cast(z, self.compute_dtype)
        if self.noise_layer is not None:
            h = training_dropout(self.activation_function(self.noise_layer(h)), self.dropout, step, 0)
        if self.condition_layer is not None:
            condition = self.activation_function(self.condition_layer(tf.cast(condition, self.compute_dtype)))
            condition = training_dropout(condition, self.dropout, step, 1)
        h = append_condition(h, condition)
        for index, layer in enumerate(self.dense_layers[:-1]):
            h = layer(h)
            h = self.activation_function(self.norms[index](h, step=step) if self.norms else h)
            h = training_dropout(h, self.dropout, step, 2 + index)
        return tf.reshape(self.dense_layers[-1](h), (-1, *self.event_shape))


class DenseDiscriminator(Discriminator):
    """Dense layers; a condition is appended to the example, or enters by a projection.

    Args:
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none.
        hidden_units: width of each hidden layer.
        activation: activation of the hidden layers.
        dropout: fraction of the hidden units that a training step drops.
        initial_scale: as in `DenseGenerator`.
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
        hidden_units=(256, 256),
        activation="leaky_relu",
        dropout: float = 0.0,
        initial_scale: float | None = None,
        spectral_norm: bool = False,
        projection: bool = False,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.activation_function = keras.activations.get(activation)
        self.dropout = checks.rate("dropout", dropout)
        widths = (math.prod(event_shape) + condition_size * (not projection), *hidden_units, 1)
        *self.dense_layers, self.head = [
            affine(
                (a, b), initial_weights(initial_scale, (*seed, index)), self.dtype_policy, spectral_norm, (*seed, index)
            )
            for index, (a, b) in enumerate(itertools.pairwise(widths))
        ]
        self.num_features = widths[-2]
        if projection:
            own_seed = (*seed, len(widths))
            self.project(condition_size, initial_weights(initial_scale, own_seed), spectral_norm, own_seed)
        self.built = True

    def extract(self, x, condition, *, step):
        h = append_condition(tf.reshape(x, (-1, math.prod(x.shape[1:]))), condition)
        for index, layer in enumerate(self.dense_layers):
            h = self.activation_function(layer(h, step=step))
            h = training_dropout(h, self.dropout, step, index)
        return h
