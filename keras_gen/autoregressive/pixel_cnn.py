"""PixelCNN: pixels by masked convolutions.

Aäron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu (2016), Pixel Recurrent Neural Networks,
https://arxiv.org/abs/1601.06759

Groups of features, rotated maps, and sampling entry by entry work as in `keras_gen.layers.MaskedConvolution`.
"""

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import ImageModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers import MaskedConvolution


class ResidualBlock(keras.layers.Layer):
    """A residual block on maps of 2h features: 1×1 to h, 3×3, and 1×1 back to 2h, each with mask B and after a ReLU.

    Args:
        filters: number h of features within the block.
        groups: number of groups of features.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, filters: int, groups: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        shapes = ((2 * filters, filters, 0, 0), (filters, filters, 1, 1), (filters, 2 * filters, 0, 0))
        self.convolutions = [
            MaskedConvolution(*shape, "B", groups=groups, seed=(*seed, index), dtype=self.dtype_policy)
            for index, shape in enumerate(shapes)
        ]
        self.built = True

    def call(self, maps):
        h = maps
        for layer in self.convolutions:
            h = layer(tf.nn.relu(h))
        return maps + h

    def start(self, columns, batch_size):
        return [layer.start(columns, batch_size) for layer in self.convolutions]

    def begin_row(self, state):
        return [layer.begin_row(cache) for layer, cache in zip(self.convolutions, state, strict=True)]

    def advance(self, state, entry, x):
        h, caches = x, []
        for layer, cache in zip(self.convolutions, state, strict=True):
            cache, h = layer.advance(cache, entry, tf.nn.relu(h))
            caches.append(cache)
        return caches, x + h


class PixelCNN(ImageModel):
    r"""Convolutions whose masks hide the current pixel and all following pixels.

    $$p(x) = \prod_{i,j,c} p(x_{ijc} | \text{pixels before}, x_{ij,<c})$$

    The features of all pixels come from a 7×7 convolution with mask A, which hides the pixel itself, then from
    residual blocks $x + K_3 g(K_2 g(K_1 g(x)))$ with g = ReLU, and finally from three 1×1 convolutions, each after a
    ReLU. All except the first have mask B. With several channels, features are divided into one group per channel: red
    sees the preceding pixels, green also the red and blue also the green of its own pixel. The conditionals are
    Bernoulli for two levels, and categorical for more.

    A pixel sees only as far as the kernels reach, and a wedge of pixels above and to its right stays hidden
    (`GatedPixelCNN` has no such blind spot). Rows are sampled from caches of the rows above, so all pixels together
    cost about one pass.

    Example:

    ```python
    model = keras_gen.autoregressive.PixelCNN((28, 28, 1), filters=32, num_blocks=7)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(x_train, batch_size=32, epochs=20)           # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: (height, width, channels) of an image.
        levels: number of levels of an entry.
        filters: number h of features within a residual block; between blocks there are 2h.
        num_blocks: number of residual blocks.
        head_filters: number of features of the 1×1 convolutions after them.
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
        num_blocks: int = 5,
        head_filters: int = 48,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels, seed=seed, **kwargs)
        self.filters = self.in_groups("filters", filters)
        self.num_blocks = checks.positive_int("num_blocks", num_blocks)
        self.head_filters = self.in_groups("head_filters", head_filters)
        self.conditional = over_levels(self.levels)

        common = {"groups": self.channels, "dtype": self.dtype_policy}
        features = 2 * self.filters
        self.input_layer = MaskedConvolution(self.channels, features, 3, 3, "A", seed=(seed, 0), **common)
        self.blocks = [ResidualBlock(self.filters, seed=(seed, 1, index), **common) for index in range(self.num_blocks)]
        logits = self.channels * self.conditional.num_parameters
        self.head = [
            MaskedConvolution(features, self.head_filters, 0, 0, "B", seed=(seed, 2), **common),
            MaskedConvolution(self.head_filters, self.head_filters, 0, 0, "B", seed=(seed, 3), **common),
            MaskedConvolution(self.head_filters, logits, 0, 0, "B", seed=(seed, 4), **common),
        ]

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        maps = self.input_layer(tf.reverse(self.scaled(x), (1, 2)))
        for block in self.blocks:
            maps = block(maps)
        for layer in self.head:
            maps = layer(tf.nn.relu(maps))
        logits = tf.cast(tf.reverse(maps, (1, 2)), tf.float32)
        return tf.reshape(logits, (-1, self.num_positions, self.conditional.num_parameters))

    def start(self, batch_size, condition=None):
        """Returns the caches of all layers, and the parameters of the current position."""
        return {
            "input": self.input_layer.start(self.columns, batch_size),
            "blocks": [block.start(self.columns, batch_size) for block in self.blocks],
            "head": [layer.start(self.columns, batch_size) for layer in self.head],
            "parameters": tf.zeros((batch_size, self.conditional.num_parameters)),
        }

    def begin_row(self, state, row):
        inputs = self.input_layer.begin_row(state["input"])
        blocks = [block.begin_row(cache) for block, cache in zip(self.blocks, state["blocks"], strict=True)]
        return {**state, "input": inputs, "blocks": blocks}

    def begin_position(self, state, step):
        entry = step % (self.columns * self.channels)
        x = self.input_layer.output(state["input"], entry)
        blocks, head = [], []
        for block, cache in zip(self.blocks, state["blocks"], strict=True):
            cache, x = block.advance(cache, entry, x)
            blocks.append(cache)
        for layer, cache in zip(self.head, state["head"], strict=True):
            cache, x = layer.advance(cache, entry, tf.nn.relu(x))
            head.append(cache)
        return {**state, "blocks": blocks, "head": head, "parameters": tf.cast(x, tf.float32)}

    def parameters_at(self, state, step):
        return state["parameters"]

    def observe(self, state, step, x):
        entry = step % (self.columns * self.channels)
        return {**state, "input": self.input_layer.observe(state["input"], entry, self.scaled(x)[:, tf.newaxis])}
