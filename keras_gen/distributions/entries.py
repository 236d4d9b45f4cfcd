"""Distributions of one entry, or of one pixel, given the output of a network.

A network computes parameters, and a conditional defines what they mean: it evaluates and draws. Densities come from
TFP.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from keras_gen.core.standardization import Standardization
from keras_gen.spaces import Levels

tfd = tfp.distributions


class Conditional:
    """A distribution with parameters along the last axis.

    Attributes:
        num_parameters: number of parameters of one position.
        position_shape: shape of one position: () for a single entry, (channels,) for a pixel drawn as a whole.
    """

    num_parameters: int
    position_shape: tuple[int, ...] = ()

    def log_prob(self, parameters: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Computes the log density, or log mass.

        Args:
            parameters: float32 tensor of shape `(..., num_parameters)`.
            x: float32 tensor of shape `(..., *position_shape)`.

        Returns:
            float32 tensor of shape `(...)`, in nats.
        """
        raise NotImplementedError

    def noise_distributions(self) -> dict[str, tfd.Distribution]:
        """Returns the distribution, for one position, of each named source of randomness."""
        raise NotImplementedError

    def noise_of(self, shape: tuple[int, ...]) -> dict[str, tfd.Distribution]:
        """Returns the noise of an array of positions."""
        return {name: tfd.Sample(source, shape) for name, source in self.noise_distributions().items()}

    def draw(self, parameters: tf.Tensor, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Turns noise into a value of shape `(..., *position_shape)`, without further randomness."""
        raise NotImplementedError

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns the expected value, of shape `(..., *position_shape)`."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Bernoulli(Conditional):
    """A bit; its parameter is the logit of 1."""

    num_parameters = 1

    def log_prob(self, parameters, x):
        return tfd.Bernoulli(logits=parameters[..., 0]).log_prob(x)

    def noise_distributions(self):
        return {"uniform": tfd.Uniform()}

    def draw(self, parameters, noise):
        return tf.cast(noise["uniform"] < tf.sigmoid(parameters[..., 0]), tf.float32)

    def mean(self, parameters):
        return tf.sigmoid(parameters[..., 0])


@dataclasses.dataclass(frozen=True)
class Categorical(Conditional):
    """One of `levels` whole numbers; the parameters are their logits."""

    levels: int

    @property
    def num_parameters(self) -> int:
        return self.levels

    def log_prob(self, parameters, x):
        # One-hot, because LiteRT lacks an operator that TFP's other form needs.
        return tfd.OneHotCategorical(logits=parameters, dtype=tf.float32).log_prob(
            tf.one_hot(tf.cast(x, tf.int32), self.levels)
        )

    def noise_distributions(self):
        return {"uniform": tfd.Uniform()}

    def draw(self, parameters, noise):
        return quantile(parameters, noise["uniform"])

    def mean(self, parameters):
        return tf.linalg.matvec(tf.nn.softmax(parameters), tf.range(float(self.levels)))


@dataclasses.dataclass(frozen=True)
class Normal(Conditional):
    """A real number; the parameters are the mean and, unless the scale is fixed, the scale before softplus."""

    #: The standard deviation; None if it is a parameter.
    scale: float | None = None
    #: Without a minimum scale, the likelihood of continuous data is unbounded.
    min_scale: float = 1e-3

    @property
    def num_parameters(self) -> int:
        return 2 if self.scale is None else 1

    def split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns means and scales, each of shape `(...)`."""
        mean = parameters[..., 0]
        if self.scale is not None:
            return mean, self.scale * tf.ones_like(mean)
        return mean, self.min_scale + tf.nn.softplus(parameters[..., 1])

    def log_prob(self, parameters, x):
        return tfd.Normal(*self.split(parameters)).log_prob(x)

    def noise_distributions(self):
        return {"normal": tfd.Normal(0.0, 1.0)}

    def draw(self, parameters, noise):
        mean, scale = self.split(parameters)
        return mean + scale * noise["normal"]

    def mean(self, parameters):
        return parameters[..., 0]


@dataclasses.dataclass(frozen=True)
class InUnit(Conditional):
    """A distribution of standardised real numbers as one of the unscaled numbers, over all entries of an example."""

    #: The distribution; a fixed scale is in the data's units.
    conditional: Conditional
    #: The unit that a model took from its data.
    unit: Standardization

    @property
    def num_parameters(self) -> int:
        return self.conditional.num_parameters

    @property
    def standardized(self) -> Conditional:
        """The distribution of standardised numbers."""
        scale = getattr(self.conditional, "scale", None)
        if scale is None:
            return self.conditional
        return dataclasses.replace(self.conditional, scale=scale / self.unit.scale.value)

    def log_prob(self, parameters, x):
        return self.standardized.log_prob(parameters, self.unit.forward(x)) - tf.math.log(self.unit.scale.value)

    def noise_distributions(self):
        return self.conditional.noise_distributions()

    def draw(self, parameters, noise):
        return self.unit.inverse(self.standardized.draw(parameters, noise))

    def mean(self, parameters):
        return self.unit.inverse(self.standardized.mean(parameters))


@dataclasses.dataclass(frozen=True)
class DiscretizedLogistic(Conditional):
    """A level, drawn from a logistic and rounded; the lowest and the highest level take all the mass beyond them.

    The parameters are the location and the scale before softplus, in the unit in which levels range from -1 to 1.
    """

    levels: int
    min_scale: float = 1e-3
    num_parameters = 2

    def split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns locations and scales in levels, each of shape `(...)`."""
        space = Levels((), self.levels)
        scale = self.min_scale + tf.nn.softplus(parameters[..., 1])
        return space.unscaled(parameters[..., 0]), space.unscaled(scale, 0.0, 2.0)

    def log_prob(self, parameters, x):
        location, scale = self.split(parameters)
        # The quantized distribution rounds up; subtracting half a level rounds to the nearest.
        return tfd.QuantizedDistribution(tfd.Logistic(location - 0.5, scale), 0.0, self.levels - 1.0).log_prob(x)

    def noise_distributions(self):
        return {"uniform": tfd.Uniform()}

    def draw(self, parameters, noise):
        location, scale = self.split(parameters)
        value = tfd.Logistic(location - 0.5, scale).quantile(noise["uniform"])
        return tf.clip_by_value(tf.math.ceil(value), 0.0, self.levels - 1.0)

    def mean(self, parameters):
        """Returns the mean of the logistic number, clipped to the range, before rounding."""
        location, scale = self.split(parameters)
        highest = self.levels - 1.0

        def softening(distance):
            return tf.math.log1p(tf.exp(-tf.abs(distance) / scale))

        # This is the integral of the survival function over the range, scale · (softplus(location / scale) -
        # softplus((location - highest) / scale)), in a form that does not overflow in LiteRT.
        return tf.clip_by_value(location, 0.0, highest) + scale * (softening(location) - softening(location - highest))


@dataclasses.dataclass(frozen=True)
class Mixture(Conditional):
    """A mixture of location-scale distributions of real numbers.

    The parameters are `num_components` logits, then as many locations, then as many scales; scales are passed through
    `scale_function`, and `min_scale` is added.
    """

    num_components: int
    #: The distribution with location 0 and scale 1 that is shifted and scaled: `tfd.Normal` or `tfd.Laplace`.
    family: type[tfd.Distribution] = tfd.Normal
    min_scale: float = 1e-3
    scale_function: Callable[[tf.Tensor], tf.Tensor] = tf.nn.softplus

    @property
    def num_parameters(self) -> int:
        return 3 * self.num_components

    def spread(self) -> np.ndarray:
        """Returns initial parameters for standardised data, of shape `(num_parameters,)`.

        The components differ in their locations, so that they can develop differently even without any input.
        """
        locations = stats.norm.ppf((np.arange(self.num_components) + 0.5) / self.num_components)
        return np.concatenate([0.0 * locations, locations, 0.0 * locations])

    def split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns logits, locations and scales, each of shape `(..., num_components)`."""
        logits, locations, scales = tf.split(parameters, 3, axis=-1)
        return logits, locations, self.min_scale + self.scale_function(scales)

    def log_prob(self, parameters, x):
        logits, locations, scales = self.split(parameters)
        components = self.family(locations, scales)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), components).log_prob(x)

    def noise_distributions(self):
        return {"component": tfd.Uniform(), "value": self.family(0.0, 1.0)}

    def draw(self, parameters, noise):
        logits, locations, scales = self.split(parameters)
        component = tf.one_hot(tf.cast(quantile(logits, noise["component"]), tf.int32), self.num_components)
        location, scale = (tf.reduce_sum(values * component, axis=-1) for values in (locations, scales))
        return location + scale * noise["value"]

    def mean(self, parameters):
        logits, locations, scales = self.split(parameters)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), self.family(locations, scales)).mean()


