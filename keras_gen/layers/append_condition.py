"""Features with a condition behind them."""

import tensorflow as tf


def append_condition(h: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
    """Returns features with the condition behind them."""
    return h if condition is None else tf.concat([h, tf.cast(condition, h.dtype)], axis=-1)
