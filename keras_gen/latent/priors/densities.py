"""Priors with a density that can be evaluated: fixed ones, learned mixtures, and any density model of the library."""

from collections.abc import Callable

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import autoregressive, checks, flows, mixtures
from keras_gen.core import DensityModel
from keras_gen.distributions.model import ModelDistribution
from keras_gen.latent.posteriors import MIN_SCALE, standard_normal
from keras_gen.layers.initializers import initializer_seed
from keras_gen.spaces import Levels, Numbers

tfb = tfp.bijectors
tfd = tfp.distributions


class Prior(keras.layers.Layer):
    """A distribution of codes, with a density.

    Args:
        latent_size: entries of a code.
        event_space: the space of an example.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    #: Whether the density of the posterior is part of the prior's.
    needs_posterior = False

    def __init__(self, latent_size: int, event_space: Numbers, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.latent_size = latent_size
        self.event_space = event_space
        self.seed = seed
        self.built = True

    def support(self) -> tfb.Bijector | None:
        """Returns a bijector from real vectors to the possible codes; None if all vectors are possible."""
        return None

    def distribution(self, posterior: Callable[[tf.Tensor], tfd.Distribution]) -> tfd.Distribution:
        """Returns p(z), of event shape `(latent_size,)`.

        Args:
            posterior: function from examples to q(z|x).
        """
        raise NotImplementedError


class StandardNormal(Prior):
    """p(z) = N(0, I)."""

    def distribution(self, posterior):
        return standard_normal(self.latent_size)


class Laplace(Prior):
    """Independent entries with location 0 and the heavier tails of the Laplace distribution.

    Args:
        scale: mean absolute value of an entry.
        **kwargs: as in `Prior`.
    """

    def __init__(self, *args, scale: float = 1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = checks.positive("scale", scale)

    def distribution(self, posterior):
        return tfd.Sample(tfd.Laplace(0.0, self.scale), self.latent_size)


class StudentT(Prior):
    """Independent entries with the tails of Student's t.

    Args:
        degrees_of_freedom: the fewer, the heavier the tails.
        **kwargs: as in `Prior`.
    """

    def __init__(self, *args, degrees_of_freedom: float = 5.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.degrees_of_freedom = checks.positive("degrees_of_freedom", degrees_of_freedom)

    def distribution(self, posterior):
        return tfd.Sample(tfd.StudentT(self.degrees_of_freedom, 0.0, 1.0), self.latent_size)


class UniformCube(Prior):
    """All codes with entries from -1 to 1, equally likely; the posterior is squeezed into the cube."""

    def support(self):
        return tfb.Sigmoid(-1.0, 1.0)

    def distribution(self, posterior):
        return tfd.Sample(tfd.Uniform(-1.0, 1.0), self.latent_size)


class GaussianMixture(Prior):
    r"""A mixture with learned weights, means and diagonal covariances, $p(z) = \sum_k π_k N(z; μ_k, σ_k^2)$.

    Args:
        num_components: number of components.
        **kwargs: as in `Prior`.
    """

    def __init__(self, *args, num_components: int = 10, **kwargs):
        super().__init__(*args, **kwargs)
        self.num_components = checks.positive_int("num_components", num_components)
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=initializer_seed(self.seed))
        shape = (self.num_components, self.latent_size)
        self.logits = self.add_weight(name="logits", shape=shape[:1], initializer="zeros", dtype="float32")
        self.means = self.add_weight(name="means", shape=shape, initializer=normal, dtype="float32")
        self.scales = self.add_weight(name="scales", shape=shape, initializer="ones", dtype="float32")

    def distribution(self, posterior):
        scales = MIN_SCALE + tf.nn.softplus(self.scales)
        components = tfd.MultivariateNormalDiag(tf.convert_to_tensor(self.means), scales)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.convert_to_tensor(self.logits)), components)


class VampPrior(Prior):
    r"""The posteriors of learned pseudo-inputs (Tomczak and Welling, 2018, https://arxiv.org/abs/1705.07120).

    $$p(z) = \frac{1}{K} \sum_{k=1}^K q_φ(z|u_k)$$

    Args:
        num_components: K.
        initial_mean: mean of the initial pseudo-inputs, with levels scaled to [0, 1].
        initial_deviation: their standard deviation.
        **kwargs: as in `Prior`.
    """

    needs_posterior = True

    def __init__(
        self,
        *args,
        num_components: int = 500,
        initial_mean: float = 0.05,
        initial_deviation: float = 0.01,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.num_components = checks.positive_int("num_components", num_components)
        self.initial_mean = initial_mean
        self.initial_deviation = initial_deviation
        self.pseudo_inputs = self.add_weight(
            name="pseudo_inputs",
            shape=(self.num_components, *self.event_space.shape),
            initializer=keras.initializers.RandomNormal(
                initial_mean, initial_deviation, seed=initializer_seed(self.seed)
            ),
            dtype="float32",
        )

    def distribution(self, posterior):
        inputs = tf.convert_to_tensor(self.pseudo_inputs)
        if isinstance(self.event_space, Levels):
            inputs = tf.clip_by_value(inputs, 0.0, 1.0)
        inputs = self.event_space.unscaled(inputs, 0.0, 1.0)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros(self.num_components)), posterior(inputs))


class ModelPrior(Prior):
    """Any density model of the library, over codes as real vectors: a normalizing flow or an autoregressive model.

    Args:
        model: family and class, such as "flows.RealNVP" or "autoregressive.RNADE".
        arguments: the model's arguments, without `event_shape`, `seed` and `dtype`.
        **kwargs: as in `Prior`.
    """

    def __init__(self, *args, model: str = "flows.RealNVP", arguments: dict | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        seed = initializer_seed(self.seed)
        self.model = density_of_codes(model, self.latent_size, **(arguments or {}), seed=seed, dtype=self.dtype_policy)

    def distribution(self, posterior):
        return ModelDistribution(self.model)


def density_of_codes(name: str, latent_size: int, **arguments) -> DensityModel:
    """Returns a density model over codes.

    Args:
        name: family and class, such as "flows.RealNVP" or "autoregressive.RNADE".
        latent_size: entries of a code.
        **arguments: arguments of the model.

    Raises:
        ValueError: if there is no density model of that name.
    """
    families = {"autoregressive": autoregressive, "flows": flows, "mixtures": mixtures}
    family, _, class_name = name.partition(".")
    model_class = getattr(families[checks.choice("model", family, families)], class_name, None)
    if model_class is None or not issubclass(model_class, DensityModel):
        raise ValueError(f"`model` must name a density model such as flows.RealNVP, received {name!r}.")
    return model_class((latent_size,), **arguments)


#: The priors that can be chosen by name.
DENSITIES = {
    "standard_normal": StandardNormal,
    "laplace": Laplace,
    "student_t": StudentT,
    "uniform_cube": UniformCube,
    "gaussian_mixture": GaussianMixture,
    "vamp_prior": VampPrior,
    "model": ModelPrior,
}
