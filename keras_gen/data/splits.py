"""Train, validation and test pipelines over examples held in memory or read from files."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds


@dataclasses.dataclass(frozen=True)
class Source:
    """The examples of one split.

    Attributes:
        num_examples: how many there are.
        gather: function from an int64 tensor of indices to the examples (and labels) at them.
        array: the examples as one array, or None if they do not fit in memory.
    """

    num_examples: int
    gather: Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
    array: np.ndarray | None = None

    @classmethod
    def from_arrays(cls, x: np.ndarray, y: np.ndarray | None = None) -> "Source":
        """Returns the source of the rows of `x` and, if given, of `y`."""
        # On the CPU even where there is a GPU: the pipeline gathers there.
        with tf.device("CPU"):
            columns = tuple(tf.constant(column) for column in (x, y) if column is not None)
        return cls(len(x), lambda indices: tuple(tf.gather(column, indices) for column in columns), x)


@dataclasses.dataclass(frozen=True)
class Splits:
    """A data set in three parts, each a `tf.data.Dataset` of batches.

    The order of the training examples, and a dynamic binarization, are functions of the seed and of the epoch's
    number alone. A run that resumes at some epoch therefore sees the batches that it would have seen.

    Attributes:
        name: name or path of the set.
        event_shape: shape of one example.
        levels: number of levels of an entry, None for real numbers.
        binarization: how grey levels became bits: "none", "threshold", "static" or "dynamic".
        batch_size: examples in a batch; of all replicas and workers together.
        seed: seed of the order of the training examples.
        sources: "train", "validation" and "test" to `Source`.
        shard: (index, count); every pipeline yields the examples whose position is `index` modulo `count`.
        num_levels_before: number of levels before a dynamic binarization.
        scale: mean and standard deviation by which real vectors were standardised, or None.
        sample_rate: samples of sound in a second; None where examples are no sound.
    """

    name: str
    event_shape: tuple[int, ...]
    levels: int | None
    binarization: str
    batch_size: int
    seed: int
    sources: dict[str, Source]
    shard: tuple[int, int] = (0, 1)
    num_levels_before: int | None = None
    scale: tuple[np.ndarray, np.ndarray] | None = None
    sample_rate: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Training batches in one epoch; an incomplete last batch is left out."""
        return max(1, self.size("train") // self.train_batch_size)

    @property
    def train_batch_size(self) -> int:
        return min(self.batch_size, self.size("train"))

    def size(self, split: str) -> int:
        """Number of examples of a split that this shard holds."""
        index, count = self.shard
        return len(range(index, self.sources[split].num_examples, count))

    @property
    def train(self) -> tf.data.Dataset:
        """One epoch of training batches, in a new order at each iteration over it."""
        epochs = tf.data.Dataset.random(seed=self.seed, rerandomize_each_iteration=True).take(1)
        steps = tf.data.Dataset.range(self.steps_per_epoch)
        batches = epochs.flat_map(lambda epoch: steps.map(lambda step: self.train_batch(epoch, step)))
        return batches.apply(tf.data.experimental.assert_cardinality(self.steps_per_epoch)).prefetch(tf.data.AUTOTUNE)

    def train_from(self, epoch: int) -> tf.data.Dataset:
        """Training batches without end, `steps_per_epoch` for each epoch, from the start of the given one."""
        steps = self.steps_per_epoch
        counter = tf.data.Dataset.range(epoch * steps, np.iinfo(np.int64).max)
        batches = counter.map(
            lambda count: self.train_batch(count // steps, count % steps), num_parallel_calls=tf.data.AUTOTUNE
        )
        return batches.prefetch(tf.data.AUTOTUNE)

    @property
    def validation(self) -> tf.data.Dataset:
        """All validation batches, in order; the last may be smaller."""
        return self.in_order("validation")

    @property
    def test(self) -> tf.data.Dataset:
        """All test batches, in order; the last may be smaller."""
        return self.in_order("test")

    def array(self, split: str) -> np.ndarray:
        """Returns the examples of a split as one array.

        Raises:
            ValueError: if they do not fit in memory, or are binarized anew in each epoch.
        """
        array = self.sources[split].array
        if array is None or self.num_levels_before:
            raise ValueError(f"`split` {split!r} of {self.name} cannot be had as one array.")
        return array[self.shard[0] :: self.shard[1]]

    def examples(self, split: str, num: int) -> tf.Tensor:
        """Returns the first examples of a split, from the start again where it has fewer than `num`."""
        batch = self.batch(split, tf.range(num, dtype=tf.int64) % self.size(split), tf.constant([self.seed, 1]))
        return batch[0] if isinstance(batch, tuple) else batch

    def train_batch(self, epoch: tf.Tensor, step: tf.Tensor):
        epoch_seed = tf.random.experimental.stateless_fold_in(tf.constant([self.seed, 0]), epoch)
        positions = step * self.train_batch_size + tf.range(self.train_batch_size, dtype=tf.int64)
        # A permutation that is computed entry by entry needs no buffer and can be entered at any point.
        positions = tf.random.experimental.index_shuffle(positions, epoch_seed, np.int64(self.size("train") - 1))
        return self.batch("train", positions, tf.random.experimental.stateless_fold_in(epoch_seed, step))

    def in_order(self, split: str) -> tf.data.Dataset:
        positions = tf.data.Dataset.range(self.size(split)).batch(self.batch_size)
        seed = tf.constant([self.seed, 1])
        return positions.map(
            lambda batch: self.batch(split, batch, tf.random.experimental.stateless_fold_in(seed, batch[0])),
            num_parallel_calls=tf.data.AUTOTUNE,
        ).prefetch(tf.data.AUTOTUNE)

    def batch(self, split: str, positions: tf.Tensor, seed: tf.Tensor):
        index, count = self.shard
        x, *labels = self.sources[split].gather(index + count * positions)
        if self.num_levels_before:
            grey = tf.cast(x, tf.float32) / (self.num_levels_before - 1)
            x = tf.cast(seeds.uniform(tf.shape(x), seed) < grey, tf.uint8)
        x = tf.ensure_shape(x, (positions.shape[0], *self.event_shape))
        return (x, *labels) if labels else x

    def binarized(self, how: str) -> "Splits":
        """Returns the set with grey levels turned into bits.

        Args:
            how: "none"; "threshold" (1 from the middle level on); "static" (each pixel drawn once, with its level
                as probability, the same for every seed); "dynamic" (drawn anew in every epoch). A set that is
                binary already stays as it is.

        Raises:
            ValueError: if `how` is unknown, or the set cannot be binarized.
        """
        checks.choice("binarization", how, ("none", "threshold", "static", "dynamic"))
        if how == "none" or self.levels == 2:
            return self
        if self.levels is None:
            raise ValueError(f"`binarization` must be 'none' for the real-valued set {self.name!r}, received {how!r}.")
        if how == "dynamic":
            return dataclasses.replace(self, levels=2, binarization=how, num_levels_before=self.levels)
        sources = {}
        for number, (split, source) in enumerate(self.sources.items()):
            if source.array is None:
                raise ValueError(
                    f"`binarization` {how!r} needs the whole set in memory; use 'dynamic' for {self.name}."
                )
            grey = source.array / (self.levels - 1)
            bits = grey >= 0.5 if how == "threshold" else np.random.default_rng(number).random(grey.shape) < grey
            labels = source.gather(np.arange(source.num_examples))[1:]
            sources[split] = Source.from_arrays(bits.astype(np.uint8), *(label.numpy() for label in labels))
        return dataclasses.replace(self, levels=2, binarization=how, sources=sources)

    def cropped(self, height: int, width: int) -> "Splits":
        """Returns the set with images cut to their centre.

        Args:
            height: rows that stay.
            width: columns that stay.

        Raises:
            ValueError: if the examples are not images held in memory of at least this size.
        """
        arrays = {split: source.array for split, source in self.sources.items()}
        if len(self.event_shape) != 3 or any(array is None for array in arrays.values()):
            raise ValueError(f"`cropped` needs images in memory; {self.name} has examples of shape {self.event_shape}.")
        size = np.array(self.event_shape[:2])
        if height < 1 or width < 1 or height > size[0] or width > size[1]:
            raise ValueError(f"`height` and `width` must be from 1 to {tuple(size)}, received {(height, width)}.")
        top, left = (size - (height, width)) // 2
        sources = {}
        for split, source in self.sources.items():
            labels = source.gather(np.arange(source.num_examples))[1:]
            patch = np.ascontiguousarray(arrays[split][:, top : top + height, left : left + width])
            sources[split] = Source.from_arrays(patch, *(label.numpy() for label in labels))
        return dataclasses.replace(self, event_shape=(height, width, self.event_shape[2]), sources=sources)

    def resized(self, height: int, width: int, levels: int) -> "Splits":
        """Returns the set with images of another size and number of levels, by bilinear interpolation.

        Args:
            height: rows of the new images.
            width: columns of the new images.
            levels: number of levels of the new images.

        Raises:
            ValueError: if the examples are not images in levels held in memory.
        """
        if len(self.event_shape) != 3 or self.levels is None:
            raise ValueError(f"`resized` needs images in levels; {self.name} has examples of shape {self.event_shape}.")
        factor = (checks.levels(levels) - 1) / (self.levels - 1)

        def resize(x, _):
            large = tf.image.resize(x, (height, width), antialias=True).numpy()
            return np.clip(np.round(factor * large), 0, levels - 1).astype(np.uint8 if levels <= 256 else np.int32)

        return self.changed(resize, event_shape=(height, width, self.event_shape[2]), levels=levels)

    def dequantized(self, seed: int = 0) -> "Splits":
        """Returns the set with levels turned into real vectors: uniform noise from [0, 1) is added to each level.

        The mean log density of such vectors is at most the log mass of the levels.

        Args:
            seed: seed of the noise, which is drawn once.

        Raises:
            ValueError: if the examples are not levels held in memory.
        """
        if self.levels is None:
            raise ValueError(f"`dequantized` needs levels; {self.name} holds real numbers.")

        def dequantize(x, number):
            noise = np.random.default_rng((seed, number)).random(x.shape, np.float32)
            return (x + noise).reshape(len(x), -1)

        return self.changed(dequantize, event_shape=(int(np.prod(self.event_shape)),), levels=None)

    def changed(self, function: Callable[[np.ndarray, int], np.ndarray], **fields) -> "Splits":
        """Returns the set with a function applied to the examples of each split; labels stay as they are.

        The result holds the examples of this shard alone, as a set of its own.

        Args:
            function: from an array of examples, and the number of their split (from 0), to an array of as many.
            **fields: attributes that change, such as `event_shape`.

        Raises:
            ValueError: if the examples are not held in memory, or are binarized anew in each epoch.
        """
        sources = {}
        for number, split in enumerate(self.sources):
            sources[split] = Source.from_arrays(function(self.array(split), number), self.labels(split))
        return dataclasses.replace(self, sources=sources, shard=(0, 1), **fields)

    def selected(self, keep: Callable[[np.ndarray], np.ndarray]) -> "Splits":
        """Returns the set with some of its classes, without labels.

        Args:
            keep: function from an array of labels to whether each example stays.

        Raises:
            ValueError: if the set has no labels, a split is left without examples, or as in `changed`.
        """
        sources = {}
        for split in self.sources:
            labels = self.labels(split)
            if labels is None:
                raise ValueError(f"`selected` needs labels; {self.name} was loaded without them.")
            x = self.array(split)[keep(labels)]
            if not len(x):
                raise ValueError(f"`keep` must leave an example of the {split} split of {self.name}; it leaves none.")
            sources[split] = Source.from_arrays(x)
        return dataclasses.replace(self, sources=sources, shard=(0, 1))

    def unlabelled(self) -> "Splits":
        """Returns the set without its labels."""
        sources = {split: Source.from_arrays(self.array(split)) for split in self.sources}
        return dataclasses.replace(self, sources=sources, shard=(0, 1))

    def labels(self, split: str) -> np.ndarray | None:
        """Returns the label of each example of a split, or None if the set was loaded without labels."""
        source = self.sources[split]
        columns = source.gather(tf.zeros((1,), tf.int64))
        if len(columns) == 1:
            return None
        index, count = self.shard
        return source.gather(tf.range(index, source.num_examples, count))[1].numpy()

    def description(self) -> dict:
        """Returns what a report says of the data; only sound has a "sample_rate"."""
        description = {
            "name": self.name,
            "binarization": self.binarization,
            "event_shape": list(self.event_shape),
            "levels": self.levels,
            "standardized": self.scale is not None,
            "num_examples": {split: source.num_examples for split, source in self.sources.items()},
        }
        return description if self.sample_rate is None else {**description, "sample_rate": self.sample_rate}