@dataclasses.dataclass(frozen=True)
class DiscretizedLogisticMixture(Conditional):
    """Pixels drawn as a whole, from a mixture of logistic distributions rounded to levels (Salimans et al., 2017).

    The parameters are, for each of `num_components` components: its logit; a location and the logarithm of a scale for
    each channel; and, for each pair of channels, a coefficient before tanh, by which the value of the first channel
    shifts the location of the second one. The unit is the one in which levels range from -1 to 1. The lowest and the
    highest level take all the mass beyond them.
    """

    levels: int
    num_components: int = 10
    channels: int = 1
    min_log_scale: float = -7.0
    #: Beyond it, the lowest and the highest level take nearly all the mass, and the mass of any other level, a
    #: difference of two probabilities, is lost to rounding.
    max_log_scale: float = 2.0

    @property
    def space(self) -> Levels:
        """The space of a pixel."""
        return Levels(self.position_shape, self.levels)

    @property
    def position_shape(self) -> tuple[int, ...]:
        return (self.channels,)

    @property
    def num_parameters(self) -> int:
        return self.num_components * (1 + 2 * self.channels + self.channels * (self.channels - 1) // 2)

    def split(self, parameters: tf.Tensor) -> list[tf.Tensor]:
        """Returns logits, locations, scales in levels and coefficients, of shape `(..., num_components, count)`."""
        counts = (1, self.channels, self.channels, self.channels * (self.channels - 1) // 2)
        shape = tf.concat([tf.shape(parameters)[:-1], (self.num_components, sum(counts))], axis=0)
        logits, locations, log_scales, coefficients = tf.split(tf.reshape(parameters, shape), counts, axis=-1)
        log_scales = tf.clip_by_value(log_scales, self.min_log_scale, self.max_log_scale)
        return [logits, locations, self.space.unscaled(tf.exp(log_scales), 0.0, 2.0), tf.tanh(coefficients)]

    def location(self, locations, coefficients, channel: int, before: list[tf.Tensor]) -> tf.Tensor:
        """Returns the location, in levels, of a channel given the scaled values of the preceding channels."""
        first = channel * (channel - 1) // 2
        location = locations[..., channel]
        for index, value in enumerate(before):
            location += coefficients[..., first + index] * value
        return self.space.unscaled(location)

    def log_prob(self, parameters, x):
        logits, locations, scales, coefficients = self.split(parameters)
        scaled = tf.unstack(self.space.scaled(x[..., tf.newaxis, :]), axis=-1)
        moved = [self.location(locations, coefficients, channel, scaled[:channel]) for channel in range(self.channels)]
        # Numbers up to half a level away are rounded to a level.
        between = tfd.TransformedDistribution(tfd.Logistic(tf.stack(moved, axis=-1), scales), tfp.bijectors.Shift(-0.5))
        components = tfd.Independent(tfd.QuantizedDistribution(between, 0.0, self.levels - 1.0), 1)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits[..., 0]), components).log_prob(x)

    def noise_distributions(self):
        values = tfd.Sample(tfd.Logistic(0.0, 1.0), self.position_shape)
        return {"component": tfd.Uniform(), "value": values}

    def draw(self, parameters, noise):
        logits, *others = self.split(parameters)
        component = tf.one_hot(tf.cast(quantile(logits[..., 0], noise["component"]), tf.int32), self.num_components)
        locations, scales, coefficients = (
            tf.reduce_sum(numbers * component[..., tf.newaxis], axis=-2) for numbers in others
        )
        values, scaled = [], []
        for channel in range(self.channels):
            location = self.location(locations, coefficients, channel, scaled)
            value = tf.math.ceil(location + scales[..., channel] * noise["value"][..., channel] - 0.5)
            values.append(tf.clip_by_value(value, 0.0, self.levels - 1.0))
            scaled.append(self.space.scaled(values[-1]))
        return tf.stack(values, axis=-1)


def over_levels(levels: int) -> Conditional:
    """Returns the conditional of an entry with `levels` levels: Bernoulli for two, categorical for more."""
    return Bernoulli() if levels == 2 else Categorical(levels)


def quantile(logits: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Inverts the distribution function of a categorical distribution.

    Args:
        logits: shape `(..., levels)`.
        uniform: shape `(...)`, numbers from 0 to 1.

    Returns:
        float32 tensor of shape `(...)` with whole numbers `0..levels-1`.
    """
    below = tf.cumsum(tf.nn.softmax(logits), axis=-1)[..., :-1]
    return tf.reduce_sum(tf.cast(uniform[..., tf.newaxis] >= below, tf.float32), axis=-1)
