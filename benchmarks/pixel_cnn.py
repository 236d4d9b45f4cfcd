"""PixelCNN: a training step against ordinary masked kernels, and sampling with a cache against one pass per pixel.

    python benchmarks/pixel_cnn.py

prints, all measured in this run, on a PixelCNN of a 7×7 convolution and five residual blocks of width 32,

- the time of a training step on 32 images of 28×28, and that of the same network with ordinary convolutions whose
  kernels are multiplied by the mask in each step, as masked convolutions are usually written;
- the time to draw images with the cache, and with one whole pass for every pixel (one pass is timed, compiled by XLA or
  not, whichever is faster);
- the time per image and pixel, with the cache, for images of 14×14, 28×28 and 56×56.

All are called in turn and the best of many repetitions counts, because other work can only slow a call down.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
import tyro
from timing import best_seconds, train_step

from keras_gen.autoregressive import PixelCNN
from keras_gen.autoregressive.base import AutoregressiveModel
from keras_gen.distributions.entries import Bernoulli


class OrdinaryConvolution(keras.layers.Layer):
    """A convolution with an ordinary kernel, multiplied by the mask."""

    def __init__(self, filters: int, size: int, mask: str):
        super().__init__()
        self.convolution = keras.layers.Conv2D(filters, size, padding="same")
        self.mask = np.zeros((size, size, 1, 1), np.float32)
        self.mask[: size // 2] = 1.0
        self.mask[size // 2, : size // 2 + (mask == "B")] = 1.0

    def build(self, shape):
        self.convolution.build(shape)

    def call(self, maps):
        kernel = self.convolution.kernel * self.mask
        return tf.nn.bias_add(tf.nn.conv2d(maps, kernel, 1, "SAME"), tf.convert_to_tensor(self.convolution.bias))


class OrdinaryPixelCNN(AutoregressiveModel):
    """The same network with ordinary masked kernels, for bits; it does not sample."""

    conditional = Bernoulli()

    def __init__(self, event_shape, *, filters: int, num_blocks: int, head_filters: int):
        super().__init__(event_shape, levels=2)
        self.input_layer = OrdinaryConvolution(2 * filters, 7, "A")
        shapes = ((filters, 1), (filters, 3), (2 * filters, 1))
        self.blocks = [[OrdinaryConvolution(*shape, "B") for shape in shapes] for _ in range(num_blocks)]
        self.head = [OrdinaryConvolution(number, 1, "B") for number in (head_filters, head_filters, 1)]
        self.parameters(tf.zeros((1, *self.event_shape)))

    def parameters(self, x, condition=None, *, step=None):
        maps = self.input_layer(self.event_space.scaled(x))
        for block in self.blocks:
            h = maps
            for layer in block:
                h = layer(tf.nn.relu(h))
            # A plain sum would prevent TensorFlow from fusing the convolutions with what follows them.
            maps = tf.add_n([maps, h])
        for layer in self.head:
            maps = layer(tf.nn.relu(maps))
        return tf.reshape(maps, (-1, self.num_positions, 1))


def make(model_class, size: int) -> AutoregressiveModel:
    return model_class((size, size, 1), filters=32, num_blocks=5, head_filters=32)


def sampling(size: int, num_samples: int) -> Callable:
    model = make(PixelCNN, size)
    return lambda: model.sample(num_samples, seed=0)


def whole_pass(size: int, num_samples: int, jit_compile: bool) -> Callable:
    model = make(PixelCNN, size)
    x = tf.zeros((num_samples, *model.event_shape))
    return tf.function(lambda: model.parameters(x), autograph=False, jit_compile=jit_compile)


def main(*, repetitions: int = 40, num_samples: tuple[int, ...] = (1, 16, 100)) -> None:
    """Prints the tables.

    Args:
        repetitions: number of training steps; the best counts. Sampling is called a tenth as often.
        num_samples: numbers of images to draw.
    """
    steps = [train_step(make(model_class, 28), 32) for model_class in (PixelCNN, OrdinaryPixelCNN)]
    ours, ordinary = best_seconds(steps, repetitions)
    print(f"training step, 32 images: {ours * 1e3:.1f} ms, ordinary masked kernels {ordinary * 1e3:.1f} ms", end=" ")
    print(f"(×{ordinary / ours:.2f})")

    few = max(3, repetitions // 10)
    for number in num_samples:
        passes = [whole_pass(28, number, jit_compile) for jit_compile in (False, True)]
        cached, *naive = best_seconds([sampling(28, number), *passes], few)
        naive = 28**2 * min(naive)
        print(
            f"drawing {number} of 28×28: cached {cached:.2f} s, a pass per pixel {naive:.1f} s (×{naive / cached:.0f})"
        )

    sizes, number = (14, 28, 56), 16
    for size, seconds in zip(sizes, best_seconds([sampling(size, number) for size in sizes], few), strict=True):
        print(f"cached, {number} of {size}×{size}: {seconds / number * 1e3:.2f} ms per image,", end=" ")
        print(f"{seconds / number / size**2 * 1e6:.2f} µs per image and pixel")


if __name__ == "__main__":
    tyro.cli(main)
