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
from keras_gen.conditionals import Mixture, over_levels, quantile
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
        self.activation_function = keras.activations.get(activation)
        self.dropout = checks.rate("dropout", dropout)

        self.degrees = self.draw_degrees()
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
    def positions(self):
        return np.argsort(self.degrees[0][0])

    # Primitives

    def parameters(self, x, condition=None, *, seed=None, mask=0):
        """As in `AutoregressiveModel`, of one mask: an int or a scalar tensor."""
        # The degrees of a mask that is known when the graph is made stay arrays: `MaskedDense` then saves work.
        known = isinstance(mask, int)
        entries, *hidden = (degrees[mask] if known else tf.gather(degrees, mask) for degrees in self.degrees)
        repeat, width = (np if known else tf).repeat, self.conditional.num_parameters
        inputs, outputs = repeat(entries, self.inputs_per_entry), repeat(entries, width)

        x = tf.reshape(self.inputs(x), (-1, self.event_size * self.inputs_per_entry))
        h, below, drop = x, inputs, self.thinning(self.dropout, seed)
        for layer, degrees in zip(self.hidden_layers, hidden, strict=True):
            h = drop(self.activation_function(layer(h, below, degrees)))
            below = degrees
        # An output must see lower degrees only.
        y = self.output_layer(h, below, outputs - 1)
        if self.direct_layer is not None:
            y += self.direct_layer(x, inputs, outputs - 1)
        return tf.reshape(tf.cast(y, tf.float32), (-1, self.event_size, width))

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
        width, masks = self.conditional.num_parameters, state.get("masks")
        firsts = self.at_step(self.orders * width, state, step)
        y = preactivations(self.output_layer, firsts, width, state["units"][-1], masks)
        if self.direct_layer is not None:
            y += preactivations(self.direct_layer, firsts, width, state["units"][0], masks)
        return tf.cast(transposed(y), tf.float32)

    def observe(self, state, step, x):
        masks = state.get("masks")
        firsts = self.at_step(self.orders * self.inputs_per_entry, state, step)
        units = [placed(state["units"][0], firsts, transposed(self.inputs(x)), masks)]
        for layer, (firsts, are_new), h in zip(self.hidden_layers, self.blocks, state["units"][1:], strict=True):
            firsts, size = self.at_step(firsts, state, step), are_new.shape[-1]
            values = self.activation_function(preactivations(layer, firsts, size, units[-1], masks))
            # Degrees of fewer units share their block with others, which stay as they are.
            new = chosen(self.at_step(are_new, state, step)[..., tf.newaxis], masks)
            units.append(placed(h, firsts, tf.where(new, values, taken(h, firsts, size, masks)), masks))
        return {**state, "units": units}

    @functools.cached_property
    def orders(self) -> np.ndarray:
        """The entries in the order of each mask, of shape `(num_masks, event_size)`."""
        return np.argsort(self.degrees[0], axis=1).astype(np.int32)

    @functools.cached_property
    def blocks(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The units of each hidden layer that become final at a step: blocks of one size that hold them.

        For each layer, the first unit of the block, of shape `(num_masks, event_size)`, and which of its units have the
        degree that becomes final, of shape `(num_masks, event_size, size)`.
        """
        blocks, steps = [], np.arange(1, self.event_size + 1)
        for degrees in self.degrees[1:]:
            firsts, ends = (
                np.stack([np.searchsorted(row, steps, side) for row in degrees]).astype(np.int32)
                for side in ("left", "right")
            )
            size = int((ends - firsts).max())
            firsts = np.minimum(firsts, degrees.shape[1] - size)
            units = firsts[..., np.newaxis] + np.arange(size)
            found = np.take_along_axis(degrees[:, np.newaxis], units, axis=2)
            blocks.append((firsts, found == steps[:, np.newaxis]))
        return blocks

    def at_step(self, table: np.ndarray, state, step: tf.Tensor) -> tf.Tensor:
        """Returns what a table of shape `(num_masks, event_size, ...)` holds of a step: for the only mask, or all."""
        return tf.gather(table, step, axis=1) if "masks" in state else tf.gather(table[0], step)

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


def transposed(matrix: tf.Tensor) -> tf.Tensor:
    """Returns the transpose; that of one row or column as a reshape, lest LiteRT's converter fail on it in a loop."""
    rows, columns = matrix.shape
    if 1 in (rows, columns):
        return tf.reshape(matrix, (columns or -1, rows or -1))
    return tf.transpose(matrix)


def preactivations(
    layer: MaskedDense, firsts: tf.Tensor, size: int, h: tf.Tensor, masks: tf.Tensor | None
) -> tf.Tensor:
    """Computes a block of a layer's units, before their activation, from inputs of which later ones are still zero.

    Args:
        layer: the layer.
        firsts: the first unit of the block: a scalar, or of shape `(num_masks,)`.
        size: number of units in the block.
        h: inputs of shape `(inputs, batch)`.
        masks: the mask of each example, of shape `(batch,)`; None where there is only one.

    Returns:
        Tensor of shape `(size, batch)`.
    """
    kernel = tf.convert_to_tensor(layer.kernel)
    if masks is None:
        y = tf.matmul(tf.cast(tf.slice(kernel, (0, firsts), (-1, size)), h.dtype), h, transpose_a=True)
        if layer.bias is not None:
            y += tf.cast(tf.slice(tf.convert_to_tensor(layer.bias), (firsts,), (size,)), h.dtype)[:, tf.newaxis]
        return y
    # The units of all masks for all examples: more operations than needed, but in one matrix product.
    units = tf.reshape(firsts[:, tf.newaxis] + tf.range(size), (-1,))
    y = tf.matmul(tf.cast(tf.gather(kernel, units, axis=1), h.dtype), h, transpose_a=True)
    if layer.bias is not None:
        y += tf.cast(tf.gather(tf.convert_to_tensor(layer.bias), units), h.dtype)[:, tf.newaxis]
    return chosen(tf.reshape(y, (firsts.shape[0], size, -1)), masks)


def chosen(values: tf.Tensor, masks: tf.Tensor | None) -> tf.Tensor:
    """Returns, of values of shape `(num_masks, size, batch or 1)`, those of each example's mask."""
    if masks is None:
        return values
    values = tf.broadcast_to(values, tf.stack((*values.shape[:2], tf.shape(masks)[0])))
    return tf.transpose(tf.gather(tf.transpose(values, (2, 0, 1)), masks, batch_dims=1))


def pairs(firsts: tf.Tensor, size: int, masks: tf.Tensor) -> tf.Tensor:
    """Returns the indices (unit, example) of the block of each example's mask, of shape `(size, batch, 2)`."""
    units = tf.gather(firsts, masks) + tf.range(size)[:, tf.newaxis]
    return tf.stack([units, tf.broadcast_to(tf.range(tf.shape(masks)[0]), tf.shape(units))], axis=-1)


def taken(h: tf.Tensor, firsts: tf.Tensor, size: int, masks: tf.Tensor | None) -> tf.Tensor:
    """Returns a block of units of shape `(units, batch)`, as `preactivations` computes it."""
    return tf.slice(h, (firsts, 0), (size, -1)) if masks is None else tf.gather_nd(h, pairs(firsts, size, masks))


def placed(h: tf.Tensor, firsts: tf.Tensor, values: tf.Tensor, masks: tf.Tensor | None) -> tf.Tensor:
    """Returns units of shape `(units, batch)` with other values in a block."""
    size = values.shape[0]
    indices = (firsts + tf.range(size))[:, tf.newaxis] if masks is None else pairs(firsts, size, masks)
    return tf.tensor_scatter_nd_update(h, indices, values)


def checked_ordering(ordering, size: int):
    """Returns "natural", "random" or a permutation as a tuple of ints."""
    if isinstance(ordering, str):
        return checks.choice("ordering", ordering, ("natural", "random"))
    ordering = tuple(int(index) for index in ordering)
    if sorted(ordering) != list(range(size)):
        raise ValueError(f"`ordering` must be a permutation of 0..{size - 1}, received {ordering}.")
    return ordering
