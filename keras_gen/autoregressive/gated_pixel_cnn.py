"""Gated PixelCNN: two stacks of masked convolutions with gates, for images, optionally conditional.

Aäron van den Oord, Nal Kalchbrenner, Oriol Vinyals, Lasse Espeholt, Alex Graves, Koray Kavukcuoglu (2016), Conditional
Image Generation with PixelCNN Decoders, https://arxiv.org/abs/1606.05328

Groups of features, rotated maps, and sampling entry by entry work as in `keras_gen.layers.MaskedConvolution`.
"""

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import ImageModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers import MaskedConvolution
from keras_gen.layers.bias import add_bias
from keras_gen.layers.dense import matmul
from keras_gen.layers.gated_activation import gated_activation
from keras_gen.layers.initializers import glorot
from keras_gen.layers.masked_convolution import convolved
from keras_gen.layers.row_convolution import by_entry, by_pixel
from keras_gen.spaces import class_or_vector


class VerticalConvolution(keras.layers.Layer):
    """A convolution over the rows above and, in all layers except the first, the whole row itself.

    Args:
        inputs: number of features of the input.
        filters: number of features of the output.
        rows: number of rows above.
        columns: number of columns on each side.
        row_itself: whether a pixel also sees its own row, whose features come from rows above.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        rows: int,
        columns: int,
        *,
        row_itself: bool,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.rows = rows
        self.columns = columns
        self.row_itself = row_itself
        self.shape = (rows + row_itself, 2 * columns + 1, inputs, filters)
        # One row of the kernel for each feature of each tap.
        self.kernel = self.add_weight(
            name="kernel", shape=(self.shape[0] * self.shape[1] * inputs, filters), initializer=glorot(seed)
        )
        self.bias = self.add_weight(name="bias", shape=(filters,), initializer="zeros")
        self.built = True

    def call(self, maps):
        """Takes maps of shape `(batch, rows, columns, inputs)`, rotated by 180°, and returns rotated maps."""
        kernel = tf.reverse(tf.reshape(tf.cast(self.kernel, self.compute_dtype), self.shape), (0, 1))
        maps = maps if self.row_itself else tf.pad(maps[:, 1:], ((0, 0), (0, 1), (0, 0), (0, 0)))
        # Without the row itself, the kernel starts at the row above.
        below = self.rows if self.row_itself else self.rows - 1
        maps = convolved(maps, kernel, (0, below), (self.columns, self.columns))
        return add_bias(maps, self.bias)

    def start(self, columns: int, batch_size: tf.Tensor) -> tf.Tensor:
        """Returns the last rows before the first row: zeros, with padding on each side."""
        return tf.zeros((self.rows, columns + 2 * self.columns, batch_size, self.shape[2]), self.compute_dtype)

    def advance(self, rows: tf.Tensor, row: tf.Tensor):
        """Adds a row of shape `(columns, batch, inputs)`, the last visible one.

        Returns the last rows, and the output of shape `(columns, batch, filters)`.
        """
        row = tf.pad(row, ((self.columns, self.columns), (0, 0), (0, 0)))
        rows = tf.concat([rows, row[tf.newaxis]], axis=0)
        last = rows[1:]
        rows = rows if self.row_itself else last
        width = row.shape[0] - 2 * self.columns
        taps = [rows[i, j : j + width] for i in range(self.shape[0]) for j in range(self.shape[1])]
        y = matmul(tf.concat(taps, axis=-1), tf.cast(self.kernel, self.compute_dtype))
        return last, y + tf.cast(self.bias, self.compute_dtype)


class GatedLayer(keras.layers.Layer):
    """One layer of both stacks; in the horizontal stack, all except the first add their output to their input.

    Args:
        inputs: number of features of the input.
        filters: number p of features of the output.
        rows: number of rows above that the vertical stack sees.
        columns: number of columns on each side.
        first: whether this is the first layer, with mask A.
        groups: number of groups of features of the horizontal stack.
        condition_size: length of the vector that the gates are conditioned on; 0 for none.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        rows: int,
        columns: int,
        *,
        first: bool,
        groups: int,
        condition_size: int,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.first = first
        self.groups = groups
        policy = {"dtype": self.dtype_policy}
        self.vertical = VerticalConvolution(
            inputs, 2 * filters, rows, columns, row_itself=not first, seed=(*seed, 0), **policy
        )
        self.horizontal = MaskedConvolution(
            inputs, 2 * filters, 0, columns, "A" if first else "B", groups=groups, seed=(*seed, 1), **policy
        )
        self.link = self.add_weight(name="link", shape=(2 * filters, 2 * filters), initializer=glorot((*seed, 2)))
        self.output_layer = MaskedConvolution(filters, filters, 0, 0, "B", groups=groups, seed=(*seed, 3), **policy)
        self.condition_kernel = None
        if condition_size:
            self.condition_kernel = self.add_weight(
                name="condition_kernel", shape=(condition_size, 4 * filters), initializer=glorot((*seed, 4))
            )
        self.built = True

    def conditions(self, vectors: tf.Tensor | None) -> list[tf.Tensor | float]:
        """Returns what the condition adds to the gates of the vertical and of the horizontal stack."""
        if self.condition_kernel is None:
            return [0.0, 0.0]
        return tf.split(tf.matmul(vectors, tf.cast(self.condition_kernel, self.compute_dtype)), 2, axis=-1)

    def call(self, down, across, vectors=None):
        """Takes and returns maps of both stacks, rotated by 180°; `vectors` represent the condition, or are None."""
        for_down, for_across = (
            given if isinstance(given, float) else given[:, tf.newaxis, tf.newaxis]
            for given in self.conditions(vectors)
        )
        seen = self.vertical(down)
        gates = self.horizontal(across) + matmul(seen, tf.cast(self.link, self.compute_dtype)) + for_across
        y = self.output_layer(gate(gates, self.groups))
        return gated_activation(seen + for_down), y if self.first else across + y

    # Sampling

    def start(self, columns: int, batch_size: tf.Tensor, vectors: tf.Tensor | None):
        width = self.link.shape[1]
        for_down, for_across = (
            tf.broadcast_to(tf.cast(given, self.compute_dtype), (batch_size, width))
            for given in self.conditions(vectors)
        )
        return {
            "vertical": self.vertical.start(columns, batch_size),
            "horizontal": self.horizontal.start(columns, batch_size),
            "output": self.output_layer.start(columns, batch_size),
            # What the vertical stack and the condition add to the gates of each entry.
            "link": tf.zeros((columns * self.groups, batch_size, width // self.groups), self.compute_dtype),
            "for_down": for_down,
            "for_across": for_across,
        }

    def begin_row(self, state, down: tf.Tensor):
        """Takes a row of the vertical stack, `(columns, batch, inputs)`; returns the state and this layer's row."""
        rows, seen = self.vertical.advance(state["vertical"], down)
        link = matmul(seen, tf.cast(self.link, self.compute_dtype)) + state["for_across"]
        state = {
            **state,
            "vertical": rows,
            "link": by_entry(link, self.groups),
            "horizontal": self.horizontal.begin_row(state["horizontal"]),
            "output": self.output_layer.begin_row(state["output"]),
        }
        return state, gated_activation(seen + state["for_down"])

    def observe(self, state, entry: tf.Tensor, x: tf.Tensor):
        """Returns the state after the input of an entry, of shape `(batch, inputs / groups)`."""
        return {**state, "horizontal": self.horizontal.observe(state["horizontal"], entry, x)}

    def output(self, state, entry: tf.Tensor):
        """Returns the state and the output of an entry, of shape `(batch, filters / groups)`."""
        gates = self.horizontal.output(state["horizontal"], entry) + state["link"][entry]
        cache, y = self.output_layer.advance(state["output"], entry, gated_activation(gates))
        return {**state, "output": cache}, y

    def advance(self, state, entry: tf.Tensor, x: tf.Tensor):
        """Takes the input of an entry and returns the state and the output, in all layers except the first."""
        state, y = self.output(self.observe(state, entry, x), entry)
        return state, x + y


def gate(x: tf.Tensor, groups: int) -> tf.Tensor:
    """Returns tanh of the first half of each group's features times the sigmoid of the second half."""
    if groups == 1:
        return gated_activation(x)
    shape = tf.shape(x)[:-1]
    y = gated_activation(tf.reshape(x, tf.concat([shape, [groups, x.shape[-1] // groups]], axis=0)))
    return tf.reshape(y, tf.concat([shape, [x.shape[-1] // 2]], axis=0))


class GatedPixelCNN(ImageModel):
    r"""PixelCNN with gates, and with a stack for the rows above and one for the row itself instead of masks.

    $$p(x | y) = \prod_{i,j,c} p(x_{ijc} | \text{pixels before}, x_{ij,<c}, y)$$

    In each layer k, the vertical stack v sees whole rows above, and the horizontal stack h the pixels on the left:

    $$a_k = W_k ∗ v_{k-1}, \qquad v_k = g(a_k + V_k y)$$
    $$h_k = h_{k-1} + U_k\, g(W'_k ∗ h_{k-1} + L_k a_k + V'_k y)$$

    with the gate g(a, b) = tanh(a) ⊙ σ(b) of the two halves of the features, 2×3 and 1×2 kernels, and 1×1 kernels U and
    L. The first layer sees three rows above and three pixels on the left, like a 7×7 kernel with mask A, and adds
    nothing to $h_0$. Two 1×1 convolutions follow, each after a ReLU. The two stacks leave no blind spot.

    With several channels, features of the horizontal stack are divided into one group per channel: red sees the
    preceding pixels, green also the red and blue also the green of its own pixel. The conditionals are Bernoulli for
    two levels, and categorical for more. In sampling, the vertical stack computes each row at once, so all pixels
    together cost about one pass.

    Example:

    ```python
    model = keras_gen.autoregressive.GatedPixelCNN((28, 28, 1), num_classes=10)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(x_train, y_train, batch_size=32, epochs=20)  # x_train holds 0s and 1s, y_train digits
    model.log_prob(x_test, y_test)                         # nats
    model.sample(10, condition=range(10), seed=0)
    ```

    Args:
        event_shape: (height, width, channels) of an image.
        levels: number of levels of an entry.
        filters: number p of features of each stack.
        num_layers: number of layers, including the first one.
        head_filters: number of features between the last two convolutions.
        one_hot: whether levels are input as one-hot vectors, for levels without an order, such as codes, or as numbers.
        num_classes: number of classes, to condition on a class label; None for none.
        condition_size: length of a vector to condition on; None for none.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    xla_positions = 128

    def __init__(
        self,
        event_shape,
        levels: int = 2,
        *,
        filters: int = 24,
        num_layers: int = 6,
        head_filters: int = 48,
        one_hot: bool = False,
        num_classes: int | None = None,
        condition_size: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels, seed=seed, **kwargs)
        self.filters = self.in_groups("filters", filters)
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.head_filters = self.in_groups("head_filters", head_filters)
        self.one_hot = one_hot
        self.num_classes = num_classes
        self.condition_size = condition_size
        self.condition_space = class_or_vector(num_classes, condition_size)
        self.conditional = over_levels(self.levels)

        common = {"groups": self.channels, "dtype": self.dtype_policy}
        conditioned = {**common, "condition_size": self.vector_size}
        inputs = self.channels * (self.levels if one_hot else 1)
        self.gated_layers = [GatedLayer(inputs, self.filters, 3, 3, first=True, seed=(seed, 0), **conditioned)]
        for index in range(1, self.num_layers):
            layer = GatedLayer(self.filters, self.filters, 1, 1, first=False, seed=(seed, 0, index), **conditioned)
            self.gated_layers.append(layer)
        logits = self.channels * self.conditional.num_parameters
        self.head = [
            MaskedConvolution(self.filters, self.head_filters, 0, 0, "B", seed=(seed, 1), **common),
            MaskedConvolution(self.head_filters, logits, 0, 0, "B", seed=(seed, 2), **common),
        ]

    # Primitives

    def features(self, x: tf.Tensor) -> tf.Tensor:
        """Returns entries as features of the first layer, on the last axis."""
        if self.one_hot:
            vectors = tf.one_hot(tf.cast(x, tf.int32), self.levels, dtype=self.compute_dtype)
            return tf.reshape(vectors, (-1, *x.shape[1:-1], self.levels * x.shape[-1]))
        return self.scaled(x)

    def parameters(self, x, condition=None, *, step=None):
        vectors = self.condition_vectors(condition)
        down = across = tf.reverse(self.features(x), (1, 2))
        for layer in self.gated_layers:
            down, across = layer(down, across, vectors)
        for layer in self.head:
            across = layer(tf.nn.relu(across))
        logits = tf.cast(tf.reverse(across, (1, 2)), tf.float32)
        return tf.reshape(logits, (-1, self.num_positions, self.conditional.num_parameters))

    def start(self, batch_size, condition=None):
        """Returns the caches of all layers, and the parameters of the current position."""
        vectors = self.condition_vectors(condition)
        return {
            "layers": [layer.start(self.columns, batch_size, vectors) for layer in self.gated_layers],
            "head": [layer.start(self.columns, batch_size) for layer in self.head],
            "parameters": tf.zeros((batch_size, self.conditional.num_parameters)),
        }

    def begin_row(self, state, row):
        first = self.gated_layers[0].horizontal
        # The horizontal convolution of the first layer has the row above, with padding on each side.
        down = by_pixel(state["layers"][0]["horizontal"]["row"], self.channels)[first.columns : -first.columns]
        layers = []
        for layer, cache in zip(self.gated_layers, state["layers"], strict=True):
            cache, down = layer.begin_row(cache, down)
            layers.append(cache)
        head = [layer.begin_row(cache) for layer, cache in zip(self.head, state["head"], strict=True)]
        return {**state, "layers": layers, "head": head}

    def begin_position(self, state, step):
        entry = step % (self.columns * self.channels)
        cache, x = self.gated_layers[0].output(state["layers"][0], entry)
        layers, head = [cache], []
        for layer, cache in zip(self.gated_layers[1:], state["layers"][1:], strict=True):
            cache, x = layer.advance(cache, entry, x)
            layers.append(cache)
        for layer, cache in zip(self.head, state["head"], strict=True):
            cache, x = layer.advance(cache, entry, tf.nn.relu(x))
            head.append(cache)
        return {**state, "layers": layers, "head": head, "parameters": tf.cast(x, tf.float32)}

    def parameters_at(self, state, step):
        return state["parameters"]

    def observe(self, state, step, x):
        entry = step % (self.columns * self.channels)
        first, *others = state["layers"]
        first = self.gated_layers[0].observe(first, entry, self.features(x[:, tf.newaxis]))
        return {**state, "layers": [first, *others]}
