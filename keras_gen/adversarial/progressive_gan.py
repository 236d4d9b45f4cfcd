"""Progressive GAN: Progressive Growing of GANs for Improved Quality, Stability, and Variation.

Tero Karras, Timo Aila, Samuli Laine, Jaakko Lehtinen (2018), https://arxiv.org/abs/1710.10196
"""

import contextlib
import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.adversarial.base import AdversarialModel
from keras_gen.adversarial.networks.base import Discriminator, Generator
from keras_gen.core import Signature
from keras_gen.core.step import over_replicas
from keras_gen.layers import Equalized
from keras_gen.layers.append_condition import append_condition
from keras_gen.layers.bias import add_bias

#: Side length of the images that growth begins with.
FIRST_SIDE = 4

#: Number of examples over which a standard deviation is taken.
GROUP_SIZE = 4


@dataclasses.dataclass(frozen=True)
class Detail:
    """How far the networks have grown.

    Attributes:
        level: number of doublings after 4×4, including the one that fades in: an int, or an int32 scalar.
        share: how far the last level has faded in: from 0, for only the level below, to 1.
    """

    level: int | tf.Tensor
    share: float | tf.Tensor

    def at_level(self, function: Callable[[int], tf.Tensor], num_levels: int) -> tf.Tensor:
        """Returns a function's result for the level, computing it for no other level.

        Args:
            function: from a level, an int, to a tensor of the same shape for all levels.
            num_levels: number of levels.
        """
        if isinstance(self.level, int):
            return function(self.level)
        return tf.switch_case(self.level, [functools.partial(function, level) for level in range(num_levels)])


