"""MAF and IAF: masked autoregressive flow, and inverse autoregressive flow.

Masked Autoregressive Flow for Density Estimation. George Papamakarios, Theo Pavlakou, Iain Murray (2017),
https://arxiv.org/abs/1705.07057

Improving Variational Inference with Inverse Autoregressive Flow. Diederik P. Kingma, Tim Salimans, Rafal Jozefowicz,
Xi Chen, Ilya Sutskever, Max Welling (2016), https://arxiv.org/abs/1606.04934
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.autoregressive import MADE
from keras_gen.distributions.model import ModelDistribution
from keras_gen.flows.base import FlowModel
from keras_gen.flows.bijectors import MaskedAutoregressive, affine
from keras_gen.flows.normalization import BatchNormalization
from keras_gen.networks import AutoregressiveNetwork

tfb = tfp.bijectors

#: Largest |α|. Data hardly ever come close to it. Without a bound, a draw far from the data would feed larger and
#: larger numbers into the networks of the following entries, and overflow; and a test row far from the training rows
#: could have any density: at 5, single rows of small sets cost tens of thousands of nats.
LARGEST_LOG_SCALE = 3.0


class MAF(FlowModel):
    r"""A stack of autoregressive models, each modelling the noise of the previous one.

    In each layer, an entry depends on all preceding entries in the order (equations 3 to 5 of the paper):

    $$x_i = u_i \exp α_i + μ_i, \qquad μ_i = f_{μ_i}(x_{1:i-1}), \quad α_i = f_{α_i}(x_{1:i-1})$$
    $$u_i = (x_i - μ_i) \exp(-α_i), \qquad \log \left|\det \frac{∂u}{∂x^\top}\right| = -\sum_i α_i$$

    One pass of a MADE gives all $μ_i$ and $α_i$ of data. Sampling processes the entries one after another, with a
    cache, and also costs about one pass. Each layer reverses the order of the previous one. The flow starts near the
    identity. A tanh keeps α between -3 and 3, so that samples far from the data do not overflow.

    Example:

    ```python
    model = keras_gen.flows.MAF((8,))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)                                   # real vectors of shape (rows, 8)
    model.fit(x_train, batch_size=256, epochs=50)
    model.log_prob(x_test)                                 # nats
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        num_layers: number of layers.
        hidden_units: width of each hidden layer of a layer's network.
        batch_normalization: whether each layer except the last is followed by a batch normalization (section 3.4).
        activation: activation of the hidden layers.
        seed: as in `FlowModel`; also chooses the degrees of the hidden units.
        **kwargs: as in `FlowModel`.
    """

    #: Number of parameters of the function of one entry.
    entry_parameters = 2

    #: Initial values of those parameters, up to small weights.
    initial_parameters: tuple[float, ...] = (0.0, 0.0)

    def __init__(
        self,
        event_shape,
        num_layers: int = 5,
        hidden_units=(64, 64),
        *,
        batch_normalization: bool = False,
        activation="relu",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.num_layers = checks.positive_int("num_layers", num_layers)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.batch_normalization = batch_normalization
        self.activation = activation
        orders = [np.arange(self.event_size), np.arange(self.event_size)[::-1]]
        self.networks = [
            AutoregressiveNetwork(
                orders[index % 2][np.newaxis],
                self.hidden_units,
                self.entry_parameters,
                context_size=self.vector_size,
                activation=activation,
                # Small weights: the flow starts near the identity, yet every weight has a gradient.
                output_scale=0.01,
                seed=(self.seed, index),
                dtype=self.dtype_policy,
            )
            for index in range(self.num_layers)
        ]
        for network in self.networks:
            network.output_layer.bias.assign(np.tile(self.initial_parameters, self.event_size))
        num_normalizations = self.num_layers - 1 if batch_normalization else 0
        self.normalizations = [BatchNormalization(self.event_size) for _ in range(num_normalizations)]

    # Densities

    def entry_bijector(self, parameters: tf.Tensor) -> tfb.Bijector:
        """Returns the functions of single entries, from noise to data.

        Args:
            parameters: float32 tensor of shape `(..., entry_parameters)`.
        """
        shift, log_scale = parameters[..., 0], parameters[..., 1]
        return affine(shift, LARGEST_LOG_SCALE * tf.tanh(log_scale / LARGEST_LOG_SCALE))

    def layer(self, network: AutoregressiveNetwork, condition: tf.Tensor | None) -> tfb.Bijector:
        """Returns the function of one layer, from data to noise."""
        return tfb.Invert(MaskedAutoregressive(network, self.entry_bijector, condition))

    def steps(self, condition, step=None):
        bijectors = self.flattening()
        for index, network in enumerate(self.networks):
            bijectors.append(self.layer(network, condition))
            bijectors += [layer.bijector(1, step) for layer in self.normalizations[index : index + 1]]
        return bijectors + self.unflattening()


class IAF(MAF):
    r"""The same functions in the opposite direction: fast to sample from, slow to evaluate on given data.

    In each layer, an entry of the data depends on the preceding noise (equations 9 and 10 of Kingma et al.):

    $$x_i = σ_i u_i + (1 - σ_i) m_i, \qquad m_i = f_{m_i}(u_{1:i-1}), \quad σ_i = \mathrm{sigmoid}(f_{s_i}(u_{1:i-1}))$$

    Sampling takes one pass of a MADE for each layer; a density processes the entries one after another. To train on
    data, use a bounded activation such as tanh: the noise of one entry is an input for the next, and divisions by σ let
    it grow.

    Example:

    ```python
    model = keras_gen.flows.IAF((8,), num_layers=2, activation="tanh")
    model.compile(keras.optimizers.Adam(1e-3))
    model.adapt(x_train)
    model.fit(x_train, batch_size=256, epochs=50)
    model.sample(16, seed=0)
    ```

    The arguments are those of `MAF`.
    """

    #: σ starts at sigmoid(2), as in the paper.
    initial_parameters = (0.0, 2.0)

    def entry_bijector(self, parameters):
        """Returns the functions of single entries, from data to noise."""
        return tfb.Invert(gated_entries(parameters))

    def layer(self, network, condition):
        return MaskedAutoregressive(network, self.entry_bijector, condition)


class MixtureMAF(MAF):
    r"""A MAF whose noise comes from a MADE with mixtures of Gaussians as conditionals: MAF MoG (section 3.4).

    $$\log p(x) = \log p_{MoG}(f(x)) + \log \left|\det \frac{∂f(x)}{∂x^\top}\right|$$

    Example:

    ```python
    model = keras_gen.flows.MixtureMAF((8,), num_components=10)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)
    model.fit(x_train, batch_size=256, epochs=50)
    ```

    Args:
        event_shape: as in `MAF`.
        num_layers: as in `MAF`.
        hidden_units: as in `MAF`; also used for the MADE.
        num_components: number of Gaussians in the conditional of an entry.
        **kwargs: as in `MAF`.
    """

    def __init__(self, event_shape, num_layers: int = 5, hidden_units=(64, 64), *, num_components: int = 10, **kwargs):
        super().__init__(event_shape, num_layers, hidden_units, **kwargs)
        self.num_components = checks.positive_int("num_components", num_components)
        self.mixtures = MADE(
            self.event_shape,
            self.hidden_units,
            levels=None,
            num_components=self.num_components,
            activation=self.activation,
            seed=self.seed,
            dtype=self.dtype_policy,
        )

    def base_distribution(self):
        """Returns the distribution that the MADE models."""
        return ModelDistribution(self.mixtures)

    # Sampling

    def noise_distributions(self):
        return self.mixtures.noise_distributions()

    def generate(self, noise, condition=None):
        return self.mean_of(self.mixtures.generate(noise), self.validated_condition(condition, **noise))


def gated_entries(parameters: tf.Tensor) -> tfb.Bijector:
    """Returns $σ u + (1 - σ) m$ as a function of single entries u.

    Args:
        parameters: m and the logit of σ, of shape `(..., 2)`.
    """
    gate = tf.sigmoid(parameters[..., 1])
    return tfb.Chain([tfb.Shift((1.0 - gate) * parameters[..., 0]), tfb.Scale(gate)])
