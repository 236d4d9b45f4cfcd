"""Key parts of images: the squares with the most edges, cut out, and the mask of their positions."""

import dataclasses

import tensorflow as tf

from keras_gen import checks
from keras_gen.data.splits import Splits
from keras_gen.spaces import Levels, Numbers


def with_parts(splits: Splits, num_parts: int = 3, part_size: int | None = None) -> Splits:
    """Returns images with their key parts, as columns "parts", "x" and "mask".

    The parts of an image are squares that contain its edges: see `key_corners`. They are cut out whenever a batch is
    made, so that images may also be read from a folder.

    Example:

    ```python
    splits = data.with_parts(data.load("mnist"))        # three parts of 9×9 pixels of each digit
    ```

    Args:
        splits: a set of images.
        num_parts: number of parts of each image.
        part_size: height and width of a part; None uses a third of the image's smaller side.

    Returns:
        The set without labels. "parts" has shape `(num_parts, part_size, part_size, channels)`, and "mask", 1 where a
        part was and 0 elsewhere, `(height, width, 1)`.

    Raises:
        ValueError: if the examples are not images, a part is larger than an image, or images change from epoch to
            epoch.
    """
    if "x" not in splits.spaces or len(splits.event_shape) != 3:
        raise ValueError(f"`splits` must hold images as its column x; {splits.name} has {splits.spaces}.")
    if splits.augmentations or splits.num_levels_before:
        raise ValueError(f"`splits` must hold images that stay as they are; {splits.name} changes them in each epoch.")
    num_parts = checks.positive_int("num_parts", num_parts)
    shape = parts_shape(splits.event_shape, num_parts, part_size)
    space = splits.event_space
    size = shape[1]

    def source_of(source):
        def gather(indices):
            return puzzles(tf.ensure_shape(source.gather(indices)["x"], (None, *splits.event_shape)), num_parts, size)

        return dataclasses.replace(source, gather=gather)

    return dataclasses.replace(
        splits,
        spaces=part_spaces(space, shape),
        sources={split: source_of(source) for split, source in splits.sources.items()},
    )


def puzzles(images: tf.Tensor, num_parts: int, part_size: int) -> dict[str, tf.Tensor]:
    """Returns the columns "parts", "x" and "mask" of images: see `with_parts` and `key_corners`."""
    corners = key_corners(images, num_parts, part_size)
    mask = tf.cast(mask_of(corners, part_size, images.shape[1:3]), tf.uint8)
    return {"parts": cut(images, corners, part_size), "x": images, "mask": mask}


def parts_shape(image_shape: tuple[int, int, int], num_parts: int, part_size: int | None) -> tuple[int, int, int, int]:
    """Returns the shape of the parts of an image.

    Raises:
        ValueError: if a part is larger than the image.
    """
    *sides, channels = image_shape
    size = max(1, min(sides) // 3) if part_size is None else checks.positive_int("part_size", part_size)
    if size > min(sides):
        raise ValueError(f"`part_size` must be at most {min(sides)} for images of {tuple(sides)}, received {size}.")
    return (num_parts, size, size, channels)


def part_spaces(image_space: Numbers, shape: tuple[int, int, int, int]) -> dict[str, Numbers]:
    """Returns the spaces of the columns of images with parts of a given shape."""
    return {
        "parts": dataclasses.replace(image_space, shape=shape),
        "x": image_space,
        "mask": Levels((*image_space.shape[:2], 1), 2),
    }


def key_corners(images: tf.Tensor, num_parts: int, part_size: int) -> tf.Tensor:
    """Finds the squares of images that contain the most edges.

    The edge at a pixel is its absolute difference from the pixels to its right and below it, summed over channels. The
    first part is the square with the greatest sum of edges. Each following part is the square with the greatest sum of
    edges that no earlier part contains. Among equal squares, the first one in row order is taken; in an image without
    edges, this is the upper left square.

    Args:
        images: tensor of shape `(batch, height, width, channels)`.
        num_parts: number of squares of each image.
        part_size: height and width of the squares.

    Returns:
        int32 tensor of shape `(batch, num_parts, 2)`: row and column of the upper left pixel of each square.
    """
    x = tf.cast(images, tf.float32)
    right = tf.pad(tf.abs(x[:, :, 1:] - x[:, :, :-1]), ((0, 0), (0, 0), (0, 1), (0, 0)))
    below = tf.pad(tf.abs(x[:, 1:] - x[:, :-1]), ((0, 0), (0, 1), (0, 0), (0, 0)))
    edges = tf.reduce_sum(right + below, axis=-1, keepdims=True)
    window = tf.ones((part_size, part_size, 1, 1))
    corners = []
    for _ in range(num_parts):
        # (batch, rows, columns): the sum of the edges in the square at each position.
        sums = tf.nn.conv2d(edges, window, 1, "VALID")[..., 0]
        columns = sums.shape[2]
        place = tf.argmax(tf.reshape(sums, (-1, sums.shape[1] * columns)), axis=-1, output_type=tf.int32)
        corner = tf.stack([place // columns, place % columns], axis=-1)
        corners.append(corner)
        edges *= 1.0 - mask_of(corner[:, tf.newaxis], part_size, images.shape[1:3])
    return tf.stack(corners, axis=1)


def mask_of(corners: tf.Tensor, part_size: int, sides: tuple[int, int]) -> tf.Tensor:
    """Returns 1 inside any of the squares and 0 elsewhere, float32 of shape `(batch, height, width, 1)`.

    Args:
        corners: int32 tensor of shape `(batch, num_parts, 2)`.
        part_size: height and width of a square.
        sides: height and width of the image.
    """
    inside = []
    for axis, side in enumerate(sides):
        offset = tf.range(side) - corners[..., axis, tf.newaxis]
        inside.append((offset >= 0) & (offset < part_size))
    squares = inside[0][..., tf.newaxis] & inside[1][..., tf.newaxis, :]
    return tf.cast(tf.reduce_any(squares, axis=1), tf.float32)[..., tf.newaxis]


def cut(images: tf.Tensor, corners: tf.Tensor, part_size: int) -> tf.Tensor:
    """Returns squares of images, of shape `(batch, num_parts, part_size, part_size, channels)`.

    Args:
        images: tensor of shape `(batch, height, width, channels)`.
        corners: int32 tensor of shape `(batch, num_parts, 2)`.
        part_size: height and width of a square.
    """
    rows, columns = (corners[..., axis, tf.newaxis] + tf.range(part_size) for axis in (0, 1))
    strips = tf.gather(images, rows, axis=1, batch_dims=1)  # (batch, num_parts, part_size, width, channels)
    return tf.gather(strips, columns, axis=3, batch_dims=2)
