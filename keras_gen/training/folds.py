"""Densities of few real vectors: settings are chosen on validation rows, anew in each fold of a cross-validation."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gen import evaluation
from keras_gen.core import DensityModel
from keras_gen.data import Splits
from keras_gen.training.arguments import GridSchedule
from keras_gen.training.protocols import vector_likelihoods
from keras_gen.training.run import Run, set_steps_at_once

#: Sentence for `fit_chosen`: its protocol.
CHOSEN = (
    "Exact likelihood of rows standardised with the training rows; settings and weights were chosen on validation "
    "data. In the cross-validation, where there is one, the rows that are not left out standardise, and each fold "
    "chooses on validation rows of its own."
)


@dataclasses.dataclass(frozen=True)
class Choice:
    """The setting that was chosen on validation rows.

    Attributes:
        setting: arguments of `build`, by name.
        log_likelihood: mean log-likelihood of the validation rows, in nats.
    """

    setting: dict[str, float]
    log_likelihood: float


class Grid:
    """Settings of a density that is trained on one fold after another, chosen on validation rows.

    Each setting has its own model, which starts from the same initial weights in every fold, so that no graph is traced
    again.

    Example:

    ```python
    grid = Grid(build, [{"num_components": 2}, {"num_components": 10}], schedule, seed=0)
    found = evaluation.cross_validate(grid.fit, rows, seed=0)
    grid.choices                                            # one for each fold
    ```

    Args:
        build: function from a setting to a new, compiled model.
        settings: arguments of `build`, by name.
        schedule: number and size of the training steps, and how often the validation rows are evaluated.
        seed: seed of the order of the rows.

    Attributes:
        choices: the choice of each fold so far.
    """

    def __init__(
        self, build: Callable[..., DensityModel], settings: Sequence[dict], schedule: GridSchedule, *, seed: int
    ):
        self.settings = list(settings)
        self.models = [build(**setting) for setting in self.settings]
        self.schedule = schedule
        self.seed = seed
        self.choices: list[Choice] = []
        self.initial = []
        for model in self.models:
            if model.distribute_strategy.num_replicas_in_sync == 1:
                set_steps_at_once(model, schedule.steps_per_check)
            variables = [*model.weights, *model.optimizer.variables]
            self.initial.append([(variable, variable.numpy()) for variable in variables])

    def fit(self, train: np.ndarray, valid: np.ndarray) -> DensityModel:
        """Trains all models, each to the weights of its best step, and returns the best one on validation rows.

        Args:
            train: rows for training, of shape `(rows, *event_shape)`.
            valid: rows for validation.

        Raises:
            ValueError: if the training of every setting diverges.
        """
        found = []
        for index, setting in enumerate(self.settings):
            found.append(self.trained(index, train, valid))
            place = f"fit {len(self.choices) + 1}, setting {index + 1} of {len(self.settings)}"
            print(f"{place}: {in_words(setting)}: {found[-1]:.3f}", flush=True)
        best = int(np.argmax(found))
        if found[best] == -math.inf:
            raise ValueError(f"`settings` must hold one whose training does not diverge, received {self.settings}.")
        self.choices.append(Choice(self.settings[best], found[best]))
        print(f"chosen: {in_words(self.settings[best])}, validation log-likelihood {found[best]:.3f}", flush=True)
        return self.models[best]

    def trained(self, index: int, train: np.ndarray, valid: np.ndarray) -> float:
        """Trains one model, and returns its log-likelihood of the validation rows; minus infinity if it diverges."""
        model, schedule = self.models[index], self.schedule
        for variable, value in self.initial[index]:
            variable.assign(value)
        rows = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train), self.seed).repeat()
        # This never stops early, and restores the best weights at the end.
        best = keras.callbacks.EarlyStopping("val_loss", patience=schedule.num_steps, restore_best_weights=True)
        model.fit(
            rows.batch(min(schedule.batch_size, len(train)), drop_remainder=True),
            steps_per_epoch=schedule.steps_per_check,
            epochs=-(-schedule.num_steps // schedule.steps_per_check),
            validation_data=(valid,),
            validation_batch_size=len(valid),
            callbacks=[best, keras.callbacks.TerminateOnNaN()],
            verbose=0,
        )
        return -best.best if math.isfinite(best.best) else -math.inf


def in_words(setting: dict) -> str:
    """Returns a setting as it is printed."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in setting.items())


def fit_chosen(
    run: Run,
    splits: Splits,
    build: Callable[..., DensityModel],
    grid: Mapping[str, Sequence],
    schedule: GridSchedule,
) -> tuple[DensityModel, dict[str, dict[str, float]], list[dict]]:
    """Trains a density of real vectors whose settings are chosen on validation rows, and evaluates its likelihood.

    Args:
        run: the run; its folder holds the checkpoints.
        splits: real vectors.
        build: function from a setting to a new, compiled model.
        grid: values of each argument of `build`, by name; a setting is one value of each.
        schedule: how long to train, and the folds of a cross-validation before the training.

    Returns:
        The trained model. Figures by split: for "validation" and "test", the likelihood and baselines; for
        "cross_validation", if there is one, the mean log-likelihood of standardised rows in nats, and those of a
        Gaussian and of independent columns with spikes (`evaluation.SpikedColumns`), with their standard errors. For
        each fold, the setting it chose, with its validation and test log-likelihoods.

    Raises:
        ValueError: if the data are levels.
    """
    if splits.levels is not None:
        raise ValueError(f"`dataset` must hold real vectors; {splits.name} holds {splits.levels} levels.")
    run.print_summary(splits)
    settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    metrics, folds = {}, []
    with run.scope():
        candidates = Grid(build, settings, schedule, seed=run.seed)
    if schedule.folds:
        rows = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
        densities = {
            "": candidates.fit,
            "_gaussian": lambda train, valid: evaluation.Gaussian(np.concatenate([train, valid])),
            "_spiked_columns": lambda train, valid: evaluation.SpikedColumns(np.concatenate([train, valid])),
        }
        found = {
            name: evaluation.cross_validate(fit, rows, num_folds=schedule.folds, seed=run.seed)
            for name, fit in densities.items()
        }
        metrics["cross_validation"] = {
            f"log_likelihood{name}{suffix}": value
            for name, result in found.items()
            for suffix, value in (("", result.mean), ("_standard_error", result.standard_error))
        }
        chosen = [choice.log_likelihood for choice in candidates.choices]
        metrics["cross_validation"]["validation_log_likelihood"] = float(np.mean(chosen))
        folds = [
            {**choice.setting, "validation_log_likelihood": choice.log_likelihood, "log_likelihood": figure}
            for choice, figure in zip(candidates.choices, found[""].folds, strict=True)
        ]

    with run.searching():
        candidates.fit(splits.array("train"), splits.array("validation"))
    with run.scope():
        model = build(**candidates.choices[-1].setting)
    epochs = -(-schedule.num_steps // splits.steps_per_epoch)
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=-(-epochs // 4))
    return model, {**metrics, **vector_likelihoods(run, model, splits)}, folds
