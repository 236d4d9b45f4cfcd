"""How models are trained and evaluated, by kind: flows of vectors, flows of levels, and models that only draw.

A protocol is what several recipes do in the same way, from the first epoch to the figures. Each has a sentence for
reports that says how the figures were obtained.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gen import evaluation, pictures
from keras_gen.core import DensityModel, GenerativeModel
from keras_gen.data import Splits, toy
from keras_gen.energy.annealing import LogPartition
from keras_gen.energy.dbm import MeanFieldLearning
from keras_gen.flows.base import FlowModel
from keras_gen.spaces import levels_or_reals
from keras_gen.training.arguments import FixedSchedule, Schedule, VectorSchedule
from keras_gen.training.callbacks import Figure
from keras_gen.training.run import Run
from keras_gen.translation import TranslationModel

#: Sentence for exact `evaluation.likelihoods`.
EXACT = "Exact likelihood; the epoch was chosen on validation data."

#: Sentence for `evaluation.likelihoods` that are lower bounds.
BOUNDS = "ELBO and importance-weighted bound; the epoch was chosen on validation data."

#: Sentence for `fit_vectors`.
VECTORS = (
    "Exact likelihood; the epoch was chosen on validation data. In the cross-validation, where "
    "there is one, columns are standardised with the rows that are not left out."
)

#: Sentence for `judged_samples`.
JUDGED = (
    "Losses of the players on held-out data; of levels, Parzen windows whose width was chosen on validation data, "
    "levels in [0, 1]; of a mixture of Gaussians, the modes that samples lie at. Where epochs were compared, the best "
    "by the Parzen windows of the first 1,000 validation examples was kept."
)

#: Number of validation examples for comparing epochs by Parzen windows, as in the code of GAN's authors.
NUM_COMPARED = 1000

#: Sentence for `fit_translation`.
TRANSLATED = (
    "Translations of the first held-out images without noise, after the last epoch, against their targets: the mean "
    "absolute difference where levels go from -1 to 1, peak signal-to-noise ratio in decibels, structural similarity, "
    "and the Fréchet distance of evaluation.random_convolutions, whose unit is arbitrary and which falls with the "
    "number of images."
)


def fit_vectors(
    run: Run, splits: Splits, build: Callable[[int], DensityModel], schedule: VectorSchedule
) -> tuple[DensityModel, dict[str, dict[str, float]]]:
    """Trains a density on real vectors and evaluates its exact likelihood.

    For two-dimensional vectors, also writes a picture of the density, `density.png`, to the run's folder.

    Args:
        run: the run; its folder holds the checkpoints.
        splits: real vectors.
        build: function from the number of training steps in an epoch to a new, compiled model.
        schedule: how long to train, and the folds of a cross-validation before the training.

    Returns:
        The trained model, and figures by split: for "validation" and "test", the likelihood; for "test", also the
        baselines and, on a toy density, the mean "gap_to_truth" of the log density; for "cross_validation", if there is
        one, the mean log-likelihood of standardised rows and its standard error.

    Raises:
        ValueError: if the data are levels.
    """
    if splits.levels is not None:
        raise ValueError(f"`dataset` must hold real vectors; {splits.name} holds {splits.levels} levels.")
    run.print_summary(splits)

    def fit_fold(train: np.ndarray, valid: np.ndarray) -> DensityModel:
        steps = max(1, len(train) // schedule.batch_size)
        with run.scope():
            model = build(steps)
        patience = schedule.patience or schedule.epochs
        stop = keras.callbacks.EarlyStopping("val_loss", 0, patience, restore_best_weights=True)
        arguments = {"batch_size": schedule.batch_size, "epochs": schedule.epochs, "callbacks": [stop], "verbose": 0}
        with run.several_steps(model, steps):
            model.fit(train, validation_data=(valid,), **arguments)
        if isinstance(model, FlowModel):
            model.adapt_normalizations(train)
        print(f"fold: {len(model.history.epoch)} epochs, validation nll {stop.best:.3f}", flush=True)
        return model

    metrics = {}
    if schedule.folds:
        rows = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
        found = evaluation.cross_validate(fit_fold, rows, num_folds=schedule.folds, seed=run.seed)
        metrics["cross_validation"] = {"log_likelihood": found.mean, "standard_error": found.standard_error}

    model = fit_built(run, splits, build, schedule)
    return model, {**metrics, **vector_likelihoods(run, model, splits)}


def vector_likelihoods(run: Run, model: DensityModel, splits: Splits) -> dict[str, dict[str, float]]:
    """Evaluates the exact likelihood of a density of real vectors, as in `fit_vectors`, and draws its picture.

    Args:
        run: the run; the picture is written to its folder.
        model: trained density.
        splits: its data.

    Returns:
        Figures for "validation" and "test".
    """
    metrics = evaluation.likelihoods(model, splits)
    truth = true_log_density(splits)
    if truth is not None:
        metrics["test"]["gap_to_truth"] = metrics["test"]["nll"] + float(truth(splits.array("test")).mean())
    if splits.event_shape == (2,) and run.is_chief:
        picture = pictures.density_plot(model, truth, splits.array("test"), unit=splits.scale)
        run.save_picture("density.png", picture)
    return metrics


def true_log_density(splits: Splits) -> Callable[[np.ndarray], np.ndarray] | None:
    """Returns the function from points to the log density that they were drawn from; None if it is not known."""
    if splits.name not in toy.NAMES:
        return None
    density = toy.get(splits.name)
    if splits.scale is None:
        return density.log_density
    mean, deviation = splits.scale
    return lambda points: density.log_density(points * deviation + mean) + np.log(deviation).sum()


def fit_levels(
    run: Run, model: FlowModel, splits: Splits, schedule: Schedule, *, num_samples: int, standardize: bool = True
) -> dict:
    """Trains a flow on levels, evaluates two lower bounds on its likelihood, and writes the results.

    Args:
        run: the run.
        model: compiled flow over levels, built in the run's scope.
        splits: levels.
        schedule: how long to train.
        num_samples: importance samples of each test example.
        standardize: whether the flow's first step is the standardisation of the training data.

    Returns:
        The contents of `metrics.json`.
    """
    model = fit_flow(run, model, splits, schedule, standardize=standardize)
    metrics = evaluation.likelihoods(model, splits, num_samples)
    metrics["test"].update(independent_pixels(splits))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Lower bounds, with one sample of the noise that is added to levels and with many; "
        "the epoch was chosen on validation data.",
    )


def check_bits(splits: Splits) -> None:
    """Raises an error if examples are not bits.

    Raises:
        ValueError: if they are not.
    """
    if splits.levels != 2:
        raise ValueError(
            f"`binarization` must be threshold, static or dynamic for a model of bits: {splits.name} holds "
            f"{splits.summary().split(';')[0]}."
        )


def independent_pixels(splits: Splits) -> dict[str, float]:
    """Returns the baseline for a flow of levels: bounds on the likelihood of independent logistic entries."""
    nll = evaluation.independent_logistics(splits.array("train"), splits.array("test"))
    size = math.prod(splits.event_shape)
    return {
        "nll_bound_independent_logistics": nll,
        "bits_per_dim_bound_independent_logistics": nll / (size * math.log(2.0)),
    }


def fit_logits(run: Run, splits: Splits, build: Callable[[int], FlowModel], schedule: Schedule) -> dict:
    """Like `fit_levels`, with only the evidence lower bound, and with the density of logits that papers report.

    Args:
        run: the run.
        splits: levels.
        build: function from the number of training steps in an epoch to a new, compiled flow over levels with a
            `logit_margin`.
        schedule: how long to train.

    Returns:
        The contents of `metrics.json`.
    """
    model = fit_built(run, splits, build, schedule)
    metrics = evaluation.likelihoods(model, splits, num_samples=1)
    metrics["test"].update(evaluation.logit_likelihood(model, splits.test))
    metrics["test"].update(independent_pixels(splits))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Bound with uniform noise, and the density of logits; the epoch was chosen on validation data.",
    )


def fit_built(run: Run, splits: Splits, build: Callable[[int], DensityModel], schedule: Schedule) -> DensityModel:
    """Builds a density and trains it; a flow gets the training data's standardisation as its first step."""
    with run.scope():
        model = build(splits.steps_per_epoch)
    if isinstance(model, FlowModel):
        return fit_flow(run, model, splits, schedule)
    return run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)


