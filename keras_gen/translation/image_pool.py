"""A pool of generated images: Learning from Simulated and Unsupervised Images through Adversarial Training.

Ashish Shrivastava, Tomas Pfister, Oncel Tuzel, Josh Susskind, Wenda Wang, Russ Webb (2017),
https://arxiv.org/abs/1612.07828
"""

import keras
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Step


class ImagePool(keras.layers.Layer):
    """Shows a discriminator earlier images in the place of some of those that were just generated.

    As long as there is room, each image is kept, and shown, too. Then, one image after another, half of them change
    places with one of the pool, any of which may be drawn: that is shown instead. So an image may be shown several
    times, and one of a batch in the place of a later one.

    The pool is a state that is saved with the model. It changes by updates of a step, for the global batch.

    Args:
        size: how many images are kept.
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
        """Returns as many images to show, and leaves the pool with those that it keeps.

        Args:
            images: float32 images of shape `(batch, *image_shape)`, without a gradient.
            step: the step, whose randomness says what changes places.
        """
        everyones = step.gather(images)
        total = tf.shape(everyones)[0]
        order = tf.range(total)
        choice_seed, place_seed = tf.unstack(tf.random.split(step.seed, 2))
        # How many images came before each one: as many are in the pool, until it is full.
        earlier = tf.cast(self.count.value, tf.int32) + order
        fills = earlier < self.size
        swaps = ~fills & (seeds.uniform((total,), choice_seed) < 0.5)
        drawn = tf.random.stateless_uniform((total,), place_seed, maxval=self.size, dtype=tf.int32, alg="philox")
        # -1 is no place: the image is shown and not kept.
        places = tf.where(fills, earlier, tf.where(swaps, drawn, -1))
        # Of shape (total, total): whether the second image is put where the first one is, too.
        same = (places[:, tf.newaxis] == places) & (places >= 0)
        before = tf.reduce_max(tf.where(same & (order < order[:, tf.newaxis]), order, -1), axis=1)
        stays = (places >= 0) & ~tf.reduce_any(same & (order > order[:, tf.newaxis]), axis=1)
        # What is found at a place: an image of the batch that was put there before, or else one of the pool.
        found = tf.where(before >= 0, self.size + before, places)
        held = tf.concat([self.images.value, everyones], axis=0)
        shown = tf.gather(held, tf.where(swaps, found, self.size + order))
        # Images that do not stay go to a row of its own, which is left out again.
        rows = tf.where(stays, places, self.size)[:, tf.newaxis]
        step.update(self.images, tf.tensor_scatter_nd_update(held[: self.size + 1], rows, everyones)[: self.size])
        step.update(self.count, tf.minimum(self.count.value + tf.cast(total, tf.int64), self.size))
        return step.rows(lambda _: shown, tf.shape(images)[0])
