"""The network of MADE: an autoencoder whose masked weights let each output see only the preceding entries.

Mathieu Germain, Karol Gregor, Iain Murray, Hugo Larochelle (2015), https://arxiv.org/abs/1502.03509
"""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import initializer_seed
from keras_gen.layers.loops import same_shapes, set_slice, set_slices
from keras_gen.layers.masked_dense import MaskedDense


class AutoregressiveNetwork(keras.layers.Layer):
    """Masked dense layers from the entries of an example to the parameters of each entry given the preceding ones.

    Each input, hidden and output unit has a degree. A hidden unit sees units of its own and of lower degrees, and an
    output sees units whose degree is lower than the position of its entry in the order. There may be several masks,
    each with its own degrees and order. There may also be a context, which all units see: some hidden units then have
    degree 0.

    `start`, `parameters_at` and `observe` give the same parameters entry by entry. A hidden unit is final once all
    entries up to its degree are known. Units are sorted by degree, so those of one degree are adjacent; each step
    computes only these, and all steps together cost one pass.

    Args:
        orders: the entries in each mask's order, an int array of shape `(num_masks, entries)`.
        hidden_units: width of each hidden layer.
        outputs_per_entry: number of parameters of one entry.
        inputs_per_entry: number of inputs of one entry.
        context_size: number of entries of the context; 0 for none.
        direct_connections: whether inputs are also connected directly to the outputs.
        activation: activation of the hidden layers.
        output_scale: factor of the initial weights of the outputs.
        seed: seeds of the initial weights and of the degrees.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        orders: np.ndarray,
        hidden_units: tuple[int, ...],
        outputs_per_entry: int,
        *,
        inputs_per_entry: int = 1,
        context_size: int = 0,
        direct_connections: bool = False,
        activation="relu",
        output_scale: float = 1.0,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.orders = np.asarray(orders, np.int32)
        self.num_masks, self.entries = self.orders.shape
        self.hidden_units = hidden_units
        self.outputs_per_entry = outputs_per_entry
        self.inputs_per_entry = inputs_per_entry
        self.context_size = context_size
        self.activation_function = keras.activations.get(activation)
        self.seed = seed
        self.degrees = self.draw_degrees()

        num_inputs = size = self.entries * inputs_per_entry
        num_outputs = self.entries * outputs_per_entry
        self.hidden_layers = []
        for index, units in enumerate(hidden_units):
            layer = MaskedDense(units, kernel_initializer=self.initializer(index), dtype=self.dtype_policy)
            layer.build((None, size))
            self.hidden_layers.append(layer)
            size = units
        self.output_layer = MaskedDense(
            num_outputs, kernel_initializer=self.initializer(-1, output_scale), dtype=self.dtype_policy
        )
        self.output_layer.build((None, size))
        self.direct_layer = None
        if direct_connections:
            self.direct_layer = MaskedDense(
                num_outputs, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy
            )
            self.direct_layer.build((None, num_inputs))
        self.context_layer = None
        if context_size:
            initializer = self.initializer(len(hidden_units))
            self.context_layer = dense(context_size, hidden_units[0], initializer, self.dtype_policy, use_bias=False)
        self.built = True

    def initializer(self, index: int, scale: float = 1.0) -> keras.initializers.Initializer:
        """Returns orthogonal weights, drawn from a separate stream for each layer."""
        return keras.initializers.Orthogonal(scale, seed=initializer_seed((*self.seed, index + 1)))

    def draw_degrees(self) -> list[np.ndarray]:
        """Returns the degrees of the entries and of each hidden layer, each of shape `(num_masks, units)`."""
        degrees = [[] for _ in range(len(self.hidden_units) + 1)]
        for mask, order in enumerate(self.orders):
            random = np.random.default_rng((*self.seed, mask))
            degrees[0].append(np.argsort(order).astype(np.int32) + 1)
            lowest = 1
            for layer, units in enumerate(self.hidden_units, start=1):
                # A unit whose degree is below those of its inputs would be disconnected from all of them.
                of_units = random.integers(lowest, max(lowest, self.entries - 1), size=units, endpoint=True)
                lowest = int(of_units.min())
                if self.context_size:
                    # The first entry sees the context only through units of degree 0, so each layer has some.
                    of_units[: -(-units // self.entries)] = 0
                # Hidden units are exchangeable; sorted, units with the same inputs are adjacent.
                degrees[layer].append(np.sort(of_units).astype(np.int32))
        return [np.stack(layer) for layer in degrees]

    def call(self, x, context=None, which=0, drop: Callable[[tf.Tensor], tf.Tensor] = tf.identity):
        """Computes the parameters of all entries.

        Args:
            x: inputs of shape `(rows, entries * inputs_per_entry)`.
            context: tensor of shape `(batch, context_size)`, or None. The number of rows may be a multiple of `batch`;
                the contexts then repeat in the same order.
            which: index of the mask: an int or a scalar tensor.
            drop: dropout applied to the features of each hidden layer.

        Returns:
            float32 tensor of shape `(rows, entries, outputs_per_entry)`.
        """
        # If the mask is known when the graph is built, its degrees stay arrays, and `MaskedDense` saves work.
        known = isinstance(which, int)
        entries, *hidden = (degrees[which] if known else tf.gather(degrees, which) for degrees in self.degrees)
        repeat, width = (np if known else tf).repeat, self.outputs_per_entry
        inputs, outputs = repeat(entries, self.inputs_per_entry), repeat(entries, width)

        h, below = x, inputs
        for index, (layer, degrees) in enumerate(zip(self.hidden_layers, hidden, strict=True)):
            h = layer(h, below, degrees)
            if index == 0 and self.context_layer is not None:
                from_context = self.context_layer(context)
                # Not by broadcasting over another axis: oneDNN would fuse that sum with the product and then fail.
                h += tf.tile(from_context, [tf.shape(h)[0] // tf.maximum(tf.shape(from_context)[0], 1), 1])
            h, below = drop(self.activation_function(h)), degrees
        # An output sees only lower degrees.
        y = self.output_layer(h, below, outputs - 1)
        if self.direct_layer is not None:
            y += self.direct_layer(x, inputs, outputs - 1)
        return tf.reshape(tf.cast(y, tf.float32), (-1, self.entries, width))

    # Entry by entry

    def start(self, batch_size: tf.Tensor, context=None, masks: tf.Tensor | None = None) -> dict:
        """Returns the state before the first entry: inputs and hidden units, which are zero until they are final.

        Args:
            batch_size: number of examples.
            context: tensor of shape `(batch, context_size)`, or None.
            masks: index of the mask of each example, int32 of shape `(batch,)`; None for the first mask.
        """
        sizes = (self.entries * self.inputs_per_entry, *self.hidden_units)
        state = {"units": [tf.zeros(tf.stack((size, batch_size)), self.compute_dtype) for size in sizes]}
        if masks is not None:
            state["masks"] = masks
        if self.context_layer is not None:
            kernel = tf.convert_to_tensor(self.context_layer.kernel)
            context = tf.cast(context, self.compute_dtype)
            # Not the transpose of the layer's output, on which LiteRT's converter fails in a loop.
            state["context"] = tf.matmul(tf.cast(kernel, context.dtype), context, transpose_a=True, transpose_b=True)
            state = self.finished(state, tf.constant(0))
        return state

    def parameters_at(self, state: dict, step: tf.Tensor) -> tf.Tensor:
        """Computes the parameters of the entry at one position in the order.

        Args:
            state: state after all preceding entries.
            step: its position, a scalar int32 tensor.

        Returns:
            float32 tensor of shape `(batch, outputs_per_entry)`.
        """
        width, masks = self.outputs_per_entry, state.get("masks")
        firsts = self.at_step(self.orders * width, state, step)
        y = preactivations(self.output_layer, firsts, width, state["units"][-1], masks)
        if self.direct_layer is not None:
            y += preactivations(self.direct_layer, firsts, width, state["units"][0], masks)
        return tf.cast(transposed(y), tf.float32)

    def observe(self, state: dict, step: tf.Tensor, inputs: tf.Tensor) -> dict:
        """Returns the state after an entry.

        Args:
            state: the state that was passed to `parameters_at`.
            step: position of the entry in the order.
            inputs: its inputs, of shape `(batch, inputs_per_entry)`.
        """
        firsts = self.at_step(self.orders * self.inputs_per_entry, state, step)
        all_inputs = with_block(state["units"][0], firsts, transposed(inputs), state.get("masks"))
        return self.finished({**state, "units": [all_inputs, *state["units"][1:]]}, step + 1)

    def finished(self, state: dict, degree: tf.Tensor) -> dict:
        """Returns the state after computing the hidden units of one degree, whose inputs are all known."""
        masks = state.get("masks")
        units = state["units"][:1]
        for index, (layer, (firsts, are_new)) in enumerate(zip(self.hidden_layers, self.blocks, strict=True)):
            h = state["units"][index + 1]
            firsts, size = self.at_step(firsts, state, degree), are_new.shape[-1]
            values = preactivations(layer, firsts, size, units[-1], masks)
            if index == 0 and self.context_layer is not None:
                values += block_of(state["context"], firsts, size, masks)
            # The block of a degree with fewer units also holds units of other degrees, which do not change.
            new = of_mask(self.at_step(are_new, state, degree)[..., tf.newaxis], masks)
            values = tf.where(new, self.activation_function(values), block_of(h, firsts, size, masks))
            units.append(with_block(h, firsts, values, masks))
        return {**state, "units": units}

    def in_turn(self, value: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], z: tf.Tensor, context=None) -> tf.Tensor:
        """Computes real entries one after the other, each from its parameters given the preceding entries.

        Args:
            value: function from the parameters of an entry, of shape `(batch, outputs_per_entry)`, and the same entry
                of z, of shape `(batch,)`, to the entry.
            z: float32 tensor of shape `(batch, entries)`.
            context: tensor of shape `(batch, context_size)`, or None.

        Returns:
            float32 tensor of the shape of `z`.
        """
        order = self.orders[0]
        z = tf.gather(tf.transpose(z, (1, 0)), order)

        def entry(step, x, state):
            new = value(self.parameters_at(state, step), z[step])
            inputs = tf.cast(new, self.compute_dtype)[:, tf.newaxis]
            return step + 1, set_slice(x, step, new), same_shapes(self.observe(state, step, inputs), state)

        values = (tf.constant(0), tf.zeros_like(z), self.start(tf.shape(z)[1], context))
        # XLA needs the number of iterations for a gradient.
        _, x, _ = tf.while_loop(
            lambda step, *_: step < self.entries,
            entry,
            values,
            maximum_iterations=self.entries,
            parallel_iterations=1,
        )
        return tf.transpose(tf.gather(x, np.argsort(order)), (1, 0))

    @functools.cached_property
    def blocks(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Blocks of equal size that contain the units of each degree, for each hidden layer.

        For each layer: the first unit of the block, of shape `(num_masks, entries + 1)`, and whether each unit in the
        block has the degree, of shape `(num_masks, entries + 1, size)`.
        """
        blocks, steps = [], np.arange(self.entries + 1)
        for degrees in self.degrees[1:]:
            firsts, ends = (
                np.stack([np.searchsorted(row, steps, side) for row in degrees]).astype(np.int32)
                for side in ("left", "right")
            )
            size = int((ends - firsts).max())
            firsts = np.minimum(firsts, degrees.shape[1] - size)
            units = firsts[..., np.newaxis] + np.arange(size)
            of_units = np.take_along_axis(degrees[:, np.newaxis], units, axis=2)
            blocks.append((firsts, of_units == steps[:, np.newaxis]))
        return blocks

    def at_step(self, table: np.ndarray, state: dict, step: tf.Tensor) -> tf.Tensor:
        """Returns a step's column of a table of shape `(num_masks, steps, ...)`, for the only mask or for all."""
        return tf.gather(table, step, axis=1) if "masks" in state else tf.gather(table[0], step)


