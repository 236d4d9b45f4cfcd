"""Puzzle-GAN: Unsupervised Holistic Image Generation from Key Local Patches.

Donghoon Lee, Sangdoo Yun, Sungjoon Choi, Hwiyeon Yoo, Ming-Hsuan Yang, Songhwai Oh (2017),
https://arxiv.org/abs/1703.10730
"""

import itertools
import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.adversarial.losses import non_saturating
from keras_gen.adversarial.networks.blocks import strided_sizes, strides_between
from keras_gen.adversarial.networks.convolutional import ConvolutionalDiscriminator, normals
from keras_gen.adversarial.two_player import TwoPlayer
from keras_gen.core import Model, Signature
from keras_gen.data.parts import part_spaces, parts_shape, puzzles
from keras_gen.layers import BatchNormalization
from keras_gen.layers.convolution import Conv2DTranspose, convolution
from keras_gen.layers.dense import dense
from keras_gen.networks import KerasNetwork, OwnNetwork, argument_value
from keras_gen.spaces import Interval, Levels, levels_or_reals

tfd = tfp.distributions


class PartEncoder(keras.layers.Layer):
    """5×5 convolutions that halve a part, and the code; the results are summed over all parts of an image.

    A part is enlarged to the size of an image, on its own canvas, so that nothing reveals where it was. LeakyReLU of
    slope 0.2 follows all layers, batch normalization follows all except the first and the code.

    Args:
        image_shape: height, width and channels of an image.
        code_size: length of the code.
        filters: channels of each convolution.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        code_size: int,
        *,
        filters: tuple[int, ...],
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        _, self.sizes = strided_sizes(image_shape, filters)
        initializers, policy = normals(seed), self.dtype_policy
        widths = (image_shape[-1], *filters)
        self.layers = [
            convolution(*pair, 5, strides_between(*sizes), next(initializers), policy, use_bias=index == 0)
            for index, (pair, sizes) in enumerate(
                zip(itertools.pairwise(widths), itertools.pairwise(self.sizes), strict=True)
            )
        ]
        self.norms = [BatchNormalization((None, None, None, width), dtype=policy) for width in filters[1:]]
        self.code = dense(math.prod(self.sizes[-1]) * filters[-1], code_size, next(initializers), policy)
        self.built = True

    def call(self, parts, *, step=None):
        """Returns the summed features of each convolution, the largest ones first, and the summed code.

        Args:
            parts: scaled parts of shape `(batch, num_parts, height, width, channels)`.
            step: the step, for the updates of normalization; None outside of training and evaluation.
        """
        num_parts, *shape = parts.shape[1:]
        h = tf.image.resize(tf.reshape(parts, (-1, *shape)), self.sizes[0])
        h = tf.cast(h, self.compute_dtype)
        features = []
        for layer, norm in zip(self.layers, [None, *self.norms], strict=True):
            h = layer(h)
            h = tf.nn.leaky_relu(h if norm is None else norm(h, step=step), 0.2)
            features.append(summed(h, num_parts))
        code = tf.nn.leaky_relu(self.code(tf.reshape(h, (-1, math.prod(h.shape[1:])))), 0.2)
        return features, summed(code, num_parts)


class Decoder(keras.layers.Layer):
    """From a code to an image: transposed 5×5 convolutions that double it, each also seeing features of its size.

    Batch normalization and ReLU follow all layers except the last.

    Args:
        sizes: height and width of the image, and of each half of it.
        code_size: length of the code.
        channels: channels of the output.
        filters: channels of the features of each half.
        skips: channels of the additional input of each half.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        sizes: list[tuple[int, int]],
        code_size: int,
        channels: int,
        *,
        filters: tuple[int, ...],
        skips: tuple[int, ...],
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.sizes = sizes
        initializers, policy = normals(seed), self.dtype_policy
        self.smallest = (*sizes[-1], filters[-1])
        # If batch normalization follows, its bias replaces the layer's own.
        self.first = dense(code_size, math.prod(self.smallest), next(initializers), policy, use_bias=False)
        widths = (channels, *filters)
        self.doubling = [
            convolution(
                filters[index] + skips[index],
                widths[index],
                5,
                strides_between(*sizes[index : index + 2]),
                next(initializers),
                policy,
                Conv2DTranspose,
                use_bias=index == 0,
            )
            for index in reversed(range(len(filters)))
        ]
        self.norms = [BatchNormalization((None, None, None, width), dtype=policy) for width in reversed(filters)]
        self.built = True

    def call(self, code, skips, *, step=None):
        """Returns images before their last activation, and the features of each half with its additional input.

        Args:
            code: vectors of shape `(batch, code_size)`.
            skips: additional input of each half, the largest one first.
            step: the step, for the updates of normalization; None outside of training and evaluation.
        """
        h = tf.reshape(self.first(tf.cast(code, self.compute_dtype)), (-1, *self.smallest))
        features = []
        sizes = self.sizes[-2::-1]
        for layer, norm, skip, size in zip(self.doubling, self.norms, reversed(skips), sizes, strict=True):
            h = tf.concat([tf.nn.relu(norm(h, step=step)), skip], axis=-1)
            features.append(h)
            # Two lengths round up to the same half; doubling restores the larger one.
            h = layer(h)[:, : size[0], : size[1]]
        return h, features[::-1]


