"""Reads the folder of a finished run: its arguments, its data, its model."""

import json
import pathlib

from keras_gen.files import fingerprint

#: Arguments of a run that determine how data are read.
READING = (
    "binarization",
    "levels",
    "image_size",
    "channels",
    "bad_files",
    "audio_length",
    "padding",
    "columns",
    "text",
    "missing",
    "feature",
    "label_feature",
    "standardize",
    "captions",
    "placed",
    "held_out",
    "seed",
)


def arguments_of_run(folder: pathlib.Path) -> tuple[dict, dict]:
    """Returns the arguments of a finished run, and those of `data.load` that read other data in the same way.

    Means and deviations are those of the run, if it has recorded them.
    """
    arguments = read_json(folder / "config.json")["arguments"]
    reading = {name: arguments[name] for name in READING if arguments.get(name) is not None}
    described = data_of_run(folder)
    reading |= {name: described[name] for name in ("binarization",) if name in described}
    if described.get("standardized"):
        scale = described.get("scale")
        reading["standardize"] = True if scale is None else (scale["mean"], scale["deviation"])
    return arguments, reading


def model_of_run(folder: pathlib.Path, *, standardized: bool = False):
    """Returns the model of a run, or of a `.keras` file, in the data's units.

    Args:
        folder: folder of the run, or the file.
        standardized: whether to return a model of standardised rows instead, if the run standardised them.
    """
    import numpy as np

    import keras_gen

    model, scale = keras_gen.load_model(folder), data_of_run(folder).get("scale")
    if scale is None:
        return model
    mean, deviation = (np.array(scale[part]) for part in ("mean", "deviation"))
    # Only a run that records the unit of its figures has passed its means and deviations to the model.
    absorbed = "unit" in read_json(folder / "metrics.json")
    if absorbed and standardized:
        model.standardization.absorb(-mean / deviation, 1.0 / deviation)
    elif not absorbed and not standardized:
        model.standardization.absorb(mean, deviation)
    return model


def data_of_run(folder: pathlib.Path) -> dict:
    """Returns what a finished run has recorded about its data; nothing for a `.keras` file."""
    file = folder / "metrics.json"
    return read_json(file).get("dataset", {}) if file.is_file() else {}


def check_same_data(folder: pathlib.Path, arguments: dict, otherwise: str) -> None:
    """Raises an error if a file that a run was trained on has changed since.

    Args:
        folder: folder of the run.
        arguments: its arguments.
        otherwise: end of the message: what can be done instead.
    """
    file = folder / "checkpoints" / "state.json"
    known = read_json(file).get("data", {}) if file.is_file() else {}
    for name, before in known.items():
        if fingerprint(arguments[name]) not in (None, before):
            raise ValueError(
                f"`{name}` {arguments[name]} has changed since the run in {folder} was trained on it; {otherwise}."
            )


def read_json(path: pathlib.Path) -> dict:
    """Reads a file of a finished run."""
    if not path.is_file():
        raise FileNotFoundError(f"`folder` {path.parent} holds no finished run: there is no {path.name}.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"`folder`: {path} is damaged ({error}).") from None


def lacking(folder: pathlib.Path, model, what: str) -> ValueError:
    """Returns the error that says what a model cannot do, and which verbs it has."""
    verbs = ", ".join(model.signatures())
    return ValueError(f"`folder` {folder} holds a {type(model).__name__}, which {what}. It has {verbs}.")
