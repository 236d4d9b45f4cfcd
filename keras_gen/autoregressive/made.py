"""MADE: Masked Autoencoder for Distribution Estimation.

Mathieu Germain, Karol Gregor, Iain Murray, Hugo Larochelle (2015), https://arxiv.org/abs/1502.03509
"""

import functools
import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.autoregressive.conditionals import Mixture, over_levels, quantile
from keras_gen.layers import MaskedDense

tfd = tfp.distributions


class MADE(AutoregressiveModel):
    r"""An autoencoder whose masked weights make its outputs the conditionals of the chain rule.

    Each input, hidden and output unit has a degree m. For one ordering, with inputs of degree m⁰(d) = position
    of entry d (equations 8 to 12 of the paper):

    $$h(x) = g(b + (W ⊙ M^W)\, x), \qquad M^W_{k,d} = 1[m(k) ≥ m^0(d)]$$
    $$p(x_d = 1 | x_{<d}) = σ(c + (V ⊙ M^V)\, h(x))_d, \qquad M^V_{d,k} = 1[m^0(d) > m(k)]$$
    $$\log p(x) = \sum_d \log p(x_d | x_{<d})$$

    With `levels > 2` each entry enters one-hot and each conditional is categorical; with `levels=None` entries are
    real numbers and each conditional is a mixture of Gaussians. With `num_masks > 1` each training step takes one of
    the masks at random, and the model is the ensemble p(x) = (1/M) Σ_m p_m(x), an average of probabilities.

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
        num_components: Gaussians in the conditional of a real number.
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
        self.activation_function = keras.activations.get(activation)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"`dropout` must be at least 0 and less than 1, received {dropout}.")
        self.dropout = dropout

        self.degrees = self.draw_degrees()
        # An entry with more than two levels enters one-hot.
        self.inputs_per_entry = self.levels if self.levels and self.levels > 2 else 1
        num_inputs = size = self.event_size * self.inputs_per_entry
        num_outputs = self.event_size * self.conditional.num_parameters
        self.hidden_layers = []
        for index, units in enumerate(self.hidden_units):
            layer = MaskedDense(units, kernel_initializer=self.initializer(index), dtype=self.dtype_policy)
            layer.build((None, size))
            self.hidden_layers.append(layer)
            size = units
        self.output_layer = MaskedDense(num_outputs, kernel_initializer=self.initializer(-1), dtype=self.dtype_policy)
        self.output_layer.build((None, size))
        if self.levels is None:
            # Components that start alike would stay alike where nothing comes before: at the first entry.
            self.output_layer.bias.assign(np.tile(self.conditional.spread(), self.event_size))
        self.direct_layer = None
        if direct_connections:
            self.direct_layer = MaskedDense(
                num_outputs, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy
            )
            self.direct_layer.build((None, num_inputs))

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

    @property
    def order(self):
        return np.argsort(self.degrees[0][0])

    def inputs(self, x: tf.Tensor) -> tf.Tensor:
        """Returns entries of any shape as inputs, of shape `(*x.shape, inputs_per_entry)`."""
        if self.inputs_per_entry == 1:
            return tf.cast(x, self.compute_dtype)[..., tf.newaxis]
        return tf.one_hot(tf.cast(x, tf.int32), self.levels, dtype=self.compute_dtype)

    # Primitives

    def parameters(self, x, condition=None, *, seed=None, mask=0):
        """As in `AutoregressiveModel`, of one mask: an int or a scalar tensor."""
        # The degrees of a mask that is known when the graph is made stay arrays: `MaskedDense` then saves work.
        known = isinstance(mask, int)
        entries, *hidden = (degrees[mask] if known else tf.gather(degrees, mask) for degrees in self.degrees)
        repeat, width = (np if known else tf).repeat, self.conditional.num_parameters
        inputs, outputs = repeat(entries, self.inputs_per_entry), repeat(entries, width)

        x = tf.reshape(self.inputs(x), (-1, self.event_size * self.inputs_per_entry))
        h, below = x, inputs
        for layer, degrees in zip(self.hidden_layers, hidden, strict=True):
            h = self.activation_function(layer(h, below, degrees))
            if self.dropout and seed is not None:
                seed, layer_seed = tf.unstack(tf.random.split(seed, 2))
                h = self.thinned(h, layer_seed)
            below = degrees
        # An output must see lower degrees only.
        y = self.output_layer(h, below, outputs - 1)
        if self.direct_layer is not None:
            y += self.direct_layer(x, inputs, outputs - 1)
        return tf.reshape(tf.cast(y, tf.float32), (-1, self.event_size, width))

    def thinned(self, h: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Sets units of shape `(batch, units)` to zero at random and scales up the others."""
        uniform = self.replica_rows(lambda rows: tf.random.stateless_uniform((rows, h.shape[1]), seed), tf.shape(h)[0])
        return tf.where(uniform < self.dropout, tf.zeros_like(h), h / (1.0 - self.dropout))

    def start(self, batch_size, condition=None, masks: tf.Tensor | None = None):
        """The state holds the inputs and the hidden units, zero as long as they are not final.

        A hidden unit is final once all entries up to its degree are known. Units are sorted by degree, so that those of
        one degree lie side by side; each step computes them alone, and all steps together cost one pass.

        Args:
            batch_size: number of examples.
            condition: None.
            masks: index of the mask of each example, int32 of shape `(batch,)`; None for the first.
        """
        sizes = (self.event_size * self.inputs_per_entry, *self.hidden_units)
        units = [tf.zeros(tf.stack((size, batch_size)), self.compute_dtype) for size in sizes]
        return {"units": units} if masks is None else {"units": units, "masks": masks}

    def parameters_at(self, state, step):
        width = self.conditional.num_parameters
        entry = self.looked_up(self.orders, state, step)
        outputs = entry[..., tf.newaxis] * width + tf.range(width)
        y = preactivations(self.output_layer, outputs, state["units"][-1])
        if self.direct_layer is not None:
            y += preactivations(self.direct_layer, outputs, state["units"][0])
        return tf.cast(tf.transpose(y), tf.float32)

    def observe(self, state, step, x):
        entry = self.looked_up(self.orders, state, step)
        inputs = entry[..., tf.newaxis] * self.inputs_per_entry + tf.range(self.inputs_per_entry)
        units = [placed(state["units"][0], inputs, tf.transpose(self.inputs(x)))]
        blocks = zip(self.hidden_layers, self.degrees[1:], self.blocks, state["units"][1:], strict=True)
        for layer, degrees, (firsts, size), h in blocks:
            indices = self.looked_up(firsts, state, step)[..., tf.newaxis] + tf.range(size)
            new = self.activation_function(preactivations(layer, indices, units[-1]))
            # The block may hold units of other degrees, too, which stay as they are.
            is_new = self.looked_up(degrees, state, indices) == step + 1
            is_new = is_new[..., tf.newaxis] if indices.shape.rank == 1 else tf.transpose(is_new)
            units.append(placed(h, indices, tf.where(is_new, new, taken(h, indices))))
        return {**state, "units": units}

    @functools.cached_property
    def orders(self) -> np.ndarray:
        """The entries in the order of each mask, of shape `(num_masks, event_size)`."""
        return np.argsort(self.degrees[0], axis=1).astype(np.int32)

    @functools.cached_property
    def blocks(self) -> list[tuple[np.ndarray, int]]:
        """For each hidden layer the first unit of each degree from 1 on, of each mask, and how many to compute."""
        blocks = []
        for degrees in self.degrees[1:]:
            bounds = np.stack([np.searchsorted(row, np.arange(1, self.event_size + 2)) for row in degrees])
            size = int(np.diff(bounds).max())
            blocks.append((np.minimum(bounds[:, :-1], degrees.shape[1] - size).astype(np.int32), size))
        return blocks

    def looked_up(self, table: np.ndarray, state, index: tf.Tensor) -> tf.Tensor:
        """Returns what a table with one row per mask holds: for all examples, or for each one's own mask."""
        if "masks" not in state:
            return tf.gather(table[0], index)
        rows = tf.gather(table, state["masks"])
        return tf.gather(rows, index, axis=1) if index.shape.rank == 0 else tf.gather(rows, index, batch_dims=1)

    # Densities

    def log_prob_with_seed(self, x, condition, seed):
        """While training, the log density under one mask drawn at random; otherwise that of the ensemble."""
        if seed is None:
            log_probs = [self.log_prob_of_mask(x, mask) for mask in range(self.num_masks)]
            return tf.reduce_logsumexp(tf.stack(log_probs), axis=0) - math.log(self.num_masks)
        mask_seed, dropout_seed = tf.unstack(tf.random.split(seed, 2))
        mask = 0
        if self.num_masks > 1:
            mask = tf.random.stateless_uniform((), mask_seed, maxval=self.num_masks, dtype=tf.int32)
        return self.log_prob_of_mask(x, mask, dropout_seed=dropout_seed)

    def log_prob_of_mask(self, x: tf.Tensor, mask, *, dropout_seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the log density of float32 examples under one mask, shape `(batch,)`."""
        return tf.reduce_sum(self.log_probs_of_mask(x, mask, dropout_seed=dropout_seed), axis=-1)

    def log_probs_of_mask(self, x: tf.Tensor, mask, *, dropout_seed: tf.Tensor | None = None) -> tf.Tensor:
        """Computes that of each entry, given those before it, shape `(batch, event_size)`."""
        parameters = self.parameters(x, seed=dropout_seed, mask=mask)
        return self.conditional.log_prob(parameters, tf.reshape(x, (-1, self.event_size)))

    # Sampling

    def noise_distributions(self):
        """What the conditional needs to draw, for every entry and, for an ensemble, what chooses the mask."""
        sources = super().noise_distributions()
        return sources if self.num_masks == 1 else {**sources, "mask": tfd.Uniform()}

    def impute(self, x, mask, *, condition=None, seed=None):
        """As in `AutoregressiveModel`.

        Raises:
            ValueError: if a known entry follows a missing one, or if the orderings of the ensemble differ.
        """
        if np.any(self.orders != self.orders[0]):
            raise ValueError("`impute` must have one ordering; this ensemble's masks have several.")
        return super().impute(x, mask, condition=condition, seed=seed)

    def draw(self, noise, condition=None, known=None, missing=None):
        """As in `AutoregressiveModel`; each example of an ensemble gets one of the masks."""
        if self.num_masks == 1:
            return super().draw(noise, condition, known, missing)
        weights = tf.zeros((tf.shape(noise["mask"])[0], self.num_masks))
        if known is not None:
            # A mask is the likelier, the more probable it makes the known entries.
            weights = tf.stack(
                [
                    tf.reduce_sum(tf.where(missing, 0.0, self.log_probs_of_mask(known, mask)), axis=-1)
                    for mask in range(self.num_masks)
                ],
                axis=-1,
            )
        masks = tf.cast(quantile(weights, noise["mask"]), tf.int32)
        state = self.start(tf.shape(masks)[0], masks=masks)
        return super().draw(
            noise, condition, known, missing, orders=tf.gather(self.orders.T, masks, axis=1), state=state
        )


def preactivations(layer: MaskedDense, indices: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
    """Computes some units of a dense layer, before their activation, from inputs of which later ones are zero.

    Args:
        layer: the layer.
        indices: which units, of shape `(units,)` for all examples or `(batch, units)` for each of them.
        h: inputs of shape `(inputs, batch)`.

    Returns:
        Tensor of shape `(units, batch)`.
    """
    kernel = tf.cast(tf.gather(tf.convert_to_tensor(layer.kernel), indices, axis=1), h.dtype)
    if indices.shape.rank == 1:
        y = tf.matmul(kernel, h, transpose_a=True)
    else:
        y = tf.transpose(tf.reduce_sum(kernel * h[..., tf.newaxis], axis=0))
    if layer.bias is None:
        return y
    bias = tf.cast(tf.gather(tf.convert_to_tensor(layer.bias), indices), h.dtype)
    return y + (bias[:, tf.newaxis] if indices.shape.rank == 1 else tf.transpose(bias))


def taken(h: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """Returns some units, chosen for all examples or for each of them, of units of shape `(all units, batch)`."""
    if indices.shape.rank == 1:
        return tf.gather(h, indices)
    return tf.gather_nd(h, with_examples(indices))


def placed(h: tf.Tensor, indices: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns units with other values, of shape `(units, batch)`, where `taken` would take them."""
    where = indices[:, tf.newaxis] if indices.shape.rank == 1 else with_examples(indices)
    return tf.tensor_scatter_nd_update(h, where, values)


def with_examples(indices: tf.Tensor) -> tf.Tensor:
    """Returns indices of shape `(batch, units)` as pairs (unit, example), of shape `(units, batch, 2)`."""
    indices = tf.transpose(indices)
    return tf.stack([indices, tf.broadcast_to(tf.range(tf.shape(indices)[1]), tf.shape(indices))], axis=-1)


def checked_ordering(ordering, size: int):
    """Returns "natural", "random" or a permutation as a tuple of ints."""
    if isinstance(ordering, str):
        return checks.choice("ordering", ordering, ("natural", "random"))
    ordering = tuple(int(index) for index in ordering)
    if sorted(ordering) != list(range(size)):
        raise ValueError(f"`ordering` must be a permutation of 0..{size - 1}, received {ordering}.")
    return ordering
