"""The last results of a bijector."""

import collections
from collections.abc import Callable

import tensorflow as tf


class Memo:
    """Results for the last two tensors, such as an input and its output, each recognised by its identity.

    TFP asks for a value and then for its log-determinant, and both need the same pass of a network.
    """

    def __init__(self):
        self.pairs = collections.deque(maxlen=2)

    def of(self, tensor: tf.Tensor, compute: Callable[[tf.Tensor], object]):
        """Returns the result for a tensor, computing it if it is not known."""
        for known, result in self.pairs:
            if known is tensor:
                return result
        result = compute(tensor)
        self.add(tensor, result)
        return result

    def add(self, tensor: tf.Tensor, result):
        """Remembers the result for a tensor."""
        self.pairs.append((tensor, result))
