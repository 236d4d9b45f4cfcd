"""Building blocks of both players' networks: initial weights, dropout, sizes between strided layers."""

import math

import keras
import tensorflow as tf

from keras_gen import checks
from keras_gen.layers.dropout import apply_dropout
from keras_gen.layers.initializers import glorot, uniform

#: A strided layer halves sides that are longer than this; the generator of DCGAN starts from 4×4.
SMALLEST_SIDE = 4


def initial_weights(scale: float | None, seed: tuple[int, ...], factor: float = 1.0) -> keras.initializers.Initializer:
    """Returns the initial weights of a dense layer.

    Args:
        scale: they are uniform from -scale to scale; None for the distribution of Glorot and Bengio.
        seed: seeds of the layer.
        factor: factor by which they are multiplied.
    """
    if scale is None:
        return glorot(seed, factor)
    return uniform(factor * checks.positive("initial_scale", scale), seed)


def training_dropout(h: tf.Tensor, rate: float, step, index: int) -> tf.Tensor:
    """Returns features of which a training step sets a fraction to zero, drawn for each example.

    Args:
        h: features of shape `(batch, ...)`.
        rate: the fraction.
        step: the step, or None.
        index: number of the layer, so that each layer draws its own mask.
    """
    if step is None or not step.training or rate == 0.0:
        return h
    return apply_dropout(h, rate, step.fold(index).seed)


def strided_sizes(event_shape: tuple[int, ...], filters) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Returns the channels of strided layers, and the height and width before each of them and after the last.

    Args:
        event_shape: height, width and channels of an image.
        filters: channels of each layer; None uses 64, 128, 256, …, as many as bring both sides down to 4.

    Raises:
        ValueError: if the examples are not images, or `filters` is empty.
    """
    if len(event_shape) != 3:
        raise ValueError(f"`event_shape` must be (height, width, channels), received {event_shape}.")
    filters = None if filters is None else checks.positive_ints("filters", filters)
    if filters == ():
        raise ValueError("`filters` must have at least one entry, received ().")
    sides = event_shape[:2]
    filters = filters or tuple(64 * 2**layer for layer in range(max(1, *map(halvings, sides))))
    sizes = [tuple(sides)]
    for _ in filters:
        sizes.append(tuple(halved(side) for side in sizes[-1]))
    return filters, sizes


def halved(side: int) -> int:
    """Returns the length of a side after a strided layer."""
    return math.ceil(side / 2) if side > SMALLEST_SIDE else side


def halvings(side: int) -> int:
    """Returns how many strided layers bring a side down to `SMALLEST_SIDE`."""
    return 0 if side <= SMALLEST_SIDE else 1 + halvings(halved(side))


def strides_between(size: tuple[int, int], half: tuple[int, int]) -> tuple[int, int]:
    """Returns the strides of the layer between an image's size and the next smaller one."""
    return tuple(1 if a == b else 2 for a, b in zip(size, half, strict=True))
