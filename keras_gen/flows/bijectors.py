"""Bijectors that TensorFlow Probability lacks."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


class Planar(tfb.Bijector):
    r"""Pushes points towards a plane, or away from it (Rezende and Mohamed, 2015, https://arxiv.org/abs/1505.05770).

    $$f(z) = z + \hat u \tanh(w^\top z + b)$$
    $$\log |\det f'(z)| = \log |1 + \hat u^\top w\, (1 - \tanh^2(w^\top z + b))|$$
    $$\hat u = u + (\operatorname{softplus}(w^\top u) - 1 - w^\top u) \frac{w}{\|w\|^2}$$

    The last line makes $w^\top \hat u > -1$, so that f is invertible; its inverse has no closed form.

    Args:
        u: direction, of shape `(..., size)`.
        w: normal of the plane, of shape `(..., size)`.
        b: offset, of shape `(...)`.
    """

    def __init__(self, u: tf.Tensor, w: tf.Tensor, b: tf.Tensor, name: str = "planar"):
        parameters = dict(locals())
        inner = tf.reduce_sum(w * u, axis=-1, keepdims=True)
        square = tf.reduce_sum(tf.square(w), axis=-1, keepdims=True)
        # Without a plane, w = 0, there is nothing to correct.
        self.u = u + (tf.nn.softplus(inner) - 1.0 - inner) * tf.math.divide_no_nan(w, square)
        self.w = w
        self.b = b
        super().__init__(forward_min_event_ndims=1, validate_args=False, parameters=parameters, name=name)

    def _forward(self, z):
        return z + self.u * tf.tanh(self.height(z))[..., tf.newaxis]

    def _forward_log_det_jacobian(self, z):
        slope = 1.0 - tf.square(tf.tanh(self.height(z)))
        return tf.math.log1p(tf.reduce_sum(self.u * self.w, axis=-1) * slope)

    def height(self, z: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self.w * z, axis=-1) + self.b

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        vector = tfp.util.ParameterProperties(event_ndims=1)
        return {"u": vector, "w": vector, "b": tfp.util.ParameterProperties(event_ndims=0)}


class InverseAutoregressive(tfb.Bijector):
    r"""Scales and shifts each entry by what a network makes of the ones before it (Kingma et al., 2016).

    $$f(z) = σ ⊙ z + (1 - σ) ⊙ m, \qquad \log |\det f'(z)| = \sum_i \log σ_i$$

    Source: https://arxiv.org/abs/1606.04934, section 4. The inverse takes a pass of the network for each entry.

    Args:
        network: function from z, of shape `(..., size)`, to m and to the logit of σ, of the same shape; an entry of
            them depends on the entries of z before it only.
    """

    def __init__(
        self, network: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]], name: str = "inverse_autoregressive"
    ):
        parameters = dict(locals())
        self.network = network
        super().__init__(forward_min_event_ndims=1, validate_args=False, parameters=parameters, name=name)

    def _forward(self, z):
        shift, logit = self.network(z)
        gate = tf.sigmoid(logit)
        return gate * z + (1.0 - gate) * shift

    def _forward_log_det_jacobian(self, z):
        return tf.reduce_sum(tf.math.log_sigmoid(self.network(z)[1]), axis=-1)

    def _inverse(self, x):
        # After the k-th pass the first k entries are right.
        z = tf.zeros_like(x)
        for _ in range(x.shape[-1]):
            shift, logit = self.network(z)
            gate = tf.sigmoid(logit)
            z = (x - (1.0 - gate) * shift) / gate
        return z

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}
