"""PixelRNN: pixels by a two-dimensional LSTM, along rows (Row LSTM) or along diagonals (Diagonal BiLSTM).

Aäron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu (2016), Pixel Recurrent Neural Networks,
https://arxiv.org/abs/1601.06759

The layout of maps, groups of features and sampling entry by entry are as in `keras_gen.layers.row_convolution`.
"""

import functools

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import ImageModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers import MaskedConvolution
from keras_gen.layers.dense import matmul
from keras_gen.layers.initializers import glorot
from keras_gen.layers.loops import set_slice
from keras_gen.layers.recurrence import lstm, scan
from keras_gen.layers.row_convolution import RowConvolution, by_entry, by_pixel, flat, of_group


class ResidualLSTM(keras.layers.Layer):
    """A residual block: an LSTM of h units on maps of 2h features, a 1×1 convolution back to 2h, and a sum.

    A subclass provides the LSTM: `hidden_maps` for whole maps, and the same computation entry by entry.

    Args:
        units: number h of units of the LSTM.
        groups: number of groups of features.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, units: int, groups: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.groups = groups
        self.seed = seed
        self.upsampling = RowConvolution(units, 2 * units, groups, seed=(*seed, 0), dtype=self.dtype_policy)
        self.create_lstm()
        self.built = True

    def create_lstm(self):
        """Creates the weights of the LSTM."""
        raise NotImplementedError

    def hidden_maps(self, maps: tf.Tensor) -> tf.Tensor:
        """Returns the outputs h of the LSTM for maps of 2h features."""
        raise NotImplementedError

    def call(self, maps):
        return maps + self.upsampling(self.hidden_maps(maps))

    def input_to_state(self, index: int, width: int) -> RowConvolution:
        return RowConvolution(
            2 * self.units, 4 * self.units, self.groups, width=width, seed=(*self.seed, index), dtype=self.dtype_policy
        )

    def state_to_state(self, name: str, index: int, taps: int) -> keras.Variable:
        """Returns a kernel without a mask: all channels of the pixels that it reads precede the current one."""
        shape = (taps * self.units, 4 * self.units)
        return self.add_weight(name=name, shape=shape, initializer=glorot((*self.seed, index)))

    def cast(self, weight) -> tf.Tensor:
        return tf.cast(weight, self.compute_dtype)

    def zeros(self, entries: int, batch_size: tf.Tensor, gates: int = 1) -> tf.Tensor:
        return tf.zeros((entries * self.groups, batch_size, gates * self.units // self.groups), self.compute_dtype)


class RowLSTMBlock(ResidualLSTM):
    r"""The Row LSTM: one step computes a whole row from the row above, by convolutions along the row.

    $$[o_i, f_i, i_i, g_i] = σ(K^{ss} ∗ h_{i-1} + K^{is} ∗ x_i)$$
    $$c_i = f_i ⊙ c_{i-1} + i_i ⊙ g_i, \qquad h_i = o_i ⊙ \tanh(c_i)$$

    with tanh instead of σ for g. Both kernels span three pixels; mask B leaves two of them to $K^{is}$.
    """

    def create_lstm(self):
        self.from_input = self.input_to_state(1, width=2)
        self.from_state = self.state_to_state("from_state", 2, taps=3)

    def hidden_maps(self, maps):
        kernel = self.cast(self.from_state)
        return lstm_scan(self.from_input(maps), self.gates_below, (kernel,), self.units, self.groups)

    def gates_below(self, hidden: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Returns what a row of states, `(columns, batch, h)`, adds to the gates of the row below."""
        padded = tf.pad(hidden, ((1, 1), (0, 0), (0, 0)))
        return matmul(tf.concat([padded[:-2], hidden, padded[2:]], axis=-1), kernel)

    def start(self, columns, batch_size):
        return {
            "input": self.from_input.start(columns, batch_size),
            "hidden": self.zeros(columns, batch_size),
            "cell": self.zeros(columns, batch_size),
            # The contribution of the row above to each entry.
            "cell_above": self.zeros(columns, batch_size),
            "gates": self.zeros(columns, batch_size, gates=4),
            "output": self.upsampling.start(columns, batch_size),
        }

    def begin_row(self, state, row):
        hidden = by_pixel(state["hidden"], self.groups)
        gates = self.gates_below(hidden, self.cast(self.from_state))
        return {**state, "cell_above": state["cell"], "gates": by_entry(gates, self.groups)}

    def advance(self, state, entry, x):
        inputs, gates = self.from_input.advance(state["input"], entry, x)
        hidden, cell = lstm(gates + state["gates"][entry], state["cell_above"][entry], 1)
        output, y = self.upsampling.advance(state["output"], entry, hidden)
        hidden, cell = set_slice(state["hidden"], entry, hidden), set_slice(state["cell"], entry, cell)
        return {**state, "input": inputs, "hidden": hidden, "cell": cell, "output": output}, x + y


