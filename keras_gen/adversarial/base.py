"""What adversarial networks share: a generator that turns noise into examples, and its discriminator."""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.adversarial.losses import OBJECTIVES
from keras_gen.adversarial.networks import DISCRIMINATORS, GENERATORS, OwnGenerator
from keras_gen.adversarial.regularizers import REGULARIZERS
from keras_gen.adversarial.two_player import TwoPlayer
from keras_gen.core import NoiseDriven, Signature, Step
from keras_gen.core.interpolation import interpolated
from keras_gen.networks import GivenLayers, argument_value, component_value
from keras_gen.spaces import Reals, class_or_vector

tfd = tfp.distributions

#: Name of a component, such as a network, or a dict of its name and its arguments.
Component = str | dict
#: The same, or a Keras layer or model.
Network = Component | keras.layers.Layer

#: Activations of the output, and the smallest value on the scale of each; the largest is 1.
OUTPUTS = {"tanh": (tf.tanh, -1.0), "sigmoid": (tf.sigmoid, 0.0)}

#: The smallest mean, with levels scaled to [0, 1], at which an output starts.
SMALLEST_MEAN = 1e-7


class AdversarialModel(TwoPlayer, NoiseDriven):
    """A generator that turns noise into examples, and a discriminator that learns to distinguish them from the data.

    Any objective, regularizers and two networks can be combined. The model of a paper is a subclass with the paper's
    choices as its defaults, or with another objective in `discriminator_terms` and `generator_terms`.

    In addition to the losses of `TwoPlayer`, this logs the discriminator's mean prediction for data and for generated
    examples, a probability of being real or, if the objective defines none, a score; and, for regularizers with a
    penalty, "penalty", the term added to the discriminator's loss.

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry, scaled internally to the range of the output; None for real numbers.
        latent_size: length of the noise z.
        latent_distribution: distribution of each entry of z: "uniform", between -1 and 1, or "normal".
        generator_network: a name in `networks.GENERATORS`, or a dict of "name" and arguments; or a Keras layer or
            model, from z to examples of shape `(batch, *event_shape)` before the last activation. If there is a
            condition, it gets a list of two tensors, the second being the condition's vectors.
        discriminator_network: a name in `networks.DISCRIMINATORS`, or such a dict; or a Keras layer or model, from
            examples on the scale of the output to one logit, with conditions as above.
        output_activation: last step of a generator of levels: "tanh", which scales them to [-1, 1], or "sigmoid", to
            [0, 1].
        objective: losses of both players: a name in `losses.OBJECTIVES`, or such a dict.
        regularizers: how the discriminator is regularized: names in `regularizers.REGULARIZERS`, or such dicts.
        discriminator_steps: number of discriminator steps, each with its own batch, for each generator step.
        generator_average: momentum of a moving average of the generator's weights, such as 0.999, which is used for
            samples and exports; 0 for none. In the first steps the momentum is smaller: after n steps it is at most (1
            + n) / (10 + n).
        num_classes: number of classes that examples are conditioned on; None for no classes.
        condition_size: length of the vector that examples are conditioned on; None for no vector.
        seed: as in `Model`; also chooses the initial weights.
        **kwargs: as in `Model`.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_size: int = 100,
        latent_distribution: str = "uniform",
        generator_network: Network = "dense",
        discriminator_network: Network = "dense",
        output_activation: str = "tanh",
        objective: Component = "non_saturating",
        regularizers: tuple[Component, ...] = (),
        discriminator_steps: int = 1,
        generator_average: float = 0.0,
        num_classes: int | None = None,
        condition_size: int | None = None,
        seed: int = 0,
        **kwargs,
    ):
        # The base class creates a running mean for each term, and the terms depend on the objective and the
        # regularizers.
        component_class, arguments = checks.component("objective", objective, OBJECTIVES)
        self.player_losses = component_class(**arguments)
        if isinstance(regularizers, (str, dict)):
            raise TypeError(f"`regularizers` must be a tuple of names or dicts, received {regularizers!r}.")
        components = [checks.component("regularizers", each, REGULARIZERS) for each in regularizers]
        self.regularizer_components = tuple(component_class(**arguments) for component_class, arguments in components)
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.objective = objective
        self.regularizers = tuple(regularizers)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.latent_distribution = checks.choice("latent_distribution", latent_distribution, ("uniform", "normal"))
        self.output_activation = checks.choice("output_activation", output_activation, OUTPUTS)
        self.generator_network = argument_value("generator_network", generator_network)
        self.discriminator_network = argument_value("discriminator_network", discriminator_network)
        self.given_layers = GivenLayers(
            generator_network=generator_network, discriminator_network=discriminator_network
        )
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)
        self.generator_average = checks.rate("generator_average", generator_average)
        self.num_classes = num_classes
        self.condition_size = condition_size
        self.condition_space = class_or_vector(num_classes, condition_size)
        self.build_networks()
        self.given_layers.check_all_taken(type(self).__name__)

    @property
    def terms(self) -> tuple[str, ...]:
        """The losses, the discriminator's predictions, and the penalty if there is one."""
        prediction = self.player_losses.prediction_name
        penalty = ("penalty",) if self.has_penalty else ()
        return (*super().terms, f"real_{prediction}", f"fake_{prediction}", *penalty)

    @property
    def has_penalty(self) -> bool:
        """Whether a regularizer adds to the discriminator's loss."""
        return any(regularizer.has_penalty for regularizer in self.regularizer_components)

    @property
    def keeps_average(self) -> bool:
        """Whether samples are drawn with an average of the generator's weights."""
        return self.generator_average > 0.0

    # Networks

    def build_networks(self) -> None:
        """Builds the networks of both players, and the generator's average."""
        self.generator = self.build_generator("generator")
        self.discriminator = self.build_discriminator("discriminator")
        self.average_generator = None
        if self.generator_average:
            self.average_generator = self.build_generator("average_generator")
            self.average_generator.set_weights(self.generator.get_weights())
            self.average_generator.trainable = False

    def build_generator(self, name: str) -> keras.layers.Layer:
        """Returns a new generator with the initial weights."""
        options = {"seed": (self.seed, 0), "dtype": self.dtype_policy, "name": name}
        value = component_value(self.given_layers.take("generator_network", self.generator_network))
        network, arguments = checks.component("generator_network", value, GENERATORS)
        if network is OwnGenerator:
            options["linear"] = self.levels is not None
        return network(self.input_size, self.event_shape, self.vector_size, **options, **arguments)

    def build_discriminator(self, name: str) -> keras.layers.Layer:
        """Returns a new discriminator."""
        options = {"seed": (self.seed, 1), "dtype": self.dtype_policy, "name": name}
        value = component_value(self.given_layers.take("discriminator_network", self.discriminator_network))
        network, arguments = checks.component("discriminator_network", value, DISCRIMINATORS)
        return network(self.event_shape, self.vector_size, **options, **arguments)

    def is_own(self, argument: str) -> bool:
        """Whether the network given as an argument is a Keras layer or model."""
        value = getattr(self, argument)
        return isinstance(value, dict) and value["name"] == "keras"

    @property
    def input_size(self) -> int:
        """Length of the vectors that the generator turns into examples, without the condition."""
        return self.latent_size

    def inputs(self, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the vectors that the generator turns into examples, of shape `(batch, input_size)`."""
        return noise["z"]

    # The scale of the networks

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples on the networks' scale: levels in the range of the output, or standardised real numbers."""
        return self.event_space.scaled(x, OUTPUTS[self.output_activation][1])

    def unscaled(self, scaled: tf.Tensor) -> tf.Tensor:
        """Returns the inverse of `scaled`; it lies between levels if the scaled value does."""
        return self.event_space.unscaled(scaled, OUTPUTS[self.output_activation][1])

    def adapt(self, x) -> None:
        """Initializes the generator's output to the mean of the data, by its last bias; takes the unit of real numbers.

        With a sigmoid, the bias is the logit of the mean of the scaled levels, as in the authors' code of `GAN`; this
        mean counts as at least 1e-7 and at most 1 - 1e-7.

        Args:
            x: examples of shape `(rows, *event_shape)` that represent the data.

        Raises:
            ValueError: if the shape or a value is not the expected one, or the generator's network does not have, as a
                dense one does, a last bias for each entry.
        """
        if self.takes_unit and self.standardize:
            self.take_unit(x)
        elif self.generator.output_bias is None:
            raise ValueError(
                "`generator_network` must have a last bias for each entry of an example, as a dense one has; "
                f"received {self.generator_network!r}."
            )
        mean = self.validated(x).numpy().mean(axis=0, dtype=np.float64)
        if self.takes_unit:
            mean = self.inward(mean.astype(np.float32)).numpy()
        else:
            # tanh(a) = 2 σ(2 a) - 1: its argument is the logit divided by the width of its range.
            mean = np.clip(self.event_space.scaled(mean, 0.0), SMALLEST_MEAN, 1.0 - SMALLEST_MEAN)
            mean = (np.log(mean) - np.log1p(-mean)) / (1.0 - OUTPUTS[self.output_activation][1])
        for generator in (self.generator, self.average_generator):
            if generator is not None and generator.output_bias is not None:
                generator.output_bias.assign(mean.ravel())

    # Noise

    def noise_distributions(self) -> dict[str, tfd.Distribution]:
        entry = tfd.Uniform(-1.0, 1.0) if self.latent_distribution == "uniform" else tfd.Normal(0.0, 1.0)
        return {"z": tfd.Sample(entry, self.latent_size)}

    def sampling_options(self):
        """The truncation: the largest absolute value of an entry of z. Examples vary less, and are often better."""
        return {"truncation": 1.0 if self.latent_distribution == "uniform" else math.inf}

    def scalar_checks(self, name):
        """Adds the checks of the truncation."""
        if name != "truncation":
            return super().scalar_checks(name)
        most = {"from 0 to 1": lambda value: value <= 1.0} if self.latent_distribution == "uniform" else {}
        return {"greater than 0": lambda value: value > 0.0, **most}

    def noise(self, num_samples, seed, *, truncation=None):
        """Draws the random numbers that `generate` turns into examples.

        Args:
            num_samples: number of examples.
            seed: int or pair of ints; the same seed gives the same noise.
            truncation: largest absolute value of an entry of z, greater than 0; at most 1 if z is uniform. Each entry
                keeps its quantile. None for no truncation.

        Returns:
            Name to tensor of shape `(num_samples, ...)`.

        Raises:
            ValueError: if the truncation is not the expected one.
        """
        noise = super().noise(num_samples, seed)
        if truncation is None:
            return noise
        if not tf.is_tensor(truncation):
            truncation = self.validated_options({"truncation": truncation})["truncation"]
        return {**noise, "z": self.truncated(noise["z"], truncation)}

    def truncated(self, z: tf.Tensor, truncation: tf.Tensor) -> tf.Tensor:
        """Turns draws of z into draws from its truncated distribution, keeping the quantile of each entry."""
        if self.latent_distribution == "uniform":
            return truncation * z
        # The quantile of |z| is erf(|z| / √2); rounded, it may be 1, whose inverse is infinite.
        quantile = tf.math.erf(tf.abs(z) / math.sqrt(2.0)) * tf.math.erf(truncation / math.sqrt(2.0))
        size = math.sqrt(2.0) * tf.math.erfinv(quantile)
        size = tf.minimum(size, tf.minimum(tf.abs(z), truncation))
        return tf.where(tf.math.is_inf(truncation), z, tf.sign(z) * size)

    # The players

    def fakes(self, batch, step):
        """Returns as many examples as the batch has, as "x", and the noise that they were made from."""
        noise = step.rows(lambda rows: self.noise(rows, step.seed), tf.shape(batch["x"])[0])
        return {"x": self.unrounded(noise, batch.get("condition"), step), **noise}

    def unrounded(self, noise: dict[str, tf.Tensor], condition, step: Step | None = None, *, network=None) -> tf.Tensor:
        """Generates examples through which gradients flow to the generator.

        Args:
            noise: what `noise` returned.
            condition: what the examples are conditioned on, a valid tensor, or None.
            step: the step; None outside of training and evaluation.
            network: the network to use; by default the one that is trained.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`, on the scale of the data but not rounded to levels.
        """
        network = self.generator if network is None else network
        x = tf.cast(network(self.inputs(noise), self.condition_vectors(condition), step=step), tf.float32)
        if isinstance(self.event_space, Reals):
            return self.unscaled(x)
        activation, _ = OUTPUTS[self.output_activation]
        return self.unscaled(activation(x))

    def generate(self, noise, condition=None):
        condition = self.validated_condition(condition, **noise)
        network = self.generator if self.average_generator is None else self.average_generator
        return self.event_space.nearest(self.unrounded(noise, condition, network=network))

    def logits(self, x: tf.Tensor, condition, step: Step | None = None) -> tf.Tensor:
        """Computes the discriminator's logits, or scores, for examples.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`, rounded to levels or not.
            condition: what they are conditioned on, a valid tensor, or None.
            step: the step; None outside of training and evaluation.

        Returns:
            float32 tensor of shape `(batch,)`.
        """
        return self.logits_of_scaled(self.scaled(x), condition, step)

    def logits_of_scaled(self, scaled: tf.Tensor, condition, step: Step | None = None) -> tf.Tensor:
        """Like `logits`, for examples on the scale of the networks."""
        logits = self.discriminator(scaled, self.condition_vectors(condition), step=step)
        return tf.cast(logits[:, 0], tf.float32)

    def discriminate(self, x, condition=None) -> tf.Tensor:
        """Computes the discriminator's prediction of how real examples are.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            float32 tensor of shape `(batch,)`: D(x), the probability that they come from the data; for the objectives
            "wasserstein" and "hinge", which define no probability, the discriminator's score.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        return self.player_losses.prediction(self.logits(*self.validated_pair(x, condition)))

    def call(self, x, condition=None):
        """The discriminator's prediction, so that `model.predict(x)` returns it."""
        return self.discriminate(x, condition)

    def interpolate(self, first, last, num_steps: int = 8, condition=None) -> tf.Tensor:
        """Generates the examples on the path from one noise to another.

        Uniform noise moves along a line; normal noise moves along a great circle, which preserves its length. Whole
        numbers, such as a category, keep their first value.

        Args:
            first: what `noise` returned.
            last: the same, for as many examples.
            num_steps: number of examples on each path, both ends included, at least 2.
            condition: what the examples are conditioned on, one entry for each path.

        Returns:
            Examples of shape `(batch, num_steps, *event_shape)`.

        Raises:
            ValueError: if `num_steps` is below 2.
        """
        if checks.positive_int("num_steps", num_steps) < 2:
            raise ValueError(f"`num_steps` must be at least 2, received {num_steps}.")

        def way(name):
            start, end = (np.asarray(noise[name]) for noise in (first, last))
            for values in (start, end):
                Reals(start.shape[1:]).validate(values, name)
            if np.issubdtype(start.dtype, np.integer):
                return np.repeat(start, num_steps, axis=0)
            spherical = name == "z" and self.latent_distribution == "normal"
            return np.reshape(interpolated(start, end, num_steps, spherical=spherical), (-1, *start.shape[1:]))

        condition = None if condition is None else np.repeat(np.asarray(condition), num_steps, axis=0)
        x = self.generate({name: tf.constant(way(name)) for name in first}, condition)
        return tf.reshape(x, (-1, num_steps, *self.event_shape))

    # Objective

    def discriminator_terms(self, batch, fakes, step):
        condition = batch.get("condition")
        x, fake_x = (self.scaled(columns["x"]) for columns in (batch, fakes))

        def critic(x, step):
            return self.logits_of_scaled(x, condition, step)

        own, *penalty_steps = step.split(1 + len(self.regularizer_components))
        first, second = own.split(2)
        real = critic(x, first)
        fake, more = self.judged_fakes(fakes, condition, second)
        false = self.false_logits(batch, fake, step)
        loss = tf.add_n([self.player_losses.discriminator(real, logits) for logits in false.values()]) / len(false)
        prediction = self.player_losses.prediction_name
        terms = {
            f"{name}_{prediction}": self.player_losses.prediction(logits)
            for name, logits in {"real": real, **false}.items()
        }
        if self.has_penalty:
            # The inputs of a penalty do not enter moving statistics.
            terms["penalty"] = tf.add_n(
                [
                    regularizer.penalty(critic, x, fake_x, penalty_step.silent())
                    for regularizer, penalty_step in zip(self.regularizer_components, penalty_steps, strict=True)
                    if regularizer.has_penalty
                ]
            )
            loss += terms["penalty"]
        for regularizer in self.regularizer_components:
            regularizer.bound(self.discriminator.trainable_variables, step)
        return {"discriminator_loss": loss, **terms, **more}

    def judged_fakes(
        self, fakes: dict[str, tf.Tensor], condition, step: Step
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Evaluates generated examples in one pass of the discriminator.

        Args:
            fakes: what `fakes` returned.
            condition: what they are conditioned on, a valid tensor, or None.
            step: the step.

        Returns:
            The discriminator's logits of shape `(batch,)`, and further terms by name.
        """
        return self.logits(fakes["x"], condition, step), {}

    def false_logits(self, batch, fake: tf.Tensor, step: Step) -> dict[str, tf.Tensor]:
        """Returns the discriminator's logits for all that it should reject; its loss is the mean over all kinds.

        Args:
            batch: valid columns by name.
            fake: logits of generated examples.
            step: the step.

        Returns:
            Logits of shape `(batch,)` for each kind of false examples, by name.
        """
        return {"fake": fake}

    def generator_terms(self, batch, fakes, step):
        logits, more = self.judged_fakes(fakes, batch.get("condition"), step)
        return {"generator_loss": self.player_losses.generator(logits), **more}

    # Training

    def take_generator_step(self, batch, step):
        """As in `TwoPlayer`; the average follows the generator."""
        terms = super().take_generator_step(batch, step)
        if self.average_generator is not None:
            momentum = self.average_momentum(step)
            for average, weight in zip(self.average_generator.weights, self.generator.weights, strict=True):
                step.update(average, momentum * average.value + (1.0 - momentum) * weight.value)
            step.apply()
        return terms

    def average_momentum(self, step: Step) -> tf.Tensor | float:
        """Returns the momentum of the generator's average at a step."""
        num_steps = tf.cast(step.iteration, tf.float32) + 1.0
        return tf.minimum(self.generator_average, (1.0 + num_steps) / (10.0 + num_steps))

    # Export

    def signatures(self):
        """Adds `discriminate` to what every model exports."""

        def discriminate(x, condition=None):
            return {self.player_losses.prediction_name: self.discriminate(x, condition)}

        return {**super().signatures(), "discriminate": Signature(discriminate, self.specs("x", "condition"))}
