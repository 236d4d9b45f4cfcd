"""CycleGAN: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks.

Jun-Yan Zhu, Taesung Park, Phillip Isola, Alexei A. Efros (2017), https://arxiv.org/abs/1703.10593
"""

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.adversarial.losses import LeastSquares
from keras_gen.core import Signature
from keras_gen.networks import OwnNetwork, argument_value
from keras_gen.spaces import levels_or_reals
from keras_gen.translation.base import TranslationModel, mean_of_each
from keras_gen.translation.image_pool import ImagePool
from keras_gen.translation.networks import PatchDiscriminator, ResNet, own_patch_discriminator
from keras_gen.translation.networks.resnet import check_sides

#: With a factor of one half for each square.
PLAYER_LOSSES = LeastSquares(fake=0.0, real=1.0, wanted=1.0)


class CycleGAN(TranslationModel):
    r"""Learns to translate in both directions between images of two kinds, a and b, without known pairs.

    G turns a into b, and F turns b into a. Each turns back what the other makes.

    $$L_G = (D_b(G(a)) - 1)^2 + (D_a(F(b)) - 1)^2 + λ (‖F(G(a)) - a‖_1 + ‖G(F(b)) - b‖_1) + κ λ (‖F(a) - a‖_1 +
    ‖G(b) - b‖_1), \qquad λ = 10, \quad κ = \tfrac{1}{2}$$
    $$L_D = \tfrac{1}{2} [(D_b(b) - 1)^2 + D_b(\tilde b)^2] + \tfrac{1}{2} [(D_a(a) - 1)^2 + D_a(\tilde a)^2]$$

    G and F are residual networks with instance normalization, D_a and D_b PatchGANs. All losses are means over patches
    or entries, on a scale where levels range from -1 to 1. First G and F take a step with one optimizer, then both
    discriminators take one with another. These see ã and b̃, half of which come from a pool of earlier translations.

    The last two terms, with weight κ, leave images that are already of the target kind unchanged. The paper uses them
    only for paintings; in the authors' code they are on unless turned off.

    Columns are "a" and "b", whose examples are unrelated: `data.load_unpaired` shuffles them independently. The logs
    contain the losses of the players and, without their weights, "cycle", the distance with weight λ, and "identity",
    the one with weight κ λ.

    Example:

    ```python
    model = keras_gen.translation.CycleGAN((128, 128, 3), (128, 128, 3))
    model.compile()                                                 # the paper's Adam for both players
    model.fit({"a": x_horses, "b": x_zebras}, batch_size=1, epochs=200)      # levels 0..255
    model.translate(x_test)
    model.translate_back(y_test)
    ```

    Args:
        shape_a: height, width and channels of images a; the sides are multiples of 4, at least 8.
        shape_b: the same of images b, of the same height and width.
        levels: number of levels of an entry of both; None for real numbers.
        filters: channels of the first layer of each network.
        num_blocks: number of residual blocks of G and F. None uses the paper's: 9 from 256 pixels on, 6 for smaller
            images.
        receptive_field: height and width of the patches that are judged; see `networks.receptive_fields`. None uses the
            paper's 70, or for smaller images the largest patch that fits into them.
        cycle_weight: λ.
        identity_weight: κ; must be 0 if a and b differ in their channels.
        pool_size: number of translations of each kind in the pool; 0 for no pool.
        generator_network: a Keras layer or model in place of G, from images to images before a tanh; F is a new
            instance of it. So a and b must have the same shape.
        discriminator_network: the same in place of D_b, from images to one logit for each patch; D_a is a new instance.
        seed: as in `Model`; also chooses the initial weights.
        **kwargs: as in `Model`.

    Raises:
        ValueError: if a shape or an argument is not as described.
    """

    usage = (
        'a, b = (model.spaces[name].examples(4) for name in "ab")    # or your own\n'
        "model.translate(a)          # to b\n"
        "model.translate_back(b)     # to a"
    )
    source_column, target_column = "a", "b"
    players = ("generator", "discriminator")

    def __init__(
        self,
        shape_a,
        shape_b,
        levels: int | None = 256,
        *,
        filters: int = 64,
        num_blocks: int | None = None,
        receptive_field: int | None = None,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        pool_size: int = 50,
        generator_network: OwnNetwork | None = None,
        discriminator_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        # First, since the terms of the model depend on it.
        self.identity_weight = checks.not_negative("identity_weight", identity_weight)
        super().__init__(seed=seed, **kwargs)
        self.shape_a = checks.image_shape("shape_a", shape_a)
        self.shape_b = checks.image_shape("shape_b", shape_b)
        check_sides("shape_a", self.shape_a)
        if self.shape_b[:2] != self.shape_a[:2]:
            raise ValueError(
                f"`shape_b` must have the sides of `shape_a`, {self.shape_a[:2]}; received {self.shape_b}."
            )
        if identity_weight and self.shape_a != self.shape_b:
            raise ValueError(
                f"`identity_weight` must be 0 for images of {self.shape_a[-1]} and of {self.shape_b[-1]} channels, "
                f"received {identity_weight}."
            )
        self.levels = checks.levels(levels, allow_none=True)
        self.column_units = self.channel_units(a=self.shape_a, b=self.shape_b)
        self.filters = checks.positive_int("filters", filters)
        self.num_blocks = num_blocks
        self.receptive_field = receptive_field
        self.cycle_weight = checks.not_negative("cycle_weight", cycle_weight)
        self.pool_size = checks.not_negative("pool_size", pool_size, whole=True)
        sides = self.shape_a[:2]
        options = {"filters": self.filters, "dtype": self.dtype_policy}
        blocks = (
            (9 if min(sides) >= 256 else 6) if num_blocks is None else checks.positive_int("num_blocks", num_blocks)
        )

        self.generator_network = argument_value("generator_network", generator_network)
        self.discriminator_network = argument_value("discriminator_network", discriminator_network)

        def generator(source, target, index, name):
            if generator_network is not None:
                return self.own_generator((generator_network, self.generator_network)[index], source, target)
            return ResNet(source, target[-1], num_blocks=blocks, seed=(seed, index), name=name, **options)

        def discriminator(shape, index, name):
            if discriminator_network is not None:
                return own_patch_discriminator((self.discriminator_network, discriminator_network)[index - 2], shape)
            return PatchDiscriminator(shape, receptive_field=receptive_field, seed=(seed, index), name=name, **options)

        self.generator_ab = generator(self.shape_a, self.shape_b, 0, "generator_ab")
        self.generator_ba = generator(self.shape_b, self.shape_a, 1, "generator_ba")
        self.discriminator_a = discriminator(self.shape_a, 2, "discriminator_a")
        self.discriminator_b = discriminator(self.shape_b, 3, "discriminator_b")
        self.pool_a = ImagePool(pool_size, self.shape_a, name="pool_a") if pool_size else None
        self.pool_b = ImagePool(pool_size, self.shape_b, name="pool_b") if pool_size else None

    @property
    def terms(self):
        """The losses, the distance after a cycle, and, if it is learned, that of images of the target kind."""
        return (*TranslationModel.terms, "cycle", *(["identity"] if self.identity_weight else []))

    @property
    def spaces(self):
        shapes = {"a": self.shape_a, "b": self.shape_b}
        return {
            name: levels_or_reals(shape, self.levels, self.column_units.get(name)) for name, shape in shapes.items()
        }

    def phase_layers(self):
        return {
            "generator": [self.generator_ab, self.generator_ba],
            "discriminator": [self.discriminator_a, self.discriminator_b],
        }

    # Networks

    def generate(self, generator: keras.layers.Layer, scaled: tf.Tensor) -> tf.Tensor:
        """Applies G or F to images; inputs and float32 outputs are on the networks' scale."""
        return self.on_scale(generator(scaled))

    def translated(self, scaled, domain):
        return self.generate(self.generator_ab, scaled)

    def translate_back(self, x) -> tf.Tensor:
        """Translates images b into images a.

        Args:
            x: images of shape `(batch, *shape_b)`, whole levels.

        Returns:
            Images of shape `(batch, *shape_a)`; levels come as float32 whole numbers.

        Raises:
            TypeError: if the dtype is not the expected one.
            ValueError: if the shape or a value is not the expected one.
        """
        x = self.target_space.validate(x, "b")
        made = self.generate(self.generator_ba, self.target_space.scaled(x))
        return self.rounded(made, self.source_space)

    # Objective

    def fakes(self, batch, step):
        """Returns F(b) as "a" and G(a) as "b", on the networks' scale."""
        a, b = self.scaled(batch)
        return {"a": self.generate(self.generator_ba, b), "b": self.generate(self.generator_ab, a)}

    def generator_terms(self, batch, fakes, step):
        a, b = self.scaled(batch)
        logits = [patch_logits(self.discriminator_a, fakes["a"]), patch_logits(self.discriminator_b, fakes["b"])]
        # Only the square, to which the paper's λ is relative.
        loss = tf.add_n([2.0 * mean_of_each(PLAYER_LOSSES.generator(each)) for each in logits])
        cycle = distance(self.generate(self.generator_ba, fakes["b"]), a)
        cycle += distance(self.generate(self.generator_ab, fakes["a"]), b)
        loss += self.cycle_weight * cycle
        if not self.identity_weight:
            return {"generator_loss": loss, "cycle": cycle}
        identity = distance(self.generate(self.generator_ba, a), a)
        identity += distance(self.generate(self.generator_ab, b), b)
        loss += self.identity_weight * self.cycle_weight * identity
        return {"generator_loss": loss, "cycle": cycle, "identity": identity}

    def discriminator_terms(self, batch, fakes, step):
        def loss(discriminator, pool, real, fake, step):
            # An evaluation does not change the pool.
            shown = pool.exchange(fake, step) if pool is not None and step.training else fake
            return mean_of_each(
                PLAYER_LOSSES.discriminator(patch_logits(discriminator, real), patch_logits(discriminator, shown))
            )

        a, b = self.scaled(batch)
        first, second = step.split(2)
        loss_a = loss(self.discriminator_a, self.pool_a, a, fakes["a"], first)
        return {"discriminator_loss": loss_a + loss(self.discriminator_b, self.pool_b, b, fakes["b"], second)}

    # Pictures and export

    def preview(self, batch, *, seed):
        """Rows of images a, their translations, and these translated back; then the same for images b."""
        a, b = batch["a"], batch["b"]
        to_b, to_a = self.translate(a), self.translate_back(b)
        return {
            "input": (self.source_space, a),
            "output": (self.target_space, to_b),
            "again": (self.source_space, self.translate_back(to_b)),
            "back: input": (self.target_space, b),
            "back: output": (self.source_space, to_a),
            "back: again": (self.target_space, self.translate(to_a)),
        }

    def signatures(self):
        """Adds `translate_back`."""

        def translate_back(b):
            return {"a": self.translate_back(b)}

        return {**super().signatures(), "translate_back": Signature(translate_back, self.specs("b"))}


def patch_logits(discriminator: keras.layers.Layer, images: tf.Tensor) -> tf.Tensor:
    """Returns a discriminator's output for each patch, float32 of shape `(batch, rows, columns)`."""
    return tf.cast(discriminator(images), tf.float32)


def distance(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the mean absolute difference of each pair of images, of shape `(batch,)`."""
    return mean_of_each(tf.abs(first - second))
