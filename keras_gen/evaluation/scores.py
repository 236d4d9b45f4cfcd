"""Scores of single examples: how likely a model holds each of them, and how usual that is."""

import hashlib
import json
import pathlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from keras_gen.core import EventModel, Model, Signature
from keras_gen.data import NewExamples
from keras_gen.evaluation.anomaly import reconstruction_error
from keras_gen.evaluation.batches import batches_of, columns_for
from keras_gen.evaluation.likelihood import folded, log_likelihood_function
from keras_gen.export.graphs import as_graph
from keras_gen.files import atomic_file, local_file

#: What a likelihood is called, by its kind.
LIKELIHOOD_NAMES = {
    "exact": "log_prob",
    "lower bound": "log_prob_bound",
    "upper bound": "log_prob_upper_bound",
    "estimate": "log_prob_estimate",
}

#: Signatures whose only output is an energy of examples, lower where they fit.
ENERGIES = ("energy", "free_energy", "variational_free_energy")

#: Training examples that percentiles are against, at most; their error is below one percent then.
NUM_TRAINING = 10_000

#: A function from columns by name, and a seed, to one number for each example.
ExampleFigure = Callable[[dict[str, tf.Tensor], tf.Tensor], np.ndarray]


def example_figures(model: Model, *, num_samples: int = 100) -> dict[str, ExampleFigure]:
    """Returns the figures of single examples that a model has.

    - "log_prob", the exact log-likelihood, in nats; or "log_prob_bound", "log_prob_upper_bound" or "log_prob_estimate",
      as `model.likelihood_kind` says;
    - "energy", "free_energy" or "variational_free_energy" of examples alone, in nats, up to a constant;
    - "reconstruction_error", as `reconstruction_error` computes it.

    Args:
        model: any model.
        num_samples: samples for each example of a bound or an estimate.

    Returns:
        Name to a function from valid columns and a seed to a float64 array of shape `(batch,)`.

    Raises:
        ValueError: if the model has none of them.
    """
    figures = {}
    if model.likelihood_kind is not None:
        log_likelihood = log_likelihood_function(model, num_samples)
        figures[LIKELIHOOD_NAMES[model.likelihood_kind]] = lambda columns, seed: log_likelihood(columns, seed)[0]
    signatures = model.signatures() if isinstance(model, EventModel) else {}
    for name in ENERGIES:
        # An energy of hidden units, too, is none of an example.
        if name in signatures and set(signatures[name].inputs) <= set(model.spaces):
            figures[name] = energy_function(signatures[name])
    if "reconstruct" in signatures:
        takes = signatures["reconstruct"].inputs
        figures["reconstruction_error"] = lambda columns, _: reconstruction_error(
            model, **{name: columns[name] for name in takes}
        )
    if not figures:
        raise ValueError(
            f"`model` must have a likelihood, an energy of examples, or reconstruct them, to score them; a "
            f"{type(model).__name__} has {', '.join(model.signatures()) or 'none of these'}."
        )
    return figures


def energy_function(signature: Signature) -> ExampleFigure:
    """Returns a signature with one output as a figure of examples."""
    graph = as_graph(signature)

    def energy(columns, seed):
        (values,) = graph(**{name: columns[name] for name in signature.inputs}).values()
        return values.numpy().astype(np.float64)

    return energy


