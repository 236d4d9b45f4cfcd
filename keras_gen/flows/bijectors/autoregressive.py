"""Functions of one entry after another."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.memo import Memo
from keras_gen.networks import AutoregressiveNetwork

tfb = tfp.bijectors


class MaskedAutoregressive(tfb.MaskedAutoregressiveFlow):
    """Functions of single entries, each depending on the outputs for the preceding entries.

    Like TFP's, except that the forward direction processes the entries one after another with a cache. All of them
    together then cost about one pass of the network, rather than one pass each.

    Args:
        network: `AutoregressiveNetwork` with one mask.
        entry_bijector: function from parameters, of shape `(..., outputs_per_entry)`, to a bijector of scalars.
        context: a further input of the network, of shape `(batch, context_size)`; None for none. Examples may then have
            the shape `(..., batch, entries)`.
    """

    def __init__(
        self,
        network: AutoregressiveNetwork,
        entry_bijector: Callable[[tf.Tensor], tfb.Bijector],
        context: tf.Tensor | None = None,
    ):
        super().__init__(bijector_fn=self.bijector_at)
        self.network = network
        self.entry_bijector = entry_bijector
        self.context = context
        self.memo = Memo()

    def bijector_at(self, y: tf.Tensor) -> tfb.Bijector:
        """Returns the functions of all entries given the outputs."""

        def bijector(y):
            y = self.for_each_context(y)
            rows = tf.cast(tf.reshape(y, (-1, self.network.entries)), self.network.compute_dtype)
            shape = tf.concat([tf.shape(y), [self.network.outputs_per_entry]], axis=0)
            return self.entry_bijector(tf.reshape(self.network(rows, self.context), shape))

        return self.memo.of(y, bijector)

    def for_each_context(self, x: tf.Tensor) -> tf.Tensor:
        """Repeats examples of shape `(..., 1, entries)`, as used by mixtures, for each context."""
        if self.context is None or len(x.shape) < 2 or x.shape[-2] != 1:
            return x
        shape = tf.concat([tf.shape(x)[:-2], tf.shape(self.context)[:1], tf.shape(x)[-1:]], axis=0)
        return tf.broadcast_to(x, shape)

    def _forward(self, x):
        x = self.for_each_context(x)
        rows, context = tf.reshape(x, (-1, self.network.entries)), self.context
        if context is not None and len(x.shape) > 2:
            context = tf.tile(context, [tf.shape(rows)[0] // tf.maximum(tf.shape(context)[0], 1), 1])
        y = self.network.in_turn(
            lambda parameters, entry: self.entry_bijector(parameters).forward(entry), rows, context
        )
        return tf.reshape(y, tf.shape(x))
