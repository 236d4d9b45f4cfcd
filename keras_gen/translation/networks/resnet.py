"""The residual generator of Zhu et al. (2017), after Johnson et al. (2016): an image of the same size."""

import itertools

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers import InstanceNormalization
from keras_gen.layers.convolution import Conv2D, Conv2DTranspose, convolution
from keras_gen.layers.initializers import normal
from keras_gen.translation.networks.blocks import zeros_around


class ResNet(keras.layers.Layer):
    """Two convolutions that halve an image, residual blocks, and two transposed convolutions that double it again.

    It is c7s1-64, d128, d256, R256 for each block, u128, u64 and c7s1-3 of the paper. Instance normalization and ReLU
    follow all convolutions except the last. Only the 7×7 convolutions and those of the residual blocks use `padding`;
    those that change the size are padded with zeros.

    Args:
        image_shape: height, width and channels of the input; see `check_sides`.
        channels: number of channels of the output.
        filters: number of channels of the first layer; the two following layers have twice and four times as many.
        num_blocks: number of residual blocks.
        padding: "reflect" or "zeros".
        resampling_size: height and width of the kernels that halve and double the image.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: int,
        *,
        filters: int = 64,
        num_blocks: int = 9,
        padding: str = "reflect",
        resampling_size: int = 3,
        seed: tuple[int, ...],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.padded = PADDINGS[checks.choice("padding", padding, PADDINGS)]
        widths = (filters, 2 * filters, 4 * filters)
        seeds = ((*seed, index) for index in itertools.count())
        policy = self.dtype_policy

        def layer(inputs, outputs, size, stride=1, kind=Conv2D, use_bias=False):
            # Convolutions with stride 1 are padded by `padded`.
            options = {"use_bias": use_bias, "padding": "valid" if stride == 1 else "same"}
            return convolution(inputs, outputs, size, stride, normal(0.02, next(seeds)), policy, kind, **options)

        self.first = layer(image_shape[-1], filters, 7)
        self.halving = [layer(*pair, resampling_size, 2) for pair in itertools.pairwise(widths)]
        self.blocks = [[layer(widths[-1], widths[-1], 3) for _ in range(2)] for _ in range(num_blocks)]
        self.doubling = [layer(*pair, resampling_size, 2, Conv2DTranspose) for pair in itertools.pairwise(widths[::-1])]
        self.last = layer(filters, channels, 7, use_bias=True)
        outer = [filters, *widths[1:], *widths[-2::-1]]
        self.norms = [InstanceNormalization((None, None, None, width), dtype=policy) for width in outer]
        self.block_norms = [
            [InstanceNormalization((None, None, None, widths[-1]), dtype=policy) for _ in range(2)]
            for _ in range(num_blocks)
        ]
        self.built = True

    def call(self, images):
        """Returns images of shape `(batch, height, width, channels)`, on the scale before a tanh.

        Args:
            images: scaled images of shape `(batch, *image_shape)`.
        """
        h = tf.cast(images, self.compute_dtype)
        norms = iter(self.norms)
        h = tf.nn.relu(next(norms)(self.first(self.padded(h, 3))))
        for layer in self.halving:
            h = tf.nn.relu(next(norms)(layer(h)))
        for (first, second), (first_norm, second_norm) in zip(self.blocks, self.block_norms, strict=True):
            inner = tf.nn.relu(first_norm(first(self.padded(h, 1))))
            h += second_norm(second(self.padded(inner, 1)))
        for layer in self.doubling:
            h = tf.nn.relu(next(norms)(layer(h)))
        return self.last(self.padded(h, 3))


def reflected(images: tf.Tensor, width: int) -> tf.Tensor:
    """Returns images with a mirrored border, without repeating their last pixels."""
    # Not `tf.pad`, which rejects the empty batch that a replica may have.
    for axis in (1, 2):
        size = images.shape[axis]
        before, after = (
            tf.reverse(images[:, rows] if axis == 1 else images[:, :, rows], [axis])
            for rows in (slice(1, width + 1), slice(size - width - 1, size - 1))
        )
        images = tf.concat([before, images, after], axis=axis)
    return images


#: How images are continued beyond their borders, by name.
PADDINGS = {"reflect": reflected, "zeros": zeros_around}


def check_sides(name: str, image_shape: tuple[int, int, int]) -> None:
    """Raises ValueError if an image cannot be halved twice, or is then too small to be reflected at its borders."""
    if any(side % 4 or side < 8 for side in image_shape[:2]):
        raise ValueError(f"`{name}` must have sides that are multiples of 4, at least 8; received {image_shape}.")
