"""Monotonic rational-quadratic splines."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.memo import Memo

tfb = tfp.bijectors


class RationalQuadratic(tfb.Bijector):
    r"""A monotonic spline of K rational-quadratic pieces on [-B, B], and the identity outside (Durkan et al., 2019).

    With $ξ = (x - x^{(k)}) / w^{(k)}$ in the k-th bin, of width w and height h, and slopes δ at its knots (equations 4
    and 5 of https://arxiv.org/abs/1906.04032), $s^{(k)} = h^{(k)} / w^{(k)}$:

    $$f(x) = y^{(k)} + \frac{h^{(k)} (s^{(k)} ξ^2 + δ^{(k)} ξ (1 - ξ))}
      {s^{(k)} + (δ^{(k+1)} + δ^{(k)} - 2 s^{(k)}) ξ (1 - ξ)}$$

    The slopes at -B and B are 1. The inverse is the root of a quadratic equation (equation 29), in the form without
    cancellation. Bins are found only by comparisons, which XLA fuses and LiteRT supports.

    Args:
        parameters: float32 tensor of shape `(..., 3 K - 1)`: for each entry, K logits of widths, K logits of heights,
            and K - 1 inner slopes before a softplus; they are shifted so that zeros give the identity.
        bound: B, positive.
        min_bin: minimum width and height of a bin, as a fraction of [-B, B].
        min_slope: minimum slope at a knot.
    """

    def __init__(
        self,
        parameters: tf.Tensor,
        bound: float = 3.0,
        min_bin: float = 1e-3,
        min_slope: float = 1e-3,
        name: str = "rational_quadratic",
    ):
        arguments = dict(locals())
        self.bound = bound
        num_bins = (parameters.shape[-1] + 1) // 3
        widths, heights, slopes = tf.split(parameters, (num_bins, num_bins, num_bins - 1), axis=-1)
        self.widths, self.heights = (
            2.0 * bound * (min_bin + (1.0 - min_bin * num_bins) * tf.nn.softmax(logits, axis=-1))
            for logits in (widths, heights)
        )
        inner = min_slope + tf.nn.softplus(slopes + math.log(math.expm1(1.0 - min_slope)))
        edge = tf.ones_like(widths[..., :1])
        self.slopes = tf.concat([edge, inner, edge], axis=-1)
        self.memo = Memo()
        super().__init__(forward_min_event_ndims=0, parameters=arguments, name=name)

    def _forward(self, x):
        return self.memo.of(x, self.forward_pair)[0]

    def _forward_log_det_jacobian(self, x):
        return self.memo.of(x, self.forward_pair)[1]

    def _inverse(self, y):
        left, bottom, width, height, slope, next_slope = self.bin_of(y, self.heights)
        secant = height / width
        rise = self.inside(y) - bottom
        excess = rise * (slope + next_slope - 2.0 * secant)
        a = height * (secant - slope) + excess
        b = height * slope - excess
        discriminant = tf.maximum(tf.square(b) + 4.0 * a * secant * rise, 0.0)
        ξ = 2.0 * secant * rise / (b + tf.sqrt(discriminant))
        return tf.where(tf.abs(y) < self.bound, left + ξ * width, y)

    def forward_pair(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns f(x) and log f'(x)."""
        left, bottom, width, height, slope, next_slope = self.bin_of(x, self.widths)
        secant = height / width
        ξ = (self.inside(x) - left) / width
        both = ξ * (1.0 - ξ)
        denominator = secant + (slope + next_slope - 2.0 * secant) * both
        y = bottom + height * (secant * tf.square(ξ) + slope * both) / denominator
        numerator = next_slope * tf.square(ξ) + 2.0 * secant * both + slope * tf.square(1.0 - ξ)
        log_slope = tf.math.log(numerator) + 2.0 * tf.math.log(secant / denominator)
        within = tf.abs(x) < self.bound
        return tf.where(within, y, x), tf.where(within, log_slope, 0.0)

    def inside(self, values: tf.Tensor) -> tf.Tensor:
        """Clips values to [-B, B]: values outside do not affect the result, but their gradients must be finite."""
        return tf.clip_by_value(values, -self.bound, self.bound)

    def bin_of(self, values: tf.Tensor, sizes: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the left and lower ends of each value's bin, its width and height, and the slopes at both ends.

        Args:
            values: x or y.
            sizes: widths of the bins for x, heights for y.
        """
        knots = tf.stop_gradient(tf.cumsum(sizes, axis=-1)[..., :-1] - self.bound)
        passed = tf.cast(values[..., tf.newaxis] >= knots, sizes.dtype)
        edge = tf.ones_like(passed[..., :1])
        began, ended = tf.concat([edge, passed], axis=-1), tf.concat([passed, tf.zeros_like(edge)], axis=-1)
        is_bin = began - ended
        width, height, slope, next_slope = (
            tf.reduce_sum(is_bin * each, axis=-1)
            for each in (self.widths, self.heights, self.slopes[..., :-1], self.slopes[..., 1:])
        )
        left, bottom = (tf.reduce_sum(ended * each, axis=-1) - self.bound for each in (self.widths, self.heights))
        return left, bottom, width, height, slope, next_slope

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"parameters": tfp.util.ParameterProperties(event_ndims=1)}
