"""AAE: the adversarial autoencoder.

Alireza Makhzani, Jonathon Shlens, Navdeep Jaitly, Ian Goodfellow, Brendan Frey (2015), Adversarial Autoencoders,
https://arxiv.org/abs/1511.05644
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial import losses
from keras_gen.core import DrawsFromCodes, NoiseDriven, Phases, Step, weighted_values
from keras_gen.latent.networks import Encoder, make_decoder, make_encoder
from keras_gen.latent.priors.samplers import SAMPLERS
from keras_gen.networks import GivenLayers, KerasNetwork, OwnNetwork, argument_value
from keras_gen.spaces import ClassLabel, Reals


class MatchedAutoencoder(Phases, DrawsFromCodes, NoiseDriven):
    """An autoencoder trained so that discriminators cannot tell its codes from draws from a fixed prior.

    A subclass provides `code_size`, `codes`, `prior_codes`, `noise_distributions` and `logits`, and calls
    `build_networks` at the end of its constructor.

    Each training step consists of a step of the autoencoder on its reconstruction, one of the discriminators, and one
    of the encoder, which acts as the generator. The loss of each phase is logged, and their sum as "loss": the sum
    shows when one of them is not finite, but not how good the model is.

    Args:
        event_shape: shape of one example.
        latent_size: entries of z.
        levels: number of levels of an entry, which networks see scaled to [0, 1]; None for real numbers.
        prior: distribution of z: "normal", "uniform", "ring", "swiss_roll" or "model", or a dict of the name and the
            arguments of the class in `latent.priors.samplers`, such as `{"name": "normal", "scale": 5.0}`.
        hidden_units: width of each dense hidden layer of the encoder; the decoder has them in reverse.
        filters: channels of each convolution of the encoder, before its dense layers; each halves height and width, and
            the decoder mirrors them. They need `event_shape` (height, width, channels).
        discriminator_units: width of each hidden layer of a discriminator.
        activation: activation of all hidden layers.
        reconstruction: what the autoencoder minimises, summed over the entries of an example: "squared_error", half the
            squared difference, with levels scaled to [0, 1]; or "cross_entropy", for levels only.
        input_noise: standard deviation of normal noise added to the encoder's input in training.
        encoder_network: a Keras layer or model in place of the encoder, from examples, with levels scaled to [0, 1], to
            codes.
        decoder_network: the same in place of the decoder, from codes to examples; for levels, to their logits.
        discriminator_network: the same in place of the discriminator, from codes to one logit, for a model with one
            discriminator. Given labels, it gets a list of the codes and the one-hot labels.
        **kwargs: as in `GenerativeModel`; `seed` also chooses the initial weights.
    """

    terms = ("loss", "reconstruction_loss", "discriminator_loss", "generator_loss")
    codes_take_condition = False

    def __init__(
        self,
        event_shape,
        latent_size: int,
        levels: int | None,
        *,
        prior="normal",
        hidden_units=(1000, 1000),
        filters=(),
        discriminator_units=(1000, 1000),
        activation="relu",
        reconstruction: str = "squared_error",
        input_noise: float = 0.0,
        encoder_network: OwnNetwork | None = None,
        decoder_network: OwnNetwork | None = None,
        discriminator_network: OwnNetwork | None = None,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, **kwargs)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.prior = prior
        sampler_class, arguments = checks.component("prior", prior, SAMPLERS)
        self.prior_sampler = sampler_class(self.latent_size, **arguments)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.filters = checks.positive_ints("filters", filters)
        self.discriminator_units = checks.positive_ints("discriminator_units", discriminator_units)
        self.activation = activation
        self.reconstruction = checks.choice("reconstruction", reconstruction, ("squared_error", "cross_entropy"))
        if self.levels is None and reconstruction == "cross_entropy":
            raise ValueError("`reconstruction` must be 'squared_error' for real numbers, received 'cross_entropy'.")
        self.input_noise = checks.not_negative("input_noise", input_noise)
        self.given_layers = GivenLayers(
            encoder_network=encoder_network,
            decoder_network=decoder_network,
            discriminator_network=discriminator_network,
        )
        self.encoder_network = argument_value("encoder_network", encoder_network)
        self.decoder_network = argument_value("decoder_network", decoder_network)
        self.discriminator_network = argument_value("discriminator_network", discriminator_network)

    def build_networks(self, outputs: int, discriminators: list[tuple[int, int]]):
        """Builds all networks.

        Args:
            outputs: number of outputs of the encoder.
            discriminators: for each discriminator, the number of entries of a code that it sees, and the length of the
                additional vector that it sees.
        """
        options = {"activation": self.activation, "dtype": self.dtype_policy}
        mirrored = {"hidden_units": self.hidden_units, "filters": self.filters, **options}
        own = {
            name: self.given_layers.take(name, None)
            for name in ("encoder_network", "decoder_network", "discriminator_network")
        }
        self.encoder = make_encoder(
            own["encoder_network"], self.event_shape, outputs, seed=(self.seed, 0), name="encoder", **mirrored
        )
        self.decoder = make_decoder(
            own["decoder_network"],
            self.code_size,
            self.event_shape,
            1,
            linear=self.levels is not None,
            seed=(self.seed, 1),
            name="decoder",
            **mirrored,
        )
        if own["discriminator_network"] is not None:
            self.discriminators = [self.own_discriminator(own["discriminator_network"], discriminators)]
            return
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

    def own_discriminator(self, own: OwnNetwork, discriminators: list[tuple[int, int]]) -> KerasNetwork:
        """Returns the custom discriminator.

        Raises:
            ValueError: if the model has several discriminators.
        """
        if len(discriminators) > 1:
            raise ValueError(
                f"`discriminator_network` must be None: {type(self).__name__} has {len(discriminators)} "
                f"discriminators; received {own!r}."
            )
        ((size, condition_size),) = discriminators
        inputs = [(size,), *([(condition_size,)] if condition_size else [])]
        return KerasNetwork("discriminator_network", own, inputs, [(1,)], linear=True)

    # Primitives

    @property
    def code_size(self) -> int:
        """Entries of a code."""
        raise NotImplementedError

    def codes(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the encoder's codes of scaled examples, float32 of shape `(batch, code_size)`."""
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
        """Computes each discriminator's logit that a code was drawn from the prior.

        Args:
            codes: float32 tensor of shape `(batch, code_size)`.
            condition: labels that the codes belong to, or None.

        Returns:
            float32 tensor of shape `(batch, number of discriminators)`.
        """
        raise NotImplementedError

    # Codes

    @property
    def code_space(self):
        return Reals((self.code_size,))

    def code_of(self, x, condition):
        return self.codes(self.event_space.scaled(x, 0.0, 1.0))

    def mean_of(self, z, condition):
        return self.event_space.unscaled(self.scaled_outputs(self.decoder_outputs(z)), 0.0, 1.0)

    def decoder_outputs(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the decoder's outputs, of shape `(batch, *event_shape)`; logits if there are levels."""
        return tf.cast(self.decoder(codes)[..., 0], tf.float32)

    def scaled_outputs(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns scaled examples from the decoder's outputs."""
        return outputs if self.levels is None else tf.sigmoid(outputs)

    def call(self, x):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x)

    # Sampling

    def drawn_codes(self, noise, condition):
        return self.prior_codes(noise, condition)

    def generate(self, noise, condition=None):
        codes = self.prior_codes(noise, self.validated_condition(condition, **noise))
        return self.event_space.nearest(self.mean_of(codes, None))

    # Objective

    def objectives(self, batch: dict[str, tf.Tensor], step: Step) -> dict[str, Callable[[], dict[str, tf.Tensor]]]:
        """Returns the phases of a step, in order, each as a function that computes its terms."""
        x, condition = batch["x"], batch.get("condition")
        clean, inputs = self.event_space.scaled(x, 0.0, 1.0), self.encoder_inputs(x, step)
        noise = step.rows(lambda rows: self.noise(rows, step.seed), tf.shape(x)[0])
        draws = self.prior_codes(noise, condition)
        return {
            "reconstruction": lambda: self.reconstruction_terms(inputs, clean),
            "discriminator": lambda: self.discriminator_terms(draws, self.codes(inputs), condition),
            "generator": lambda: self.generator_terms(self.codes(inputs), condition),
        }

    def encoder_inputs(self, x: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns what the encoder sees: scaled examples, with noise in training."""
        scaled = self.event_space.scaled(x, 0.0, 1.0)
        if not step.training or self.input_noise == 0.0:
            return scaled
        # The noise of the prior uses the step's own seed.
        return scaled + self.input_noise * step.fold(1).normal((tf.shape(x)[0], *self.event_shape))

    def reconstruction_terms(self, inputs: tf.Tensor, clean: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the reconstruction error, of shape `(batch,)`, from scaled examples with and without noise."""
        outputs = self.decoder_outputs(self.codes(inputs))
        if self.reconstruction == "cross_entropy":
            error = tf.nn.sigmoid_cross_entropy_with_logits(clean, outputs)
        else:
            error = 0.5 * tf.square(clean - self.scaled_outputs(outputs))
        return {"reconstruction_loss": tf.reduce_sum(error, axis=tuple(range(1, 1 + len(self.event_shape))))}

    def discriminator_terms(self, draws: tf.Tensor, codes: tf.Tensor, condition) -> dict[str, tf.Tensor]:
        """Returns what the discriminators minimise, of shape `(batch,)`, on draws from the prior and on codes."""
        loss = losses.discriminator_cross_entropy(self.logits(draws, condition), self.logits(codes, condition))
        return {"discriminator_loss": tf.reduce_sum(loss, axis=-1)}

    def generator_terms(self, codes: tf.Tensor, condition) -> dict[str, tf.Tensor]:
        """Returns what the encoder minimises to make its codes pass for draws from the prior, of shape `(batch,)`."""
        return {"generator_loss": tf.reduce_sum(losses.non_saturating(self.logits(codes, condition)), axis=-1)}

    def loss_terms(self, batch, step):
        """The terms of all phases."""
        terms = {}
        for compute_terms in self.objectives(batch, step).values():
            terms.update(compute_terms())
        return self.with_sum(terms, step)

    def with_sum(self, terms: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Returns the terms, with the sum of the phases' losses as "loss"."""
        phase_losses = [weighted_values(terms[f"{phase}_loss"], step) for phase in self.phase_layers()]
        return {"loss": tf.add_n(phase_losses), **terms}

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
        """Like `keras.Model.compile`, with an optimizer for each phase.

        Learning-rate callbacks see the optimizer of the reconstruction, as `model.optimizer`.

        Args:
            reconstruction_optimizer: optimizer of encoder and decoder, or its name. None means Adam with learning rate
                3e-4: codes stay close to the prior if the reconstruction learns more slowly than the players.
            discriminator_optimizer: optimizer of the discriminators, or its name. None means Adam with learning rate
                1e-3 and beta_1 0.5.
            generator_optimizer: the same for the encoder, playing against the discriminators.
            jit_compile: whether to compile the training step with XLA. On a CPU, this makes dense networks faster and
                convolutional ones slower.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if two phases are given the same optimizer.
        """
        given = {
            "reconstruction": reconstruction_optimizer,
            "discriminator": discriminator_optimizer,
            "generator": generator_optimizer,
        }
        self.compile_phases(self.with_defaults(given), jit_compile=jit_compile, **kwargs)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """Returns a new optimizer for each phase, which `compile` uses if it is given none."""
        return {
            "reconstruction": keras.optimizers.Adam(3e-4),
            "discriminator": keras.optimizers.Adam(1e-3, beta_1=0.5),
            "generator": keras.optimizers.Adam(1e-3, beta_1=0.5),
        }

    def with_defaults(self, given: dict) -> dict:
        """Returns the given optimizer of each phase, or the default if it is None."""
        return {phase: given[phase] or default for phase, default in self.default_optimizers().items()}

    def phase_layers(self):
        return {
            "reconstruction": [self.encoder, self.decoder],
            "discriminator": self.discriminators,
            "generator": [self.encoder],
        }

    def take_step(self, batch, step):
        """Takes a step of each phase."""
        terms = {}
        for phase, compute_terms in self.objectives(batch, step).items():
            terms.update(self.take_phase(phase, compute_terms, step))
        return self.with_sum(terms, step)


class AdversarialAutoencoder(MatchedAutoencoder):
    r"""An autoencoder whose aggregated posterior q(z) is fitted to a prior p(z) by a discriminator on codes.

    $$q(z) = E_{p_d(x)}[q(z|x)], \qquad z = E(x), \qquad \hat x = D(z)$$

    A training step minimises in turn the reconstruction error of E and D, the cross-entropy of the discriminator A,
    which distinguishes draws from the prior from codes, and the loss of the encoder, whose codes A should mistake for
    such draws:

    $$\tfrac{1}{2} \|x - D(E(x))\|^2, \qquad -\log A(z_p) - \log(1 - A(E(x))), \qquad -\log A(E(x))$$

    With A at its optimum, the second one is $\log 4 - 2 JSD(p(z) \| q(z))$. The game replaces the divergence in the
    loss of a VAE; the prior only has to be sampled.

    With `num_classes`, examples come with labels starting at 0, or -1 for an unknown label (section 2.3 of the paper).
    A sees the label along with the code, one-hot with one more class for unknown. The prior is drawn from the mode of
    the label or, if it is unknown, from all modes: each class gets its own region of the prior.

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
        levels: number of levels of an entry, which networks see scaled to [0, 1]; None for real numbers.
        num_classes: number of classes, each of which is assigned one mode of the prior; None for no labels.
        **kwargs: as in `MatchedAutoencoder`: `prior`, `hidden_units`, `filters`, `discriminator_units`, `activation`,
            `reconstruction`, `input_noise`, `seed`, `name` and `dtype`.
    """

    def __init__(
        self,
        event_shape,
        latent_size: int = 8,
        levels: int | None = 256,
        *,
        num_classes: int | None = None,
        **kwargs,
    ):
        super().__init__(event_shape, latent_size, levels, **kwargs)
        self.num_classes = None if num_classes is None else checks.positive_int("num_classes", num_classes)
        if num_classes is not None:
            if self.prior_sampler.num_modes != num_classes:
                raise ValueError(
                    f"`prior` must have one mode for each of {num_classes} classes with `num_classes`, "
                    f"received {self.prior!r}, which has {self.prior_sampler.num_modes or 'none'}."
                )
            self.condition_space = ClassLabel(self.num_classes, unknown=True)
        self.build_networks(self.latent_size, [(self.latent_size, 0 if num_classes is None else num_classes + 1)])

    @property
    def code_size(self):
        return self.latent_size

    def noise_distributions(self):
        """The noise from which a code of the prior is made."""
        return self.prior_sampler.noise_distributions()

    def codes(self, inputs):
        return tf.cast(self.encoder(inputs), tf.float32)

    def prior_codes(self, noise, condition):
        return self.prior_sampler.codes(noise, condition)

    def logits(self, codes, condition):
        if condition is not None:
            condition = tf.one_hot(tf.where(condition < 0, self.num_classes, condition), self.num_classes + 1)
        return tf.cast(self.discriminators[0](codes, condition), tf.float32)
