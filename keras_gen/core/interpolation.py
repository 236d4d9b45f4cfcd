"""Interpolation between codes or between noise vectors."""

import numpy as np

from keras_gen import checks


def interpolated(first, last, num_steps: int, *, spherical: bool = False) -> np.ndarray:
    r"""Computes codes between codes.

    With t from 0 to 1, the straight line is $(1 - t) a + t b$, and the great circle
    $(\sin((1 - t) ω)\, a + \sin(t ω)\, b) / \sin ω$, where ω is the angle between a and b. The circle preserves the
    length of codes of equal length, which nearly all draws from a high-dimensional normal distribution have. If a and b
    are parallel, it is the straight line.

    Args:
        first: codes a, of shape `(num, *code_shape)`.
        last: codes b.
        num_steps: number of codes on each path, both ends included.
        spherical: whether the path is the great circle.

    Returns:
        float32 array of shape `(num, num_steps, *code_shape)`.
    """
    shape = np.shape(first)
    a, b = (np.reshape(code, (shape[0], 1, -1)).astype(np.float64) for code in (first, last))
    t = np.linspace(0.0, 1.0, checks.positive_int("num_steps", num_steps))[:, np.newaxis]
    of_first, of_last = np.broadcast_to(1.0 - t, (len(a), *t.shape)), np.broadcast_to(t, (len(a), *t.shape))
    if spherical:
        lengths = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
        cosine = np.sum(a * b, axis=-1, keepdims=True) / np.maximum(lengths, np.finfo(float).tiny)
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        curved = (np.sin(angle) > 1e-6) & (lengths > 0.0)
        sine = np.where(curved, np.sin(angle), 1.0)
        of_first = np.where(curved, np.sin((1.0 - t) * angle) / sine, of_first)
        of_last = np.where(curved, np.sin(t * angle) / sine, of_last)
    return (of_first * a + of_last * b).astype(np.float32).reshape(shape[0], -1, *shape[1:])
