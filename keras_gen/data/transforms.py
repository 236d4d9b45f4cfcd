"""Sets made from others: with few labels, of stacked grey images, of pairs, and with augmentation."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data.augmentation import Augmentation
from keras_gen.data.splits import Source, Splits
from keras_gen.spaces import ClassLabel, Levels, Numbers, Reals, Tokens

#: Label of examples with an unknown class.
UNKNOWN = -1


@dataclasses.dataclass(frozen=True)
class FewLabels(Splits):
    """A set in which a few training examples have labels, some of which are in each training batch.

    A batch begins with labelled examples, which are put in a new order whenever all of them have been seen. The rest
    are training examples without their labels: an epoch goes through all of them once.

    Attributes:
        kept: positions of the training examples that have labels.
        labels_per_batch: number of them in each training batch.
    """

    kept: np.ndarray = dataclasses.field(kw_only=True)
    labels_per_batch: int = dataclasses.field(kw_only=True)

    @property
    def steps_per_pass(self) -> int:
        """Training batches in one pass: as many as the examples without labels fill."""
        return max(1, self.size("train") // (self.train_batch_size - self.labels_per_batch))

    def train_batch(self, epoch, step, rows=None):
        epoch_seed = tf.random.experimental.stateless_fold_in(tf.constant([self.seed, 0]), epoch)
        start, end = rows or (0, self.train_batch_size)
        # Labelled rows come first in the batch.
        smaller = min if rows is None else tf.minimum
        first, last = (smaller(row, self.labels_per_batch) for row in (start, end))
        first_other, last_other = start - first, end - last

        num = self.train_batch_size - self.labels_per_batch
        positions = step * num + tf.range(num, dtype=tf.int64)
        positions = tf.random.experimental.index_shuffle(positions, epoch_seed, np.int64(self.size("train") - 1))

        num_labels = np.int64(len(self.kept))
        places = (epoch * self.steps_per_pass + step) * self.labels_per_batch
        places += tf.range(self.labels_per_batch, dtype=tf.int64)
        # Every pass through the labelled examples has its own order: a seed for each position, which `index_shuffle`
        # does not support.
        passes = tf.pad((places // num_labels)[:, tf.newaxis], [[0, 0], [2, 0]], constant_values=self.seed)
        labelled = tf.raw_ops.RandomIndexShuffle(
            index=places % num_labels, seed=passes, max_index=num_labels - 1, rounds=4
        )

        seed = tf.random.experimental.stateless_fold_in(epoch_seed, step)
        other_seed = tf.random.experimental.stateless_fold_in(seed, 1)
        known = self.columns("train", tf.gather(tf.constant(self.kept), labelled[first:last]), seed, first)
        others = self.columns("train", positions[first_other:last_other], other_seed, first_other)
        others["condition"] = tf.fill(tf.shape(others["condition"]), tf.constant(UNKNOWN, others["condition"].dtype))
        columns = {name: tf.concat([known[name], others[name]], axis=0) for name in known}
        return self.in_form(self.augmented_columns(columns, seed, start))


def few_labels(splits: Splits, num_labels: int, per_batch: int) -> FewLabels:
    """Returns the set with only a few training labels; the label of every other training example is -1.

    Equally many examples of each class keep their label, chosen by the set's seed. They take the first places of each
    training batch; the other places hold all training examples, without labels, each once in an epoch.

    Args:
        splits: data set with labels.
        num_labels: number of training examples that keep their label, a multiple of the number of classes.
        per_batch: number of them in each batch, less than its size.

    Raises:
        ValueError: if there are no labels, or too few of a class, or `per_batch` is not smaller than a batch.
    """
    checks.positive_int("num_labels", num_labels)
    checks.positive_int("per_batch", per_batch)
    if "condition" not in splits.spaces:
        raise ValueError(f"`splits` must have labels: load {splits.name} with `labels=True`.")
    if per_batch >= splits.train_batch_size:
        raise ValueError(f"`per_batch` must be below the batch size {splits.train_batch_size}, received {per_batch}.")
    splits = splits if splits.shard == (0, 1) else splits.own_shard()
    train = splits.sources["train"]
    labels = train.arrays["condition"]
    classes = np.unique(labels)
    if num_labels % len(classes):
        raise ValueError(f"`num_labels` must be a multiple of the {len(classes)} classes, received {num_labels}.")
    each = num_labels // len(classes)
    if each > min(np.sum(labels == label) for label in classes):
        raise ValueError(f"`num_labels` must leave each class enough examples, received {num_labels}.")
    random = np.random.default_rng((splits.seed, num_labels))
    kept = np.concatenate([random.choice(np.flatnonzero(labels == label), each, False) for label in classes])

    found = np.full(len(labels), UNKNOWN, np.int32)
    found[kept] = labels[kept]
    held = tf.constant(found)
    source = dataclasses.replace(
        train,
        gather=lambda indices: {**train.gather(indices), "condition": tf.gather(held, indices)},
        arrays={**train.arrays, "condition": found},
    )
    space = ClassLabel(splits.spaces["condition"].num_classes, unknown=True)
    changes = {
        "spaces": {**splits.spaces, "condition": space},
        "sources": {**splits.sources, "train": source},
    }
    fields = {field.name: getattr(splits, field.name) for field in dataclasses.fields(Splits)}
    return FewLabels(**{**fields, **changes}, kept=kept, labels_per_batch=per_batch)


def stacked(splits: Splits, *, num_channels: int = 3, num_examples: int | None = None, seed: int = 0) -> Splits:
    """Returns a set of images whose channels are grey images drawn at random.

    The set has very many modes, all of which are known: three of ten digits have 1,000 combinations, which
    `evaluation.stacked_mode_count` counts.

    Example:

    ```python
    splits = data.stacked(data.load("mnist"))        # examples of shape (28, 28, 3)
    ```

    Args:
        splits: a set of grey images held in memory.
        num_channels: number of images in a stack.
        num_examples: number of stacks in each split; None makes as many as there are images.
        seed: seed of the choice.

    Returns:
        The set. If `splits` has labels, its labels have shape `(num, num_channels)`.

    Raises:
        ValueError: if the examples are not grey images held in memory.
    """
    if len(splits.event_shape) != 3 or splits.event_shape[-1] != 1:
        raise ValueError(f"`splits` must hold grey images; {splits.name} has examples of shape {splits.event_shape}.")
    num_channels = checks.positive_int("num_channels", num_channels)
    spaces = {"x": dataclasses.replace(splits.event_space, shape=(*splits.event_shape[:2], num_channels))}
    if "condition" in splits.spaces:
        spaces["condition"] = Tokens(num_channels, splits.spaces["condition"].num_classes)
    sources = {}
    for number, split in enumerate(splits.sources):
        x = splits.array(split)
        num = len(x) if num_examples is None else checks.positive_int("num_examples", num_examples)
        rows = np.random.default_rng((seed, number)).integers(len(x), size=(num, num_channels))
        columns = {"x": np.stack([x[rows[:, channel], ..., 0] for channel in range(num_channels)], axis=-1)}
        if "condition" in splits.spaces:
            columns["condition"] = splits.labels(split)[rows]
        sources[split] = Source.from_columns(columns)
    return dataclasses.replace(splits, name=f"{splits.name}-stacked", spaces=spaces, sources=sources, shard=(0, 1))


def dequantized(splits: Splits, seed: int | None = None) -> Splits:
    """Returns real vectors by adding uniform noise to each entry, as wide as the smallest step between its values.

    The step of levels is 1; the mean log density of levels with such noise is at most their log mass. The likelihood of
    rounded numbers has no upper bound, because a model can concentrate density on repeated values; that of numbers with
    such noise is bounded.

    Args:
        splits: levels or real vectors held in memory.
        seed: seed of the noise, which is drawn once; None uses the set's.

    Raises:
        ValueError: if the examples are neither, or are not held in memory.
    """
    if not isinstance(splits.event_space, (Levels, Reals)) or not splits.in_memory:
        raise ValueError(f"`splits` must hold levels or real vectors in memory; {splits.name} does not.")
    seed = splits.seed if seed is None else seed
    if splits.levels is not None:

        def with_unit_noise(x, number):
            noise = np.random.default_rng((seed, number)).random(x.shape, np.float32)
            return (x + noise).reshape(len(x), -1)

        return splits.changed(with_unit_noise, Reals((math.prod(splits.event_shape),)))
    rows = np.concatenate([source.arrays["x"] for source in splits.sources.values()])
    columns = rows.reshape(len(rows), -1).T
    # A column with a single value has no step.
    steps = [np.diff(np.unique(column)).min() if np.ptp(column) > 0.0 else 0.0 for column in columns]
    steps = np.reshape(steps, splits.event_shape)

    def with_noise(x, number):
        return (x + steps * np.random.default_rng((seed, number)).random(x.shape)).astype(np.float32)

    changed = splits.with_examples(with_noise, splits.event_space)
    return dataclasses.replace(changed, name=f"{splits.name}-dequantized")


def paired(splits: Splits, make_source: Callable[[np.ndarray], np.ndarray], source_space: Numbers) -> Splits:
    """Returns pairs: each example as "target", and what is made from it, such as a smaller image, as "source".

    Args:
        splits: a set held in memory.
        make_source: function from an array of examples to an array of equally many sources.
        source_space: space of the sources.

    Raises:
        ValueError: if the examples are not held in memory, or are binarized anew in each epoch.
    """
    splits = splits.unlabelled().own_shard()
    sources = {}
    for split in splits.sources:
        x = splits.array(split)
        sources[split] = Source.from_columns({"source": make_source(x), "target": x})
    return dataclasses.replace(splits, spaces={"source": source_space, "target": splits.event_space}, sources=sources)


def augmented(splits: Splits, *columns: str, enlargement: float = 1.0, flip: bool = True) -> Splits:
    """Returns the set with random changes of training images, the same for all of the named columns.

    Each training image is enlarged, cropped to its size at a random position, and mirrored with probability one half,
    differently in each epoch. The changes depend only on the seed, the epoch and the step, so a resumed run sees the
    same images as an uninterrupted one. Columns of a second call change independently of those of the first.

    Example:

    ```python
    pairs = data.augmented(pairs, "source", "target", enlargement=286 / 256)        # as for pix2pix
    ```

    Args:
        splits: a set of images.
        *columns: names of the columns. The sides of all of them are integer multiples of those of the smallest one.
        enlargement: factor by which height and width grow before images are cropped, at least 1.
        flip: whether images are mirrored, left to right.

    Raises:
        ValueError: if a column is not in the set, does not hold images, or has sides that are not such multiples.
    """
    for name in columns:
        checks.choice("columns", name, splits.spaces)
        if len(splits.spaces[name].shape) != 3:
            raise ValueError(f"`columns` must hold images; {name} has examples of shape {splits.spaces[name].shape}.")
    augmentation = Augmentation.of({name: splits.spaces[name] for name in columns}, enlargement, flip)
    if not any(augmentation.room) and not flip:
        return splits
    return dataclasses.replace(splits, augmentations=(*splits.augmentations, augmentation))
