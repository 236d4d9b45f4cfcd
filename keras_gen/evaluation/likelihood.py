"""Likelihoods over a data set, exact or estimated, with their standard errors."""

import dataclasses
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gen import seeds
from keras_gen.core import EventModel, GenerativeModel
from keras_gen.data import Splits
from keras_gen.devices import on_all_devices
from keras_gen.evaluation.baselines import baselines
from keras_gen.files import atomic_file
from keras_gen.flows.base import FlowModel

#: Suffix of the name of a figure, by the kind of likelihood. The negative of a lower bound is an upper bound.
SUFFIXES = {"exact": "", "lower bound": "_bound", "upper bound": "_lower_bound", "estimate": "_estimate"}


#: Statement in reports about likelihoods of standardised rows.
STANDARDISED = "of standardised entries"

#: Number of samples of an example below which an estimate of its Monte Carlo error is useless.
FEWEST_SAMPLES = 20


@dataclasses.dataclass
class Totals:
    """Running totals of the log-likelihoods of some batches, in float64."""

    num_batches: int = 0
    count: int = 0
    mean: float = 0.0
    #: Sum of the squared distances from the mean.
    squares: float = 0.0
    #: Sum of the squared Monte Carlo errors.
    squared_errors: float = 0.0
    num_entries: int = 0

    def add(self, values: np.ndarray, errors: np.ndarray | None, num_entries: int):
        """Adds a batch: its log-likelihoods, their Monte Carlo errors, and the number of its observed entries."""
        mean, both = float(values.mean()), self.count + len(values)
        # Combines both parts as in Chan, Golub, LeVeque (1983).
        shift = mean - self.mean
        self.squares += float(np.sum((values - mean) ** 2)) + shift**2 * self.count * len(values) / both
        self.mean += shift * len(values) / both
        self.squared_errors += 0.0 if errors is None else float(np.sum(errors**2))
        self.num_batches, self.count, self.num_entries = self.num_batches + 1, both, self.num_entries + num_entries

    def standard_error(self) -> float:
        """Returns the standard error of the mean; NaN for a single example."""
        return math.sqrt(self.squares / (self.count - 1) / self.count) if self.count > 1 else math.nan


class Kept:
    """A file that keeps the figures of a long evaluation; a short one leaves no file.

    Args:
        path: the file, which belongs only to this evaluation.
        seconds: time between two writes.
    """

    def __init__(self, path: pathlib.Path, seconds: float = 60.0):
        self.path = path
        self.seconds = seconds
        self.written = time.monotonic()

    def read(self) -> Totals:
        """Returns the figures kept by a killed evaluation, or empty totals."""
        return Totals(**json.loads(self.path.read_text(encoding="utf-8"))) if self.path.is_file() else Totals()

    def write(self, totals: Totals):
        """Writes the figures so far, if a write is due."""
        if time.monotonic() - self.written >= self.seconds:
            with atomic_file(self.path) as beside:
                beside.write_text(json.dumps(dataclasses.asdict(totals)), encoding="utf-8")
            self.written = time.monotonic()

    def remove(self):
        """Removes the file after the evaluation has ended."""
        self.path.unlink(missing_ok=True)


def likelihood(
    model: GenerativeModel,
    dataset: tf.data.Dataset,
    *,
    num_samples: int = 100,
    seed: int = 0,
    verbose: bool = True,
    kept: Kept | None = None,
    devices: Sequence[str] | None = None,
) -> dict[str, float]:
    """Evaluates the negative log-likelihood: exactly if the model can, else by its estimate.

    Memory does not grow with the number of examples, and all GPUs share the batches.

    Names say what a figure is: "nll" is exact, "nll_bound" is at least as large as the exact figure, "nll_lower_bound"
    at most as large, and "nll_estimate" may be either; `model.likelihood_kind` says which one applies.

    Args:
        model: a model with a likelihood.
        dataset: batches in any form that `fit` takes.
        num_samples: number of samples for each example of an estimate; with 1, the bound of a VAE is its negative ELBO.
        seed: seed of the samples.
        verbose: whether to show a progress bar.
        kept: file that keeps the figures so far, so that a killed evaluation can be resumed; None for none.
        devices: as in `keras_gen.devices.on_all_devices`.

    Returns:
        "nll" in nats; "bits_per_dim", in which missing entries do not count, except for real numbers, where it depends
        on the unit; and the "nll_standard_error" of the mean over examples. For an estimate, "nll_bound",
        "bits_per_dim_bound" and "nll_bound_standard_error", or the like; the part of the error that comes from the
        samples, "nll_bound_monte_carlo_error", NaN for fewer than 20 samples; and "num_samples".

    Raises:
        ValueError: if the model has no likelihood.
    """
    kind = model.likelihood_kind
    if kind is None:
        raise ValueError(f"`model` must have a likelihood; {type(model).__name__} has none.")
    log_likelihood = log_likelihood_function(model, num_samples)
    totals = Totals() if kept is None else kept.read()

    def of_batch(index, batch):
        columns, _ = model.unpack(batch)
        return *log_likelihood(columns, folded(seed, index)), int(np.count_nonzero(~np.isnan(columns["x"])))

    batches = shown(dataset.skip(totals.num_batches), verbose)
    for found in on_all_devices(of_batch, enumerate(batches, totals.num_batches), devices):
        totals.add(*found)
        if kept is not None:
            kept.write(totals)
    suffix = SUFFIXES[kind]
    figures = {f"nll{suffix}": -totals.mean}
    if model.spaces["x"].in_bits:
        figures[f"bits_per_dim{suffix}"] = -totals.mean * totals.count / (totals.num_entries * math.log(2.0))
    figures[f"nll{suffix}_standard_error"] = totals.standard_error()
    if kind == "exact":
        return figures
    monte_carlo_error = math.nan
    if num_samples >= FEWEST_SAMPLES:
        monte_carlo_error = math.sqrt(totals.squared_errors) / totals.count
    return {**figures, f"nll{suffix}_monte_carlo_error": monte_carlo_error, "num_samples": num_samples}


