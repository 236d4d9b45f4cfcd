"""A pool of generated images: Learning from Simulated and Unsupervised Images through Adversarial Training.

Ashish Shrivastava, Tomas Pfister, Oncel Tuzel, Josh Susskind, Wenda Wang, Russ Webb (2017),
https://arxiv.org/abs/1612.07828
"""

import keras
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Step


class ImagePool(keras.layers.Layer):
    """Shows a discriminator earlier images in place of some of those that were just generated.

    As long as there is room, each image is stored and also shown. After that, one image after another, half of them are
    swapped with a random image of the pool, which is shown instead. So an image may be shown several times, and an
    image of a batch may be shown in place of a later one.

    The pool is a state that is saved with the model. It changes by updates of a step, for the global batch.

    Args:
        size: number of images in the pool.
        image_shape: shape of an image.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, size: int, image_shape: tuple[int, ...], **kwargs):
        super().__init__(**kwargs)
        self.size = checks.positive_int("size", size)
        state = {"trainable": False, "autocast": False, "aggregation": "only_first_replica"}
        self.images = self.add_weight(shape=(size, *image_shape), initializer="zeros", name="images", **state)
        self.count = self.add_weight(shape=(), initializer="zeros", dtype="int64", name="count", **state)
        self.built = True

    def exchange(self, images: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns the same number of images to show, and updates the pool.

        Args:
            images: float32 images of shape `(batch, *image_shape)`, without a gradient.
            step: the step, whose randomness decides what is swapped.
        """
        everyones = step.gather(images)
        total = tf.shape(everyones)[0]
        order = tf.range(total)
        choice_seed, place_seed = tf.unstack(tf.random.split(step.seed, 2))
        # How many images preceded each one: this many are in the pool, until it is full.
        earlier = tf.cast(self.count.value, tf.int32) + order
        fills = earlier < self.size
        swaps = ~fills & (seeds.uniform((total,), choice_seed) < 0.5)
        drawn = tf.random.stateless_uniform((total,), place_seed, maxval=self.size, dtype=tf.int32, alg="philox")
        # -1 means no slot: the image is shown and not stored.
        places = tf.where(fills, earlier, tf.where(swaps, drawn, -1))
        # Of shape (total, total): whether the second image is put into the same slot as the first.
        same = (places[:, tf.newaxis] == places) & (places >= 0)
        before = tf.reduce_max(tf.where(same & (order < order[:, tf.newaxis]), order, -1), axis=1)
        stays = (places >= 0) & ~tf.reduce_any(same & (order > order[:, tf.newaxis]), axis=1)
        # The content of a slot: an image of the batch that was put there before, or else one of the pool.
        found = tf.where(before >= 0, self.size + before, places)
        held = tf.concat([self.images.value, everyones], axis=0)
        shown = tf.gather(held, tf.where(swaps, found, self.size + order))
        # Images that do not stay go to an extra row, which is removed again.
        rows = tf.where(stays, places, self.size)[:, tf.newaxis]
        step.update(self.images, tf.tensor_scatter_nd_update(held[: self.size + 1], rows, everyones)[: self.size])
        step.update(self.count, tf.minimum(self.count.value + tf.cast(total, tf.int64), self.size))
        return step.rows(lambda _: shown, tf.shape(images)[0])
