"""The cost of replicas: a training step of one global batch on 1, 2 and 4 logical devices of the same processor.

    python benchmarks/replicas.py

The devices share the processor's cores, so the work and the best possible time of a step stay the same. Any additional
time is the cost of replicas: dividing the batch, a graph for each, and the all-reduce of the gradients. Times on real
devices are another matter: `docs/scale.md` says what is exchanged.
"""

import keras
import tensorflow as tf
import tyro
from input import in_process
from timing import best_seconds, bits

NUM_DEVICES = (1, 2, 4)


def measure(num_devices: int, batch_size: int, units: int, repetitions: int, results) -> None:
    """Puts the shortest time of a step into a queue."""
    from keras_gen.autoregressive import MADE

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * num_devices)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(num_devices)])
    with strategy.scope():
        model = MADE((28, 28, 1), (units,))
        model.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    model.make_train_function()
    batches = tf.data.Dataset.from_tensors(bits(batch_size, model.event_shape)).repeat()
    iterator = iter(strategy.experimental_distribute_dataset(batches))
    (seconds,) = best_seconds([lambda: model.train_function(iterator)["loss"]], repetitions)
    results.put(seconds)


def main(*, batch_size: int = 400, units: int = 1000, repetitions: int = 50) -> None:
    """Prints the table.

    Args:
        batch_size: examples in a step, over all devices together.
        units: hidden units of MADE.
        repetitions: number of steps; the best counts.
    """
    one = None
    for num in NUM_DEVICES:
        seconds = in_process(measure, num, batch_size, units, repetitions)
        one = one or seconds
        print(
            f"{num} logical devices: {1000 * seconds:.1f} ms a step, {seconds / one:.2f} times that of one", flush=True
        )


if __name__ == "__main__":
    tyro.cli(main)
