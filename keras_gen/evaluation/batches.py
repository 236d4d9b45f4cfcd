"""Batches of examples from any source."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.core import EventModel


def batches_of(examples, batch_size: int) -> Iterator[np.ndarray]:
    """Yields the examples of an array in batches, or those of a `tf.data.Dataset` in its own batches, without labels.

    Args:
        examples: an array of shape `(num, ...)`; or a data set of batches of examples, of pairs of examples and labels,
            or of columns by name, including "x".
        batch_size: largest number of examples in a batch of an array.
    """
    if isinstance(examples, tf.data.Dataset):
        for batch in examples:
            x, *_ = keras.utils.unpack_x_y_sample_weight(batch)
            yield (x["x"] if isinstance(x, Mapping) else x).numpy()
        return
    examples = np.asarray(examples)
    for start in range(0, len(examples), checks.positive_int("batch_size", batch_size)):
        yield examples[start : start + batch_size]


def columns_for(model: EventModel, batch) -> dict[str, tf.Tensor]:
    """Returns the columns of a batch that a model takes, by name; for an unconditional model, labels are dropped.

    Args:
        model: the model.
        batch: examples, a pair of examples and labels, or columns by name.
    """
    x, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
    columns = x if isinstance(x, Mapping) else {"x": x, "condition": labels}
    return {name: columns[name] for name in model.spaces if columns.get(name) is not None}
