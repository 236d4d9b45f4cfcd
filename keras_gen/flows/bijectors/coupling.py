"""Functions of some entries whose parameters depend on the others."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.affine import affine
from keras_gen.flows.bijectors.memo import Memo

tfb = tfp.bijectors


class Coupling(tfb.Bijector):
    """Keeps some entries of a vector and transforms the others by a function that depends on the kept ones.

    Like TFP's `RealNVP`, except that the networks run only once for an output and its log-determinant.

    Args:
        num_first: number of entries before the split.
        keeps_first: whether the entries before the split are kept rather than those after it.
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
        kept, others, bijector = self.split(x)
        return self.concatenated(kept, bijector.forward(others), bijector)

    def _inverse(self, y):
        kept, others, bijector = self.split(y)
        return self.concatenated(kept, bijector.inverse(others), bijector)

    def _forward_log_det_jacobian(self, x):
        _, others, bijector = self.split(x)
        return bijector.forward_log_det_jacobian(others, self.forward_min_event_ndims)

    def _inverse_log_det_jacobian(self, y):
        _, others, bijector = self.split(y)
        return bijector.inverse_log_det_jacobian(others, self.forward_min_event_ndims)

    def split(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tfb.Bijector]:
        """Returns the kept entries, the others, and their function; returns the same objects for the same tensor."""

        def compute(values):
            first, second = values[..., : self.num_first], values[..., self.num_first :]
            kept, others = (first, second) if self.keeps_first else (second, first)
            return kept, others, self.bijector_fn(kept)

        return self.memo.of(values, compute)

    def concatenated(self, kept: tf.Tensor, others: tf.Tensor, bijector: tfb.Bijector) -> tf.Tensor:
        """Returns the tensor that `split` separates into these."""
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
    """Returns a coupling that scales and shifts entries by functions of the kept ones.

    Args:
        num_first: as in `Coupling`.
        keeps_first: as in `Coupling`.
        network: function from the kept entries and the condition to shifts and logarithms of scales, as float32.
        condition: vectors that examples are conditioned on, of shape `(batch, vector_size)`, or None.
    """
    return Coupling(num_first, keeps_first, lambda kept: affine(*network(kept, condition)))
