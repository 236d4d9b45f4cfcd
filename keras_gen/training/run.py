"""A run: one folder, from the flags to the trained, exported and described model."""

import contextlib
import copy
import dataclasses
import datetime
import importlib.metadata
import itertools
import json
import math
import os
import pathlib
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import PIL.Image
import tensorflow as tf

import keras_gen
from keras_gen import evaluation, export, pictures
from keras_gen.console import counted, markdown_table
from keras_gen.core import Model, saving
from keras_gen.data import Splits
from keras_gen.data.loading import built_in_readers
from keras_gen.figures import in_columns
from keras_gen.files import atomic_file, fingerprint, is_local, remove_folder, write_json
from keras_gen.spaces import Sound
from keras_gen.training.arguments import Options
from keras_gen.training.callbacks import Checkpoints, Interval, Previews, StopAtNaN, Upload
from keras_gen.training.card import model_card
from keras_gen.training.profile import Profile
from keras_gen.training.run_folder import State, finished_sentence, folder_of_run, state_of_folder
from keras_gen.training.strategy import choose_strategy, is_chief

#: Names of arguments that may be paths of data.
DATA_ARGUMENTS = ("dataset", "dataset_b", "target", "captions")

#: Number of sounds that are shown, in place of 64 or 100 examples of other kinds.
NUM_SOUNDS = 10

#: Largest number of training steps that are taken in one call.
MOST_STEPS = 25


