"""What a bijector computed last."""

import collections
from collections.abc import Callable

import tensorflow as tf


class Memo:
    """Results for the last two tensors, such as an input and its output, each recognised by its identity.

    TFP asks for a value and for its log-determinant one after the other, and both need the same pass of a network.
    """

    def __init__(self):
        self.pairs = collections.deque(maxlen=2)

    def of(self, tensor: tf.Tensor, compute: Callable[[tf.Tensor], object]):
        """Returns the result for a tensor, which is computed unless it is known."""
        for known, result in self.pairs:
            if known is tensor:
                return result
        result = compute(tensor)
        self.add(tensor, result)
        return result

    def add(self, tensor: tf.Tensor, result):
        """Remembers the result for a tensor."""
        self.pairs.append((tensor, result))
