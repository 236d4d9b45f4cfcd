"""The distributions that a model gives one entry, or one pixel, given what it has seen of the others or a code.

A network computes parameters; a conditional says what they mean. It evaluates and draws, and TFP has the densities.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

tfd = tfp.distributions


class Conditional:
    """A distribution with parameters along the last axis.

    Attributes:
        num_parameters: how many numbers a network must provide for one position.
        position_shape: shape of one position: () for an entry of its own, (channels,) for a pixel drawn as a whole.
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
        """Returns the same for an array of positions."""
        return {name: tfd.Sample(source, shape) for name, source in self.noise_distributions().items()}

    def draw(self, parameters: tf.Tensor, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Turns noise into a value of shape `(..., *position_shape)`, without any further randomness."""
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
    """A real number; the parameters are the mean and, unless it is fixed, the scale before softplus."""

    #: The standard deviation; None for a parameter of its own.
    scale: float | None = None
    #: The likelihood of continuous data has no upper limit without a least scale.
    min_scale: float = 1e-3

    @property
    def num_parameters(self) -> int:
        return 2 if self.scale is None else 1

    def split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns means and scales, each of shape `(...)`."""
        mean = parameters[..., 0]
        if self.scale is not None:
            return mean, tf.fill(tf.shape(mean), self.scale)
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
class DiscretizedLogistic(Conditional):
    """A level, drawn as a logistic number that is rounded; the lowest and the highest have all the mass beyond them.

    The parameters are location and scale before softplus, where levels go from -1 to 1.
    """

    levels: int
    min_scale: float = 1e-3
    num_parameters = 2

    def split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns locations and scales in levels, each of shape `(...)`."""
        half = (self.levels - 1) / 2.0
        scale = self.min_scale + tf.nn.softplus(parameters[..., 1])
        return half * (1.0 + parameters[..., 0]), half * scale

    def log_prob(self, parameters, x):
        location, scale = self.split(parameters)
        # The quantized distribution rounds up; half a level less rounds to the nearest.
        return tfd.QuantizedDistribution(tfd.Logistic(location - 0.5, scale), 0.0, self.levels - 1.0).log_prob(x)

    def noise_distributions(self):
        return {"uniform": tfd.Uniform()}

    def draw(self, parameters, noise):
        location, scale = self.split(parameters)
        drawn = tfd.Logistic(location - 0.5, scale).quantile(noise["uniform"])
        return tf.clip_by_value(tf.math.ceil(drawn), 0.0, self.levels - 1.0)

    def mean(self, parameters):
        """Returns the mean of the logistic number, clipped to the range, before it is rounded."""
        location, scale = self.split(parameters)
        highest = self.levels - 1.0

        def softening(distance):
            return tf.math.log1p(tf.exp(-tf.abs(distance) / scale))

        # The integral of the survival function over the range, scale · (softplus(location / scale) -
        # softplus((location - highest) / scale)), in a form that does not overflow in LiteRT.
        return tf.clip_by_value(location, 0.0, highest) + scale * (softening(location) - softening(location - highest))


@dataclasses.dataclass(frozen=True)
class Mixture(Conditional):
    """A mixture of real distributions with location and scale.

    The parameters are `num_components` logits, then as many locations, then as many scales before `scale_function`,
    to which `min_scale` is added.
    """

    num_components: int
    #: The distribution of location 0 and scale 1 that is shifted and stretched: `tfd.Normal` or `tfd.Laplace`.
    family: type[tfd.Distribution] = tfd.Normal
    min_scale: float = 1e-3
    scale_function: Callable[[tf.Tensor], tf.Tensor] = tf.nn.softplus

    @property
    def num_parameters(self) -> int:
        return 3 * self.num_components

    def spread(self) -> np.ndarray:
        """Returns parameters to start from for standardised data, of shape `(num_parameters,)`.

        The components, alike but for their locations, can then become different without any input.
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
        chosen = tf.one_hot(tf.cast(quantile(logits, noise["component"]), tf.int32), self.num_components)
        location, scale = (tf.reduce_sum(part * chosen, axis=-1) for part in (locations, scales))
        return location + scale * noise["value"]

    def mean(self, parameters):
        logits, locations, scales = self.split(parameters)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), self.family(locations, scales)).mean()


