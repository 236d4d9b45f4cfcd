"""BernoulliMixture: a mixture of products of Bernoulli distributions, fitted by EM.

Alfons Juan, Enrique Vidal (2002), On the use of Bernoulli mixture models for text classification,
https://doi.org/10.1016/S0031-3203(01)00242-4; Christopher M. Bishop (2006), Pattern Recognition and Machine Learning,
section 9.3.3.
"""

import tensorflow as tf

from keras_gen.mixtures.categorical_mixture import CategoricalMixture


class BernoulliMixture(CategoricalMixture):
    r"""A mixture of independent bits, $p(x) = \sum_k π_k \prod_d μ_{kd}^{x_d} (1 - μ_{kd})^{1 - x_d}$.

    It is a `CategoricalMixture` with two levels.

    Example:

    ```python
    model = keras_gen.mixtures.BernoulliMixture((28, 28, 1), num_components=100)
    model.compile()
    model.fit(x_train, epochs=50)                          # x_train holds 0s and 1s; NaN where an entry is missing
    model.log_prob(x_test)                                 # nats
    model.impute(x_test, mask, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        num_components: number K of components.
        smoothing: as in `CategoricalMixture`.
        num_starts: as in `CategoricalMixture`.
        online_decay: as in `CategoricalMixture`.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        num_components: int = 10,
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
            smoothing=smoothing,
            num_starts=num_starts,
            online_decay=online_decay,
            seed=seed,
            **kwargs,
        )

    @property
    def means(self) -> tf.Tensor:
        """μ, the probability of a 1, of shape `(num_components, *event_shape)`."""
        return tf.reshape(tf.exp(self.log_probs[..., 1]), (-1, *self.event_shape))
