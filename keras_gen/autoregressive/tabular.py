"""The two extremes of explicit densities: one table for everything, and independent entries.

Both are textbook models: see Kevin P. Murphy (2012), Machine Learning: A Probabilistic Perspective, sections 2.2 and
10.1.
"""

import math

from keras_gen import checks
from keras_gen.autoregressive.markov import MarkovChain


class Tabular(MarkovChain):
    r"""The full joint distribution: a separate mass for every point of the space.

    $$p(x) = \prod_i p(x_i | x_1, …, x_{i-1}), \qquad p(x) = \frac{N(x)}{N} \text{ without smoothing}$$

    The chain rule assumes nothing: n bits have $\sum_i 2^{i-1} = 2^n - 1$ free parameters either way. So this is the
    chain of the highest order, feasible only for a few entries.

    Example:

    ```python
    model = keras_gen.autoregressive.Tabular((16,))
    model.compile()
    model.fit(x_train)                                     # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats; -inf for a point that was never seen
    model.num_free_parameters                              # 2¹⁶ - 1
    ```

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry.
        smoothing: pseudo-count added to every count of every conditional table.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(self, event_shape, levels: int = 2, *, smoothing: float = 0.0, seed: int = 0, **kwargs):
        order = math.prod(checks.event_shape(event_shape)) - 1
        super().__init__(event_shape, order, levels, smoothing=smoothing, seed=seed, **kwargs)


class Independent(MarkovChain):
    r"""Independent entries: n bits have n free parameters, and a single entry of m levels has m - 1.

    $$p(x) = \prod_i p(x_i), \qquad p(x_i = v) = \frac{N_i(v) + α}{N + mα}$$

    Example:

    ```python
    model = keras_gen.autoregressive.Independent((8, 8, 1), levels=17, smoothing=1.0)
    model.compile()
    model.fit(x_train)                                     # x_train holds 0, …, 16
    model.log_prob(x_test)                                 # nats
    ```

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry.
        smoothing: α, the pseudo-count added to every count.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(self, event_shape, levels: int = 2, *, smoothing: float = 0.0, seed: int = 0, **kwargs):
        super().__init__(event_shape, 0, levels, smoothing=smoothing, seed=seed, **kwargs)
