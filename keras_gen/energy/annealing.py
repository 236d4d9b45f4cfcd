"""Annealed importance sampling: an estimate of a partition function, in float64, with its error.

Radford M. Neal (2001), Annealed Importance Sampling, Statistics and Computing 11
Ruslan Salakhutdinov, Iain Murray (2008), On the Quantitative Analysis of Deep Belief Networks, ICML
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Estimates

#: Number of chains annealed at once.
CHAINS_AT_ONCE = 500


class LogPartition(NamedTuple):
    """An estimate of log Z, in nats.

    Attributes:
        estimate: the logarithm of the mean of the weights. The expected weight is Z, so the expected estimate is at
            most log Z: log p(x) tends to come out too large.
        standard_error: standard error of the estimate, by the delta method: the standard deviation of the weights,
            divided by their mean and by the square root of their number. It is NaN for one weight.
        low: the logarithm of the mean weight minus three standard errors of it; minus infinity if that is negative.
        high: the logarithm of the mean weight plus three standard errors of it.
    """

    estimate: tf.Tensor
    standard_error: tf.Tensor
    low: tf.Tensor
    high: tf.Tensor

    @classmethod
    def of(cls, log_weights: tf.Tensor) -> "LogPartition":
        """Returns the estimate from the logarithms of weights, a tensor of shape `(num_samples,)`."""
        number = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
        estimate = tf.reduce_logsumexp(log_weights) - tf.math.log(number)
        # The weights divided by their mean.
        ratios = tf.exp(log_weights - estimate)
        error = tf.sqrt(tf.reduce_sum(tf.square(ratios - 1.0)) / (number - 1.0) / number)
        # NaN for a single weight, even if 0 / 0 were to count as 0.
        error = tf.where(number > 1.0, error, tf.constant(math.nan, error.dtype))
        low = tf.where(3.0 * error >= 1.0, tf.constant(-math.inf, error.dtype), tf.math.log1p(-3.0 * error))
        return cls(estimate, error, estimate + low, estimate + tf.math.log1p(3.0 * error))


def temperatures_near_one(num_temperatures: int) -> np.ndarray:
    """Returns inverse temperatures from 0 to 1, most of them near 1, in `num_temperatures` steps.

    As in the paper by Salakhutdinov and Murray, 1 of 29 lies below 0.5, and 20 of 29 lie above 0.9.
    """
    return np.interp(np.linspace(0.0, 1.0, num_temperatures + 1), (0.0, 1 / 29, 9 / 29, 1.0), (0.0, 0.5, 0.9, 1.0))


def annealed_log_weights(
    log_density: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    transition: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
    start: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    log_partition_of_start: tf.Tensor,
    temperatures: np.ndarray,
    num_samples: int | tf.Tensor,
    seed: tf.Tensor,
) -> tf.Tensor:
    r"""Draws weights whose mean is the partition function Z, and returns their logarithms.

    For a path of densities $p^*_β$, each up to a constant factor, from $p^*_0$, whose Z is known and which can be
    sampled, to $p^*_1$,

    $$w = Z_0 \prod_{t=1}^{T} \frac{p^*_{β_t}(x_t)}{p^*_{β_{t-1}}(x_t)}, \qquad x_1 \sim p_0, \quad
    x_{t+1} \sim \text{transition}_{β_t}(x_t)$$

    Args:
        log_density: function from states and an inverse temperature β, a float64 scalar, to $\log p^*_β$ of each state
            in nats, float64 of shape `(chains,)`.
        transition: function from states, β and a seed to the next states; it leaves $p_β$ invariant.
        start: function from a number of chains and a seed to draws from $p_0$, one tensor whose first axis is the
            chains.
        log_partition_of_start: $\log Z_0$, in nats.
        temperatures: β_0 = 0, ..., β_T = 1.
        num_samples: number of weights.
        seed: int32 tensor of shape (2,).

    Returns:
        float64 tensor of shape `(num_samples,)`, in nats.
    """
    betas = tf.constant(temperatures, tf.float64)
    num_samples = tf.convert_to_tensor(num_samples)
    chunk = tf.minimum(num_samples, CHAINS_AT_ONCE)

    def anneal(first, log_weights):
        own = tf.random.experimental.stateless_fold_in(seed, first)
        start_seed, move_seed = tf.unstack(tf.random.split(own, 2))

        def heat(index, state, log_weight):
            before, after = betas[index], betas[index + 1]
            log_weight += log_density(state, after) - log_density(state, before)
            move = tf.random.experimental.stateless_fold_in(move_seed, index)
            return index + 1, transition(state, after, move), log_weight

        weightless = tf.fill((chunk,), tf.cast(log_partition_of_start, tf.float64))
        _, _, log_weight = tf.while_loop(
            lambda index, *_: index < len(temperatures) - 1,
            heat,
            (0, start(chunk, start_seed), weightless),
            parallel_iterations=1,
        )
        # All chunks have one size: the last one may hold surplus chains.
        return first + chunk, tf.concat([log_weights, log_weight[: num_samples - first]], axis=0)

    return tf.while_loop(
        lambda first, _: first < num_samples,
        anneal,
        (0, tf.zeros((0,), tf.float64)),
        shape_invariants=(tf.TensorShape(()), tf.TensorShape((None,))),
        parallel_iterations=1,
    )[1]


class AnnealedPartition(Estimates):
    """Gives a model an estimate of its log Z, and thereby of its likelihood.

    The model provides `annealed_log_weights`, `free_energy_of` and `num_temperatures`, the number of annealing steps in
    `log_prob_bound`.
    """

    def free_energy_of(self, x: tf.Tensor, dtype) -> tf.Tensor:
        """Returns F(x), or an upper bound on it, for valid examples, computed in a dtype, of shape `(batch,)`."""
        raise NotImplementedError

    def annealed_log_weights(self, num_samples: tf.Tensor, num_temperatures: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns the logarithms of weights whose mean is Z, float64 of shape `(num_samples,)`."""
        raise NotImplementedError

    def estimate_log_partition(
        self, num_samples: int = 100, num_temperatures: int = 10_000, *, seed=None
    ) -> LogPartition:
        """Estimates log Z by annealed importance sampling.

        Args:
            num_samples: number of annealed chains, at least 1.
            num_temperatures: number of steps from independent entries to the model.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            The estimate, its standard error, and the interval of three standard errors, all float64, in nats.

        Raises:
            ValueError: if a number is below 1.
        """
        num_samples = checks.positive_int("num_samples", num_samples)
        num_temperatures = checks.positive_int("num_temperatures", num_temperatures)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_annealing(tf.constant(num_samples), num_temperatures, seed)

    @functools.cached_property
    def compiled_annealing(self):
        """The estimate of log Z as a graph."""

        def estimate(num_samples, num_temperatures, seed):
            return LogPartition.of(self.annealed_log_weights(num_samples, num_temperatures, seed))

        return tf.function(estimate, autograph=False, reduce_retracing=True)

    def estimate_log_prob(self, x, condition, num_samples, seed):
        log_z = LogPartition.of(self.annealed_log_weights(num_samples, self.num_temperatures, seed))
        log_prob = -self.free_energy_of(x, tf.float64) - log_z.estimate
        error = tf.broadcast_to(log_z.standard_error, tf.shape(log_prob))
        return tf.cast(log_prob, tf.float32), tf.cast(error, tf.float32)