def fit_flow(run: Run, model: FlowModel, splits: Splits, schedule: Schedule, *, standardize: bool = True) -> FlowModel:
    """Adapts a flow to the training data, trains it, and takes the moments of its normalizations from all the data."""
    x = splits.array("train")
    model.adapt(x, standardize=standardize)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)
    model.adapt_normalizations(x)
    return model


def fit_players(
    run: Run,
    model: GenerativeModel,
    splits: Splits,
    schedule: FixedSchedule,
    *,
    num_samples: int,
    parzen_every: int = 0,
) -> dict:
    """Trains two players, evaluates their samples, and writes the results.

    Args:
        run: the run.
        model: compiled model, built in the run's scope.
        splits: its data.
        schedule: how long to train.
        num_samples: number of samples to evaluate.
        parzen_every: epochs between two evaluations, as in `fit_to_best_parzen`.

    Returns:
        The contents of `metrics.json`.
    """
    model = fit_to_best_parzen(run, model, splits, schedule, num_samples=num_samples, every=parzen_every)
    return run.finish(
        model, splits, judged_players(model, splits, num_samples=num_samples, seed=run.seed), protocol=JUDGED
    )


def fit_to_best_parzen(
    run: Run, model: GenerativeModel, splits: Splits, schedule: FixedSchedule, *, num_samples: int, every: int
) -> GenerativeModel:
    """Trains a model of levels, and keeps the epoch whose samples have the best Parzen windows on validation data.

    Args:
        run: the run.
        model: compiled model, built in the run's scope.
        splits: its data.
        schedule: how long to train.
        num_samples: number of samples that get a window.
        every: epochs between two evaluations; 0 keeps the last epoch.

    Returns:
        The trained model.

    Raises:
        ValueError: if epochs are to be compared and the data are not levels.
    """
    if not every:
        return run.fit(model, splits, epochs=schedule.epochs)
    if splits.levels is None:
        raise ValueError(f"`parzen_every` must be 0: {splits.name} does not hold levels; received {every}.")
    highest = splits.levels - 1.0
    validation = splits.array("validation")[:NUM_COMPARED] / highest

    def parzen_nll(model: GenerativeModel) -> float:
        samples = drawn(model, num_samples, run.seed) / highest
        return -evaluation.parzen_width(samples, validation)[1]

    name = "val_parzen_nll"
    figure = Figure(name, parzen_nll, every=every)
    return run.fit(model, splits, epochs=schedule.epochs, monitor=name, figures=[figure])