class PuzzleGenerator(keras.layers.Layer):
    """The encoder of parts E, and two decoders: M, for the mask, which sees E's features, and G, which sees M's.

    Args:
        image_shape: height, width and channels of an image.
        code_size: length of the code.
        latent_size: length of the noise.
        filters: channels of each strided layer, from the image inwards.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        code_size: int,
        latent_size: int,
        *,
        filters: tuple[int, ...],
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        options = {"filters": filters, "dtype": self.dtype_policy}
        twice = tuple(2 * width for width in filters)
        self.encoder = PartEncoder(image_shape, code_size, seed=(*seed, 0), **options)
        sizes = self.encoder.sizes
        self.mask_decoder = Decoder(sizes, code_size, 1, skips=filters, seed=(*seed, 1), **options)
        self.image_decoder = Decoder(
            sizes, code_size + latent_size, image_shape[-1], skips=twice, seed=(*seed, 2), **options
        )
        self.built = True

    def call(self, parts, z=None, *, step=None):
        """Returns the logits of the mask, and the image on the scale before a tanh; without noise, only the mask.

        Args:
            parts: scaled parts of shape `(batch, num_parts, height, width, channels)`.
            z: noise of shape `(batch, latent_size)`, or None.
            step: the step, for the updates of normalization; None outside of training and evaluation.
        """
        features, code = self.encoder(parts, step=step)
        mask, features = self.mask_decoder(code, features, step=step)
        if z is None:
            return mask, None
        code = tf.concat([code, tf.cast(z, code.dtype)], axis=-1)
        return mask, self.image_decoder(code, features, step=step)[0]


class PuzzleGAN(TwoPlayer, Model):
    r"""Learns the whole image from a few parts of it, without knowing where they were.

    Parts $x_1, …, x_n$ are encoded by one network E, and their codes are summed, so their order does not matter. From
    the sum, M makes the mask $\hat m$, between 0 and 1, of where the parts lie, and G, with noise z, makes the image
    $\hat x$. D distinguishes images x from generated ones, and from images whose parts, or surroundings of the parts,
    come from another image x'. m is the true mask.

    $$L_D = -\log D(x) - \log(1 - D(\hat x)) - \log(1 - D(m x + (1 - m) x')) - \log(1 - D(m x' + (1 - m) x))$$
    $$L_G = -\log D(\hat x) + λ (‖\hat m - m‖_1 + ‖\hat m \hat x - m x‖_1)$$

    The distances are sums over the entries of an image, on a scale where levels range from -1 to 1. λ decreases during
    training, as a geometric sequence. The authors' code weights sums over a batch of 64 images by 0.01 at first and
    0.0001 at the end: this equals 0.64 and 0.0064 for each image, the defaults here. D takes two steps for one of G.

    All networks have batch normalization; completions use the moving statistics of training, so each depends only on
    its own parts. In a training step all parts of a batch are normalized together, which is also independent of the
    order of parts. x' is the next image of the batch; an image that is alone in its batch has no composites.

    Columns are "parts", the image "x" and the "mask", 1 where a part was and 0 elsewhere: `data.with_parts` cuts parts
    out of images. The logs contain the losses of both players and, without their weight, the distances "mask_l1" and
    "appearance_l1".

    Example:

    ```python
    splits = keras_gen.data.with_parts(keras_gen.data.load("mnist", batch_size=64))
    model = keras_gen.translation.PuzzleGAN((28, 28, 1))
    model.compile()                                                 # the paper's Adam for both players
    model.fit(splits.train, epochs=25)
    model.complete(parts, seed=0)                                   # images, levels 0..255
    model.locate(parts)                                             # masks, from 0 to 1
    ```

    Args:
        event_shape: height, width and channels of an image.
        levels: number of levels of an entry; None for real numbers.
        num_parts: number of parts of an image.
        part_size: height and width of a part; None uses a third of the image's smaller side.
        code_size: length of a part's code.
        latent_size: length of the noise z, whose entries are uniform from -1 to 1.
        filters: channels of each strided layer of each network, from the image inwards. None uses 64, 128, 256, …, as
            many as bring both sides down to 4.
        discriminator_network: a Keras layer or model in place of D, from scaled images to a logit.
        l1_weights: initial and final λ.
        decay_steps: number of steps of G until λ has its final value.
        discriminator_steps: number of steps of D, each with its own batch, for each step of G.
        seed: as in `Model`; also chooses the initial weights.
        **kwargs: as in `Model`.

    Raises:
        ValueError: if an argument is not as described.
    """

    terms = (*TwoPlayer.terms, "mask_l1", "appearance_l1")
    usage = 'parts = model.spaces["parts"].examples(4)    # or your own\nmodel.complete(parts, seed=0)'

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        num_parts: int = 3,
        part_size: int | None = None,
        code_size: int = 128,
        latent_size: int = 128,
        filters: tuple[int, ...] | None = None,
        discriminator_network: OwnNetwork | None = None,
        l1_weights: tuple[float, float] = (0.64, 0.0064),
        decay_steps: int = 80_000,
        discriminator_steps: int = 2,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.event_shape = checks.image_shape("event_shape", event_shape)
        self.levels = checks.levels(levels, allow_none=True)
        self.column_units = self.channel_units(x=self.event_shape)
        self.num_parts = checks.positive_int("num_parts", num_parts)
        self.part_size = part_size
        self.parts_shape = parts_shape(self.event_shape, self.num_parts, part_size)
        self.code_size = checks.positive_int("code_size", code_size)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.filters = None if filters is None else tuple(filters)
        channels, _ = strided_sizes(self.event_shape, self.filters)
        self.discriminator_network = argument_value("discriminator_network", discriminator_network)
        self.l1_weights = tuple(checks.positive("l1_weights", weight) for weight in l1_weights)
        if len(self.l1_weights) != 2:
            raise ValueError(f"`l1_weights` must be two numbers, the first and the last, received {l1_weights}.")
        self.decay_steps = checks.positive_int("decay_steps", decay_steps)
        self.discriminator_steps = checks.positive_int("discriminator_steps", discriminator_steps)
        options = {"filters": channels, "dtype": self.dtype_policy}
        self.generator = PuzzleGenerator(
            self.event_shape, self.code_size, self.latent_size, seed=(seed, 0), name="generator", **options
        )
        if discriminator_network is None:
            self.discriminator = ConvolutionalDiscriminator(
                self.event_shape, 0, seed=(seed, 1), name="discriminator", **options
            )
        else:
            self.discriminator = KerasNetwork(
                "discriminator_network", discriminator_network, [self.event_shape], [(1,), ()], linear=True
            )

    @property
    def spaces(self):
        return part_spaces(levels_or_reals(self.event_shape, self.levels, self.column_units.get("x")), self.parts_shape)

    def puzzles(self, x) -> dict[str, tf.Tensor]:
        """Cuts parts out of images, as `data.with_parts` does.

        Args:
            x: images of shape `(batch, *event_shape)`, whole levels.

        Returns:
            A batch: the valid columns "parts", "x" and "mask".

        Raises:
            TypeError: if the dtype is not the expected one.
            ValueError: if the shape or a value is not the expected one.
        """
        columns = puzzles(self.spaces["x"].validate(x, "x"), self.num_parts, self.parts_shape[1])
        return {name: space.validate(columns[name], name) for name, space in self.spaces.items()}

    # Completion

    def noise_distributions(self) -> dict[str, tfd.Distribution]:
        """Returns the distribution of the noise of one completion, by name."""
        return {"z": tfd.Sample(tfd.Uniform(-1.0, 1.0), self.latent_size)}

    def noise(self, num_samples, seed) -> dict[str, tf.Tensor]:
        """Draws the random numbers with which `generate` makes completions.

        Args:
            num_samples: number of completions.
            seed: int or pair of ints; the same seed gives the same noise.

        Returns:
            Name to tensor of shape `(num_samples, ...)`.
        """
        return seeds.draws(self.noise_distributions(), num_samples, seeds.as_pair(seed))

    def generate(self, noise: dict[str, tf.Tensor], parts) -> tf.Tensor:
        """Completes parts, without further randomness.

        Args:
            noise: what `noise` returned, or values chosen by the caller.
            parts: parts of shape `(batch, num_parts, part_size, part_size, channels)`, in any order, whole levels.

        Returns:
            Images of shape `(batch, *event_shape)`; levels are float32 whole numbers.

        Raises:
            TypeError: if a dtype is not the expected one.
            ValueError: if a shape or a value is not the expected one.
        """
        space = self.spaces["x"]
        image = self.completed(self.spaces["parts"].validate(parts, "parts"), noise["z"])[1]
        return space.nearest(space.unscaled(image))

    def complete(self, parts, seed=None) -> tf.Tensor:
        """Completes parts to whole images.

        Args:
            parts: parts of shape `(batch, num_parts, part_size, part_size, channels)`, in any order, whole levels.
            seed: int or pair of ints; the same seed gives the same images. None takes the next seed of the model's own
                stream.

        Returns:
            Images of shape `(batch, *event_shape)`; levels are float32 whole numbers.

        Raises:
            TypeError: if a dtype is not the expected one.
            ValueError: if a shape or a value is not the expected one.
        """
        parts = self.spaces["parts"].validate(parts, "parts")
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.generate(self.noise(tf.shape(parts)[0], seed), parts)

    def locate(self, parts) -> tf.Tensor:
        """Locates parts in the image that they are completed to.

        Args:
            parts: as in `complete`.

        Returns:
            Masks of shape `(batch, height, width, 1)`: to what degree each pixel belongs to a part, from 0 to 1.

        Raises:
            TypeError: if the dtype is not the expected one.
            ValueError: if the shape or a value is not the expected one.
        """
        return self.completed(self.spaces["parts"].validate(parts, "parts"))[0]

    def completed(self, parts: tf.Tensor, z: tf.Tensor | None = None, step=None) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns the mask and the image, float32 on the networks' scale, for valid parts; see `PuzzleGenerator`."""
        mask, image = self.generator(self.spaces["parts"].scaled(parts), z, step=step)
        mask = tf.sigmoid(tf.cast(mask, tf.float32))
        if image is None:
            return mask, None
        image = tf.cast(image, tf.float32)
        return mask, tf.tanh(image) if isinstance(self.spaces["x"], Levels) else image

    def call(self, parts):
        """The completions with the noise of the model's seed, so that `model.predict(parts)` returns them."""
        return self.complete(parts, seed=self.seed)

    # Objective

    def logits(self, scaled: tf.Tensor, step=None) -> tf.Tensor:
        """Returns D's logit, float32 of shape `(batch,)`, for scaled images."""
        return tf.cast(self.discriminator(scaled, step=step), tf.float32)[:, 0]

    def composites(self, x: tf.Tensor, mask: tf.Tensor, step) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns each image's parts within the next image of the global batch, and the next image's parts within it.

        Args:
            x: scaled images.
            mask: their masks.
            step: the step.

        Returns:
            Both kinds of images, and 1 for each example, or 0 if the next image is the image itself.
        """
        others = step.rows(lambda _: tf.roll(step.gather(x), -1, axis=0), tf.shape(x)[0])
        has_other = tf.cast(step.total(tf.shape(x)[0]) > 1, tf.float32) * tf.ones_like(x[:, 0, 0, 0])
        return mask * x + (1.0 - mask) * others, mask * others + (1.0 - mask) * x, has_other

    def l1_weight(self, step) -> tf.Tensor | float:
        """Returns λ at a step; in an evaluation, its final value."""
        first, last = self.l1_weights
        if not step.training:
            return last
        share = tf.minimum(1.0, tf.cast(step.iteration, tf.float32) / self.decay_steps)
        return first * tf.pow(last / first, share)

    def fakes(self, batch, step):
        """Returns completions on the networks' scale, as "x", and their masks."""
        z = step.rows(lambda rows: self.noise(rows, step.seed)["z"], tf.shape(batch["parts"])[0])
        mask, image = self.completed(batch["parts"], z, step)
        return {"x": image, "mask": mask}

    def discriminator_terms(self, batch, fakes, step):
        x = self.spaces["x"].scaled(batch["x"])
        real_part, shuffled_part, has_other = self.composites(x, batch["mask"], step)
        loss = tf.nn.softplus(-self.logits(x, step)) + tf.nn.softplus(self.logits(fakes["x"], step))
        for composite in (real_part, shuffled_part):
            loss += has_other * tf.nn.softplus(self.logits(composite, step))
        return {"discriminator_loss": loss}

    def generator_terms(self, batch, fakes, step):
        x, mask = self.spaces["x"].scaled(batch["x"]), batch["mask"]
        mask_l1 = total_of_each(tf.abs(fakes["mask"] - mask))
        appearance_l1 = total_of_each(tf.abs(fakes["mask"] * fakes["x"] - mask * x))
        loss = non_saturating(self.logits(fakes["x"], step)) + self.l1_weight(step) * (mask_l1 + appearance_l1)
        return {"generator_loss": loss, "mask_l1": mask_l1, "appearance_l1": appearance_l1}

    # Pictures and export

    def preview(self, batch, *, seed):
        """Rows of the parts, of the completions and their masks, and of the images and their masks."""
        part_space = levels_or_reals(self.parts_shape[1:], self.levels)
        rows = {f"part {index + 1}": (part_space, batch["parts"][:, index]) for index in range(self.num_parts)}
        x = self.spaces["x"]
        between = Interval(self.spaces["mask"].shape, 0.0, 1.0)
        rows |= {
            "output": (x, self.complete(batch["parts"], seed=seed)),
            "target": (x, batch["x"]),
            "mask": (between, self.locate(batch["parts"])),
            "true mask": (between, batch["mask"]),
        }
        return rows

    def signatures(self):
        """Returns `complete`, its deterministic half `generate`, and `locate`."""
        parts = self.specs("parts")
        noise = {
            name: tf.TensorSpec((None, *source.event_shape), source.dtype, name)
            for name, source in self.noise_distributions().items()
        }

        def complete(parts, seed):
            return {"x": self.complete(parts, seed)}

        def generate(parts, **noise):
            return {"x": self.generate(noise, parts)}

        def locate(parts):
            return {"mask": self.locate(parts)}

        return {
            "complete": Signature(complete, {**parts, "seed": tf.TensorSpec((), tf.int32)}, deterministic=False),
            "generate": Signature(generate, {**noise, **parts}),
            "locate": Signature(locate, parts),
        }

    def example_input(self, name, spec, num, seed):
        """Adds the model's own noise."""
        if name in self.noise_distributions():
            return self.noise(num, seed)[name]
        return super().example_input(name, spec, num, seed)


def summed(h: tf.Tensor, num_parts: int) -> tf.Tensor:
    """Returns the sum over the parts of each image, of shape `(batch, ...)`, given `(batch * num_parts, ...)`."""
    return tf.reduce_sum(tf.reshape(h, (-1, num_parts, *h.shape[1:])), axis=1)


def total_of_each(values: tf.Tensor) -> tf.Tensor:
    """Returns the sum over all axes except the first."""
    return tf.reduce_sum(values, axis=range(1, values.shape.rank))
