"""Grids of images."""

import math

import numpy as np
import PIL.Image

from keras_gen.spaces import Interval, Levels, Numbers


def image_grid(
    images: np.ndarray, space: Numbers, *, columns: int | None = None, margin: int = 2, min_size: int = 400
) -> PIL.Image.Image:
    """Arranges images in a grid.

    Args:
        images: shape `(num, height, width, channels)` with one or three channels.
        space: space of the values, which determines what is black and what is white. Real numbers are scaled from their
            smallest to their largest.
        columns: number of images in a row; None makes the grid as square as possible.
        margin: number of pixels between images.
        min_size: small images are magnified by an integer factor up to about this width of the picture.

    Returns:
        A `PIL.Image.Image`.
    """
    pixels = as_pixels(images, *value_range(space, images))
    if columns is None:
        num, height, width, _ = pixels.shape
        columns = math.ceil(math.sqrt(num * height / width))
    return tiled(pixels, columns, margin=margin, min_size=min_size)


def as_images(x: np.ndarray) -> np.ndarray:
    """Returns images unchanged, and each example of another shape as an image with one row of pixels."""
    x = np.asarray(x)
    return x if x.ndim == 4 and x.shape[-1] in (1, 3) else x.reshape(len(x), 1, -1, 1)


def value_range(space: Numbers, values: np.ndarray) -> tuple[float, float]:
    """Returns the values that are drawn black and white: the bounds of the space, else those of the values."""
    match space:
        case Levels():
            return 0.0, space.num_levels - 1.0
        case Interval():
            return space.low, space.high
        case _:
            return float(np.min(values)), float(np.max(values))


def as_pixels(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Returns images as bytes: 0 for `low` and below, 255 for `high` and above."""
    images = np.asarray(images, np.float64)
    return np.clip((images - low) / max(high - low, 1e-12) * 255, 0, 255).round().astype(np.uint8)


def tiled(pixels: np.ndarray, columns: int, *, margin: int = 2, min_size: int = 400) -> PIL.Image.Image:
    """Arranges images of bytes, of shape `(num, height, width, channels)`, in a grid: see `image_grid`."""
    num, height, width, channels = pixels.shape
    rows = math.ceil(num / columns)
    grid = np.full((rows * (height + margin) + margin, columns * (width + margin) + margin, channels), 128, np.uint8)
    for index, image in enumerate(pixels):
        top = margin + index // columns * (height + margin)
        left = margin + index % columns * (width + margin)
        grid[top : top + height, left : left + width] = image
    factor = max(1, round(min_size / grid.shape[1]))
    grid = grid.repeat(factor, axis=0).repeat(factor, axis=1)
    return PIL.Image.fromarray(grid[..., 0] if channels == 1 else grid)