class DiagonalBiLSTMBlock(ResidualLSTM):
    r"""The Diagonal BiLSTM: one step computes a whole diagonal, in both directions at once.

    The map is skewed, with each row shifted right by its index, so that pixel (i, j) lies in column i + j, and its left
    and upper neighbours in the previous column. A column follows from the previous one as in the Row LSTM, with a 1×1
    kernel $K^{is}$ and a 2×1 kernel $K^{ss}$. The cell $c$ moves along the row. The other direction does the same from
    right to left; its output is shifted down by one row before the two are added, so that no pixel sees those on its
    right.
    """

    def create_lstm(self):
        self.from_input = self.input_to_state(1, width=1)
        self.from_input_right = self.input_to_state(2, width=1)
        # The first half of the rows reads the neighbour in the same row, and the second half the one above.
        self.from_state = self.state_to_state("from_state", 3, taps=2)
        self.from_state_right = self.state_to_state("from_state_right", 4, taps=2)

    def hidden_maps(self, maps):
        left, right = self.from_input(maps), tf.reverse(self.from_input_right(maps), [1])
        kernels = self.cast(self.from_state), self.cast(self.from_state_right)

        def gates_after(hidden, *kernels):
            """Returns what states `(2 directions, rows, batch, h)` add to the gates of the next column."""
            above = tf.pad(hidden, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]
            neighbours = tf.unstack(tf.concat([hidden, above], axis=-1))
            return tf.stack([matmul(*pair) for pair in zip(neighbours, kernels, strict=True)])

        # Outside the image the gates are zero, and so are the cells and the states.
        skewed = tf.stack([skew(left), skew(right)], axis=1)
        hidden = lstm_scan(skewed, gates_after, kernels, self.units, self.groups)
        left, right = (unskew(direction, maps.shape[1]) for direction in tf.unstack(hidden, axis=1))
        right = tf.reverse(right, [1])
        return left + tf.pad(right, ((1, 0), (0, 0), (0, 0), (0, 0)))[:-1]

    def start(self, columns, batch_size):
        return {
            # States and cells start with padding, the left neighbour of the first pixel.
            "hidden": self.zeros(columns + 1, batch_size),
            "cell": self.zeros(columns + 1, batch_size),
            "gates": self.zeros(columns, batch_size, gates=4),
            "right": self.zeros(columns, batch_size),
            "row": self.zeros(columns, batch_size, gates=2),
            "input": self.from_input.start(columns, batch_size),
            "output": self.upsampling.start(columns, batch_size),
        }

    def begin_row(self, state, row):
        hidden = by_pixel(state["hidden"], self.groups)[1:]
        gates = matmul(hidden, self.cast(self.from_state)[self.units :])

        beside, above = tf.split(self.cast(self.from_state_right), 2)
        # The row above is complete, and so is its pass from right to left, which is added to this row.
        inputs = self.from_input_right(by_pixel(state["row"], self.groups)[tf.newaxis])[0]
        inputs += matmul(by_pixel(state["right"], self.groups), above)
        right = lstm_scan(tf.reverse(inputs, [0]), tf.matmul, (beside,), self.units, self.groups)
        right = by_entry(tf.reverse(right, [0]), self.groups) * tf.cast(row > 0, right.dtype)
        return {**state, "gates": by_entry(gates, self.groups), "right": right}

    def advance(self, state, entry, x):
        groups, group = self.groups, entry % self.groups
        inputs, gates = self.from_input.advance(state["input"], entry, x)
        left = flat(tf.gather(state["hidden"], entry - group + tf.range(groups)))
        gates += tf.matmul(left, of_group(self.cast(self.from_state)[: self.units], group, groups))
        hidden, cell = lstm(gates + state["gates"][entry], state["cell"][entry], 1)
        output, y = self.upsampling.advance(state["output"], entry, hidden + state["right"][entry])
        hidden, cell = (
            set_slice(state["hidden"], entry + groups, hidden),
            set_slice(state["cell"], entry + groups, cell),
        )
        row = set_slice(state["row"], entry, x)
        return {**state, "input": inputs, "hidden": hidden, "cell": cell, "row": row, "output": output}, x + y


