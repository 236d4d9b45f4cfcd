"""Random changes of training images: enlarging, cropping and mirroring, the same for several columns."""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from keras_gen import seeds
from keras_gen.spaces import Levels, Numbers


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Enlarges images, crops them to their size at a random position, and mirrors every second one.

    Attributes:
        spaces: name to space of each column of images; all columns are changed in the same way.
        factors: name to how many times higher and wider each image is than the smallest one.
        room: rows and columns that enlarging adds to the smallest image.
        flip: whether images are mirrored, left to right, with probability one half.
    """

    spaces: Mapping[str, Numbers]
    factors: Mapping[str, tuple[int, int]]
    room: tuple[int, int]
    flip: bool

    @classmethod
    def of(cls, spaces: Mapping[str, Numbers], enlargement: float, flip: bool) -> "Augmentation":
        """Returns the augmentation of columns of images.

        Args:
            spaces: name to space of each column.
            enlargement: factor by which height and width grow before images are cropped, at least 1.
            flip: whether images are mirrored.

        Raises:
            ValueError: if `enlargement` is below 1, or sides are not integer multiples of the smallest ones.
        """
        if not enlargement >= 1.0:
            raise ValueError(f"`enlargement` must be at least 1, received {enlargement}.")
        smallest = tuple(min(space.shape[axis] for space in spaces.values()) for axis in (0, 1))
        for name, space in spaces.items():
            if space.shape[0] % smallest[0] or space.shape[1] % smallest[1]:
                raise ValueError(
                    f"`columns` must have sides that are whole multiples of {smallest}; {name} has {space.shape[:2]}."
                )
        factors = {
            name: (space.shape[0] // smallest[0], space.shape[1] // smallest[1]) for name, space in spaces.items()
        }
        return cls(dict(spaces), factors, tuple(round((enlargement - 1.0) * side) for side in smallest), flip)

    def apply(self, columns: dict[str, tf.Tensor], seed: tf.Tensor, start: int | tf.Tensor = 0) -> dict[str, tf.Tensor]:
        """Returns columns by name, with those in `spaces` augmented.

        Args:
            columns: name to tensor of shape `(num, *shape)`: some rows of a batch.
            seed: int32 tensor of shape (2,), of the whole batch.
            start: number of the batch's rows before these.
        """
        num = tf.shape(columns[next(iter(self.spaces))])[0]
        places = seeds.uniform_rows((num, 3), seed, start)
        # Corners are in pixels of the smallest image, so that those of all columns are at the same position.
        corners = [tf.cast(tf.floor(places[:, axis] * (room + 1.0)), tf.int32) for axis, room in enumerate(self.room)]
        mirrored = places[:, 2] < 0.5
        changed = {}
        for name, space in self.spaces.items():
            images = self.cut(columns[name], corners, self.factors[name], space)
            if self.flip:
                images = tf.where(mirrored[:, tf.newaxis, tf.newaxis, tf.newaxis], images[:, :, ::-1], images)
            changed[name] = tf.ensure_shape(images, (columns[name].shape[0], *space.shape))
        return {**columns, **changed}

    def cut(self, images: tf.Tensor, corners: list[tf.Tensor], factors: tuple[int, int], space: Numbers) -> tf.Tensor:
        """Returns images enlarged by bilinear interpolation and cropped to their size."""
        if not any(self.room):
            return images
        sides = space.shape[:2]
        large = [side + factor * room for side, factor, room in zip(sides, factors, self.room, strict=True)]
        enlarged = tf.image.resize(tf.cast(images, tf.float32), large)
        if isinstance(space, Levels):
            enlarged = tf.round(enlarged)
        enlarged = tf.cast(enlarged, images.dtype)
        for axis, (corner, factor, side) in enumerate(zip(corners, factors, sides, strict=True), 1):
            indices = factor * corner[:, tf.newaxis] + tf.range(side)
            enlarged = tf.gather(enlarged, indices, axis=axis, batch_dims=1)
        return enlarged
