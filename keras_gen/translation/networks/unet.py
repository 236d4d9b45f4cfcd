"""The U-Net of Isola et al. (2017): an encoder and a decoder with skips between layers of the same size."""

import itertools

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers.convolution import Conv2D, Conv2DTranspose, convolution
from keras_gen.layers.dropout import apply_dropout
from keras_gen.layers.initializers import normal
from keras_gen.translation.networks.blocks import normalization as normalization_layer

#: Number of decoder blocks followed by dropout, from the innermost one outwards.
NUM_DROPOUTS = 3


class UNet(keras.layers.Layer):
    """4×4 convolutions that halve an image down to 1×1, and transposed ones that double it again.

    Each block of the decoder sees the output of the previous block and that of the encoder's block of the same size.
    For 256×256 pixels the encoder is C64-C128-C256-C512-C512-C512-C512-C512 of the paper, with LeakyReLU of slope 0.2,
    and the decoder CD512-CD512-CD512-C512-C256-C128-C64 with ReLU, where D stands for dropout of one half, and a last
    layer. Other sizes have fewer or more blocks of 512 channels. All blocks are normalized except the first one, the
    innermost one, which has a single pixel, and the last one.

    Args:
        image_shape: height, width and channels of the input.
        channels: number of channels of the output.
        filters: number of channels of the first block; each following block has twice as many, up to eight times as
            many.
        dropout: fraction of the features that the first three blocks of the decoder drop.
        normalization: "batch" or "instance".
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: int,
        *,
        filters: int = 64,
        dropout: float = 0.5,
        normalization: str = "instance",
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        *sides, inputs = image_shape
        self.sizes = halved_sizes(tuple(sides))
        self.dropout = checks.rate("dropout", dropout)
        num = len(self.sizes) - 1
        widths = [inputs, *(filters * min(2**index, 8) for index in range(num))]
        strides = [
            tuple(1 if a == b else 2 for a, b in zip(size, half, strict=True))
            for size, half in itertools.pairwise(self.sizes)
        ]

        def layer(kind, index, pair, stride, normalized):
            initializer = normal(0.02, (*seed, index))
            made = convolution(*pair, 4, stride, initializer, self.dtype_policy, kind, use_bias=not normalized)
            norm = normalization_layer(normalization, pair[1], self.dtype_policy) if normalized else None
            return made, norm

        pairs = list(itertools.pairwise(widths))
        encoder = [layer(Conv2D, index, pair, strides[index], 0 < index < num - 1) for index, pair in enumerate(pairs)]
        decoder = []
        for index in reversed(range(num)):
            # The skip doubles the channels of every output except the innermost block's.
            entering = widths[index + 1] * (1 if index == num - 1 else 2)
            leaving = widths[index] if index > 0 else channels
            kind = Conv2DTranspose
            decoder.append(layer(kind, num + index, (entering, leaving), strides[index], index > 0))
        self.encoder, self.encoder_norms = ([each[part] for each in encoder] for part in (0, 1))
        self.decoder, self.decoder_norms = ([each[part] for each in decoder] for part in (0, 1))
        self.built = True

    def call(self, images, *, step=None, dropout_seed=None):
        """Returns images of shape `(batch, height, width, channels)`, on the scale before a tanh.

        Args:
            images: scaled images of shape `(batch, *image_shape)`.
            step: the step, for the updates of normalization; None outside of training and evaluation.
            dropout_seed: int32 tensor of shape (2,) from which dropout is drawn; None for no dropout.
        """
        h = tf.cast(images, self.compute_dtype)
        skips = []
        for index, (layer, norm) in enumerate(zip(self.encoder, self.encoder_norms, strict=True)):
            h = layer(h if index == 0 else tf.nn.leaky_relu(h, 0.2))
            h = h if norm is None else norm(h, step=step)
            skips.append(h)
        sizes = self.sizes[-2::-1]
        for index, (layer, norm, size) in enumerate(zip(self.decoder, self.decoder_norms, sizes, strict=True)):
            h = h if index == 0 else tf.concat([h, skips[-1 - index]], axis=-1)
            # Two lengths round up to the same half; doubling restores the larger one.
            h = layer(tf.nn.relu(h))[:, : size[0], : size[1]]
            h = h if norm is None else norm(h, step=step)
            if dropout_seed is not None and self.dropout and index < min(NUM_DROPOUTS, len(self.decoder) - 1):
                h = apply_dropout(h, self.dropout, tf.random.experimental.stateless_fold_in(dropout_seed, index))
        return h


def halved_sizes(sides: tuple[int, int]) -> list[tuple[int, int]]:
    """Returns height and width of an image, and of each half of it, rounded up, down to 1×1."""
    sizes = [sides]
    while max(sizes[-1]) > 1:
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes if len(sizes) > 1 else [sides, sides]