@dataclasses.dataclass(frozen=True)
class DiscretizedLogisticMixture(Conditional):
    """Pixels drawn as a whole, from a mixture of logistic distributions rounded to levels (Salimans et al., 2017).

    The parameters are, for each of `num_components` components: its logit; a location and the logarithm of a scale for
    each channel; and for each pair of channels a coefficient before tanh, by which the value of the first one moves the
    location of the second one. They have the unit in which levels go from -1 to 1. The lowest and the highest level
    have all the mass beyond them.
    """

    levels: int
    num_components: int = 10
    channels: int = 1
    min_log_scale: float = -7.0
    #: Beyond it, nearly all mass is that of the lowest and the highest level, and the mass of one of the others, a
    #: difference of two probabilities, is lost to rounding.
    max_log_scale: float = 2.0

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
        scales = 0.5 * (self.levels - 1) * tf.exp(log_scales)
        return [logits, locations, scales, tf.tanh(coefficients)]

    def location(self, locations, coefficients, channel: int, before: list[tf.Tensor]) -> tf.Tensor:
        """Returns the location, in levels, of a channel given the scaled values of those before it."""
        first = channel * (channel - 1) // 2
        location = locations[..., channel]
        for index, value in enumerate(before):
            location += coefficients[..., first + index] * value
        return 0.5 * (self.levels - 1) * (location + 1.0)

    def log_prob(self, parameters, x):
        logits, locations, scales, coefficients = self.split(parameters)
        scaled = tf.unstack(2.0 * x[..., tf.newaxis, :] / (self.levels - 1) - 1.0, axis=-1)
        given = [self.location(locations, coefficients, channel, scaled[:channel]) for channel in range(self.channels)]
        # A level is what is drawn up to half a level away from it.
        between = tfd.TransformedDistribution(tfd.Logistic(tf.stack(given, axis=-1), scales), tfp.bijectors.Shift(-0.5))
        components = tfd.Independent(tfd.QuantizedDistribution(between, 0.0, self.levels - 1.0), 1)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits[..., 0]), components).log_prob(x)

    def noise_distributions(self):
        values = tfd.Sample(tfd.Logistic(0.0, 1.0), self.position_shape)
        return {"component": tfd.Uniform(), "value": values}

    def draw(self, parameters, noise):
        logits, *parts = self.split(parameters)
        chosen = tf.one_hot(tf.cast(quantile(logits[..., 0], noise["component"]), tf.int32), self.num_components)
        locations, scales, coefficients = (tf.reduce_sum(part * chosen[..., tf.newaxis], axis=-2) for part in parts)
        values, scaled = [], []
        for channel in range(self.channels):
            location = self.location(locations, coefficients, channel, scaled)
            value = tf.math.ceil(location + scales[..., channel] * noise["value"][..., channel] - 0.5)
            values.append(tf.clip_by_value(value, 0.0, self.levels - 1.0))
            scaled.append(2.0 * values[-1] / (self.levels - 1) - 1.0)
        return tf.stack(values, axis=-1)


class Codes:
    """Whole numbers that stand for amplitudes from -1 to 1.

    Attributes:
        num_codes: how many there are, from 0 on.
    """

    num_codes: int

    def encode(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the codes of amplitudes, float32 whole numbers of the same shape."""
        raise NotImplementedError

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the amplitudes that codes stand for; `encode` gives the same codes back."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class MuLaw(Codes):
    r"""Steps that are the finer, the softer the sound (ITU-T G.711; van den Oord et al., 2016, section 2.2).

    With μ one less than the number of codes, an amplitude x is rounded to the nearest of the codes k after

    $$y = \operatorname{sign}(x) \frac{\ln(1 + μ|x|)}{\ln(1 + μ)}, \qquad k = \lfloor μ (y + 1) / 2 + 1/2 \rfloor$$

    and k stands for the amplitude of $y = 2k/μ - 1$, which is $\operatorname{sign}(y) ((1 + μ)^{|y|} - 1) / μ$.
    """

    num_codes: int = 256

    def encode(self, x):
        mu = self.num_codes - 1.0
        y = tf.sign(x) * tf.math.log(1.0 + mu * tf.abs(x)) / np.log1p(mu)
        return tf.clip_by_value(tf.floor(0.5 * mu * (y + 1.0) + 0.5), 0.0, mu)

    def decode(self, codes):
        mu = self.num_codes - 1.0
        y = 2.0 * codes / mu - 1.0
        return tf.clip_by_value(tf.sign(y) * (tf.exp(tf.abs(y) * np.log1p(mu)) - 1.0) / mu, -1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Linear(Codes):
    """Equal steps, as sound files have them: code k stands for 2k / num_codes - 1, so that half the codes is silence.

    With 65,536 codes these are the amplitudes of 16-bit files. The amplitude 1 has the highest code.
    """

    num_codes: int = 65_536

    def encode(self, x):
        return tf.clip_by_value(tf.round(0.5 * self.num_codes * (x + 1.0)), 0.0, self.num_codes - 1.0)

    def decode(self, codes):
        return 2.0 * codes / self.num_codes - 1.0


@dataclasses.dataclass(frozen=True)
class Waveform(Conditional):
    """An amplitude from -1 to 1, drawn as a code.

    `log_prob` is the logarithm of a mass, that of the amplitude's code, in nats; it is no density over amplitudes.
    Draws are amplitudes that codes stand for.
    """

    codes: Codes
    #: The conditional of the code: over levels, or over pixels of one channel.
    over_codes: Conditional

    @property
    def num_parameters(self) -> int:
        return self.over_codes.num_parameters

    def log_prob(self, parameters, x):
        codes = self.codes.encode(x)
        shape = tf.concat([tf.shape(codes), self.over_codes.position_shape], axis=0)
        return self.over_codes.log_prob(parameters, tf.reshape(codes, tf.cast(shape, tf.int32)))

    def noise_distributions(self):
        return self.over_codes.noise_distributions()

    def draw(self, parameters, noise):
        codes = self.over_codes.draw(parameters, noise)
        return self.codes.decode(tf.reshape(codes, tf.shape(parameters)[:-1]))


def over_levels(levels: int) -> Conditional:
    """Returns the conditional of an entry with `levels` levels: Bernoulli for two, else categorical."""
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
