"""Pix2Pix: Image-to-Image Translation with Conditional Adversarial Networks.

Phillip Isola, Jun-Yan Zhu, Tinghui Zhou, Alexei A. Efros (2017), https://arxiv.org/abs/1611.07004
"""

import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.adversarial.losses import OBJECTIVES
from keras_gen.core import Signature
from keras_gen.networks import OwnNetwork, argument_value
from keras_gen.spaces import levels_or_reals
from keras_gen.translation.base import TranslationModel, mean_of_each
from keras_gen.translation.networks import PatchDiscriminator, UNet, own_patch_discriminator


class Pix2Pix(TranslationModel):
    r"""Learns from pairs of an image x and its translation y, with two players and the distance of translations from y.

    $$L_D = \tfrac{1}{2} [-\log D(x, y) - \log(1 - D(x, G(x, z)))]$$
    $$L_G = -\log D(x, G(x, z)) + λ ‖y - G(x, z)‖_1, \qquad λ = 100$$

    G is a U-Net with skips and D a PatchGAN, which sees x and a translation, concatenated, and has a logit for each
    patch. All losses are means over patches or entries, on a scale where levels range from -1 to 1. L_D is halved,
    which slows D down. The noise z is only the dropout in G.

    The paper trains with batches of one image, keeps dropout at test time, and then normalizes with the statistics of
    the test batch, again of one image. Instance normalization computes the same for any batch size, and is the default;
    with "batch", D and G learn as with the paper's larger batches, and translations use the moving statistics of
    training. In both cases an image's translation does not depend on the other images in its batch. `translate` omits
    dropout and returns one translation; `sample_translations` draws z as in the paper.

    Columns are "source" and "target". A target may be larger than its source by an integer factor, as in
    super-resolution: the networks then see each pixel of the source as a square.

    The logs contain the losses of both players and "l1", the distance without its weight.

    Example:

    ```python
    model = keras_gen.translation.Pix2Pix((64, 64, 3), (64, 64, 3))
    model.compile()                                                 # the paper's Adam for both players
    model.fit({"source": x_train, "target": y_train}, batch_size=1, epochs=200)      # levels 0..255
    model.translate(x_test)
    ```

    Args:
        source_shape: height, width and channels of x.
        target_shape: height, width and channels of y; its sides are whole multiples of those of x.
        levels: number of levels of an entry of both; None for real numbers.
        filters: channels of the first layer of each network.
        receptive_field: height and width of the patches that D judges; see `networks.receptive_fields`. None uses the
            paper's 70, or for smaller images the largest patch that fits into them.
        l1_weight: λ.
        objective: losses of both players: a name in `adversarial.losses.OBJECTIVES`, or a dict of "name" and arguments.
        normalization: "instance", or "batch".
        dropout: fraction of the features that the first three blocks of G's decoder drop.
        generator_network: a Keras layer or model in place of G, from the source, enlarged to the target's size, to the
            target before a tanh. When z is drawn, it runs in training mode.
        discriminator_network: the same in place of D, from the source and a target, concatenated along the channels, to
            one logit for each patch.
        seed: as in `Model`; also chooses the initial weights.
        **kwargs: as in `Model`.

    Raises:
        ValueError: if a shape is not that of an image, or an argument is not as described.
    """

    terms = (*TranslationModel.terms, "l1")

    def __init__(
        self,
        source_shape,
        target_shape,
        levels: int | None = 256,
        *,
        filters: int = 64,
        receptive_field: int | None = None,
        l1_weight: float = 100.0,
        objective: str | dict = "non_saturating",
        normalization: str = "instance",
        dropout: float = 0.5,
        generator_network: OwnNetwork | None = None,
        discriminator_network: OwnNetwork | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.source_shape = checks.image_shape("source_shape", source_shape)
        self.target_shape = checks.image_shape("target_shape", target_shape)
        self.scale = factor_between(self.source_shape, self.target_shape)
        self.levels = checks.levels(levels, allow_none=True)
        self.column_units = self.channel_units(source=self.source_shape, target=self.target_shape)
        self.filters = checks.positive_int("filters", filters)
        self.receptive_field = receptive_field
        self.l1_weight = checks.not_negative("l1_weight", l1_weight)
        self.objective = objective
        component_class, arguments = checks.component("objective", objective, OBJECTIVES)
        self.player_losses = component_class(**arguments)
        self.normalization = normalization
        self.dropout = checks.rate("dropout", dropout)
        *sides, channels = self.target_shape
        sources = self.source_shape[-1]
        options = {"filters": self.filters, "normalization": normalization, "dtype": self.dtype_policy}
        self.generator_network = argument_value("generator_network", generator_network)
        self.discriminator_network = argument_value("discriminator_network", discriminator_network)
        entering, judged = (*sides, sources), (*sides, sources + channels)
        if generator_network is None:
            self.generator = UNet(entering, channels, dropout=dropout, seed=(seed, 0), name="generator", **options)
        else:
            self.generator = self.own_generator(generator_network, entering, self.target_shape)
        if discriminator_network is None:
            options["receptive_field"] = receptive_field
            self.discriminator = PatchDiscriminator(judged, seed=(seed, 1), name="discriminator", **options)
        else:
            self.discriminator = own_patch_discriminator(discriminator_network, judged)

    @property
    def spaces(self):
        shapes = {"source": self.source_shape, "target": self.target_shape}
        return {
            name: levels_or_reals(shape, self.levels, self.column_units.get(name)) for name, shape in shapes.items()
        }

    # Networks

    def enlarged(self, source: tf.Tensor) -> tf.Tensor:
        """Returns images of the target's height and width, with each pixel of the source as a rectangle."""
        for axis, factor in enumerate(self.scale, 1):
            source = tf.repeat(source, factor, axis=axis) if factor > 1 else source
        return source

    def generate(self, source: tf.Tensor, *, step=None, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Returns G(x, z), on the networks' scale.

        Args:
            source: scaled images of shape `(batch, *source_shape)`.
            step: the step; None outside of training and evaluation.
            seed: int32 tensor of shape (2,) from which z is drawn; None for no dropout.
        """
        return self.on_scale(self.generator(self.enlarged(source), step=step, dropout_seed=seed))

    def patch_logits(self, source: tf.Tensor, target: tf.Tensor, step=None) -> tf.Tensor:
        """Returns D's logit for each patch, float32 of shape `(batch, rows, columns)`, for scaled pairs."""
        pairs = tf.concat([self.enlarged(source), target], axis=-1)
        return tf.cast(self.discriminator(pairs, step=step), tf.float32)

    def translated(self, scaled, domain):
        return self.generate(scaled)

    def sample_translations(self, source, num_samples: int, seed=None) -> tf.Tensor:
        """Draws translations of each image: their dropout is the noise z.

        Args:
            source: images of shape `(batch, *source_shape)`.
            num_samples: number of translations of each image.
            seed: int or pair of ints; the same seed gives the same translations. None takes the next seed of the
                model's own stream.

        Returns:
            Images of shape `(batch, num_samples, *target_shape)`; levels come as float32 whole numbers.

        Raises:
            ValueError: if `num_samples` is below 1, or the images are not as expected.
        """
        if not tf.is_tensor(num_samples):
            num_samples = checks.positive_int("num_samples", num_samples)
        source = self.spaces["source"].validate(source, "source")
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        repeated = tf.repeat(self.spaces["source"].scaled(source), num_samples, axis=0)
        x = self.rounded(self.generate(repeated, seed=seed), self.target_space)
        return tf.reshape(x, (-1, num_samples, *self.target_shape))

    # Objective

    def fakes(self, batch, step):
        """Returns G(x, z), on the networks' scale, as "target"."""
        source, _ = self.scaled(batch)
        return {"target": self.generate(source, step=step, seed=step.seed)}

    def discriminator_terms(self, batch, fakes, step):
        source, target = self.scaled(batch)
        real, fake = (self.patch_logits(source, each, step) for each in (target, fakes["target"]))
        return {"discriminator_loss": 0.5 * mean_of_each(self.player_losses.discriminator(real, fake))}

    def generator_terms(self, batch, fakes, step):
        source, target = self.scaled(batch)
        loss = mean_of_each(self.player_losses.generator(self.patch_logits(source, fakes["target"], step)))
        l1 = mean_of_each(tf.abs(target - fakes["target"]))
        return {"generator_loss": loss + self.l1_weight * l1, "l1": l1}

    # Pictures and export

    def preview(self, batch, *, seed):
        """Rows "input", "output" and "target"."""
        return {**super().preview(batch, seed=seed), "target": (self.target_space, batch["target"])}

    def signatures(self):
        """Adds `sample_translations`, whose output has one more axis than "target"."""
        scalar = tf.TensorSpec((), tf.int32)

        def sample_translations(source, num_samples, seed):
            return {"translations": self.sample_translations(source, num_samples, seed)}

        inputs = {**self.specs("source"), "num_samples": scalar, "seed": scalar}
        return {**super().signatures(), "sample_translations": Signature(sample_translations, inputs, False)}


def factor_between(source_shape: tuple[int, ...], target_shape: tuple[int, ...]) -> tuple[int, int]:
    """Returns how many times higher and wider a target is than its source.

    Raises:
        ValueError: if these are not whole numbers.
    """
    factors = tuple(target // source for source, target in zip(source_shape[:2], target_shape[:2], strict=True))
    if any(factor * side != whole for factor, side, whole in zip(factors, source_shape, target_shape, strict=False)):
        raise ValueError(
            f"`target_shape` must have sides that are whole multiples of those of the source, {source_shape[:2]}; "
            f"received {target_shape}."
        )
    return factors
