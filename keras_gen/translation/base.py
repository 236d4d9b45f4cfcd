"""What image-to-image translation models share."""

import tensorflow as tf

from keras_gen.adversarial.two_player import TwoPlayer, dealt
from keras_gen.core import Model, Signature
from keras_gen.networks import KerasNetwork, OwnNetwork
from keras_gen.spaces import Levels, Numbers, Space


class TranslationModel(TwoPlayer, Model):
    """Two players, whose generator turns images of one kind into images of another.

    A subclass builds its networks in its constructor and provides

    - `spaces`: its columns, with the names of two of them in `source_column` and `target_column`,
    - `translated(scaled, domain)`: the translation, as a graph,
    - what `TwoPlayer` requires: `fakes`, `discriminator_terms` and `generator_terms`;

    `translate`, its checks, its signature and pictures follow.

    Both players learn from the same translations in a step, in the order of `players`: the second one sees the first
    one already updated. So the generator translates a batch only once. Further steps of the discriminator, if any, come
    first, each on its own translations.
    """

    usage = "x = model.source_space.examples(4)    # or your own\nmodel.translate(x)"

    #: The column that is translated, and the one that holds images like the translations.
    source_column: str = "source"
    target_column: str = "target"

    #: The order in which the players learn from the same translations.
    players: tuple[str, str] = ("discriminator", "generator")

    #: What a caller can choose to translate into, such as a class; None if there is only one target.
    domain_space: Space | None = None

    @property
    def source_space(self) -> Numbers:
        """The space of source images."""
        return self.spaces[self.source_column]

    @property
    def target_space(self) -> Numbers:
        """The space of translations."""
        return self.spaces[self.target_column]

    def translated(self, scaled: tf.Tensor, domain: tf.Tensor | None) -> tf.Tensor:
        """Translates valid images, inside a graph.

        Args:
            scaled: images of shape `(batch, *source_space.shape)`, with levels scaled to [-1, 1].
            domain: valid values of `domain_space`, of shape `(batch, ...)`, or None.

        Returns:
            float32 images of shape `(batch, *target_space.shape)`, on the same scale and not rounded.
        """
        raise NotImplementedError

    def translate(self, x, *, domain=None) -> tf.Tensor:
        """Translates images.

        Args:
            x: images of shape `(batch, *source_space.shape)`, whole levels.
            domain: what to translate into, one value for each image, for a model with a `domain_space`.

        Returns:
            Images of shape `(batch, *target_space.shape)`; levels are float32 whole numbers.

        Raises:
            TypeError: if a dtype is not the expected one.
            ValueError: if a shape or a value is not the expected one, or a domain is given to a model without domains
                or is missing for a model with domains.
        """
        x, domain = self.source_space.validate(x, self.source_column), self.validated_domain(domain)
        if domain is not None and not domain.shape[:1].is_compatible_with(x.shape[:1]):
            raise ValueError(f"`domain` must hold one entry per image, {x.shape[0]}; received {domain.shape[0]}.")
        return self.rounded(self.translated(self.source_space.scaled(x), domain), self.target_space)

    def scaled(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the two columns of a batch, source and target, on the networks' scale."""
        return tuple(self.spaces[name].scaled(batch[name]) for name in (self.source_column, self.target_column))

    def own_generator(self, own: OwnNetwork, entering: tuple[int, ...], leaving: tuple[int, ...]) -> KerasNetwork:
        """Returns a custom generator, which may bound its outputs if they are real numbers."""
        linear = isinstance(self.target_space, Levels)
        return KerasNetwork("generator_network", own, [entering], [leaving], linear=linear)

    def on_scale(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns a generator's outputs as float32 images on the networks' scale: for levels, their tanh."""
        outputs = tf.cast(outputs, tf.float32)
        return tf.tanh(outputs) if isinstance(self.target_space, Levels) else outputs

    def rounded(self, scaled: tf.Tensor, space: Numbers) -> tf.Tensor:
        """Returns the values of a space nearest to images on the networks' scale."""
        return space.nearest(space.unscaled(scaled))

    def validated_domain(self, domain) -> tf.Tensor | None:
        """Returns the domain as a tensor, or None for a model with only one target.

        Raises:
            TypeError: if its dtype is not the expected one.
            ValueError: if a domain is given to a model without domains, or none to a model with domains, or if its
                shape or a value is not the expected one.
        """
        name = type(self).__name__
        if self.domain_space is None:
            if domain is not None:
                raise ValueError(f"`domain` must be None: this {name} has one target only.")
            return None
        if domain is None:
            raise ValueError(f"`domain` must be given: this {name} has several targets.")
        return self.domain_space.validate(domain, "domain")

    def call(self, x):
        """The translation, so that `model.predict(x)` returns it."""
        return self.translate(x)

    @property
    def call_columns(self):
        return [self.source_column]

    # Training

    def take_step(self, batch, step):
        """Takes the discriminator's earlier steps, then one of each player in order, on the same translations."""
        *earlier, batch = dealt(batch, self.discriminator_steps)
        for index, rows in enumerate(earlier, 1):
            self.take_discriminator_step(rows, step.fold(2 + index))
        others = step.fold(1).silent()
        variables = self.phase_variables()["generator"]
        with tf.GradientTape() as tape:
            fakes = step.record(lambda: self.fakes(batch, step), self.non_trainable_variables)
            detached = tf.nest.map_structure(tf.stop_gradient, fakes)

            def discriminator_step():
                return self.take_phase(
                    "discriminator", lambda: self.discriminator_terms(batch, detached, others), others
                )

            terms = {}
            if self.players[0] == "discriminator":
                with tape.stop_recording():
                    terms = discriminator_step()
            moved = step.record(lambda: self.generator_terms(batch, fakes, step.fold(2)), self.non_trainable_variables)
            objective = self.objective_share(moved["generator_loss"], step, self.phase_optimizer("generator"))
        self.phase_optimizer("generator").apply(tape.gradient(objective, variables), variables)
        step.forget(self.variables_of_others("generator"))
        step.apply()
        if self.players[0] == "generator":
            terms = discriminator_step()
        return self.with_sum({**terms, **moved}, step)

    # Pictures and export

    def preview(self, batch, *, seed):
        """The images and their translations; a subclass with several targets chooses them."""
        x = batch[self.source_column]
        return {"input": (self.source_space, x), "output": (self.target_space, self.translate(x))}

    def signatures(self):
        """Returns `translate`."""

        def translate(domain=None, **columns):
            return {self.target_column: self.translate(columns[self.source_column], domain=domain)}

        domain = {} if self.domain_space is None else {"domain": self.domain_space.spec("domain")}
        return {"translate": Signature(translate, {**self.specs(self.source_column), **domain})}

    def input_space(self, name):
        """Adds the space of the domain."""
        return self.domain_space if name == "domain" else super().input_space(name)


def mean_of_each(values: tf.Tensor) -> tf.Tensor:
    """Returns the mean over all axes except the first."""
    return tf.reduce_mean(values, axis=range(1, values.shape.rank))