class ProgressiveGenerator(Generator):
    """From a point on the sphere to an image, in blocks of two 3×3 convolutions that double it; a linear output.

    Args:
        latent_size: length of the noise.
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector, which is appended to the noise; 0 for none.
        filters: channels of each level, from 4×4 upwards.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, latent_size: int, event_shape, condition_size: int, *, filters, seed, **kwargs):
        super().__init__(**kwargs)
        self.event_shape, self.filters = event_shape, filters
        inputs, units = latent_size + condition_size, FIRST_SIDE**2 * filters[0]

        def make(name, index, kernel_shape, **options):
            return Equalized(kernel_shape, name=name, seed=(*seed, *index), dtype=self.dtype_policy, **options)

        self.dense_layer = make("dense", (0,), (inputs, units), gain=2**0.5 / 4, use_bias=False)
        # The bias of the dense layer: all pixels of a channel share one.
        self.first_bias = self.add_weight(shape=(filters[0],), initializer="zeros", name="first_bias")
        self.first = make("first", (1,), (3, 3, filters[0], filters[0]))
        # The layers of a level are at the index of the level below.
        self.doublings = [
            make(f"doubling_{level}", (2, level), (3, 3, *widths), resize="double")
            for level, widths in enumerate(itertools.pairwise(filters), 1)
        ]
        self.convolutions = [
            make(f"convolution_{level}", (3, level), (3, 3, width, width)) for level, width in enumerate(filters[1:], 1)
        ]
        self.to_images = [
            make(f"to_images_{level}", (4, level), (1, 1, width, event_shape[-1]), gain=1.0)
            for level, width in enumerate(filters)
        ]
        self.built = True

    def call(self, z, condition=None, *, step=None, detail: Detail):
        """As in `Generator`, at a level of detail; pixels of smaller images are repeated."""
        z = pixel_norm(tf.cast(append_condition(z, condition), self.compute_dtype))
        return detail.at_level(functools.partial(self.images, z, detail.share), len(self.filters))

    def images(self, z: tf.Tensor, share, level: int) -> tf.Tensor:
        """Returns images at a level, enlarged to the shape of an example."""
        h = tf.reshape(self.dense_layer(z), (-1, FIRST_SIDE, FIRST_SIDE, self.filters[0]))
        h = activated(add_bias(h, self.first_bias))
        h = activated(self.first(h))
        for doubling, convolution in zip(self.doublings[:level], self.convolutions[:level], strict=True):
            below, h = h, activated(convolution(activated(doubling(h))))
        x = self.to_images[level](h)
        if level > 0:
            x = mixed(enlarged(self.to_images[level - 1](below), 2), x, share)
        return enlarged(x, 2 ** (len(self.filters) - 1 - level))


class ProgressiveDiscriminator(Discriminator):
    """The mirror of the generator, without its normalization: blocks that halve an image, down to one number.

    A condition enters by a projection.

    Args:
        event_shape: height, width and channels of an image.
        condition_size: length of the condition's vector; 0 for none.
        filters: channels of each level, from 4×4 upwards.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, event_shape, condition_size: int, *, filters, seed, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

        def make(name, index, kernel_shape, **options):
            return Equalized(kernel_shape, name=name, seed=(*seed, *index), dtype=self.dtype_policy, **options)

        self.from_images = [
            make(f"from_images_{level}", (0, level), (1, 1, event_shape[-1], width))
            for level, width in enumerate(filters)
        ]
        # The layers of a level are at the index of the level below.
        self.convolutions = [
            make(f"convolution_{level}", (1, level), (3, 3, width, width)) for level, width in enumerate(filters[1:], 1)
        ]
        self.halvings = [
            make(f"halving_{level}", (2, level), (3, 3, *widths[::-1]), resize="halve")
            for level, widths in enumerate(itertools.pairwise(filters), 1)
        ]
        self.last = make("last", (3,), (3, 3, filters[0] + 1, filters[0]))
        self.dense_layer = make("dense", (4,), (FIRST_SIDE**2 * filters[0], filters[0]))
        self.num_features = filters[0]
        self.head = make("head", (5,), (filters[0], 1), gain=1.0)
        if condition_size:
            self.projection = make("projection", (6,), (condition_size, filters[0]), gain=1.0, use_bias=False)
        self.built = True

    def call(self, x, condition=None, *, step=None, detail: Detail):
        """As in `Discriminator`, at a level of detail."""
        x = tf.cast(x, self.compute_dtype)
        h = detail.at_level(functools.partial(self.smallest, x, detail.share), len(self.filters))
        # Outside of the levels, since the standard deviations are over all replicas.
        deviations = tf.cast(group_deviations(h), h.dtype)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        h = tf.concat([h, tf.tile(deviations, (1, FIRST_SIDE, FIRST_SIDE, 1))], axis=-1)
        h = tf.nn.leaky_relu(self.last(h), 0.2)
        h = tf.nn.leaky_relu(self.dense_layer(tf.reshape(h, (-1, self.dense_layer.kernel.shape[0]))), 0.2)
        return self.logits(h, condition, step=step)

    def smallest(self, x: tf.Tensor, share, level: int) -> tf.Tensor:
        """Returns the features of images at a level, of shape `(batch, 4, 4, filters)`."""
        x = reduced(x, 2 ** (len(self.filters) - 1 - level))
        h = tf.nn.leaky_relu(self.from_images[level](x), 0.2)
        for below in reversed(range(level)):
            h = tf.nn.leaky_relu(self.convolutions[below](h), 0.2)
            h = tf.nn.leaky_relu(self.halvings[below](h), 0.2)
            if below == level - 1:
                h = mixed(tf.nn.leaky_relu(self.from_images[below](reduced(x, 2)), 0.2), h, share)
        return tf.ensure_shape(h, (None, FIRST_SIDE, FIRST_SIDE, self.filters[0]))


