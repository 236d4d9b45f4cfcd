"""Bijectors that TensorFlow Probability lacks."""

import math
from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.memo import Memo
from keras_gen.networks import AutoregressiveNetwork

tfb = tfp.bijectors


class Standardization(tfb.Bijector):
    r"""Subtracts a location and divides by a scale, both fixed or of each entry: $f(x) = (x - location) / scale$.

    Args:
        location: number, or tensor of the shape of an event.
        scale: positive number, or tensor of the shape of an event.
        event_ndims: number of axes of an event.
    """

    def __init__(self, location, scale, event_ndims: int, name: str = "standardization"):
        parameters = dict(locals())
        self.location = location
        self.scale = scale
        super().__init__(
            forward_min_event_ndims=event_ndims, is_constant_jacobian=True, parameters=parameters, name=name
        )

    def _forward(self, x):
        return (x - self.location) / self.scale

    def _inverse(self, y):
        return y * self.scale + self.location

    def _forward_log_det_jacobian(self, x):
        event = x.shape[-self.forward_min_event_ndims :]
        return -tf.reduce_sum(tf.broadcast_to(tf.math.log(self.scale), event))

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}


class Normalization(tfb.Bijector):
    r"""Subtracts a mean and divides by a standard deviation, which may be those of its own input; then an affine map.

    $$f(x) = \exp(log\_scale) \frac{x - μ}{\sqrt{σ^2 + ε}} + shift$$

    Means and variances that depend on the input count as constants in the log-determinant. Only where they do not
    depend on it does the inverse invert.

    Args:
        moments: function from the input to means and variances, each of shape `(features,)`.
        observe: function that is called with what `moments` returned, once for a forward pass.
        log_scale: tensor of shape `(features,)`.
        shift: tensor of shape `(features,)`.
        epsilon: variance that is added.
        event_ndims: number of axes of an event, of which the last one holds the features.
    """

    def __init__(
        self,
        moments: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        observe: Callable[[tf.Tensor, tf.Tensor], None],
        log_scale: tf.Tensor,
        shift: tf.Tensor,
        epsilon: float,
        event_ndims: int,
        name: str = "normalization",
    ):
        parameters = dict(locals())
        self.moments = moments
        self.observe = observe
        self.log_scale = log_scale
        self.shift = shift
        self.epsilon = epsilon
        super().__init__(forward_min_event_ndims=event_ndims, parameters=parameters, name=name)

    def _forward(self, x):
        mean, variance = self.moments(x)
        self.observe(mean, variance)
        return (x - mean) * tf.exp(self.log_factor(variance)) + self.shift

    def _inverse(self, y):
        mean, variance = self.moments(y)
        return (y - self.shift) * tf.exp(-self.log_factor(variance)) + mean

    def _forward_log_det_jacobian(self, x):
        _, variance = self.moments(x)
        positions = math.prod(x.shape[-self.forward_min_event_ndims : -1])
        return positions * tf.reduce_sum(self.log_factor(variance))

    def log_factor(self, variance: tf.Tensor) -> tf.Tensor:
        return self.log_scale - 0.5 * tf.math.log(variance + self.epsilon)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}


def affine(shift: tf.Tensor, log_scale: tf.Tensor) -> tfb.Bijector:
    r"""Returns the function $x \exp(log\_scale) + shift$ of single entries."""
    return tfb.Chain([tfb.Shift(shift), tfb.Scale(log_scale=log_scale)])


class MaskedAutoregressive(tfb.MaskedAutoregressiveFlow):
    """Functions of single entries, of which each depends on the outputs for the entries before it.

    As TFP's, but forward goes through the entries with a cache, at the cost of about one pass of the network in total
    rather than one for each entry.

    Args:
        network: `AutoregressiveNetwork` with one mask.
        entry_bijector: function from parameters, of shape `(..., outputs_per_entry)`, to a bijector of scalars.
        context: what the network sees besides, of shape `(batch, context_size)`; None for nothing. Inputs then have
            shape `(..., batch, entries)`.
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
        """Returns the functions of all entries, given the outputs."""

        def bijector(y):
            rows = tf.cast(tf.reshape(y, (-1, self.network.entries)), self.network.compute_dtype)
            shape = tf.concat([tf.shape(y), [self.network.outputs_per_entry]], axis=0)
            return self.entry_bijector(tf.reshape(self.network(rows, self.context), shape))

        return self.memo.of(y, bijector)

    def _forward(self, x):
        rows, context = tf.reshape(x, (-1, self.network.entries)), self.context
        if context is not None and len(x.shape) > 2:
            context = tf.tile(context, [tf.shape(rows)[0] // tf.shape(context)[0], 1])
        y = self.network.in_turn(
            lambda parameters, entry: self.entry_bijector(parameters).forward(entry), rows, context
        )
        return tf.reshape(y, tf.shape(x))
