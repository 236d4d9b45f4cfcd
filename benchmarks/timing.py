"""What the benchmarks share: the best of many calls, one training step, and memory over many."""

import pathlib
import re
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core import GenerativeModel


def best_seconds(functions: list[Callable], repetitions: int, warm_up: int = 2) -> np.ndarray:
    """Returns the shortest time of a call of each function, since other work on the machine only ever slows one down.

    Args:
        functions: functions without arguments, whose result is waited for; all are called in turn.
        repetitions: calls of each that count.
        warm_up: calls of each before them.
    """
    times = np.zeros((warm_up + repetitions, len(functions)))
    for repetition in range(len(times)):
        for index, function in enumerate(functions):
            start = time.perf_counter()
            np.asarray(function())
            times[repetition, index] = time.perf_counter() - start
    return times[warm_up:].min(axis=0)


def megabytes() -> float:
    """Returns the memory that this process has now."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) / 1024


def print_memory(step: Callable, steps: int) -> None:
    """Prints the memory of the process after 100 training steps, and after a number of further ones."""
    for _ in range(100):
        step()
    before = megabytes()
    for _ in range(steps):
        step()
    print(f"memory: {before:.0f} MB after 100 training steps, {megabytes():.0f} MB after {steps:,} more")


def bits(batch_size: int, event_shape: tuple[int, ...]) -> np.ndarray:
    """Returns examples of which 13 in 100 entries are 1, as in binarized MNIST."""
    return (np.random.default_rng(0).random((batch_size, *event_shape)) < 0.13).astype(np.float32)


def train_step(
    model: GenerativeModel,
    batch_size: int,
    jit_compile: bool = False,
    steps: int = 1,
    examples: np.ndarray | None = None,
) -> Callable:
    """Returns what `fit` runs for each batch of a data set in memory: a step with Adam, or several of them.

    Args:
        model: model that is trained.
        batch_size: examples in a batch.
        jit_compile: whether the step is compiled with XLA.
        steps: steps that one call runs.
        examples: the batch; None takes bits.
    """
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=jit_compile, steps_per_execution=steps)
    model.make_train_function()
    examples = bits(batch_size, model.event_shape) if examples is None else examples
    batches = iter(tf.data.Dataset.from_tensors(examples).repeat())
    return lambda: model.train_function(batches)["loss"]