def judged_players(model: GenerativeModel, splits: Splits, *, num_samples: int, seed: int) -> dict[str, dict]:
    """Returns the losses of two players on held-out data and the figures of their samples, by split."""
    judged = judged_samples(model, splits, num_samples=num_samples, seed=seed)
    return {
        split: {**model.evaluate(getattr(splits, split), verbose=0, return_dict=True), **judged[split]}
        for split in ("validation", "test")
    }


def drawn(model: GenerativeModel, num_samples: int, seed: int) -> np.ndarray:
    """Returns samples, drawn a thousand at a time; a conditional model draws all conditions in turn."""
    sizes = [len(chunk) for chunk in np.array_split(np.arange(num_samples), -(-num_samples // 1000))]
    return np.concatenate([model.sample_on_examples(num, seed=(seed, index)) for index, num in enumerate(sizes)])


def judged_samples(model: GenerativeModel, splits: Splits, *, num_samples: int, seed: int) -> dict[str, dict]:
    """Evaluates samples by the modes they find, if the data are a mixture of known Gaussians, or by Parzen windows.

    Args:
        model: trained model; a conditional one draws all conditions in turn.
        splits: its data.
        num_samples: samples to draw.
        seed: seed of the samples.

    Returns:
        Figures for "validation" and "test": for Gaussians, what `evaluation.mode_count` returns, for "test" only; for
        levels, what `parzen_figures` returns; for other real vectors, none.
    """
    centres = getattr(toy.get(splits.name), "centres", None) if splits.name in toy.NAMES else None
    if centres is None and splits.levels is None:
        return {"validation": {}, "test": {}}
    x = drawn(model, num_samples, seed)
    if centres is not None:
        mean, deviation = (0.0, 1.0) if splits.scale is None else splits.scale
        found = evaluation.mode_count(x * deviation + mean, centres, toy.get(splits.name).noise)
        return {"validation": {}, "test": found}
    return parzen_figures(x, splits)


def parzen_figures(samples: np.ndarray, splits: Splits) -> dict[str, dict[str, float]]:
    """Returns the Parzen-window log-likelihood of validation and test data, levels spread over [0, 1].

    Args:
        samples: samples on the scale of the data, which may be rounded to levels.
        splits: data; real vectors are not rescaled.

    Returns:
        For "test", what `evaluation.parzen_log_likelihood` returns; for "validation", the same figure for the examples
        that the width was chosen on.
    """
    highest = 1.0 if splits.levels is None else splits.levels - 1.0
    test, validation = splits.array("test") / highest, splits.array("validation") / highest
    found = evaluation.parzen_log_likelihood(samples / highest, test, validation)
    return {"validation": {"parzen_log_likelihood": found.pop("validation_log_likelihood")}, "test": found}


def fit_translation(
    run: Run,
    model: TranslationModel,
    splits: Splits,
    schedule: FixedSchedule,
    *,
    baselines: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    num_images: int,
) -> dict:
    """Trains a translation to the last epoch, compares it with the targets, and writes the results.

    Args:
        run: the run.
        model: compiled model, built in the run's scope.
        splits: pairs, columns "source" and "target" in levels.
        schedule: how long to train.
        baselines: by name, functions from sources to further images that are compared with the targets.
        num_images: largest number of images of each split to translate.

    Returns:
        The contents of `metrics.json`.
    """
    model = run.fit(model, splits, epochs=schedule.epochs)
    translations = {"": lambda source: model.predict(source, batch_size=schedule.batch_size, verbose=0), **baselines}
    metrics = {}
    for split in ("validation", "test"):
        num = min(num_images, splits.size(split))
        source, target = (splits.examples(split, num)[name].numpy() for name in ("source", "target"))
        rows = {name: translate(source) for name, translate in translations.items()}
        # From the whole set, which may be ordered by similarity.
        spread = tf.range(num, dtype=tf.int64) * splits.size("train") // num
        rows["training targets"] = splits.columns("train", spread, tf.constant([run.seed, 1]))["target"].numpy()
        figures = evaluation.translation_quality(target, rows, model.target_space.num_levels)
        # Training targets are not translations: they only show how far apart two sets of real images are.
        figures["training targets"] = {"frechet_distance": figures["training targets"]["frechet_distance"]}
        metrics[split] = {
            f"{figure} {name}".strip(): value for name, row in figures.items() for figure, value in row.items()
        }
        metrics[split]["num_images"] = num
    return run.finish(model, splits, metrics, protocol=TRANSLATED)


def pretrain_layers(
    run: Run,
    model: MeanFieldLearning,
    splits: Splits,
    labels: Sequence[np.ndarray | None] = (None, None, None),
    *,
    epochs: int,
    learning_rate: float,
) -> None:
    """Fits the machine of each hidden layer of a deep Boltzmann machine, as a stage of the run, and starts from them.

    Args:
        run: the run.
        model: built in the run's scope.
        splits: examples.
        labels: for each split, what its examples are conditioned on; None for nothing.
        epochs: passes over the data for each hidden layer.
        learning_rate: learning rate of stochastic gradient descent at the start; it falls to 0 along a cosine.
    """
    machines = {}
    for name in model.hidden_layers:
        stage = run.stage(name)
        with stage.scope():
            rbm = model.pretraining_rbm(name)
            inputs = splits.unlabelled().changed(
                lambda x, number, name=name: model.pretraining_examples(
                    name, machines, x, labels[number], seed=run.seed + number
                ),
                levels_or_reals(rbm.event_shape, rbm.levels),
            )
            rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * inputs.steps_per_epoch)
            stage.compile(rbm, keras.optimizers.SGD(rate, momentum=0.9), xla=False)
        rbm.adapt(inputs.array("train"))
        machines[name] = stage.fit(rbm, inputs, epochs=epochs)

    x = splits.array("train")
    model.adapt(x, labels[0])
    model.take_pretraining(machines)
    model.start_chains(x, labels[0], seed=run.seed)


def annealed_likelihood(free_energies: np.ndarray, log_z: LogPartition, name: str) -> dict[str, float]:
    """Returns the negative log-likelihood of examples from an estimate of log Z, with its errors.

    Args:
        free_energies: F of each example, float64, in nats.
        log_z: the estimate.
        name: name of the figure.

    Returns:
        The mean, under `name`; its standard error over examples and that of the estimate; and what it would be if the
        mean annealing weight were three standard errors smaller or larger.
    """
    mean = float(free_energies.mean())
    return {
        name: mean + float(log_z.estimate),
        f"{name}_standard_error": float(free_energies.std(ddof=1) / len(free_energies) ** 0.5),
        f"{name}_monte_carlo_error": float(log_z.standard_error),
        "nll_three_errors_below": mean + float(log_z.low),
        "nll_three_errors_above": mean + float(log_z.high),
    }
