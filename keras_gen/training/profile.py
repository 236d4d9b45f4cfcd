"""Where training steps spend their time: waiting for input, in the step itself, or in callbacks."""

import pathlib
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen.files import is_local, upload

#: What each share of the time is spent on, and what helps.
SHARES = {
    "input": "input: more cores to decode on, smaller files, or data in memory or on a faster disk",
    "step": "the step, as it should",
    "callbacks": "callbacks: rarer checkpoints",
}


class Profile(keras.callbacks.Callback):
    """Measures some training steps one by one, reports what they wait for, and traces more of them for TensorBoard.

    The first steps, in which TensorFlow traces graphs and caches fill, do not count. Profiling does not change what a
    step computes; once enough steps have been measured, training continues as if it were absent.

    Args:
        folder: folder of TensorBoard's files, on this machine or in a store.
        logs: folder on this machine that the trace is written to.
        clock: function that returns the time in seconds.
    """

    WARM_UP, MEASURED, TRACED = 10, 20, 5

    def __init__(self, folder, logs: pathlib.Path, *, clock: Callable[[], float] = time.perf_counter):
        super().__init__()
        self.folder = folder
        self.logs = logs
        self.clock = clock
        self.seconds = dict.fromkeys(SHARES, 0.0)
        self.steps, self.ended, self.plain = 0, None, None

    @property
    def all_steps(self) -> int:
        """Number of steps that are measured or traced."""
        return self.WARM_UP + self.MEASURED + self.TRACED

    def on_train_begin(self, logs=None):
        if self.steps < self.all_steps:
            self.plain, self.model.train_function = self.model.train_function, self.measured_step

    def on_epoch_begin(self, epoch, logs=None):
        # What happens between epochs, mainly validation, is not part of a step.
        self.ended = None

    def measured_step(self, iterator):
        """Takes a training step, timing its input separately, and returns its logs."""
        began = self.clock()
        batch = next(iterator)
        received = self.clock()
        logs = self.plain(iter([batch]))
        # Reading the results waits until they are computed.
        tf.nest.map_structure(lambda value: value.numpy() if tf.is_tensor(value) else value, logs)
        done = self.clock()
        if self.WARM_UP <= self.steps < self.WARM_UP + self.MEASURED:
            self.seconds["input"] += received - began
            self.seconds["step"] += done - received
            self.seconds["callbacks"] += 0.0 if self.ended is None else began - self.ended
        self.ended, self.steps = done, self.steps + 1
        return logs

    def on_train_batch_begin(self, batch, logs=None):
        if self.steps == self.WARM_UP + self.MEASURED:
            tf.profiler.experimental.start(str(self.logs))

    def on_train_batch_end(self, batch, logs=None):
        if self.steps == self.all_steps and self.model.train_function == self.measured_step:
            self.model.train_function = self.plain
            tf.profiler.experimental.stop()
            if not is_local(self.folder):
                upload(self.logs, self.folder)
            print(self.sentence(), flush=True)

    def on_train_end(self, logs=None):
        if self.steps < self.all_steps:
            if self.steps > self.WARM_UP + self.MEASURED:
                tf.profiler.experimental.stop(save=False)
            print(f"profile: none, as training has {self.steps} steps; {self.all_steps} are needed.", flush=True)

    def sentence(self) -> str:
        """Returns one line that says what the steps waited for."""
        total = sum(self.seconds.values())
        shares = ", ".join(f"{name} {value / total:.0%}" for name, value in self.seconds.items())
        longest = max(self.seconds, key=self.seconds.get)
        return (
            f"profile: {1000 * total / self.MEASURED:.3g} ms a step, of which {shares}; the run waits for "
            f"{SHARES[longest]}. Trace in {self.folder} (pip install tensorboard-plugin-profile)."
        )
