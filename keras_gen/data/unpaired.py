"""`load_unpaired`: loads unrelated sets of images as columns of one set."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data.columns import Reading, as_examples, example_space, three_splits
from keras_gen.data.loading import load
from keras_gen.data.readers.images import full_size
from keras_gen.data.readers.tfds import read_tfds_domains
from keras_gen.data.splits import Source, Splits


@dataclasses.dataclass(frozen=True)
class UnpairedSplits(Splits):
    """Sets of different lengths, each a column that is shuffled separately.

    An epoch is a pass over the longest set; the others start again, in a new order, whenever they are exhausted. The
    order of each depends only on the seed, the column and the number of the pass, so a run that resumes at some step
    sees the same batches as an uninterrupted one. Validation and test batches are in order; a shorter set is repeated
    from its start.

    Attributes:
        parts: name of each column to its set, whose column "x" it holds. Batches do not contain the set's labels.
    """

    parts: Mapping[str, Splits] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, parts: Mapping[str, Splits], *, batch_size: int, seed: int = 0) -> "UnpairedSplits":
        """Returns sets as columns.

        Args:
            parts: name of each column to its set.
            batch_size: examples of each column in a batch, over all replicas and workers together.
            seed: seed of the orders.
        """

        def source(split):
            sizes = {name: splits.size(split) for name, splits in parts.items()}

            def gather(indices):
                return {
                    name: splits.columns(split, indices % sizes[name], tf.constant([splits.seed, 1]))["x"]
                    for name, splits in parts.items()
                }

            arrays = {name: splits.array(split) for name, splits in parts.items() if splits.in_memory}
            return Source(max(sizes.values()), gather, arrays)

        return cls(
            name="-".join(splits.name for splits in parts.values()),
            spaces={name: splits.event_space for name, splits in parts.items()},
            binarization="none",
            batch_size=checks.positive_int("batch_size", batch_size),
            seed=seed,
            sources={split: source(split) for split in ("train", "validation", "test")},
            parts=parts,
        )

    @property
    def train_batch_size(self) -> int:
        """Examples of each column in a training batch, at most the number in the shortest one."""
        return min(self.batch_size, *(splits.size("train") for splits in self.parts.values()))

    def train_batch(self, epoch, step, rows=None):
        start, end = rows or (0, self.train_batch_size)
        orders = tf.constant([self.seed, 0])
        first = (epoch * self.steps_per_pass + step) * self.train_batch_size
        counts = first + tf.range(self.train_batch_size, dtype=tf.int64)
        batch_seed = tf.random.experimental.stateless_fold_in(tf.constant([self.seed, 2]), first)
        columns = {}
        for index, (name, splits) in enumerate(self.parts.items()):
            size = np.int64(splits.size("train"))
            column_seed = tf.random.experimental.stateless_fold_in(orders, index)
            # A batch lies within one pass, or at the end of one and the start of the next.
            earlier = first // size
            seeds = [tf.random.experimental.stateless_fold_in(column_seed, earlier + number) for number in (0, 1)]
            this, following = (
                tf.random.experimental.index_shuffle(counts % size, pass_seed, size - 1) for pass_seed in seeds
            )
            positions = tf.where(counts // size == earlier, this, following)
            columns[name] = splits.columns("train", positions[start:end], batch_seed, start)["x"]
        return self.augmented_columns(columns, batch_seed, start)

    def description(self) -> dict:
        """Adds the number of examples of each column."""
        sizes = {
            split: {name: splits.sources[split].num_examples for name, splits in self.parts.items()}
            for split in self.sources
        }
        return {**super().description(), "num_examples_of_columns": sizes}


def load_unpaired(
    a: str | os.PathLike | np.ndarray,
    b: str | os.PathLike | np.ndarray | None = None,
    *,
    image_size: int | tuple[int, int] | None = None,
    labels: bool = False,
    batch_size: int = 1,
    seed: int = 0,
    shard: tuple[int, int] = (0, 1),
) -> UnpairedSplits:
    """Loads two sets of images of any lengths, as columns "a" and "b".

    Example:

    ```python
    splits = data.load_unpaired("mnist", "usps.npz", image_size=28)
    ```

    Args:
        a: a name or path accepted by `data.load`; or an array of images, one example per row, divided 80/10/10. Or,
            without `b`, the name of a prepared TFDS set of two kinds of images, such as "cycle_gan/horse2zebra", whose
            splits are `trainA`, `trainB`, `testA` and `testB`.
        b: the same for the second set.
        image_size: (height, width) that all images are resized to, or one number for a square. None leaves them
            unchanged.
        labels: whether the `parts` have labels, if both are names or paths of sets with labels.
        batch_size: examples of each set in a batch, over all replicas and workers together.
        seed: seed of the orders of the training examples.
        shard: (index, count): keep the examples whose position is `index` modulo `count`.

    Raises:
        FileNotFoundError: if a path does not exist, or a TFDS set is not prepared.
        ValueError: if a name is unknown, or a set does not hold images.
    """
    if b is None:
        readings = read_tfds_domains(str(a), image_size)
        parts = {name: as_splits(reading, f"{a}-{name}", shard) for name, reading in readings.items()}
    else:
        parts = {name: images(name, given, image_size, labels, shard) for name, given in (("a", a), ("b", b))}
    for name, splits in parts.items():
        if len(splits.event_shape) != 3:
            raise ValueError(f"`{name}` must hold images; {splits.name} has examples of shape {splits.event_shape}.")
    return UnpairedSplits.of(parts, batch_size=batch_size, seed=seed)


def images(name: str, given, image_size, labels: bool, shard: tuple[int, int]) -> Splits:
    """Returns the set of a column, with its images resized.

    Args:
        name: the column.
        given: name or path of a set, or an array.
        image_size: as in `load_unpaired`.
        labels: as in `load_unpaired`.
        shard: as in `load_unpaired`.
    """
    size = None if image_size is None else full_size(image_size)
    if isinstance(given, np.ndarray):
        splits = as_splits(Reading({"all": {"x": given}}), name, shard)
    elif os.path.isdir(os.path.expanduser(given)):
        # Files are resized when they are read, because they may not fit in memory.
        return load(given, image_size=image_size, labels=labels, shard=shard)
    else:
        splits = load(os.fspath(given), labels=labels, shard=shard)
    if size is None or len(splits.event_shape) != 3 or splits.event_shape[:2] == size:
        return splits
    return splits.resized(*size, splits.levels or 256)


def as_splits(reading: Reading, name: str, shard: tuple[int, int]) -> Splits:
    """Returns what a reader found, or an array, as a set."""
    found = three_splits(reading.columns, name)
    space = reading.spaces.get("x") or example_space(found, name)
    sources = {
        split: Source.from_columns({"x": as_examples(columns["x"], space, None)}) for split, columns in found.items()
    }
    return Splits(name, {"x": space}, "none", 1, 0, sources, shard)
