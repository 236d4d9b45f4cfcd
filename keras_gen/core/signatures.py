"""Verbs as exported functions."""

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf

#: Conditions on a number that a signature takes: phrase to function of the number.
NOT_NEGATIVE = {"at least 0": lambda value: value >= 0}
POSITIVE = {"greater than 0": lambda value: value > 0.0, "finite": lambda value: value < math.inf}


@dataclasses.dataclass(frozen=True)
class Signature:
    """A verb as an exported function.

    Attributes:
        function: takes one keyword argument per input and returns a dict of named tensors.
        inputs: name to `tf.TensorSpec`, with a free first axis if there is a batch.
        deterministic: whether the output depends only on the inputs, without random operations; LiteRT can run only
            such signatures.
        defaults: default values of the inputs that a caller may omit, scalars by name.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: dict[str, tf.TensorSpec]
    deterministic: bool = True
    defaults: dict[str, int | float] = dataclasses.field(default_factory=dict)
