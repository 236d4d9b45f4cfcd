"""The base of models of examples of one shape."""

import math

import tensorflow as tf

from keras_gen import checks
from keras_gen.core.base import Model
from keras_gen.core.standardization import Standardization, check_resolution
from keras_gen.moments import EntryMoments
from keras_gen.spaces import Numbers, Space, levels_or_reals


class EventModel(Model):
    """A model of examples of one shape, which may be conditioned on something.

    Its batches hold "x", the examples, and, if there is one, "condition".

    A subclass whose density sees real numbers passes them through `inward` and `outward`, or through `scaled` and
    `unscaled` of its `event_space`, and counts `log_volume`.

    Args:
        event_shape: shape of one example, without the batch.
        levels: number of levels of a discrete entry; examples are whole numbers `0..levels-1`. None means real numbers.
        seed: integer from which all randomness of the model derives.
        **kwargs: as in `Model`.
    """

    #: What the model is conditioned on; None for an unconditional model.
    condition_space: Space | None = None

    #: Whether a model without levels models real numbers, which have a unit.
    has_unit: bool = True

    #: The unit of real numbers; None for a model of something else.
    standardization: Standardization | None = None

    def __init__(self, event_shape, *, levels: int | None = None, seed: int = 0, **kwargs):
        # First, since the terms of a model may depend on them.
        self.event_shape = checks.event_shape(event_shape)
        self.levels = checks.levels(levels, allow_none=True)
        super().__init__(seed=seed, **kwargs)
        if self.levels is None and self.has_unit:
            self.standardization = Standardization(self.unit_shape)

    @property
    def spaces(self):
        condition = {} if self.condition_space is None else {"condition": self.condition_space}
        return {"x": self.event_space, **condition}

    @property
    def event_space(self) -> Numbers:
        """The space of an example."""
        return levels_or_reals(self.event_shape, self.levels, self.standardization)

    @property
    def event_size(self) -> int:
        """Number of entries of one example."""
        return math.prod(self.event_shape)

    @property
    def bit_terms(self) -> tuple[str, ...]:
        """Name of the term in bits per dimension, if these mean something for examples."""
        return ("bits_per_dim",) if self.event_space.in_bits else ()

    def in_bits(self, nll: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns a negative log-likelihood, or a bound on it, in bits per dimension, as the term in `bit_terms`."""
        return {name: nll / (self.event_size * math.log(2.0)) for name in self.bit_terms}

    @property
    def draws_steps(self) -> bool:
        """Whether draws change in steps, as levels do, so that rounding leaves a number unchanged or moves it far."""
        return self.levels is not None

    # The unit of real numbers

    @property
    def shared_axes(self) -> tuple[int, ...]:
        """Axes of an example whose entries share one location and one scale: height and width of images."""
        return (0, 1) if len(self.event_shape) == 3 else ()

    @property
    def unit_shape(self) -> tuple[int, ...]:
        """Shape of location and scale, which broadcasts to that of an example."""
        return self.event_shape

    @property
    def column_units(self):
        return {"x": self.standardization} if self.takes_unit else {}

    def axes_of_unit(self, name):
        return self.shared_axes

    @property
    def takes_unit(self) -> bool:
        """Whether the unit is that of the examples themselves."""
        return self.levels is None and self.has_unit

    def log_volume(self) -> tf.Tensor | float:
        """Returns by how much standardising raises a log density, in nats: the logarithm of the scales."""
        return self.standardization.log_volume() if self.takes_unit else 0.0

    def inward(self, x: tf.Tensor) -> tf.Tensor:
        """Returns valid examples in the unit of the networks: real numbers standardised, anything else unchanged."""
        return self.event_space.scaled(x) if self.takes_unit else x

    def outward(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the inverse of `inward`."""
        return self.event_space.unscaled(x) if self.takes_unit else x

    def adapt(self, x) -> None:
        """Takes the unit of real numbers from data, as `fit` does unless this has been called.

        Args:
            x: examples of shape `(rows, *event_shape)` that represent the data.

        Raises:
            ValueError: if the model has levels, the shape or a value is not the expected one, or an entry is the same
                in all rows or differs by less than float32 can resolve.
        """
        if self.standardization is None:
            raise ValueError(f"`adapt` needs real numbers; this {type(self).__name__} is one of {self.event_space}.")
        self.take_unit(x, constant=False)

    def take_unit(self, x, *, constant: bool = True) -> None:
        """Takes the unit of real numbers from examples.

        Args:
            x: examples of shape `(rows, *event_shape)`.
            constant: whether an entry may be the same in all rows; it is then only shifted.
        """
        check_resolution(x)
        moments = EntryMoments(self.event_shape, self.shared_axes).add(self.validated(x))
        self.standardization.take(moments.mean, moments.scale(constant=constant))

    # Condition

    @property
    def vector_size(self) -> int:
        """Number of entries of the vector that a condition is turned into; 0 for an unconditional model."""
        return 0 if self.condition_space is None else self.condition_space.vector_size

    def condition_vectors(self, condition: tf.Tensor | None) -> tf.Tensor | None:
        """Returns a valid condition as vectors of shape `(batch, vector_size)` in the networks' dtype, or None."""
        return None if condition is None else tf.cast(self.condition_space.vectors(condition), self.compute_dtype)

    # Checks

    def validated(self, x, name: str = "x") -> tf.Tensor:
        """Returns `x` as float32 examples, or raises an error that says what is wrong with them."""
        return self.event_space.validate(x, name)

    def validated_pair(self, x, condition) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns examples and what they are conditioned on as `validated` and `validated_condition` do.

        Raises:
            ValueError: also if their numbers differ.
        """
        x = self.validated(x)
        return x, self.validated_condition(condition, x=x)

    def validated_condition(self, condition, **beside: tf.Tensor) -> tf.Tensor | None:
        """Returns the condition as a tensor, or None for an unconditional model.

        Args:
            condition: an array or a tensor, or None.
            **beside: tensors by name that must have the same length.

        Raises:
            TypeError: if its dtype is not the expected one.
            ValueError: if a condition is given to an unconditional model, or none to a conditional one, or if its
                shape, its length or a value is not the expected one.
        """
        if self.condition_space is None:
            if condition is not None:
                raise ValueError(f"`condition` must be None: this {type(self).__name__} is not conditional.")
            return None
        if condition is None:
            raise ValueError(f"`condition` must be given: this {type(self).__name__} is conditional.")
        condition = self.condition_space.validate(condition, "condition")
        checks.equally_long(**beside, condition=condition)
        return condition
