"""The verbs of a model as graphs, which all of its exports share."""

import functools
import inspect
import re
import shutil
import tempfile
import weakref
from pathlib import Path

import tensorflow as tf

from keras_gen.core import Model, Signature

#: What TensorFlow raises where Python would raise an OSError.
_FILE_ERRORS = (
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnknownError,
)


class Graphs:
    """The signatures of a model as functions of TensorFlow, each traced once, and a SavedModel of them, written once.

    `export.saved_model` and `export.litert` take a model, or its graphs to share what both need:

    ```python
    graphs = export.Graphs(model)
    export.saved_model(graphs, "models/made")
    export.litert(graphs, "made.tflite")
    ```

    The weights are those that the model has at the first of these calls.

    Args:
        model: the model.

    Attributes:
        model: the model.
        signatures: name to `Signature`.
        functions: name to a function that takes the inputs of the signature by name.
    """

    def __init__(self, model: Model):
        self.model = model
        self.signatures = model.signatures()
        self.functions = {name: as_graph(signature) for name, signature in self.signatures.items()}

    @classmethod
    def of(cls, model) -> "Graphs":
        """Returns the graphs of a model, or graphs as they are."""
        return model if isinstance(model, cls) else cls(model)

    def example_inputs(self, name: str, batch_size: int, seed: int) -> dict[str, tf.Tensor]:
        """Returns inputs that a signature may meet, each as the model's `example_input` says."""
        inputs = self.signatures[name].inputs
        return {key: self.model.example_input(key, spec, batch_size, seed) for key, spec in inputs.items()}

    @functools.cached_property
    def folder(self) -> Path:
        """A folder with a SavedModel of all signatures, which lasts as long as the graphs.

        Raises:
            OSError: if it cannot be written.
        """
        root = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
        # TensorFlow reads brackets in a path as a pattern: it writes to and reads from a plain one alone.
        folder = Path(root, "saved_model")
        module = tf.Module()
        # Only what the signatures use: no optimizer, no discriminator, no state of a random generator.
        variables = (variable for function in self.functions.values() for variable in function.variables)
        module.weights = list({id(variable): variable for variable in variables}.values())
        verbs = {name: with_defaults(self.functions[name], signature) for name, signature in self.signatures.items()}
        for name, verb in verbs.items():
            setattr(module, name, verb)
        served = {
            name: verbs[name] if signature.defaults else self.functions[name]
            for name, signature in self.signatures.items()
        }
        try:
            tf.saved_model.save(module, str(folder), {**served, "serving_default": next(iter(served.values()))})
        except _FILE_ERRORS as error:
            # TensorFlow's message is the operation, the path; the reason [the operation again].
            reason = re.sub(r" \[Op:\w+\]$", "", error.message).rsplit("; ", 1)[-1]
            raise OSError(reason) from error
        return folder


def as_graph(signature: Signature) -> tf.types.experimental.ConcreteFunction:
    """Returns a signature as a graph, a function of all its inputs by name."""
    specs = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in signature.inputs.items()}
    return tf.function(signature.function, autograph=False).get_concrete_function(**specs)


def with_defaults(graph, signature: Signature) -> tf.types.experimental.PolymorphicFunction:
    """Returns a graph as a function of TensorFlow that has the defaults of the signature, too."""
    inputs, defaults = signature.inputs, signature.defaults
    # Python wants inputs without a default first, and TensorFlow keeps defaults that are tensors.
    names = [*(name for name in inputs if name not in defaults), *defaults]
    kind, none = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    values = {name: tf.constant(value, inputs[name].dtype) for name, value in defaults.items()}
    wanted = inspect.Signature([inspect.Parameter(name, kind, default=values.get(name, none)) for name in names])

    def verb(*args, **kwargs):
        return graph(**wanted.bind(*args, **kwargs).arguments)

    verb.__signature__ = wanted
    specs = [tf.TensorSpec(inputs[name].shape, inputs[name].dtype, name) for name in names]
    return tf.function(verb, input_signature=specs, autograph=False)
