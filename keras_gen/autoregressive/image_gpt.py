"""Image GPT: a transformer over tokens or pixels.

Mark Chen, Alec Radford, Rewon Child, Jeff Wu, Heewoo Jun, Prafulla Dhariwal, David Luan, Ilya Sutskever (2020),
Generative Pretraining From Pixels, https://proceedings.mlr.press/v119/chen20s.html
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot, initializer_seed
from keras_gen.layers.loops import set_slice
from keras_gen.spaces import class_or_vector

#: Number of positions whose queries are compared with keys at a time, so that products stay small and few are masked.
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

    def call(self, x):
        """Takes and returns features of shape `(batch, positions, width)`."""
        positions = x.shape[1]
        queries, keys, values = (tf.transpose(vectors, (0, 2, 1, 3)) for vectors in self.heads(x))
        blocks = []
        for first in range(0, positions, BLOCK):
            last = min(first + BLOCK, positions)
            scores = tf.matmul(queries[:, :, first:last], keys[:, :, :last], transpose_b=True)
            visible = np.arange(first, last)[:, np.newaxis] >= np.arange(last)
            blocks.append(tf.matmul(masked_softmax(scores, visible, axis=-1), values[:, :, :last]))
        y = tf.transpose(tf.concat(blocks, axis=2), (0, 2, 1, 3))
        return self.output_map(tf.reshape(y, (-1, positions, self.num_heads * self.head_width)))

    # Sampling

    def start(self, positions: int, batch_size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns room for the keys and values of all positions."""
        shape = tf.stack([positions, batch_size, self.num_heads, self.head_width])
        return tf.zeros(shape, self.compute_dtype), tf.zeros(shape, self.compute_dtype)

    def advance(self, state, step: tf.Tensor, x: tf.Tensor):
        """Takes the features of a position, of shape `(batch, width)`, and returns the state and the output."""
        query, key, value = self.heads(x)
        keys, values = set_slice(state[0], step, key), set_slice(state[1], step, value)
        scores = tf.reduce_sum(keys * query, axis=-1)
        visible = (tf.range(keys.shape[0]) <= step)[:, tf.newaxis, tf.newaxis]
        y = tf.reduce_sum(masked_softmax(scores, visible, axis=0)[..., tf.newaxis] * values, axis=0)
        return (keys, values), self.output_map(tf.reshape(y, (-1, self.num_heads * self.head_width)))


