"""Distributions q(u|x) of the noise that makes real numbers of levels."""

import keras
import tensorflow as tf

from keras_gen import seeds


class Dequantizer(keras.layers.Layer):
    """A distribution of noise in [0, 1) for each entry of an example.

    Args:
        event_shape: shape of an example.
        levels: number of levels of an entry.
        vector_size: entries of the vector that examples are conditioned on; 0 for none.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, event_shape: tuple[int, ...], levels: int, vector_size: int, *, seed: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.event_shape = event_shape
        self.levels = levels
        self.vector_size = vector_size
        self.seed = seed
        self.built = True

    def noise(self, num: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns uniform numbers in [0, 1), of shape `(num, *event_shape)`, that `draw` makes u from."""
        return seeds.uniform((num, *self.event_shape), seed)

    def draw(self, x: tf.Tensor, condition: tf.Tensor | None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Turns uniform numbers into noise.

        Args:
            x: float32 levels of shape `(batch, *event_shape)`.
            condition: vectors of shape `(batch, vector_size)`, or None.
            noise: uniform numbers of the shape of `x`.

        Returns:
            u, of the shape of `x`, and log q(u|x) in nats, of shape `(batch,)`.
        """
        raise NotImplementedError


class Uniform(Dequantizer):
    """Independent uniform noise (Theis et al., 2015, https://arxiv.org/abs/1511.01844)."""

    def draw(self, x, condition, noise):
        return noise, tf.zeros(tf.shape(x)[:1])


DEQUANTIZERS = {"uniform": Uniform}
