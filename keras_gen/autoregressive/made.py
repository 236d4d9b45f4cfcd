"""MADE: Masked Autoencoder for Distribution Estimation.

Mathieu Germain, Karol Gregor, Iain Murray, Hugo Larochelle (2015), https://arxiv.org/abs/1502.03509
"""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.base import DensityModel
from keras_gen.layers import MaskedDense

tfd = tfp.distributions


class MADE(DensityModel):
    r"""An autoencoder whose masked weights make its outputs the conditionals of the chain rule.

    Each input, hidden and output unit has a degree m. For one ordering, with inputs of degree m⁰(d) = position
    of entry d (equations 8 to 12 of the paper):

    $$h(x) = g(b + (W ⊙ M^W)\, x), \qquad M^W_{k,d} = 1[m(k) ≥ m^0(d)]$$
    $$p(x_d = 1 | x_{<d}) = σ(c + (V ⊙ M^V)\, h(x))_d, \qquad M^V_{d,k} = 1[m^0(d) > m(k)]$$
    $$\log p(x) = \sum_d \log p(x_d | x_{<d})$$

    With `levels > 2` each entry enters one-hot and each conditional is categorical. With `num_masks > 1` each
    training step takes one of the masks at random, and the model is the ensemble
    p(x) = (1/M) Σ_m p_m(x), an average of probabilities.

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
        levels: number of levels of an entry.
        num_masks: number of masks, and of orderings if these are random, in the ensemble.
        direct_connections: whether inputs also reach the outputs directly (section 4.3 of the paper).
        ordering: "natural", "random" (drawn anew for every mask), or the entries' indices in their order.
        activation: activation of the hidden layers.
        dropout: share of the hidden units that each training step leaves out, for each example anew.
        seed: as in `GenerativeModel`; also chooses degrees and random orderings.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        hidden_units=(500,),
        levels: int = 2,
        *,
        num_masks: int = 1,
        direct_connections: bool = False,
        ordering="natural",
        activation="relu",
        dropout: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=checks.levels(levels), seed=seed, **kwargs)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.num_masks = checks.positive_int("num_masks", num_masks)
        self.direct_connections = direct_connections
        self.ordering = checked_ordering(ordering, self.event_size)
        self.activation = activation
        self.activation_function = keras.activations.get(activation)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"`dropout` must be at least 0 and less than 1, received {dropout}.")
        self.dropout = dropout

        self.degrees = self.draw_degrees()
        # A binary entry is one unit and one logit; otherwise there is one of each per level.
        self.units_per_entry = 1 if self.levels == 2 else self.levels
        num_units = self.event_size * self.units_per_entry
        self.hidden_layers, size = [], num_units
        for index, units in enumerate(self.hidden_units):
            layer = MaskedDense(units, kernel_initializer=self.initializer(index), dtype=self.dtype_policy)
            layer.build((None, size))
            self.hidden_layers.append(layer)
            size = units
        self.output_layer = MaskedDense(num_units, kernel_initializer=self.initializer(-1), dtype=self.dtype_policy)
        self.output_layer.build((None, size))
        self.direct_layer = None
        if direct_connections:
            self.direct_layer = MaskedDense(
                num_units, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy
            )
            self.direct_layer.build((None, num_units))

    def initializer(self, index: int) -> keras.initializers.Initializer:
        """Orthogonal weights, from a stream of their own for each layer."""
        return keras.initializers.Orthogonal(
            seed=int(np.random.SeedSequence((self.seed, index + 1)).generate_state(1)[0])
        )

    def draw_degrees(self) -> list[np.ndarray]:
        """Returns the degrees of the entries and of each hidden layer, each of shape `(num_masks, units)`."""
        degrees = [[] for _ in range(len(self.hidden_units) + 1)]
        for mask in range(self.num_masks):
            random = np.random.default_rng((self.seed, mask))
            order = self.ordering
            if order == "natural":
                order = np.arange(self.event_size)
            elif order == "random":
                order = random.permutation(self.event_size)
            position = np.empty(self.event_size, np.int32)
            position[np.asarray(order)] = np.arange(1, self.event_size + 1)
            degrees[0].append(position)
            lowest = 1
            for layer, units in enumerate(self.hidden_units, start=1):
                # A unit below the lowest degree of its inputs would be cut off from all of them.
                drawn = random.integers(lowest, max(lowest, self.event_size - 1), size=units, endpoint=True)
                # Hidden units are exchangeable; in order, those with the same inputs lie side by side.
                degrees[layer].append(np.sort(drawn).astype(np.int32))
                lowest = int(drawn.min())
        return [np.stack(layer) for layer in degrees]

    # Densities

    def logits(self, x: tf.Tensor, mask=0, *, dropout_seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the parameters of all conditionals in one pass.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            mask: index of the mask, an int or a scalar tensor.
            dropout_seed: int32 tensor of shape (2,) for a training step; None leaves no unit out.

        Returns:
            float32 tensor of shape `(batch, event_size)` for two levels, else `(batch, event_size, levels)`.
        """
        x = tf.reshape(x, (-1, self.event_size))
        if self.levels > 2:
            x = tf.reshape(self.one_hot(x), (-1, self.event_size * self.levels))
        # The degrees of a mask that is known when the graph is made stay arrays: `MaskedDense` then saves work.
        known = isinstance(mask, int)
        entries, *hidden = (degrees[mask] if known else tf.gather(degrees, mask) for degrees in self.degrees)
        entries = (np if known else tf).repeat(entries, self.units_per_entry)

        x = tf.cast(x, self.compute_dtype)
        h, inputs = x, entries
        for layer, degrees in zip(self.hidden_layers, hidden, strict=True):
            h = self.activation_function(layer(h, inputs, degrees))
            if self.dropout and dropout_seed is not None:
                dropout_seed, layer_seed = tf.unstack(tf.random.split(dropout_seed, 2))
                h = self.thinned(h, layer_seed)
            inputs = degrees
        # An output must see lower degrees only.
        logits = self.output_layer(h, inputs, entries - 1)
        if self.direct_layer is not None:
            logits += self.direct_layer(x, entries, entries - 1)
        logits = tf.cast(logits, tf.float32)
        return logits if self.levels == 2 else tf.reshape(logits, (-1, self.event_size, self.levels))

    def thinned(self, h: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Sets units of shape `(batch, units)` to zero at random and scales up the others."""
        uniform = self.replica_rows(lambda rows: tf.random.stateless_uniform((rows, h.shape[1]), seed), tf.shape(h)[0])
        return tf.where(uniform < self.dropout, tf.zeros_like(h), h / (1.0 - self.dropout))

    def one_hot(self, x: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(tf.cast(x, tf.int32), self.levels)

    def log_prob_of_mask(self, x: tf.Tensor, mask, *, dropout_seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the log mass of float32 examples under one mask, shape `(batch,)`."""
        logits = self.logits(x, mask, dropout_seed=dropout_seed)
        x = tf.reshape(x, (-1, self.event_size))
        if self.levels == 2:
            log_probs = tfd.Bernoulli(logits=logits).log_prob(x)
        else:
            log_probs = tfd.OneHotCategorical(logits=logits, dtype=tf.float32).log_prob(self.one_hot(x))
        return tf.reduce_sum(log_probs, axis=-1)

    def log_prob(self, x, condition=None):
        self.validated_condition(condition)
        x = self.validated(x)
        log_probs = [self.log_prob_of_mask(x, mask) for mask in range(self.num_masks)]
        return tf.reduce_logsumexp(tf.stack(log_probs), axis=0) - math.log(self.num_masks)

    # Objective

    def loss_terms(self, x, condition, *, seed, training):
        """While training, the negative log-likelihood under one mask drawn at random."""
        if not training:
            return super().loss_terms(x, condition, seed=seed, training=training)
        mask_seed, dropout_seed = tf.unstack(tf.random.split(seed, 2))
        mask = 0
        if self.num_masks > 1:
            mask = tf.random.stateless_uniform((), mask_seed, maxval=self.num_masks, dtype=tf.int32)
        nll = -self.log_prob_of_mask(x, mask, dropout_seed=dropout_seed)
        return {"loss": nll, **self.likelihood_terms(nll)}

    # Sampling

    def noise_distributions(self):
        """One uniform number per entry and, for an ensemble, one that chooses the mask."""
        sources = {"uniform": tfd.Sample(tfd.Uniform(), self.event_shape)}
        if self.num_masks > 1:
            sources["mask"] = tfd.Uniform()
        return sources

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        uniform = tf.reshape(noise["uniform"], (-1, self.event_size))
        free = tf.zeros_like(uniform)
        if self.num_masks == 1:
            return tf.reshape(self.solve(uniform, free, free + 1.0, 0), (-1, *self.event_shape))
        chosen = tf.cast(noise["mask"] * self.num_masks, tf.int32)
        x = tf.zeros_like(uniform)
        for mask in range(self.num_masks):
            rows = tf.where(chosen == mask)
            drawn = self.solve(tf.gather_nd(uniform, rows), tf.gather_nd(free, rows), 1.0, mask)
            x += tf.scatter_nd(rows, drawn, tf.cast(tf.shape(x), rows.dtype))
        return tf.reshape(x, (-1, *self.event_shape))

    def impute(self, x, mask, *, seed=None) -> tf.Tensor:
        """Draws missing entries, given all entries before them in the ordering.

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries may hold any value of the domain.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`. No entry after a missing
                one may be known.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn exactly.

        Raises:
            ValueError: if a known entry follows a missing one, or if the orderings of the ensemble differ.
        """
        x = self.validated(x)
        if np.any(self.degrees[0] != self.degrees[0][0]):
            raise ValueError("`impute` must have one ordering; this ensemble's masks have several.")
        missing = np.broadcast_to(np.asarray(mask, bool), x.shape).reshape(-1, self.event_size)
        in_order = missing[:, np.argsort(self.degrees[0][0])]
        if np.any(in_order[:, :-1] & ~in_order[:, 1:]):
            raise ValueError("`mask` must mark no entry that comes before a known one in the ordering.")
        if self.num_masks > 1:
            raise ValueError("`impute` must have one mask; draws from an ensemble would need their posterior weights.")
        noise = self.noise(x.shape[0], self.next_seed() if seed is None else seed)
        flat = (-1, self.event_size)
        drawn = self.solve(tf.reshape(noise["uniform"], flat), tf.reshape(x, flat), tf.constant(missing, tf.float32), 0)
        return tf.reshape(drawn, x.shape)

    def solve(self, uniform: tf.Tensor, known: tf.Tensor, missing, mask) -> tf.Tensor:
        """Draws the missing entries by inverting their conditional distribution functions at `uniform`.

        The draw is the fixed point of x ← quantile(uniform | x). Each pass makes at least one more entry final,
        so that it is reached after at most `event_size` passes, and in practice after far fewer.

        Args:
            uniform: shape `(batch, event_size)`.
            known: examples of the same shape, kept where `missing` is 0.
            missing: 1 where an entry is drawn, of a shape that broadcasts.
            mask: index of the mask.
        """

        def quantile(x):
            logits = self.logits(x, mask)
            if self.levels == 2:
                drawn = uniform < tf.sigmoid(logits)
            else:
                below = tf.cumsum(tf.nn.softmax(logits), axis=-1)[..., :-1]
                drawn = tf.reduce_sum(tf.cast(uniform[..., tf.newaxis] >= below, tf.float32), axis=-1)
            return tf.cast(drawn, tf.float32) * missing + known * (1.0 - missing)

        start = tf.zeros_like(uniform)
        _, x = tf.while_loop(
            lambda before, x: tf.reduce_any(before != x),
            lambda before, x: (x, quantile(x)),
            (start - 1.0, start),
            maximum_iterations=self.event_size,
        )
        return x


def checked_ordering(ordering, size: int):
    """Returns "natural", "random" or a permutation as a tuple of ints."""
    if isinstance(ordering, str):
        return checks.choice("ordering", ordering, ("natural", "random"))
    ordering = tuple(int(index) for index in ordering)
    if sorted(ordering) != list(range(size)):
        raise ValueError(f"`ordering` must be a permutation of 0..{size - 1}, received {ordering}.")
    return ordering
