"""AAE: the adversarial autoencoder.

Alireza Makhzani, Jonathon Shlens, Navdeep Jaitly, Ian Goodfellow, Brendan Frey (2015), Adversarial Autoencoders,
https://arxiv.org/abs/1511.05644
"""

from collections.abc import Callable

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds, spaces
from keras_gen.adversarial import losses
from keras_gen.core import Phases, Signature, weighted_values
from keras_gen.latent.networks import Decoder, Encoder
from keras_gen.latent.priors.samplers import TARGETS
from keras_gen.spaces import ClassLabel

tfd = tfp.distributions


class MatchedAutoencoder(Phases):
    """An autoencoder whose codes are trained to look, to discriminators, like draws from a fixed distribution.

    A subclass provides `code_size`, `codes`, `prior_codes`, `noise_distributions` and `logits`, and calls
    `build_networks` at the end of its constructor.

    Each training step is a step of the autoencoder on its reconstruction, one of the discriminators, and one of the
    encoder, which plays the generator. Logged are the loss of each of these phases, and as "loss" their sum, which
    tells that one of them is not finite but not how good the model is.

    Args:
        event_shape: shape of one example.
        latent_size: entries of z.
        levels: number of levels of an entry, which networks see spread over [0, 1]; None for real numbers.
        prior: distribution of z: a name in `keras_gen.latent.targets.TARGETS`, or a dict of "name" and arguments.
        hidden_units: width of each dense hidden layer of the encoder; the decoder has them in reverse.
        filters: channels of each convolution of the encoder, in front of its dense layers; each halves height and
            width, and the decoder mirrors them. They need `event_shape` (height, width, channels).
        discriminator_units: width of each hidden layer of a discriminator.
        activation: activation of all hidden layers.
        reconstruction: what the autoencoder minimises, summed over the entries of an example: "squared_error", half
            the squared difference, where levels are spread over [0, 1]; or "cross_entropy", for levels alone.
        input_noise: standard deviation of normal noise on what the encoder sees in training.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    terms = ("loss", "reconstruction_loss", "discriminator_loss", "generator_loss")

    def __init__(
        self,
        event_shape,
        latent_size: int,
        levels: int | None,
        *,
        prior,
        hidden_units,
        filters,
        discriminator_units,
        activation,
        reconstruction: str,
        input_noise: float,
        seed: int,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.prior = prior
        target, arguments = checks.component("prior", prior, TARGETS)
        self.target = target(self.latent_size, **arguments)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.filters = checks.positive_ints("filters", filters)
        self.discriminator_units = checks.positive_ints("discriminator_units", discriminator_units)
        self.activation = activation
        self.reconstruction = checks.choice("reconstruction", reconstruction, ("squared_error", "cross_entropy"))
        if self.levels is None and reconstruction == "cross_entropy":
            raise ValueError("`reconstruction` must be 'squared_error' for real numbers, received 'cross_entropy'.")
        self.input_noise = checks.not_negative("input_noise", input_noise)

    def build_networks(self, outputs: int, discriminators: list[tuple[int, int]]):
        """Builds all networks.

        Args:
            outputs: numbers that the encoder returns.
            discriminators: entries of the part of a code that each discriminator sees, and of the vector that it
                sees beside it.
        """
        options = {"activation": self.activation, "dtype": self.dtype_policy}
        mirrored = {"hidden_units": self.hidden_units, "filters": self.filters, **options}
        self.encoder = Encoder(self.event_shape, outputs, seed=(self.seed, 0), name="encoder", **mirrored)
        self.decoder = Decoder(self.code_size, self.event_shape, 1, seed=(self.seed, 1), name="decoder", **mirrored)
        self.discriminators = [
            Encoder(
                (size,),
                1,
                hidden_units=self.discriminator_units,
                condition_size=condition_size,
                seed=(self.seed, 2, index),
                name=f"discriminator_{index}",
                **options,
            )
            for index, (size, condition_size) in enumerate(discriminators)
        ]

    # Codes

    @property
    def code_size(self) -> int:
        """Entries of a code."""
        raise NotImplementedError

    def codes(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the encoder's codes, float32 of shape `(batch, code_size)`, of scaled examples."""
        raise NotImplementedError

    def prior_codes(self, noise: dict[str, tf.Tensor], condition) -> tf.Tensor:
        """Returns codes drawn from the prior.

        Args:
            noise: draws of `noise_distributions`.
            condition: labels that the codes are drawn for, or None.

        Returns:
            float32 tensor of shape `(num, code_size)`.
        """
        raise NotImplementedError

    def logits(self, codes: tf.Tensor, condition) -> tf.Tensor:
        """Computes each discriminator's logit that a code is drawn from the prior.

        Args:
            codes: float32 tensor of shape `(batch, code_size)`.
            condition: labels that the codes belong to, or None.

        Returns:
            float32 tensor of shape `(batch, number of discriminators)`.
        """
        raise NotImplementedError

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples as networks see them: levels go from 0 to 1."""
        return x if self.levels is None else x / (self.levels - 1.0)

    def decoded(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns what the decoder makes of codes, of shape `(batch, *event_shape)`; logits if there are levels."""
        return tf.cast(self.decoder(codes)[..., 0], tf.float32)

    def encode(self, x) -> tf.Tensor:
        """Returns codes of shape `(batch, code_size)`.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Raises:
            ValueError: if `x` is not of the expected shape and domain.
        """
        return self.codes(self.scaled(self.validated(x)))

    def decode(self, z) -> tf.Tensor:
        """Returns the examples that codes stand for.

        Args:
            z: codes of shape `(batch, code_size)`.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`, in levels but not whole ones.

        Raises:
            ValueError: if `z` is not of the expected shape or not finite.
        """
        decoded = self.decoded(spaces.Reals().validate(z, (self.code_size,), "z"))
        return decoded if self.levels is None else (self.levels - 1.0) * tf.sigmoid(decoded)

    def reconstruct(self, x) -> tf.Tensor:
        """Returns `decode(encode(x))`, of the shape of `x`."""
        return self.decode(self.encode(x))

    def call(self, x):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x)

    def predict_step(self, data):
        """Reconstructs a batch; labels, where it has some, are not needed."""
        return self(keras.utils.unpack_x_y_sample_weight(data)[0])

    # Sampling

    def generate(self, noise, condition=None):
        x = self.decode(self.prior_codes(noise, self.validated_condition(condition)))
        return x if self.levels is None else tf.round(x)

    # Objective

    def objectives(
        self, x: tf.Tensor, condition, *, seed: tf.Tensor, training: bool
    ) -> dict[str, Callable[[], dict[str, tf.Tensor]]]:
        """Returns the phases of a step, in order, each as a function that computes its terms.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: their labels, or None.
            seed: int32 tensor of shape (2,), the step's randomness.
            training: whether this is a training step.
        """
        clean, inputs = self.scaled(x), self.inputs(x, seed, training)
        noise = self.replica_rows(lambda rows: self.noise(rows, seed), tf.shape(x)[0])
        drawn = self.prior_codes(noise, condition)
        return {
            "reconstruction": lambda: self.reconstruction_terms(inputs, clean),
            "discriminator": lambda: self.discriminator_terms(drawn, self.codes(inputs), condition),
            "generator": lambda: self.generator_terms(self.codes(inputs), condition),
        }

    def inputs(self, x: tf.Tensor, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns what the encoder sees: scaled examples, in training with noise."""
        if not training or self.input_noise == 0.0:
            return self.scaled(x)
        # The noise of the prior has the seed itself.
        seed = tf.random.experimental.stateless_fold_in(seed, 1)
        return self.scaled(x) + self.input_noise * self.replica_rows(
            lambda rows: seeds.normal((rows, *self.event_shape), seed), tf.shape(x)[0]
        )

    def reconstruction_terms(self, inputs: tf.Tensor, clean: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the error of the reconstruction, of shape `(batch,)`, from scaled examples with noise and without."""
        decoded = self.decoded(self.codes(inputs))
        if self.reconstruction == "cross_entropy":
            error = tf.nn.sigmoid_cross_entropy_with_logits(clean, decoded)
        else:
            error = 0.5 * tf.square(clean - (decoded if self.levels is None else tf.sigmoid(decoded)))
        return {"reconstruction_loss": tf.reduce_sum(error, axis=tuple(range(1, 1 + len(self.event_shape))))}

    def discriminator_terms(self, drawn: tf.Tensor, codes: tf.Tensor, condition) -> dict[str, tf.Tensor]:
        """Returns what the discriminators minimise, of shape `(batch,)`, on draws of the prior and on codes."""
        loss = losses.discriminator_cross_entropy(self.logits(drawn, condition), self.logits(codes, condition))
        return {"discriminator_loss": tf.reduce_sum(loss, axis=-1)}

    def generator_terms(self, codes: tf.Tensor, condition) -> dict[str, tf.Tensor]:
        """Returns what the encoder minimises to have its codes taken for draws of the prior, of shape `(batch,)`."""
        return {"generator_loss": tf.reduce_sum(losses.non_saturating(self.logits(codes, condition)), axis=-1)}

    def loss_terms(self, x, condition, *, seed, training):
        """The terms of all phases, without a step of any."""
        terms = {}
        for compute in self.objectives(x, condition, seed=seed, training=training).values():
            terms.update(compute())
        return self.with_sum(terms)

    def with_sum(self, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the terms, and as "loss" the sum of the phases' losses."""
        losses_of_phases = [weighted_values(terms[f"{phase}_loss"]) for phase in self.phase_variables()]
        return {"loss": tf.add_n(losses_of_phases), **terms}

    # Training

    def compile(
        self,
        reconstruction_optimizer=None,
        discriminator_optimizer=None,
        generator_optimizer=None,
        *,
        jit_compile: bool = False,
        **kwargs,
    ):
        """As `keras.Model.compile`, with an optimizer for each phase.

        Callbacks that change the learning rate see the optimizer of the reconstruction, as `model.optimizer`.

        Args:
            reconstruction_optimizer: optimizer of encoder and decoder, or its name. None stands for Adam with learning
                rate 3e-4: codes keep to the prior where the reconstruction learns more slowly than the players.
            discriminator_optimizer: optimizer of the discriminators, or its name. None stands for Adam with learning
                rate 1e-3 and beta_1 0.5.
            generator_optimizer: the same, of the encoder against the discriminators.
            jit_compile: whether to compile the training step with XLA. On a CPU, dense networks gain by it and
                convolutional ones lose.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if two phases are given one optimizer.
        """
        optimizers = self.optimizers(reconstruction_optimizer, discriminator_optimizer, generator_optimizer)
        self.compile_phases(optimizers, jit_compile=jit_compile, **kwargs)

    def optimizers(self, reconstruction, discriminator, generator) -> dict:
        """Returns the optimizer of each phase, with the defaults of `compile` in place of None."""
        return {
            "reconstruction": reconstruction or keras.optimizers.Adam(3e-4),
            "discriminator": discriminator or keras.optimizers.Adam(1e-3, beta_1=0.5),
            "generator": generator or keras.optimizers.Adam(1e-3, beta_1=0.5),
        }

    def phase_variables(self):
        encoder = self.encoder.trainable_variables
        return {
            "reconstruction": encoder + self.decoder.trainable_variables,
            "discriminator": [variable for network in self.discriminators for variable in network.trainable_variables],
            "generator": encoder,
        }

    def train_step(self, data):
        """A step of each phase; `data` is `x` or `(x, condition)`."""
        x, condition = self.unpack(data)
        terms = {}
        for phase, compute in self.objectives(x, condition, seed=self.next_seed(), training=True).items():
            terms.update(self.take_step(phase, compute))
        return self.logged(self.with_sum(terms))

    # Export

    def signatures(self):
        """Adds `encode`, `decode` and `reconstruct` to what every model exports."""
        x = tf.TensorSpec((None, *self.event_shape), tf.float32, "x")
        z = tf.TensorSpec((None, self.code_size), tf.float32, "z")
        return {
            **super().signatures(),
            "encode": Signature(lambda x: {"z": self.encode(x)}, {"x": x}),
            "decode": Signature(lambda z: {"x": self.decode(z)}, {"z": z}),
            "reconstruct": Signature(lambda x: {"x": self.reconstruct(x)}, {"x": x}),
        }


class AdversarialAutoencoder(MatchedAutoencoder):
    r"""An autoencoder whose aggregated posterior q(z) is fitted to a prior p(z) by a discriminator on codes.

    $$q(z) = E_{p_d(x)}[q(z|x)], \qquad z = E(x), \qquad \hat x = D(z)$$

    A training step minimises in turn the reconstruction error of E and D, the cross-entropy of the discriminator A
    that tells draws of the prior from codes, and the loss of the encoder that A takes its codes for such draws:

    $$\tfrac{1}{2} \|x - D(E(x))\|^2, \qquad -\log A(z_p) - \log(1 - A(E(x))), \qquad -\log A(E(x))$$

    With A at its optimum, the second one is $\log 4 - 2 JSD(p(z) \| q(z))$: the game takes the place of the
    divergence in the loss of a VAE, and of the prior it needs draws alone.

    With `num_classes`, examples come with labels from 0 on, or -1 for those whose label is unknown (section 2.3 of the
    paper). A sees the label beside the code, one-hot with one more class for unknown, and the prior is drawn from
    the label's part, or, if it is unknown, from all: each class gets its region of the prior.

    Example:

    ```python
    model = keras_gen.latent.AdversarialAutoencoder((28, 28, 1), latent_size=8, prior={"name": "normal", "scale": 5.0})
    model.compile(jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=50)            # x_train holds levels 0..255
    model.sample(16, seed=0)
    model.encode(x_test)

    model = keras_gen.latent.AdversarialAutoencoder((28, 28, 1), latent_size=2, prior="ring", num_classes=10)
    model.compile(jit_compile=True)
    model.fit(x_train, y_train, batch_size=100, epochs=50)   # y_train holds 0..9, and -1 where it is unknown
    model.sample(10, condition=np.arange(10))
    ```

    Args:
        event_shape: shape of one example.
        latent_size: entries of z.
        levels: number of levels of an entry, which networks see spread over [0, 1]; None for real numbers.
        prior: distribution of z: "normal", "uniform", "ring" or "swiss_roll", or a dict of "name" and the arguments
            of the class in `keras_gen.latent.targets`, such as `{"name": "normal", "scale": 5.0}`.
        num_classes: number of classes, each of which takes one part of the prior; None for no labels.
        hidden_units: as in `MatchedAutoencoder`, and so on.
        filters: channels of convolutions in front of the encoder's dense layers.
        discriminator_units: width of each hidden layer of the discriminator.
        activation: activation of all hidden layers.
        reconstruction: "squared_error" or "cross_entropy".
        input_noise: standard deviation of normal noise on what the encoder sees in training.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self,
        event_shape,
        latent_size: int = 8,
        levels: int | None = 256,
        *,
        prior="normal",
        num_classes: int | None = None,
        hidden_units=(1000, 1000),
        filters=(),
        discriminator_units=(1000, 1000),
        activation="relu",
        reconstruction: str = "squared_error",
        input_noise: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            latent_size,
            levels,
            prior=prior,
            hidden_units=hidden_units,
            filters=filters,
            discriminator_units=discriminator_units,
            activation=activation,
            reconstruction=reconstruction,
            input_noise=input_noise,
            seed=seed,
            **kwargs,
        )
        self.num_classes = None if num_classes is None else checks.positive_int("num_classes", num_classes)
        if num_classes is not None:
            if self.target.num_parts != num_classes:
                raise ValueError(
                    f"`prior` must have one part for each of {num_classes} classes with `num_classes`, "
                    f"received {prior!r}, which has {self.target.num_parts or 'none'}."
                )
            self.condition_space = ClassLabel(self.num_classes, unknown=True)
        self.build_networks(self.latent_size, [(self.latent_size, 0 if num_classes is None else num_classes + 1)])

    @property
    def code_size(self):
        return self.latent_size

    def noise_distributions(self):
        """What a code of the prior is made from."""
        return self.target.noise_distributions()

    def codes(self, inputs):
        return tf.cast(self.encoder(inputs), tf.float32)

    def prior_codes(self, noise, condition):
        return self.target.codes(noise, condition)

    def logits(self, codes, condition):
        if condition is not None:
            condition = tf.one_hot(tf.where(condition < 0, self.num_classes, condition), self.num_classes + 1)
        return tf.cast(self.discriminators[0](codes, condition), tf.float32)
