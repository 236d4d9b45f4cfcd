"""Triangular matrices, without the solver that LiteRT lacks."""

import tensorflow as tf


def unit_triangular_inverse(strict: tf.Tensor) -> tf.Tensor:
    r"""Returns the inverse of I + N, for a strictly lower, or strictly upper, triangular matrix N.

    N is nilpotent, so that the series of the inverse ends; its terms double with each factor:

    $$(I + N)^{-1} = \sum_{k=0}^{D-1} (-N)^k = \prod_{k=0}^{\lceil \log_2 D \rceil - 1} (I + (-N)^{2^k})$$

    Args:
        strict: N, of shape `(..., D, D)` with a known D.
    """
    identity = tf.eye(strict.shape[-1], dtype=strict.dtype)
    power = -strict
    inverse = identity + power
    for _ in range((strict.shape[-1] - 1).bit_length() - 1):
        power = tf.matmul(power, power)
        inverse += tf.matmul(inverse, power)
    return inverse
