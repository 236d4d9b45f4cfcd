"""Spaces, which define what a column of a batch may hold: its shape, its dtype, and its valid values."""

import decimal
import numbers

import numpy as np
import pandas as pd
import tensorflow as tf

from keras_gen import seeds
from keras_gen.moments import is_wide


class Space:
    """A set of values, checked the same way in arrays and inside graphs.

    A subclass is a frozen dataclass. It provides `shape`, `dtype`, `expected`, `contains` and `examples`.

    Attributes:
        shape: shape of one value, without the batch.
        dtype: dtype that a valid tensor has.
    """

    shape: tuple[int, ...]
    dtype: tf.DType = tf.float32

    #: Whether an entry may be NaN, which marks it as missing.
    missing = False

    #: Whether likelihoods are also given in bits per dimension: densities of real numbers depend on the unit.
    in_bits = True

    #: Length of the vectors that `vectors` returns; None if a value has no natural vector.
    vector_size: int | None = None

    @property
    def expected(self) -> str:
        """Description of the values, as used in errors."""
        raise NotImplementedError

    def contains(self, values: tf.Tensor) -> tf.Tensor:
        """Returns whether each entry of a tensor of the space's dtype is a valid value."""
        raise NotImplementedError

    def examples(self, num: int, seed=(0, 0)) -> tf.Tensor:
        """Returns `num` valid values, for comparing exports and drawing pictures.

        Args:
            num: number of values.
            seed: pair of ints, for spaces whose examples are random.
        """
        raise NotImplementedError

    def vectors(self, values: tf.Tensor) -> tf.Tensor:
        """Returns valid values as float32 vectors of shape `(batch, vector_size)`."""
        raise ValueError(f"{type(self).__name__} has no vectors; a network of its own must embed it.")

    # The same for every space

    def spec(self, name: str) -> tf.TensorSpec:
        """Returns shape and dtype of a batch, with a free first axis."""
        return tf.TensorSpec((None, *self.shape), self.dtype, name)

    def accepts(self, dtype: tf.DType) -> bool:
        """Returns whether values of this dtype can be converted to the space's own."""
        return dtype.is_floating or dtype.is_integer or dtype.is_bool

    #: What a dtype must hold, as used in errors.
    kind: str = "numbers"

    def check_spec(self, dtype, shape, name: str) -> None:
        """Raises an error if a dtype or a shape is wrong.

        Raises:
            TypeError: if the dtype is not one that the space accepts.
            ValueError: if the shape is not `(batch, *shape)`.
        """
        try:
            known = tf.as_dtype(dtype)
        except TypeError:
            known = None
        if known is None or not self.accepts(known):
            raise TypeError(f"`{name}` must hold {self.kind}, received dtype {getattr(dtype, 'name', dtype)}.")
        if not tf.TensorShape((None, *self.shape)).is_compatible_with(shape):
            axes = ", ".join(["batch", *map(str, self.shape)]) if self.shape else "batch,"
            raise ValueError(f"`{name}` must have shape ({axes}), received {tuple(shape)}.")

    def tensor(self, values, name: str) -> tf.Tensor:
        """Returns values as a tensor of their own dtype, after checking shape and dtype as in `validate`."""
        if isinstance(values, (tf.RaggedTensor, tf.SparseTensor)):
            raise TypeError(f"`{name}` must be a dense array or tensor, received a {type(values).__name__}.")
        if not tf.is_tensor(values):
            values = as_array(values, name)
        self.check_spec(values.dtype, values.shape, name)
        return tf.convert_to_tensor(values)

    def converted(self, values, name: str) -> tf.Tensor:
        """Returns values as a tensor of the space's dtype, after checking shape and dtype as in `validate`."""
        return self.cast(self.tensor(values, name))

    def validate(self, values, name: str, *, keep_wide: bool = False) -> tf.Tensor:
        """Returns values as a tensor of the space's dtype.

        Args:
            values: array, list, data frame or tensor of shape `(batch, *shape)`. Of a symbolic tensor, whose values are
                unknown, only shape and dtype are checked.
            name: what errors call the values.
            keep_wide: whether numbers that may lose their differences in float32 become float64 instead.

        Raises:
            TypeError: if the dtype is not one that the space accepts.
            ValueError: if the shape, or a value, is not the expected one.
        """
        values = self.tensor(values, name)
        if tf.executing_eagerly() and isinstance(values, tf.__internal__.EagerTensor):
            # A replica of a strategy may hold no row of a batch.
            if values.shape[0] == 0 and seeds.replica_context() is None:
                raise ValueError(f"`{name}` holds no examples; at least one is expected.")
            valid = self.valid(values)
            if not tf.reduce_all(valid):
                wrong = tf.boolean_mask(self.judged(values), ~valid)
                found = f"`{name}` holds the value {self.shown(wrong[0])}; expected {self.expected}"
                raise ValueError(f"{found}{self.place_of_nan(values, wrong, name)}{self.advice(wrong, name)}.")
        if keep_wide and self.dtype.is_floating and is_wide(np.dtype(values.dtype.as_numpy_dtype)):
            return tf.cast(values, tf.float64)
        return self.cast(values)

    @staticmethod
    def place_of_nan(values: tf.Tensor, wrong: tf.Tensor, name: str) -> str:
        """Returns what a Python error adds about NaN: the first of several rows that contains it."""
        # A row of these is not an entry of what was given.
        is_other = name in ("validation_data", "class_weight")
        if is_other or values.shape[0] < 2 or not wrong.dtype.is_floating or not tf.math.is_nan(wrong[0]):
            return ""
        rows = tf.reduce_any(tf.math.is_nan(tf.reshape(values, (values.shape[0], -1))), axis=1)
        return f"; `{name}[{int(tf.argmax(rows))}]` is the first with one"

    def advice(self, wrong: tf.Tensor, name: str) -> str:
        """Returns what a Python error adds: how to mend invalid values; nothing by default."""
        return ""

    def guard(self, values: tf.Tensor, name: str) -> tf.Tensor:
        """Returns a tensor unchanged, in a graph that fails with the message of `validate` at an invalid value."""
        valid = tf.reshape(self.valid(values), [-1])
        # The position of the first invalid value, if there is one.
        places = tf.where(~valid)[:1, 0]
        value = tf.strings.reduce_join(self.as_string(tf.gather(tf.reshape(self.judged(values), [-1]), places)))
        sentence = tf.strings.join([f"`{name}` holds the value ", value, f"; expected {self.expected}."])
        # Not `tf.debugging.Assert`, which adds a conditional with two functions.
        with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.reduce_all(valid), data=[sentence])]):
            return tf.identity(values)

    def valid(self, values: tf.Tensor) -> tf.Tensor:
        """Returns whether each entry of a tensor, of any dtype that the space accepts, is valid."""
        cast = self.cast(values)
        inside = self.contains(cast)
        # Whole numbers that are too large wrap around in the conversion.
        return inside & (tf.cast(cast, values.dtype) == values) if self.dtype.is_integer else inside

    def judged(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the entries that `valid` judges, as an error shows them."""
        return values if self.dtype.is_integer else self.cast(values)

    def cast(self, values) -> tf.Tensor:
        """Returns values in the space's dtype."""
        return tf.cast(values, self.dtype)

    def as_string(self, values: tf.Tensor) -> tf.Tensor:
        """Returns values as an error shows them."""
        return tf.strings.as_string(values, shortest=True) if values.dtype.is_floating else tf.strings.as_string(values)

    def shown(self, value: tf.Tensor) -> str:
        """Returns one value as an error shows it."""
        return f"{value.numpy():g}" if self.dtype.is_floating else str(value.numpy())


def as_array(values, name: str = "x") -> np.ndarray:
    """Returns an array, a list, or a data frame as an array.

    Objects that are all numbers, such as those of a data frame whose columns have several dtypes, become float64, with
    NaN for missing ones.

    Args:
        values: the values.
        name: what errors call them.

    Raises:
        ValueError: if an array has masked entries, for which the values under the mask would be used, or if rows have
            different shapes.
    """
    if np.ma.is_masked(values):
        raise ValueError(
            f"`{name}` must not have masked entries, received a masked array; `{name}.filled(np.nan)` marks them as "
            "missing, for a model that takes those."
        )
    if isinstance(values, pd.DataFrame) and all(map(pd.api.types.is_numeric_dtype, values.dtypes)):
        found = values.to_numpy()
        # Such as truth values beside numbers, and dtypes that have their own missing value.
        return values.to_numpy(np.float64, na_value=np.nan) if found.dtype == object else found
    try:
        is_frame = hasattr(values, "to_numpy") and not hasattr(values, "__array__")
        found = values.to_numpy() if is_frame else np.asarray(values)
    except ValueError:
        raise ValueError(f"`{name}` must hold rows of one shape, received rows of several.") from None
    if found.dtype != object:
        return found
    as_numbers = numbers_of_objects(found)
    return found if as_numbers is None else as_numbers


def numbers_of_objects(values: np.ndarray) -> np.ndarray | None:
    """Returns an array of Python objects as float64, with NaN for missing ones; None unless all are numbers."""
    plain = (numbers.Real, np.bool_, decimal.Decimal)
    if not all(isinstance(value, plain) or value is None or value is pd.NA for value in values.flat):
        return None
    found = [float(value) if isinstance(value, plain) else np.nan for value in values.flat]
    return np.array(found, np.float64).reshape(values.shape)
