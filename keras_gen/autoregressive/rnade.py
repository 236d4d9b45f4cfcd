"""RNADE: the real-valued neural autoregressive density estimator.

Benigno Uria, Iain Murray, Hugo Larochelle (2013), https://arxiv.org/abs/1306.0186
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import Mixture

tfd = tfp.distributions

FAMILIES = {"gaussian": tfd.Normal, "laplace": tfd.Laplace}


class RNADE(AutoregressiveModel):
    r"""A NADE for real numbers, whose conditionals are mixtures of Gaussians or of Laplace distributions.

    $$p(x_d | x_{<d}) = \sum_k α_{d,k}\, N(x_d; μ_{d,k}, σ_{d,k}^2)$$
    $$α_d = softmax(V_d^α h_d + b_d^α), \qquad μ_d = V_d^μ h_d + b_d^μ, \qquad σ_d = \exp(V_d^σ h_d + b_d^σ)$$
    $$h_d = \max(0, ρ_d\, a_d), \qquad a_1 = c, \qquad a_{d+1} = a_d + x_d W_{·,d}$$

    The factors ρ_d compensate for the growth of a with d. As in the paper, a training step multiplies the gradient of
    each μ by its σ: otherwise a narrow component would move much too far.

    A scale is never smaller than a thousandth of an entry's standard deviation, which keeps the density of data with
    repeated values finite.

    Example:

    ```python
    model = keras_gen.autoregressive.RNADE((11,))
    model.compile(keras.optimizers.AdamW(3e-3, weight_decay=0.1), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=100)         # real vectors of shape (rows, 11)
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example; entries are ordered row by row.
        hidden_units: number of hidden units.
        num_components: number of components of each mixture.
        component: their distribution, "gaussian" or "laplace".
        activation: activation of the hidden units.
        seed: as in `GenerativeModel`; also draws the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        hidden_units: int = 50,
        num_components: int = 10,
        *,
        component: str = "gaussian",
        activation="relu",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=None, seed=seed, **kwargs)
        self.hidden_units = checks.positive_int("hidden_units", hidden_units)
        self.num_components = checks.positive_int("num_components", num_components)
        self.component = checks.choice("component", component, FAMILIES)
        self.activation = activation
        self.activation_function = keras.activations.get(activation)
        self.conditional = Mixture(self.num_components, FAMILIES[component], scale_function=tf.exp)

        size, width = self.event_size, self.conditional.num_parameters
        seeds = [int(word) for word in np.random.SeedSequence(self.seed).generate_state(2)]
        # As in the authors' code. With larger weights, training fits dependences between entries before the mixtures
        # have found the distribution of each single entry.
        normals = [keras.initializers.RandomNormal(stddev=0.01, seed=seed) for seed in seeds]
        self.kernel = self.add_weight((size, self.hidden_units), normals[0], name="kernel")
        self.hidden_bias = self.add_weight((self.hidden_units,), "zeros", name="hidden_bias")
        self.factors = self.add_weight((size,), "ones", name="factors")
        self.output_kernel = self.add_weight((size, self.hidden_units, width), normals[1], name="output_kernel")
        self.output_bias = self.add_weight((size, width), "zeros", name="output_bias")
        self.output_bias.assign(np.tile(self.conditional.spread(), (size, 1)))

    # Primitives

    def parameters(self, x, condition=None, *, step=None):
        x = tf.transpose(tf.reshape(x, (-1, self.event_size)))[..., tf.newaxis]
        added = x * tf.convert_to_tensor(self.kernel)[:, tf.newaxis]
        # An exclusive cumulative sum, as a matrix product: XLA has no fast one.
        before = tf.constant(np.tri(self.event_size, k=-1), tf.float32)
        a = tf.reshape(tf.matmul(before, tf.reshape(added, (self.event_size, -1))), tf.shape(added))
        a += tf.convert_to_tensor(self.hidden_bias)
        parameters = self.outputs(
            a,
            tf.convert_to_tensor(self.factors)[:, tf.newaxis, tf.newaxis],
            tf.convert_to_tensor(self.output_kernel),
            tf.convert_to_tensor(self.output_bias)[:, tf.newaxis],
        )
        return tf.transpose(parameters, (1, 0, 2))

    def outputs(self, a: tf.Tensor, factor: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        """Computes the mixtures' parameters, float32, from a: for one entry, or for all along the first axis."""
        h = self.activation_function(tf.cast(factor * a, self.compute_dtype))
        return tf.cast(tf.matmul(h, tf.cast(kernel, self.compute_dtype)), tf.float32) + bias

    def start(self, batch_size, condition=None):
        """Returns a."""
        return tf.repeat(tf.convert_to_tensor(self.hidden_bias)[tf.newaxis], batch_size, axis=0)

    def parameters_at(self, state, step):
        weights = (self.factors, self.output_kernel, self.output_bias)
        return self.outputs(state, *(tf.convert_to_tensor(weight)[step] for weight in weights))

    def observe(self, state, step, x):
        return state + x[:, tf.newaxis] * tf.convert_to_tensor(self.kernel)[step]

    # Objective

    def log_prob_in_step(self, x, condition, step):
        """As in `AutoregressiveModel`; in training, the gradient of each location is multiplied by its scale."""
        parameters = self.parameters(x, condition)
        if step is not None:
            logits, locations, scales = tf.split(parameters, 3, axis=-1)
            scaled = tf.stop_gradient(self.conditional.split(parameters)[2]) * locations
            locations = scaled + tf.stop_gradient(locations - scaled)
            parameters = tf.concat([logits, locations, scales], axis=-1)
        x = tf.reshape(x, (-1, self.event_size))
        return tf.reduce_sum(self.conditional.log_prob(parameters, x), axis=-1)