def log_likelihood_function(
    model: EventModel, num_samples: int
) -> Callable[[dict[str, tf.Tensor], int | tf.Tensor], tuple[np.ndarray, np.ndarray | None]]:
    """Returns the function from a batch to the log-likelihood of each example, or its bound or estimate.

    Args:
        model: a model with a likelihood.
        num_samples: number of samples for each example of an estimate.

    Returns:
        Function from columns by name, and the seed of the samples, to two float64 arrays of shape `(batch,)`, in nats:
        the values, and the Monte Carlo standard errors of an estimate (None for an exact likelihood).
    """
    if model.likelihood_kind == "exact":
        specs = model.specs("x", "condition")
        # One trace, with a variable batch size.
        log_prob = tf.function(lambda columns: model.log_prob(**columns), autograph=False, input_signature=[specs])

        def exact(columns, seed):
            valid = {name: model.spaces[name].validate(columns[name], name) for name in specs if name in columns}
            return log_prob(valid).numpy().astype(np.float64), None

        return exact

    def estimate(columns, seed):
        value, error = model.log_prob_bound(**columns, num_samples=num_samples, seed=seed)
        return value.numpy().astype(np.float64), error.numpy().astype(np.float64)

    return estimate


def likelihoods(model: GenerativeModel, splits: Splits, num_samples: int = 100) -> dict[str, dict[str, float]]:
    """Evaluates the likelihood of validation and test data.

    Args:
        model: a model with a likelihood.
        splits: data.
        num_samples: number of samples for each example of an estimate.

    Returns:
        For "validation" and "test", what `likelihood` returns. For an exact likelihood, "test" also has the figures of
        `baselines`. For a lower bound, both have the "elbo", the bound with one sample, in nats, and its
        "elbo_standard_error"; only "test" has the bound with `num_samples`.
    """
    found = {}
    for name in ("validation", "test"):
        if model.likelihood_kind == "lower bound":
            bound = likelihood(model, getattr(splits, name), num_samples=1)
            found[name] = {"elbo": -bound["nll_bound"], "elbo_standard_error": bound["nll_bound_standard_error"]}
        else:
            found[name] = likelihood(model, getattr(splits, name), num_samples=num_samples)
    if model.likelihood_kind == "lower bound":
        found["test"].update(likelihood(model, splits.test, num_samples=num_samples))
    elif model.likelihood_kind == "exact":
        found["test"].update(baselines(splits))
    return found


def in_data_units(figures: Mapping[str, float], splits: Splits, split: str) -> dict[str, float]:
    """Converts likelihoods of standardised rows to those of the rows themselves.

    The density of numbers in another unit is divided by the volume of that unit.

    Args:
        figures: figures by name; those that are not a likelihood, or the error of one, are left out.
        splits: standardised data.
        split: the split that the figures belong to.

    Returns:
        Likelihoods in nats, and their errors, which are unchanged; errors are omitted if
        entries are missing, because the unit's contribution then differs between rows.
    """
    # Share of the rows in which each entry is observed.
    present = np.ones(splits.event_shape)
    if splits.event_space.missing:
        batches = (np.asarray(tf.nest.flatten(batch)[0]) for batch in splits.in_order(split))
        present = sum(np.sum(~np.isnan(x), axis=0) for x in batches) / splits.size(split)
    nats = np.sum(present * np.log(splits.scale[1]))
    found = {}
    for name, value in figures.items():
        if name.endswith("_error"):
            if np.all(present == 1.0):
                found[name] = value
        elif name.startswith("nll"):
            found[name] = value + nats
        elif name == "elbo":
            found[name] = value - nats
    return found


def logit_likelihood(model: FlowModel, dataset: tf.data.Dataset, *, seed: int = 0) -> dict[str, float]:
    """Evaluates the density of the logits of levels with noise, as papers report for flows of images.

    Args:
        model: a flow of levels with a `logit_margin`.
        dataset: batches in any form that `fit` takes.
        seed: seed of the noise.

    Returns:
        The mean "logit_log_likelihood" in nats, and its "logit_standard_error".
    """
    log_prob = tf.function(model.logit_log_prob, autograph=False, reduce_retracing=True)
    values = [
        log_prob(**model.unpack(batch)[0], seed=folded(seed, index)).numpy() for index, batch in enumerate(dataset)
    ]
    values = np.concatenate(values).astype(np.float64)
    return {"logit_log_likelihood": values.mean(), "logit_standard_error": standard_error(values)}


def folded(seed: int, index: int) -> tf.Tensor:
    """Returns the seed of one batch."""
    return tf.random.experimental.stateless_fold_in(seeds.as_pair(seed), index)


def standard_error(values: np.ndarray) -> float:
    """Returns the standard error of the mean of independent values; NaN for a single one."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def shown(dataset: tf.data.Dataset, verbose: bool):
    """Yields batches and shows a progress bar."""
    count = int(dataset.cardinality())
    # A bar needs a terminal; it would clutter a log file.
    verbose = int(verbose and sys.stdout.isatty())
    bar = keras.utils.Progbar(count if count > 0 else None, verbose=verbose, unit_name="batch")
    for batch in dataset:
        yield batch
        bar.add(1)
