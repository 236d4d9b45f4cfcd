"""The PatchGAN discriminator of Isola et al. (2017), which judges every patch of an image separately."""

import itertools

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers.convolution import convolution
from keras_gen.layers.initializers import normal
from keras_gen.networks import KerasNetwork, OwnNetwork
from keras_gen.translation.networks.blocks import normalization as normalization_layer
from keras_gen.translation.networks.blocks import zeros_around

#: Number of strided layers of the network with the largest receptive field.
MOST_STRIDED_LAYERS = 7


class PatchDiscriminator(keras.layers.Layer):
    """Convolutions from an image to one logit for each of its patches.

    4×4 convolutions, first with stride 2 and then two with stride 1, see patches of `receptive_field` pixels squared.
    With 70, they are C64-C128-C256-C512 of the paper and its layer of logits. With 1, they are the paper's PixelGAN,
    three 1×1 convolutions. LeakyReLU of slope 0.2 follows all except the last, and normalization follows all except the
    first and the last.

    Args:
        image_shape: height, width and channels of the input, such as two images concatenated along the channels.
        receptive_field: height and width of a patch, one of `receptive_fields()`. None uses the paper's 70, or for
            smaller images the largest patch that fits into them.
        filters: channels of the first layer. Each following layer has twice as many, up to eight times as many.
        normalization: "batch" or "instance".
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.

    Raises:
        ValueError: if no network has that receptive field, or the image is too small for it.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        receptive_field: int | None = None,
        filters: int = 64,
        normalization: str = "instance",
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        *sides, channels = image_shape
        if receptive_field is None:
            receptive_field = usual_receptive_field(sides)
        strides = layer_strides(receptive_field)
        self.kernel_size = 1 if receptive_field == 1 else 4
        self.patches_shape = tuple(num_patches(side, receptive_field) for side in sides)
        if min(self.patches_shape) < 1:
            raise ValueError(
                f"`receptive_field` must be smaller for images of {tuple(sides)}, one of "
                f"{', '.join(map(str, receptive_fields()))}; received {receptive_field}."
            )
        widths = [channels, *(filters * min(2**index, 8) for index in range(len(strides) - 1)), 1]
        self.layers, self.norms = [], []
        for index, ((inputs, outputs), stride) in enumerate(zip(itertools.pairwise(widths), strides, strict=True)):
            normalized = 0 < index < len(strides) - 1
            initializer = normal(0.02, (*seed, index))
            options = {"use_bias": not normalized, "padding": "same" if stride == 2 else "valid"}
            self.layers.append(
                convolution(inputs, outputs, self.kernel_size, stride, initializer, self.dtype_policy, **options)
            )
            self.norms.append(normalization_layer(normalization, outputs, self.dtype_policy) if normalized else None)
        self.built = True

    def call(self, images, *, step=None):
        """Returns the logit of each patch, of shape `(batch, *patches_shape)`.

        Args:
            images: scaled images of shape `(batch, *image_shape)`.
            step: the step, for the updates of normalization; None outside of training and evaluation.
        """
        h = tf.cast(images, self.compute_dtype)
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            if index > 0:
                h = tf.nn.leaky_relu(h, 0.2)
            if self.kernel_size == 4 and layer.padding == "valid":
                h = zeros_around(h, 1)
            h = layer(h)
            h = h if norm is None else norm(h, step=step)
        return h[..., 0]


def own_patch_discriminator(own: OwnNetwork, image_shape: tuple[int, int, int]) -> KerasNetwork:
    """Returns a custom discriminator, with a logit for each patch, or one for the whole image."""
    return KerasNetwork("discriminator_network", own, [image_shape], [(None, None, 1), (1,)], linear=True)


def receptive_fields() -> tuple[int, ...]:
    """Returns the patch sizes for which there are networks: 1, 7, 16, 34, 70, 142, 286, 574 and 1150."""
    return (1, *(seen_by([2] * strided + [1, 1], 4) for strided in range(MOST_STRIDED_LAYERS + 1)))


def layer_strides(receptive_field: int) -> list[int]:
    """Returns the strides of convolutions that together have a receptive field.

    Raises:
        ValueError: if no network has it.
    """
    known = receptive_fields()
    if checks.positive_int("receptive_field", receptive_field) not in known:
        raise ValueError(f"`receptive_field` must be one of {', '.join(map(str, known))}, received {receptive_field}.")
    strided = known.index(receptive_field) - 1
    return [1, 1, 1] if receptive_field == 1 else [2] * strided + [1, 1]


def seen_by(strides: list[int], kernel_size: int) -> int:
    """Returns how many pixels along a side one output of convolutions with these strides depends on."""
    size = 1
    for stride in reversed(strides):
        size = stride * (size - 1) + kernel_size
    return size


def num_patches(side: int, receptive_field: int) -> int:
    """Returns how many patches are judged along a side; 0 or less if the side is too short."""
    if receptive_field == 1:
        return side
    for stride in layer_strides(receptive_field):
        side = -(-side // 2) if stride == 2 else side - 1
    return side


def usual_receptive_field(sides: tuple[int, int]) -> int:
    """Returns the paper's 70, or for smaller images the largest patch that fits into them."""
    return max(field for field in receptive_fields() if field <= min(70, *sides))
