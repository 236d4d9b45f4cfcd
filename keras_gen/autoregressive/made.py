"""MADE: Masked Autoencoder for Distribution Estimation.

Mathieu Germain, Karol Gregor, Iain Murray, Hugo Larochelle (2015), https://arxiv.org/abs/1502.03509
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.core import Step
from keras_gen.distributions.entries import Mixture, over_levels, quantile
from keras_gen.networks import AutoregressiveNetwork

tfd = tfp.distributions


class MADE(AutoregressiveModel):
    r"""An autoencoder whose masked weights make its outputs the conditionals of the chain rule.

    Each input, hidden and output unit has a degree m. For one ordering, with inputs of degree m⁰(d) = position
    of entry d (equations 8 to 12 of the paper):

    $$h(x) = g(b + (W ⊙ M^W)\, x), \qquad M^W_{k,d} = 1[m(k) ≥ m^0(d)]$$
    $$p(x_d = 1 | x_{<d}) = σ(c + (V ⊙ M^V)\, h(x))_d, \qquad M^V_{d,k} = 1[m^0(d) > m(k)]$$
    $$\log p(x) = \sum_d \log p(x_d | x_{<d})$$

    With `levels > 2` each entry is one-hot encoded and each conditional is categorical; with `levels=None` entries are
    real numbers and each conditional is a mixture of Gaussians. With `num_masks > 1` each training step uses one
    randomly chosen mask, and the model is the ensemble p(x) = (1/M) Σ_m p_m(x), an average of probabilities.

    Example:

    ```python
    model = keras_gen.autoregressive.MADE((784,), hidden_units=(500,))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)          # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; entries are ordered row by row.
        hidden_units: width of each hidden layer.
        levels: number of levels of an entry; None for real numbers.
        num_components: number of Gaussians in the conditional of a real number.
        num_masks: number of masks in the ensemble; random orderings differ between masks.
        direct_connections: whether inputs are also connected directly to the outputs (section 4.3 of the paper).
        ordering: "natural", "random" (one for each mask), or the indices of the entries in order.
        activation: activation of the hidden layers.
        dropout: fraction of the hidden units that a training step sets to zero, at random for each example.
        seed: as in `GenerativeModel`; also chooses degrees and random orderings.
        **kwargs: as in `GenerativeModel`.
    """

    xla_positions = 256

    def __init__(
        self,
        event_shape,
        hidden_units=(500,),
        levels: int | None = 2,
        *,
        num_components: int = 10,
        num_masks: int = 1,
        direct_connections: bool = False,
        ordering="natural",
        activation="relu",
        dropout: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.num_components = checks.positive_int("num_components", num_components)
        self.conditional = Mixture(self.num_components) if self.levels is None else over_levels(self.levels)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.num_masks = checks.positive_int("num_masks", num_masks)
        self.direct_connections = direct_connections
        self.ordering = checked_ordering(ordering, self.event_size)
        self.activation = activation
        self.dropout = checks.rate("dropout", dropout)

        self.network = AutoregressiveNetwork(
            self.draw_orders(),
            self.hidden_units,
            self.conditional.num_parameters,
            inputs_per_entry=self.inputs_per_entry,
            direct_connections=direct_connections,
            activation=activation,
            seed=(self.seed,),
            dtype=self.dtype_policy,
        )
        if self.levels is None:
            # The first entry has no inputs: if its components started out equal, they would stay equal.
            self.network.output_layer.bias.assign(np.tile(self.conditional.spread(), self.event_size))

    def draw_orders(self) -> np.ndarray:
        """Returns the entries in each mask's order, of shape `(num_masks, event_size)`."""
        if self.ordering == "random":
            randoms = (np.random.default_rng((self.seed, mask)) for mask in range(self.num_masks))
            return np.stack([random.permutation(self.event_size) for random in randoms])
        order = np.arange(self.event_size) if self.ordering == "natural" else np.asarray(self.ordering)
        return np.tile(order, (self.num_masks, 1))

    @property
    def positions(self):
        return self.network.orders[0]

    # Primitives

    def parameters(self, x, condition=None, *, step=None, mask=0):
        """As in `AutoregressiveModel`, for one mask, given as an int or a scalar tensor."""
        x = tf.reshape(self.inputs(x), (-1, self.event_size * self.inputs_per_entry))
        return self.network(x, which=mask, drop=self.make_dropout(self.dropout, step))

    def start(self, batch_size, condition=None):
        return self.network.start(batch_size)

    def parameters_at(self, state, step):
        return self.network.parameters_at(state, step)

    def observe(self, state, step, x):
        return self.network.observe(state, step, self.inputs(x))

    # Densities

    def log_prob_in_step(self, x, condition, step):
        """In training, the log density under one randomly chosen mask; otherwise that of the ensemble."""
        if step is None:
            log_probs = [self.log_prob_of_mask(x, mask) for mask in range(self.num_masks)]
            return tf.reduce_logsumexp(tf.stack(log_probs), axis=0) - math.log(self.num_masks)
        mask_step, dropout_step = step.split(2)
        mask = 0
        if self.num_masks > 1:
            mask = tf.random.stateless_uniform((), mask_step.seed, maxval=self.num_masks, dtype=tf.int32)
        return self.log_prob_of_mask(x, mask, step=dropout_step)

    def log_prob_of_mask(self, x: tf.Tensor, mask, *, step: Step | None = None) -> tf.Tensor:
        """Computes the log density of float32 examples under one mask, shape `(batch,)`."""
        return tf.reduce_sum(self.log_probs_of_mask(x, mask, step=step), axis=-1)

    def log_probs_of_mask(self, x: tf.Tensor, mask, *, step: Step | None = None) -> tf.Tensor:
        """Computes the log density of each entry given the preceding ones, shape `(batch, event_size)`."""
        parameters = self.parameters(x, step=step, mask=mask)
        return self.conditional.log_prob(parameters, tf.reshape(x, (-1, self.event_size)))

    # Sampling

    def noise_distributions(self):
        """Returns the conditional's noise for every entry, and the noise that chooses the mask of an ensemble."""
        sources = super().noise_distributions()
        return sources if self.num_masks == 1 else {**sources, "mask": tfd.Uniform()}

    def impute(self, x, mask, *, condition=None, seed=None):
        """As in `AutoregressiveModel`.

        Raises:
            ValueError: if a known entry follows a missing one, or if the orderings of the ensemble differ.
        """
        if np.any(self.network.orders != self.network.orders[0]):
            raise ValueError("`impute` needs one ordering; the masks of this ensemble have several.")
        return super().impute(x, mask, condition=condition, seed=seed)

    def draw_positions(self, noise, condition=None, known=None, missing=None):
        """As in `AutoregressiveModel`; an ensemble draws each example under one of its masks."""
        if self.num_masks == 1:
            return super().draw_positions(noise, condition, known, missing)
        weights = tf.zeros((tf.shape(noise["mask"])[0], self.num_masks))
        if known is not None:
            # The posterior of the mask given the known entries.
            weights = tf.stack(
                [
                    tf.reduce_sum(tf.where(missing, 0.0, self.log_probs_of_mask(known, mask)), axis=-1)
                    for mask in range(self.num_masks)
                ],
                axis=-1,
            )
        masks = tf.cast(quantile(weights, noise["mask"]), tf.int32)
        state = self.network.start(tf.shape(masks)[0], masks=masks)
        return super().draw_positions(
            noise, condition, known, missing, orders=tf.gather(self.network.orders.T, masks, axis=1), state=state
        )


def checked_ordering(ordering, size: int):
    """Returns "natural", "random" or a permutation as a tuple of ints."""
    if isinstance(ordering, str):
        return checks.choice("ordering", ordering, ("natural", "random"))
    ordering = tuple(int(index) for index in ordering)
    if sorted(ordering) != list(range(size)):
        raise ValueError(f"`ordering` must be a permutation of 0..{size - 1}, received {ordering}.")
    return ordering
