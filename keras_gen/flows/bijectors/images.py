"""Bijectors of images: squeezes, masked couplings, and bijectors of some of the channels."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.coupling import Coupling
from keras_gen.flows.bijectors.memo import Memo

tfb = tfp.bijectors


class Squeeze(tfb.Bijector):
    """Turns each square of 2×2 pixels into one pixel with four times the channels (Dinh et al., 2016, section 3.6).

    Images have the shape `(batch, height, width, channels)`, with an even height and width.
    """

    def __init__(self, name: str = "squeeze"):
        parameters = dict(locals())
        super().__init__(forward_min_event_ndims=3, is_constant_jacobian=True, parameters=parameters, name=name)

    def _forward(self, x):
        return tf.nn.space_to_depth(x, 2)

    def _inverse(self, y):
        return tf.nn.depth_to_space(y, 2)

    def _forward_log_det_jacobian(self, x):
        # Entries are only moved.
        return tf.zeros(())

    def _forward_event_shape(self, shape):
        height, width, channels = shape[-3:]
        return tf.TensorShape((height // 2, width // 2, 4 * channels))

    def _forward_event_shape_tensor(self, shape):
        return tf.stack([shape[0] // 2, shape[1] // 2, 4 * shape[2]])

    def _inverse_event_shape(self, shape):
        height, width, channels = shape[-3:]
        return tf.TensorShape((2 * height, 2 * width, channels // 4))

    def _inverse_event_shape_tensor(self, shape):
        return tf.stack([2 * shape[0], 2 * shape[1], shape[2] // 4])

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}


class MaskedCoupling(tfb.Bijector):
    r"""Keeps the entries that a mask marks, and scales and shifts the others by functions of the kept ones.

    $$f(x) = b ⊙ x + (1 - b) ⊙ (x ⊙ \exp(s(b ⊙ x)) + t(b ⊙ x)), \qquad \log |\det f'| = \sum_i (1 - b_i)\, s_i$$

    Source: Dinh et al. (2016), https://arxiv.org/abs/1605.08803, equation 9. The networks run only once for an output
    and its log-determinant.

    Args:
        mask: b, of the shape of an event: 1 for kept entries, and 0 for the others.
        networks: function from b ⊙ x to t and s, float32 of the shape of x.
    """

    def __init__(
        self,
        mask: np.ndarray,
        networks: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        name: str = "masked_coupling",
    ):
        parameters = dict(locals())
        self.mask = mask.astype(np.float32)
        self.networks = networks
        self.memo = Memo()
        super().__init__(forward_min_event_ndims=mask.ndim, parameters=parameters, name=name)

    def _forward(self, x):
        shift, log_scale = self.shift_and_log_scale(x)
        y = x * tf.exp(log_scale) + shift
        self.memo.add(y, (shift, log_scale))
        return y

    def _inverse(self, y):
        shift, log_scale = self.shift_and_log_scale(y)
        x = (y - shift) * tf.exp(-log_scale)
        self.memo.add(x, (shift, log_scale))
        return x

    def _forward_log_det_jacobian(self, x):
        return self.log_det(x)

    def _inverse_log_det_jacobian(self, y):
        return -self.log_det(y)

    def log_det(self, values: tf.Tensor) -> tf.Tensor:
        _, log_scale = self.shift_and_log_scale(values)
        return tf.reduce_sum(log_scale, axis=tuple(range(-self.mask.ndim, 0)))

    def shift_and_log_scale(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns t and s, with 0 for kept entries; they are the same for an input and its output."""

        def masked(values):
            shift, log_scale = self.networks(values * self.mask)
            return shift * (1.0 - self.mask), log_scale * (1.0 - self.mask)

        return self.memo.of(values, masked)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}


def checkerboard(event_shape: tuple[int, ...], start: int) -> np.ndarray:
    """Returns a mask of alternating ones and zeros.

    Args:
        event_shape: shape of an image, whose channels all have the same mask, or of anything else, whose entries
            alternate along the first two axes.
        start: the first entry, 0 or 1.
    """
    places = sum(np.indices(event_shape)[: min(2, len(event_shape))])
    return (places + start) % 2


def on_second_half(inner: tfb.Bijector, channels: int) -> tfb.Bijector:
    """Returns the bijector that keeps the first half of the channels and applies another one to the second half.

    The first half has become noise and leaves the flow: it is factored out (Dinh et al., 2016, section 3.6).

    Args:
        inner: bijector of images that keeps their shape.
        channels: number of channels of both halves together.
    """
    return Coupling(channels // 2, True, lambda _: inner, event_ndims=3)


def on_squeezed(steps: list[tfb.Bijector]) -> tfb.Bijector:
    """Returns the bijector that applies steps, in order, to the squeezed image."""
    squeeze = Squeeze()
    return tfb.Chain([tfb.Invert(squeeze), *steps[::-1], squeeze])
