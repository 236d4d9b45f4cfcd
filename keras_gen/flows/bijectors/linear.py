"""Invertible linear maps."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.layers.dense import matmul
from keras_gen.layers.triangular import unit_triangular_inverse

tfb = tfp.bijectors


class LUProduct(tfb.Bijector):
    r"""Permutes the last axis and multiplies it by a matrix in LU form: $f(x) = x_π L U$.

    L has ones on its diagonal, and U has the positive numbers $\exp(λ)$, so that $\log |\det f'| = \sum_i λ_i$.

    Args:
        factors: float32 tensor of shape `(size, size)`: L below the diagonal, λ on it, and U above it.
        permutation: π, an order of the entries.
        event_ndims: number of axes of an event.
    """

    def __init__(self, factors: tf.Tensor, permutation: np.ndarray, event_ndims: int = 1, name: str = "lu_product"):
        parameters = dict(locals())
        size = len(permutation)
        lower = np.tri(size, k=-1, dtype=np.float32)
        self.below, self.above = factors * lower, factors * lower.T
        self.log_diagonal = tf.reduce_sum(factors * np.eye(size, dtype=np.float32), axis=-1)
        self.places = np.argsort(permutation)
        super().__init__(
            forward_min_event_ndims=event_ndims, is_constant_jacobian=True, parameters=parameters, name=name
        )

    def _forward(self, x):
        identity = np.eye(len(self.places), dtype=np.float32)
        upper = self.above + identity * tf.exp(self.log_diagonal)
        return matmul(x, tf.gather(tf.matmul(self.below + identity, upper), self.places))

    def _inverse(self, y):
        # U = D (I + N), with the diagonal matrix D = exp(λ).
        reciprocal = tf.exp(-self.log_diagonal)
        upper = unit_triangular_inverse(self.above * reciprocal[:, tf.newaxis]) * reciprocal
        return matmul(y, tf.gather(tf.matmul(upper, unit_triangular_inverse(self.below)), self.places, axis=1))

    def _forward_log_det_jacobian(self, x):
        positions = math.prod(x.shape[-self.forward_min_event_ndims : -1])
        return positions * tf.reduce_sum(self.log_diagonal)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}
