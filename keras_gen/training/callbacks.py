"""What happens after each batch and epoch: checkpoints, early stopping, logs, pictures."""

import csv
import json
import math
import pathlib
import re
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gen import pictures
from keras_gen.core import Model
from keras_gen.files import atomic_file, local_file, path_of, upload


class Interval:
    """How often a checkpoint is saved within an epoch: by steps, by minutes, or never.

    Args:
        text: a number of steps, such as "500", or of minutes, such as "10m"; None for never.

    Raises:
        ValueError: if it is neither of these.
    """

    def __init__(self, text: str | None):
        found = re.fullmatch(r"0*([1-9]\d*)(m?)", "" if text is None else str(text))
        if text is not None and found is None:
            raise ValueError(
                "`checkpoint_every` must be a number of steps, such as 500, or of minutes, such as 10m; received "
                f"{text!r}."
            )
        number, minutes = (int(found[1]), bool(found[2])) if found else (0, False)
        self.steps = 0 if minutes else number
        self.seconds = 60.0 * number if minutes else math.inf

    def passes(self, before: int, after: int, seconds: float) -> bool:
        """Returns whether a checkpoint is due.

        Args:
            before: steps of the epoch at the last check.
            after: steps of the epoch now.
            seconds: time since the last checkpoint.
        """
        return seconds >= self.seconds or (self.steps > 0 and after // self.steps > before // self.steps)


#: No checkpoint within an epoch.
NEVER = Interval(None)


class Checkpoints(keras.callbacks.Callback):
    """Saves everything after each epoch, so that a killed run ends as if it had not been killed; stops early.

    A checkpoint is the weights, the optimizers' state and the seeds; `state.json`, written last, names it and holds the
    history and the early stopping. The latest checkpoint and the best one are kept. A checkpoint within an epoch also
    has the running means of the epoch.

    Args:
        folder: folder of the checkpoints.
        monitor: name of the logged number to minimise; None keeps the last epoch.
        patience: number of epochs without a new best after which training stops; 0 never stops.
        write: whether this process writes; all processes read.
        settings: arguments of the model and its optimizers, saved with the checkpoints.
        data: fingerprints of files of data, by the names of arguments, saved with the checkpoints.
        anew: whether to begin again, regardless of what the folder holds.
        every: when to save within an epoch.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        *,
        monitor: str | None = None,
        patience: int = 0,
        write: bool = True,
        settings: str | None = None,
        data: dict[str, str] | None = None,
        anew: bool = False,
        every: Interval = NEVER,
    ):
        super().__init__()
        self.folder = path_of(folder)
        self.monitor = monitor
        self.patience = patience
        self.write = write
        self.settings = settings
        self.data = data or {}
        self.every = every
        #: For the epoch: its number of steps, and how many of these came before the first step of this training.
        self.epoch, self.steps_before, self.steps_seen = 0, 0, 0
        self.state = {
            "epoch": 0,
            "step": 0,
            "latest": None,
            "best": None,
            "best_epoch": 0,
            "seconds": 0.0,
            "running": [],
            "history": [],
        }
        if not anew and (self.folder / "state.json").exists():
            try:
                self.state |= json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            except json.JSONDecodeError:
                raise ValueError(
                    f"the checkpoint {self.folder / 'state.json'} is damaged; delete the folder {self.folder} to "
                    "train from the start."
                ) from None

    @property
    def finished(self) -> bool:
        """Whether early stopping has ended the run."""
        return 0 < self.patience <= self.state["epoch"] - self.state["best_epoch"]

    def restore(self, model: Model, which: str = "latest") -> None:
        """Loads the latest or the best checkpoint, if there is one.

        Raises:
            ValueError: if the file is damaged or of another model.
        """
        if self.state[which] is None:
            return
        path = self.folder / self.state[which]
        try:
            with local_file(path) as file:
                model.load_weights(file)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"the checkpoint {path} is damaged or of another model ({reason}); delete the folder {self.folder} "
                "to train from the start."
            ) from None

    def on_train_begin(self, logs=None):
        self.started = time.monotonic() - self.state["seconds"]
        self.saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.steps_before = self.steps_seen = self.state["step"] if epoch == self.state["epoch"] else 0
        if self.steps_before:
            # Keras has just reset them.
            for variable, value in zip(running_means(self.model), self.state["running"], strict=True):
                variable.assign(value)

    def on_train_batch_end(self, batch, logs=None):
        before, self.steps_seen = self.steps_seen, self.steps_before + batch + 1
        if not self.every.passes(before, self.steps_seen, time.monotonic() - self.saved):
            return
        # All workers read them, because reading sums over all; one worker writes.
        running = [float(variable.numpy()) for variable in running_means(self.model)]
        name = f"epoch-{self.epoch:05d}-step-{self.steps_seen:08d}.weights.h5"
        self.note(latest=name, step=self.steps_seen, running=running)

    def note(self, **state):
        """Updates the state with what has changed, and saves everything."""
        self.state.update(
            state, settings=self.settings, data=self.data, seconds=round(time.monotonic() - self.started, 1)
        )
        if self.write:
            self.save()
        self.saved = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in logs.items()}
        state = self.state
        name = f"epoch-{epoch + 1:05d}.weights.h5"
        state.update(epoch=epoch + 1, step=0, running=[], seconds=round(time.monotonic() - self.started, 1))
        state["history"].append({"epoch": epoch + 1, "seconds": state["seconds"], **logs})
        values = [row.get(self.monitor, math.inf) for row in state["history"]]
        if self.monitor is None or values[-1] <= min(values):
            state.update(best=name, best_epoch=epoch + 1)
        self.note(latest=name)
        if self.finished:
            self.model.stop_training = True

    def save(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self.state
        with atomic_file(self.folder / state["latest"]) as path:
            self.model.save_weights(path)
        with atomic_file(self.folder / "state.json") as path:
            path.write_text(json.dumps(state), encoding="utf-8")
        if state["history"]:
            log = self.folder.parent / "log.csv"
            with atomic_file(log) as path, path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, state["history"][-1])
                writer.writeheader()
                writer.writerows(state["history"])
        for old in self.folder.glob("epoch-*.weights.h5"):
            if old.name not in (state["latest"], state["best"]):
                old.unlink()


def running_means(model: Model) -> list[keras.Variable]:
    """Returns the variables of an epoch's logged numbers, which are running means over its batches."""
    return [variable for metric in model.metrics for variable in metric.variables]


class Figure(keras.callbacks.Callback):
    """Adds a figure of the model to the logs of an epoch, so that the best epoch can be chosen by it.

    It must come before `Checkpoints`.

    Args:
        name: name of the figure.
        compute: function from the model to the figure; smaller is better.
        every: epochs between two computations; in the epochs between them, the figure is infinite.
    """

    def __init__(self, name: str, compute: Callable[[Model], float], *, every: int):
        super().__init__()
        self.name = name
        self.compute = compute
        self.every = every

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.compute(self.model) if (epoch + 1) % self.every == 0 else math.inf


class StopAtNaN(keras.callbacks.Callback):
    """Stops training with an error when a logged number is no longer finite."""

    def __init__(self, checkpoints: Checkpoints):
        super().__init__()
        self.checkpoints = checkpoints
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        for name, value in logs.items():
            if not np.all(np.isfinite(value)):
                latest = self.checkpoints.state["latest"]
                kept = (
                    f"the last good checkpoint is {self.checkpoints.folder / latest}"
                    if latest
                    else "no checkpoint was saved"
                )
                # One call may have taken several steps.
                last = self.checkpoints.steps_before + batch + 1
                first = last + 1 - self.model.steps_per_execution
                steps = f"at step {first}" if first == last else f"in steps {first} to {last}"
                raise ArithmeticError(
                    f"{name} became {float(np.mean(value))} {steps} of epoch {self.epoch + 1}; {kept}; "
                    "try a smaller learning rate or gradient clipping."
                )


class Previews(keras.callbacks.Callback):
    """Draws pictures of the model's output, always from the same noise, into `samples/` and TensorBoard.

    Apart from the first, all pictures together take at most 5 % of the training time: each is drawn once enough time
    has passed to stay within this share if it takes as long as the previous one.

    Args:
        folder: run folder.
        batch: batch that the model draws the pictures for, columns by name.
        every: smallest number of epochs between pictures.
        names: names of the entries of real vectors, if they have names.
        logs: folder of TensorBoard's files; None uses `tensorboard` in the run's folder.
        clock: function that returns the time in seconds.
    """

    #: Largest share of the training time that pictures take.
    SHARE = 0.05

    def __init__(
        self,
        folder: pathlib.Path,
        batch: dict[str, tf.Tensor],
        *,
        every: int,
        names: tuple[str, ...] = (),
        logs: pathlib.Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__()
        self.folder = path_of(folder)
        self.batch = batch
        self.names = names
        self.every = every
        self.clock = clock
        self.costs = []
        self.writer = tf.summary.create_file_writer(str((logs or self.folder / "tensorboard") / "samples"))

    def on_train_begin(self, logs=None):
        self.started = self.clock()

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 and self.affordable():
            started = self.clock()
            self.draw(epoch + 1)
            self.costs.append(self.clock() - started)

    def affordable(self) -> bool:
        """Whether one more picture keeps all of them within their share of the training time."""
        spent = sum(self.costs)
        training = self.clock() - self.started - spent
        return not self.costs or spent + self.costs[-1] <= self.SHARE * training

    def draw(self, epoch: int):
        """Draws the picture of an epoch."""
        picture = pictures.preview(self.model.preview(self.batch, seed=0), names=self.names)
        with atomic_file(self.folder / "samples" / f"epoch-{epoch:05d}.png") as path:
            picture.save(path, format="PNG")
        with self.writer.as_default(step=epoch):
            tf.summary.image("samples", np.asarray(picture.convert("RGB"))[np.newaxis])
            self.writer.flush()


class Upload(keras.callbacks.Callback):
    """Copies the contents of a folder into a folder of a store at the end of each epoch.

    Args:
        source: the folder.
        target: the folder in the store.
    """

    def __init__(self, source: pathlib.Path, target):
        super().__init__()
        self.source = source
        self.target = target

    def on_epoch_end(self, epoch, logs=None):
        upload(self.source, self.target)

    def on_train_end(self, logs=None):
        upload(self.source, self.target)
