"""Shifts and scales."""

import math
from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.memo import Memo

tfb = tfp.bijectors


class Standardization(tfb.Bijector):
    r"""Subtracts a location and divides by a scale, both fixed: $f(x) = (x - location) / scale$.

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
    r"""Subtracts a mean and divides by a standard deviation, possibly of the input; then applies an affine map.

    $$f(x) = \exp(log\_scale) \frac{x - μ}{\sqrt{σ^2 + ε}} + shift$$

    Means and variances that depend on the input are treated as constants in the log-determinant. The inverse is a true
    inverse only if they do not depend on it.

    Args:
        moments: function from an input to means and variances, each of shape `(features,)`; called once for each.
        log_scale: tensor of shape `(features,)`.
        shift: tensor of shape `(features,)`.
        epsilon: added variance.
        event_ndims: number of axes of an event, of which the last one holds the features.
    """

    def __init__(
        self,
        moments: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        log_scale: tf.Tensor,
        shift: tf.Tensor,
        epsilon: float,
        event_ndims: int,
        name: str = "normalization",
    ):
        parameters = dict(locals())
        self.moments = moments
        self.log_scale = log_scale
        self.shift = shift
        self.epsilon = epsilon
        self.memo = Memo()
        super().__init__(forward_min_event_ndims=event_ndims, parameters=parameters, name=name)

    def _forward(self, x):
        mean, log_factor = self.mean_and_log_factor(x)
        return (x - mean) * tf.exp(log_factor) + self.shift

    def _inverse(self, y):
        mean, log_factor = self.mean_and_log_factor(y)
        return (y - self.shift) * tf.exp(-log_factor) + mean

    def _forward_log_det_jacobian(self, x):
        _, log_factor = self.mean_and_log_factor(x)
        positions = math.prod(x.shape[-self.forward_min_event_ndims : -1])
        return positions * tf.reduce_sum(log_factor)

    def mean_and_log_factor(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the mean that is subtracted, and the logarithm of the factor applied afterwards."""

        def compute(values):
            mean, variance = self.moments(values)
            return mean, self.log_scale - 0.5 * tf.math.log(variance + self.epsilon)

        return self.memo.of(values, compute)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}


def affine(shift: tf.Tensor, log_scale: tf.Tensor) -> tfb.Bijector:
    r"""Returns the function $x \exp(log\_scale) + shift$ of single entries."""
    return tfb.Chain([tfb.Shift(shift), tfb.Scale(log_scale=log_scale)])
