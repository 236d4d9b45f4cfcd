"""Neural spline flows, as couplings and as autoregressive models.

Neural Spline Flows. Conor Durkan, Artur Bekasov, Iain Murray, George Papamakarios (2019),
https://arxiv.org/abs/1906.04032
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.flows.base import FlowModel
from keras_gen.flows.bijectors import Coupling, RationalQuadratic
from keras_gen.flows.maf import MAF
from keras_gen.flows.networks import LULayer, OwnConditioner
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.networks import OwnNetwork, argument_value

tfb = tfp.bijectors


class LULinear(LULayer):
    """An invertible linear map of the entries, initialized as a random permutation (section 3.2).

    Args:
        size: number of entries.
        seed: seeds of the order.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, size: int, seed: tuple[int, ...], **kwargs):
        super().__init__(np.zeros((size, size)), np.random.default_rng(seed).permutation(size), event_ndims=1, **kwargs)


class ResidualNetwork(keras.layers.Layer):
    """A dense layer, residual blocks of two dense layers, and a dense layer to the outputs (appendix B.1).

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        units: width of the blocks.
        num_blocks: number of blocks.
        activation: activation before each dense layer in a block.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        units: int,
        num_blocks: int,
        activation,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.activation_function = keras.activations.get(activation)
        self.first = dense(num_inputs, units, glorot((*seed, 0)), self.dtype_policy)
        self.blocks = [
            [dense(units, units, glorot((*seed, block, place)), self.dtype_policy) for place in (1, 2)]
            for block in range(num_blocks)
        ]
        # Small weights: the flow starts near the identity, yet every weight has a gradient.
        self.last = dense(units, num_outputs, glorot((*seed, num_blocks), scale=0.01), self.dtype_policy)
        self.built = True

    def call(self, x):
        h = self.first(x)
        for inner, outer in self.blocks:
            h += outer(self.activation_function(inner(self.activation_function(h))))
        return self.last(self.activation_function(h))


class NeuralSplineFlow(FlowModel):
    r"""A flow of rational-quadratic splines, as couplings, from data to standard normal noise: RQ-NSF (C).

    A coupling keeps one half of the entries and maps each entry of the other half by a monotonic spline. The widths and
    heights of its K bins and the slopes at its knots are functions of the first half (section 3.1):

    $$θ = NN(x_{1:d-1}), \qquad y_i = g_{θ_i}(x_i) \ \text{for}\ i ≥ d, \qquad y_{1:d-1} = x_{1:d-1}$$
    $$\log \left|\det \frac{∂y}{∂x^\top}\right| = \sum_{i ≥ d} \log g_{θ_i}'(x_i)$$

    `RationalQuadratic` defines g: a spline on [-B, B], and the identity outside. Each coupling is preceded by a linear
    map in LU form, initialized as a random permutation. Apart from the permutations, f starts near the identity.

    Example:

    ```python
    model = keras_gen.flows.NeuralSplineFlow((8,))
    model.compile(keras.optimizers.Adam(5e-4), jit_compile=True)
    model.adapt(x_train)                                   # real vectors of shape (rows, 8)
    model.fit(x_train, batch_size=256, epochs=50)
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example, with at least two entries.
        num_layers: number of couplings.
        units: width of the couplings' networks.
        num_blocks: number of residual blocks in each network.
        num_bins: K.
        bound: B, in standard deviations of the data if the model was adapted.
        activation: activation of the networks.
        conditioner_network: a Keras layer or model in place of the residual blocks, from the kept entries, followed by
            the condition's vector, to a vector; a dense layer follows. Each coupling gets a new instance of it.
        **kwargs: as in `FlowModel`.
    """

    def __init__(
        self,
        event_shape,
        num_layers: int = 5,
        units: int = 64,
        *,
        num_blocks: int = 2,
        num_bins: int = 8,
        bound: float = 3.0,
        activation="relu",
        conditioner_network: OwnNetwork | None = None,
        **kwargs,
    ):
        super().__init__(event_shape, **kwargs)
        self.check_two_entries()
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.units = checks.positive_int("units", units)
        self.num_blocks = checks.positive_int("num_blocks", num_blocks)
        self.num_bins, self.bound = checked_spline(num_bins, bound)
        self.activation = activation

        self.conditioner_network = argument_value("conditioner_network", conditioner_network)

        self.num_kept = self.event_size // 2
        self.linear_layers = [LULinear(self.event_size, (self.seed, index, 1)) for index in range(self.num_layers)]
        self.networks = [self.make_network((self.seed, index)) for index in range(self.num_layers)]

    def make_network(self, seed: tuple[int, ...]) -> keras.layers.Layer:
        """Returns a new network for a coupling."""
        sizes = self.num_kept + self.vector_size, (self.event_size - self.num_kept) * (3 * self.num_bins - 1)
        if self.conditioner_network is not None:
            return OwnConditioner(self.conditioner_network, *sizes, seed, dtype=self.dtype_policy)
        return ResidualNetwork(*sizes, self.units, self.num_blocks, self.activation, seed=seed, dtype=self.dtype_policy)

    # Densities

    def coupling(self, network: keras.layers.Layer, condition: tf.Tensor | None) -> tfb.Bijector:
        """Returns one coupling, from data to noise."""

        def splines(kept):
            parameters = network(append_condition(tf.cast(kept, self.compute_dtype), condition))
            shape = (-1, self.event_size - self.num_kept, 3 * self.num_bins - 1)
            return RationalQuadratic(tf.reshape(tf.cast(parameters, tf.float32), shape), self.bound)

        return Coupling(self.num_kept, True, splines)

    def steps(self, condition, step=None):
        bijectors = self.flattening()
        for linear, network in zip(self.linear_layers, self.networks, strict=True):
            bijectors += [linear.bijector(), self.coupling(network, condition)]
        return bijectors + self.unflattening()


class MaskedSplineFlow(MAF):
    r"""The same splines in autoregressive form, where each depends on all preceding entries: RQ-NSF (AR).

    $$u_i = g_{θ_i}(x_i), \qquad θ_i = NN_i(x_{1:i-1}), \qquad
      \log \left|\det \frac{∂u}{∂x^\top}\right| = \sum_i \log g_{θ_i}'(x_i)$$

    One pass of a MADE gives all parameters for data; sampling processes the entries one after another. As in the
    coupling form, each layer is preceded by a linear map in LU form.

    Example:

    ```python
    model = keras_gen.flows.MaskedSplineFlow((8,))
    model.compile(keras.optimizers.Adam(5e-4), jit_compile=True)
    model.adapt(x_train)
    model.fit(x_train, batch_size=256, epochs=50)
    ```

    Args:
        event_shape: as in `MAF`.
        num_layers: as in `MAF`.
        hidden_units: as in `MAF`.
        num_bins: as in `NeuralSplineFlow`.
        bound: as in `NeuralSplineFlow`.
        **kwargs: as in `MAF`.
    """

    def __init__(
        self,
        event_shape,
        num_layers: int = 5,
        hidden_units=(64, 64),
        *,
        num_bins: int = 8,
        bound: float = 3.0,
        **kwargs,
    ):
        self.num_bins, self.bound = checked_spline(num_bins, bound)
        super().__init__(event_shape, num_layers, hidden_units, **kwargs)
        self.linear_layers = [LULinear(self.event_size, (self.seed, index, 1)) for index in range(self.num_layers)]

    @property
    def entry_parameters(self) -> int:
        return 3 * self.num_bins - 1

    @property
    def initial_parameters(self) -> tuple[float, ...]:
        """The parameters of the identity."""
        return (0.0,) * self.entry_parameters

    # Densities

    def entry_bijector(self, parameters):
        return tfb.Invert(RationalQuadratic(parameters, self.bound))

    def layer(self, network, condition):
        index = self.networks.index(network)
        # A chain applies its last bijector first.
        return tfb.Chain([super().layer(network, condition), self.linear_layers[index].bijector()])


def checked_spline(num_bins: int, bound: float) -> tuple[int, float]:
    """Returns the arguments of a spline, or raises an error that says what is wrong with them."""
    num_bins = checks.positive_int("num_bins", num_bins)
    if not 2 <= num_bins <= 100:
        raise ValueError(f"`num_bins` must be between 2 and 100, received {num_bins}.")
    return num_bins, checks.positive("bound", bound)
