"""What people give to `fit`, `evaluate` and `predict`: columns by name, checked wherever they come from."""

from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from keras_gen.spaces import ClassLabel, Space
from keras_gen.spaces.base import as_array

Spaces = Mapping[str, Space]


def named_columns(spaces: Spaces, data, *, model: str, complete: bool = True) -> tuple[dict, object]:
    """Splits an element into columns by name and the weights of its examples.

    Args:
        spaces: name to space of each column.
        data: the first column; a tuple of the first column, the second one, and weights; or such a tuple, or a dict
            alone, whose first entry holds all columns by name.
        model: what errors call the model.
        complete: whether every column has to be there.

    Returns:
        Name to column, and the weights or None.

    Raises:
        ValueError: if a column is missing, or is none of the model's.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    first, *others = spaces
    columns = dict(x) if isinstance(x, Mapping) else {first: x}
    if y is not None:
        if not others:
            raise ValueError(f"`condition` must be None: this {model} is not conditional.")
        columns[others[0]] = y
    unknown = [name for name in columns if name not in spaces]
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no column of this {model}, which takes {', '.join(spaces)}.")
    missing = [name for name in spaces if columns.get(name) is None]
    if missing and complete:
        reason = "conditional" if missing[0] == "condition" else f"trained on {', '.join(spaces)}"
        raise ValueError(f"`{missing[0]}` must be given: this {model} is {reason}.")
    return {name: columns[name] for name in spaces if columns.get(name) is not None}, sample_weight


class Inputs:
    """Checks what a model is given, in whatever form it comes, with the same sentences.

    Args:
        spaces: name to space of each column.
        model: what errors call the model.
        takes_weights: whether examples may have weights.
        name: what errors call the first column; by default its own name.
        complete: whether every column has to be there.
    """

    def __init__(self, spaces: Spaces, model: str, *, takes_weights: bool, name: str | None = None, complete=True):
        self.spaces = spaces
        self.model = model
        self.takes_weights = takes_weights
        self.complete = complete
        self.shown_names = {column: column for column in spaces}
        if name is not None:
            self.shown_names[next(iter(spaces))] = name

    def checked(self, x, y=None, sample_weight=None, class_weight=None) -> tuple:
        """Returns x, y and weights as Keras takes them: arrays validated, everything else with the checks inside.

        Raises:
            TypeError: if a dtype is not the expected one.
            ValueError: if a column is missing or unknown, or a shape or a value is not the expected one.
        """
        weigh = self.weighing(class_weight)
        if sample_weight is not None:
            self.check_weights_are_taken()
        if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset, Iterator)):
            for name, value in {"y": y, "sample_weight": sample_weight}.items():
                if value is not None:
                    raise ValueError(f"`{name}` must be None: a {type(x).__name__} of batches holds it; received one.")
            if isinstance(x, tf.data.Dataset):
                return self.checked_dataset(x, weigh), None, None
            if isinstance(x, keras.utils.PyDataset):
                return CheckedPyDataset(x, lambda element: self.checked_element(element, weigh)), None, None
            return (self.checked_element(element, weigh) for element in x), None, None
        if isinstance(x, tf.distribute.DistributedDataset):
            return x, y, sample_weight
        element = x if isinstance(x, tuple) else (x,)
        if y is not None or sample_weight is not None:
            element = (element[0], element[1] if len(element) > 1 else y, sample_weight)
        return self.validated(element, weigh)

    def validated(self, element, weigh) -> tuple:
        """Returns the columns and weights of one element, all values checked."""
        columns, sample_weight = named_columns(self.spaces, element, model=self.model, complete=self.complete)
        if sample_weight is not None:
            self.check_weights_are_taken()
        columns = {name: self.spaces[name].validate(value, self.shown_names[name]) for name, value in columns.items()}
        sizes = {self.shown_names[name]: len(value) for name, value in columns.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"columns must be equally long, received {sizes}.")
        if sample_weight is not None:
            sample_weight = validated_weights(sample_weight, next(iter(sizes.values())))
        if weigh is not None:
            sample_weight = weigh(columns, sample_weight)
        first, *others = self.spaces
        if isinstance(keras.utils.unpack_x_y_sample_weight(element)[0], Mapping):
            return columns, None, sample_weight
        return columns[first], columns.get(others[0]) if others else None, sample_weight

    def checked_element(self, element, weigh) -> tuple:
        """Returns one batch of a generator, its values checked, as NumPy arrays."""
        element = element if isinstance(element, tuple) else (element,)
        x, y, sample_weight = self.validated(element, weigh)
        found = (x,) if y is None and sample_weight is None else (x, y, sample_weight)
        found = found[:2] if len(found) == 3 and sample_weight is None else found
        return tf.nest.map_structure(lambda part: part.numpy() if tf.is_tensor(part) else part, found)

    def checked_dataset(self, dataset: tf.data.Dataset, weigh) -> tf.data.Dataset:
        """Returns a data set that checks every batch in its graph; its specification is checked now."""
        spec = dataset.element_spec
        columns, sample_weight = named_columns(self.spaces, spec, model=self.model, complete=self.complete)
        if sample_weight is not None:
            self.check_weights_are_taken()
        for name, column in columns.items():
            self.spaces[name].check_spec(column.dtype, column.shape, self.shown_names[name])
        if dataset.cardinality() == 0:
            raise ValueError(
                f"`{self.shown_names[next(iter(self.spaces))]}` holds no examples; at least one is expected."
            )

        @tf.autograph.experimental.do_not_convert
        def guard(*element):
            # A data set of dicts passes its only part on as it is.
            data = element if len(element) > 1 else element[0]
            x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
            columns, _ = named_columns(self.spaces, data, model=self.model, complete=self.complete)
            columns = {n: self.spaces[n].guard(column, self.shown_names[n]) for n, column in columns.items()}
            first, *others = self.spaces
            x = columns if isinstance(x, Mapping) else columns[first]
            y = None if y is None else columns[others[0]]
            if weigh is not None:
                weights = weigh(columns, weights)
            parts = [part for part in (x, y, weights) if part is not None]
            if weights is not None and y is None:
                # Keras finds the weights in the third place; without labels, the second one holds nothing.
                return {**columns} if isinstance(x, Mapping) else {first: x}, None, weights
            return tuple(parts) if len(parts) > 1 else parts[0]

        return dataset.map(guard, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def check_weights_are_taken(self):
        """Raises an error for a model whose loss is no mean over examples."""
        if not self.takes_weights:
            raise ValueError(
                f"`sample_weight` must be None: the loss of {self.model} is not a mean over examples; received one."
            )

    def weighing(self, class_weight) -> Callable[[dict, tf.Tensor | None], tf.Tensor] | None:
        """Returns the function from columns, and weights or None, to weights that count classes, too."""
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
        table = validated_weights(table, len(table), name="class_weight")

        def weigh(columns, sample_weight):
            weights = tf.gather(table, tf.cast(columns[labels[0]], tf.int32) - space.lowest)
            return weights if sample_weight is None else weights * tf.cast(sample_weight, tf.float32)

        return weigh


def validated_weights(weights, num_examples: int, *, name: str = "sample_weight") -> tf.Tensor:
    """Returns the weights of examples as a float32 tensor of shape `(num_examples,)`.

    Raises:
        ValueError: if the shape is another one, or a weight is negative or not finite.
    """
    weights = tf.cast(weights if tf.is_tensor(weights) else as_array(weights), tf.float32)
    if weights.shape != (num_examples,):
        raise ValueError(f"`{name}` must have shape ({num_examples},), received {tuple(weights.shape)}.")
    values = np.asarray(weights)
    wrong = values[~(np.isfinite(values) & (values >= 0.0))]
    if len(wrong):
        raise ValueError(f"`{name}` holds the value {wrong[0]:g}; expected finite numbers of at least 0.")
    return weights


class CheckedPyDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked before anybody sees them.

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