def transposed(matrix: tf.Tensor) -> tf.Tensor:
    """Returns a matrix's transpose in a form that LiteRT's converter, which fails on few rows, accepts in a loop."""
    rows, columns = matrix.shape
    if 1 in (rows, columns):
        return tf.reshape(matrix, (columns or -1, rows or -1))
    if rows is not None and rows <= 64:
        return tf.stack(tf.unstack(matrix), axis=-1)
    return tf.transpose(matrix)


def preactivations(
    layer: MaskedDense, firsts: tf.Tensor, size: int, h: tf.Tensor, masks: tf.Tensor | None
) -> tf.Tensor:
    """Computes a block of a layer's units before their activation; inputs that are not final are zero.

    Args:
        layer: the layer.
        firsts: the first unit of the block: a scalar, or of shape `(num_masks,)`.
        size: number of units in the block.
        h: inputs of shape `(inputs, batch)`.
        masks: the mask of each example, of shape `(batch,)`; None if there is only one.

    Returns:
        Tensor of shape `(size, batch)`.
    """
    kernel = tf.convert_to_tensor(layer.kernel)
    if masks is None:
        y = tf.matmul(tf.cast(tf.slice(kernel, (0, firsts), (-1, size)), h.dtype), h, transpose_a=True)
        if layer.bias is not None:
            y += tf.cast(tf.slice(tf.convert_to_tensor(layer.bias), (firsts,), (size,)), h.dtype)[:, tf.newaxis]
        return y
    # The units of all masks for all examples: more operations than necessary, but in one matrix product.
    units = tf.reshape(firsts[:, tf.newaxis] + tf.range(size), (-1,))
    y = tf.matmul(tf.cast(tf.gather(kernel, units, axis=1), h.dtype), h, transpose_a=True)
    if layer.bias is not None:
        y += tf.cast(tf.gather(tf.convert_to_tensor(layer.bias), units), h.dtype)[:, tf.newaxis]
    return of_mask(tf.reshape(y, (firsts.shape[0], size, -1)), masks)