class PixelRNN(ImageModel):
    """What the two PixelRNNs share: the 7×7 convolution, residual LSTMs, and a head of two 1×1 convolutions.

    A subclass specifies its LSTM.
    """

    block: type[ResidualLSTM]

    #: Columns that maps have on the right, in addition to those of the image.
    extra_columns: int = 0

    def __init__(
        self,
        event_shape,
        levels: int = 2,
        *,
        units: int = 24,
        num_layers: int = 2,
        head_units: int = 48,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels, seed=seed, **kwargs)
        self.map_columns = self.columns + self.extra_columns
        self.units = self.in_groups("units", units)
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.head_units = self.in_groups("head_units", head_units)
        self.conditional = over_levels(self.levels)

        groups, features, policy = self.channels, 2 * self.units, {"dtype": self.dtype_policy}
        self.input_layer = MaskedConvolution(groups, features, 3, 3, "A", groups=groups, seed=(seed, 0), **policy)
        self.blocks = [self.block(self.units, groups, seed=(seed, 1, i), **policy) for i in range(self.num_layers)]
        logits = groups * self.conditional.num_parameters
        self.head = [
            RowConvolution(features, self.head_units, groups, seed=(seed, 2), **policy),
            RowConvolution(self.head_units, logits, groups, seed=(seed, 3), **policy),
        ]

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        x = tf.pad(self.scaled(x), ((0, 0), (0, 0), (0, self.extra_columns), (0, 0)))
        maps = tf.reverse(self.input_layer(tf.reverse(x, (1, 2))), (1, 2))
        maps = tf.transpose(maps, (1, 2, 0, 3))
        for layer in self.blocks:
            maps = layer(maps)
        maps = maps[:, : self.columns]
        for layer in self.head:
            maps = layer(tf.nn.relu(maps))
        logits = tf.cast(tf.transpose(maps, (2, 0, 1, 3)), tf.float32)
        return tf.reshape(logits, (-1, self.num_positions, self.conditional.num_parameters))

    def start(self, batch_size, condition=None):
        """Returns the caches of all layers, and the parameters of the current position."""
        return {
            "pixels": self.input_layer.start(self.map_columns, batch_size),
            "blocks": [layer.start(self.map_columns, batch_size) for layer in self.blocks],
            "head": [layer.start(self.map_columns, batch_size) for layer in self.head],
            "parameters": tf.zeros((batch_size, self.conditional.num_parameters)),
        }

    def begin_row(self, state, row):
        unfinished = range(self.columns * self.channels, self.map_columns * self.channels)
        if unfinished:
            # The extra column of the row above.
            finished = functools.reduce(lambda state, entry: self.advance(state, tf.constant(entry)), unfinished, state)
            state = tf.nest.map_structure(lambda new, old: tf.where(row > 0, new, old), finished, state)
        pixels = self.input_layer.begin_row(state["pixels"])
        blocks = [layer.begin_row(cache, row) for layer, cache in zip(self.blocks, state["blocks"], strict=True)]
        return {**state, "pixels": pixels, "blocks": blocks}

    def begin_position(self, state, step):
        return self.advance(state, step % (self.columns * self.channels))

    def parameters_at(self, state, step):
        return state["parameters"]

    def observe(self, state, step, x):
        entry = step % (self.columns * self.channels)
        return {**state, "pixels": self.input_layer.observe(state["pixels"], entry, self.scaled(x)[:, tf.newaxis])}

    def advance(self, state, entry: tf.Tensor):
        """Returns the state with the parameters of an entry of the row, after all preceding entries."""
        x = self.input_layer.output(state["pixels"], entry)
        blocks, head = [], []
        for layer, cache in zip(self.blocks, state["blocks"], strict=True):
            cache, x = layer.advance(cache, entry, x)
            blocks.append(cache)
        for layer, cache in zip(self.head, state["head"], strict=True):
            cache, x = layer.advance(cache, entry, tf.nn.relu(x))
            head.append(cache)
        return {**state, "blocks": blocks, "head": head, "parameters": tf.cast(x, tf.float32)}


