"""Image GPT: a transformer over tokens or pixels.

Mark Chen, Alec Radford, Rewon Child, Jeff Wu, Heewoo Jun, Prafulla Dhariwal, David Luan, Ilya Sutskever (2020),
Generative Pretraining From Pixels, https://proceedings.mlr.press/v119/chen20s.html
"""

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot, initializer_seed
from keras_gen.networks.transformer import normalization, transformer_blocks
from keras_gen.spaces import class_or_vector


class TransformerAR(AutoregressiveModel):
    r"""A causal transformer: every entry sees all preceding entries.

    $$n^l = \mathrm{norm}(h^l), \qquad a^l = h^l + \mathrm{attention}(n^l), \qquad
    h^{l+1} = a^l + \mathrm{mlp}(\mathrm{norm}(a^l))$$
    $$p(x) = \prod_i p(x_i | x_{<i}), \qquad \text{parameters}_i = W \, \mathrm{norm}(h^L_i)$$

    $h^0_i$ is an embedding of the previous entry, $x_{i-1}$, plus one of the position i; a special token, one for each
    class, precedes the first entry. The conditionals are Bernoulli for two levels, and categorical for more.

    The keys and values of earlier entries are cached, so a sample costs about one pass.

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
        dropout: fraction of a block's output that a training step sets to zero.
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
        self.width = checks.positive_int("width", width)
        self.feedforward_units = feedforward_units
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
        self.blocks = transformer_blocks(
            self.num_layers, width, num_heads, feedforward_units, seed=(seed, 3), dtype=policy
        )
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
        # After the last entry there is no next position: the last position is computed once more, and not read.
        return self.advance(state, tf.minimum(step + 1, self.event_size - 1), self.entry_embedding(self.inputs(x)))

    def advance(self, state, step: tf.Tensor, h: tf.Tensor):
        """Returns the state with the features of a position, given the embedding of the preceding entry."""
        h += tf.cast(self.position_embedding, self.compute_dtype)[step]
        layers = []
        for block, cache in zip(self.blocks, state["layers"], strict=True):
            cache, h = block.advance(cache, step, h)
            layers.append(cache)
        return {"layers": layers, "features": h}