class ProgressiveGAN(AdversarialModel):
    r"""Two players that grow during training: from 4×4 images, doubling by doubling, to the resolution of the data.

    A new level fades in. With its share α rising from 0 to 1, and ↑ for repeated and ↓ for averaged pixels,

    $$G(z) = (1 - α) \, ↑ G_{l-1}(z) + α \, G_l(z), \qquad h = (1 - α) \, h_{l-1}(↓ x) + α \, h_l(x)$$

    where h are the discriminator's features; the data also fade: $(1 - α) ↑↓ x + α x$. The losses are those of WGAN-GP
    with a drift term,

    $$L_D = f(G(z)) - f(x) + λ (‖∇_{\hat x} f(\hat x)‖_2 - 1)^2 + ε f(x)^2, \qquad L_G = -f(G(z))$$

    How far the networks have grown follows from `images_shown`, the number of training images so far, which is saved
    with the weights: `fit` grows the model, and an interrupted run resumes where it was, even within a fade. One graph
    contains all levels, and computes only the current one. Images always have `event_shape`, at a lower level with
    repeated pixels; `at_present_resolution` returns a model of the smaller images themselves. A score of the
    discriminator depends on the other examples in its batch, whose standard deviations it sees. Exports compute the
    level that the model has at the time of export.

    Every kernel has an equalized learning rate (`layers.Equalized`). The generator normalizes the noise and, after each
    convolution, the features of each pixel to mean square 1; its output is linear. The optimizers reset their state,
    including the iteration count, when a level begins to fade in and when it has faded in, as in the authors' code;
    learning-rate schedules start anew.

    Images with r×r pixels have min(2 `base_filters` / r, `max_filters`) channels in both networks; the defaults are the
    paper's, for images of up to 1024×1024 pixels.

    Example:

    ```python
    model = keras_gen.adversarial.ProgressiveGAN(
        (32, 32, 1), latent_size=64, base_filters=256, max_filters=32, stable_images=40_000, fade_images=40_000
    )
    model.compile()                                        # the paper's Adam for both players
    model.fit(x_train, batch_size=32, epochs=8)            # x_train holds levels 0..255
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: height, width and channels of an image; both sides are the same power of two, at least 4.
        levels: number of levels of a channel, scaled internally to [-1, 1]; None for real numbers.
        latent_size: length of z.
        base_filters: channels of a layer, times half the side of its images.
        max_filters: maximum number of channels of a layer.
        stable_images: number of training images that each level sees before the next one begins to fade in.
        fade_images: number of training images during which a level fades in.
        drift: ε, the weight of the squared score of the data.
        generator_average: momentum of the moving average of the generator's weights, from the first step on; 0 for
            none.
        **kwargs: as in `AdversarialModel`, except networks, their output, objective and regularizers. A condition is
            appended to z, and enters the discriminator by a projection; the paper has none.
    """

    def __init__(
        self,
        event_shape,
        levels: int | None = 256,
        *,
        latent_size: int = 512,
        base_filters: int = 8192,
        max_filters: int = 512,
        stable_images: int = 600_000,
        fade_images: int = 600_000,
        drift: float = 0.001,
        generator_average: float = 0.999,
        **kwargs,
    ):
        shape = checks.event_shape(event_shape)
        if len(shape) != 3 or shape[0] != shape[1] or shape[0] < FIRST_SIDE or shape[0] & (shape[0] - 1):
            raise ValueError(
                "`event_shape` must be (side, side, channels) with a side of 4, 8, 16, … pixels, "
                f"received {event_shape}."
            )
        self.base_filters = checks.positive_int("base_filters", base_filters)
        self.max_filters = checks.positive_int("max_filters", max_filters)
        self.stable_images = checks.positive_int("stable_images", stable_images)
        self.fade_images = checks.positive_int("fade_images", fade_images)
        self.drift = checks.not_negative("drift", drift)
        self.fixed_detail: Detail | None = None
        super().__init__(
            event_shape,
            levels,
            latent_size=latent_size,
            objective="wasserstein",
            regularizers=("gradient_penalty",),
            generator_average=generator_average,
            **{"latent_distribution": "normal", **kwargs},
        )
        self.images_shown = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="images_shown"
        )

    # Networks

    @property
    def num_levels(self) -> int:
        """Number of levels, including that of 4×4 pixels."""
        return int(math.log2(self.event_shape[0] // FIRST_SIDE)) + 1

    @property
    def filters(self) -> tuple[int, ...]:
        """Channels of each level, from 4×4 upwards."""
        sides = (FIRST_SIDE * 2**level for level in range(self.num_levels))
        return tuple(max(1, min(2 * self.base_filters // side, self.max_filters)) for side in sides)

    def build_generator(self, name):
        options = {"dtype": self.dtype_policy, "name": name, "filters": self.filters, "seed": (self.seed, 0)}
        return ProgressiveGenerator(self.input_size, self.event_shape, self.vector_size, **options)

    def build_discriminator(self, name):
        options = {"dtype": self.dtype_policy, "name": name, "filters": self.filters, "seed": (self.seed, 1)}
        return ProgressiveDiscriminator(self.event_shape, self.vector_size, **options)

    # Growth

    def detail_after(self, num_images: tf.Tensor) -> Detail:
        """Returns how far the networks have grown after a number of training images, an int64 scalar."""
        cycle = self.stable_images + self.fade_images
        level, images = num_images // cycle, num_images % cycle
        fading = images > self.stable_images
        share = tf.cast(images - self.stable_images, tf.float32) / self.fade_images
        level = level + tf.cast(fading, tf.int64)
        grown = level >= self.num_levels
        return Detail(
            tf.cast(tf.minimum(level, self.num_levels - 1), tf.int32),
            tf.where(fading & ~grown, share, 1.0),
        )

    @property
    def detail(self) -> Detail:
        """How far the networks have grown."""
        if self.fixed_detail is not None:
            return self.fixed_detail
        return self.detail_after(tf.convert_to_tensor(self.images_shown))

    @property
    def resolution(self) -> int:
        """Height and width of the images that the networks currently make, without repeated pixels."""
        return FIRST_SIDE * 2 ** int(self.detail.level)

    def faded(self, x: tf.Tensor) -> tf.Tensor:
        """Returns images of shape `(batch, *event_shape)` as the networks currently see them, with the same shape."""
        detail = self.detail

        def at_level(level):
            factor = 2 ** (self.num_levels - 1 - level)
            y = reduced(x, factor)
            if level > 0:
                y = mixed(enlarged(reduced(y, 2), 2), y, detail.share)
            return enlarged(y, factor)

        return detail.at_level(at_level, self.num_levels)

    def at_present_resolution(self) -> "ProgressiveGAN":
        """Returns a model of images at the current resolution, with the weights of this one, to sample or export."""
        side = self.resolution
        changes = {"event_shape": (side, side, self.event_shape[-1]), "frozen_parts": None}
        model = type(self).from_config({**self.get_config(), **changes})
        for network in ("generator", "discriminator", "average_generator"):
            if getattr(self, network) is not None:
                values = {weight.path: weight for weight in getattr(self, network).weights}
                for weight in getattr(model, network).weights:
                    weight.assign(values[weight.path])
        if self.takes_unit:
            # All pixels of a channel share one.
            unit = self.standardization
            model.standardization.take(*(weight.numpy()[:side, :side] for weight in (unit.location, unit.scale)))
        for name in ("images_shown", "seed_state"):
            getattr(model, name).assign(getattr(self, name))
        return model

    # The players

    def unrounded(self, noise, condition, step=None, *, network=None):
        """As in `AdversarialModel`, with a linear output."""
        network = self.generator if network is None else network
        vectors = self.condition_vectors(condition)
        x = network(self.inputs(noise), vectors, step=step, detail=self.detail)
        return self.unscaled(tf.cast(x, tf.float32))

    def logits_of_scaled(self, scaled, condition, step=None):
        logits = self.discriminator(scaled, self.condition_vectors(condition), step=step, detail=self.detail)
        return tf.cast(logits[:, 0], tf.float32)

    def discriminate(self, x, condition=None):
        """As in `AdversarialModel`, for an image as the networks currently see it."""
        x, condition = self.validated_pair(x, condition)
        return self.logits(self.faded(x), condition)

    # Objective

    def discriminator_terms(self, batch, fakes, step):
        """As in `AdversarialModel`, with fading data and the drift term."""
        terms = super().discriminator_terms({**batch, "x": self.faded(batch["x"])}, fakes, step)
        drift = self.drift * tf.square(terms["real_score"])
        return {**terms, "discriminator_loss": terms["discriminator_loss"] + drift}

    # Training

    def default_optimizers(self):
        """Adam with learning rate 1e-3, beta_1 0 and beta_2 0.99."""
        return {player: keras.optimizers.Adam(1e-3, 0.0, 0.99, 1e-8) for player in ("generator", "discriminator")}

    def take_step(self, batch, step):
        """Takes a step of each player, counts the images, and resets the optimizers' state at a new phase."""
        terms = super().take_step(batch, step)
        before = tf.convert_to_tensor(self.images_shown)
        after = before + tf.cast(step.total(tf.shape(batch["x"])[0]), tf.int64)
        step.update(self.images_shown, after)
        changes = tf.not_equal(self.phase_after(before), self.phase_after(after))
        for optimizer in self.optimizers:
            for variable in state_of(optimizer):
                step.update(variable, functools.partial(zero_if, changes, variable))
        step.apply()
        return terms

    def phase_after(self, num_images: tf.Tensor) -> tf.Tensor:
        """Returns how often training has switched between stable and fading levels."""
        cycle = self.stable_images + self.fade_images
        phase = 2 * (num_images // cycle) + tf.cast(num_images % cycle > self.stable_images, tf.int64)
        return tf.minimum(phase, 2 * (self.num_levels - 1))

    def average_momentum(self, step):
        """Returns the same momentum from the first step on."""
        return self.generator_average

    # Export

    def signatures(self) -> dict[str, Signature]:
        """As in `AdversarialModel`, at the model's current level."""
        detail = self.detail
        detail = Detail(int(detail.level), float(detail.share))

        def at_detail(function, **inputs):
            with self.fixed(detail):
                return function(**inputs)

        return {
            name: dataclasses.replace(signature, function=functools.partial(at_detail, signature.function))
            for name, signature in super().signatures().items()
        }

    @contextlib.contextmanager
    def fixed(self, detail: Detail) -> Iterator[None]:
        """Makes the networks compute one level of detail."""
        before, self.fixed_detail = self.fixed_detail, detail
        try:
            yield
        finally:
            self.fixed_detail = before


def pixel_norm(x: tf.Tensor) -> tf.Tensor:
    """Returns features normalized to mean square 1 at each pixel, over the last axis."""
    wide = tf.cast(x, tf.float32)
    return tf.cast(wide * tf.math.rsqrt(tf.reduce_mean(tf.square(wide), axis=-1, keepdims=True) + 1e-8), x.dtype)


def activated(h: tf.Tensor) -> tf.Tensor:
    """Returns features of the generator after a convolution: LeakyReLU of slope 0.2, then normalized."""
    return pixel_norm(tf.nn.leaky_relu(h, 0.2))


def mixed(old: tf.Tensor, new: tf.Tensor, share) -> tf.Tensor:
    """Interpolates between two tensors by a share from 0, for the first, to 1, for the second."""
    return old + tf.cast(share, old.dtype) * (new - old)


def enlarged(images: tf.Tensor, factor: int) -> tf.Tensor:
    """Returns images with each pixel repeated along both sides."""
    return images if factor == 1 else tf.repeat(tf.repeat(images, factor, axis=1), factor, axis=2)


def reduced(images: tf.Tensor, factor: int) -> tf.Tensor:
    """Returns images downsampled by averaging over squares of pixels."""
    return images if factor == 1 else tf.nn.avg_pool2d(images, factor, factor, "VALID")


def group_deviations(h: tf.Tensor) -> tf.Tensor:
    """Returns the mean standard deviation of features over a group of examples, for each example of this replica.

    The global batch has as many groups as it contains fours; with m groups, a group consists of the examples whose
    positions are equal modulo m, as in the authors' code. The number of replicas does not matter.

    Args:
        h: features of shape `(batch, ...)`.

    Returns:
        float32 tensor of shape `(batch,)`.
    """
    num = tf.shape(h)[0]
    flat = tf.reshape(tf.cast(h, tf.float32), (-1, math.prod(h.shape[1:])))
    num_groups = tf.maximum(1, over_replicas(num) // GROUP_SIZE)
    members = tf.one_hot(seeds.replica_rows(tf.range, num) % num_groups, num_groups)
    sizes = over_replicas(tf.reduce_sum(members, axis=0))[:, tf.newaxis]
    means = over_replicas(tf.matmul(members, flat, transpose_a=True)) / sizes
    squares = tf.square(flat - tf.matmul(members, means))
    variances = over_replicas(tf.matmul(members, squares, transpose_a=True)) / sizes
    deviations = tf.reduce_mean(tf.sqrt(variances + 1e-8), axis=1, keepdims=True)
    return tf.matmul(members, deviations)[:, 0]


def state_of(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Returns an optimizer's accumulated state: moments and the iteration count, not its learning rate."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return [variable for variable in optimizer.variables if variable.name != "learning_rate"]


def zero_if(condition: tf.Tensor, variable: keras.Variable) -> tf.Tensor:
    """Returns zeros if a condition holds, and otherwise the value of a variable."""
    value = tf.convert_to_tensor(variable)
    return tf.cond(condition, lambda: tf.zeros_like(value), lambda: value)