class RowLSTM(PixelRNN):
    r"""PixelRNN with a Row LSTM: a pixel sees a triangle of the pixels above it, and the pixels just left of it.

    $$p(x) = \prod_{i,j,c} p(x_{ijc} | \text{pixels before}, x_{ij,<c})$$

    Features of all pixels come from a 7×7 convolution with mask A, then from residual blocks with

    $$[o_i, f_i, i_i, g_i] = σ(K^{ss} ∗ h_{i-1} + K^{is} ∗ x_i)$$
    $$c_i = f_i ⊙ c_{i-1} + i_i ⊙ g_i, \qquad h_i = o_i ⊙ \tanh(c_i)$$

    for each whole row i, and finally from two 1×1 convolutions. The conditionals are Bernoulli for two levels, and
    categorical for more. Each row is one step of the LSTM, so the time of a training step grows with the number of
    rows.

    Example:

    ```python
    model = keras_gen.autoregressive.RowLSTM((28, 28, 1), units=16, num_layers=3)
    model.compile(keras.optimizers.RMSprop(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=16, epochs=20)           # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: (height, width, channels) of an image.
        levels: number of levels of an entry.
        units: number h of units of each LSTM, a multiple of the channels; maps have 2h features.
        num_layers: number of residual LSTMs.
        head_units: number of features between the last two convolutions, a multiple of the channels.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    block = RowLSTMBlock


class DiagonalBiLSTM(PixelRNN):
    r"""PixelRNN with a Diagonal BiLSTM: a pixel sees all preceding pixels.

    Each block has two LSTMs, which run along the diagonals from the upper left and the upper right corner; everything
    else is as in `RowLSTM`. With pixel (i, j) in column t = i + j of the skewed map, the first LSTM is

    $$[o_t, f_t, i_t, g_t] = σ(K^{ss} ∗ h_{t-1} + K^{is} ∗ x_t)$$
    $$c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t, \qquad h_t = o_t ⊙ \tanh(c_t)$$

    where $K^{ss}$ spans the left and the upper neighbour. Each diagonal is one step of the LSTM, H + W for an image of
    H rows and W columns, so the time of a training step grows with their number.

    In one respect this differs from the network of the paper. The features of a pixel depend on the preceding pixels
    but not on the pixel itself. So the second LSTM, which starts at the last pixel of a row, would never learn the
    value of that pixel, which would stay hidden from most of the next row. Here, maps have one more column, on the
    right of the image, from which the second LSTM starts.

    Example:

    ```python
    model = keras_gen.autoregressive.DiagonalBiLSTM((28, 28, 1), units=16, num_layers=3)
    model.compile(keras.optimizers.RMSprop(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=16, epochs=20)           # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: (height, width, channels) of an image.
        levels: number of levels of an entry.
        units: number h of units of each LSTM, a multiple of the channels; maps have 2h features.
        num_layers: number of residual LSTMs.
        head_units: number of features between the last two convolutions, a multiple of the channels.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    block = DiagonalBiLSTMBlock
    extra_columns = 1


def lstm_scan(gates: tf.Tensor, gates_after, weights: tuple[tf.Tensor, ...], units: int, groups: int) -> tf.Tensor:
    """Runs an LSTM along the first axis.

    Args:
        gates: what the inputs add to the gates, of shape `(steps, ..., 4h)`.
        gates_after: function from a state, of shape `(..., h)`, and the weights to what the state adds to the gates of
            the next step.
        weights: the weights.
        units: number h of units.
        groups: number of groups of features.

    Returns:
        States of shape `(steps, ..., h)`.
    """
    nothing = tf.zeros_like(gates[0, ..., :units])

    def step(gates, state, weights):
        hidden, cell = state
        return lstm(gates + gates_after(hidden, *weights), cell, groups)

    return scan(step, gates, (nothing, nothing), weights)


def skew(maps: tf.Tensor) -> tf.Tensor:
    """Shifts each row right by its index.

    Args:
        maps: shape `(rows, columns, batch, features)`.

    Returns:
        Tensor of shape `(rows + columns - 1, rows, batch, features)`: the diagonals, zero outside the image.
    """
    rows, columns, _, features = maps.shape
    # Rows that are one shorter than the padded ones start one position earlier each time.
    padded = tf.reshape(tf.pad(maps, ((0, 0), (0, rows), (0, 0), (0, 0))), (rows * (columns + rows), -1, features))
    skewed = tf.reshape(padded[:-rows], (rows, columns + rows - 1, -1, features))
    return tf.transpose(skewed, (1, 0, 2, 3))


def unskew(diagonals: tf.Tensor, columns: int) -> tf.Tensor:
    """Inverts `skew`."""
    steps, rows, _, features = diagonals.shape
    skewed = tf.reshape(tf.transpose(diagonals, (1, 0, 2, 3)), (rows * steps, -1, features))
    padded = tf.pad(skewed, ((0, rows), (0, 0), (0, 0)))
    return tf.reshape(padded, (rows, columns + rows, -1, features))[:, :columns]
