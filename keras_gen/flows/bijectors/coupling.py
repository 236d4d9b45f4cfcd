"""Couplings, and linear maps between them."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.affine import affine
from keras_gen.flows.bijectors.memo import Memo
from keras_gen.layers.dense import matmul
from keras_gen.layers.triangular import unit_triangular_inverse

tfb = tfp.bijectors


class Coupling(tfb.Bijector):
    """Keeps some entries of a vector and transforms the others by a function that depends on these.

    As TFP's `RealNVP`, but the networks run once for an output and its log-determinant, rather than once for each.

    Args:
        num_first: number of entries in the first part.
        keeps_first: whether the first part stays as it is, rather than the others.
        bijector_fn: function from the kept entries, of shape `(batch, ...)`, to a bijector of the others.
        event_ndims: number of axes of an event, of which the last one holds the entries.
    """

    def __init__(
        self,
        num_first: int,
        keeps_first: bool,
        bijector_fn: Callable[[tf.Tensor], tfb.Bijector],
        event_ndims: int = 1,
        name: str = "coupling",
    ):
        parameters = dict(locals())
        self.num_first = num_first
        self.keeps_first = keeps_first
        self.bijector_fn = bijector_fn
        self.memo = Memo()
        super().__init__(forward_min_event_ndims=event_ndims, parameters=parameters, name=name)

    def _forward(self, x):
        kept, others, bijector = self.parts(x)
        return self.whole(kept, bijector.forward(others), bijector)

    def _inverse(self, y):
        kept, others, bijector = self.parts(y)
        return self.whole(kept, bijector.inverse(others), bijector)

    def _forward_log_det_jacobian(self, x):
        _, others, bijector = self.parts(x)
        return bijector.forward_log_det_jacobian(others, self.forward_min_event_ndims)

    def _inverse_log_det_jacobian(self, y):
        _, others, bijector = self.parts(y)
        return bijector.inverse_log_det_jacobian(others, self.forward_min_event_ndims)

    def parts(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tfb.Bijector]:
        """Returns the kept entries, the others, and their function; the same ones again for the same tensor."""

        def split(values):
            first, second = values[..., : self.num_first], values[..., self.num_first :]
            kept, others = (first, second) if self.keeps_first else (second, first)
            return kept, others, self.bijector_fn(kept)

        return self.memo.of(values, split)

    def initializer_seed(self, kept: tf.Tensor, others: tf.Tensor, bijector: tfb.Bijector) -> tf.Tensor:
        """Returns the tensor that has these parts."""
        values = tf.concat([kept, others] if self.keeps_first else [others, kept], axis=-1)
        self.memo.add(values, (kept, others, bijector))
        return values

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}


def affine_coupling(
    num_first: int,
    keeps_first: bool,
    network: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    condition: tf.Tensor | None,
) -> Coupling:
    """Returns a coupling that scales and shifts entries by functions of those that it keeps.

    Args:
        num_first: as in `Coupling`.
        keeps_first: as in `Coupling`.
        network: function from the kept entries and the condition to shifts and logarithms of scales, as float32.
        condition: vectors that examples are conditioned on, of shape `(batch, vector_size)`, or None.
    """
    return Coupling(num_first, keeps_first, lambda kept: affine(*network(kept, condition)))


class LUProduct(tfb.Bijector):
    r"""Reorders the last axis and multiplies it by a matrix in LU form: $f(x) = x_π L U$.

    L has ones on its diagonal, and U the positive numbers $\exp(λ)$, so that $\log |\det f'| = \sum_i λ_i$.

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
        # U = D (I + N), with D the diagonal matrix exp(λ).
        reciprocal = tf.exp(-self.log_diagonal)
        upper = unit_triangular_inverse(self.above * reciprocal[:, tf.newaxis]) * reciprocal
        return matmul(y, tf.gather(tf.matmul(upper, unit_triangular_inverse(self.below)), self.places, axis=1))

    def _forward_log_det_jacobian(self, x):
        positions = np.prod(x.shape[-self.forward_min_event_ndims : -1], dtype=np.float32)
        return positions * tf.reduce_sum(self.log_diagonal)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}
