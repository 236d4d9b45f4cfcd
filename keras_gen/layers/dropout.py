"""Dropout whose mask is a function of a seed."""

import tensorflow as tf

from keras_gen import seeds


def apply_dropout(h: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Sets random features to zero and scales up the others; all replicas draw for the global batch.

    Args:
        h: features, of shape `(batch, ...)`.
        rate: fraction of the features set to zero.
        seed: int32 tensor of shape (2,).
    """
    uniform = seeds.replica_rows(lambda rows: seeds.uniform((rows, *h.shape[1:]), seed), tf.shape(h)[0])
    return tf.where(uniform < rate, tf.zeros_like(h), h / (1.0 - rate))
