"""Tables of conditional probabilities: each entry given the few preceding ones, fitted by counting.

Andrey A. Markov (1906, 1913); the counts maximise the likelihood, as in any statistics textbook, such as Kevin P.
Murphy (2012), Machine Learning: A Probabilistic Perspective, sections 3.4 and 17.2.
"""

import math

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.core import EpochSolver
from keras_gen.distributions.entries import Categorical

#: The maximum number of values in the tables of a model.
MAX_TABLE_SIZE = 2**25


class MarkovChain(EpochSolver, AutoregressiveModel):
    r"""A chain of order k: each entry depends on the k preceding ones, through its own table.

    $$p(x) = \prod_i p(x_i | x_{i-k}, …, x_{i-1}), \qquad
    p(x_i = v | c) = \frac{N_i(c, v) + α}{\sum_{v'} N_i(c, v') + α}$$

    N_i(c, v) counts the examples with value v at entry i after the context c, an example of weight w as w examples.
    With α = 0 this is the exact maximum of the likelihood: values never seen have mass 0, and after a context never
    seen all values are equally likely. `fit` counts: one epoch is enough, each further one starts again from 0, and the
    optimizer has nothing to do.

    The number of free parameters shows what the assumption of conditional independence saves: n bits have 2^n - 1 free
    parameters without any assumption (`Tabular`), 2n - 1 in a chain of order 1, and n as `Independent` entries.

    Example:

    ```python
    model = keras_gen.autoregressive.MarkovChain((64,), order=2, smoothing=1.0)
    model.compile()
    model.fit(x_train)                                     # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.num_free_parameters                              # 1 + 2 + 62 · 4
    ```

    Args:
        event_shape: shape of one example; entries are ordered row by row.
        order: k, the number of entries that an entry depends on, less than the number of entries; by default 1, or 0
            for a single entry.
        levels: number of levels of an entry.
        smoothing: α, the pseudo-count added to every count; 1 is Laplace's rule.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self, event_shape, order: int | None = None, levels: int = 2, *, smoothing: float = 0.0, seed: int = 0, **kwargs
    ):
        super().__init__(event_shape, levels=checks.levels(levels), seed=seed, **kwargs)
        self.conditional = Categorical(self.levels)
        order = min(1, self.event_size - 1) if order is None else order
        if isinstance(order, bool) or not isinstance(order, int | np.integer):
            raise TypeError(f"`order` must be a whole number, received {order!r}.")
        if not 0 <= order < self.event_size:
            raise ValueError(f"`order` must be from 0 to {self.event_size - 1}, received {order}.")
        self.order = int(order)
        self.smoothing = checks.not_negative("smoothing", smoothing)
        # The first entries have fewer preceding entries, and so smaller tables.
        contexts = [self.levels ** min(entry, self.order) for entry in range(self.event_size)]
        if sum(contexts) * self.levels > MAX_TABLE_SIZE:
            raise ValueError(
                f"`event_shape` {self.event_shape} with {self.levels} levels and order {order} needs tables of "
                f"{sum(contexts) * self.levels:.3g} numbers; at most {MAX_TABLE_SIZE} are possible."
            )
        #: Start of each entry's table among the contexts of all entries.
        self.first_context = np.cumsum([0, *contexts[:-1]]).astype(np.int32)
        self.counts = self.add_weight(
            name="counts", shape=(sum(contexts), self.levels), initializer="zeros", dtype="float32", trainable=False
        )

    # Densities

    def log_probs(self) -> tf.Tensor:
        """Returns the logarithms of all tables, of shape `(contexts of all entries, levels)`."""
        counts = tf.convert_to_tensor(self.counts) + self.smoothing
        total = tf.reduce_sum(counts, axis=-1, keepdims=True)
        return tf.math.log(tf.where(total > 0.0, counts / tf.maximum(total, 1e-30), 1.0 / self.levels))

    def contexts(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the index of the context of each entry of the int32 tensor `x`, of shape `(batch, event_size)`."""
        context = tf.repeat(self.first_context[np.newaxis], tf.shape(x)[0], axis=0)
        for distance in range(1, self.order + 1):
            context += self.levels ** (distance - 1) * tf.pad(x[:, :-distance], ((0, 0), (distance, 0)))
        return context

    def flat(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples as an int32 tensor of shape `(batch, event_size)`."""
        return tf.cast(tf.reshape(x, (-1, self.event_size)), tf.int32)

    def cells(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the index of the cell of each entry among the cells of all tables, shape `(batch, event_size)`."""
        x = self.flat(x)
        return self.contexts(x) * self.levels + x

    def parameters(self, x, condition=None, *, step=None):
        return tf.gather(self.log_probs(), self.contexts(self.flat(x)))

    def log_prob_in_step(self, x, condition, step):
        """Looks up the entries; masses may be 0, which a softmax could not represent."""
        return tf.reduce_sum(tf.gather(tf.reshape(self.log_probs(), (-1,)), self.cells(x)), axis=-1)

    @property
    def num_free_parameters(self) -> int:
        """Number of free parameters of the density: every context of every entry has `levels - 1`."""
        return num_free_parameters(self.event_size, self.order, self.levels)

    # Counting

    def statistics(self):
        return [self.counts]

    def accumulate(self, batch, step):
        cells = self.cells(batch["x"])
        weights = tf.repeat(step.example_weights(tf.shape(cells)[0]), self.event_size)
        counts = tf.math.unsorted_segment_sum(weights, tf.reshape(cells, (-1,)), math.prod(self.counts.shape))
        step.update(self.counts, self.counts + step.total(tf.reshape(counts, self.counts.shape)))

    # Sampling

    def start(self, batch_size, condition=None):
        """Returns the logarithms of the tables, and the number whose digits are the last k entries."""
        return self.log_probs(), tf.zeros((batch_size,), tf.int32)

    def parameters_at(self, state, step):
        log_probs, context = state
        return tf.gather(log_probs, tf.gather(self.first_context, step) + context)

    def observe(self, state, step, x):
        log_probs, context = state
        return log_probs, (context * self.levels + tf.cast(x, tf.int32)) % self.levels**self.order


def num_free_parameters(size: int, order: int, levels: int) -> int:
    """Returns the number of free parameters of a chain.

    Args:
        size: number of entries.
        order: number of entries that an entry depends on.
        levels: number of levels of an entry.
    """
    return sum(levels ** min(entry, order) * (levels - 1) for entry in range(size))
