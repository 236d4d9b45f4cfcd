"""Sound amplitudes: the codes that represent them, and the distribution of an amplitude as that of its code."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gen.distributions.entries import Conditional


class AmplitudeCodes:
    """Whole numbers that represent amplitudes from -1 to 1.

    Attributes:
        num_codes: number of codes, which start at 0.
    """

    num_codes: int

    def encode(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the codes of amplitudes, float32 whole numbers of the same shape."""
        raise NotImplementedError

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the amplitudes that codes represent; `encode` inverts this exactly."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class MuLaw(AmplitudeCodes):
    r"""Steps that are finer for softer sound (ITU-T G.711; van den Oord et al., 2016, section 2.2).

    With μ one less than the number of codes, an amplitude x is rounded to the nearest code k by

    $$y = \operatorname{sign}(x) \frac{\ln(1 + μ|x|)}{\ln(1 + μ)}, \qquad k = \lfloor μ (y + 1) / 2 + 1/2 \rfloor$$

    and k represents the amplitude of $y = 2k/μ - 1$, which is $\operatorname{sign}(y) ((1 + μ)^{|y|} - 1) / μ$.
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
class Linear(AmplitudeCodes):
    """Equal steps, as in sound files: code k represents the amplitude 2k / num_codes - 1, the middle code silence.

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

    `log_prob` is the log mass of the amplitude's code, in nats, not a density over amplitudes. Samples are amplitudes
    that codes represent.
    """

    codes: AmplitudeCodes
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
