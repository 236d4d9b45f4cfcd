"""PixelCNN++: PixelCNN at several resolutions, with skips between them and mixtures of discretized logistics.

Tim Salimans, Andrej Karpathy, Xi Chen, Diederik P. Kingma (2017), PixelCNN++: Improving the PixelCNN with Discretized
Logistic Mixture Likelihood and Other Modifications, https://arxiv.org/abs/1701.05517

The stream of features `down` sees the rows above, and the stream `across` all preceding pixels. In sampling, the first
computes a row at once, the second pixel by pixel, with shapes and caches as in `keras_gen.layers.shifted_convolution`.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import ImageModel
from keras_gen.distributions.entries import DiscretizedLogisticMixture
from keras_gen.layers import MaskedConvolution
from keras_gen.layers.dense import dense, matmul
from keras_gen.layers.initializers import uniform
from keras_gen.layers.loops import same_shapes, set_slice
from keras_gen.layers.shifted_convolution import AcrossConvolution, AcrossTransposed, DownConvolution, DownTransposed
from keras_gen.spaces import class_or_vector


class GatedBlock(keras.layers.Layer):
    """A gated residual block of both streams.

    Args:
        filters: number of features of each stream.
        skips: whether the block also takes the features of both streams from an earlier block.
        condition_size: length of the vector that the gates are conditioned on; 0 for none.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, filters: int, *, skips: bool, condition_size: int, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        policy = {"dtype": self.dtype_policy}
        self.filters = filters
        # Blocks start close to the identity.
        self.down_first = DownConvolution(2 * filters, filters, seed=(*seed, 0), **policy)
        self.down_second = DownConvolution(2 * filters, 2 * filters, gain=0.1, seed=(*seed, 1), **policy)
        self.across_first = AcrossConvolution(2 * filters, filters, seed=(*seed, 2), **policy)
        self.across_second = AcrossConvolution(2 * filters, 2 * filters, gain=0.1, seed=(*seed, 3), **policy)
        names = ("across_link", "down_skip_link", "across_skip_link") if skips else ("across_link",)
        for index, name in enumerate(names):
            scale = (3.0 / (2 * filters)) ** 0.5
            link = self.add_weight(
                name=name, shape=(2 * filters, filters), initializer=uniform(scale, (*seed, 4, index))
            )
            setattr(self, name, link)
        self.condition_kernel = None
        if condition_size:
            self.condition_kernel = self.add_weight(
                name="condition_kernel", shape=(condition_size, 4 * filters), initializer=uniform(0.1, (*seed, 6))
            )
        self.built = True

    def conditions(self, vectors: tf.Tensor | None) -> list[tf.Tensor | float]:
        """Returns what the condition adds to the gates of the two streams, of shape `(batch, 2 · filters)`."""
        if self.condition_kernel is None:
            return [0.0, 0.0]
        return tf.split(tf.matmul(vectors, tf.cast(self.condition_kernel, self.compute_dtype)), 2, axis=-1)

    def linked(self, x: tf.Tensor, link) -> tf.Tensor:
        """Returns what features from elsewhere in the network add to the first convolution."""
        return matmul(concat_elu(x), tf.cast(link, self.compute_dtype))

    def call(self, down, across, skips=None, vectors=None, *, drop: Callable[[tf.Tensor], tf.Tensor] = tf.identity):
        """Takes and returns maps of both streams, rotated by 180°.

        Args:
            down: features of the rows above.
            across: features of all preceding pixels.
            skips: maps of both streams, if the block has skips.
            vectors: vectors of the condition, or None.
            drop: dropout of hidden features.
        """
        for_down, for_across = (
            given if isinstance(given, float) else given[:, tf.newaxis, tf.newaxis]
            for given in self.conditions(vectors)
        )
        h = self.down_first(concat_elu(down))
        if skips is not None:
            h += self.linked(skips[0], self.down_skip_link)
        down += gate(self.down_second(drop(concat_elu(h))) + for_down)
        h = self.across_first(concat_elu(across)) + self.linked(down, self.across_link)
        if skips is not None:
            h += self.linked(skips[1], self.across_skip_link)
        return down, across + gate(self.across_second(drop(concat_elu(h))) + for_across)

    # Sampling

    def start(self, columns: int, batch_size: tf.Tensor, vectors: tf.Tensor | None):
        for_down, for_across = (
            tf.broadcast_to(tf.cast(given, self.compute_dtype), (batch_size, 2 * self.filters))
            for given in self.conditions(vectors)
        )
        names = ("down_first", "down_second", "across_first", "across_second")
        layers = {name: getattr(self, name).start(columns, batch_size) for name in names}
        return {**layers, "for_down": for_down, "for_across": for_across}

    def begin_row(self, state, down: tf.Tensor, skip: tf.Tensor | None = None):
        """Takes a row of `down` and of the skip; returns the state and the new row of `down`."""
        first, h = self.down_first.advance(state["down_first"], concat_elu(down))
        if skip is not None:
            h += self.linked(skip, self.down_skip_link)
        second, h = self.down_second.advance(state["down_second"], concat_elu(h))
        down += gate(h + state["for_down"])
        state = {
            **state,
            "down_first": first,
            "down_second": second,
            "across_first": self.across_first.begin_row(state["across_first"], self.linked(down, self.across_link)),
            "across_second": self.across_second.begin_row(state["across_second"], state["for_across"]),
        }
        return state, down

    def advance(self, state, column: tf.Tensor, across: tf.Tensor, skip: tf.Tensor | None = None):
        """Takes a pixel of `across` and of the skip; returns the state and the new pixel."""
        first, h = self.across_first.advance(state["across_first"], column, concat_elu(across))
        if skip is not None:
            h += self.linked(skip, self.across_skip_link)
        second, h = self.across_second.advance(state["across_second"], column, concat_elu(h))
        return {**state, "across_first": first, "across_second": second}, across + gate(h)


