"""Recurrent autoregressive model: a fixed-size state summarises the past.

Alex Graves (2013), Generating Sequences With Recurrent Neural Networks, https://arxiv.org/abs/1308.0850

The cells are those of Elman (1990), Finding Structure in Time; of Cho et al. (2014), Learning Phrase Representations
using RNN Encoder-Decoder, https://arxiv.org/abs/1406.1078, in the form that multiplies the state by its kernel before
the reset gate; and of Hochreiter and Schmidhuber (1997), Long Short-Term Memory.
"""

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import Mixture, over_levels
from keras_gen.layers.dense import dense, matmul
from keras_gen.layers.initializers import glorot, initializer_seed
from keras_gen.layers.recurrence import lstm, scan
from keras_gen.spaces import class_or_vector


class RecurrentLayer(keras.layers.Layer):
    """A layer of recurrent units; a subclass defines one step.

    Args:
        inputs: number of features of the input.
        units: number of units.
        condition_size: length of the vector that every step is conditioned on; 0 for none.
        seed: seed of the initial weights, a tuple of ints.
        **kwargs: as in `keras.layers.Layer`.
    """

    #: Number of sums of inputs and states in a unit, and number of tensors in the state.
    num_gates: int
    num_states: int = 1

    def __init__(self, inputs: int, units: int, *, condition_size: int, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.units = units
        width = self.num_gates * units
        orthogonal = keras.initializers.Orthogonal(seed=initializer_seed((*seed, 1)))
        self.kernel = self.add_weight(name="kernel", shape=(inputs, width), initializer=glorot((*seed, 0)))
        self.recurrent_kernel = self.add_weight(name="recurrent_kernel", shape=(units, width), initializer=orthogonal)
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")
        self.condition_kernel = None
        if condition_size:
            self.condition_kernel = self.add_weight(
                name="condition_kernel", shape=(condition_size, width), initializer=glorot((*seed, 2))
            )
        self.built = True

    def step(self, gates: tf.Tensor, state: tuple, weights: tuple) -> tuple:
        """Returns the state after a step; its first tensor is the output.

        Args:
            gates: what the input adds to the gates, of shape `(batch, num_gates · units)`.
            state: `num_states` tensors of shape `(batch, units)`.
            weights: as `recurrent_weights` returns them.
        """
        raise NotImplementedError

    def recurrent_weights(self) -> tuple[tf.Tensor, ...]:
        """Returns the weights that a step uses."""
        return (self.cast(self.recurrent_kernel),)

    def gates(self, x: tf.Tensor, vectors: tf.Tensor | None) -> tf.Tensor:
        """Returns what inputs of shape `(..., batch, inputs)` and the condition of each example add to the gates."""
        gates = matmul(x, self.cast(self.kernel)) + self.cast(self.bias)
        return gates if vectors is None else gates + tf.matmul(vectors, self.cast(self.condition_kernel))

    def call(self, x, vectors=None):
        """Takes inputs of shape `(steps, batch, inputs)` and returns outputs of shape `(steps, batch, units)`."""
        return scan(self.step, self.gates(x, vectors), self.start(tf.shape(x)[1]), self.recurrent_weights())

    def start(self, batch_size: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the state before the first step."""
        return tuple(tf.zeros((batch_size, self.units), self.compute_dtype) for _ in range(self.num_states))

    def advance(self, state: tuple, x: tf.Tensor, vectors: tf.Tensor | None) -> tuple[tf.Tensor, ...]:
        """Returns the state after a step with input `x`, of shape `(batch, inputs)`."""
        return self.step(self.gates(x, vectors), state, self.recurrent_weights())

    def cast(self, weight) -> tf.Tensor:
        return tf.cast(weight, self.compute_dtype)


class SimpleLayer(RecurrentLayer):
    r"""$h_t = \tanh(W x_t + U h_{t-1} + b)$."""

    num_gates = 1

    def step(self, gates, state, weights):
        return (tf.tanh(gates + tf.matmul(state[0], weights[0])),)


class GRULayer(RecurrentLayer):
    r"""With the update gate z and the reset gate r,

    $$\tilde h_t = \tanh(W x_t + b + r_t ⊙ (U h_{t-1} + c)), \qquad h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ \tilde h_t$$
    """

    num_gates = 3

    def __init__(self, inputs: int, units: int, **kwargs):
        super().__init__(inputs, units, **kwargs)
        self.candidate_bias = self.add_weight(name="candidate_bias", shape=(units,), initializer="zeros")

    def recurrent_weights(self):
        return (*super().recurrent_weights(), self.cast(self.candidate_bias))

    def step(self, gates, state, weights):
        (hidden,), (kernel, bias) = state, weights
        update, reset, candidate = tf.split(gates, 3, axis=-1)
        to_update, to_reset, to_candidate = tf.split(tf.matmul(hidden, kernel), 3, axis=-1)
        update, reset = tf.sigmoid(update + to_update), tf.sigmoid(reset + to_reset)
        candidate = tf.tanh(candidate + reset * (to_candidate + bias))
        return (update * hidden + (1.0 - update) * candidate,)


class LSTMLayer(RecurrentLayer):
    r"""With gates o, f, i and g, $c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t$ and $h_t = o_t ⊙ \tanh(c_t)$.

    The bias of the forget gate f is initialized to 1, so that the cell remembers.
    """

    num_gates = 4
    num_states = 2

    def __init__(self, inputs: int, units: int, **kwargs):
        super().__init__(inputs, units, **kwargs)
        self.bias.assign(tf.repeat([0.0, 1.0, 0.0, 0.0], units))

    def step(self, gates, state, weights):
        hidden, cell = state
        return lstm(gates + tf.matmul(hidden, weights[0]), cell, 1)


CELLS = {"simple": SimpleLayer, "gru": GRULayer, "lstm": LSTMLayer}


class RecurrentAR(AutoregressiveModel):
    r"""A latent autoregressive model: a recurrent network summarises the past.

    $$p(x) = \prod_t p(x_t | h_t), \qquad h_t = f(x_{t-1}, h_{t-1})$$

    with the same f at every position. The conditionals are Bernoulli for two levels, categorical for more, and mixtures
    of Gaussians for real numbers; more than two levels are one-hot inputs of f. With several layers, the states of one
    layer are the inputs of the next, and a linear map of the last gives the parameters. A sample costs one step of f
    for each entry.

    Example:

    ```python
    model = keras_gen.autoregressive.RecurrentAR((784,), hidden_units=(256,), cell="gru")
    model.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0))
    model.fit(x_train, batch_size=100, epochs=20)          # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; its entries follow each other row by row.
        hidden_units: number of units of each recurrent layer.
        levels: number of levels of an entry; None for real numbers.
        cell: "simple", "gru" or "lstm".
        num_components: number of components of each mixture, for real numbers.
        num_classes: number of classes to condition on; None for an unconditional model.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        hidden_units=(128,),
        levels: int | None = 2,
        *,
        cell: str = "lstm",
        num_components: int = 10,
        num_classes: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        if not self.hidden_units:
            raise ValueError("`hidden_units` must hold the width of at least one layer, received ().")
        self.cell = checks.choice("cell", cell, tuple(CELLS))
        self.num_components = checks.positive_int("num_components", num_components)
        self.num_classes = num_classes
        self.condition_space = class_or_vector(num_classes, None)
        self.conditional = Mixture(self.num_components) if self.levels is None else over_levels(self.levels)

        inputs, policy = self.inputs_per_entry, {"dtype": self.dtype_policy}
        self.recurrent_layers = []
        for index, units in enumerate(self.hidden_units):
            layer = CELLS[cell](inputs, units, condition_size=num_classes or 0, seed=(seed, 0, index), **policy)
            self.recurrent_layers.append(layer)
            inputs = units
        outputs = self.conditional.num_parameters
        self.head = dense(inputs, outputs, glorot((seed, 1)), **policy)
        if self.levels is None:
            self.head.bias.assign(self.conditional.spread())

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        x = self.inputs(tf.transpose(tf.reshape(x, (-1, self.event_size))))
        # The input at a position is the preceding entry; at the first position it is zero.
        h = tf.pad(x[:-1], ((1, 0), (0, 0), (0, 0)))
        for layer in self.recurrent_layers:
            h = layer(h, self.condition_vectors(condition))
        return tf.transpose(tf.cast(self.head(h), tf.float32), (1, 0, 2))

    def start(self, batch_size, condition=None):
        """Returns the state of each layer, and the condition as vectors."""
        vectors = self.condition_vectors(condition)
        state = {
            "layers": [layer.start(batch_size) for layer in self.recurrent_layers],
            "vectors": () if vectors is None else vectors,
        }
        return self.advance(state, tf.zeros((batch_size, self.inputs_per_entry), self.compute_dtype))

    def parameters_at(self, state, step):
        return tf.cast(self.head(state["layers"][-1][0]), tf.float32)

    def observe(self, state, step, x):
        return self.advance(state, self.inputs(x))

    def advance(self, state, h: tf.Tensor):
        """Returns the state after one more input, of shape `(batch, inputs_per_entry)`."""
        vectors = state["vectors"] if self.num_classes else None
        layers = []
        for layer, layer_state in zip(self.recurrent_layers, state["layers"], strict=True):
            layers.append(layer.advance(layer_state, h, vectors))
            h = layers[-1][0]
        return {**state, "layers": layers}
