"""Triangular matrices, without the operators for solving and filling, which LiteRT lacks."""

import numpy as np
import tensorflow as tf


def unit_triangular_inverse(strict: tf.Tensor) -> tf.Tensor:
    r"""Returns the inverse of I + N for a strictly lower, or strictly upper, triangular matrix N.

    N is nilpotent, so the series of the inverse is finite; each factor doubles the number of terms:

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


def filled_triangle(diagonal: tf.Tensor, others: tf.Tensor, *, upper: bool = False) -> tf.Tensor:
    """Returns triangular matrices, lower ones unless `upper` is true.

    Args:
        diagonal: their diagonals, of shape `(..., D)` with a known D.
        others: the entries below, or above, the diagonals, row by row, of shape `(..., D * (D - 1) / 2)`.
        upper: whether the matrices are upper triangular.

    Returns:
        Tensor of shape `(..., D, D)`.
    """
    size = diagonal.shape[-1]
    # The source of each entry: zero, the diagonal, or the others.
    places = np.zeros((size, size), np.int32)
    places[np.diag_indices(size)] = 1 + np.arange(size)
    triangle = np.triu_indices(size, 1) if upper else np.tril_indices(size, -1)
    places[triangle] = 1 + size + np.arange(len(triangle[0]))
    numbers = tf.concat([tf.zeros_like(diagonal[..., :1]), diagonal, others], axis=-1)
    return tf.gather(numbers, places, axis=-1)