class Resolution(keras.layers.Layer):
    """Blocks at one resolution, then everything at lower resolutions, then blocks with skips from the earlier blocks.

    Args:
        filters: number of features of each stream.
        num_blocks: number of blocks before the skips.
        num_resolutions: number of resolutions, this one and all lower ones.
        condition_size: length of the vector that the gates are conditioned on; 0 for none.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        filters: int,
        num_blocks: int,
        num_resolutions: int,
        *,
        condition_size: int,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        policy = {"dtype": self.dtype_policy}
        conditioned = {"condition_size": condition_size, **policy}
        self.coarser = None
        if num_resolutions > 1:
            self.shrink_down = DownConvolution(filters, filters, stride=2, seed=(*seed, 0), **policy)
            self.shrink_across = AcrossConvolution(filters, filters, stride=2, seed=(*seed, 1), **policy)
            self.coarser = Resolution(filters, num_blocks, num_resolutions - 1, seed=(*seed, 2), **conditioned)
            self.grow_down = DownTransposed(filters, seed=(*seed, 3), **policy)
            self.grow_across = AcrossTransposed(filters, seed=(*seed, 4), **policy)
        self.blocks, self.skip_blocks = (
            [GatedBlock(filters, skips=skips, seed=(*seed, 5, skips, index), **conditioned) for index in range(count)]
            # At the lowest resolution, the output of the last block is passed on and is not a skip.
            for skips, count in ((False, num_blocks), (True, num_blocks + (num_resolutions > 1)))
        )
        self.built = True

    def call(self, down, across, vectors=None, *, drop: Callable[[tf.Tensor], tf.Tensor] = tf.identity):
        """Takes and returns maps of both streams, as `GatedBlock` does."""
        skips = [(down, across)]
        for block in self.blocks:
            skips.append(block(*skips[-1], None, vectors, drop=drop))
        if self.coarser is None:
            down, across = skips.pop()
        else:
            down, across = skips[-1]
            down, across = self.coarser(self.shrink_down(down), self.shrink_across(across), vectors, drop=drop)
            down, across = self.grow_down(down), self.grow_across(across)
        for block in self.skip_blocks:
            down, across = block(down, across, skips.pop(), vectors, drop=drop)
        return down, across

    # Sampling

    def start(self, columns: int, batch_size: tf.Tensor, vectors: tf.Tensor | None):
        """Returns the caches of the layers, and the last rows that the lower resolution returned."""
        blocks, skip_blocks = (
            [block.start(columns, batch_size, vectors) for block in blocks]
            for blocks in (self.blocks, self.skip_blocks)
        )
        state = {"blocks": blocks, "skip_blocks": skip_blocks}
        if self.coarser is None:
            return state
        coarse = tf.zeros((columns // 2, batch_size, self.filters), self.compute_dtype)
        return {
            **state,
            "shrink_down": self.shrink_down.start(columns, batch_size),
            "shrink_across": self.shrink_across.start(columns, batch_size),
            "coarser": self.coarser.start(columns // 2, batch_size, vectors),
            "coarse_down": coarse,
            "coarse_across": coarse,
        }

    def begin_row(self, state, row: tf.Tensor, down: tf.Tensor):
        """Takes a row of `down`; returns the state and the new row of `down`."""
        blocks, skip_blocks, skips = [], [], [down]
        for block, cache in zip(self.blocks, state["blocks"], strict=True):
            cache, down = block.begin_row(cache, skips[-1])
            blocks.append(cache)
            skips.append(down)
        if self.coarser is None:
            down = skips.pop()
        else:
            shrink_down, shrunk = self.shrink_down.advance(state["shrink_down"], down)
            before = (state["coarser"], state["coarse_down"])
            # Every other row is also a row of the lower resolution.
            coarser, coarse = tf.cond(
                row % 2 == 0, lambda: self.coarser.begin_row(before[0], row // 2, shrunk), lambda: before
            )
            coarser, coarse = same_shapes((coarser, coarse), before)
            down = self.grow_down.output(coarse, row)
            state = {
                **state,
                "shrink_down": shrink_down,
                "shrink_across": self.shrink_across.begin_row(state["shrink_across"]),
                "coarser": coarser,
                "coarse_down": coarse,
            }
        for block, cache in zip(self.skip_blocks, state["skip_blocks"], strict=True):
            cache, down = block.begin_row(cache, down, skips.pop())
            skip_blocks.append(cache)
        return {**state, "blocks": blocks, "skip_blocks": skip_blocks}, down

    def advance(self, state, row: tf.Tensor, column: tf.Tensor, across: tf.Tensor):
        """Takes a pixel of `across`; returns the state and the new pixel."""
        blocks, skip_blocks, skips = [], [], [across]
        for block, cache in zip(self.blocks, state["blocks"], strict=True):
            cache, across = block.advance(cache, column, skips[-1])
            blocks.append(cache)
            skips.append(across)
        if self.coarser is None:
            across = skips.pop()
        else:
            shrink_across, shrunk = self.shrink_across.advance(state["shrink_across"], column, across)
            before = (state["coarser"], state["coarse_across"])

            def at_lower_resolution():
                coarser, pixel = self.coarser.advance(before[0], row // 2, column // 2, shrunk)
                return coarser, set_slice(before[1], column // 2, pixel)

            # One pixel of four is also a pixel of the lower resolution.
            exists = (row % 2 == 0) & (column % 2 == 0)
            coarser, coarse = same_shapes(tf.cond(exists, at_lower_resolution, lambda: before), before)
            across = self.grow_across.output(coarse, row, column)
            state = {**state, "shrink_across": shrink_across, "coarser": coarser, "coarse_across": coarse}
        for block, cache in zip(self.skip_blocks, state["skip_blocks"], strict=True):
            cache, across = block.advance(cache, column, across, skips.pop())
            skip_blocks.append(cache)
        return {**state, "blocks": blocks, "skip_blocks": skip_blocks}, across


def concat_elu(x: tf.Tensor) -> tf.Tensor:
    """Returns ELU of features and of their negatives, twice as many features."""
    return tf.nn.elu(tf.concat([x, -x], axis=-1))


def gate(x: tf.Tensor) -> tf.Tensor:
    """Returns the first half of the features times the sigmoid of the second half."""
    y, open_ = tf.split(x, 2, axis=-1)
    return y * tf.sigmoid(open_)


class PixelCNNPlusPlus(ImageModel):
    r"""PixelCNN whose pixels are drawn as a whole, from mixtures of discretized logistic distributions.

    $$p(x | y) = \prod_{i,j} \sum_k π_k \prod_c P(x_{ijc} | μ_{kc} + \sum_{b<c} \tanh(α_{kbc}) x_{ijb}, s_{kc})$$

    where P is a logistic distribution rounded to levels, and π, μ, s and α are functions of y and of the preceding
    pixels. A stream u of features sees the rows above, through 2×3 kernels, and a stream v sees all preceding pixels,
    through 2×2 kernels. With f the concatenation of ELU(x) and ELU(-x), both run through gated residual blocks

    $$(a, b) = W_2 ∗ f(W_1 ∗ f(x) + L f(l)) + V y, \qquad x ← x + a ⊙ σ(b)$$

    where, for v, l is the u of the same block. Convolutions with stride 2 lie between the resolutions, and transposed
    convolutions on the way back, where l also contains an earlier state of the stream: each block or strided
    convolution of the first half has a skip to one of the second half. Dropout is applied inside the blocks, before W₂.

    The weights are not normalized. They are initialized so that features of variance 1 keep that variance and blocks
    are close to the identity; the paper normalizes its weights and initializes them from statistics of a first batch.
    The input has a channel of ones, which distinguishes the image from the padding. In sampling, the stream u computes
    a row at once, and the features of lower resolutions are kept for all pixels that need them; all pixels together
    cost about one pass.

    Example:

    ```python
    model = keras_gen.autoregressive.PixelCNNPlusPlus((28, 28, 1), dropout=0.2)
    model.compile(keras.optimizers.Adam(1e-3, use_ema=True, ema_momentum=0.999))
    model.fit(x_train, batch_size=16, epochs=10)           # x_train holds whole numbers 0..255
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: (height, width, channels) of an image.
        levels: number of levels of an entry.
        filters: number of features of each stream.
        num_blocks: number of blocks at each resolution on the way to lower ones; the way back has as many, and one more
            at every resolution except the lowest.
        num_resolutions: number of resolutions, each with half as many rows and columns as the one before; by default 3,
            or as many as the size of an image allows.
        num_components: number of logistic distributions in the mixture.
        dropout: fraction of hidden features that a training step sets to zero, at random for each example.
        num_classes: number of classes, to condition on a class label; None for none.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        levels: int = 256,
        *,
        filters: int = 24,
        num_blocks: int = 2,
        num_resolutions: int | None = None,
        num_components: int = 10,
        dropout: float = 0.0,
        num_classes: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels, seed=seed, **kwargs)
        self.filters = checks.positive_int("filters", filters)
        self.num_blocks = checks.positive_int("num_blocks", num_blocks)
        if num_resolutions is None:
            num_resolutions = 1 + checks.halvings(self.event_shape, 2)
        self.num_resolutions = checks.positive_int("num_resolutions", num_resolutions)
        factor = 2 ** (self.num_resolutions - 1)
        if self.num_rows % factor or self.columns % factor:
            raise ValueError(
                f"`num_resolutions` {num_resolutions} must go with a height and width that {factor} divides, received "
                f"{self.num_rows} and {self.columns}."
            )
        self.num_components = checks.positive_int("num_components", num_components)
        self.dropout = checks.rate("dropout", dropout)
        self.num_classes = num_classes
        self.condition_space = class_or_vector(num_classes, None)
        self.conditional = DiscretizedLogisticMixture(self.levels, self.num_components, self.channels)

        policy = {"dtype": self.dtype_policy}
        inputs = self.channels + 1
        self.down_input = DownConvolution(inputs, self.filters, seed=(seed, 0), **policy)
        self.across_input = MaskedConvolution(inputs, self.filters, 1, 1, "A", seed=(seed, 1), **policy)
        self.network = Resolution(
            self.filters,
            self.num_blocks,
            self.num_resolutions,
            condition_size=num_classes or 0,
            seed=(seed, 2),
            **policy,
        )
        initializer = uniform((3.0 / self.filters) ** 0.5, (seed, 3))
        self.output_layer = dense(self.filters, self.conditional.num_parameters, initializer, **policy)

    def inputs(self, x):
        """Returns levels of shape `(..., channels)` as numbers from -1 to 1, with a channel of ones."""
        x = self.scaled(x)
        return tf.concat([x, tf.ones_like(x[..., :1])], axis=-1)

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        drop = self.make_dropout(self.dropout, step)
        maps = tf.reverse(self.inputs(x), (1, 2))
        above = tf.pad(maps[:, 1:], ((0, 0), (0, 1), (0, 0), (0, 0)))
        down, across = self.down_input(above), self.across_input(maps)
        _, across = self.network(down, across, self.condition_vectors(condition), drop=drop)
        parameters = tf.reverse(self.output_layer(tf.nn.elu(across)), (1, 2))
        return tf.reshape(tf.cast(parameters, tf.float32), (-1, self.num_positions, self.conditional.num_parameters))

    def start(self, batch_size, condition=None):
        """Returns the caches of all layers, and the features from which the current pixel's parameters are computed."""
        return {
            "down_input": self.down_input.start(self.columns, batch_size),
            "across_input": self.across_input.start(self.columns, batch_size),
            "network": self.network.start(self.columns, batch_size, self.condition_vectors(condition)),
            "across": tf.zeros((batch_size, self.filters), self.compute_dtype),
        }

    def begin_row(self, state, row):
        # The convolution of the input has the row above, with padding on each side.
        above = state["across_input"]["row"][1:-1]
        down_input, down = self.down_input.advance(state["down_input"], above)
        network, _ = self.network.begin_row(state["network"], row, down)
        across_input = self.across_input.begin_row(state["across_input"])
        return {**state, "down_input": down_input, "across_input": across_input, "network": network}

    def begin_position(self, state, step):
        row, column = step // self.columns, step % self.columns
        across = self.across_input.output(state["across_input"], column)
        network, across = self.network.advance(state["network"], row, column, across)
        return {**state, "network": network, "across": across}

    def parameters_at(self, state, step):
        return tf.cast(self.output_layer(tf.nn.elu(state["across"])), tf.float32)

    def observe(self, state, step, x):
        column = step % self.columns
        return {**state, "across_input": self.across_input.observe(state["across_input"], column, self.inputs(x))}
