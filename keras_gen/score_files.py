"""Scores of examples in a file or a folder, as a table: each figure, and its percentile among reference examples."""

import contextlib
import functools
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from keras_gen import evaluation
from keras_gen.console import counted, tracked
from keras_gen.core import Model
from keras_gen.data import NewExamples
from keras_gen.data.new_examples import Part
from keras_gen.evaluation.scores import MISSING, NUM_TRAINING, training_scores
from keras_gen.files import atomic_file, is_local, path_of
from keras_gen.finished_run import arguments_of_run, check_same_data, data_of_run, model_of_run

#: What a table of scores has in its columns besides percentiles.
COLUMNS = {
    "row": "number of the example, counted from 1; the line with the names of columns does not count",
    "split": "part of the data set",
    "file": "file of the example",
    "caption": "caption of the example",
    "log_prob": "log-likelihood, in nats",
    "log_prob_bound": "lower bound on the log-likelihood, in nats",
    "log_prob_upper_bound": "upper bound on the log-likelihood, in nats",
    "log_prob_estimate": "estimate of the log-likelihood, in nats",
    "energy": "energy, in nats, up to a constant; lower for examples that fit",
    "free_energy": "free energy, in nats, up to a constant; lower for examples that fit",
    "variational_free_energy": "bound on the free energy, in nats, up to a constant; lower for examples that fit",
    "reconstruction_error": "distance of the reconstruction from the example, in nats",
    MISSING: "number of entries that are missing",
}

#: A function that reads new examples, given the name of a set and further arguments of `data.NewExamples`.
Reader = Callable[..., NewExamples]


