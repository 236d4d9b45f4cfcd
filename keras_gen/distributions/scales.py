"""The maximum-likelihood scale of numbers."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

#: Logarithms of scales are searched between minus and plus this number.
LARGEST_LOG_SCALE = 20.0

#: Number of halvings of that interval, which leave 1e-6 of it.
NUM_HALVINGS = 25


def most_likely_log_scale(z: np.ndarray, density: Callable[[], tfd.Distribution], num_columns: int = 64) -> np.ndarray:
    r"""Finds the maximum-likelihood scale factors of numbers under a univariate distribution.

    $$s_i = \arg\max_s \sum_n \left[\log p(z_{ni} e^s) + s\right]$$

    The sum is concave in s for a distribution that is log-concave and symmetric about 0, such as a normal or logistic
    one. The root of its derivative is found by bisection.

    Args:
        z: float32 numbers of shape `(rows, columns)`.
        density: returns p.
        num_columns: number of columns to process at a time, which bounds the memory.

    Returns:
        s, float32, of shape `(columns,)`, between -20 and 20.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def slope(z, s):
        with tf.GradientTape() as tape:
            tape.watch(s)
            total = tf.reduce_sum(tf.reduce_mean(density().log_prob(z * tf.exp(s)), axis=0) + s)
        return tape.gradient(total, s)

    found = []
    for start in range(0, z.shape[1], num_columns):
        part = tf.convert_to_tensor(z[:, start : start + num_columns], tf.float32)
        low = np.full(part.shape[1], -LARGEST_LOG_SCALE, np.float32)
        high = -low
        for _ in range(NUM_HALVINGS):
            middle = 0.5 * (low + high)
            rises = slope(part, tf.constant(middle)).numpy() > 0.0
            low, high = np.where(rises, middle, low), np.where(rises, high, middle)
        found.append(0.5 * (low + high))
    return np.concatenate(found)
