"""Saving models to `.keras` files and loading them again."""

import contextlib
import hashlib
import importlib
import inspect
import json
import math
import struct
import textwrap
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_gen import files, hub
from keras_gen.core.base import Model


def save_model(model: Model, path) -> None:
    """Writes a model, its optimizers included, to a `.keras` file.

    The file appears only once it is complete. An existing file is replaced then, and kept if writing fails.

    Args:
        model: the model.
        path: path of the file, ending in `.keras`.

    Raises:
        ValueError: if `path` does not end in `.keras`.
        OSError: if the file cannot be written.
    """
    if files.path_of(path).suffix != ".keras":
        raise ValueError(f"`path` must end in .keras, received {str(path)!r}.")
    with files.atomic_file(path) as beside:
        keras.saving.save_model(model, beside)


def without_optimizers(model: Model) -> Model:
    """Returns an uncompiled copy of a model: a third of the size of one with the state of Adam."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def load_model(path, custom_objects: dict[str, type] | None = None) -> Model:
    """Loads a model from a `.keras` file.

    A file can ask only for the classes of Keras and of this package, and for what is registered with Keras or given
    here. It cannot run code of its own. Its model is built only to the extent that the file holds the weights for it.

    Args:
        path: path of the file, or of a run's folder that holds `model.keras`; the name of a model that comes with the
            package, such as "made-digits" (`keras-gen list` names them); or the address of a model on Hugging Face or
            Kaggle, as in `keras_gen.hub`.
        custom_objects: your own classes, such as a subclass of a model, by name.

    Returns:
        The model, compiled if it was saved compiled. Parts that were frozen are frozen.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a `.keras` file, is damaged, or asks for something else.
    """
    path = hub.model_file(path)
    if not files.is_local(path):
        with files.local_file(path) as copy:
            return load_model(copy, custom_objects)
    # The first bytes of a zip archive, which a truncated file still has.
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError(f"`{path}` is not a .keras file.")
    with readable(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    check_members(path, members)
    with readable(path), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        config = json.loads(archive.read("config.json"))
    if damaged:
        raise ValueError(f"`{path}` is damaged: the checksum of {damaged} inside it is wrong.")
    custom_objects = dict(custom_objects or {})
    model_class = class_of(path, config, custom_objects)
    for part in ("config", "compile_config"):
        check_config(path, config.get(part), custom_objects)
    for name in (model_class.__name__, str(config.get("registered_name"))):
        custom_objects.setdefault(name, model_class)
    num_bytes = SPARE_BYTES + 4 * sum(member.file_size for member in members)
    try:
        with tf.variable_creator_scope(within(num_bytes)):
            return keras.saving.load_model(path, custom_objects=custom_objects)
    except FOREIGN_ERRORS as error:
        raise ValueError(f"`{path}` does not fit {model_class.__name__} of this version: {reason(error)}.") from error


#: The errors that a malicious file raises deep inside Keras or TensorFlow.
FOREIGN_ERRORS = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, OSError, RuntimeError),
    *(TypeError, ValueError, tf.errors.OpError),
)

#: Members of a file may be compressed; members that expand further than this only waste memory.
LARGEST_EXPANSION, FREE_BYTES = 100, 1 << 28

#: Number of entries of the largest shape that a configuration may hold: a square colour picture with sides of 4,700
#: pixels.
LARGEST_SHAPE = 1 << 26

#: Bytes of variables that a file need not hold. Beyond these, a model may have four times as many bytes as the file:
#: its weights, and the state that a new optimizer keeps for them.
SPARE_BYTES = 1 << 20


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns the errors of reading a damaged archive into a clear message about the file."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"`{path}` is damaged or cut short: {reason(error)}.") from error
    except (KeyError, ValueError) as error:
        raise ValueError(f"`{path}` is not a .keras file: it has no readable config.json.") from error


def check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises an error if a member of an archive would be written elsewhere, or expands beyond reason."""
    for member in members:
        name = member.filename
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name:
            raise ValueError(f"`{path}` is not a .keras file: it holds {name!r}, a path outside of it.")
        if member.file_size > FREE_BYTES and member.file_size > LARGEST_EXPANSION * member.compress_size:
            raise ValueError(f"`{path}` is not a .keras file: {name} expands to {member.file_size:,} bytes.")


def check_config(path: Path, config, custom_objects: dict) -> None:
    """Raises an error if a configuration asks for code or unknown classes, or has an impossible shape.

    Args:
        path: the file, for the error.
        config: any part of a configuration.
        custom_objects: further classes that it may ask for, by name.
    """
    if isinstance(config, list):
        for value in config:
            check_config(path, value, custom_objects)
    if not isinstance(config, dict):
        return
    if "class_name" in config and "config" in config:
        check_class(path, config, custom_objects)
    for name, value in config.items():
        if name.endswith("shape") and isinstance(value, list):
            sizes = [size for size in value if isinstance(size, int)]
            if math.prod(sizes) > LARGEST_SHAPE:
                raise ValueError(f"`{path}` has the {name} {value}, of more than {LARGEST_SHAPE:,} entries.")
        check_config(path, value, custom_objects)


