"""Scores of single examples: how likely each is under a model, and how usual that is."""

import functools
import hashlib
import math
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from keras_gen.core import EventModel, Model, Signature
from keras_gen.evaluation.anomaly import reconstruction_error
from keras_gen.evaluation.batches import batches_of, columns_for
from keras_gen.evaluation.likelihood import folded, log_likelihood_function
from keras_gen.export.graphs import as_graph
from keras_gen.files import cached

#: Name of a likelihood, by its kind.
LIKELIHOOD_NAMES = {
    "exact": "log_prob",
    "lower bound": "log_prob_bound",
    "upper bound": "log_prob_upper_bound",
    "estimate": "log_prob_estimate",
}

#: Signatures whose only output is an energy of examples, lower for examples that fit.
ENERGIES = ("energy", "free_energy", "variational_free_energy")

#: Largest number of training examples that percentiles are computed against; their error is then below one percent.
NUM_TRAINING = 10_000

#: Smallest number of reference examples for ranking an example with missing entries, if there are that many: of few
#: entries, and of so many that scoring takes long, such as sounds. Up to twice as many are used.
NUM_MASKED, FEWEST_MASKED = 1_000, 100

#: Largest total number of entries of these reference examples, unless there are only the smallest number of them.
MOST_ENTRIES = 1_000_000

#: Name of the number of an example's missing entries, for a model that accepts such examples.
MISSING = "entries_missing"

#: A function from columns by name and a seed to one number for each example.
ExampleFigure = Callable[[dict[str, tf.Tensor], tf.Tensor], np.ndarray]


def example_figures(model: Model, *, num_samples: int = 100) -> dict[str, ExampleFigure]:
    """Returns the figures of single examples that a model has.

    - "log_prob", the exact log-likelihood, in nats; or "log_prob_bound", "log_prob_upper_bound" or "log_prob_estimate",
      depending on `model.likelihood_kind`;
    - "energy", "free_energy" or "variational_free_energy" of the examples alone, in nats, up to a constant;
    - "reconstruction_error", as computed by `reconstruction_error`.

    Args:
        model: any model.
        num_samples: number of samples for each example of a bound or an estimate.

    Returns:
        Name to a function from valid columns and a seed to a float64 array of shape `(batch,)`.

    Raises:
        ValueError: if the model has none of these figures.
    """
    figures = {}
    if model.likelihood_kind is not None:
        log_likelihood = log_likelihood_function(model, num_samples)
        figures[LIKELIHOOD_NAMES[model.likelihood_kind]] = lambda columns, seed: log_likelihood(columns, seed)[0]
    signatures = model.signatures() if isinstance(model, EventModel) else {}
    for name in ENERGIES:
        # An energy that also depends on hidden units is not an energy of an example.
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
    """Yields the figures of each example listed in `example_figures`, batch by batch.

    Example:

    ```python
    for figures in evaluation.scores(model, x_new):
        print(figures["log_prob"])
    ```

    Args:
        model: a model with a likelihood, an energy of examples or a reconstruction.
        dataset: an array or a data frame of examples; or an iterable of batches, such as a `tf.data.Dataset`, in any
            form that `fit` takes.
        num_samples: number of samples for each example of a bound or an estimate.
        seed: seed of these samples; those of a batch depend on its position, as in `likelihood`.
        batch_size: number of examples of an array to score at once.
        scale: mean and standard deviation by which examples were standardised: likelihoods are then in the data's
            units, and everything else refers to standardised entries.

    Yields:
        Name to float64 array of shape `(batch,)`; for a model that accepts examples with missing entries, also their
        number, "entries_missing".

    Raises:
        ValueError: if the model has no figures for examples, or does not accept an example.
    """
    figures = example_figures(model, num_samples=num_samples)
    # A list may hold batches, but an array or a data frame holds examples.
    in_one = isinstance(dataset, np.ndarray) or hasattr(dataset, "to_numpy")
    batches = batches_of(dataset, batch_size) if in_one else dataset
    return (scored_batch(model, figures, scale, batch, folded(seed, place)) for place, batch in enumerate(batches))


def scored_batch(model: Model, figures: Mapping[str, ExampleFigure], scale, batch, seed) -> dict[str, np.ndarray]:
    """Returns the figures of one batch."""
    columns = columns_for(model, batch)
    # A model of captions unpacks them as token ids.
    columns, _ = model.unpack({name: model.spaces[name].validate(column, name) for name, column in columns.items()})
    found = {name: figure(columns, seed) for name, figure in figures.items()}
    present = ~np.isnan(columns["x"])
    entries = tuple(range(1, present.ndim))
    if scale is not None:
        # The density of numbers in another unit is divided by the volume of that unit, over the observed entries.
        volumes = np.sum(present * np.log(scale[1]), axis=entries)
        found = {name: found[name] - volumes if name in LIKELIHOOD_NAMES.values() else found[name] for name in found}
    if model.spaces["x"].missing:
        found[MISSING] = np.sum(~present, axis=entries).astype(np.float64)
    return found


