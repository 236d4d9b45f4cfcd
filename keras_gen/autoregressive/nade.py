"""NADE: the neural autoregressive distribution estimator.

Hugo Larochelle, Iain Murray (2011), The Neural Autoregressive Distribution Estimator, AISTATS,
https://proceedings.mlr.press/v15/larochelle11a.html
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import over_levels
from keras_gen.layers.loops import block_loop, set_slice


class NADE(AutoregressiveModel):
    r"""A neural network with one hidden layer for each conditional, with shared weights.

    $$p(x_d = 1 | x_{<d}) = σ(b_d + V_{d,·}\, h_d), \qquad h_d = σ(a_d), \qquad
      a_d = c + W_{·,<d}\, x_{<d} = a_{d-1} + W_{·,d-1}\, x_{d-1}$$

    With the recursion of a, all D conditionals together cost O(DH), and so does a sample. With `levels > 2` each entry
    is one-hot encoded and each conditional is categorical.

    Example:

    ```python
    model = keras_gen.autoregressive.NADE((784,))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)          # x_train holds 0s and 1s
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; entries are ordered row by row.
        hidden_units: number H of hidden units.
        levels: number of levels of an entry.
        activation: activation of the hidden units.
        seed: as in `GenerativeModel`; also draws the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    #: Number of positions computed in parallel. Under XLA one at a time is fastest, because everything stays in the
    #: processor's cache; without XLA, launching so many small operations would take longer than the operations
    #: themselves.
    block_positions, compiled_block_positions = 16, 1
    xla_positions = 256

    def __init__(
        self,
        event_shape,
        hidden_units: int = 500,
        levels: int = 2,
        *,
        activation="sigmoid",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=checks.levels(levels), seed=seed, **kwargs)
        self.hidden_units = checks.positive_int("hidden_units", hidden_units)
        self.activation = activation
        self.activation_function = keras.activations.get(activation)
        self.conditional = over_levels(self.levels)

        # A binary entry has one input and one logit, any other entry one of each per level.
        width = self.conditional.num_parameters
        # The range of Glorot and Bengio for a layer from all entries to the hidden units.
        limit = (6.0 / (self.event_size * width + self.hidden_units)) ** 0.5
        kernels = [
            keras.initializers.RandomUniform(-limit, limit, seed=int(word))
            for word in np.random.SeedSequence(self.seed).generate_state(2)
        ]
        self.kernel = self.add_weight((self.event_size * width, self.hidden_units), kernels[0], name="kernel")
        self.hidden_bias = self.add_weight((self.hidden_units,), "zeros", name="hidden_bias")
        self.output_kernel = self.add_weight(
            (self.event_size, self.hidden_units, width), kernels[1], name="output_kernel"
        )
        self.output_bias = self.add_weight((self.event_size, width), "zeros", name="output_bias")

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        return self.logits(x, self.block_positions)

    def logits(self, x: tf.Tensor, block_positions: int) -> tf.Tensor:
        """Computes the logits of all entries, `block_positions` at a time."""
        x = self.inputs(tf.reshape(x, (-1, self.event_size)))
        weights = (tf.convert_to_tensor(weight) for weight in (self.kernel, self.hidden_bias, self.output_kernel))
        logits = recursion(x, *weights, self.activation_function, block_positions)
        return logits + tf.convert_to_tensor(self.output_bias)

    def start(self, batch_size, condition=None):
        """Returns a, the hidden units before their activation."""
        return tf.repeat(tf.convert_to_tensor(self.hidden_bias)[tf.newaxis], batch_size, axis=0)

    def parameters_at(self, state, step):
        h = self.activation_function(tf.cast(state, self.compute_dtype))
        kernel = tf.cast(tf.convert_to_tensor(self.output_kernel)[step], self.compute_dtype)
        return tf.cast(tf.matmul(h, kernel), tf.float32) + tf.convert_to_tensor(self.output_bias)[step]

    def observe(self, state, step, x):
        kernel = tf.reshape(tf.convert_to_tensor(self.kernel), (self.event_size, -1, self.hidden_units))[step]
        return state + tf.cast(tf.matmul(self.inputs(x), tf.cast(kernel, self.compute_dtype)), tf.float32)

    # Objective

    def loss_terms(self, batch, step):
        """The negative log-likelihood in nats, and in bits per dimension."""
        # Keras compiles only the training and evaluation steps, which call this.
        compiled = self.compiled and self.jit_compile
        x = batch["x"]
        logits = self.logits(x, self.compiled_block_positions if compiled else self.block_positions)
        nll = -tf.reduce_sum(self.conditional.log_prob(logits, tf.reshape(x, (-1, self.event_size))), axis=-1)
        return {"loss": nll, **self.likelihood_terms(nll)}


def recursion(
    x: tf.Tensor,
    kernel: tf.Tensor,
    hidden_bias: tf.Tensor,
    output_kernel: tf.Tensor,
    activation: Callable[[tf.Tensor], tf.Tensor],
    size: int,
) -> tf.Tensor:
    """Computes V h of all positions, with memory for the hidden units of only a few of them.

    In the forward pass, the loop over blocks of positions passes on a and keeps nothing else. The gradient goes back
    over the blocks, subtracts from a what each block had added, and recomputes the hidden units.

    Args:
        x: inputs of shape `(batch, positions, width)`; no gradient flows to them.
        kernel: W, float32 of shape `(positions * width, hidden_units)`.
        hidden_bias: c, float32 of shape `(hidden_units,)`.
        output_kernel: V, float32 of shape `(positions, hidden_units, outputs)`.
        activation: activation of the hidden units.
        size: number of positions in a block.

    Returns:
        float32 tensor of shape `(batch, positions, outputs)`.
    """
    dtype, batch_size = x.dtype, tf.shape(x)[0]
    _, positions, width = x.shape
    _, hidden_units, outputs = output_kernel.shape
    num_blocks = -(-positions // size)
    # Unused positions pad the last block to the size of the others.
    padding = num_blocks * size - positions
    # Block 0 of the inputs and of their kernel precedes the first position and holds zeros.
    x = tf.reshape(tf.pad(x, ((0, 0), (size, padding), (0, 0))), (-1, num_blocks + 1, size * width))
    x = tf.transpose(x, (1, 0, 2))
    # Whether an input of a block comes before a position of the same block.
    before = tf.constant(np.repeat(np.tri(size, k=-1), width, axis=1)[:, np.newaxis], dtype)

    def added(x, kernel):
        """Returns what inputs of a block add to a."""
        return tf.cast(tf.matmul(x, tf.cast(kernel, dtype)), tf.float32)

    def block(x, a, kernel, output_kernel):
        """Returns V h of a block, of shape `(size, batch, outputs)`."""
        a = a[tf.newaxis]
        if size > 1:
            inputs = tf.reshape(before * x, (-1, size * width))
            a += tf.reshape(added(inputs, kernel), (size, -1, hidden_units))
        h = activation(tf.cast(a, dtype))
        return tf.cast(tf.matmul(h, tf.cast(output_kernel, dtype)), tf.float32)

    @tf.custom_gradient
    def run(kernel, hidden_bias, output_kernel):
        kernels = tf.pad(kernel, ((size * width, padding * width), (0, 0)))
        kernels = tf.reshape(kernels, (num_blocks + 1, size * width, hidden_units))
        output_kernels = tf.pad(output_kernel, ((0, padding), (0, 0), (0, 0)))
        output_kernels = tf.reshape(output_kernels, (num_blocks, size, hidden_units, outputs))

        def forward(index, a, y):
            # Added before anything else uses a, so that XLA can add in place.
            a += added(x[index], kernels[index])
            outputs_of_block = block(x[index + 1], a, kernels[index + 1], output_kernels[index])
            return a, set_slice(y, index, outputs_of_block)

        a = tf.repeat(hidden_bias[tf.newaxis], batch_size, axis=0)
        y = tf.zeros(tf.stack((num_blocks, size, batch_size, outputs)))
        a, y = block_loop(num_blocks, forward, (a, y))
        a += added(x[num_blocks], kernels[num_blocks])

        def gradient(upstream):
            upstream = tf.pad(tf.transpose(upstream, (1, 0, 2)), ((0, padding), (0, 0), (0, 0)))
            upstream = tf.reshape(upstream, (num_blocks, size, -1, outputs))

            def backward(index, a, gradient_a, from_later, gradient_kernels, gradient_output_kernels):
                a -= added(x[index + 1], kernels[index + 1])
                inputs = (a, kernels[index + 1], output_kernels[index])
                with tf.GradientTape() as tape:
                    tape.watch(inputs)
                    outputs_of_block = block(x[index + 1], *inputs)
                here, kernel, output_kernel = tape.gradient(
                    outputs_of_block, inputs, upstream[index], unconnected_gradients="zero"
                )
                gradient_a += here
                return (
                    a,
                    gradient_a,
                    # The kernel of the previous block acts on this block and on all later ones.
                    tf.matmul(tf.cast(x[index], tf.float32), gradient_a, transpose_a=True),
                    set_slice(gradient_kernels, index, kernel + from_later),
                    set_slice(gradient_output_kernels, index, output_kernel),
                )

            zeros = (tf.zeros_like(values) for values in (a, kernels[0], kernels[1:], output_kernels))
            _, gradient_a, _, gradient_kernels, gradient_output_kernels = block_loop(
                num_blocks, backward, (a, *zeros), backwards=True
            )
            return (
                tf.reshape(gradient_kernels, (-1, hidden_units))[: positions * width],
                tf.reduce_sum(gradient_a, axis=0),
                tf.reshape(gradient_output_kernels, (-1, hidden_units, outputs))[:positions],
            )

        y = tf.reshape(y, (num_blocks * size, -1, outputs))[:positions]
        return tf.transpose(y, (1, 0, 2)), gradient

    return run(kernel, hidden_bias, output_kernel)
