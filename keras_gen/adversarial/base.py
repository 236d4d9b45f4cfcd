"""What adversarial models share: two players, each with its own optimizer and its own step."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds, spaces
from keras_gen.adversarial.losses import OBJECTIVES
from keras_gen.adversarial.networks.players import DISCRIMINATORS, GENERATORS
from keras_gen.adversarial.regularizers import REGULARIZERS
from keras_gen.core import Phases, Signature
from keras_gen.core.interpolation import interpolated
from keras_gen.layers import SpectralNormalization
from keras_gen.spaces import class_or_vector

tfd = tfp.distributions

#: The generator and the discriminator; each may also be a dict of its name and its arguments.
Part = str | dict


class AdversarialModel(Phases):
    """A generator that learns from a discriminator, which learns to tell its examples from the data.

    Any objective, any regularizers and any two networks go together; a paper's model is a subclass with the paper's
    choices as its defaults, or with another objective in `discriminator_terms` and `generator_terms`.

    Each training step is `discriminator_steps` steps of the discriminator, followed by one of the generator. All of
    them see the whole batch of data, and each has noise of its own. A player's weights, the moving statistics of its
    batch normalization included, change in its own step only.

    Logged are the loss of each player; the mean opinion that the discriminator has of data and of generated examples,
    a probability of being real or, where the objective defines none, a score; with a regularizer that adds to the
    discriminator's loss this "penalty"; and as "loss" the sum of the losses, which tells that one of them is not finite
    but not how good the samples are.

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry, spread over [-1, 1] inside; None for real numbers.
        latent_size: length of the noise z.
        latent_distribution: of each entry of z: "uniform", between -1 and 1, or "normal".
        generator_network: a name in `networks.GENERATORS`, or a dict of "name" and arguments.
        discriminator_network: a name in `networks.DISCRIMINATORS`, or such a dict.
        objective: losses of both players: a name in `losses.OBJECTIVES`, or such a dict.
        regularizers: what the discriminator is regularized by: names in `regularizers.REGULARIZERS`, or such dicts.
        discriminator_steps: steps of the discriminator for each step of the generator.
        generator_average: momentum of a moving average of the generator's weights, such as 0.999, which samples and
            exports are then drawn with; 0 for none. Of the first steps, when less is known, more is forgotten.
        num_classes: number of classes that examples are conditioned on; None for no classes.
        condition_size: length of the vector that examples are conditioned on; None for no vector.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    #: Arguments of the base that a subclass chooses by itself.
    chosen: tuple[str, ...] = ()

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_size: int = 100,
        latent_distribution: str = "uniform",
        generator_network: Part = "dense",
        discriminator_network: Part = "dense",
        objective: Part = "non_saturating",
        regularizers: tuple[Part, ...] = (),
        discriminator_steps: int = 1,
        generator_average: float = 0.0,
        num_classes: int | None = None,
        condition_size: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        # The base names the running means by what the players log.
        found, arguments = checks.component("objective", objective, OBJECTIVES)
        self.game = found(**arguments)
        if isinstance(regularizers, (str, dict)):
            raise TypeError(f"`regularizers` must be a tuple of names or dicts, received {regularizers!r}.")
        parts = [checks.component("regularizers", each, REGULARIZERS) for each in regularizers]
        self.regularizer_parts = tuple(found(**arguments) for found, arguments in parts)
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.objective = objective
        self.regularizers = tuple(regularizers)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.latent_distribution = checks.choice("latent_distribution", latent_distribution, ("uniform", "normal"))
        self.generator_network = generator_network
        self.discriminator_network = discriminator_network
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)
        self.generator_average = checks.rate("generator_average", generator_average)
        self.num_classes = num_classes
        self.condition_size = condition_size
        self.condition_space = class_or_vector(num_classes, condition_size)
        self.build_players()

    def get_config(self):
        base = self.arguments(AdversarialModel)
        return {**{name: base[name] for name in base if name not in self.chosen}, **super().get_config()}

    @property
    def terms(self) -> tuple[str, ...]:
        """The losses, what the discriminator thinks, and the penalty if there is one."""
        opinion = self.game.opinion_name
        penalty = ("penalty",) if self.has_penalty else ()
        return ("loss", "generator_loss", "discriminator_loss", f"real_{opinion}", f"fake_{opinion}", *penalty)

    @property
    def has_penalty(self) -> bool:
        """Whether a regularizer adds to the discriminator's loss."""
        return any(regularizer.has_penalty for regularizer in self.regularizer_parts)

    # Networks

    def build_players(self) -> None:
        """Builds the generator first: Keras puts an optimizer's moving average in place of the first weights."""
        self.generator = self.build_generator("generator")
        found, arguments = checks.component("discriminator_network", self.discriminator_network, DISCRIMINATORS)
        options = {"seed": (self.seed, 1), "dtype": self.dtype_policy, "name": "discriminator"}
        self.discriminator = found(self.event_shape, self.vector_size, **options, **arguments)
        self.average_generator = None
        if self.generator_average:
            self.average_generator = self.build_generator("average_generator")
            self.average_generator.trainable = False

    def build_generator(self, name: str) -> keras.layers.Layer:
        """Returns a new generator with the initial weights."""
        found, arguments = checks.component("generator_network", self.generator_network, GENERATORS)
        options = {"seed": (self.seed, 0), "dtype": self.dtype_policy, "name": name}
        return found(self.input_size, self.event_shape, self.vector_size, **options, **arguments)

    @property
    def input_size(self) -> int:
        """Length of what the generator makes an example from, its condition apart."""
        return self.latent_size

    def inputs(self, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns what the generator makes examples from, of shape `(batch, input_size)`."""
        return noise["z"]

    # The players

    def noise_distributions(self, truncation: float | None = None) -> dict[str, tfd.Distribution]:
        """Returns the distribution of the noise, by its name.

        Args:
            truncation: largest absolute value of an entry of z; None for no bound.
        """
        if self.latent_distribution == "uniform":
            bound = 1.0 if truncation is None else truncation
            return {"z": tfd.Sample(tfd.Uniform(-bound, bound), self.latent_size)}
        one = tfd.Normal(0.0, 1.0) if truncation is None else tfd.TruncatedNormal(0.0, 1.0, -truncation, truncation)
        return {"z": tfd.Sample(one, self.latent_size)}

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples as the discriminator sees them, with levels spread over [-1, 1]."""
        return x if self.levels is None else x * (2 / (self.levels - 1)) - 1.0

    def fakes(self, noise: dict[str, tf.Tensor], condition, *, training: bool, network=None) -> tf.Tensor:
        """Generates examples that the generator can be trained through, not rounded to levels.

        Args:
            noise: what `noise` returned.
            condition: what the examples are conditioned on, or None.
            training: whether batch normalization uses the batch's statistics.
            network: the network to use; by default the one that is trained.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`, on the scale of the data.
        """
        network = self.generator if network is None else network
        x = tf.cast(network(self.inputs(noise), self.condition_vectors(condition), training=training), tf.float32)
        return x if self.levels is None else (tf.tanh(x) + 1.0) * ((self.levels - 1) / 2)

    def logits(self, x: tf.Tensor, condition, *, training: bool, seed=None) -> tf.Tensor:
        """Computes what the discriminator says of examples: a logit that they come from the data, or another score.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`, generated ones between the levels.
            condition: what they are conditioned on, or None.
            training: whether batch normalization uses the batch's statistics, and dropout leaves units out.
            seed: int32 tensor of shape (2,), for a training step.

        Returns:
            float32 tensor of shape `(batch,)`.
        """
        return self.said(self.scaled(x), condition, training=training, seed=seed)

    def said(self, scaled: tf.Tensor, condition, *, training: bool, seed=None) -> tf.Tensor:
        """As `logits`, of scaled examples."""
        said = self.discriminator(scaled, self.condition_vectors(condition), training=training, seed=seed)
        return tf.cast(said[:, 0], tf.float32)

    def discriminate(self, x, condition=None) -> tf.Tensor:
        """Computes how real examples are in the discriminator's opinion.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            float32 tensor of shape `(batch,)`: D(x), the probability that they come from the data; for the objectives
            "wasserstein" and "hinge", which define none, the discriminator's score.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        condition = self.validated_condition(condition)
        return self.game.opinion(self.logits(self.validated(x), condition, training=False))

    def call(self, x, condition=None):
        """The discriminator's opinion, so that `model.predict(x)` returns it."""
        return self.discriminate(x, condition)

    # Sampling

    def generate(self, noise, condition=None):
        condition = self.validated_condition(condition)
        network = self.generator if self.average_generator is None else self.average_generator
        fakes = self.fakes(noise, condition, training=False, network=network)
        return fakes if self.levels is None else tf.round(fakes)

    def truncated_noise(self, num_samples: int, truncation: float, seed) -> dict[str, tf.Tensor]:
        """Draws noise for `generate` that keeps to the middle: such examples vary less, and are often better.

        Args:
            num_samples: number of examples, at least 1.
            truncation: largest absolute value of an entry of z, greater than 0; at most 1 where z is uniform.
            seed: int or pair of ints; the same seed gives the same noise.

        Returns:
            Name to tensor of shape `(num_samples, ...)`.
        """
        num_samples = checks.positive_int("num_samples", num_samples)
        checks.positive("truncation", truncation)
        if self.latent_distribution == "uniform":
            checks.share("truncation", truncation)
        return seeds.draws(self.noise_distributions(truncation), num_samples, seeds.as_pair(seed))

    def interpolate(self, first, last, num_steps: int = 8, condition=None) -> tf.Tensor:
        """Generates the examples on the way from one noise to another.

        Uniform noise goes along a line; normal noise along a great circle, on which its length is that of noise. What
        is a whole number, such as a category, stays what it is first.

        Args:
            first: what `noise` returned.
            last: the same, for as many examples.
            num_steps: examples on each way, both ends included, at least 2.
            condition: what the examples are conditioned on, one entry for each way.

        Returns:
            Examples of shape `(batch, num_steps, *event_shape)`.

        Raises:
            ValueError: if `num_steps` is below 2.
        """
        if checks.positive_int("num_steps", num_steps) < 2:
            raise ValueError(f"`num_steps` must be at least 2, received {num_steps}.")

        def way(name):
            start, end = (np.asarray(noise[name]) for noise in (first, last))
            spaces.Reals().validate(start, start.shape[1:], name)
            spaces.Reals().validate(end, start.shape[1:], name)
            if np.issubdtype(start.dtype, np.integer):
                return np.repeat(start, num_steps, axis=0)
            spherical = name == "z" and self.latent_distribution == "normal"
            return np.reshape(interpolated(start, end, num_steps, spherical=spherical), (-1, *start.shape[1:]))

        condition = None if condition is None else np.repeat(np.asarray(condition), num_steps, axis=0)
        x = self.generate({name: tf.constant(way(name)) for name in first}, condition)
        return tf.reshape(x, (-1, num_steps, *self.event_shape))

    # Objective

    def discriminator_terms(self, x, fakes, condition, *, noise, seed, training: bool) -> dict[str, tf.Tensor]:
        """Computes what the discriminator minimises, "discriminator_loss", and what is logged beside it.

        Args:
            x: float32 examples of the data, of shape `(batch, *event_shape)`.
            fakes: generated examples of the same shape.
            condition: what they are conditioned on, or None.
            noise: what the generated examples were made from.
            seed: int32 tensor of shape (2,).
            training: whether this is a training step.

        Returns:
            Terms by name, each of shape `(batch,)`.
        """
        x, fakes = self.scaled(x), self.scaled(fakes)

        def critic(x, seed):
            return self.said(x, condition, training=training, seed=seed)

        said_seed, *seeds_ = tf.unstack(tf.random.split(seed, 1 + len(self.regularizer_parts)))
        first, second = tf.unstack(tf.random.split(said_seed, 2))
        real_said, fake_said = critic(x, first), critic(fakes, second)
        loss = self.game.discriminator(real_said, fake_said)
        terms = {
            f"real_{self.game.opinion_name}": self.game.opinion(real_said),
            f"fake_{self.game.opinion_name}": self.game.opinion(fake_said),
        }
        if self.has_penalty:
            # The scope keeps what a penalty looks at out of the moving statistics.
            with keras.StatelessScope():
                terms["penalty"] = tf.add_n(
                    [
                        part.penalty(critic, x, fakes, part_seed)
                        for part, part_seed in zip(self.regularizer_parts, seeds_, strict=True)
                        if part.has_penalty
                    ]
                )
            loss += terms["penalty"]
        return {"discriminator_loss": loss, **terms}

    def generator_terms(self, fakes, condition, *, noise, seed, training: bool) -> dict[str, tf.Tensor]:
        """Computes what the generator minimises, "generator_loss"; arguments as in `discriminator_terms`."""
        said = self.logits(fakes, condition, training=training, seed=seed)
        return {"generator_loss": self.game.generator(said)}

    # Training

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """Returns the optimizer of each player that `compile` takes unless it is given another one."""
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.5) for player in ("generator", "discriminator")}

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, *, jit_compile: bool = False, **kwargs):
        """As `keras.Model.compile`, with an optimizer for each player.

        Callbacks that change the learning rate see the generator's optimizer, as `model.optimizer`.

        Args:
            generator_optimizer: optimizer, or its name. None stands for the model's own: DCGAN's Adam, or that of
                its paper.
            discriminator_optimizer: the same, for the discriminator; not the same object.
            jit_compile: whether to compile the training step with XLA. On a CPU, dense networks gain by it and
                convolutional ones lose.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if both players are given one optimizer.
        """
        given = {"generator": generator_optimizer, "discriminator": discriminator_optimizer}
        defaults = self.default_optimizers()
        optimizers = {player: defaults[player] if given[player] is None else given[player] for player in given}
        self.compile_phases(optimizers, jit_compile=jit_compile, **kwargs)

    def phase_variables(self):
        return {
            "generator": self.generator.trainable_variables,
            "discriminator": self.discriminator.trainable_variables,
        }

    def train_step(self, data):
        """Steps of the discriminator, then one of the generator; `data` is `x` or `(x, condition)`."""
        x, condition = self.unpack(data)
        *critic_seeds, last = tf.unstack(tf.random.split(self.next_seed(), self.discriminator_steps + 1))
        for seed in critic_seeds:
            terms = self.discriminator_step(x, condition, seed=seed)
        terms.update(self.generator_step(tf.shape(x)[0], condition, seed=last))
        return self.logged(self.with_sum(terms))

    def discriminator_step(self, x, condition, *, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step of the discriminator's optimizer; leaves the generator as it is.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, or None.
            seed: int32 tensor of shape (2,), from which the generator's noise is drawn.

        Returns:
            What `discriminator_terms` returned.
        """
        noise = self.step_noise(tf.shape(x)[0], seed)
        # The scope discards the update of the generator's moving statistics.
        with keras.StatelessScope():
            fakes = self.fakes(noise, condition, training=True)
        other = tf.random.experimental.stateless_fold_in(seed, 1)
        terms = self.take_step(
            "discriminator",
            lambda: self.discriminator_terms(x, fakes, condition, noise=noise, seed=other, training=True),
        )
        for regularizer in self.regularizer_parts:
            regularizer.constrain(self.discriminator.trainable_variables)
        for layer in self.discriminator._flatten_layers():
            if isinstance(layer, SpectralNormalization):
                for variable, value in layer.updates():
                    variable.assign(value)
        return terms

    def generator_step(self, batch_size: tf.Tensor, condition, *, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step of the generator's optimizer; leaves the discriminator as it is.

        Args:
            batch_size: number of examples to generate.
            condition: what they are conditioned on, or None.
            seed: int32 tensor of shape (2,), from which the noise is drawn.

        Returns:
            What `generator_terms` returned.
        """
        noise = self.step_noise(batch_size, seed)
        other = tf.random.experimental.stateless_fold_in(seed, 1)

        def terms():
            fakes = self.fakes(noise, condition, training=True)
            # The scope discards the update of the discriminator's moving statistics.
            with keras.StatelessScope():
                return self.generator_terms(fakes, condition, noise=noise, seed=other, training=True)

        found = self.take_step("generator", terms)
        if self.average_generator is not None:
            steps = tf.cast(self.optimizer.iterations, tf.float32)
            momentum = tf.minimum(self.generator_average, (1.0 + steps) / (10.0 + steps))
            for average, weight in zip(self.average_generator.weights, self.generator.weights, strict=True):
                average.assign(momentum * average.value + (1.0 - momentum) * weight.value)
        return found

    def step_noise(self, batch_size: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Draws noise for this replica's part of the batch."""
        return self.replica_rows(lambda rows: self.noise(rows, seed), batch_size)

    def loss_terms(self, x, condition, *, seed, training):
        """The terms of both players on the same generated examples, without a step of either."""
        noise = self.step_noise(tf.shape(x)[0], seed)
        fakes = self.fakes(noise, condition, training=training)
        options = {"noise": noise, "seed": tf.random.experimental.stateless_fold_in(seed, 1), "training": training}
        terms = self.discriminator_terms(x, fakes, condition, **options)
        return self.with_sum({**terms, **self.generator_terms(fakes, condition, **options)})

    def with_sum(self, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the terms, and as "loss" the sum of the players' losses."""
        return {"loss": terms["generator_loss"] + terms["discriminator_loss"], **terms}

    # Export

    def signatures(self):
        """Adds `discriminate` to what every model exports."""
        x = tf.TensorSpec((None, *self.event_shape), tf.float32, "x")
        opinion = self.game.opinion_name

        def discriminate(x, condition=None):
            return {opinion: self.discriminate(x, condition)}

        return {**super().signatures(), "discriminate": Signature(discriminate, {"x": x, **self.specs("condition")})}
