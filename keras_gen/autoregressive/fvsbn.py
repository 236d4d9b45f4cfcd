"""FVSBN: the fully visible sigmoid belief network, one logistic regression per entry.

Brendan J. Frey (1998), Graphical Models for Machine Learning and Digital Communication, MIT Press; Radford M. Neal
(1992), Connectionist learning of belief networks, Artificial Intelligence 56. The name is that of Larochelle and
Murray (2011).
"""

import math

import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers import MaskedDense


class FVSBN(AutoregressiveModel):
    r"""A logistic regression of each entry on the preceding entries.

    $$p(x_d = 1 | x_{<d}) = σ(b_d + \sum_{j<d} A_{dj}\, x_j)$$

    With `levels > 2` each entry is one-hot encoded and each regression is multinomial.

    Example:

    ```python
    model = keras_gen.autoregressive.FVSBN((784,))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)          # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; entries are ordered row by row.
        levels: number of levels of an entry.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(self, event_shape, levels: int = 2, *, seed: int = 0, **kwargs):
        super().__init__(event_shape, levels=checks.levels(levels), seed=seed, **kwargs)
        self.conditional = over_levels(self.levels)
        # A binary entry has one input and one logit, any other entry one of each per level.
        units = self.event_size * self.conditional.num_parameters
        self.regressions = MaskedDense(units, kernel_initializer="zeros", dtype=self.dtype_policy)
        self.regressions.build((None, units))

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        width = self.conditional.num_parameters
        x = tf.reshape(self.inputs(x), (-1, self.event_size * width))
        entries = tf.repeat(tf.range(self.event_size), width)
        # An entry sees only the preceding ones.
        logits = tf.cast(self.regressions(x, entries, entries - 1), tf.float32)
        return tf.reshape(logits, (-1, self.event_size, width))

    def start(self, batch_size, condition=None):
        """Returns the logits of all entries, to which each observed entry adds its contribution."""
        bias = tf.reshape(tf.convert_to_tensor(self.regressions.bias), (1, -1))
        return tf.repeat(tf.cast(bias, tf.float32), batch_size, axis=0)

    def parameters_at(self, state, step):
        width = self.conditional.num_parameters
        return tf.slice(state, (0, step * width), (-1, width))

    def observe(self, state, step, x):
        width = self.conditional.num_parameters
        rows = tf.reshape(tf.convert_to_tensor(self.regressions.kernel), (self.event_size, width, -1))[step]
        return state + tf.cast(tf.matmul(self.inputs(x), tf.cast(rows, self.compute_dtype)), tf.float32)

    @property
    def num_free_parameters(self) -> int:
        """Number of free parameters of the density."""
        return math.comb(self.event_size, 2) * (self.levels - 1) ** 2 + self.event_size * (self.levels - 1)
