"""Lower bounds of a likelihood by importance sampling, in memory that does not grow with the number of samples."""

import math
from collections.abc import Callable

import tensorflow as tf

#: Pairs of an example and a sample that are weighed at once.
ROWS_AT_ONCE = 5000


def importance_bound(
    log_weights: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], batch_size: tf.Tensor, num_samples: tf.Tensor, seed
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Estimates $E[\log \frac{1}{K} \sum_{k=1}^K w_k]$ for each example.

    Args:
        log_weights: function from a number of samples and a seed to the logarithms of their weights w, in nats, a
            float32 tensor of shape `(number, batch)`.
        batch_size: number of examples.
        num_samples: K, an int32 scalar.
        seed: int32 tensor of shape (2,).

    Returns:
        Two float32 tensors of shape `(batch,)`, in nats: the estimates, and the Monte Carlo standard error of each,
        by the delta method: the standard deviation of the weights divided by √K and their mean. It is NaN for K = 1.
    """
    chunk = tf.minimum(num_samples, tf.maximum(1, ROWS_AT_ONCE // batch_size))
    number = tf.cast(num_samples, tf.float32)

    def add(done, log_sum, log_sum_of_squares):
        log_weight = log_weights(chunk, tf.random.experimental.stateless_fold_in(seed, done))
        # Chunks are of one size, for XLA: the last one may hold samples too many.
        wanted = done + tf.range(chunk) < num_samples
        log_weight = tf.where(wanted[:, tf.newaxis], log_weight, -math.inf)
        log_sum = tf.reduce_logsumexp(tf.concat([log_sum[tf.newaxis], log_weight], axis=0), axis=0)
        log_weight = tf.concat([log_sum_of_squares[tf.newaxis], 2.0 * log_weight], axis=0)
        return done + chunk, log_sum, tf.reduce_logsumexp(log_weight, axis=0)

    empty = tf.fill((batch_size,), -math.inf)
    _, log_sum, log_sum_of_squares = tf.while_loop(
        lambda done, *_: done < num_samples, add, (0, empty, empty), parallel_iterations=1
    )
    # K E[w²] / E[w]², from which the variance of their mean, relative to its square, follows.
    ratio = number * tf.exp(log_sum_of_squares - 2.0 * log_sum)
    standard_error = tf.sqrt(tf.maximum(ratio - 1.0, 0.0) / (number - 1.0))
    return log_sum - tf.math.log(number), standard_error
