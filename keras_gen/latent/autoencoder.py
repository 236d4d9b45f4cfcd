"""Autoencoder and denoising autoencoder: codes of examples, without a density.

Geoffrey E. Hinton, Ruslan R. Salakhutdinov (2006), Reducing the Dimensionality of Data with Neural Networks,
https://doi.org/10.1126/science.1127647
Denoising: Pascal Vincent, Hugo Larochelle, Yoshua Bengio, Pierre-Antoine Manzagol (2008), Extracting and Composing
Robust Features with Denoising Autoencoders, https://doi.org/10.1145/1390156.1390294
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Codes, EventModel, Signature
from keras_gen.distributions.entries import Normal
from keras_gen.latent.base import likelihood_of_entries
from keras_gen.latent.networks import make_decoder, make_encoder
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot
from keras_gen.networks import KerasNetwork, OwnNetwork, argument_value
from keras_gen.spaces import Numbers, Reals


class Autoencoder(Codes, EventModel):
    r"""A code z of an example, and a network that reconstructs the example from it.

    $$z = f(x), \qquad L = -\sum_i \log p(x_i | g(z)_i)$$

    The encoder f and the decoder g are trained jointly to lose as little as the code allows. For bits, the loss is the
    cross-entropy. For standardised real numbers, and for more levels, scaled to [0, 1], it is the negative log density
    of a normal distribution of scale 1: half the squared error plus a constant. With affine networks, the minimum is
    the subspace of the principal components.

    There is no distribution of codes, so nothing can be drawn, and examples have no likelihood.

    Example:

    ```python
    model = keras_gen.latent.Autoencoder((28, 28, 1), latent_size=32, levels=256)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)            # x_train holds levels from 0 to 255
    model.reconstruct(x_test[:16])

    classifier = model.classifier(num_classes=10)            # a keras.Model that starts from the encoder
    classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    classifier.fit(x_train[:100], y_train[:100], epochs=50)
    ```

    Args:
        event_shape: shape of one example.
        latent_size: number of entries of z.
        levels: number of levels of an entry; None for real numbers.
        hidden_units: width of each dense hidden layer of the encoder; the decoder has them in reverse. Without
            any, and without filters, both networks are affine.
        filters: channels of each convolution of the encoder, before its dense layers; each halves height and width, and
            the decoder mirrors them. They need `event_shape` (height, width, channels).
        activation: activation of the hidden layers.
        likelihood: distribution of an entry given the code, as in `VAE`; None for the losses above.
        encoder_network: a Keras layer or model in place of the encoder, from examples, with levels scaled to [0, 1], to
            codes.
        decoder_network: the same in place of the decoder, from codes to the parameters of the likelihood, as in `VAE`:
            the logits for two levels, otherwise the scaled examples.
        **kwargs: as in `EventModel`; `seed` also chooses the initial weights.
    """

    terms = ("loss", "mean_squared_error")
    usage = "x = model.event_space.examples(4)    # or your own\nmodel.reconstruct(x)"

    def __init__(
        self,
        event_shape,
        latent_size: int = 32,
        levels: int | None = 2,
        *,
        hidden_units=(200, 200),
        filters=(),
        activation="silu",
        likelihood=None,
        encoder_network: OwnNetwork | None = None,
        decoder_network: OwnNetwork | None = None,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, **kwargs)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.filters = checks.positive_ints("filters", filters)
        self.activation = activation
        self.likelihood = likelihood
        #: Whether the conditional is a distribution of scaled entries, whose squared error is minimised.
        self.over_scaled = likelihood is None and self.levels != 2
        self.conditional = (
            Normal(scale=1.0)
            if self.over_scaled
            else likelihood_of_entries(likelihood, self.levels, self.standardization)
        )

        self.encoder_network = argument_value("encoder_network", encoder_network)
        self.decoder_network = argument_value("decoder_network", decoder_network)
        self.encoder = self.new_encoder(encoder_network)
        self.decoder = make_decoder(
            decoder_network,
            self.latent_size,
            self.event_shape,
            self.conditional.num_parameters,
            linear=not self.over_scaled and self.levels is not None,
            seed=(self.seed, 1),
            **self.networks,
        )

    @property
    def networks(self) -> dict:
        """The arguments shared by both networks."""
        return {
            "hidden_units": self.hidden_units,
            "filters": self.filters,
            "activation": self.activation,
            "dtype": self.dtype_policy,
        }

    def new_encoder(self, own: OwnNetwork | None) -> keras.layers.Layer:
        """Returns the custom encoder, if there is one, or an encoder with its initial weights."""
        return make_encoder(own, self.event_shape, self.latent_size, seed=(self.seed, 0), **self.networks)

    # Codes

    @property
    def code_space(self):
        return Reals((self.latent_size,))

    def code_of(self, x, condition):
        return tf.cast(self.encoder(self.scaled(x)), tf.float32)

    def mean_of(self, z, condition):
        return self.mean(self.parameters(z))

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples with levels scaled to [0, 1] and real numbers standardised."""
        return self.event_space.scaled(x, 0.0, 1.0)

    def parameters(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the conditional's parameters, float32 of shape `(batch, *event_shape, parameters of an entry)`."""
        return tf.cast(self.decoder(z), tf.float32)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns the expected examples, within the range of the levels, from the conditional's parameters."""
        mean = self.conditional.mean(parameters)
        if not self.over_scaled:
            return mean
        mean = mean if self.levels is None else tf.clip_by_value(mean, 0.0, 1.0)
        return self.event_space.unscaled(mean, 0.0, 1.0)

    def call(self, x):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x)

    # Objective

    def corrupted(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns what the encoder sees of float32 examples in training: the examples themselves."""
        return x

    def loss_terms(self, batch, step):
        """The loss in nats, and the mean squared error of an entry, with levels scaled to [0, 1]."""
        x = batch["x"]
        parameters = self.parameters(self.code_of(self.corrupted(x, step.seed), None))
        axes = tuple(range(1, 1 + len(self.event_shape)))
        observed = self.scaled(x) if self.over_scaled else x
        return {
            "loss": -tf.reduce_sum(self.conditional.log_prob(parameters, observed), axis=axes),
            "mean_squared_error": tf.reduce_mean(
                tf.square(self.scaled(x) - self.scaled(self.mean(parameters))), axis=axes
            ),
        }

    # Classification

    def classifier(self, num_classes: int, *, frozen: bool = False) -> keras.Model:
        """Returns a network that starts from the encoder: a copy of it, followed by a dense layer with a softmax.

        Args:
            num_classes: number of classes.
            frozen: whether the copy of the encoder is kept fixed, so that only the dense layer learns.

        Returns:
            A model from examples to probabilities, of shape `(batch, num_classes)`, to be compiled with a loss.
        """
        encoder = self.new_encoder(self.encoder_network)
        encoder.set_weights(self.encoder.get_weights())
        encoder = encoder.layer if isinstance(encoder, KerasNetwork) else encoder
        encoder.trainable = not frozen
        head = dense(
            self.latent_size, checks.positive_int("num_classes", num_classes), glorot((self.seed, 2)), "float32"
        )
        x = keras.Input(self.event_shape)
        if self.standardization is None:
            scaled = keras.layers.Rescaling(self.scaled(1.0))(x)
        else:
            axes = tuple(range(1, 1 + len(self.event_shape)))
            location, scale = (np.asarray(w) for w in (self.standardization.location, self.standardization.scale))
            scaled = keras.layers.Normalization(axes, mean=location, variance=scale**2)(x)
        z = encoder(scaled)
        return keras.Model(x, keras.layers.Softmax(dtype="float32")(head(z)))

    # Pictures and export

    def preview(self, batch, *, seed):
        """Examples and their reconstructions."""
        x = self.validated(batch["x"])
        return {"input": (self.event_space, x), "output": (self.event_space, self.reconstruct(x))}

    def signatures(self):
        """Puts `reconstruct` first."""
        signatures = super().signatures()
        return {"reconstruct": signatures["reconstruct"], **signatures}


class Corruption:
    """How an example is corrupted before a denoising autoencoder sees it; the result stays in the example's space."""

    def noise(self, shape: tuple, seed: tf.Tensor) -> tf.Tensor:
        """Draws the random numbers for examples of a shape whose first entry is their number."""
        return seeds.uniform(shape, seed)

    def apply(self, x: tf.Tensor, noise: tf.Tensor, space: Numbers) -> tf.Tensor:
        """Corrupts float32 examples of a space, without further randomness."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class GaussianNoise(Corruption):
    """Adds normal noise, and rounds levels to the nearest one."""

    #: Standard deviation, with levels scaled to [0, 1] and real numbers standardised.
    scale: float = 0.3

    def __post_init__(self):
        checks.positive("scale", self.scale)

    def noise(self, shape, seed):
        return seeds.normal(shape, seed)

    def apply(self, x, noise, space):
        return space.nearest(space.unscaled(space.scaled(x, 0.0, 1.0) + self.scale * noise, 0.0, 1.0))


@dataclasses.dataclass(frozen=True)
class Masking(Corruption):
    """Sets some entries to zero, or to their mean for real numbers."""

    #: Probability that an entry is set.
    rate: float = 0.3

    def __post_init__(self):
        checks.rate("rate", self.rate)

    def apply(self, x, noise, space):
        return tf.where(noise < self.rate, space.unscaled(0.0, 0.0, 1.0), x)


@dataclasses.dataclass(frozen=True)
class SaltAndPepper(Corruption):
    """Sets some entries to the lowest or, equally often, the highest level."""

    #: Probability that an entry is set to either.
    rate: float = 0.2

    def __post_init__(self):
        checks.rate("rate", self.rate)

    def apply(self, x, noise, space):
        x = tf.where(noise < 0.5 * self.rate, 0.0, x)
        return tf.where(noise >= 1.0 - 0.5 * self.rate, space.unscaled(1.0, 0.0, 1.0), x)


@dataclasses.dataclass(frozen=True)
class Coarsening(Corruption):
    """Replaces all pixels of a square by their mean, rounded to the nearest level; undoing it is super-resolution."""

    #: Side of the square, which divides height and width of the images.
    factor: int = 2

    def __post_init__(self):
        checks.positive_int("factor", self.factor)

    def apply(self, x, noise, space):
        if x.shape.rank != 4 or x.shape[1] % self.factor or x.shape[2] % self.factor:
            raise ValueError(
                f"`event_shape` must be (height, width, channels), both multiples of {self.factor}, to be coarsened; "
                f"received {tuple(x.shape[1:])}."
            )
        means = space.nearest(tf.nn.avg_pool2d(x, self.factor, self.factor, "VALID"))
        return tf.repeat(tf.repeat(means, self.factor, axis=1), self.factor, axis=2)


CORRUPTIONS = {
    "gaussian": GaussianNoise,
    "masking": Masking,
    "salt_and_pepper": SaltAndPepper,
    "coarsening": Coarsening,
}


class DenoisingAutoencoder(Autoencoder):
    r"""An autoencoder that learns to reconstruct an example from a corrupted one.

    $$\tilde x \sim q(\tilde x | x), \qquad L = -\sum_i \log p(x_i | g(f(\tilde x))_i)$$

    Under the squared error the best g(f(·)) is the posterior mean E[x | x̃].

    Example:

    ```python
    model = keras_gen.latent.DenoisingAutoencoder(
        (28, 28, 1), latent_size=64, levels=256, corruption={"name": "gaussian", "scale": 0.3}
    )
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)            # the clean examples
    model.denoise(x_noisy)
    ```

    Args:
        event_shape: as in `Autoencoder`.
        latent_size: as in `Autoencoder`.
        levels: as in `Autoencoder`.
        corruption: "gaussian", "masking", "salt_and_pepper" or "coarsening", or a dict such as `{"name": "gaussian",
            "scale": 0.3}`, `{"name": "masking", "rate": 0.5}` or `{"name": "coarsening", "factor": 2}`. Its argument is
            the standard deviation of the noise, with levels scaled to [0, 1] and real numbers standardised; the
            fraction of entries that are lost; or the side of the squares that become one colour.
        **kwargs: as in `Autoencoder`.
    """

    usage = "x = model.event_space.examples(4)    # or your own\nmodel.denoise(x)"

    def __init__(self, event_shape, latent_size: int = 32, levels: int | None = 2, *, corruption="gaussian", **kwargs):
        super().__init__(event_shape, latent_size, levels, **kwargs)
        self.corruption = corruption
        corruption_class, arguments = checks.component("corruption", corruption, CORRUPTIONS)
        if corruption_class is SaltAndPepper and self.levels is None:
            raise ValueError("`corruption` 'salt_and_pepper' needs levels; received real numbers.")
        self.corrupts = corruption_class(**arguments)

    def corrupted(self, x, seed):
        """Returns what the encoder sees of float32 examples in training; all replicas draw for the global batch."""
        noise = seeds.replica_rows(lambda rows: self.corrupts.noise((rows, *self.event_shape), seed), tf.shape(x)[0])
        return self.corrupts.apply(x, noise, self.event_space)

    def denoise(self, x) -> tf.Tensor:
        """Returns clean examples, as the model reconstructs them from corrupted ones.

        Args:
            x: corrupted examples of shape `(batch, *event_shape)`.

        Returns:
            float32 tensor of the shape of `x`, on the scale of the levels but not rounded.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        return self.reconstruct(x)

    def preview(self, batch, *, seed):
        """Corrupted examples, their reconstructions, and the examples themselves."""
        x = self.validated(batch["x"])
        rows = super().preview({"x": self.corrupted(x, seeds.as_pair(seed))}, seed=seed)
        return {**rows, "target": (self.event_space, x)}

    def signatures(self):
        """Puts `denoise` before what an autoencoder exports."""
        return {"denoise": Signature(lambda x: {"x": self.denoise(x)}, self.specs("x")), **super().signatures()}
