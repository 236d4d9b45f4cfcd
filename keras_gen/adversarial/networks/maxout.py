"""A discriminator of maxout layers, for examples of any shape."""

import math

import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial.networks.base import Discriminator
from keras_gen.adversarial.networks.blocks import initial_weights, training_dropout
from keras_gen.layers import Maxout
from keras_gen.layers.affine import affine
from keras_gen.layers.append_condition import append_condition


class MaxoutDiscriminator(Discriminator):
    """Maxout layers with dropout, as in Goodfellow et al. (2014); a condition enters as in Mirza and Osindero (2014).

    Args:
        event_shape: shape of an example.
        condition_size: length of the condition's vector; 0 for none.
        units: number of units of each hidden layer; the condition is appended after the first one.
        pieces: number of affine functions of each unit, for each hidden layer.
        condition_units: number of units of the maxout layer that the condition passes through.
        condition_pieces: number of affine functions of each of these.
        condition_scale: factor of their initial weights. A class is input as one number among zeros; with 10, it has
            about as much weight as an image from the start.
        dropout: fraction of the hidden units that a training step drops.
        input_dropout: fraction of the entries of an example that a training step drops.
        initial_scale: initial weights are uniform from -initial_scale to initial_scale; None for those of Glorot and
            Bengio.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        condition_size: int,
        *,
        units=(240, 240),
        pieces=(5, 5),
        condition_units: int = 50,
        condition_pieces: int = 5,
        condition_scale: float = 1.0,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        initial_scale: float | None = None,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        units, pieces = checks.positive_ints("units", units), checks.positive_ints("pieces", pieces)
        if not units or len(units) != len(pieces):
            raise ValueError(f"`pieces` must have one entry for each of `units` {units}, received {pieces}.")
        self.dropout = checks.rate("dropout", dropout)
        self.input_dropout = checks.rate("input_dropout", input_dropout)
        self.condition_layer = None
        if condition_size:
            self.condition_layer = Maxout(
                condition_size,
                condition_units,
                condition_pieces,
                initializer=initial_weights(
                    initial_scale, (*seed, 0), checks.positive("condition_scale", condition_scale)
                ),
                dtype=self.dtype_policy,
            )
        inputs, self.maxout_layers = math.prod(event_shape), []
        for index, (width, count) in enumerate(zip(units, pieces, strict=True)):
            initializer = initial_weights(initial_scale, (*seed, 1, index))
            self.maxout_layers.append(Maxout(inputs, width, count, initializer=initializer, dtype=self.dtype_policy))
            inputs = width + (condition_units if condition_size and index == 0 else 0)
        self.num_features = inputs
        self.head = affine(
            (inputs, 1), initial_weights(initial_scale, (*seed, 2)), self.dtype_policy, False, (*seed, 2)
        )
        self.built = True

    def extract(self, x, condition, *, step):
        h = tf.reshape(x, (-1, math.prod(x.shape[1:])))
        h = training_dropout(h, self.input_dropout, step, 0)
        for index, layer in enumerate(self.maxout_layers):
            h = layer(h)
            if index == 0 and self.condition_layer is not None:
                h = append_condition(h, self.condition_layer(tf.cast(condition, h.dtype)))
            h = training_dropout(h, self.dropout, step, 1 + index)
        return h
