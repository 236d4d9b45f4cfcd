"""CategoricalMixture: a mixture of products of categorical distributions, fitted by EM.

Paul F. Lazarsfeld, Neil W. Henry (1968), Latent Structure Analysis; for EM see any textbook, such as Christopher M.
Bishop (2006), Pattern Recognition and Machine Learning, section 9.3.3.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.mixtures.base import MixtureModel
from keras_gen.spaces import Levels, missing_entries

tfd = tfp.distributions


class CategoricalMixture(MixtureModel):
    r"""Entries are independent in each component, $p(x) = \sum_k π_k \prod_d p_{kd}(x_d)$.

    With the responsibilities $r_{ik} = p(k | x_i)$, an iteration of EM sets

    $$p_{kd}(v) = \frac{\sum_i r_{ik} [x_{id} = v] + α}{\sum_i r_{ik} [x_{id} \text{ is there}] + α L}, \qquad
    π_k = \frac{\sum_i r_{ik} + α}{N + α K}$$

    where L is the number of levels. With α = 0 the likelihood of the training data never falls; with α > 0 the same
    holds for its sum with the log density of symmetric Dirichlet priors, and no value has mass 0.

    Example:

    ```python
    model = keras_gen.mixtures.CategoricalMixture((8, 8), num_components=20, levels=17)
    model.compile()
    model.fit(x_train, epochs=50)                          # x_train holds whole levels; NaN where an entry is missing
    model.log_prob(x_test)                                 # nats
    model.impute(x_test, mask, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        num_components: number K of components.
        levels: number L of levels of an entry.
        smoothing: α, the pseudo-count added to every count.
        num_starts: number of starts that are compared.
        online_decay: None solves at the end of each epoch; a number greater than 0.5 and at most 1 solves after each
            batch, with α divided among the examples so far: see `MixtureModel`.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        num_components: int = 10,
        levels: int = 2,
        *,
        smoothing: float = 1.0,
        num_starts: int = 3,
        online_decay: float | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            num_components,
            levels=checks.levels(levels),
            num_starts=num_starts,
            online_decay=online_decay,
            seed=seed,
            **kwargs,
        )
        self.smoothing = checks.not_negative("smoothing", smoothing)
        shape = (self.num_components, self.event_size, self.levels)
        # Equal components would stay equal.
        self.log_probs = self.parameter("log_probs", shape, lambda shape, dtype: initial_log_probs(shape, dtype, seed))
        self.value_counts = self.sum_variable("value_counts", shape)

    @property
    def event_space(self):
        return Levels(self.event_shape, self.levels, missing=True)

    # Densities

    def one_hot(self, x: tf.Tensor) -> tf.Tensor:
        """Returns entries one-hot, with zeros for a missing one, of shape `(batch, entries * levels)`."""
        missing = missing_entries(x)
        levels = tf.where(missing, -1, tf.cast(tf.where(missing, 0.0, x), tf.int32))
        return tf.reshape(tf.one_hot(levels, self.levels), (-1, self.event_size * self.levels))

    def component_log_probs(self, x):
        return tf.matmul(self.one_hot(x), self.table(), transpose_b=True)

    def table(self) -> tf.Tensor:
        """Returns the log masses, of shape `(num_components, entries * levels)`."""
        return tf.reshape(self.log_probs, (self.num_components, -1))

    @property
    def num_free_parameters(self) -> int:
        """Number of free parameters: proportions, and the masses of each entry in each component."""
        return self.num_components - 1 + self.num_components * self.event_size * (self.levels - 1)

    # Fitting

    def statistics(self):
        return [self.counts, self.value_counts]

    def expectation(self, x, weights, responsibilities=None):
        one_hot = self.one_hot(x)
        joint = tf.matmul(one_hot, self.table(), transpose_b=True) + self.log_proportions
        shares = tf.nn.softmax(joint) if responsibilities is None else responsibilities
        shares *= weights[:, tf.newaxis]
        value_counts = tf.reshape(tf.matmul(shares, one_hot, transpose_a=True), self.value_counts.shape)
        return tf.reduce_logsumexp(joint, axis=-1), [tf.reduce_sum(shares, axis=0), value_counts]

    def solution(self, statistics):
        counts, value_counts = statistics
        total = tf.reduce_sum(value_counts, axis=-1, keepdims=True)
        masses = tf.where(total > 0.0, value_counts / tf.where(total > 0.0, total, 1.0), 1.0 / self.levels)
        log_probs = tf.math.log(tf.maximum(masses, np.finfo(np.float32).tiny))
        return [
            (self.log_proportions, self.new_log_proportions(counts)),
            (self.log_probs, tf.cast(log_probs, tf.float32)),
        ]

    def implied_statistics(self):
        proportions = tf.nn.softmax(tf.cast(self.log_proportions, tf.float64))
        masses = tf.nn.softmax(tf.cast(self.log_probs, tf.float64))
        return [proportions, proportions[:, tf.newaxis, tf.newaxis] * masses]

    def prior_statistics(self):
        return [self.smoothing, self.smoothing]

    def start_vectors(self, x):
        """Entries one-hot, with zeros for a missing one."""
        return np.concatenate([self.one_hot(tf.constant(rows)) for rows in np.array_split(x, 1 + len(x) // 1000)])

    # Sampling

    def noise_distributions(self):
        """Uniform numbers: one that chooses a component, and one for each entry."""
        return {"component": tfd.Uniform(), "uniform": tfd.Sample(tfd.Uniform(), self.event_shape)}

    def generate_given(self, component, noise):
        cumulative = tf.cumsum(tf.exp(tf.gather(self.log_probs, component)), axis=-1)
        uniform = tf.reshape(noise["uniform"], (-1, self.event_size, 1))
        levels = tf.reduce_sum(tf.cast(uniform >= cumulative, tf.float32), axis=-1)
        return tf.reshape(tf.minimum(levels, self.levels - 1.0), (-1, *self.event_shape))

    @property
    def component_means(self):
        """The mean levels of each component."""
        means = tf.linalg.matvec(tf.exp(self.log_probs), tf.range(self.levels, dtype=tf.float32))
        return tf.reshape(means, (-1, *self.event_shape))

    def impute_given(self, x, component, noise):
        """Within a component, entries are independent."""
        return self.generate_given(component, noise)


def initial_log_probs(shape, dtype, seed: int) -> tf.Tensor:
    """Returns random log masses over the last axis."""
    return tf.nn.log_softmax(tf.cast(seeds.normal(shape, seeds.as_pair(seed)), dtype))