def of_mask(values: tf.Tensor, masks: tf.Tensor | None) -> tf.Tensor:
    """Selects the values of each example's mask from values of shape `(num_masks, size, batch or 1)`."""
    if masks is None:
        return values
    values = tf.broadcast_to(values, tf.stack((*values.shape[:2], tf.shape(masks)[0])))
    return tf.transpose(tf.gather(tf.transpose(values, (2, 0, 1)), masks, batch_dims=1))


def pairs(firsts: tf.Tensor, size: int, masks: tf.Tensor) -> tf.Tensor:
    """Returns the indices (unit, example) of the block of each example's mask, of shape `(size, batch, 2)`."""
    units = tf.gather(firsts, masks) + tf.range(size)[:, tf.newaxis]
    return tf.stack([units, tf.broadcast_to(tf.range(tf.shape(masks)[0]), tf.shape(units))], axis=-1)


def block_of(h: tf.Tensor, firsts: tf.Tensor, size: int, masks: tf.Tensor | None) -> tf.Tensor:
    """Returns a block of units of shape `(units, batch)`, in the shape of `preactivations`."""
    return tf.slice(h, (firsts, 0), (size, -1)) if masks is None else tf.gather_nd(h, pairs(firsts, size, masks))


def with_block(h: tf.Tensor, firsts: tf.Tensor, values: tf.Tensor, masks: tf.Tensor | None) -> tf.Tensor:
    """Returns units of shape `(units, batch)` with new values in a block."""
    size = values.shape[0]
    indices = (firsts + tf.range(size))[:, tf.newaxis] if masks is None else pairs(firsts, size, masks)
    return set_slices(h, indices, values)
