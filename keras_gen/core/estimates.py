"""Estimates of a likelihood that state their kind, and bounds on it by importance sampling."""

import functools
import math
from collections.abc import Callable

import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core.signatures import Signature

#: Number of pairs of an example and a sample that are weighted at once.
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
        by the delta method: the standard deviation of the weights divided by √K and by their mean. It is NaN for K = 1.
    """
    chunk = tf.minimum(num_samples, tf.maximum(1, ROWS_AT_ONCE // batch_size))
    number = tf.cast(num_samples, tf.float32)

    def add(done, log_sum, log_sum_of_squares):
        log_weight = log_weights(chunk, tf.random.experimental.stateless_fold_in(seed, done))
        # All chunks have one size, for XLA: the last one may hold surplus samples.
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


class Estimates:
    """Gives a model whose likelihood has no closed form an estimate of it, with its error.

    The model says in `likelihood_kind` what the estimate is, "lower bound", "upper bound" or "estimate", and provides
    `estimate_log_prob`.
    """

    likelihood_kind = "lower bound"

    def estimate_log_prob(
        self, x: tf.Tensor, condition, num_samples: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Estimates log p(x), inside a graph.

        Args:
            x: valid examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, a valid tensor, or None.
            num_samples: an int32 scalar.
            seed: int32 tensor of shape (2,).

        Returns:
            Two float32 tensors of shape `(batch,)`, in nats: the estimates, and their Monte Carlo standard errors.
        """
        raise NotImplementedError

    def log_prob_bound(self, x, condition=None, num_samples: int = 100, *, seed=None) -> tuple[tf.Tensor, tf.Tensor]:
        """Estimates log p(x); `likelihood_kind` says whether from below, from above, or neither.

        Memory use does not grow with the number of samples.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what the examples are conditioned on, for a conditional model.
            num_samples: samples for each example, at least 1; more samples make the estimate better.
            seed: int or pair of ints; the same seed gives the same estimate. None takes the next seed of the
                model's own stream.

        Returns:
            Two float32 tensors of shape `(batch,)`, in nats: the estimates, and the Monte Carlo standard error of
            each, which is NaN where a single sample does not determine it.

        Raises:
            ValueError: if `x` is not of the expected shape and domain, or `num_samples` is below 1.
        """
        x, condition = self.validated_pair(x, condition)
        num_samples = checks.positive_int("num_samples", num_samples)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_estimate(x, condition, tf.constant(num_samples), seed)

    @functools.cached_property
    def compiled_estimate(self):
        """`estimate_log_prob` as a graph, shared by calls and by the export for any number of examples."""
        return tf.function(self.estimate_log_prob, autograph=False, reduce_retracing=True)

    def estimate_signature(self) -> Signature:
        """Returns `log_prob_bound` as an exported function."""
        scalar = tf.TensorSpec((), tf.int32)

        def log_prob_bound(x, num_samples, seed, condition=None):
            bound, standard_error = self.compiled_estimate(x, condition, num_samples, seeds.as_pair(seed))
            return {"log_prob_bound": bound, "standard_error": standard_error}

        inputs = {**self.specs("x", "condition"), "num_samples": scalar, "seed": scalar}
        return Signature(log_prob_bound, inputs, deterministic=False)

    def signatures(self):
        """Adds `log_prob_bound` to what every model exports."""
        return {**super().signatures(), "log_prob_bound": self.estimate_signature()}


class PointBound(Estimates):
    r"""A lower bound on the likelihood of a model whose posterior is a single point: $\log p(x) ≥ \log p(x, z(x))$.

    It needs no samples, and has an error of 0. The model provides `joint_log_prob`.
    """

    def joint_log_prob(self, x: tf.Tensor, condition) -> tf.Tensor:
        """Returns the logarithm of the joint mass of valid examples and their codes, in nats, of shape `(batch,)`."""
        raise NotImplementedError

    def estimate_log_prob(self, x, condition, num_samples, seed):
        bound = self.joint_log_prob(x, condition)
        return bound, tf.zeros_like(bound)

    def estimate_signature(self):
        """Returns `log_prob_bound`, a function of only the examples and their condition."""

        def log_prob_bound(x, condition=None):
            bound, standard_error = self.estimate_log_prob(x, condition, None, None)
            return {"log_prob_bound": bound, "standard_error": standard_error}

        return Signature(log_prob_bound, self.specs("x", "condition"))


class ImportanceBound(Estimates):
    r"""A lower bound on the likelihood, by importance sampling.

    $$\log p(x) ≥ E[\log \frac{1}{K} \sum_{k=1}^K w_k]$$

    With one sample this is the evidence lower bound; it grows with the number K of samples, towards log p(x). The
    standard errors follow from the delta method: the standard deviation of the w_k divided by √K and by their mean.

    The model provides `log_weights`.
    """

    def log_weights(self, x: tf.Tensor, condition, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draws the unobserved variables and computes their importance weights.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, a valid tensor, or None.
            num_samples: number of draws for each example, an int32 scalar.
            seed: int32 tensor of shape (2,).

        Returns:
            log w in nats, a float32 tensor of shape `(num_samples, batch)`; the mean of w is the likelihood.
        """
        raise NotImplementedError

    def estimate_log_prob(self, x, condition, num_samples, seed):
        def log_weights(num, seed):
            return self.log_weights(x, condition, num, seed)

        return importance_bound(log_weights, tf.shape(x)[0], num_samples, seed)
