"""Test of what a bijector remembers."""

import tensorflow as tf

from keras_gen.flows.bijectors.memo import Memo


def test_a_memo_knows_the_last_two_tensors_and_no_others():
    memo, computed = Memo(), []

    def compute(tensor):
        computed.append(tensor)
        return len(computed)

    x, y = tf.ones(2), tf.zeros(2)
    assert memo.of(x, compute) == memo.of(x, compute) == 1
    memo.add(y, "told")
    assert memo.of(y, compute) == "told"
    assert memo.of(x, compute) == 1
    # An equal tensor is another one, and takes the place of the first.
    assert memo.of(tf.identity(x), compute) == 2
    assert memo.of(x, compute) == 3
    assert len(computed) == 3
