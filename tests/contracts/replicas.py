"""Several replicas, which compute what one device does."""

import functools

import numpy as np
import tensorflow as tf

from contracts.helpers import Contract, assert_same_weights, rows_of


@functools.cache
def two_replicas() -> tf.distribute.Strategy:
    """Returns the strategy of two logical CPUs, which `conftest.py` makes."""
    one_device = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=one_device)


def distributed(batch: dict[str, np.ndarray], sizes: tuple[int, int]):
    """Returns a batch whose first rows are on the first replica and the others on the second one."""

    def rows_of_replica(context):
        start = sum(sizes[: context.replica_id_in_sync_group])
        rows = slice(start, start + sizes[context.replica_id_in_sync_group])
        return {name: tf.convert_to_tensor(column) for name, column in rows_of(batch, rows).items()}

    return two_replicas().experimental_distribute_values_from_function(rows_of_replica)


class ReplicasContract(Contract):
    """Steps of two replicas leave the weights and the figures that one device leaves, whatever rows they hold."""

    def test_two_replicas_compute_what_one_device_does(self, batch):
        strategy = two_replicas()
        one = self.compile_with_sgd(self.make_model())
        with strategy.scope():
            two = self.compile_with_sgd(self.make_model())
        assert_same_weights(one.weights, two.weights)
        # In the last batch of an epoch, replicas hold different numbers of rows, or none.
        for verb, sizes in (("train_step", (3, 2)), ("train_step", (3, 0)), ("test_step", (2, 1))):
            rows = rows_of(batch, slice(sum(sizes)))
            if one.takes_sample_weight:
                rows["sample_weight"] = np.arange(1.0, 1.0 + sum(sizes), dtype=np.float32)
            getattr(one, verb)({name: tf.convert_to_tensor(column) for name, column in rows.items()})
            strategy.run(getattr(two, verb), args=(distributed(rows, sizes),))
            assert_same_weights(one.weights, two.weights, rtol=1e-4, atol=1e-5)
        for ours, theirs in zip(one.metrics, two.metrics, strict=True):
            np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-4, atol=1e-5, err_msg=ours.name)