def scores(
    model: Model,
    dataset,
    *,
    num_samples: int = 100,
    seed: int = 0,
    batch_size: int = 100,
    scale: tuple[np.ndarray, np.ndarray] | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the figures of each example that `example_figures` names, batch by batch.

    Example:

    ```python
    for figures in evaluation.scores(model, x_new):
        print(figures["log_prob"])
    ```

    Args:
        model: a model with a likelihood, an energy of examples or a reconstruction.
        dataset: an array or a data frame of examples; or an iterable of batches, such as a `tf.data.Dataset`, in any
            form that `fit` takes.
        num_samples: samples for each example of a bound or an estimate.
        seed: seed of these samples; those of a batch depend on its place, as in `likelihood`.
        batch_size: examples of an array that are scored at once.
        scale: mean and standard deviation by which examples were standardised: likelihoods are those of the data's
            units then, and all else is of standardised entries.

    Yields:
        Name to float64 array of shape `(batch,)`.

    Raises:
        ValueError: if the model has no figures of examples, or an example is not what it takes.
    """
    figures = example_figures(model, num_samples=num_samples)
    # A list may be one of batches, but an array or a data frame holds examples.
    in_one = isinstance(dataset, np.ndarray) or hasattr(dataset, "to_numpy")
    batches = batches_of(dataset, batch_size) if in_one else dataset
    return (scored_batch(model, figures, scale, batch, folded(seed, place)) for place, batch in enumerate(batches))


def scored_batch(model: Model, figures: Mapping[str, ExampleFigure], scale, batch, seed) -> dict[str, np.ndarray]:
    """Returns the figures of one batch."""
    columns = columns_for(model, batch)
    # A model of captions unpacks them as token ids.
    columns, _ = model.unpack({name: model.spaces[name].validate(column, name) for name, column in columns.items()})
    found = {name: figure(columns, seed) for name, figure in figures.items()}
    if scale is None:
        return found
    # The density of numbers in another unit is divided by the volume of that unit, of entries that are there.
    present = ~np.isnan(columns["x"])
    volumes = np.sum(present * np.log(scale[1]), axis=tuple(range(1, present.ndim)))
    return {name: found[name] - volumes if name in LIKELIHOOD_NAMES.values() else found[name] for name in found}


def all_scores(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns figures of all batches as one array each.

    Raises:
        ValueError: if there is no batch.
    """
    parts = list(parts)
    if not parts:
        raise ValueError("`dataset` holds no examples; at least one is expected.")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def percentiles(values, reference) -> np.ndarray:
    """Returns the share of reference values that are at most as large as each value, in percent.

    A likelihood of a low percentile, or an energy or an error of a high one, is unusual.

    Args:
        values: one number per example.
        reference: the same of other examples, such as those that a model was trained on.

    Returns:
        float64 array of the shape of `values`, from 0 to 100; NaN where a value is.

    Raises:
        ValueError: if `reference` is empty or holds NaN.
    """
    values, reference = np.asarray(values, np.float64), np.sort(np.asarray(reference, np.float64), axis=None)
    if not len(reference) or np.isnan(reference[-1]):
        raise ValueError("`reference` must hold numbers, at least one, and no NaN.")
    shares = 100.0 * np.searchsorted(reference, values, side="right") / len(reference)
    return np.where(np.isnan(values), np.nan, shares)


def training_scores(
    model: Model, folder: pathlib.Path, dataset: str, reading: Mapping, *, num_samples: int, seed: int, batch_size: int
) -> dict[str, np.ndarray]:
    """Returns the figures of training examples of a finished run, which its folder remembers.

    Args:
        model: the run's model.
        folder: its folder.
        dataset: its data set.
        reading: arguments of `data.load` that the run read it with.
        num_samples: as in `scores`.
        seed: as in `scores`.
        batch_size: examples scored at once.

    Returns:
        Name to float64 array, of all training examples or of `NUM_TRAINING` that are evenly spread.
    """

    def compute():
        examples = NewExamples(
            dataset, model.spaces, rows_at_once=batch_size, reading=reading, split="train", most=NUM_TRAINING
        )
        arguments = {"num_samples": num_samples, "seed": seed, "scale": reading.get("standardize")}
        return all_scores(scores(model, (part.columns for part in examples), **arguments))

    key = {"model": digest(folder / "model.keras"), "data": {"dataset": dataset, **reading}}
    if model.likelihood_kind != "exact":
        key["samples"] = [num_samples, seed, batch_size]
    return remembered(folder / "training_scores.npz", key, compute)


def remembered(file: pathlib.Path, key: dict, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns arrays that a file holds if they were computed for the same key; else computes and writes them.

    Args:
        file: an `.npz` file, which need not exist.
        key: what the arrays depend on, as JSON can hold it.
        compute: function that returns the arrays by name.
    """
    text = json.dumps(key, sort_keys=True, default=str)
    if file.is_file():
        try:
            with local_file(file) as here, np.load(here, allow_pickle=False) as found:
                if str(found["key"]) == text:
                    return {name: found[name] for name in found.files if name != "key"}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile):
            # A damaged file is written anew.
            pass
    arrays = compute()
    with atomic_file(file) as path:
        np.savez(path, key=np.array(text), **arrays)
    return arrays


def digest(file: pathlib.Path) -> str:
    """Returns what tells a file from any other one."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
