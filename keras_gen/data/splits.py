"""Training, validation and test pipelines over examples held in memory or read from files."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.data.augmentation import Augmentation
from keras_gen.data.columns import Column
from keras_gen.spaces import Levels, Reals, Sound, Space

#: Consecutive rows of a batch: the first one, and the one after the last; int64 scalars.
Rows = tuple[tf.Tensor, tf.Tensor]

#: Marks a function of a data set as free of branches and loops over tensors: searching for them takes a second.
as_it_is = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class Source:
    """The examples of one split.

    Attributes:
        num_examples: how many there are.
        gather: function from an int64 tensor of indices to the columns, by name, of the examples at these indices.
        arrays: the columns, by name, that are held in memory.
    """

    num_examples: int
    gather: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    arrays: dict[str, np.ndarray]

    @classmethod
    def from_columns(cls, columns: Mapping[str, Column]) -> "Source":
        """Returns the source of columns of one length, by name."""
        arrays = {name: column for name, column in columns.items() if isinstance(column, np.ndarray)}
        # On the CPU even if there is a GPU, because the pipeline gathers there.
        with tf.device("CPU"):
            tensors = {name: tf.constant(array) for name, array in arrays.items()}

        def gather(indices):
            return {
                name: tf.gather(tensors[name], indices) if name in tensors else column.gather(indices)
                for name, column in columns.items()
            }

        return cls(len(next(iter(columns.values()))), gather, arrays)


@dataclasses.dataclass(frozen=True)
class Splits:
    """A data set in three parts, each a `tf.data.Dataset` of batches.

    If the only column is "x", a batch is a tensor; with "x" and "condition", it is a pair of tensors. A set may have
    columns of other names, such as "source" and "target"; then a batch is a dict.

    The order of the training examples, their augmentation and a dynamic binarization depend only on the seed and the
    number of the epoch. A run that resumes at some epoch therefore sees the same batches as an uninterrupted one.

    Attributes:
        name: name or path of the set.
        spaces: name to space of each column that batches have.
        binarization: how grey levels became bits: "none", "threshold", "static" or "dynamic".
        batch_size: examples in a batch, over all replicas and workers together.
        seed: seed of the order of the training examples.
        sources: "train", "validation" and "test" to `Source`.
        shard: (index, count); every pipeline yields the examples whose position is `index` modulo `count`.
        num_levels_before: number of levels before a dynamic binarization.
        scale: mean and standard deviation by which real vectors were standardised, or None.
        column_names: names of the entries of vectors that come from a table.
        class_names: names of the classes of images or sounds that come from subfolders.
        augmentations: random changes of the training examples, applied one after the other.
        epoch_steps: number of training batches in an epoch; None for a whole pass through the training examples.
    """

    name: str
    spaces: dict[str, Space]
    binarization: str
    batch_size: int
    seed: int
    sources: dict[str, Source]
    shard: tuple[int, int] = (0, 1)
    num_levels_before: int | None = None
    scale: tuple[np.ndarray, np.ndarray] | None = None
    column_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    augmentations: tuple[Augmentation, ...] = ()
    epoch_steps: int | None = None

    def __post_init__(self):
        if not (0 <= self.shard[0] < self.shard[1]):
            raise ValueError(f"`shard` must be (index, count) with 0 <= index < count, received {self.shard}.")

    # Spaces

    @property
    def event_space(self) -> Space:
        """The space of the column "x".

        Raises:
            ValueError: if there is no such column.
        """
        if "x" not in self.spaces:
            raise ValueError(f"{self.name} has no column `x`; it has {', '.join(self.spaces)}.")
        return self.spaces["x"]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.event_space.shape

    @property
    def levels(self) -> int | None:
        """Number of levels of an entry; None for real numbers and sound."""
        return self.event_space.num_levels if isinstance(self.event_space, Levels) else None

    @property
    def sample_rate(self) -> int | None:
        """Samples of sound per second; None if examples are not sound."""
        space = self.spaces.get("x")
        return space.sample_rate if isinstance(space, Sound) else None

    # Batches

    @property
    def steps_per_epoch(self) -> int:
        """Training batches in one epoch: those of a pass through the training examples, unless `epoch_steps` is set."""
        return self.epoch_steps or self.steps_per_pass

    @property
    def steps_per_pass(self) -> int:
        """Training batches in a pass through the training examples; an incomplete last batch is left out."""
        return max(1, self.size("train") // self.train_batch_size)

    @property
    def train_batch_size(self) -> int:
        """Examples in a training batch, at most as many as there are."""
        return min(self.batch_size, self.size("train"))

    def size(self, split: str) -> int:
        """Number of examples of a split that this shard holds."""
        index, count = self.shard
        return len(range(index, self.sources[split].num_examples, count))

    @property
    def train(self) -> tf.data.Dataset:
        """One epoch of training batches, in a new order at each iteration over it."""
        epochs = tf.data.Dataset.random(seed=self.seed, rerandomize_each_iteration=True).take(1)
        steps = tf.data.Dataset.range(self.steps_per_pass)
        batches = epochs.flat_map(as_it_is(lambda epoch: steps.map(lambda step: self.train_batch(epoch, step))))
        return batches.apply(tf.data.experimental.assert_cardinality(self.steps_per_pass)).prefetch(tf.data.AUTOTUNE)

    def train_from(self, epoch: int, step: int = 0) -> tf.data.Dataset:
        """Endless training batches, `steps_per_epoch` for each epoch, starting from a step of the given epoch.

        Each pass through the examples has its own order, wherever epochs begin.
        """
        first, steps = epoch * self.steps_per_epoch + step, self.steps_per_pass
        counter = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
        batches = counter.map(
            as_it_is(lambda count: self.train_batch(count // steps, count % steps)), num_parallel_calls=tf.data.AUTOTUNE
        )
        return batches.prefetch(tf.data.AUTOTUNE)

    def train_shares(self, epoch: int, step: int, context: tf.distribute.InputContext) -> tf.data.Dataset:
        """The batches of `train_from`, divided into shares for all replicas; a worker gets its own shares.

        Args:
            epoch: first epoch.
            step: first step of it.
            context: number of replicas, and which worker this is; all workers have equally many replicas.
        """
        first = epoch * self.steps_per_epoch + step
        counter = tf.data.Dataset.range(first, np.iinfo(np.int64).max)

        def share(count, replica):
            rows = share_of(self.train_batch_size, replica, context.num_replicas_in_sync)
            return self.train_batch(count // self.steps_per_pass, count % self.steps_per_pass, rows)

        return for_replicas(counter, share, context)

    def shares(self, split: str, context: tf.distribute.InputContext) -> tf.data.Dataset:
        """All batches of a split, in order, repeated endlessly, divided into shares as in `train_shares`."""
        batches = tf.data.Dataset.range(self.size(split)).batch(self.batch_size).repeat()

        def share(positions, replica):
            rows = share_of(tf.size(positions, tf.int64), replica, context.num_replicas_in_sync)
            return self.ordered_batch(split, positions, rows)

        return for_replicas(batches, share, context)

    @property
    def validation(self) -> tf.data.Dataset:
        """All validation batches, in order; the last may be smaller."""
        return self.in_order("validation")

    @property
    def test(self) -> tf.data.Dataset:
        """All test batches, in order; the last may be smaller."""
        return self.in_order("test")

    def examples(self, split: str, num: int) -> dict[str, tf.Tensor]:
        """Returns the columns of the first examples of a split, repeated from the start if it has fewer than `num`."""
        return self.columns(split, tf.range(num, dtype=tf.int64) % self.size(split), tf.constant([self.seed, 1]))

    def train_batch(self, epoch: tf.Tensor, step: tf.Tensor, rows: Rows | None = None):
        """Returns the batch of a step of a pass through the examples, or some of its rows, bitwise the same."""
        epoch_seed = tf.random.experimental.stateless_fold_in(tf.constant([self.seed, 0]), epoch)
        start, end = rows or (0, self.train_batch_size)
        positions = step * self.train_batch_size + tf.range(self.train_batch_size, dtype=tf.int64)
        # A permutation computed entry by entry needs no buffer and can be entered at any point.
        positions = tf.random.experimental.index_shuffle(positions, epoch_seed, np.int64(self.size("train") - 1))
        seed = tf.random.experimental.stateless_fold_in(epoch_seed, step)
        columns = self.columns("train", positions[start:end], seed, start)
        return self.in_form(self.augmented_columns(columns, seed, start))

    def in_order(self, split: str) -> tf.data.Dataset:
        """Returns all batches of a split, in order."""
        positions = tf.data.Dataset.range(self.size(split)).batch(self.batch_size)
        return positions.map(
            as_it_is(lambda batch: self.ordered_batch(split, batch)), num_parallel_calls=tf.data.AUTOTUNE
        ).prefetch(tf.data.AUTOTUNE)

    def ordered_batch(self, split: str, positions: tf.Tensor, rows: Rows | None = None):
        """Returns the batch of some positions of this shard, or some of its rows, bitwise the same."""
        seed = tf.random.experimental.stateless_fold_in(tf.constant([self.seed, 1]), positions[0])
        start, end = rows or (0, None)
        return self.in_form(self.columns(split, positions[start:end], seed, start))

    @staticmethod
    def in_form(columns: dict[str, tf.Tensor]):
        """Returns columns by name in the form that a model's `fit` expects."""
        if columns.keys() == {"x"}:
            return columns["x"]
        return (columns["x"], columns["condition"]) if columns.keys() == {"x", "condition"} else columns

    def augmented_columns(
        self, columns: dict[str, tf.Tensor], seed: tf.Tensor, start: int | tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns training examples, augmented at random, whose rows in their batch start at `start`."""
        for index, augmentation in enumerate(self.augmentations, 1):
            columns = augmentation.apply(columns, tf.random.experimental.stateless_fold_in(seed, index), start)
        return columns

    def columns(
        self, split: str, positions: tf.Tensor, seed: tf.Tensor, start: int | tf.Tensor = 0
    ) -> dict[str, tf.Tensor]:
        """Returns the columns, by name, of the examples at positions of this shard.

        Args:
            split: name of the split.
            positions: int64 tensor.
            seed: seed of the random changes of the batch that the examples belong to.
            start: row of the first example in that batch.
        """
        index, count = self.shard
        found = self.gathered(split, index + count * positions, seed, start)
        if self.num_levels_before:
            grey = tf.cast(found["x"], tf.float32) / (self.num_levels_before - 1)
            found["x"] = tf.cast(seeds.uniform_rows(tf.shape(grey), seed, start) < grey, tf.uint8)
        num = positions.shape[0]
        return {name: tf.ensure_shape(found[name], (num, *space.shape)) for name, space in self.spaces.items()}

    def gathered(self, split: str, indices: tf.Tensor, seed: tf.Tensor, start: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the columns, by name, of the examples at indices of the whole split; otherwise like `columns`."""
        return self.sources[split].gather(indices)

    # Arrays

    @property
    def in_memory(self) -> bool:
        """Whether examples are held in memory and are the same in each epoch, so that `array` returns them."""
        return all("x" in source.arrays for source in self.sources.values()) and not self.num_levels_before

    def array(self, split: str, name: str = "x") -> np.ndarray:
        """Returns a column of a split as one array.

        Args:
            split: "train", "validation" or "test".
            name: name of the column.

        Raises:
            ValueError: if it does not fit in memory, or is binarized anew in each epoch.
        """
        array = self.sources[split].arrays.get(name)
        if array is None or (name == "x" and self.num_levels_before):
            raise ValueError(f"`split` {split!r} of {self.name} cannot be had as one array.")
        return array[self.shard[0] :: self.shard[1]]

    def labels(self, split: str) -> np.ndarray | None:
        """Returns the label of each example of a split, or None if the set was loaded without labels."""
        return self.array(split, "condition") if "condition" in self.spaces else None

    # Sets made of this one

    def in_epochs_of(self, steps: int | None) -> "Splits":
        """Returns the set with the same batches in epochs of `steps` training batches; None for a whole pass.

        Raises:
            TypeError: if `steps` is neither None nor an integer.
            ValueError: if it is below 1.
        """
        steps = None if steps is None else checks.positive_int("steps_per_epoch", steps)
        return dataclasses.replace(self, epoch_steps=steps)

    def binarized(self, how: str) -> "Splits":
        """Returns the set with grey levels turned into bits.

        Args:
            how: "none"; "threshold" (1 from the middle level on); "static" (each pixel drawn once, with its level as
                probability, the same for every seed); "dynamic" (drawn anew in every epoch). A set that is already
                binary stays unchanged.

        Raises:
            ValueError: if `how` is unknown, or the set cannot be binarized.
        """
        checks.choice("binarization", how, ("none", "threshold", "static", "dynamic"))
        if how == "none" or self.levels == 2:
            return self
        if self.levels is None:
            raise ValueError(f"`binarization` must be 'none' for the real-valued set {self.name!r}, received {how!r}.")
        bits = Levels(self.event_shape, 2)
        if how == "dynamic":
            spaces = {**self.spaces, "x": bits}
            return dataclasses.replace(self, spaces=spaces, binarization=how, num_levels_before=self.levels)
        if not self.in_memory:
            raise ValueError(f"`binarization` {how!r} needs the whole set in memory; use 'dynamic' for {self.name}.")
        highest = self.levels - 1

        def binarize(x, number):
            grey = x / highest
            ones = grey >= 0.5 if how == "threshold" else np.random.default_rng(number).random(grey.shape) < grey
            return ones.astype(np.uint8)

        return dataclasses.replace(self.with_examples(binarize, bits), binarization=how)

    def cropped(self, height: int, width: int) -> "Splits":
        """Returns the set with images cropped to their centre.

        Args:
            height: number of rows to keep.
            width: number of columns to keep.

        Raises:
            ValueError: if the examples are not images held in memory of at least this size.
        """
        if len(self.event_shape) != 3 or not self.in_memory:
            raise ValueError(f"`cropped` needs images in memory; {self.name} has examples of shape {self.event_shape}.")
        size = np.array(self.event_shape[:2])
        if height < 1 or width < 1 or height > size[0] or width > size[1]:
            raise ValueError(f"`height` and `width` must be from 1 to {tuple(size)}, received {(height, width)}.")
        top, left = (size - (height, width)) // 2
        space = dataclasses.replace(self.event_space, shape=(height, width, self.event_shape[2]))
        return self.with_examples(
            lambda x, _: np.ascontiguousarray(x[:, top : top + height, left : left + width]), space
        )

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

        return self.changed(resize, Levels((height, width, self.event_shape[2]), levels))

    def changed(self, function: Callable[[np.ndarray, int], np.ndarray], space: Space | None = None) -> "Splits":
        """Returns the set with a function applied to the examples of each split; other columns are unchanged.

        The result holds only the examples of this shard, as a separate set.

        Args:
            function: function from an array of examples and the number of their split (from 0) to an array of the same
                length.
            space: space of the results; None for that of the examples.

        Raises:
            ValueError: if the examples are not held in memory, or are binarized anew in each epoch.
        """
        return self.own_shard().with_examples(function, self.event_space if space is None else space)

    def selected(self, keep: Callable[[np.ndarray], np.ndarray]) -> "Splits":
        """Returns the set with some of its classes, without labels.

        Args:
            keep: function from an array of labels to whether to keep each example.

        Raises:
            ValueError: if the set has no labels, a split is left without examples, or as in `changed`.
        """
        if "condition" not in self.spaces:
            raise ValueError(f"`selected` needs labels; {self.name} was loaded without them.")
        sources = {}
        for split in self.sources:
            x = self.array(split)[keep(self.labels(split))]
            if not len(x):
                raise ValueError(f"`keep` must leave an example of the {split} split of {self.name}; it leaves none.")
            sources[split] = Source.from_columns({"x": x})
        return dataclasses.replace(self.unlabelled(), sources=sources, shard=(0, 1))

    def unlabelled(self) -> "Splits":
        """Returns the set without its labels."""
        return dataclasses.replace(self, spaces={name: s for name, s in self.spaces.items() if name != "condition"})

    def own_shard(self) -> "Splits":
        """Returns the examples of this shard as a separate set.

        Raises:
            ValueError: if they are not held in memory, or are binarized anew in each epoch.
        """
        sources = {
            split: Source.from_columns({name: self.array(split, name) for name in self.spaces})
            for split in self.sources
        }
        return dataclasses.replace(self, sources=sources, shard=(0, 1))

    def with_examples(self, function: Callable[[np.ndarray, int], np.ndarray], space: Space) -> "Splits":
        """Like `changed`, but for all shards together; this shard stays the same."""
        sources = {
            split: Source.from_columns({**source.arrays, "x": function(source.arrays["x"], number)})
            for number, (split, source) in enumerate(self.sources.items())
        }
        return dataclasses.replace(self, spaces={**self.spaces, "x": space}, sources=sources)

    def description(self) -> dict:
        """Returns a report's description of the data; only sound has a "sample_rate"."""
        columns = {name: described(space) for name, space in self.spaces.items()}
        return {
            "name": self.name,
            "binarization": self.binarization,
            **columns.get("x", {"columns": columns}),
            "standardized": self.scale is not None,
            **({} if self.scale is None else {"scale": self.scale_description()}),
            **({"column_names": list(self.column_names)} if self.column_names else {}),
            **({"class_names": list(self.class_names)} if self.class_names else {}),
            "num_examples": {split: source.num_examples for split, source in self.sources.items()},
        }

    def summary(self) -> str:
        """Returns one line that says what the examples are and how many there are."""
        columns = {"": self.spaces["x"]} if "x" in self.spaces else {f"{name} ": s for name, s in self.spaces.items()}
        examples = ", ".join(name + summary_of(space) for name, space in columns.items())
        standardised = "" if self.scale is None else ", standardised"
        bits = "" if self.binarization == "none" else f", by binarization {self.binarization}"
        classes = f"; classes: {', '.join(self.class_names)}" if self.class_names else ""
        sizes = ", ".join(f"{source.num_examples:,} {split}" for split, source in self.sources.items())
        return f"{examples}{standardised}{bits}{classes}; examples: {sizes}"

    def in_data_units(self, rows: np.ndarray) -> np.ndarray:
        """Returns standardised rows in the data's units, float32."""
        mean, deviation = self.scale
        return (rows * deviation + mean).astype(np.float32)

    def scale_description(self) -> dict[str, list]:
        """Returns the mean and the deviation that standardised each entry."""
        return {name: np.asarray(part).tolist() for name, part in zip(("mean", "deviation"), self.scale, strict=True)}


def share_of(num: int | tf.Tensor, replica: tf.Tensor, num_replicas: int) -> Rows:
    """Returns the rows that a replica gets from a batch of `num` rows."""
    return replica * num // num_replicas, (replica + 1) * num // num_replicas


def for_replicas(elements: tf.data.Dataset, share: Callable, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Returns, for each element, its shares for the replicas of a worker, one after the other.

    Args:
        elements: endless elements that batches are made from.
        share: function of an element and the number of a replica, an int64 scalar.
        context: number of replicas, and which worker this is.
    """
    num = context.num_replicas_in_sync // context.num_input_pipelines
    replicas = tf.data.Dataset.range(context.input_pipeline_id * num, (context.input_pipeline_id + 1) * num)
    pairs = elements.flat_map(as_it_is(lambda element: replicas.map(lambda replica: (element, replica))))
    # With endless data, workers need not ask each other in every step whether any are left.
    endless = pairs.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    return endless.map(as_it_is(share), num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def summary_of(space: Space) -> str:
    """Returns a description in words of what a column holds."""
    if isinstance(space, Levels):
        return f"levels 0 to {space.num_levels - 1} of shape {space.shape}"
    if isinstance(space, Reals) and len(space.shape) == 1:
        return f"{space.shape[0]} columns of real numbers"
    return f"{space.expected} of shape {space.shape}"


def described(space: Space) -> dict:
    """Returns a report's description of a column."""
    levels = space.num_levels if isinstance(space, Levels) else None
    sound = {"sample_rate": space.sample_rate} if isinstance(space, Sound) else {}
    return {"event_shape": list(space.shape), "levels": levels, **sound}
