"""Glow: generative flow with invertible 1×1 convolutions. Diederik P. Kingma, Prafulla Dhariwal (2018).

https://arxiv.org/abs/1807.03039
"""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import Step
from keras_gen.core.signatures import POSITIVE
from keras_gen.flows.base import FlowModel
from keras_gen.flows.bijectors import affine_coupling, on_second_half, on_squeezed
from keras_gen.flows.networks import CouplingNetwork, LULayer, OwnImageConditioner, check_image, default_scales
from keras_gen.flows.normalization import ActNorm
from keras_gen.networks import OwnNetwork, argument_value

tfb = tfp.bijectors
tfd = tfp.distributions


class InvertibleConvolution(LULayer):
    """A 1×1 convolution in LU form, initialized as a random rotation (section 3.2).

    Args:
        channels: number of channels.
        seed: seeds of the rotation.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, channels: int, *, seed: tuple[int, ...], **kwargs):
        random = np.random.default_rng(seed)
        rotation, _ = np.linalg.qr(random.standard_normal((channels, channels)))
        super().__init__(*lu_factors(rotation), event_ndims=3, **kwargs)


def lu_factors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Factorises a matrix, up to the signs of its columns, into a permutation and two triangular matrices.

    Returns:
        The factors in one matrix, with L below the diagonal, the logarithms of U's diagonal on it, and the rest of U
        above it; and the order π of the rows for which $W_π = L U$. L has ones on its diagonal. The signs of W's
        columns are chosen to make the diagonal of U positive.
    """
    work, order = matrix.astype(np.float64), np.arange(len(matrix))
    for column in range(len(work)):
        pivot = column + np.argmax(np.abs(work[column:, column]))
        work[[column, pivot]], order[[column, pivot]] = work[[pivot, column]], order[[pivot, column]]
        work[column + 1 :, column] /= work[column, column]
        work[column + 1 :, column + 1 :] -= np.outer(work[column + 1 :, column], work[column, column + 1 :])
    diagonal = np.diag(work)
    factors = np.tril(work, -1) + np.triu(work * np.sign(diagonal), 1)
    return factors + np.diag(np.log(np.abs(diagonal))), order