def check_class(path: Path, config: dict, custom_objects: dict) -> None:
    """Raises an error if a part of a configuration names a class neither known nor from Keras or this package."""
    module, name, registered = (config.get(key) for key in ("module", "class_name", "registered_name"))
    if name in ("__lambda__", "Lambda"):
        raise ValueError(
            f"`{path}` holds a Lambda, which is code; if you trust it, use "
            "`keras.saving.load_model(path, safe_mode=False)`."
        )
    known = {str(registered), str(name), str(config["config"]) if name == "function" else ""}
    if any(keras.saving.get_registered_object(each, custom_objects) is not None for each in known):
        return
    # Keras writes tensors, slices and the like under such names.
    if str(name).startswith("__") or str(module).split(".")[0] == "keras" or (module, name) == ("builtins", "function"):
        return
    if not isinstance(found_in_package(module, name), type):
        raise ValueError(
            f"`{path}` holds {module}.{name}, which is neither of Keras nor of keras_gen; "
            "give it in `custom_objects` if you trust it."
        )


def within(num_bytes: int) -> Callable:
    """Returns a variable creator, for `tf.variable_creator_scope`, that refuses more than `num_bytes` in total."""
    total = 0

    def create(next_creator, *, initial_value=None, **arguments):
        nonlocal total
        # Keras passes a function that closes over its variable, whose shape is known before any values exist.
        owner = inspect.getclosurevars(initial_value).nonlocals.get("self") if callable(initial_value) else None
        if isinstance(owner, keras.Variable):
            total += math.prod(owner.shape) * tf.as_dtype(owner.dtype).size
            if total > num_bytes:
                raise ValueError(f"it asks for {total:,} bytes of weights or more, and does not hold them")
        return next_creator(initial_value=initial_value, **arguments)

    return create


def reason(error: BaseException) -> str:
    """Returns the first meaningful sentence of an error, on one line."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in str(error).split("\n\n")]
    said = [paragraph for paragraph in paragraphs if paragraph and not paragraph.endswith(":")]
    return textwrap.shorten(said[0] if said else type(error).__name__, 300, placeholder=" …").rstrip(".")


def digest(model: Model) -> str:
    """Returns a checksum of a model's weights, without the state of its random numbers."""
    found = hashlib.sha256()
    for weight in model.weights:
        if weight is not model.seed_state:
            found.update(np.ascontiguousarray(weight.numpy()).data)
    return found.hexdigest()


def described(model: Model) -> dict:
    """Returns a model's class and arguments as plain values, from which `from_description` rebuilds the model."""
    kind = type(model)
    # As a file would hold it: lists instead of tuples.
    config = json.loads(json.dumps(model.get_config()))
    return {"module": kind.__module__, "class_name": kind.__name__, "config": config}


def from_description(description: dict) -> Model:
    """Returns a new model of the class and with the arguments that `described` returned.

    Raises:
        ValueError: if it is not a description of a model of keras_gen.
    """
    model_class = class_of("the description of a model", description)
    return model_class.from_config(description["config"])


def class_of(path: Path | str, config, custom_objects: dict | None = None) -> type[Model]:
    """Returns the model class that a file's config names: one from keras_gen, a registered one, or a given one."""
    config = config if isinstance(config, dict) and isinstance(config.get("config"), dict) else {}
    module, name, registered = (str(config.get(key)) for key in ("module", "class_name", "registered_name"))
    found = found_in_package(module, name)
    registrations = [keras.saving.get_registered_object(each, custom_objects) for each in (registered, name)]
    if registered.startswith("keras_gen>"):
        # Keras looks only at this name, which must be that of the class.
        found = found if registrations[0] is found else None
    else:
        found = next((each for each in (*registrations, found) if each is not None), None)
    if isinstance(found, type) and issubclass(found, Model):
        return found
    # Keras omits the module for a class defined in a script.
    full_name = name if module == "None" != name else f"{module}.{name}"
    holds = f"holds {full_name}, which is not a model of keras_gen."
    if found is None and name != "None" and module.split(".")[0] not in ("keras", "keras_gen"):
        raise ValueError(f"`{path}` can be loaded only with {name!r} in `custom_objects`: it {holds}")
    raise ValueError(f"`{path}` {holds}")


def found_in_package(module, name):
    """Returns the object with a given name in a module of keras_gen, importing the module; None if there is none."""
    if module != "keras_gen" and not str(module).startswith("keras_gen."):
        return None
    try:
        return getattr(importlib.import_module(module), str(name), None)
    except ModuleNotFoundError:
        return None