class Block(keras.layers.Layer):
    """A residual block: attention, then two dense layers with GELU between them, each after a layer normalization.

    Args:
        width: number of features.
        num_heads: number of heads.
        feedforward_units: number of units between the two dense layers.
        output_scale: factor of the initial weights of the two layers whose output is added.
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

    def call(self, x, *, drop: Callable[[tf.Tensor], tf.Tensor]):
        """Takes and returns features of shape `(batch, positions, width)`; `drop` is the dropout of what is added."""
        x = x + drop(self.attention(self.norms[0](x)))
        return x + drop(self.feedforward(x))

    def advance(self, state, step: tf.Tensor, x: tf.Tensor):
        """As in `CausalAttention`."""
        state, y = self.attention.advance(state, step, self.norms[0](x))
        x = x + y
        return state, x + self.feedforward(x)


class TransformerAR(AutoregressiveModel):
    r"""A causal transformer: every entry sees all entries before it.

    $$n^l = \mathrm{norm}(h^l), \qquad a^l = h^l + \mathrm{attention}(n^l), \qquad
    h^{l+1} = a^l + \mathrm{mlp}(\mathrm{norm}(a^l))$$
    $$p(x) = \prod_i p(x_i | x_{<i}), \qquad \text{parameters}_i = W \, \mathrm{norm}(h^L_i)$$

    $h^0_i$ is an embedding of the previous entry, $x_{i-1}$, plus one of the position i; a special token, one for each
    class, stands before the first entry. The conditionals are Bernoulli for two levels, and categorical for more.

    The keys and values of earlier entries are cached, so that a sample costs about one pass.

    Example:

    ```python
    model = keras_gen.autoregressive.TransformerAR((28, 28, 1), num_layers=4, width=64, num_heads=4)
    model.compile(keras.optimizers.AdamW(1e-3))
    model.fit(x_train, batch_size=32, epochs=20)           # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; its entries follow each other row by row.
        levels: number of levels of an entry, or of different tokens.
        num_layers: number L of residual blocks.
        width: number of features of h, a multiple of `num_heads`.
        num_heads: number of heads of each attention.
        feedforward_units: number of units between the two dense layers of a block; None for four times `width`.
        dropout: share of what a block adds that a training step sets to zero.
        num_classes: number of classes to condition on; None for an unconditional model.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    xla_positions = 128

    def __init__(
        self,
        event_shape,
        levels: int = 2,
        *,
        num_layers: int = 4,
        width: int = 64,
        num_heads: int = 4,
        feedforward_units: int | None = None,
        dropout: float = 0.0,
        num_classes: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=checks.levels(levels), seed=seed, **kwargs)
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.num_heads = checks.positive_int("num_heads", num_heads)
        if checks.positive_int("width", width) % num_heads:
            raise ValueError(f"`width` must be a multiple of the {num_heads} heads, received {width}.")
        self.width = width
        self.feedforward_units = feedforward_units
        units = 4 * width if feedforward_units is None else checks.positive_int("feedforward_units", feedforward_units)
        self.dropout = checks.rate("dropout", dropout)
        self.num_classes = num_classes
        self.condition_space = class_or_vector(num_classes, None)
        self.conditional = over_levels(self.levels)

        policy = self.dtype_policy
        embedding = keras.initializers.RandomNormal
        self.first_token = self.add_weight(
            name="first_token",
            shape=(num_classes or 1, width),
            initializer=embedding(stddev=0.1, seed=initializer_seed((seed, 0))),
        )
        self.position_embedding = self.add_weight(
            name="position_embedding",
            shape=(self.event_size, width),
            initializer=embedding(stddev=0.1, seed=initializer_seed((seed, 1))),
        )
        self.entry_embedding = dense(self.inputs_per_entry, width, glorot((seed, 2)), policy)
        # Blocks add up: at the start, these smaller weights give the sum of all blocks the variance of one.
        scale = (2.0 * num_layers) ** -0.5
        self.blocks = [
            Block(width, num_heads, units, output_scale=scale, seed=(seed, 3, index), dtype=policy)
            for index in range(self.num_layers)
        ]
        self.norm = normalization(width, policy)
        self.head = dense(width, self.conditional.num_parameters, glorot((seed, 4)), policy)

    def first(self, batch_size: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """Returns the embedding of the token before the first entry, of shape `(batch, width)`."""
        tokens = tf.cast(self.first_token, self.compute_dtype)
        if condition is None:
            return tf.repeat(tokens, batch_size, axis=0)
        return tf.matmul(self.condition_vectors(condition), tokens)

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        x = tf.reshape(x, (-1, self.event_size))
        first = self.first(tf.shape(x)[0], condition)[:, tf.newaxis]
        h = tf.concat([first, self.entry_embedding(self.inputs(x[:, :-1]))], axis=1)
        h += tf.cast(self.position_embedding, self.compute_dtype)
        drop = self.make_dropout(self.dropout, step)
        for block in self.blocks:
            h = block(h, drop=drop)
        return tf.cast(self.head(self.norm(h)), tf.float32)

    def start(self, batch_size, condition=None):
        """Returns the keys and values of each layer, and the features of the next position."""
        state = {
            "layers": [block.attention.start(self.event_size, batch_size) for block in self.blocks],
            "features": tf.zeros((batch_size, self.width), self.compute_dtype),
        }
        return self.advance(state, tf.constant(0), self.first(batch_size, condition))

    def parameters_at(self, state, step):
        return tf.cast(self.head(self.norm(state["features"])), tf.float32)

    def observe(self, state, step, x):
        # After the last entry there is no next position: the last one is computed once more, and not read.
        return self.advance(state, tf.minimum(step + 1, self.event_size - 1), self.entry_embedding(self.inputs(x)))

    def advance(self, state, step: tf.Tensor, h: tf.Tensor):
        """Returns the state with the features of a position, given the embedding of the entry before it."""
        h += tf.cast(self.position_embedding, self.compute_dtype)[step]
        layers = []
        for block, cache in zip(self.blocks, state["layers"], strict=True):
            cache, h = block.advance(cache, step, h)
            layers.append(cache)
        return {"layers": layers, "features": h}


def masked_softmax(scores: tf.Tensor, visible, axis: int) -> tf.Tensor:
    """Returns the softmax of the visible scores, computed in float32, and zero for all others."""
    logits = tf.where(visible, tf.cast(scores, tf.float32), -1e9)
    return tf.cast(tf.nn.softmax(logits, axis=axis), scores.dtype)


def normalization(width: int, dtype) -> keras.layers.LayerNormalization:
    """Returns a layer normalization with weights."""
    layer = keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype)
    layer.build((None, width))
    return layer