class Glow(FlowModel):
    r"""A flow of many steps at several scales of an image.

    A step is an activation normalization, a 1×1 convolution with an invertible matrix, and a coupling that scales and
    shifts half of the channels by functions of the other half (table 1 of the paper):

    $$y_{ij} = s ⊙ x_{ij} + b, \qquad y_{ij} = W x_{ij}, \qquad y_a = s(x_b) ⊙ x_a + t(x_b), \quad y_b = x_b$$

    At each of L scales, the image is squeezed, which turns 2×2 pixels into one with four times the channels; K steps
    follow; and at every scale except the last, half of the channels become noise. Couplings start as the identity.

    Example:

    ```python
    model = keras_gen.flows.Glow((28, 28, 1), temperature=0.8)
    model.compile(keras.optimizers.Adam(1e-3))
    model.adapt(x_train)                                   # levels 0..255; starts the activation normalizations
    model.fit(x_train, batch_size=64, epochs=10)
    model.log_prob_bound(x_test)                           # nats, with a standard error
    model.sample(16, seed=0)                               # at that temperature
    model.sample(16, seed=0, temperature=0.5)              # at another one
    ```

    Args:
        event_shape: (height, width, channels) of an image; height and width are divisible by 2 ** `num_scales`.
        levels: as in `FlowModel`.
        num_scales: L, the number of scales; by default 2, or 1 if an image can be squeezed only once.
        num_steps: K, the number of steps at each scale.
        filters: number of channels inside the couplings' networks.
        temperature: standard deviation of the noise of samples, unless `sample` is given another one; the density is
            that of temperature 1 (section 4).
        conditioner_network: a Keras layer or model in place of the couplings' networks except their last convolution,
            from half of the channels, and the condition's vector, to features of the same height and width. It must
            accept any height and width, since they halve from scale to scale. Each coupling gets a new instance of it.
        seed: as in `FlowModel`.
        **kwargs: as in `FlowModel`.
    """

    shared_axes = (0, 1)

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        num_scales: int | None = None,
        num_steps: int = 8,
        filters: int = 64,
        temperature: float = 1.0,
        conditioner_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        if num_scales is None:
            num_scales = max(1, default_scales(self.event_shape, 2))
        self.num_scales = checks.positive_int("num_scales", num_scales)
        self.num_steps = checks.positive_int("num_steps", num_steps)
        self.filters = checks.positive_int("filters", filters)
        self.temperature = checks.positive("temperature", temperature)
        self.conditioner_network = argument_value("conditioner_network", conditioner_network)
        check_image(self.event_shape, self.num_scales, self.num_scales)

        self.normalizations, self.convolutions, self.coupling_networks = [], [], []
        for scale in range(self.num_scales):
            # A squeeze quadruples the channels, and the next scale gets half of them.
            channels = self.event_shape[-1] * 2 ** (scale + 2)
            for step in range(self.num_steps):
                self.normalizations.append(ActNorm(channels))
                self.convolutions.append(InvertibleConvolution(channels, seed=(seed, scale, step, 0)))
                self.coupling_networks.append(self.new_network(scale, channels // 2, (seed, scale, step, 1)))

    def new_network(self, scale: int, channels: int, seed: tuple[int, ...]) -> CouplingNetwork | OwnImageConditioner:
        """Returns a new network for a coupling, which maps half of the channels at a scale to t and log s."""
        arguments = {"vector_size": self.vector_size, "seed": seed, "dtype": self.dtype_policy}
        if self.conditioner_network is None:
            return CouplingNetwork(channels, self.filters, channels, **arguments)
        height, width = (size // 2 ** (scale + 1) for size in self.event_shape[:2])
        return OwnImageConditioner(self.conditioner_network, (height, width, channels), channels, **arguments)

    # Densities

    def steps(self, condition, step=None):
        return self.steps_from(None, condition)

    def steps_from(self, start: Step | None, condition: tf.Tensor | None) -> list[tfb.Bijector]:
        """Returns what `steps` does.

        Args:
            start: step that takes the initial weights of activation normalizations, given the examples; None
                afterwards.
            condition: as in `steps`.
        """
        normalizations = [
            layer.bijector(3) if start is None else layer.start_bijector(3, start) for layer in self.normalizations
        ]
        inner = []
        for scale in reversed(range(self.num_scales)):
            bijectors = []
            for index in range(scale * self.num_steps, (scale + 1) * self.num_steps):
                bijectors += [
                    normalizations[index],
                    self.convolutions[index].bijector(),
                    self.coupling(index, condition, start),
                ]
            squeezed = on_squeezed([*bijectors, *inner])
            inner = [on_second_half(squeezed, self.event_shape[-1] * 2 ** (scale + 1))]
        return [squeezed]

    def coupling(self, index: int, condition: tf.Tensor | None, start: Step | None) -> tfb.Bijector:
        """Returns the affine coupling of a step."""
        num_channels = self.event_shape[-1] * 2 ** (index // self.num_steps + 1)
        network = functools.partial(self.coupling_networks[index], start=start)
        return affine_coupling(num_channels, False, network, condition)

    def start_step(self, x, condition, step):
        """Initializes the activation normalizations."""
        (flow,) = self.steps_from(step, condition)
        flow.forward(x)

    # Sampling

    def sampling_options(self):
        return {"temperature": float(self.temperature)}

    def scalar_checks(self, name):
        """Adds the checks of the temperature."""
        return POSITIVE if name == "temperature" else super().scalar_checks(name)

    def noise_distributions(self, temperature=None):
        scale = self.temperature if temperature is None else temperature
        return {"z": tfd.Sample(tfd.Normal(0.0, scale), self.event_shape)}
