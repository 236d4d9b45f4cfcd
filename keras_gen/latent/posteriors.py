"""Approximate posteriors q(z|x): from the output of an encoder to a distribution of codes.

Each turns standard normal noise ε into z, by a function whose parameters depend on x. So z can be drawn with external
noise, and log q(z|x) is known at the drawn codes.
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.flows.bijectors import MaskedAutoregressive, Planar, Radial, Sylvester
from keras_gen.flows.maf import IAF, gated_entries
from keras_gen.layers.triangular import filled_triangle
from keras_gen.networks import AutoregressiveNetwork

tfb = tfp.bijectors
tfd = tfp.distributions

#: Minimum standard deviation of an entry.
MIN_SCALE = 1e-3


class Posterior(keras.layers.Layer):
    """A family of distributions of codes.

    Args:
        latent_size: entries of a code.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.

    Attributes:
        num_parameters: number of outputs that an encoder must have.
    """

    num_parameters: int

    def __init__(self, latent_size: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.latent_size = latent_size
        self.seed = seed
        self.num_parameters = 2 * latent_size
        self.built = True

    def distribution(self, parameters: tf.Tensor) -> tfd.TransformedDistribution:
        """Returns q(z|x).

        Args:
            parameters: float32 tensor of shape `(batch, num_parameters)`.
        """
        raise NotImplementedError

    def transformed(self, bijectors: list[tfb.Bijector]) -> tfd.TransformedDistribution:
        """Returns the distribution of a standard normal vector after the bijectors, applied in order."""
        return tfd.TransformedDistribution(standard_normal(self.latent_size), tfb.Chain(bijectors[::-1]))


class Diagonal(Posterior):
    r"""Independent entries, $q(z|x) = N(μ(x), \mathrm{diag}\, σ^2(x))$ (Kingma and Welling, 2013)."""

    def distribution(self, parameters):
        mean, scale = tf.split(parameters, 2, axis=-1)
        return tfd.MultivariateNormalDiag(mean, MIN_SCALE + tf.nn.softplus(scale))


class FullCovariance(Posterior):
    r"""Entries that depend on each other, $q(z|x) = N(μ(x), L(x) L(x)^\top)$ with a triangular L."""

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(latent_size, **kwargs)
        self.num_parameters = latent_size + latent_size * (latent_size + 1) // 2

    def distribution(self, parameters):
        size = self.latent_size
        mean, diagonal, below = parameters[..., :size], parameters[..., size : 2 * size], parameters[..., 2 * size :]
        scale = filled_triangle(MIN_SCALE + tf.nn.softplus(diagonal), below)
        return tfd.MultivariateNormalTriL(mean, scale)


class ResidualFlow(Posterior):
    """Diagonal, followed by functions that add something to z; all their parameters depend on x.

    A subclass provides `flow`.

    Args:
        latent_size: entries of a code.
        num_flows: number of functions.
        flow_parameters: number of parameters of each function.
        **kwargs: as in `Posterior`.
    """

    def __init__(self, latent_size: int, *, num_flows: int, flow_parameters: int, **kwargs):
        super().__init__(latent_size, **kwargs)
        self.num_flows = checks.positive_int("num_flows", num_flows)
        self.num_parameters = 2 * latent_size + self.num_flows * flow_parameters

    def flow(self, parameters: tf.Tensor) -> tfb.Bijector:
        """Returns one of the functions; its parameters have shape `(batch, flow_parameters)`."""
        raise NotImplementedError

    def distribution(self, parameters):
        first, flows = parameters[..., : 2 * self.latent_size], parameters[..., 2 * self.latent_size :]
        return self.transformed([affine(first), *map(self.flow, tf.split(flows, self.num_flows, axis=-1))])


class PlanarFlow(ResidualFlow):
    r"""Diagonal, followed by planar flows (Rezende and Mohamed, 2015, https://arxiv.org/abs/1505.05770).

    $$z = f_K(… f_1(μ(x) + σ(x) ⊙ ε)), \qquad f_k(z) = z + u_k(x) \tanh(w_k(x)^\top z + b_k(x))$$

    Args:
        latent_size: entries of a code.
        num_flows: K.
        **kwargs: as in `Posterior`.
    """

    def __init__(self, latent_size: int, *, num_flows: int = 10, **kwargs):
        super().__init__(latent_size, num_flows=num_flows, flow_parameters=Planar.num_parameters(latent_size), **kwargs)

    def flow(self, parameters):
        return Planar.from_parameters(parameters)


class RadialFlow(ResidualFlow):
    r"""Diagonal, followed by radial flows (equation 14 of the same paper).

    $$f_k(z) = z + \frac{β_k(x)}{α_k(x) + \|z - c_k(x)\|} (z - c_k(x))$$

    Args:
        latent_size: entries of a code.
        num_flows: K.
        **kwargs: as in `Posterior`.
    """

    def __init__(self, latent_size: int, *, num_flows: int = 10, **kwargs):
        super().__init__(latent_size, num_flows=num_flows, flow_parameters=Radial.num_parameters(latent_size), **kwargs)

    def flow(self, parameters):
        return Radial.from_parameters(parameters)


class SylvesterFlow(ResidualFlow):
    r"""Diagonal, followed by Sylvester flows (van den Berg et al., 2018, https://arxiv.org/abs/1803.05649).

    $$f_k(z) = z + Q_k(x) R_k(x) \tanh(\tilde R_k(x) Q_k(x)^\top z + b_k(x))$$

    where $Q_k$ is a product of Householder reflections, and $R_k$ and $\tilde R_k$ are triangular.

    Args:
        latent_size: entries of a code.
        num_flows: K.
        num_reflections: number of reflections in each $Q_k$.
        **kwargs: as in `Posterior`.
    """

    def __init__(self, latent_size: int, *, num_flows: int = 4, num_reflections: int = 4, **kwargs):
        num_reflections = checks.positive_int("num_reflections", num_reflections)
        flow_parameters = Sylvester.num_parameters(latent_size, num_reflections)
        super().__init__(latent_size, num_flows=num_flows, flow_parameters=flow_parameters, **kwargs)
        self.num_reflections = num_reflections

    def flow(self, parameters):
        return Sylvester.from_parameters(parameters, self.latent_size, self.num_reflections)


class InverseAutoregressiveFlow(Posterior):
    r"""Diagonal, followed by inverse autoregressive flows (Kingma et al., 2016, https://arxiv.org/abs/1606.04934).

    $$z_0 = μ(x) + σ(x) ⊙ ε, \qquad z_t = σ_t ⊙ z_{t-1} + (1 - σ_t) ⊙ m_t, \qquad (m_t, s_t) = MADE_t(z_{t-1}, h(x))$$

    with σ_t = sigmoid(s_t). The order of the entries is reversed from one flow to the next.

    Args:
        latent_size: entries of a code.
        num_flows: number of flows.
        hidden_units: width of the hidden layer of each MADE.
        context_size: entries of h(x).
        **kwargs: as in `Posterior`.
    """

    def __init__(
        self, latent_size: int, *, num_flows: int = 2, hidden_units: int = 320, context_size: int = 64, **kwargs
    ):
        super().__init__(latent_size, **kwargs)
        self.num_flows = checks.positive_int("num_flows", num_flows)
        self.hidden_units = checks.positive_int("hidden_units", hidden_units)
        self.context_size = checks.positive_int("context_size", context_size)
        self.num_parameters = 2 * latent_size + self.context_size
        orders = [np.arange(latent_size), np.arange(latent_size)[::-1]]
        self.networks = [
            AutoregressiveNetwork(
                orders[index % 2][np.newaxis],
                (self.hidden_units,),
                2,
                context_size=self.context_size,
                activation="elu",
                # Small, so that the flow is initially close to z: σ at sigmoid(2) and m at 0.
                output_scale=0.1,
                seed=(*self.seed, index),
                dtype=self.dtype_policy,
            )
            for index in range(self.num_flows)
        ]
        for network in self.networks:
            network.output_layer.bias.assign(np.tile(IAF.initial_parameters, latent_size))

    def distribution(self, parameters):
        context = parameters[..., 2 * self.latent_size :]
        bijectors = [affine(parameters[..., : 2 * self.latent_size])]
        for network in self.networks:
            # The inverse is the direction that processes the entries one after the other.
            steps = MaskedAutoregressive(network, lambda parameters: tfb.Invert(gated_entries(parameters)), context)
            bijectors.append(tfb.Invert(steps))
        return self.transformed(bijectors)


POSTERIORS = {
    "diagonal": Diagonal,
    "full_covariance": FullCovariance,
    "planar_flow": PlanarFlow,
    "radial_flow": RadialFlow,
    "sylvester_flow": SylvesterFlow,
    "inverse_autoregressive_flow": InverseAutoregressiveFlow,
}


def standard_normal(size: int) -> tfd.Distribution:
    """Returns N(0, I) over vectors."""
    return tfd.MultivariateNormalDiag(tf.zeros(size), tf.ones(size))


def affine(parameters: tf.Tensor) -> tfb.Bijector:
    """Returns the map from ε to μ + σ ⊙ ε."""
    mean, scale = tf.split(parameters, 2, axis=-1)
    return tfb.Chain([tfb.Shift(mean), tfb.ScaleMatvecDiag(MIN_SCALE + tf.nn.softplus(scale))])


def draw_with_log_prob(posterior: tfd.TransformedDistribution, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns noise into codes, and computes their log density.

    Args:
        posterior: q(z|x), of batch shape `(batch,)`.
        noise: standard normal numbers of shape `(..., batch, latent_size)`.

    Returns:
        z, of the shape of the noise, and log q(z|x), of shape `(..., batch)`.
    """
    z = posterior.bijector.forward(noise)
    log_prob = standard_normal(noise.shape[-1]).log_prob(noise)
    return z, log_prob - posterior.bijector.forward_log_det_jacobian(noise, event_ndims=1)
