"""What adversarial models share: two players, each with its own optimizer and its own step."""

import keras
import tensorflow as tf

from keras_gen.adversarial import losses
from keras_gen.base import Signature
from keras_gen.phases import PhasedModel


class AdversarialModel(PhasedModel):
    """A generator that learns from a discriminator, which learns to tell its examples from the data.

    A subclass builds `self.generator` and then `self.discriminator` in its constructor (Keras puts the moving average
    of the generator's optimizer in place of the first weights) and provides

    - `noise_distributions()`, as every model,
    - `fakes(noise, ...)`: the generator's examples, differentiable,
    - `logits(x, ...)`: the discriminator's logit that an example comes from the data;

    another objective replaces `discriminator_terms` or `generator_terms`.

    Each training step is a step of the discriminator followed by one of the generator, each on fresh noise. A
    player's weights, the moving statistics of its batch normalization included, change in its own step only.

    Logged are the loss of each player, the mean probability of being real that the discriminator gives to data and
    to generated examples, and as "loss" the sum of the losses, which tells that one of them is not finite but not
    how good the samples are.
    """

    terms = ("loss", "generator_loss", "discriminator_loss", "real_probability", "fake_probability")

    #: The generator's loss, a key of `losses.GENERATOR_LOSSES`.
    objective: str = "non_saturating"

    generator: keras.Model
    discriminator: keras.Model

    # The players

    def fakes(self, noise: dict[str, tf.Tensor], condition, *, training: bool) -> tf.Tensor:
        """Generates examples that the generator can be trained through, not rounded to levels.

        Args:
            noise: what `noise` returned.
            condition: what the examples are conditioned on, or None.
            training: whether batch normalization uses the batch's statistics.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`, on the scale of the data.
        """
        raise NotImplementedError

    def logits(self, x: tf.Tensor, condition, *, training: bool) -> tf.Tensor:
        """Computes the discriminator's logit that an example comes from the data.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`, generated ones between the levels.
            condition: what they are conditioned on, or None.
            training: whether batch normalization uses the batch's statistics.

        Returns:
            float32 tensor of shape `(batch,)`.
        """
        raise NotImplementedError

    def discriminate(self, x, condition=None) -> tf.Tensor:
        """Computes the probability D(x) that an example comes from the data, in the discriminator's opinion.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            float32 tensor of shape `(batch,)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        condition = self.validated_condition(condition)
        return tf.sigmoid(self.logits(self.validated(x), condition, training=False))

    def call(self, x, condition=None):
        """The probability of being real, so that `model.predict(x)` returns it."""
        return self.discriminate(x, condition)

    def generate(self, noise, condition=None):
        condition = self.validated_condition(condition)
        fakes = self.fakes(noise, condition, training=False)
        return fakes if self.levels is None else tf.round(fakes)

    # Objective

    def discriminator_terms(self, x, fakes, condition, *, training: bool) -> dict[str, tf.Tensor]:
        """Computes what the discriminator minimises, "discriminator_loss", and what is logged beside it.

        Args:
            x: float32 examples of the data, of shape `(batch, *event_shape)`.
            fakes: generated examples of the same shape.
            condition: what they are conditioned on, or None.
            training: whether this is a training step.

        Returns:
            Terms by name, each of shape `(batch,)`.
        """
        real_logits = self.logits(x, condition, training=training)
        fake_logits = self.logits(fakes, condition, training=training)
        return {
            "discriminator_loss": losses.discriminator_cross_entropy(real_logits, fake_logits),
            "real_probability": tf.sigmoid(real_logits),
            "fake_probability": tf.sigmoid(fake_logits),
        }

    def generator_terms(self, fakes, condition, *, training: bool) -> dict[str, tf.Tensor]:
        """Computes what the generator minimises, "generator_loss"; arguments as in `discriminator_terms`."""
        fake_logits = self.logits(fakes, condition, training=training)
        return {"generator_loss": losses.GENERATOR_LOSSES[self.objective](fake_logits)}

    # Training

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, *, jit_compile: bool = False, **kwargs):
        """As `keras.Model.compile`, with an optimizer for each player.

        Callbacks that change the learning rate see the generator's optimizer, as `model.optimizer`.

        Args:
            generator_optimizer: optimizer, or its name. None stands for Adam as in the DCGAN paper, with learning
                rate 2e-4 and beta_1 0.5.
            discriminator_optimizer: the same, for the discriminator; not the same object.
            jit_compile: whether to compile the training step with XLA. On a CPU, dense networks gain by it and
                convolutional ones lose.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if both players are given one optimizer.
        """
        optimizers = {"generator": generator_optimizer, "discriminator": discriminator_optimizer}
        for player, optimizer in optimizers.items():
            if optimizer is None:
                optimizers[player] = keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.compile_phases(optimizers, jit_compile=jit_compile, **kwargs)

    def phase_variables(self):
        return {
            "generator": self.generator.trainable_variables,
            "discriminator": self.discriminator.trainable_variables,
        }

    def train_step(self, data):
        """A step of the discriminator, then one of the generator; `data` is `x` or `(x, condition)`."""
        x, condition = self.unpack(data)
        first, second = tf.unstack(tf.random.split(self.next_seed(), 2))
        terms = {
            **self.discriminator_step(x, condition, seed=first),
            **self.generator_step(tf.shape(x)[0], condition, seed=second),
        }
        return self.logged({"loss": terms["generator_loss"] + terms["discriminator_loss"], **terms})

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
        return self.take_step("discriminator", lambda: self.discriminator_terms(x, fakes, condition, training=True))

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

        def terms():
            fakes = self.fakes(noise, condition, training=True)
            # The scope discards the update of the discriminator's moving statistics.
            with keras.StatelessScope():
                return self.generator_terms(fakes, condition, training=True)

        return self.take_step("generator", terms)

    def step_noise(self, batch_size: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Draws noise for this replica's part of the batch."""
        return self.replica_rows(lambda rows: self.noise(rows, seed), batch_size)

    def loss_terms(self, x, condition, *, seed, training):
        """The terms of both players on the same generated examples, without a step of either."""
        fakes = self.fakes(self.step_noise(tf.shape(x)[0], seed), condition, training=training)
        terms = {
            **self.discriminator_terms(x, fakes, condition, training=training),
            **self.generator_terms(fakes, condition, training=training),
        }
        return {"loss": terms["generator_loss"] + terms["discriminator_loss"], **terms}

    # Export

    def signatures(self):
        """Adds `discriminate` to what every model exports."""
        x = tf.TensorSpec((None, *self.event_shape), tf.float32, "x")
        discriminate = Signature(lambda x: {"probability": self.discriminate(x)}, {"x": x})
        return {**super().signatures(), "discriminate": discriminate}
