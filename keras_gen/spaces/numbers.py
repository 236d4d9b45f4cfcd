"""Numbers: levels, real numbers, intervals of real numbers, and sound."""

import dataclasses
from typing import Any

import tensorflow as tf

from keras_gen import seeds
from keras_gen.spaces.base import Space

#: What an error adds to the description of the expected values if entries may be missing.
OR_MISSING = ", or NaN where one is missing"


class Numbers(Space):
    """Arrays of numbers, which can be rescaled and scaled back."""

    @property
    def vector_size(self) -> int | None:
        """Number of entries, for values that are vectors."""
        return self.shape[0] if len(self.shape) == 1 else None

    def vectors(self, values):
        """Returns the values themselves, which must be vectors."""
        return values if len(self.shape) == 1 else super().vectors(values)

    def scaled(self, values: tf.Tensor, low: float = -1.0, high: float = 1.0) -> tf.Tensor:
        """Returns float32 values, scaled so that the smallest possible value is `low` and the largest is `high`.

        Real numbers, which have no smallest or largest value, are standardised by the unit of a model, or left
        unchanged.
        """
        raise NotImplementedError

    def unscaled(self, scaled: tf.Tensor, low: float = -1.0, high: float = 1.0) -> tf.Tensor:
        """Returns the inverse of `scaled`; it lies between levels if the scaled value does."""
        raise NotImplementedError

    def nearest(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the values of the space nearest to given numbers."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Levels(Numbers):
    """Whole numbers from 0 to `num_levels - 1`, such as those of pixels; float32 in a model."""

    shape: tuple[int, ...]
    num_levels: int
    #: Whether an entry may be NaN, which marks it as missing.
    missing: bool = False

    @property
    def expected(self):
        return f"whole levels from 0 to {self.num_levels - 1}" + self.missing * OR_MISSING

    def contains(self, values):
        inside = (values >= 0) & (values <= self.num_levels - 1) & (values == tf.floor(values))
        return inside | tf.math.is_nan(values) if self.missing else inside

    def advice(self, wrong, name):
        # This limit concerns examples: codes and labels have as many levels as the model gives them.
        largest = float(tf.reduce_max(tf.cast(wrong, tf.float32))) if name in ("x", "validation_data") else -1.0
        if largest > self.num_levels - 1 and largest.is_integer():
            return f"; larger ones take a model with `levels={256 if largest < 256 else int(largest) + 1}`"
        if self.num_levels == 2 and 0.0 < largest < 1.0:
            return f"; `{name} >= 0.5` makes bits of shades of grey"
        return ""

    def examples(self, num, seed=(0, 0)):
        levels = tf.random.stateless_uniform((num, *self.shape), seed, maxval=self.num_levels, dtype=tf.int32)
        return tf.cast(levels, tf.float32)

    def scaled(self, values, low=-1.0, high=1.0):
        return low + values * ((high - low) / (self.num_levels - 1))

    def unscaled(self, scaled, low=-1.0, high=1.0):
        return (scaled - low) * ((self.num_levels - 1) / (high - low))

    def nearest(self, values):
        return tf.clip_by_value(tf.round(values), 0.0, self.num_levels - 1.0)


@dataclasses.dataclass(frozen=True)
class Reals(Numbers):
    """Finite real numbers in any unit."""

    shape: tuple[int, ...]
    #: Whether an entry may be NaN, which marks it as missing.
    missing: bool = False
    #: The unit that a model took from its data, a `core.standardization.Standardization`; None for none.
    standardization: Any = dataclasses.field(default=None, compare=False, repr=False)

    in_bits = False

    @property
    def expected(self):
        return "finite real numbers" + self.missing * OR_MISSING

    def contains(self, values):
        finite = tf.math.is_finite(values)
        return finite | tf.math.is_nan(values) if self.missing else finite

    def examples(self, num, seed=(0, 0)):
        return seeds.normal((num, *self.shape), seed)

    def scaled(self, values, low=-1.0, high=1.0):
        return values if self.standardization is None else self.standardization.forward(values)

    def unscaled(self, scaled, low=-1.0, high=1.0):
        return scaled if self.standardization is None else self.standardization.inverse(scaled)

    def nearest(self, values):
        return values


@dataclasses.dataclass(frozen=True)
class Interval(Numbers):
    """Real numbers from `low` to `high`."""

    shape: tuple[int, ...]
    low: float
    high: float

    in_bits = False

    @property
    def expected(self):
        return f"real numbers from {self.low:g} to {self.high:g}"

    def contains(self, values):
        return (values >= self.low) & (values <= self.high)

    def examples(self, num, seed=(0, 0)):
        return self.low + (self.high - self.low) * seeds.uniform((num, *self.shape), seed)

    def scaled(self, values, low=-1.0, high=1.0):
        return low + (values - self.low) * ((high - low) / (self.high - self.low))

    def unscaled(self, scaled, low=-1.0, high=1.0):
        return self.low + (scaled - low) * ((self.high - self.low) / (high - low))

    def nearest(self, values):
        return tf.clip_by_value(values, self.low, self.high)


@dataclasses.dataclass(frozen=True)
class Sound(Interval):
    """Sound amplitudes, from -1 to 1.

    Attributes:
        sample_rate: sampling rate in hertz; None if it is unknown.
        missing: whether a recording may end early: samples after its end are missing, NaN.
    """

    low: float = -1.0
    high: float = 1.0
    sample_rate: int | None = None
    missing: bool = False

    # Models of sound give masses of codes.
    in_bits = True

    @property
    def expected(self):
        return super().expected + self.missing * ", or NaN behind the end"

    def contains(self, values):
        inside = super().contains(values)
        if not self.missing:
            return inside
        absent = tf.math.is_nan(values)
        if absent.shape.rank == 0:
            return inside | absent
        # The first sample is present, and every sample after a missing one is missing.
        follows = tf.concat([~absent[..., :1], absent[..., 1:] | ~absent[..., :-1]], axis=-1)
        return (inside | absent) & follows


def missing_entries(x: tf.Tensor) -> tf.Tensor:
    """Returns whether each entry is NaN."""
    # LiteRT has no operation for this.
    return tf.not_equal(x, x)


def levels_or_reals(shape: tuple[int, ...], num_levels: int | None, standardization=None) -> Numbers:
    """Returns the space of levels or, without a number of levels, of real numbers, in a model's unit if given."""
    return Reals(shape, standardization=standardization) if num_levels is None else Levels(shape, num_levels)
