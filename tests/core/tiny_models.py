"""Models of a few lines, for tests of what every model has from the base."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.core import DensityModel
from keras_gen.spaces import class_or_vector

tfd = tfp.distributions


class Bits(DensityModel):
    """Independent bits, whose logits are a row of a table for each class, or one row.

    Args:
        event_shape: shape of an example.
        num_classes: number of classes that examples are conditioned on; None for an unconditional model.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(self, event_shape=(3,), *, num_classes=None, seed=0, **kwargs):
        super().__init__(event_shape, levels=2, seed=seed, **kwargs)
        self.num_classes = num_classes
        self.condition_space = class_or_vector(num_classes, None)
        initializer = keras.initializers.RandomNormal(seed=seed)
        self.table = self.add_weight((num_classes or 1, self.event_size), initializer, name="table")

    def logits(self, condition, batch_size) -> tf.Tensor:
        """Returns the logits of examples, of shape `(batch, *event_shape)`."""
        rows = tf.zeros((batch_size,), tf.int32) if condition is None else condition
        return tf.reshape(tf.gather(tf.convert_to_tensor(self.table), rows), (-1, *self.event_shape))

    def log_prob(self, x, condition=None):
        x, condition = self.validated(x), self.validated_condition(condition)
        masses = tfd.Bernoulli(self.logits(condition, tf.shape(x)[0])).log_prob(x)
        return tf.reduce_sum(tf.reshape(masses, (-1, self.event_size)), axis=-1)

    def noise_distributions(self):
        return {"uniform": tfd.Sample(tfd.Uniform(), self.event_shape)}

    def generate(self, noise, condition=None):
        condition = self.validated_condition(condition)
        logits = self.logits(condition, tf.shape(noise["uniform"])[0])
        return tf.cast(noise["uniform"] < tf.sigmoid(logits), tf.float32)


def bits(num: int, seed: int = 0) -> np.ndarray:
    """Returns examples of `Bits` of shape (3,), with other probabilities in each entry."""
    return (np.random.default_rng(seed).random((num, 3)) < [0.2, 0.5, 0.9]).astype(np.float32)
