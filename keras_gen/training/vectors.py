"""What recipes for densities of real vectors share: cross-validation, training, likelihoods and distances to truths."""

from collections.abc import Callable

import keras
import numpy as np

from keras_gen import evaluation, pictures
from keras_gen.core import DensityModel
from keras_gen.data import Splits, toy
from keras_gen.files import atomic_file
from keras_gen.flows.base import FlowModel
from keras_gen.training.run import Run

#: What the figures of `fit_vectors` are, for a report.
EXACT = (
    "Exact likelihood in the data's units; the epoch was chosen on validation data. In the cross-validation, where "
    "there is one, columns are standardised with the rows that are not left out."
)


def compiled(
    run: Run,
    model: DensityModel,
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    max_norm: float | None = None,
) -> DensityModel:
    """Compiles a model with AdamW, whose learning rate falls to 0 along a cosine, and with XLA, unless told otherwise.

    Args:
        run: the run.
        model: the model.
        steps: number of training steps.
        learning_rate: learning rate at the start.
        weight_decay: weight decay.
        max_norm: norm that the gradient of all weights is clipped to; None for no bound.

    Returns:
        The same model.
    """
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay, global_clipnorm=max_norm)
    model.compile(run.averaged(optimizer), jit_compile=run.jit_compile(faster=True))
    return model


def fit_vectors(
    run: Run,
    splits: Splits,
    build: Callable[[int], DensityModel],
    *,
    epochs: int,
    batch_size: int,
    folds: int = 0,
    patience: int = 0,
    seed: int = 0,
) -> tuple[DensityModel, dict[str, dict[str, float]]]:
    """Trains a density on real vectors and evaluates its exact likelihood.

    On two-dimensional vectors the run's folder gets a picture of the density, `density.png`, too.

    Args:
        run: the run; its folder holds the checkpoints.
        splits: real vectors.
        build: function from a number of training rows to a new, compiled model.
        epochs: passes over the training data, at most.
        batch_size: examples in a training step.
        folds: folds of a cross-validation before the training; 0 for none.
        patience: epochs without a better validation likelihood after which training stops.
        seed: seed of the order of the rows in the cross-validation.

    Returns:
        The trained model, and figures by split: of "validation" and "test" the likelihood; of "test" the baselines
        and, on a toy density, the mean "gap_to_truth" of the log density, too; of "cross_validation", where there is
        one, the mean log-likelihood of standardised rows, and its standard error.

    Raises:
        ValueError: if the data are levels.
    """
    if splits.levels is not None:
        raise ValueError(f"`dataset` must hold real vectors; {splits.name} holds {splits.levels} levels.")

    def fit_fold(train: np.ndarray, valid: np.ndarray) -> DensityModel:
        with run.scope():
            model = build(len(train))
        stop = keras.callbacks.EarlyStopping("val_loss", 0, patience or epochs, restore_best_weights=True)
        model.fit(train, validation_data=(valid,), batch_size=batch_size, epochs=epochs, callbacks=[stop], verbose=0)
        print(f"fold: {len(model.history.epoch)} epochs, validation nll {stop.best:.3f}", flush=True)
        return model

    metrics = {}
    if folds:
        rows = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
        found = evaluation.cross_validate(fit_fold, rows, num_folds=folds, seed=seed)
        metrics["cross_validation"] = {"log_likelihood": found.mean, "standard_error": found.standard_error}

    with run.scope():
        model = build(splits.size("train"))
    if isinstance(model, FlowModel):
        model.adapt(splits.array("train"))
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)
    for split in ("validation", "test"):
        metrics[split] = evaluation.likelihood(model, getattr(splits, split))
    metrics["test"].update(evaluation.baselines(splits))
    truth = true_log_density(splits)
    if truth is not None:
        metrics["test"]["gap_to_truth"] = metrics["test"]["nll"] + float(truth(splits.array("test")).mean())
    if splits.event_shape == (2,) and run.is_chief:
        with atomic_file(run.folder / "density.png") as path:
            pictures.density_plot(model, truth, splits.array("test")).save(path)
    return model, metrics


def true_log_density(splits: Splits) -> Callable[[np.ndarray], np.ndarray] | None:
    """Returns the function from points to the log density that they were drawn from; None where it is not known."""
    if splits.name not in toy.NAMES:
        return None
    density = toy.get(splits.name)
    if splits.scale is None:
        return density.log_density
    mean, deviation = splits.scale
    return lambda points: density.log_density(points * deviation + mean) + np.log(deviation).sum()
