"""Data sets of which only a few examples have labels."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data.splits import Splits

#: Label of examples whose class is not known.
UNKNOWN = -1


def few_labels(splits: Splits, num_labels: int, per_batch: int) -> Splits:
    """Returns the set with only a few training labels; that of every other training example is -1.

    As many examples of each class keep their label, chosen by the set's seed. They take the first places of each
    training batch, in a random order, and the examples whose place that is wait for another epoch.

    Args:
        splits: data set with labels.
        num_labels: number of training examples that keep their label, a multiple of the number of classes.
        per_batch: how many of them each batch holds, fewer than its size.

    Raises:
        ValueError: if there are no labels, or not as many of a class, or `per_batch` is not smaller than a batch.
    """
    checks.positive_int("num_labels", num_labels)
    checks.positive_int("per_batch", per_batch)
    train = splits.sources["train"]
    _, *columns = train.gather(tf.range(train.num_examples, dtype=tf.int64))
    if not columns:
        raise ValueError(f"`splits` must have labels: load {splits.name} with `labels=True`.")
    if per_batch >= splits.train_batch_size:
        raise ValueError(f"`per_batch` must be below the batch size {splits.train_batch_size}, received {per_batch}.")
    labels = columns[0].numpy()
    classes = np.unique(labels)
    if num_labels % len(classes):
        raise ValueError(f"`num_labels` must be a multiple of the {len(classes)} classes, received {num_labels}.")
    each = num_labels // len(classes)
    if each > min(np.sum(labels == label) for label in classes):
        raise ValueError(f"`num_labels` must leave each class enough examples, received {num_labels}.")
    random = np.random.default_rng((splits.seed, num_labels))
    kept = tf.constant(
        np.concatenate([random.choice(np.flatnonzero(labels == label), each, False) for label in classes])
    )

    def gather(indices):
        # A batch comes in a random order: its indices choose among the labelled examples, too.
        first = tf.gather(kept, indices[:per_batch] % num_labels)
        x, y = train.gather(tf.concat([first, tf.cast(indices[per_batch:], first.dtype)], axis=0))
        place = tf.range(tf.shape(indices)[0])
        return x, tf.where(place < per_batch, tf.cast(y, tf.int32), UNKNOWN)

    source = dataclasses.replace(train, gather=gather)
    return dataclasses.replace(splits, sources={**splits.sources, "train": source})