#: Errors that TensorFlow raises in a worker when another worker is gone.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class Run:
    """Trains a model in a folder, resumes a killed run, and writes everything a trained model needs.

    Args:
        name: family and model, such as "autoregressive.made".
        folder: folder of the run; None uses `runs/<family>/<recipe>/<data set>`, with the "model" before the data set
            if the arguments name one.
        config: the recipe's arguments, among them "dataset" and "seed".
        options: how to train.
        defaults: default values of the arguments; the card's command leaves out what is None in both.

    Raises:
        ValueError: if the folder holds a finished run, a run with other arguments, or something else.
    """

    def __init__(
        self,
        name: str,
        folder: str | os.PathLike | None,
        config: dict,
        options: Options,
        *,
        defaults: dict | None = None,
    ):
        self.checkpoint_every = Interval(options.checkpoint_every)
        # A strategy over several workers must come before any other operation of TensorFlow.
        self.strategy = choose_strategy(options.strategy)
        if self.checkpoint_every.seconds < math.inf and isinstance(
            self.strategy, tf.distribute.MultiWorkerMirroredStrategy
        ):
            raise ValueError(
                "`checkpoint_every` must be a number of steps for several workers, whose clocks differ; received "
                f"{options.checkpoint_every!r}."
            )
        self.is_chief = is_chief(self.strategy)
        self.name = name
        self.config = json.loads(json.dumps(config, default=os.fspath))
        self.options = options
        self.defaults = defaults or {}
        self.seed = config["seed"]
        self.folder = folder_of_run(name, folder, config)
        # Shared by all stages: whether the folder holds a finished run, the checkpoints of what is trained longer,
        # which data have been printed, the seconds of searches, and the fingerprints of data, once they are computed.
        self.progress = {
            "finished": False,
            "longer": None,
            "summaries": [],
            "search_seconds": 0.0,
            "fingerprints": None,
        }
        self.started = time.monotonic()
        keras.utils.set_random_seed(self.seed)
        self.open_folder()

    def open_folder(self):
        """Checks what the folder holds, and writes the configuration of a new run."""
        # Only the chief checks for other files: the others may see what it has begun to write.
        state = state_of_folder(self.folder, self.config, overwrite=self.options.overwrite, check_files=self.is_chief)
        if state is State.FINISHED:
            # The folder stays unchanged until it is certain that the training continues as it began.
            self.progress["finished"] = True
            return
        if state is State.REPLACED and self.is_chief:
            remove_folder(self.folder)
        self.write_config()

    def write_config(self):
        """Writes the arguments of a run that is not finished."""
        if self.is_chief:
            (self.folder / "metrics.json").unlink(missing_ok=True)
            with atomic_file(self.folder / "config.json") as path:
                path.write_text(
                    json.dumps({"recipe": self.name, "arguments": self.config}, indent=2) + "\n", encoding="utf-8"
                )
        # The others must not read checkpoints that the chief is about to replace.
        self.wait_for_all()

    def write_pending_config(self):
        """Writes the arguments of a finished run that is trained longer; from then on it is not a finished run."""
        if self.progress["finished"]:
            self.progress["finished"] = False
            self.write_config()

    def wait_for_all(self):
        """Returns once every worker has reached this call."""
        if isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
            self.strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.constant(1.0)))

    @contextlib.contextmanager
    def lost_workers_told(self) -> Iterator[None]:
        """Ends a run with one sentence if another worker is gone."""
        try:
            yield
        except LOST as error:
            if not isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
                raise
            raise RuntimeError(
                f"another one of {self.strategy.num_replicas_in_sync} replicas is gone, or cannot be reached; the same "
                f"command, on as many workers or on fewer, goes on from the last checkpoint in {self.folder}."
            ) from error

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Enters the run's strategy and precision; build and compile the model inside."""
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.options.precision)
        try:
            with self.strategy.scope():
                yield
        finally:
            keras.config.set_dtype_policy(policy)

    def stage(self, name: str) -> "Run":
        """Returns a run that trains a further model within this run, such as the prior of another model's codes.

        It has its own subfolder for checkpoints, curve and pictures. A run that is killed in one of its stages
        therefore resumes there: the stages before it are already finished. The weights given by `--start-from` are for
        the run's own model, not for a stage's.

        Args:
            name: name of the subfolder.
        """
        stage = copy.copy(self)
        stage.folder = self.folder / name
        stage.options = dataclasses.replace(self.options, start_from=None)
        return stage

    def compile(self, model: Model, *optimizers: keras.optimizers.Optimizer, xla: bool) -> Model:
        """Compiles a model, with a moving average of the weights if the options request one.

        A model that keeps its own average gets no other one.

        Args:
            model: model, built in `scope`.
            *optimizers: its optimizers, in the order that its `compile` expects. The first one keeps the moving
                average.
            xla: whether to compile the training step with XLA unless the options say otherwise, that is, whether it was
                measured to be faster on one device. With several replicas, it is not used.

        Returns:
            The same model.
        """
        first, *others = optimizers
        if self.options.ema and not model.keeps_average:
            first.use_ema, first.ema_momentum = True, self.options.ema
        asked = self.options.xla
        jit_compile = xla and self.strategy.num_replicas_in_sync == 1 if asked is None else asked
        model.compile(first, *others, jit_compile=jit_compile)
        return model

    @contextlib.contextmanager
    def several_steps(self, model: Model, steps_per_epoch: int) -> Iterator[None]:
        """Lets a model take several training steps per call on one device, which saves the time between them.

        Their number divides that of an epoch, so nothing else changes.

        Args:
            model: compiled model.
            steps_per_epoch: training steps in an epoch.
        """
        single = self.strategy.num_replicas_in_sync > 1 or self.options.profile
        most = 1 if single else min(MOST_STEPS, steps_per_epoch)
        number = next(number for number in range(most, 0, -1) if steps_per_epoch % number == 0)
        set_steps_at_once(model, number)
        try:
            yield
        finally:
            set_steps_at_once(model, 1)

    def print_summary(self, splits: Splits) -> None:
        """Prints one line describing the data, once; also before a search or cross-validation that precedes `fit`."""
        line = f"{splits.name}: {splits.summary()}"
        if self.is_chief and line not in self.progress["summaries"]:
            self.progress["summaries"].append(line)
            print(line, flush=True)

    @contextlib.contextmanager
    def searching(self) -> Iterator[None]:
        """Counts the time of a block, which chooses the settings of the model before `fit`, as time of training."""
        started = time.monotonic()
        yield
        self.progress["search_seconds"] += time.monotonic() - started

    def fit(
        self,
        model: Model,
        splits: Splits,
        *,
        epochs: int,
        monitor: str | None = None,
        patience: int = 0,
        figures: Sequence[keras.callbacks.Callback] = (),
    ) -> Model:
        """Trains the model, from the last checkpoint if there is one, else from the weights that the options give.

        Args:
            model: compiled model, built in `scope`.
            splits: data.
            epochs: number of epochs in total.
            monitor: name of the number to minimise on validation data, such as "val_loss"; the result is its best
                epoch. None takes the last epoch.
            patience: number of epochs without a new best after which training stops; 0 never stops.
            figures: callbacks that add to the logs of an epoch, such as the figure to monitor.

        Returns:
            The trained model, on one device.
        """
        self.print_summary(splits)
        checkpoints = self.checkpoints_for(model, epochs, monitor=monitor, patience=patience)
        checkpoints.restore(model)
        first = checkpoints.state["epoch"]
        if self.options.start_from is not None and not first:
            take_weights(model, self.options.start_from)
        step = checkpoints.state["step"]
        if first or step:
            steps = f"step {step} of epoch {first + 1}" if step else f"epoch {first}"
            print(f"Going on after {steps} of the run in {self.folder}.", flush=True)
        callbacks = [StopAtNaN(checkpoints), *figures]
        if self.options.ema and not model.keeps_average:
            callbacks.append(keras.callbacks.SwapEMAWeights())
        if self.is_chief:
            batch = example_batch(model, splits, "validation", 64)
            logs = self.folder / "tensorboard"
            if not is_local(logs):
                logs = pathlib.Path(tempfile.mkdtemp(prefix="tensorboard-"))
            callbacks.append(
                Previews(self.folder, batch, every=max(1, epochs // 8), names=splits.column_names, logs=logs)
            )
            callbacks.append(keras.callbacks.TensorBoard(logs, write_graph=False))
            if self.options.profile:
                callbacks.append(Profile(self.folder / "tensorboard", logs))
            if not is_local(self.folder):
                callbacks.append(Upload(logs, self.folder / "tensorboard"))
        # Last, so that a checkpoint is written after everything else in the epoch.
        callbacks.append(checkpoints)
        if first < epochs:
            self.write_pending_config()
        if step:
            # The rest of an epoch is a separate training, at the end of which Keras changes weights that have an
            # average.
            self.train_epochs(model, splits, callbacks, first, first + 1, step)
            self.wait_for_all()
            checkpoints.restore(model)
        if checkpoints.state["epoch"] < epochs and not checkpoints.finished:
            self.train_epochs(model, splits, callbacks, checkpoints.state["epoch"], epochs)
        # The chief may still be writing the last checkpoint.
        self.wait_for_all()
        if monitor is not None:
            checkpoints.restore(model, "best")
        # Training ends with the average of the weights, if there is one.
        model.optimizer.finalize_variable_values(model.trainable_weights)
        self.training = {
            "epochs": checkpoints.state["epoch"],
            "best_epoch": checkpoints.state["best_epoch"],
            "training_seconds": checkpoints.state["seconds"] + self.progress["search_seconds"],
        }
        return self.on_one_device(model)

    def fingerprints(self) -> dict[str, str]:
        """Returns the fingerprints of the files of data that arguments name, by argument, except those in a store."""
        if self.progress["fingerprints"] is None:
            given = {name: self.config[name] for name in DATA_ARGUMENTS if isinstance(self.config.get(name), str)}
            found = {name: fingerprint(path) for name, path in given.items() if path not in built_in_readers()}
            self.progress["fingerprints"] = {name: digits for name, digits in found.items() if digits is not None}
        return self.progress["fingerprints"]

    def check_same_data(self, checkpoints: Checkpoints) -> None:
        """Raises an error if a file of data is another one than when a training began that goes on now."""
        for name, before in checkpoints.state.get("data", {}).items():
            if checkpoints.data.get(name) != before:
                raise ValueError(
                    f"`{name}` {self.config[name]} has changed since the run in {self.folder} began; --overwrite begins"
                    " it anew, another --folder leaves it as it is."
                )

    def train_epochs(self, model: Model, splits: Splits, callbacks: list, first: int, last: int, step: int = 0):
        """Trains the epochs from `first` to before `last`; the first one starts at `step`."""
        steps = splits.steps_per_epoch - step
        train, validation, validation_steps = splits.train_from(first, step), splits.validation, None
        if isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Each worker reads its own rows; units of the data, if there are any, come from all rows.
            checks = model.input_checks()
            model.first_look(checks.checked(train), lambda: checks.checked(train.take(steps)), steps, 0.0)
            shares = self.strategy.distribute_datasets_from_function
            train = shares(lambda context: checks.checked(splits.train_shares(first, step, context)))
            validation_checks = model.input_checks("validation_data")
            validation = shares(lambda context: validation_checks.checked(splits.shares("validation", context)))
            validation_steps = -(-splits.size("validation") // splits.batch_size)
        with self.several_steps(model, steps), self.lost_workers_told():
            model.fit(
                train,
                steps_per_epoch=steps,
                validation_data=validation,
                validation_steps=validation_steps,
                initial_epoch=first,
                epochs=last,
                callbacks=callbacks,
                verbose=(1 if sys.stdout.isatty() else 2) if self.is_chief else 0,
            )

    def checkpoints_for(self, model: Model, epochs: int, **options) -> Checkpoints:
        """Returns the checkpoints of a training, which may be prolonged in a finished run.

        Args:
            model: compiled model.
            epochs: number of epochs in total.
            **options: further arguments of `Checkpoints`.

        Raises:
            ValueError: if the run is finished and another number of epochs changes the model or its optimizers, or if
                files of data have changed since it began.
        """
        folder, settings = self.folder / "checkpoints", settings_of(model)
        # A model that learns from one that was trained longer begins again.
        anew = self.progress["longer"] not in (None, folder)
        checkpoints = Checkpoints(
            folder,
            write=self.is_chief,
            settings=settings,
            data=self.fingerprints(),
            anew=anew,
            every=self.checkpoint_every,
            **options,
        )
        self.check_same_data(checkpoints)
        if self.progress["finished"] and 0 < checkpoints.state["epoch"] < epochs:
            if checkpoints.state.get("settings") != settings:
                raise ValueError(
                    f"`epochs` must stay {checkpoints.state['epoch']}: the learning rate, or something else, depends "
                    f"on it. {finished_sentence(self.folder)}"
                )
            self.progress["longer"] = folder
        return checkpoints

    def on_one_device(self, model: Model) -> Model:
        """Returns a model that needs no strategy, with its optimizers' state."""
        if self.strategy.num_replicas_in_sync == 1:
            return model
        copy = type(model).from_config(model.get_config())
        copy.compile_from_config(model.get_compile_config())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "copy.weights.h5")
            model.save_weights(path)
            copy.load_weights(path)
        return copy

    def report(self, splits: Splits, metrics: dict, *, protocol: str, **more) -> dict:
        """Returns the contents of `metrics.json`: as in `finish`, with further facts about the run."""
        return {
            "recipe": self.name,
            "arguments": self.config,
            **metrics,
            "dataset": splits.description(),
            **({} if splits.scale is None else {"unit": evaluation.STANDARDISED}),
            "protocol": protocol,
            "seed": self.seed,
            **more,
            "duration_seconds": round(time.monotonic() - self.started, 1),
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {counted(self.strategy.num_replicas_in_sync, 'replica')}",
            "versions": {
                "keras_gen": keras_gen.__version__,
                "python": platform.python_version(),
                **{n: importlib.metadata.version(n) for n in ("tensorflow", "keras", "tensorflow-probability")},
            },
        }

    def save_picture(self, name: str, picture: PIL.Image.Image):
        """Writes a picture to the run's folder.

        Args:
            name: name of the file.
            picture: the picture.
        """
        with atomic_file(self.folder / name) as path:
            picture.save(path)

    def finish_table(self, splits: Splits, rows: dict[str, dict[str, float]], *, protocol: str) -> dict:
        """Writes and prints the results of a run that evaluates models: a table in `README.md`, and `metrics.json`.

        Args:
            splits: data that the models were evaluated on.
            rows: the figures of each model, by name.
            protocol: one sentence that says how the figures were obtained.

        Returns:
            The contents of `metrics.json`.
        """
        self.write_pending_config()
        report = self.report(splits, rows, protocol=protocol)
        if self.is_chief:
            table = markdown_table(rows)
            with atomic_file(self.folder / "README.md") as path:
                path.write_text(f"# {self.name} on {splits.name}\n\n{table}\n{protocol}\n", encoding="utf-8")
            write_json(self.folder / "metrics.json", report)
            print(f"{table}\nIn {self.folder}: metrics.json, README.md")
        return report

    def finish(self, model: Model, splits: Splits, metrics: dict, *, protocol: str, **more) -> dict:
        """Writes the model, its exports, a picture, `metrics.json` and the model card, and prints where they are.

        If rows were standardised, the model takes this over: the model and all files are in the data's units. Figures
        are those of standardised rows, as "unit" says; likelihoods are also given in the data's units.

        Args:
            model: trained model.
            splits: data it was trained on.
            metrics: results by split, such as `{"test": {"nll": 88.4}}`.
            protocol: one sentence that says how the figures were obtained.
            **more: further contents of `metrics.json`, such as a table.

        Returns:
            The contents of `metrics.json`.
        """
        self.write_pending_config()
        batch, data = example_batch(model, splits, "test", 100), splits.sources["test"].arrays.get("x")
        if splits.scale is not None:
            # The scaling of the rows becomes part of the model, which takes and returns them as they were.
            model.standardization.absorb(*splits.scale)
            batch["x"] = splits.in_data_units(batch["x"].numpy())
            data = None if data is None else splits.in_data_units(data)
            units = {
                f"{split}, in the data's units": evaluation.in_data_units(metrics[split], splits, split)
                for split in metrics
                if split in splits.sources
            }
            metrics = {**metrics, **{name: figures for name, figures in units.items() if figures}}
        report = self.report(
            splits,
            metrics,
            protocol=protocol,
            **more,
            likelihood=model.likelihood_kind,
            **self.training,
            num_weights=int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
        )
        if not self.is_chief:
            return report
        rows = model.preview(batch, seed=self.seed)
        self.save_picture("samples.png", pictures.preview(rows, data=data, names=splits.column_names))
        # The last row shows the model's output.
        space, values = list(rows.values())[-1]
        audible = isinstance(space, Sound) and space.sample_rate is not None
        if audible:
            with atomic_file(self.folder / "samples.wav") as path:
                pictures.write_wav(path, np.asarray(values), space.sample_rate)
        saving.save_model(model, self.folder / "model.keras")
        graphs = export.Graphs(model)
        export.saved_model(graphs, self.folder / "saved_model")
        export.litert(graphs, self.folder / "model.tflite")
        with atomic_file(self.folder / "README.md") as path:
            card = model_card(self.name, self.config, self.defaults, model, report, metrics)
            path.write_text(card, encoding="utf-8")
        # Written last: a folder with this file holds a finished run.
        write_json(self.folder / "metrics.json", report)
        print(f"\n{markdown_table(in_columns(metrics))}\n{protocol}\n")
        print(f"In {self.folder}:")
        for name, what in (
            ("metrics.json", "all figures"),
            ("samples.png", "a picture of what it makes"),
            *([("samples.wav", "samples to listen to")] if audible else []),
            ("README.md", "the model card"),
            ("model.keras", "keras_gen.load_model"),
            ("saved_model/", "for TF Serving"),
            ("model.tflite", "for LiteRT"),
        ):
            print(f"  {name:14} {what}")
        return report


def settings_of(model: Model) -> str:
    """Returns as text all arguments of a model and its optimizers except their names, which Keras numbers."""
    config = {name: value for name, value in model.get_config().items() if name != "name"}
    optimizers = [
        {name: value for name, value in optimizer.get_config().items() if name != "name"}
        for optimizer in model.optimizers
    ]
    return json.dumps([config, optimizers], sort_keys=True, default=keras.saving.serialize_keras_object)


def set_steps_at_once(model: Model, number: int):
    """Sets the number of training steps in a call of TensorFlow."""
    model.steps_per_execution = number
    # Keras makes these functions again when it needs them.
    model.train_function = model.test_function = None


def example_batch(model: Model, splits: Splits, split: str, num: int) -> dict[str, tf.Tensor]:
    """Returns the first examples of a split as a batch of the model, repeated from the start if there are too few.

    Args:
        model: the model.
        splits: its data.
        split: "train", "validation" or "test".
        num: number of examples; for sound, only a few are taken.
    """
    columns = splits.examples(split, num if splits.sample_rate is None else NUM_SOUNDS)
    return {name: space.validate(columns[name], name) for name, space in model.spaces.items()}


def take_weights(model: Model, path: str):
    """Gives a model the weights of a saved one, except the state of its random numbers.

    Args:
        model: model to be trained.
        path: `.keras` file of a model with the same networks, or a run's folder that holds it.

    Raises:
        ValueError: if its weights do not have the shapes of the model's.
    """
    saved = saving.load_model(path)
    ours, theirs = ([weight for weight in each.weights if weight is not each.seed_state] for each in (model, saved))
    shapes, received = ([tuple(weight.shape) for weight in weights] for weights in (ours, theirs))
    ours_is, theirs_is = type(model).__name__, type(saved).__name__
    if shapes != received:
        places = itertools.zip_longest(shapes, received, fillvalue="none")
        number, (wanted, found) = next(item for item in enumerate(places, 1) if item[1][0] != item[1][1])
        raise ValueError(
            f"`start_from` must name a model with the weights of this {ours_is}; weight {number} of the {theirs_is} in "
            f"{path} has the shape {found}, where {wanted} is expected."
        )
    if ours_is != theirs_is:
        print(
            f"Starting from the weights of a {theirs_is}, in {path}, which have the shapes of a {ours_is}'s.",
            flush=True,
        )
    for weight, value in zip(ours, theirs, strict=True):
        weight.assign(value)
