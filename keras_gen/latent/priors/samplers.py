"""Fixed priors that are only drawn from, to which an adversarial autoencoder fits its codes."""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.latent.priors.densities import density_of_codes

tfd = tfp.distributions


class Sampler(keras.layers.Layer):
    """A distribution of codes that can be drawn from, as a whole or, if it has modes, from one of them.

    A code is a function only of noise and, if there is one, of the label of its mode.

    Args:
        latent_size: entries of a code.
    """

    #: Number of modes that a code can be drawn from; None if there are none.
    num_modes: int | None = None

    def __init__(self, latent_size: int):
        super().__init__(trainable=False)
        self.latent_size = latent_size
        self.built = True

    def noise_distributions(self) -> dict[str, tfd.Distribution]:
        """Returns the distribution, for one code, of each named source of randomness."""
        raise NotImplementedError

    def codes(self, noise: dict[str, tf.Tensor], labels: tf.Tensor | None = None) -> tf.Tensor:
        """Turns noise into codes.

        Args:
            noise: draws of the `noise_distributions`, `num` of each.
            labels: int32 tensor of shape `(num,)`: the mode that each code is drawn from, -1 for any mode. None draws
                all codes from any mode.

        Returns:
            float32 tensor of shape `(num, latent_size)`.
        """
        raise NotImplementedError


class Normal(Sampler):
    """Independent normal entries of mean 0.

    Args:
        latent_size: entries of a code.
        scale: standard deviation of an entry.
    """

    def __init__(self, latent_size: int, *, scale: float = 1.0):
        super().__init__(latent_size)
        self.scale = checks.positive("scale", scale)

    def noise_distributions(self):
        return {"normal": tfd.Sample(tfd.Normal(0.0, 1.0), self.latent_size)}

    def codes(self, noise, labels=None):
        return self.scale * noise["normal"]


class Uniform(Sampler):
    """Independent entries, uniform between a bound and its negative.

    Args:
        latent_size: entries of a code.
        bound: largest absolute value of an entry.
    """

    def __init__(self, latent_size: int, *, bound: float = 1.0):
        super().__init__(latent_size)
        self.bound = checks.positive("bound", bound)

    def noise_distributions(self):
        return {"uniform": tfd.Sample(tfd.Uniform(-1.0, 1.0), self.latent_size)}

    def codes(self, noise, labels=None):
        return self.bound * noise["uniform"]


class PlaneSampler(Sampler):
    """A distribution over the plane, with equally probable modes.

    Args:
        latent_size: entries of a code: 2.
        num_modes: number of modes.

    Raises:
        ValueError: if `latent_size` is not 2, or there is no mode.
    """

    def __init__(self, latent_size: int, *, num_modes: int):
        if latent_size != 2:
            raise ValueError(f"`latent_size` must be 2 for a prior over the plane, received {latent_size}.")
        super().__init__(latent_size)
        self.num_modes = checks.positive_int("num_modes", num_modes)

    def modes(self, uniform: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Returns the mode of each code, as float32: its label or, if that is -1, the one chosen by `uniform`."""
        chosen = tf.minimum(tf.floor(uniform * self.num_modes), self.num_modes - 1.0)
        return chosen if labels is None else tf.where(labels < 0, chosen, tf.cast(labels, tf.float32))


class Ring(PlaneSampler):
    r"""A mixture of Gaussians around a ring, each longer along the radius than across it.

    With the angle $α_k = 2πk / K$, component k is a normal distribution with mean $(radius, 0)$ and standard deviations
    `length` and `width`, rotated by $α_k$.

    Args:
        latent_size: entries of a code: 2.
        num_modes: number K of components, its modes.
        radius: distance of the means from the origin.
        length: standard deviation along the radius.
        width: standard deviation across it.
    """

    def __init__(
        self,
        latent_size: int,
        *,
        num_modes: int = 10,
        radius: float = 4.0,
        length: float = 1.0,
        width: float = 0.4,
    ):
        super().__init__(latent_size, num_modes=num_modes)
        self.radius = checks.positive("radius", radius)
        self.length = checks.positive("length", length)
        self.width = checks.positive("width", width)

    def noise_distributions(self):
        return {"mode": tfd.Uniform(), "place": tfd.Sample(tfd.Normal(0.0, 1.0), 2)}

    def codes(self, noise, labels=None):
        angle = self.modes(noise["mode"], labels) * (2.0 * math.pi / self.num_modes)
        along = self.radius + self.length * noise["place"][:, 0]
        across = self.width * noise["place"][:, 1]
        cosine, sine = tf.cos(angle), tf.sin(angle)
        return tf.stack([along * cosine - across * sine, along * sine + across * cosine], axis=-1)


class SwissRoll(PlaneSampler):
    r"""A spiral, cut into arcs of equal length in the parameter u, uniform in [0, 1), that runs along it.

    $$z = r(u) (\cos 2πtu, \sin 2πtu) + ε, \qquad r(u) = radius \cdot (1 + tu) / (1 + t), \qquad ε ~ N(0, width^2 I)$$

    where t is the number of turns.

    Args:
        latent_size: entries of a code: 2.
        num_modes: number of arcs, its modes.
        radius: distance of the outer end from the origin.
        turns: number t of turns.
        width: standard deviation around the spiral.
    """

    def __init__(
        self,
        latent_size: int,
        *,
        num_modes: int = 10,
        radius: float = 6.0,
        turns: float = 2.0,
        width: float = 0.15,
    ):
        super().__init__(latent_size, num_modes=num_modes)
        self.radius = checks.positive("radius", radius)
        self.turns = checks.positive("turns", turns)
        self.width = checks.positive("width", width)

    def noise_distributions(self):
        return {"mode": tfd.Uniform(), "along": tfd.Uniform(), "around": tfd.Sample(tfd.Normal(0.0, 1.0), 2)}

    def codes(self, noise, labels=None):
        turned = self.turns * (self.modes(noise["mode"], labels) + noise["along"]) / self.num_modes
        radius = self.radius * (1.0 + turned) / (1.0 + self.turns)
        angle = 2.0 * math.pi * turned
        spiral = radius[:, tf.newaxis] * tf.stack([tf.cos(angle), tf.sin(angle)], axis=-1)
        return spiral + self.width * noise["around"]


class ModelSampler(Sampler):
    """A density model of the library over codes, such as a previously trained normalizing flow.

    Its weights, which are kept fixed, are saved with the autoencoder. They are taken from a trained model with the same
    arguments by `aae.prior_sampler.model.set_weights(flow.get_weights())`.

    Args:
        latent_size: entries of a code.
        model: family and class, such as "flows.MAF" or "autoregressive.RNADE".
        arguments: the model's arguments, without `event_shape`.
    """

    def __init__(self, latent_size: int, *, model: str = "flows.RealNVP", arguments: dict | None = None):
        super().__init__(latent_size)
        self.model = density_of_codes(model, latent_size, **(arguments or {}))
        self.model.trainable = False

    def noise_distributions(self):
        return self.model.noise_distributions()

    def codes(self, noise, labels=None):
        return self.model.generate(noise)


#: The priors that can be chosen by name.
SAMPLERS = {"normal": Normal, "uniform": Uniform, "ring": Ring, "swiss_roll": SwissRoll, "model": ModelSampler}
