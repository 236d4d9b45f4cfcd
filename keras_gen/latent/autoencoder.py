"""Autoencoder and denoising autoencoder: codes of examples, without a density.

Geoffrey E. Hinton, Ruslan R. Salakhutdinov (2006), Reducing the Dimensionality of Data with Neural Networks,
https://doi.org/10.1126/science.1127647
Denoising: Pascal Vincent, Hugo Larochelle, Yoshua Bengio, Pierre-Antoine Manzagol (2008), Extracting and Composing
Robust Features with Denoising Autoencoders, https://doi.org/10.1145/1390156.1390294
"""

import dataclasses

import keras
import tensorflow as tf

from keras_gen import checks, seeds, spaces
from keras_gen.core import Model, Signature
from keras_gen.distributions.entries import Normal
from keras_gen.latent.base import likelihood_of_entries
from keras_gen.latent.networks import Decoder, Encoder
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot


class Autoencoder(Model):
    r"""A code z of an example, and a network that makes the example from it again.

    $$z = f(x), \qquad L = -\sum_i \log p(x_i | g(z)_i)$$

    The encoder f and the decoder g learn together to lose as little as the code allows. The loss is the cross-entropy
    for bits. For real numbers, and for more levels scaled to go from 0 to 1, it is the negative logarithm of a normal
    density of scale 1, half the squared error and a constant; with affine networks its minimum is the subspace of the
    principal components.

    There is no distribution of codes: nothing can be drawn, and no likelihood of an example follows.

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
        filters: channels of each convolution of the encoder, in front of its dense layers; each halves height
            and width, and the decoder mirrors them. They need `event_shape` (height, width, channels).
        activation: activation of the hidden layers.
        likelihood: distribution of an entry given the code, as in `VAE`; None for the losses above.
        seed: as in `Model`; also draws the initial weights.
        **kwargs: as in `Model`.
    """

    terms = ("loss", "mean_squared_error")
    usage = "model.reconstruct(x)"

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
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.filters = checks.positive_ints("filters", filters)
        self.activation = activation
        self.likelihood = likelihood
        squared = likelihood is None and self.levels != 2
        self.conditional = Normal(scale=1.0) if squared else likelihood_of_entries(likelihood, self.levels)
        #: What a 1 of the conditional stands for.
        self.unit = self.highest if squared else 1.0

        self.encoder = self.new_encoder()
        self.decoder = Decoder(
            self.latent_size, self.event_shape, self.conditional.num_parameters, seed=(seed, 1), **self.networks
        )

    @property
    def networks(self) -> dict:
        """What both networks have in common."""
        return {
            "hidden_units": self.hidden_units,
            "filters": self.filters,
            "activation": self.activation,
            "dtype": self.dtype_policy,
        }

    def new_encoder(self) -> Encoder:
        """Returns an encoder with its initial weights."""
        return Encoder(self.event_shape, self.latent_size, seed=(self.seed, 0), **self.networks)

    @property
    def highest(self) -> float:
        """The highest level, or 1 for real numbers."""
        return 1.0 if self.levels is None else self.levels - 1.0

    # Code and back

    def codes(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the codes of float32 examples, of shape `(batch, latent_size)`."""
        return tf.cast(self.encoder(x / self.highest), tf.float32)

    def parameters(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the conditional's parameters, float32 of shape `(batch, *event_shape, parameters of an entry)`."""
        return tf.cast(self.decoder(z), tf.float32)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns examples, between the levels, from the conditional's parameters."""
        mean = self.unit * self.conditional.mean(parameters)
        return mean if self.levels is None else tf.clip_by_value(mean, 0.0, self.highest)

    def encode(self, x) -> tf.Tensor:
        """Returns codes, float32 of shape `(batch, latent_size)`.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Raises:
            ValueError: if `x` is not of the expected shape and domain.
        """
        return self.codes(self.validated(x))

    def decode(self, z) -> tf.Tensor:
        """Returns the expected example.

        Args:
            z: codes of shape `(batch, latent_size)`.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`, in levels but not whole ones: for two levels it holds
            probabilities.

        Raises:
            ValueError: if `z` is not of the expected shape or not finite.
        """
        return self.mean(self.parameters(spaces.Reals().validate(z, (self.latent_size,), "z")))

    def reconstruct(self, x) -> tf.Tensor:
        """Returns `decode(encode(x))`, of the shape of `x`."""
        return self.decode(self.encode(x))

    def call(self, x):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x)

    # Objective

    def corrupted(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns what the encoder sees of float32 examples in training: the examples themselves."""
        return x

    def loss_terms(self, x, condition, *, seed, training):
        """The loss in nats, and the mean squared error of an entry, where levels go from 0 to 1."""
        parameters = self.parameters(self.codes(self.corrupted(x, seed)))
        axes = tuple(range(1, 1 + len(self.event_shape)))
        return {
            "loss": -tf.reduce_sum(self.conditional.log_prob(parameters, x / self.unit), axis=axes),
            "mean_squared_error": tf.reduce_mean(tf.square((x - self.mean(parameters)) / self.highest), axis=axes),
        }

    # What the encoder is for

    def classifier(self, num_classes: int, *, frozen: bool = False) -> keras.Model:
        """Returns a network that starts from the encoder: a copy of it, and a dense layer with a softmax.

        Args:
            num_classes: number of classes.
            frozen: whether the copy of the encoder stays as it is, so that only the dense layer learns.

        Returns:
            A model from examples to probabilities, of shape `(batch, num_classes)`, to be compiled with a loss.
        """
        encoder = self.new_encoder()
        encoder.set_weights(self.encoder.get_weights())
        encoder.trainable = not frozen
        head = dense(
            self.latent_size, checks.positive_int("num_classes", num_classes), glorot((self.seed, 2)), "float32"
        )
        x = keras.Input(self.event_shape)
        z = encoder(keras.layers.Rescaling(1.0 / self.highest)(x))
        return keras.Model(x, keras.layers.Softmax(dtype="float32")(head(z)))

    # Pictures and export

    def pictured(self, x, *, seed):
        """The reconstruction of what the encoder sees in training."""
        return self.reconstruct(self.corrupted(self.validated(x), seeds.as_pair(seed)))

    def signatures(self):
        """Returns `reconstruct`, `encode` and `decode`."""
        x = {"x": tf.TensorSpec((None, *self.event_shape), tf.float32, "x")}
        z = {"z": tf.TensorSpec((None, self.latent_size), tf.float32, "z")}
        return {
            "reconstruct": Signature(lambda x: {"x": self.reconstruct(x)}, x),
            "encode": Signature(lambda x: {"z": self.encode(x)}, x),
            "decode": Signature(lambda z: {"x": self.decode(z)}, z),
        }


class Corruption:
    """What is done to an example before a denoising autoencoder sees it; it stays in its domain."""

    def noise(self, shape: tuple, seed: tf.Tensor) -> tf.Tensor:
        """Draws the random numbers for examples of a shape, the number of examples its first entry."""
        return seeds.uniform(shape, seed)

    def apply(self, x: tf.Tensor, noise: tf.Tensor, levels: int | None) -> tf.Tensor:
        """Corrupts float32 examples, without any further randomness."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class GaussianNoise(Corruption):
    """Adds normal noise, and rounds levels to the nearest one."""

    #: Standard deviation; the range of levels has the length 1.
    scale: float = 0.3

    def __post_init__(self):
        checks.positive("scale", self.scale)

    def noise(self, shape, seed):
        return seeds.normal(shape, seed)

    def apply(self, x, noise, levels):
        if levels is None:
            return x + self.scale * noise
        return tf.clip_by_value(tf.round(x + self.scale * (levels - 1.0) * noise), 0.0, levels - 1.0)


@dataclasses.dataclass(frozen=True)
class Masking(Corruption):
    """Sets some entries to zero."""

    #: Probability that an entry is.
    rate: float = 0.3

    def __post_init__(self):
        checks.rate("rate", self.rate)

    def apply(self, x, noise, levels):
        return tf.where(noise < self.rate, 0.0, x)


@dataclasses.dataclass(frozen=True)
class SaltAndPepper(Corruption):
    """Sets some entries to the lowest or, with equal chances, to the highest level."""

    #: Probability that an entry is.
    rate: float = 0.2

    def __post_init__(self):
        checks.rate("rate", self.rate)

    def apply(self, x, noise, levels):
        x = tf.where(noise < 0.5 * self.rate, 0.0, x)
        return tf.where(noise >= 1.0 - 0.5 * self.rate, levels - 1.0, x)


@dataclasses.dataclass(frozen=True)
class Coarsening(Corruption):
    """Gives all pixels of a square the mean of it, rounded to the nearest level; so one learns to super-resolve."""

    #: Side of the square, which divides height and width of the images.
    factor: int = 2

    def __post_init__(self):
        checks.positive_int("factor", self.factor)

    def apply(self, x, noise, levels):
        if x.shape.rank != 4 or x.shape[1] % self.factor or x.shape[2] % self.factor:
            raise ValueError(
                f"`event_shape` must be (height, width, channels), both multiples of {self.factor}, to be coarsened; "
                f"received {tuple(x.shape[1:])}."
            )
        means = tf.nn.avg_pool2d(x, self.factor, self.factor, "VALID")
        means = means if levels is None else tf.round(means)
        return tf.repeat(tf.repeat(means, self.factor, axis=1), self.factor, axis=2)


CORRUPTIONS = {
    "gaussian": GaussianNoise,
    "masking": Masking,
    "salt_and_pepper": SaltAndPepper,
    "coarsening": Coarsening,
}


class DenoisingAutoencoder(Autoencoder):
    r"""An autoencoder that is to make the example itself from a corrupted one.

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
            "scale": 0.3}`, `{"name": "masking", "rate": 0.5}` or `{"name": "coarsening", "factor": 2}`; its argument
            is the standard deviation of the noise, where the range of levels has the length 1, the share of entries
            that are lost, or the side of the squares that become one colour.
        hidden_units: as in `Autoencoder`.
        filters: as in `Autoencoder`.
        activation: as in `Autoencoder`.
        likelihood: as in `Autoencoder`.
        seed: as in `Model`; also draws the initial weights.
        **kwargs: as in `Model`.
    """

    usage = "model.denoise(x)"

    def __init__(
        self,
        event_shape,
        latent_size: int = 32,
        levels: int | None = 2,
        *,
        corruption="gaussian",
        hidden_units=(200, 200),
        filters=(),
        activation="silu",
        likelihood=None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            latent_size,
            levels,
            hidden_units=hidden_units,
            filters=filters,
            activation=activation,
            likelihood=likelihood,
            seed=seed,
            **kwargs,
        )
        self.corruption = corruption
        found, arguments = checks.component("corruption", corruption, CORRUPTIONS)
        if found is SaltAndPepper and self.levels is None:
            raise ValueError("`corruption` 'salt_and_pepper' needs levels; received real numbers.")
        self.corrupts = found(**arguments)

    def corrupted(self, x, seed):
        """Returns what the encoder sees of float32 examples in training, alike for any number of replicas."""
        noise = self.replica_rows(lambda rows: self.corrupts.noise((rows, *self.event_shape), seed), tf.shape(x)[0])
        return self.corrupts.apply(x, noise, self.levels)

    def denoise(self, x) -> tf.Tensor:
        """Returns what the model takes corrupted examples for: their reconstruction.

        Args:
            x: corrupted examples of shape `(batch, *event_shape)`.

        Returns:
            float32 tensor of the shape of `x`, in levels but not whole ones.

        Raises:
            ValueError: if `x` is not of the expected shape and domain.
        """
        return self.reconstruct(x)

    def signatures(self):
        """Puts `denoise` in front of what an autoencoder exports."""
        x = {"x": tf.TensorSpec((None, *self.event_shape), tf.float32, "x")}
        return {"denoise": Signature(lambda x: {"x": self.denoise(x)}, x), **super().signatures()}