def score_files(
    folder: pathlib.Path,
    name: str,
    output: str | os.PathLike,
    *,
    reference: str | None = None,
    bad_rows: str = "refuse",
    batch_size: int = 100,
    num_samples: int = 100,
    seed: int = 0,
    **given,
) -> None:
    """Scores examples with a trained model, writes a table of the scores, and prints what was done.

    Args:
        folder: folder of a finished run, or a `.keras` file.
        name: table, `.npy` or `.npz` file, or folder of images or of WAV files.
        output: `.csv` file to write.
        reference: examples to compute percentiles against; None uses training examples of the run, "none" gives no
            percentiles.
        bad_rows: as in `data.NewExamples`.
        batch_size: examples that are read and scored at once.
        num_samples: as in `evaluation.scores`.
        seed: as in `evaluation.scores`.
        **given: further arguments of `data.NewExamples`, for the examples and the reference: "label", "captions",
            "bad_files".

    Raises:
        FileNotFoundError: if there is no such file or set.
        ValueError: if the model does not accept an example, or has no figures for examples, or `output` is a file of
            examples.
    """
    for argument, path in {"input": name, "reference": reference}.items():
        if path is not None and is_local(path_of(path)) and os.path.realpath(path) == os.path.realpath(output):
            raise ValueError(f"`output` must not be the file of the {argument}, received {output}.")
    model = model_of_run(folder)
    # A model without figures is rejected before data are read.
    evaluation.example_figures(model)
    arguments, reading = arguments_of_run(folder) if (folder / "config.json").is_file() else ({}, {})
    # The model takes rows in the data's units.
    if reading.pop("standardize", None) is True:
        raise ValueError(f"`folder` {folder} holds a run that does not tell its data's means and deviations.")
    described = data_of_run(folder)
    names = {key: described.get(key, ()) for key in ("column_names", "class_names")}
    read = functools.partial(NewExamples, spaces=model.spaces, rows_at_once=batch_size, reading=reading, **names)
    settings = {"num_samples": num_samples, "seed": seed}

    with named("input"):
        examples = read(name, bad_rows=bad_rows, **given)
        parts = iter(examples)
        # Errors in the first examples are reported before any others are scored.
        parts = itertools.chain(list(itertools.islice(parts, 1)), parts)
    if reference == "none" or (reference is None and not arguments):
        ranks = None
    elif reference is None:
        check_same_data(folder, arguments, "--reference names other examples, or none")
        examples_read = {"dataset": arguments["dataset"], **reading}
        ranks = among_training_examples(model, folder, examples_read, read, batch_size=batch_size, **settings)
    else:
        with named("reference"):
            known = scored(model, tracked(read(reference, **given), "reference"), **settings)
            known = evaluation.all_scores(found for _, found in known)
        again = functools.partial(read, reference, **given)
        ranks = evaluation.Reference(model, known, lambda: columns_of(again()), batch_size=batch_size, **settings)
    with atomic_file(output) as path, named("input"):
        total = examples.num_examples and -(-examples.num_examples // batch_size)
        num, columns = write_scores(path, scored(model, tracked(parts, "scoring", total), **settings), ranks)
        if not num:
            raise ValueError(f"`name`: {name} holds no examples; at least one is expected.")
    examples.say_what_was_done()
    print(
        f"{output}: {counted(num, 'example')} of {name}, scored by the {type(model).__name__} from {folder}. Columns:"
    )
    for column in columns:
        figure = column.removesuffix("_percentile")
        if column == figure:
            print(f"  {column}: {COLUMNS[column]}")
            continue
        others = counted(ranks.num_examples, "training example" if reference is None else "reference example")
        print(f"  {column}: share of {others} whose {figure} is at most as large, in percent")


def among_training_examples(
    model: Model, folder: pathlib.Path, examples_read: dict, read: Reader, *, batch_size: int, **settings
) -> evaluation.Reference:
    """Returns the training examples of a run as the reference among which others are ranked.

    Args:
        model: the run's model.
        folder: its folder.
        examples_read: the source of the examples: "dataset" and arguments of `data.load`.
        read: function that reads them.
        batch_size: examples that are scored at once.
        **settings: further arguments of `evaluation.scores`.

    Raises:
        ValueError: if they no longer exist or cannot be read.
    """

    def examples():
        return columns_of(read(examples_read["dataset"], split="train", most=NUM_TRAINING))

    try:
        known = training_scores(model, folder, examples, examples_read, batch_size=batch_size, **settings)
    except (ValueError, OSError) as error:
        why = str(error).removeprefix("`name`: ").rstrip(".")
        raise ValueError(f"`reference` must be given, or none: the training data cannot be scored ({why}).") from None
    return evaluation.Reference(model, known, examples, batch_size=batch_size, **settings)


def scored(model: Model, parts: Iterable[Part], **settings) -> Iterator[tuple[Part, dict[str, np.ndarray]]]:
    """Yields parts of examples with their figures by name."""
    parts, again = itertools.tee(parts)
    return zip(parts, evaluation.scores(model, columns_of(again), **settings), strict=True)


def columns_of(parts: Iterable[Part]) -> Iterator[dict[str, np.ndarray]]:
    """Yields the columns of parts of examples."""
    return (part.columns for part in parts)


def write_scores(
    path: str | os.PathLike,
    parts: Iterable[tuple[Part, dict[str, np.ndarray]]],
    ranks: evaluation.Reference | None,
) -> tuple[int, list[str]]:
    """Writes a table of figures and, with reference examples, their percentiles; returns its length and columns."""
    num, table = 0, {}
    for part, figures in parts:
        ranked = ranks.percentiles(part.columns["x"], figures) if ranks else {}
        table = dict(part.identity)
        for name, values in figures.items():
            table[name] = values.astype(int) if name == MISSING else values
            if name in ranked:
                table[f"{name}_percentile"] = ranked[name]
        # Models compute in float32, which has seven digits.
        pd.DataFrame(table).to_csv(path, mode="a", header=not num, index=False, float_format="%.7g")
        num += len(next(iter(figures.values())))
    return num, list(table)


@contextlib.contextmanager
def named(argument: str) -> Iterator[None]:
    """Makes errors of readers, which call a data set `name`, use the name of the command's argument."""
    try:
        yield
    except (ValueError, OSError) as error:
        kind = ValueError if isinstance(error, ValueError) else OSError
        raise kind(str(error).replace("`name`", f"`{argument}`", 1)) from None
