"""Functions that benchmarks share: the best of many calls, one training step, and memory over many steps."""

import pathlib
import re
import subprocess
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen.core import GenerativeModel, Model


def best_seconds(functions: list[Callable], repetitions: int, warm_up: int = 2) -> np.ndarray:
    """Returns the shortest time of a call of each function; other work on the machine can only slow a call down.

    Args:
        functions: functions without arguments, called in turn; each result is awaited.
        repetitions: number of calls of each that count.
        warm_up: number of calls of each before them.
    """
    times = np.zeros((warm_up + repetitions, len(functions)))
    for repetition in range(len(times)):
        for index, function in enumerate(functions):
            start = time.perf_counter()
            np.asarray(function())
            times[repetition, index] = time.perf_counter() - start
    return times[warm_up:].min(axis=0)


def megabytes() -> float:
    """Returns the present memory of this process."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text(encoding="utf-8"))[1]) / 1024


def print_memory(step: Callable, steps: int) -> None:
    """Prints the memory of the process after 100 training steps and after a number of further ones."""
    for _ in range(100):
        step()
    before = megabytes()
    for _ in range(steps):
        step()
    print(f"memory: {before:.0f} MB after 100 training steps, {megabytes():.0f} MB after {steps:,} more")


def bits(batch_size: int, event_shape: tuple[int, ...]) -> np.ndarray:
    """Returns examples in which 13 of 100 entries are 1, as in binarized MNIST."""
    return (np.random.default_rng(0).random((batch_size, *event_shape)) < 0.13).astype(np.float32)


def train_step(
    model: GenerativeModel,
    batch_size: int,
    jit_compile: bool = False,
    steps: int = 1,
    examples: np.ndarray | None = None,
) -> Callable:
    """Returns the function that `fit` runs for each batch of a data set in memory: one or several steps with Adam.

    Args:
        model: model to train.
        batch_size: examples in a batch.
        jit_compile: whether the step is compiled with XLA.
        steps: number of steps in one call.
        examples: the batch; None uses bits.
    """
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=jit_compile, steps_per_execution=steps)
    return compiled_step(model, bits(batch_size, model.event_shape) if examples is None else examples)


def compiled_step(model: Model, examples) -> Callable:
    """Returns the function that `fit` runs for each batch of a data set in memory.

    Args:
        model: compiled model to train.
        examples: the batch: an array, or columns by name.
    """
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(examples).repeat())
    return lambda: model.train_function(batches)["loss"]


class Peer:
    """A process that times other libraries, in turn with ours, if there is an interpreter for it.

    Args:
        interpreter: Python interpreter with these libraries, or None.
        script: name of the script, beside this one, that times them.
    """

    def __init__(self, interpreter: pathlib.Path | None, script: str):
        command = pathlib.Path(__file__).with_name(script)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = None if interpreter is None else subprocess.Popen([interpreter.expanduser(), command], **pipes)

    def seconds(self, *words) -> list[float]:
        """Returns the shortest times that the script prints for a line of words; none without an interpreter."""
        if self.process is None:
            return []
        print(*words, file=self.process.stdin, flush=True)
        return [float(seconds) for seconds in self.process.stdout.readline().split()]

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.process.communicate()


def print_beside_torch(label: str, step: Callable, peer: Peer, words, *, rounds: int, repetitions: int) -> None:
    """Prints the time of a training step and of the same step in PyTorch, plain and compiled, in turn.

    Args:
        label: what is timed.
        step: our step.
        peer: PyTorch's process.
        words: words that specify the step for it.
        rounds: number of turns of ours and theirs.
        repetitions: number of steps in a turn; the best counts.
    """
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(best_seconds([step], repetitions)[0])
        theirs.append(peer.seconds(*words, repetitions))
    print(f"{label}: {1e3 * min(ours):.1f} ms", end="")
    for name, seconds in zip(("plain", "compiled"), np.min(theirs, axis=0), strict=False):
        print(f"; PyTorch, {name}, {1e3 * seconds:.1f} ms (×{seconds / min(ours):.2f})", end="")
    print(flush=True)
