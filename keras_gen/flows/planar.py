"""Planar and radial flows.

Variational Inference with Normalizing Flows. Danilo Jimenez Rezende, Shakir Mohamed (2015),
https://arxiv.org/abs/1505.05770
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.flows.base import FlowModel
from keras_gen.flows.bijectors import Planar, Radial
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot

tfb = tfp.bijectors

#: The number whose softplus is 1.
SOFTPLUS_ONE = math.log(math.e - 1.0)


class PlanarFlow(FlowModel):
    r"""A sequence of planar functions from noise to data (equations 10 to 13 of the paper).

    $$x = f_K ∘ … ∘ f_1(z_0), \qquad f_k(z) = z + u_k \tanh(w_k^\top z + b_k)$$
    $$\log p(x) = \log p_Z(z_0) - \sum_k \log |1 + u_k^\top w_k \tanh'(w_k^\top z_{k-1} + b_k)|$$

    Each expands or contracts space across a plane. The paper maps noise to data; the density of data needs the inverse,
    which Newton's method finds along the one direction in which a function moves points. If there is a condition, all
    parameters of all functions are affine functions of it. The flow starts near the identity.

    Example:

    ```python
    model = keras_gen.flows.PlanarFlow((2,), num_layers=32)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)                                   # real vectors of shape (rows, 2)
    model.fit(x_train, batch_size=256, epochs=50)
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        num_layers: K, the number of functions.
        seed: as in `FlowModel`.
        **kwargs: as in `FlowModel`.
    """

    def __init__(self, event_shape, num_layers: int = 8, *, seed: int = 0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.num_layers = checks.positive_int("num_layers", num_layers)
        first = np.stack([self.first_parameters(np.random.default_rng((seed, k))) for k in range(self.num_layers)])
        self.layer_parameters = self.add_weight(shape=first.shape, name="layer_parameters", autocast=False)
        self.layer_parameters.assign(first)
        self.condition_layer = None
        if self.condition_space is not None:
            self.condition_layer = dense(
                self.vector_size, first.size, glorot((seed, 0), 0.1), self.dtype_policy, use_bias=False
            )

    # Primitives

    def first_parameters(self, random: np.random.Generator) -> np.ndarray:
        """Returns the initial parameters of a function."""
        normal = random.standard_normal(self.event_size)
        w = normal / np.linalg.norm(normal)
        # Close to the u whose correction makes û = 0.
        u = SOFTPLUS_ONE * w + 0.01 * random.standard_normal(self.event_size)
        return np.concatenate([u, w, random.standard_normal(1)])

    def layer(self, parameters: tf.Tensor) -> tfb.Bijector:
        """Returns a function from noise to data.

        Args:
            parameters: float32 tensor of the shape of `first_parameters`, or with one such row for each example.
        """
        return Planar.from_parameters(parameters)

    # Densities

    def steps(self, condition, step=None):
        parameters = tf.convert_to_tensor(self.layer_parameters)
        if condition is not None:
            shape = (-1, *self.layer_parameters.shape)
            parameters += tf.reshape(tf.cast(self.condition_layer(condition), tf.float32), shape)
        layers = [self.layer(parameters[..., k, :]) for k in range(self.num_layers)]
        return [*self.flattening(), *map(tfb.Invert, layers[::-1]), *self.unflattening()]


class RadialFlow(PlanarFlow):
    r"""Radial functions from noise to data (equation 14 of the paper).

    $$f_k(z) = z + β_k h(α_k, r) (z - c_k), \qquad h(α, r) = \frac{1}{α + r}, \quad r = \|z - c_k\|$$

    Each expands or contracts space around a point; the inverse has a closed form.

    Example:

    ```python
    model = keras_gen.flows.RadialFlow((2,), num_layers=32)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)
    model.fit(x_train, batch_size=256, epochs=50)
    ```

    The arguments are those of `PlanarFlow`.
    """

    def first_parameters(self, random):
        centre = random.standard_normal(self.event_size)
        # α = 1, and close to the β whose correction makes β̂ = 0.
        return np.concatenate([centre, [SOFTPLUS_ONE], SOFTPLUS_ONE + 0.01 * random.standard_normal(1)])

    def layer(self, parameters):
        return Radial.from_parameters(parameters)
