"""StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation.

Yunjey Choi, Minje Choi, Munyoung Kim, Jung-Woo Ha, Sunghun Kim, Jaegul Choo (2018), https://arxiv.org/abs/1711.09020
"""

import itertools
import math

import keras
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.adversarial.losses import Wasserstein
from keras_gen.adversarial.regularizers import GradientPenalty
from keras_gen.layers.convolution import convolution
from keras_gen.layers.initializers import glorot
from keras_gen.networks import OwnNetwork, argument_value
from keras_gen.spaces import Attributes, ClassLabel, ClassOrAttributes, Space, levels_or_reals
from keras_gen.translation.base import TranslationModel, mean_of_each
from keras_gen.translation.networks import ResNet

#: Maximum number of outputs of a model that are shown.
MOST_OUTPUTS = 8


class DomainCritic(keras.layers.Layer):
    """4×4 convolutions with stride 2, then a score for each patch, and the logits of the domain.

    Each layer has twice as many channels as the previous one and is followed by LeakyReLU of slope 0.01; nothing is
    normalized. With six layers from 64 to 2,048 channels, it is the paper's network for 128×128 pixels.

    Args:
        image_shape: height, width and channels of an image.
        num_logits: number of logits of the domain.
        filters: channels of the first layer.
        num_layers: number of layers.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_logits: int,
        *,
        filters: int,
        num_layers: int,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        *sides, channels = image_shape
        widths = [channels, *(filters * 2**index for index in range(num_layers))]
        self.layers = [
            convolution(*pair, 4, 2, glorot((*seed, index)), self.dtype_policy)
            for index, pair in enumerate(itertools.pairwise(widths))
        ]
        self.score = convolution(widths[-1], 1, 3, 1, glorot((*seed, num_layers)), self.dtype_policy, use_bias=False)
        # As large as the remaining image, which becomes one pixel.
        left = tuple(math.ceil(side / 2**num_layers) for side in sides)
        initializer = glorot((*seed, num_layers + 1))
        self.domain = convolution(
            widths[-1], num_logits, left, 1, initializer, self.dtype_policy, use_bias=False, padding="valid"
        )
        self.built = True

    def call(self, images):
        """Returns scores of shape `(batch, rows, columns)` and logits of shape `(batch, num_logits)`.

        Args:
            images: scaled images of shape `(batch, *image_shape)`.
        """
        h = tf.cast(images, self.compute_dtype)
        for layer in self.layers:
            h = tf.nn.leaky_relu(layer(h), 0.01)
        return self.score(h)[..., 0], self.domain(h)[:, 0, 0]


class StarGAN(TranslationModel):
    r"""Learns to translate images between several domains, with one generator for all of them.

    G turns an image x of domain c' into one of domain c. D distinguishes real images from translations, and predicts
    the domain of an image. The translation is translated back.

    $$L_D = D(G(x, c)) - D(x) + λ_{gp} (‖∇_{\hat x} D(\hat x)‖_2 - 1)^2 - λ_{cls} \log D_{cls}(c'|x)$$
    $$L_G = -D(G(x, c)) - λ_{cls} \log D_{cls}(c|G(x, c)) + λ_{rec} ‖x - G(G(x, c), c')‖_1$$
    $$λ_{gp} = 10, \qquad λ_{cls} = 1, \qquad λ_{rec} = 10$$

    A domain is one of several classes; or several attributes, which do not exclude each other: then -log D_cls is the
    sum over them. With both, some examples have a class and others have attributes, as in two data sets with separate
    labels. G then sees zeros for what is unknown and a mask vector that says what is known, and D_cls is trained on
    what is known.

    c is drawn by permuting the labels of a batch among its images, within each of the two sets. G sees c as planes
    appended to the channels of x. Its residual network pads with zeros: with reflection, planes would stay constant,
    and instance normalization would remove them. It also removes whether an object is darker or lighter than what is
    around it: between domains that swap the two, G tends to draw the surroundings in place of the object. D's score is
    the mean over patches; the penalty is on the gradient of their sum, as in the authors' code. D takes five steps for
    one of G, the last one on the translations that G learns from.

    Columns are "x" and "condition", the domain of an image. The logs contain the losses of both players; without their
    weights, "real_class_loss" and "fake_class_loss", in nats, and "reconstruction"; and "penalty" with its weight.

    Example:

    ```python
    model = keras_gen.translation.StarGAN((128, 128, 3), num_attributes=5)
    model.compile()                                           # the paper's Adam for both players
    model.fit(x_train, attributes_train, batch_size=16, epochs=20)           # levels 0..255, zeros and ones
    model.translate(x_test, domain=wanted_attributes)
    ```

    Args:
        event_shape: height, width and channels of an image; the sides are multiples of 4.
        num_domains: number of mutually exclusive domains; None for only attributes.
        num_attributes: number of attributes; None for only mutually exclusive domains.
        levels: number of levels of an entry; None for real numbers.
        filters: channels of the first layer of each network.
        num_blocks: number of residual blocks of G.
        num_layers: number of layers of D that halve an image. None uses the paper's 6, or as many as leave two pixels.
        class_weight: λ_cls.
        reconstruction_weight: λ_rec.
        penalty_weight: λ_gp.
        discriminator_steps: number of steps of D, each with its own batch, for each step of G.
        generator_network: a Keras layer or model in place of G, from images with the planes of c appended to their
            channels to images before a tanh.
        seed: as in `Model`; also chooses the initial weights.
        **kwargs: as in `Model`.

    Raises:
        ValueError: if an argument is not as described.
    """

    terms = (*TranslationModel.terms, "real_class_loss", "fake_class_loss", "reconstruction", "penalty")
    usage = (
        "x, domain = model.source_space.examples(4), model.domain_space.examples(4)    # or your own\n"
        "model.translate(x, domain=domain)"
    )
    source_column = target_column = "x"

    def __init__(
        self,
        event_shape,
        num_domains: int | None = None,
        num_attributes: int | None = None,
        levels: int | None = 256,
        *,
        filters: int = 64,
        num_blocks: int = 6,
        num_layers: int | None = None,
        class_weight: float = 1.0,
        reconstruction_weight: float = 10.0,
        penalty_weight: float = 10.0,
        discriminator_steps: int = 5,
        generator_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.event_shape = checks.image_shape("event_shape", event_shape)
        if any(side % 4 for side in self.event_shape[:2]):
            raise ValueError(f"`event_shape` must have sides that are multiples of 4, received {self.event_shape}.")
        self.num_domains = num_domains
        self.num_attributes = num_attributes
        self.domain_space = space_of_domains(num_domains, num_attributes)
        self.levels = checks.levels(levels, allow_none=True)
        self.column_units = self.channel_units(x=self.event_shape)
        self.filters = checks.positive_int("filters", filters)
        self.num_blocks = checks.positive_int("num_blocks", num_blocks)
        self.num_layers = num_layers
        self.class_weight = checks.not_negative("class_weight", class_weight)
        self.reconstruction_weight = checks.not_negative("reconstruction_weight", reconstruction_weight)
        self.penalty_weight = checks.positive("penalty_weight", penalty_weight)
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)
        self.player_losses = Wasserstein()
        self.gradient_penalty = GradientPenalty(self.penalty_weight)
        *sides, channels = self.event_shape
        options = {"filters": self.filters, "dtype": self.dtype_policy}
        self.generator_network = argument_value("generator_network", generator_network)
        entering = (*sides, channels + self.domain_space.vector_size)
        if generator_network is None:
            self.generator = ResNet(
                entering,
                channels,
                num_blocks=self.num_blocks,
                padding="zeros",
                resampling_size=4,
                seed=(seed, 0),
                name="generator",
                **options,
            )
        else:
            self.generator = self.own_generator(generator_network, entering, self.event_shape)
        usual = max(1, min(6, math.ceil(math.log2(min(sides))) - 1))
        self.discriminator = DomainCritic(
            self.event_shape,
            (num_domains or 0) + (num_attributes or 0),
            num_layers=usual if num_layers is None else checks.positive_int("num_layers", num_layers),
            seed=(seed, 1),
            name="discriminator",
            **options,
        )

    @property
    def spaces(self):
        return {
            "x": levels_or_reals(self.event_shape, self.levels, self.column_units.get("x")),
            "condition": self.domain_space,
        }

    def default_optimizers(self):
        """Returns the paper's Adam for each player."""
        return {player: keras.optimizers.Adam(1e-4, beta_1=0.5) for player in ("generator", "discriminator")}

    # Networks

    def generate(self, scaled: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        """Returns G(x, c), float32 on the networks' scale, for scaled images and valid domains."""
        vectors = self.domain_space.vectors(domain)[:, tf.newaxis, tf.newaxis]
        planes = tf.ones_like(scaled[..., :1]) * vectors
        return self.on_scale(self.generator(tf.concat([scaled, planes], axis=-1)))

    def judged(self, scaled: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns D's score, of shape `(batch,)`, and the logits of the domain, float32, for scaled images."""
        scores, logits = self.discriminator(scaled)
        return mean_of_each(tf.cast(scores, tf.float32)), tf.cast(logits, tf.float32)

    def total_score(self, scaled: tf.Tensor) -> tf.Tensor:
        """Returns the sum of D's scores over patches, of shape `(batch,)`, for scaled images."""
        return tf.reduce_sum(tf.cast(self.discriminator(scaled)[0], tf.float32), axis=(1, 2))

    def translated(self, scaled, domain):
        return self.generate(scaled, domain)

    def call(self, x, condition):
        """The translation into domains, so that `model.predict((x, domain))` returns it."""
        return self.translate(x, domain=condition)

    @property
    def call_columns(self):
        return ["x", "condition"]

    # Objective

    def classes_and_attributes(self, domain: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the classes of domains, -1 for those without one, and their attributes."""
        num = tf.shape(domain)[0]
        if self.num_attributes is None:
            return domain, tf.zeros((num, 0), domain.dtype)
        if self.num_domains is None:
            return tf.fill((num,), -1), domain
        return domain[:, 0], domain[:, 1:]

    def class_loss(self, logits: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        """Returns -log D_cls(c|x) in nats, of shape `(batch,)`, for the known part of the domain."""
        label, attributes = self.classes_and_attributes(domain)
        split = self.num_domains or 0
        answers = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(attributes, tf.float32), logits[:, split:])
        loss = tf.reduce_sum(answers, axis=-1)
        if not split:
            return loss
        of_class = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(label, 0), logits[:, :split])
        return tf.where(label >= 0, of_class, loss)

    def other_domains(self, domain: tf.Tensor, step) -> tf.Tensor:
        """Returns the domains of the global batch in a random order within each label set."""
        everyones = step.gather(domain)
        label, _ = self.classes_and_attributes(everyones)
        has_attributes = tf.cast(label < 0, tf.float32)
        # Both list the rows of one set before those of the other; the second lists them in a random order.
        order = tf.argsort(has_attributes, stable=True)
        shuffled = tf.argsort(has_attributes + seeds.uniform(tf.shape(label), step.seed))
        others = tf.gather(everyones, tf.gather(shuffled, tf.argsort(order)))
        return step.rows(lambda _: others, tf.shape(domain)[0])

    def fakes(self, batch, step):
        """Returns translations on the networks' scale, as "x", and the "domain" of each."""
        domain = self.other_domains(batch["condition"], step)
        return {"x": self.generate(self.source_space.scaled(batch["x"]), domain), "domain": domain}

    def discriminator_terms(self, batch, fakes, step):
        x = self.source_space.scaled(batch["x"])
        (real, logits), (fake, _) = self.judged(x), self.judged(fakes["x"])
        penalty = self.gradient_penalty.penalty(lambda images, _: self.total_score(images), x, fakes["x"], step)
        class_loss = self.class_loss(logits, batch["condition"])
        loss = self.player_losses.discriminator(real, fake) + penalty + self.class_weight * class_loss
        return {"discriminator_loss": loss, "real_class_loss": class_loss, "penalty": penalty}

    def generator_terms(self, batch, fakes, step):
        score, logits = self.judged(fakes["x"])
        class_loss = self.class_loss(logits, fakes["domain"])
        again = self.generate(fakes["x"], batch["condition"])
        reconstruction = mean_of_each(tf.abs(self.source_space.scaled(batch["x"]) - again))
        loss = self.player_losses.generator(score) + self.class_weight * class_loss
        loss += self.reconstruction_weight * reconstruction
        return {"generator_loss": loss, "fake_class_loss": class_loss, "reconstruction": reconstruction}

    # Pictures

    def shown_domains(self, domain: tf.Tensor) -> list[tf.Tensor]:
        """Returns the domains in which images are shown: each class for all images, and each attribute flipped."""
        label, attributes = self.classes_and_attributes(domain)
        shown = []
        for index in range(self.num_domains or 0):
            classes = tf.fill(tf.shape(label), index)
            shown.append(self.joined(classes, tf.zeros_like(attributes)))
        for index in range(self.num_attributes or 0):
            changed = tf.one_hot(index, self.num_attributes, dtype=attributes.dtype)
            shown.append(self.joined(tf.fill(tf.shape(label), -1), tf.abs(attributes - changed)))
        return shown[:MOST_OUTPUTS]

    def joined(self, label: tf.Tensor, attributes: tf.Tensor) -> tf.Tensor:
        """Returns the domains with given classes and attributes."""
        if self.num_attributes is None:
            return label
        return attributes if self.num_domains is None else tf.concat([label[:, tf.newaxis], attributes], axis=-1)

    def preview(self, batch, *, seed):
        """Rows of images, of their translations into several domains, and of the last ones translated back."""
        x, own = batch["x"], batch["condition"]
        rows = {"input": (self.source_space, x)}
        for index, domain in enumerate(self.shown_domains(own), 1):
            x = self.translate(batch["x"], domain=domain)
            rows["output" if index == 1 else f"output {index}"] = (self.source_space, x)
        return {**rows, "again": (self.source_space, self.translate(x, domain=own))}


def space_of_domains(num_domains: int | None, num_attributes: int | None) -> Space:
    """Returns the space of mutually exclusive domains, of attributes, or of both.

    Raises:
        ValueError: if neither is given, or one is smaller than 1.
        TypeError: if one is not a whole number.
    """
    if num_domains is None and num_attributes is None:
        raise ValueError("`num_domains` must be given where `num_attributes` is None.")
    if num_domains is not None:
        checks.positive_int("num_domains", num_domains)
    if num_attributes is not None:
        checks.positive_int("num_attributes", num_attributes)
    if num_attributes is None:
        return ClassLabel(num_domains)
    return Attributes(num_attributes) if num_domains is None else ClassOrAttributes(num_domains, num_attributes)
