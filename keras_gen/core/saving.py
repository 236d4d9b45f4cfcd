"""Saving models to `.keras` files and loading them again."""

import importlib
import json
import zipfile
import zlib
from pathlib import Path

import keras

from keras_gen import files
from keras_gen.core.base import Model


def save_model(model: Model, path) -> None:
    """Writes a model, its optimizers included, to a `.keras` file.

    The file appears when it is complete; one that was there before is replaced then, and kept if writing fails.

    Args:
        model: the model.
        path: path of the file, ending in `.keras`.

    Raises:
        ValueError: if `path` does not end in `.keras`.
        OSError: if the file cannot be written.
    """
    if Path(path).suffix != ".keras":
        raise ValueError(f"`path` must end in .keras, received {str(path)!r}.")
    with files.atomic_file(path) as beside:
        keras.saving.save_model(model, beside)


def load_model(path) -> Model:
    """Loads a model of this package from a `.keras` file.

    The only code that a file can ask for is a model class inside keras_gen.

    Args:
        path: path of the file, or of a run's folder that holds `model.keras`.

    Returns:
        The model, compiled if it was saved so.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a `.keras` file, is damaged, or holds something other than a model of keras_gen.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` does not exist; expected a .keras file or a folder with a model.keras.")
    # The first bytes of a zip archive, which a file that was cut short still has.
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError(f"`{path}` is not a .keras file.")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"`{path}` is damaged or cut short: {error}.") from error
    except (KeyError, ValueError) as error:
        raise ValueError(f"`{path}` is not a .keras file: it has no readable config.json.") from error
    if damaged:
        raise ValueError(f"`{path}` is damaged: the checksum of {damaged} inside it is wrong.")
    model_class = class_of(path, config)
    names = {model_class.__name__, keras.saving.get_registered_name(model_class)}
    try:
        return keras.saving.load_model(path, custom_objects=dict.fromkeys(names, model_class))
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).strip().split("\n", 1)[0].rstrip(".")
        raise ValueError(f"`{path}` does not fit {model_class.__name__} of this version: {reason}.") from error


def described(model: Model) -> dict:
    """Returns what class a model is of and its arguments, as plain values, from which `from_description` makes it."""
    kind = type(model)
    # As a file would hold it: lists in place of tuples.
    config = json.loads(json.dumps(model.get_config()))
    return {"module": kind.__module__, "class_name": kind.__name__, "config": config}


def from_description(description: dict) -> Model:
    """Returns a new model of the class and with the arguments that `described` returned.

    Raises:
        ValueError: if it is not a description of a model of keras_gen.
    """
    model_class = class_of("the description of a model", description)
    return model_class.from_config(description["config"])


def class_of(path: Path | str, config) -> type[Model]:
    """Returns the model class that a file's config names, importing its module if it is inside keras_gen."""
    config = config if isinstance(config, dict) else {}
    module, name = str(config.get("module")), str(config.get("class_name"))
    found = None
    if module == "keras_gen" or module.startswith("keras_gen."):
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError:
            found = None
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise ValueError(f"`{path}` holds {module}.{name}, which is not a model of keras_gen.")
    return found
