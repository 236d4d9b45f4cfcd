"""Writing a model as a SavedModel, which TF Serving serves and TensorFlow alone can load."""

import re
from pathlib import Path

import tensorflow as tf

from keras_gen import checks
from keras_gen.console import hushed
from keras_gen.core import Model
from keras_gen.export.agreement import FLOAT32, compare, example_inputs
from keras_gen.files import atomic_folder

#: What TensorFlow raises where Python would raise an OSError.
_FILE_ERRORS = (
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnknownError,
)


def saved_model(model: Model, folder, *, version: int | None = None) -> Path:
    """Writes a model as a numbered version of a SavedModel.

    Its signatures are the verbs of `model.signatures()`, with named inputs and outputs and a free batch size;
    `serving_default` is the first of them, `sample` for a model that draws examples. It holds the weights that these
    use, and neither optimizers nor Python code.
    The version becomes visible to a server when it is complete and was found to compute what Keras does.

    Example:

    ```python
    keras_gen.export.saved_model(model, "models/made")     # models/made/1
    loaded = tf.saved_model.load("models/made/1")          # in a process with TensorFlow alone
    loaded.signatures["sample"](num_samples=tf.constant(16), seed=tf.constant(0))["x"]
    ```

    Args:
        model: the model.
        folder: folder of all versions.
        version: number of this version; by default the next one that is free.

    Returns:
        The folder of the version.

    Raises:
        FileExistsError: if the version exists.
        OSError: if the folder cannot be written to.
        RuntimeError: if what was written disagrees with Keras.
    """
    folder = Path(folder)
    if version is None:
        version = 1 + max((int(path.name) for path in folder.glob("*") if path.name.isdecimal()), default=0)
    path = folder / str(checks.positive_int("version", version))
    if path.exists():
        raise FileExistsError(f"`version` {version} exists in {folder}; choose another, or none for the next one.")
    with hushed(), atomic_folder(path) as beside:
        functions = write(model, beside)
        loaded = tf.saved_model.load(str(beside)).signatures
        for name, signature in model.signatures().items():
            inputs = example_inputs(model, signature, batch_size=3, seed=0)
            for output, expected in functions[name](**inputs).items():
                actual = loaded[name](**inputs)[output]
                found = compare(model, name, output, expected, actual, FLOAT32)
                if not found.holds:
                    raise RuntimeError(
                        f"`{name}` of the SavedModel disagrees with Keras: {found.measure} is {found.value:.3g}, "
                        f"at most {found.bound:.3g} is expected."
                    )
    return path


def write(model: Model, folder: Path) -> dict:
    """Writes the signatures of a model to a folder.

    Returns:
        Name of each signature to the function that was written.
    """
    functions = {}
    for name, signature in model.signatures().items():
        specs = {key: tf.TensorSpec(spec.shape, spec.dtype, key) for key, spec in signature.inputs.items()}
        functions[name] = tf.function(signature.function, autograph=False).get_concrete_function(**specs)
    module = tf.Module()
    # Only what the signatures use: no optimizer, no discriminator, no state of a random generator.
    module.weights = list({id(weight): weight for f in functions.values() for weight in f.variables}.values())
    try:
        tf.saved_model.save(module, str(folder), {**functions, "serving_default": next(iter(functions.values()))})
    except _FILE_ERRORS as error:
        # TensorFlow's message is the operation, the path; the reason [the operation again].
        reason = re.sub(r" \[Op:\w+\]$", "", error.message).rsplit("; ", 1)[-1]
        raise OSError(reason) from error
    return functions
