"""Images from files, held in memory where they fit."""

import math
import pathlib
import re

import numpy as np
import PIL.Image
import tensorflow as tf

from keras_gen import checks
from keras_gen.data import columns
from keras_gen.spaces import Levels

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


class ImageFiles:
    """Images that are read from their files whenever they are needed.

    Args:
        paths: paths of the files, an array of strings.
        shape: height, width and channels of the images.
        resized: whether the images are brought to that size; otherwise they must have it.
        half: which half of each file is the image, "left" or "right"; None for all of it.
    """

    def __init__(self, paths: np.ndarray, shape: tuple[int, int, int], *, resized: bool, half: str | None = None):
        self.paths = paths
        self.path_tensor = tf.constant(paths)
        self.shape = shape
        self.resized = resized
        self.half = half

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, rows):
        return ImageFiles(self.paths[rows], self.shape, resized=self.resized, half=self.half)

    def gather(self, indices):
        """Reads the images at an int64 tensor of indices."""
        return tf.map_fn(
            self.decoded, tf.gather(self.path_tensor, indices), fn_output_signature=tf.TensorSpec(self.shape, tf.uint8)
        )

    def decoded(self, path: tf.Tensor) -> tf.Tensor:
        """Reads one image."""
        image = tf.io.decode_image(tf.io.read_file(path), channels=self.shape[-1], expand_animations=False)
        if self.half is not None:
            width = tf.shape(image)[1] // 2
            image = image[:, :width] if self.half == "left" else image[:, width : 2 * width]
        if self.resized:
            image = resized(image, self.shape[:2])
        return image

    def read_all(self) -> np.ndarray:
        """Returns all images as one array.

        Raises:
            ValueError: if a file is damaged.
        """
        images = []
        for path, name in zip(self.path_tensor, self.paths, strict=True):
            try:
                images.append(self.decoded(path).numpy())
            except tf.errors.InvalidArgumentError as error:
                raise ValueError(f"`name`: {name} is not a readable image ({decoding_error(error)}).") from None
        return np.stack(images)


def resized(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns an image of bytes at a height and a width, by bilinear interpolation."""
    return tf.cast(tf.round(tf.image.resize(image, size, antialias=True)), tf.uint8)


def decoding_error(error: tf.errors.InvalidArgumentError) -> str:
    """Returns why an image cannot be decoded: TensorFlow's message is {{its function}} reason [the operation]."""
    return re.sub(r"^\{\{.*?\}\} | \[Op:.*", "", error.message, flags=re.DOTALL)


def read_images(paths: dict[str, list[pathlib.Path]], image_size) -> columns.Reading:
    """Reads images, or finds out how to read them later.

    Args:
        paths: split to the paths of its images.
        image_size: as in `data.load`.

    Raises:
        ValueError: if images have several sizes and no `image_size` is given, or a file is no image.
    """
    found, space = image_column(paths, image_size)
    by_split = {split: {"x": column} for split, column in found.items()}
    return columns.Reading(by_split, {"x": space}, options=("image_size",))


def image_column(
    paths: dict[str, list[pathlib.Path]], image_size, half: str | None = None
) -> tuple[dict[str, columns.Column], Levels]:
    """Returns the images of each split, held in memory where they fit, and their space.

    Args:
        paths: split to the paths of its images.
        image_size: as in `data.load`; the size of the halves, where there are such.
        half: which half of each file is the image, "left" or "right"; None for all of it.

    Raises:
        ValueError: as in `read_images`.
    """
    height, width = checked_size([path for files in paths.values() for path in files], image_size)
    if half is not None and image_size is None:
        width //= 2
    first = next(iter(paths.values()))[0]
    channels = tf.io.decode_image(tf.io.read_file(str(first)), expand_animations=False).shape[-1]
    shape = (height, width, channels)
    found = {
        split: ImageFiles(np.array(list(map(str, files))), shape, resized=image_size is not None, half=half)
        for split, files in paths.items()
    }
    if math.prod(shape) * sum(map(len, paths.values())) <= columns.MEMORY_LIMIT:
        found = {split: files.read_all() for split, files in found.items()}
    return found, Levels(shape, 256)


def checked_size(paths: list[pathlib.Path], image_size) -> tuple[int, int]:
    """Returns height and width of images, whose files are opened but not decoded.

    Args:
        paths: paths of the files.
        image_size: as in `data.load`.

    Raises:
        TypeError: if `image_size` is neither a whole number nor a pair of them.
        ValueError: if it is None and the images have several sizes, or a file is no image.
    """
    size = None if image_size is None else full_size(image_size)
    sizes = [size_of(path) for path in paths]
    if size is not None:
        return size
    for path, size in zip(paths, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(
                "`image_size` must be given, a height and width to bring all images to, such as 64 or (48, 64): "
                f"{path} has {size}, but {paths[0]} has {sizes[0]}."
            )
    return sizes[0]


def full_size(image_size) -> tuple[int, int]:
    """Returns a height and width, or one number for both, as a pair.

    Raises:
        TypeError: if it is neither a whole number nor a pair of them.
        ValueError: if it has another length, or a number is below 1.
    """
    if isinstance(image_size, (int, np.integer)):
        image_size = (image_size, image_size)
    size = checks.positive_ints("image_size", image_size)
    if len(size) != 2:
        raise ValueError(f"`image_size` must be a whole number or (height, width), received {image_size}.")
    return size


def size_of(path: pathlib.Path) -> tuple[int, int]:
    """Returns height and width of the image in a file, or raises ValueError if there is none."""
    try:
        with PIL.Image.open(path) as image:
            return image.height, image.width
    except (OSError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"`name`: {path} is not a readable image ({error}).") from None