def all_scores(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns the figures of all batches as one array each.

    Raises:
        ValueError: if there is no batch.
    """
    parts = list(parts)
    if not parts:
        raise ValueError("`dataset` holds no examples; at least one is expected.")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def percentiles(values, reference) -> np.ndarray:
    """Returns the share of reference values that are at most as large as each value, in percent.

    A likelihood with a low percentile, or an energy or an error with a high one, is unusual.

    Args:
        values: one number per example.
        reference: the same for other examples, such as those that a model was trained on.

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


def spread(parts: Iterable[Mapping[str, np.ndarray]], most: int) -> dict[str, np.ndarray]:
    """Returns some of the examples of all parts, evenly spaced, as columns by name.

    Args:
        parts: columns of examples, by name; at least one part.
        most: number of examples to return; fewer than twice as many may be returned.
    """
    kept, every, num = [], 1, 0
    for part in parts:
        for row in range(len(part["x"])):
            if num % every == 0:
                kept.append({name: column[row] for name, column in part.items()})
            num += 1
            if len(kept) == 2 * most:
                kept, every = kept[::2], 2 * every
    return {name: np.stack([row[name] for row in kept]) for name in kept[0]}


class Reference:
    """Reference examples among which the figures of others are ranked.

    The likelihood of an example with missing entries is that of its observed entries: a density of fewer numbers, in
    another unit. It is ranked among the likelihoods of the same entries of reference examples.

    Args:
        model: as in `scores`.
        figures: figures of all reference examples, as returned by `all_scores`.
        examples: function that returns parts of the reference examples, as columns by name; it is called once entries
            are missing.
        batch_size: number of reference examples to score at once.
        num_samples: as in `scores`.
        seed: as in `scores`.
        scale: as in `scores`.

    Attributes:
        num_examples: number of reference examples.
    """

    def __init__(
        self,
        model: Model,
        figures: Mapping[str, np.ndarray],
        examples: Callable[[], Iterable[Mapping[str, np.ndarray]]],
        *,
        batch_size: int = 100,
        num_samples: int = 100,
        seed: int = 0,
        scale: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        self.num_examples = len(next(iter(figures.values())))
        complete = figures[MISSING] == 0 if MISSING in figures else slice(None)
        self.complete = {name: values[complete] for name, values in figures.items() if name != MISSING}
        self.model, self.examples = model, examples
        self.batch_size, self.seed, self.scale = batch_size, seed, scale
        self.functions = example_figures(model, num_samples=num_samples)
        self.by_pattern = {}

    def percentiles(self, x: np.ndarray, figures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns name to the percentile of each example's figure; NaN if no reference example has its entries.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            figures: their figures by name.
        """
        found = {name: np.full(len(x), np.nan) for name in self.complete}
        missing = np.isnan(x).reshape(len(x), -1)
        patterns = np.unique(missing, axis=0) if missing.any() else missing[:1]
        for pattern in patterns:
            rows = (missing == pattern).all(axis=1)
            known = self.same_entries(pattern) if pattern.any() else self.complete
            for name, values in known.items():
                if len(values):
                    found[name][rows] = percentiles(figures[name][rows], values)
        return found

    def same_entries(self, pattern: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the figures of reference examples when only some of their entries are used.

        Args:
            pattern: bool array, True for each entry that is left out.
        """
        key = pattern.tobytes()
        if key not in self.by_pattern:
            x = self.columns["x"].reshape(-1, len(pattern))
            kept = ~np.isnan(x[:, ~pattern]).any(axis=1)
            columns = {name: column[kept] for name, column in self.columns.items()}
            columns["x"] = np.where(pattern, np.nan, x[kept]).reshape(columns["x"].shape).astype(x.dtype)
            scored = []
            for start in range(0, np.count_nonzero(kept), self.batch_size):
                batch = {name: column[start : start + self.batch_size] for name, column in columns.items()}
                scored.append(scored_batch(self.model, self.functions, self.scale, batch, folded(self.seed, start)))
            self.by_pattern[key] = all_scores(scored) if scored else dict.fromkeys(self.complete, np.array([]))
        return {name: self.by_pattern[key][name] for name in self.complete}

    @functools.cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """Reference examples; evenly spaced ones if there are many."""
        entries = math.prod(self.model.spaces["x"].shape)
        return spread(self.examples(), min(NUM_MASKED, max(FEWEST_MASKED, MOST_ENTRIES // entries)))


def training_scores(
    model: Model,
    folder: pathlib.Path,
    examples: Callable[[], Iterable[Mapping[str, np.ndarray]]],
    state,
    *,
    batch_size: int,
    num_samples: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Returns the figures of training examples of a finished run, computed once: see `files.cached`.

    Args:
        model: the run's model.
        folder: its folder.
        examples: function that returns parts of the training examples, as columns by name.
        state: a value, representable as JSON, that the examples depend on.
        batch_size: number of examples in a part.
        num_samples: as in `scores`.
        seed: as in `scores`.

    Returns:
        Name to float64 array.
    """

    def write(place: pathlib.Path):
        try:
            found = all_scores(scores(model, examples(), num_samples=num_samples, seed=seed))
        except OSError as error:
            # An error of the examples, not of the folder that is written.
            raise ValueError(str(error)) from None
        np.savez(place / "scores.npz", **found)

    key = {"model": digest(folder / "model.keras"), "data": state}
    if model.likelihood_kind != "exact":
        key["samples"] = [num_samples, seed, batch_size]
    place = cached(f"scores of the training examples of {folder.absolute()}", key, write)
    with np.load(place / "scores.npz", allow_pickle=False) as found:
        return dict(found)


def digest(file: pathlib.Path) -> str:
    """Returns a digest that distinguishes a file from any other."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
