"""Causal transformers: attention to preceding positions, and residual blocks.

Ashish Vaswani, Noam Shazeer, Niki Parmar, Jakob Uszkoreit, Llion Jones, Aidan N. Gomez, Łukasz Kaiser, Illia Polosukhin
(2017), Attention Is All You Need, https://arxiv.org/abs/1706.03762
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.layers.loops import set_slice

#: Number of positions whose queries are compared with keys at a time, so that products stay small and few of them
#: masked.
BLOCK = 128


class CausalAttention(keras.layers.Layer):
    r"""Multi-head attention in which a position sees itself and the positions before it.

    For each head, $\mathrm{softmax}(Q K^T / \sqrt{d}) V$ over the visible positions.

    Args:
        width: number of features of input and output.
        num_heads: number of heads, each with `width / num_heads` features.
        output_scale: factor of the initial weights of the output.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, width: int, num_heads: int, *, output_scale: float, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.head_width = width // num_heads
        self.input_map = dense(width, 3 * width, glorot((*seed, 0)), self.dtype_policy)
        self.output_map = dense(width, width, glorot((*seed, 1), output_scale), self.dtype_policy)
        self.built = True

    def heads(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Returns queries, keys and values, each of shape `(..., num_heads, head_width)`."""
        shape = tf.concat([tf.shape(x)[:-1], (3, self.num_heads, self.head_width)], axis=0)
        queries, keys, values = tf.unstack(tf.reshape(self.input_map(x), shape), axis=-3)
        return [queries * tf.cast(self.head_width**-0.5, queries.dtype), keys, values]

    def by_head(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Like `heads`, each of shape `(batch, num_heads, positions, head_width)`."""
        return [tf.transpose(vectors, (0, 2, 1, 3)) for vectors in self.heads(x)]

    def attend(self, queries, keys, values, seen: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the output at all positions, given what `by_head` returns."""
        positions = queries.shape[2]
        blocks = []
        for first in range(0, positions, BLOCK):
            last = min(first + BLOCK, positions)
            scores = tf.matmul(queries[:, :, first:last], keys[:, :, :last], transpose_b=True)
            visible = np.arange(first, last)[:, np.newaxis] >= np.arange(last)
            if seen is not None:
                visible &= seen[:, tf.newaxis, first:last, :last]
            blocks.append(tf.matmul(masked_softmax(scores, visible, axis=-1), values[:, :, :last]))
        y = tf.transpose(tf.concat(blocks, axis=2), (0, 2, 1, 3))
        return self.output_map(tf.reshape(y, (-1, positions, self.num_heads * self.head_width)))

    def call(self, x, seen=None):
        """Takes and returns features of shape `(batch, positions, width)`.

        Args:
            x: the features.
            seen: bools of shape `(batch, positions, positions)`, whether a position (second axis) may see another one
                (third axis) before it; None for always. Every position must see one.
        """
        return self.attend(*self.by_head(x), seen)

    # Sampling

    def start(self, positions: int, batch_size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns storage for the keys and values of all positions."""
        shape = tf.stack([positions, batch_size, self.num_heads, self.head_width])
        return tf.zeros(shape, self.compute_dtype), tf.zeros(shape, self.compute_dtype)

    def begin(self, positions: int, x: tf.Tensor, seen: tf.Tensor | None = None):
        """Takes the first positions at once, as in `call`; returns a state with storage for all, and their outputs."""
        queries, keys, values = self.by_head(x)
        room = [[0, positions - x.shape[1]], [0, 0], [0, 0], [0, 0]]
        state = tuple(tf.pad(tf.transpose(vectors, (2, 0, 1, 3)), room) for vectors in (keys, values))
        return state, self.attend(queries, keys, values, seen)

    def advance(self, state, step: tf.Tensor, x: tf.Tensor, seen: tf.Tensor | None = None):
        """Takes the features of a position, of shape `(batch, width)`, and returns the state and the output.

        Args:
            state: the state after all earlier positions.
            step: the position.
            x: its features.
            seen: bools of shape `(positions, batch)`, whether it may see another one before it; None for always.
        """
        query, key, value = self.heads(x)
        keys, values = set_slice(state[0], step, key), set_slice(state[1], step, value)
        scores = tf.reduce_sum(keys * query, axis=-1)
        visible = (tf.range(keys.shape[0]) <= step)[:, tf.newaxis, tf.newaxis]
        if seen is not None:
            visible &= seen[..., tf.newaxis]
        y = tf.reduce_sum(masked_softmax(scores, visible, axis=0)[..., tf.newaxis] * values, axis=0)
        return (keys, values), self.output_map(tf.reshape(y, (-1, self.num_heads * self.head_width)))


class TransformerBlock(keras.layers.Layer):
    """A residual block: attention, then two dense layers with GELU between them, each after a layer normalization.

    Args:
        width: number of features.
        num_heads: number of heads.
        feedforward_units: number of units between the two dense layers.
        output_scale: factor of the initial weights of the two layers whose outputs are added.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        feedforward_units: int,
        *,
        output_scale: float,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.norms = [normalization(width, policy) for _ in range(2)]
        self.attention = CausalAttention(width, num_heads, output_scale=output_scale, seed=(*seed, 0), dtype=policy)
        self.expansion = dense(width, feedforward_units, glorot((*seed, 1)), policy)
        self.contraction = dense(feedforward_units, width, glorot((*seed, 2), output_scale), policy)
        self.built = True

    def feedforward(self, x: tf.Tensor) -> tf.Tensor:
        # The exact form needs an operator that LiteRT lacks.
        return self.contraction(keras.activations.gelu(self.expansion(self.norms[1](x)), approximate=True))

    def call(self, x, seen=None, *, drop: Callable[[tf.Tensor], tf.Tensor]):
        """As in `CausalAttention`; `drop` is the dropout applied to what is added."""
        x = x + drop(self.attention(self.norms[0](x), seen))
        return x + drop(self.feedforward(x))

    def begin(self, positions: int, x: tf.Tensor, seen: tf.Tensor | None = None):
        """As in `CausalAttention`."""
        state, y = self.attention.begin(positions, self.norms[0](x), seen)
        x = x + y
        return state, x + self.feedforward(x)

    def advance(self, state, step: tf.Tensor, x: tf.Tensor, seen: tf.Tensor | None = None):
        """As in `CausalAttention`."""
        state, y = self.attention.advance(state, step, self.norms[0](x), seen)
        x = x + y
        return state, x + self.feedforward(x)


def transformer_blocks(
    num_layers: int, width: int, num_heads: int, feedforward_units: int | None, *, seed: tuple[int, ...], dtype
) -> list[TransformerBlock]:
    """Returns a sequence of residual blocks.

    Args:
        num_layers: number of blocks.
        width: number of features, a multiple of `num_heads`.
        num_heads: number of heads of each attention.
        feedforward_units: number of units between the two dense layers of a block; None for four times `width`.
        seed: seed of the initial weights, a tuple of ints.
        dtype: dtype policy of the blocks.

    Raises:
        ValueError: if `width` is not a multiple of `num_heads`, or `feedforward_units` is below 1.
    """
    if width % num_heads:
        raise ValueError(f"`width` must be a multiple of the {num_heads} heads, received {width}.")
    units = 4 * width if feedforward_units is None else checks.positive_int("feedforward_units", feedforward_units)
    # Blocks add up: initially, these smaller weights give the sum of all blocks the variance of one.
    scale = (2.0 * num_layers) ** -0.5
    return [
        TransformerBlock(width, num_heads, units, output_scale=scale, seed=(*seed, index), dtype=dtype)
        for index in range(num_layers)
    ]


def masked_softmax(scores: tf.Tensor, visible, axis: int) -> tf.Tensor:
    """Returns the softmax of the visible scores, computed in float32, and zero for all others."""
    logits = tf.where(visible, tf.cast(scores, tf.float32), -1e9)
    return tf.cast(tf.nn.softmax(logits, axis=axis), scores.dtype)


def normalization(width: int, dtype) -> keras.layers.LayerNormalization:
    """Returns a layer normalization with weights."""
    layer = keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype)
    layer.build((None, width))
    return layer
