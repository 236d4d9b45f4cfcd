"""Inputs of `fit`, `evaluate` and `predict`: columns by name, checked whatever their source."""

import dataclasses
import itertools
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gen.moments import is_wide
from keras_gen.spaces import ClassLabel, Space

Spaces = Mapping[str, Space]


def named_columns(spaces: Spaces, data, *, model: str, needed: Iterable[str] | None = None) -> tuple[dict, object]:
    """Splits an element into columns by name and the weights of its examples.

    Args:
        spaces: name to space of each column.
        data: the first column; a tuple of the first column, the second one, and weights; a dict of all columns by name;
            or such a tuple whose first entry is such a dict.
        model: what errors call the model.
        needed: names of the required columns; None for all.

    Returns:
        Name to column, and the weights or None.

    Raises:
        ValueError: if a column is missing, or is not one of the model's.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    # What a data set says of None.
    if isinstance(y, tf.TypeSpec) and y.value_type is type(None):
        y = None
    first, *others = spaces
    columns = dict(x) if isinstance(x, Mapping) else {first: x}
    sample_weight = columns.pop("sample_weight", sample_weight)
    if y is not None:
        if not others:
            raise ValueError(f"`condition` must be None: this {model} is not conditional.")
        columns[others[0]] = y
    unknown = [name for name in columns if name not in spaces]
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no column of this {model}, which takes {', '.join(spaces)}.")
    missing = [name for name in (spaces if needed is None else needed) if columns.get(name) is None]
    if missing:
        reason = "conditional" if missing[0] == "condition" else f"trained on {', '.join(spaces)}"
        raise ValueError(f"`{missing[0]}` must be given: this {model} is {reason}.")
    return {name: columns[name] for name in spaces if columns.get(name) is not None}, sample_weight


@dataclasses.dataclass(frozen=True)
class ExampleWeights(Space):
    """Weights of examples, of shape (n,) or (n, 1)."""

    shape = ()
    expected = "finite numbers of at least 0"

    def check_spec(self, dtype, shape, name):
        shape = tf.TensorShape(shape)
        super().check_spec(dtype, shape[:1] if shape.rank == 2 and shape[1] == 1 else shape, name)

    def tensor(self, values, name):
        values = super().tensor(values, name)
        return values[:, 0] if values.shape.rank == 2 else values

    def guard(self, values, name):
        return super().guard(self.tensor(values, name), name)

    def contains(self, values):
        return tf.math.is_finite(values) & (values >= 0.0)


WEIGHTS = ExampleWeights()


class Inputs:
    """Checks the inputs of a model with the same error messages for every form of data.

    Keras gets columns by name, including the weights of the examples: it would drop weights given without a second
    column.

    Args:
        spaces: name to space of each column.
        model: what errors call the model.
        takes_weights: whether examples may have weights.
        name: what errors call the first column; by default its own name.
        needed: names of the required columns; None for all.
    """

    def __init__(
        self,
        spaces: Spaces,
        model: str,
        *,
        takes_weights: bool,
        name: str | None = None,
        needed: Iterable[str] | None = None,
    ):
        self.spaces = spaces
        self.model = model
        self.takes_weights = takes_weights
        self.needed = needed
        self.shown_names = {column: column for column in (*spaces, "sample_weight")}
        if name is not None:
            self.shown_names[next(iter(spaces))] = name

    def checked(self, x, y=None, sample_weight=None, class_weight=None, *, keep_wide: bool = False):
        """Returns the first argument of `keras.Model.fit`, with all checks done or built in.

        Args:
            x: as in `fit`.
            y: as in `fit`.
            sample_weight: as in `fit`.
            class_weight: as in `fit`.
            keep_wide: as in `Space.validate`, for batches of a generator or a `PyDataset`; then `narrowed` casts them.

        Returns:
            Valid tensors by name, or batches of them.

        Raises:
            TypeError: if a dtype is not the expected one.
            ValueError: if a column is missing or unknown, or a shape or a value is not the expected one.
        """
        weigh = self.weighing(class_weight)
        x = self.loaded(x)
        if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset, Iterator)):
            for name, value in {"y": y, "sample_weight": sample_weight}.items():
                if value is not None:
                    raise ValueError(f"`{name}` must be None: a {type(x).__name__} of batches holds it; received one.")
            if isinstance(x, tf.data.Dataset):
                return self.checked_dataset(x, weigh)
            if isinstance(x, keras.utils.PyDataset):
                return CheckedPyDataset(x, lambda element: self.checked_element(element, weigh, keep_wide=keep_wide))
            return (self.checked_element(element, weigh, keep_wide=keep_wide) for element in x)
        if isinstance(x, tf.distribute.DistributedDataset):
            return x
        x = self.as_tuple(x)
        given = x if isinstance(x, tuple) else (x,)
        return self.validated((*given, *(y, sample_weight)[len(given) - 1 :]), weigh)

    def as_tuple(self, data):
        """Returns a list of columns as a tuple, like Keras; a list of rows, and anything else, stays as it is."""
        if not isinstance(data, list) or not 1 <= len(data) <= 3:
            return data
        first = next(iter(self.spaces.values()))
        return tuple(data) if rank_of(data[0]) == 1 + len(first.shape) else data

    def narrowed(self, x):
        """Returns what `checked` returns with `keep_wide`, in the dtypes of the spaces."""
        if isinstance(x, CheckedPyDataset):
            return CheckedPyDataset(x, self.narrowed_element)
        return (self.narrowed_element(element) for element in x) if isinstance(x, Iterator) else x

    def narrowed_element(self, element) -> tuple[dict[str, np.ndarray]]:
        """Returns a checked batch of a generator in the dtypes of the spaces."""
        (columns,) = element
        kept = {
            name: column.astype(self.space(name).dtype.as_numpy_dtype, copy=False) for name, column in columns.items()
        }
        return (kept,)

    def is_wide(self, element, names: Iterable[str]) -> bool:
        """Returns whether one of some columns of an element, or of its specification, has a wide dtype."""
        columns = self.columns(element)
        return any(
            is_wide(np.dtype(tf.as_dtype(columns[name].dtype).as_numpy_dtype)) for name in names if name in columns
        )

    def loaded(self, x):
        """Returns a loader of batches as a data set that reads all of it anew in each epoch; anything else unchanged.

        A loader, such as one from grain or PyTorch, is an object that gives batches each time `iter` is called on it.

        Args:
            x: input of a model.

        Raises:
            TypeError: as in `checked`, for the first batch.
            ValueError: as in `checked`, for the first batch, or if there is none.
        """
        if not is_loader(x):
            return x
        shown = self.shown_names[next(iter(self.spaces))]
        first = next(iter(x), None)
        if first is None:
            raise ValueError(f"`{shown}` holds no examples; at least one is expected.")

        def columns(batch):
            # PyTorch's loaders make lists of tuples.
            batch = tuple(batch) if isinstance(batch, list) else batch
            (checked,) = self.checked_element(batch, None, keep_wide=True)
            return checked

        signature = {
            name: tf.TensorSpec((None, *column.shape[1:]), column.dtype) for name, column in columns(first).items()
        }
        dataset = tf.data.Dataset.from_generator(lambda: map(columns, x), output_signature=signature)
        num = operator.length_hint(x, tf.data.UNKNOWN_CARDINALITY) if hasattr(x, "__len__") else None
        if num is None or num < 0:
            return dataset
        # A loader that never ends, such as a repeated one from grain, reports the largest possible length.
        cardinality = tf.data.INFINITE_CARDINALITY if num == sys.maxsize else num
        return dataset.apply(tf.data.experimental.assert_cardinality(cardinality))

    def columns(self, element) -> dict:
        """Returns the columns of an element by name, with the weights of its examples if it has any."""
        columns, sample_weight = named_columns(self.spaces, element, model=self.model, needed=self.needed)
        if sample_weight is None:
            return columns
        self.check_weights_are_taken()
        return {**columns, "sample_weight": sample_weight}

    def space(self, name: str) -> Space:
        """Returns the space of a column or of the weights."""
        return WEIGHTS if name == "sample_weight" else self.spaces[name]

    def validated(self, element, weigh, *, keep_wide: bool = False) -> dict[str, tf.Tensor]:
        """Returns the columns and the weights of one element by name, all values checked."""
        columns = {
            name: self.space(name).validate(value, self.shown_names[name], keep_wide=keep_wide)
            for name, value in self.columns(element).items()
        }
        sizes = {self.shown_names[name]: len(value) for name, value in columns.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"columns must be equally long, received {sizes}.")
        return columns if weigh is None else weigh(columns)

    def checked_element(self, element, weigh, *, keep_wide: bool = False) -> tuple[dict[str, np.ndarray]]:
        """Returns one batch of a generator, its values checked, as NumPy arrays."""
        element = self.as_tuple(element)
        element = element if isinstance(element, tuple) else (element,)
        return ({name: column.numpy() for name, column in self.validated(element, weigh, keep_wide=keep_wide).items()},)

    def checked_dataset(self, dataset: tf.data.Dataset, weigh) -> tf.data.Dataset:
        """Returns a data set that checks every batch in its graph; its specification is checked now."""
        for name, spec in self.columns(dataset.element_spec).items():
            if isinstance(spec, (tf.RaggedTensorSpec, tf.SparseTensorSpec)):
                found = spec.value_type.__name__
                raise TypeError(f"`{self.shown_names[name]}` must hold dense batches, received those of {found}.")
            self.space(name).check_spec(spec.dtype, spec.shape, self.shown_names[name])
        if dataset.cardinality() == 0:
            first = self.shown_names[next(iter(self.spaces))]
            raise ValueError(f"`{first}` holds no examples; at least one is expected.")

        @tf.autograph.experimental.do_not_convert
        def guard(*element):
            # A data set of dicts passes on its only entry unchanged.
            columns = self.columns(element if len(element) > 1 else element[0])
            columns = {n: self.space(n).guard(column, self.shown_names[n]) for n, column in columns.items()}
            return columns if weigh is None else weigh(columns)

        return dataset.map(guard, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def check_weights_are_taken(self):
        """Raises an error for a model whose loss is not a mean over examples."""
        if not self.takes_weights:
            raise ValueError(
                f"`sample_weight` must be None: the loss of {self.model} is not a mean over examples; received one."
            )

    def weighing(self, class_weight) -> Callable[[dict], dict] | None:
        """Returns a function that multiplies the weights of examples, in columns by name, by those of their classes."""
        if class_weight is None:
            return None
        self.check_weights_are_taken()
        labels = [name for name, space in self.spaces.items() if isinstance(space, ClassLabel)]
        if not labels:
            raise ValueError(f"`class_weight` must be None: this {self.model} has no class labels; received one.")
        space = self.spaces[labels[0]]
        outside = [label for label in class_weight if not space.lowest <= label < space.num_classes]
        if outside:
            raise ValueError(f"`class_weight` holds the class {outside[0]!r}; expected {space.expected}.")
        table = [float(class_weight.get(label, 1.0)) for label in range(space.lowest, space.num_classes)]
        table = WEIGHTS.validate(table, "class_weight")

        def weigh(columns):
            weights = tf.gather(table, tf.cast(columns[labels[0]], tf.int32) - space.lowest)
            return {**columns, "sample_weight": weights * tf.cast(columns.get("sample_weight", 1.0), tf.float32)}

        return weigh


def rank_of(values) -> int:
    """Returns the number of axes of an array, a tensor or nested lists."""
    if hasattr(values, "shape"):
        return len(values.shape)
    return 1 + rank_of(values[0]) if isinstance(values, (list, tuple)) and values else 0


def check_some_count(data) -> None:
    """Raises an error if all examples have the weight 0, of which no mean exists.

    Args:
        data: columns by name. Batches of them are not looked at: some may have no example that counts.
    """
    weights = data.get("sample_weight") if isinstance(data, dict) else None
    if weights is not None and not np.any(weights):
        raise none_counts()


def none_counts() -> ValueError:
    """Returns the error about examples that all have the weight 0."""
    return ValueError("`sample_weight` must be above 0 for at least one example, received 0 for all.")


def is_loader(x) -> bool:
    """Returns whether an object gives batches each time `iter` is called, and is not an array, list or data set."""
    is_array = any(hasattr(x, name) for name in ("__array__", "to_numpy", "element_spec"))
    others = (Iterator, Sequence, Mapping, keras.utils.PyDataset)
    return isinstance(x, Iterable) and not is_array and not isinstance(x, others)


def first_epoch(x, of_set: Callable, steps: int | None, most_rows: int) -> tuple[Iterable, object]:
    """Returns the batches of the first epoch, for inspection, and what `fit` should then be given.

    Args:
        x: data that are checked: columns by name, or batches of them.
        of_set: if x is a data set, function that returns its first epoch.
        steps: batches in an epoch; None for all, if the data end.
        most_rows: number of rows of a generator after which inspection ends: it can be read only once, so its batches
            are kept.

    Raises:
        ValueError: if the data are distributed already.
    """
    if isinstance(x, tf.distribute.DistributedDataset):
        raise ValueError(
            "`x` must be a data set that is not distributed yet, where a model has not seen any data; received a "
            f"{type(x).__name__}."
        )
    if isinstance(x, tf.data.Dataset):
        return of_set(), x
    if isinstance(x, keras.utils.PyDataset):
        num_batches = x.num_batches if steps is None else min(steps, x.num_batches or steps)
        return (x[index] for index in range(num_batches)), x
    if isinstance(x, Iterator):
        batches, num_rows = [], 0
        for batch in itertools.islice(x, steps):
            batches.append(batch)
            num_rows += len(tf.nest.flatten(batch)[0])
            if num_rows >= most_rows:
                break
        return batches, (batch for part in (batches, x) for batch in part)
    return [x], x


class CheckedPyDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked before anything uses them.

    Args:
        dataset: the data set.
        check: function from a batch to the same batch, checked.
    """

    def __init__(self, dataset: keras.utils.PyDataset, check: Callable):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset = dataset
        self.check = check

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.check(self.dataset[index])

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()
