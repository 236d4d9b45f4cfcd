"""Features followed by a condition."""

import tensorflow as tf


def append_condition(h: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
    """Returns features followed by the condition along the last axis; only the features if there is no condition."""
    return h if condition is None else tf.concat([h, tf.cast(condition, h.dtype)], axis=-1)
