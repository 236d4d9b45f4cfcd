"""The codebook of a VQ-VAE: the vectors that other vectors are rounded to, and how they learn."""

import keras
import tensorflow as tf

from keras_gen.core.step import Step
from keras_gen.layers.initializers import uniform


class VectorQuantizer(keras.layers.Layer):
    r"""A codebook $e_1, …, e_K$; a vector z is rounded to the nearest entry (van den Oord et al., 2017).

    $$k = \operatorname{argmin}_j \|z - e_j\|^2$$

    The codebook learns by gradient descent or by online k-means: with $n_i$ the number of vectors of a batch that are
    rounded to $e_i$ and $s_i$ their sum, `learn` computes

    $$N_i ← γ N_i + (1 - γ) n_i, \qquad m_i ← γ m_i + (1 - γ) s_i, \qquad e_i = m_i / N_i$$

    A code to which nothing has been rounded for `restart_after` steps is moved to a vector of the batch.

    Args:
        num_codes: number K of codes.
        code_size: entries of a code.
        decay: γ; None for a codebook that learns by gradient descent.
        restart_after: steps after which an unused code is moved; None for never.
        seed: seeds of the initial codebook.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_codes: int,
        code_size: int,
        *,
        decay: float | None,
        restart_after: int | None,
        seed: tuple[int, ...],
        **kwargs,
    ):
        # Rounding compares small differences, so it is never done in 16 bits.
        super().__init__(dtype="float32", **kwargs)
        self.num_codes = num_codes
        self.decay = decay
        self.restart_after = restart_after
        self.codebook = self.add_weight(
            name="codebook",
            shape=(num_codes, code_size),
            initializer=uniform(1.0 / num_codes, seed),
            trainable=decay is None,
            # All replicas compute the same value.
            aggregation="only_first_replica" if decay is not None else "mean",
        )
        if decay is not None:
            self.counts = self.state("counts", (num_codes,), "ones")
            self.sums = self.state("sums", (num_codes, code_size), "zeros")
            self.sums.assign(self.codebook)
        if restart_after is not None:
            self.ages = self.state("ages", (num_codes,), "zeros")
        self.built = True

    def state(self, name: str, shape: tuple[int, ...], initializer: str) -> keras.Variable:
        """Returns a weight that `learn` moves."""
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, trainable=False, aggregation="only_first_replica"
        )

    def nearest(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the codes of vectors.

        Args:
            z: float32 tensor of shape `(..., code_size)`.

        Returns:
            int32 tensor of shape `(...)`, whole numbers `0..num_codes-1`.
        """
        # ‖z‖² is the same for all codes.
        distances = tf.reduce_sum(tf.square(self.codebook), axis=-1) - 2.0 * tf.matmul(
            tf.reshape(z, (-1, z.shape[-1])), self.codebook, transpose_b=True
        )
        return tf.reshape(tf.argmin(distances, axis=-1, output_type=tf.int32), tf.shape(z)[:-1])

    def call(self, codes):
        """Returns the vectors of codes, of shape `(..., code_size)`."""
        return tf.gather(tf.convert_to_tensor(self.codebook), codes)

    # Learning

    def uses(self, codes: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns how often each code occurs in the global batch, weighted by the examples' weights.

        Args:
            codes: int32 tensor whose first axis is the batch.
            step: the step.

        Returns:
            float32 tensor of shape `(num_codes,)`.
        """
        weights = vector_weights(codes, step)
        return step.total(tf.math.unsorted_segment_sum(weights, tf.reshape(codes, (-1,)), self.num_codes))

    def perplexity(self, codes: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns the exponential of the entropy of a batch's codes: how many codes are in use, from 1 to K."""
        uses = self.uses(codes, step)
        shares = tf.math.divide_no_nan(uses, tf.reduce_sum(uses))
        return tf.exp(-tf.reduce_sum(tf.math.xlogy(shares, shares)))

    def learn(self, z: tf.Tensor, codes: tf.Tensor, step: Step) -> None:
        """Moves the codebook towards the vectors of the global batch, when the step is done.

        Args:
            z: float32 vectors of shape `(batch, ..., code_size)`.
            codes: their codes, of shape `(batch, ...)`.
            step: the step, whose seed chooses the vectors that unused codes are moved to.
        """
        uses, weights = self.uses(codes, step), vector_weights(codes, step)
        z, codes = tf.reshape(z, (-1, z.shape[-1])), tf.reshape(codes, (-1,))
        used = uses > 0.0
        if self.decay is not None:
            weighted = weights[:, tf.newaxis] * z
            new = step.total(tf.math.unsorted_segment_sum(weighted, codes, self.num_codes))
            counts = self.decay * self.counts + (1.0 - self.decay) * uses
            sums = self.decay * self.sums + (1.0 - self.decay) * new
            # Without a vector, both shrink by the same factor, eventually to zero, and their ratio stays.
            codebook = tf.where(used[:, tf.newaxis], tf.math.divide_no_nan(sums, counts[:, tf.newaxis]), self.codebook)
        if self.restart_after is not None:
            ages = tf.where(used, 0.0, self.ages + 1.0)
            dead = ages >= self.restart_after
            chosen = self.chosen(z, weights, step)
            step.update(self.ages, tf.where(dead, 0.0, ages))
            if self.decay is None:
                # The codes in use go where the optimizer moves them.
                step.update(self.codebook, lambda: tf.where(dead[:, tf.newaxis], chosen, self.codebook))
            else:
                counts = tf.where(dead, 1.0, counts)
                sums = tf.where(dead[:, tf.newaxis], chosen, sums)
                codebook = tf.where(dead[:, tf.newaxis], chosen, codebook)
        if self.decay is not None:
            step.update(self.counts, counts)
            step.update(self.sums, sums)
            step.update(self.codebook, codebook)

    def chosen(self, z: tf.Tensor, weights: tf.Tensor, step: Step) -> tf.Tensor:
        """Draws a vector of the global batch for each code; all of them differ if there are enough."""
        # Vectors without weight come last.
        keys = tf.where(weights > 0.0, step.uniform((tf.shape(z)[0],)), 2.0)
        ranks = tf.math.invert_permutation(tf.argsort(step.gather(keys)))
        ranks = step.rows(lambda _: ranks, tf.shape(z)[0])
        first = tf.math.unsorted_segment_sum(z, tf.where(ranks < self.num_codes, ranks, -1), self.num_codes)
        num_vectors = step.total(tf.math.count_nonzero(weights, dtype=tf.int32))
        return tf.gather(step.total(first), tf.range(self.num_codes) % tf.maximum(num_vectors, 1))


def vector_weights(codes: tf.Tensor, step: Step) -> tf.Tensor:
    """Returns the weight of the example that each vector belongs to, of shape `(number of codes,)`."""
    weights = step.example_weights(tf.shape(codes)[0])
    return tf.repeat(weights, tf.size(codes) // tf.maximum(tf.shape(codes)[0], 1))
