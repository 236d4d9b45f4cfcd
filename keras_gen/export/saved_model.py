"""Export of a model as a SavedModel, which TF Serving serves and TensorFlow alone can load."""

import shutil
from pathlib import Path

import tensorflow as tf

from keras_gen import checks
from keras_gen.console import hushed
from keras_gen.core import Model
from keras_gen.export.agreement import FLOAT32, compare
from keras_gen.export.graphs import Graphs
from keras_gen.export.guards import MAX_NUM_SAMPLES
from keras_gen.files import atomic_folder, path_of


def saved_model(
    model: Model | Graphs, folder, *, version: int | None = None, max_num_samples: int = MAX_NUM_SAMPLES
) -> Path:
    """Writes a model as a numbered version of a SavedModel.

    Its signatures are the verbs of `model.signatures()`, with named inputs and outputs and a variable batch size;
    `serving_default` is the first of them, `sample` for a model that draws examples. A server's client may omit the
    options of sampling, which then have their defaults. In Python, each signature is also a function of the loaded
    object, whose options may be omitted. A version holds the weights that the signatures use, but neither optimizers
    nor Python code. It becomes visible to a server once it is complete and has been checked to compute the same as
    Keras.

    A signature checks its inputs like the verb in Python, and fails with the same message: a column of another shape, a
    value outside its space, columns of different lengths, a number that is not finite, an invalid option, fewer than
    one sample or more than `max_num_samples` raises an InvalidArgumentError, which TF Serving returns as
    INVALID_ARGUMENT.

    Example:

    ```python
    keras_gen.export.saved_model(model, "models/made")     # models/made/1
    loaded = tf.saved_model.load("models/made/1")          # in a process with TensorFlow alone
    loaded.sample(num_samples=16, seed=0)["x"]
    ```

    Args:
        model: the model, or its `Graphs`.
        folder: folder of all versions.
        version: number of this version; by default the next free one.
        max_num_samples: the largest number of samples that a request may ask for, so that no request exhausts the
            memory.

    Returns:
        The folder of the version.

    Raises:
        FileExistsError: if the version exists.
        TypeError: if `version` or `max_num_samples` is not an integer.
        ValueError: if one of them is below 1.
        OSError: if the folder cannot be written to.
        RuntimeError: if the written model disagrees with Keras.
    """
    folder = path_of(folder)
    if version is None:
        version = 1 + max((int(path.name) for path in folder.glob("*") if path.name.isdecimal()), default=0)
    path = folder / str(checks.positive_int("version", version))
    max_num_samples = checks.positive_int("max_num_samples", max_num_samples)
    if path.exists():
        raise FileExistsError(f"`version` {version} exists in {folder}; choose another, or none for the next one.")
    with hushed(), atomic_folder(path) as beside:
        graphs = Graphs.of(model)
        written = graphs.folder(max_num_samples)
        check_agreement(graphs, written, min(3, max_num_samples))
        shutil.copytree(written, beside, dirs_exist_ok=True)
    return path


def check_agreement(graphs: Graphs, folder: Path, num_examples: int) -> None:
    """Raises RuntimeError if a SavedModel of the graphs does not compute the same as Keras."""
    loaded = tf.saved_model.load(str(folder)).signatures
    for name, function in graphs.functions.items():
        inputs = graphs.example_inputs(name, num_examples, seed=0)
        served = loaded[name](**inputs)
        for output, expected in function(**inputs).items():
            found = compare(graphs.model, name, output, expected, served[output], FLOAT32)
            if not found.holds:
                raise RuntimeError(
                    f"`{name}` of the SavedModel disagrees with Keras: {found.measure} is {found.value:.3g}, "
                    f"at most {found.bound:.3g} is expected."
                )
