"""The verbs of a model as graphs, shared by all of its exports."""

import inspect
import itertools
import re
import shutil
import tempfile
import weakref
from pathlib import Path

import tensorflow as tf

from keras_gen.core import Model, Signature
from keras_gen.export import converter
from keras_gen.export.flatbuffer import File, shared
from keras_gen.export.guards import MAX_NUM_SAMPLES, guarded

#: Errors that TensorFlow raises where Python would raise an OSError.
_FILE_ERRORS = (
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnknownError,
)


class Graphs:
    """The signatures of a model as TensorFlow functions, each traced once, and a SavedModel of them, written once.

    `export.saved_model` and `export.litert` take a model, or its graphs, which share what both need:

    ```python
    graphs = export.Graphs(model)
    export.saved_model(graphs, "models/made")
    export.litert(graphs, "made.tflite")
    ```

    The weights are those of the model at the first of these calls.

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
        self.flatbuffers = {}
        self.folders = {}

    @classmethod
    def of(cls, model) -> "Graphs":
        """Returns the graphs of a model; returns graphs unchanged."""
        return model if isinstance(model, cls) else cls(model)

    @property
    def deterministic(self) -> list[str]:
        """Names of the signatures that LiteRT can run."""
        return [name for name, signature in self.signatures.items() if signature.deterministic]

    def example_inputs(
        self, name: str, batch_size: int, seed: int, specs: dict[str, tf.TensorSpec] | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns plausible inputs of a signature, each from the model's `example_input`.

        Args:
            name: name of the signature.
            batch_size: number of examples.
            seed: seed of random inputs.
            specs: shapes and dtypes of the inputs, except for the batch; by default those of the signature.
        """
        specs = self.signatures[name].inputs if specs is None else specs
        examples = {}
        for key, spec in specs.items():
            free = tf.TensorSpec([None, *spec.shape[1:]], spec.dtype, key) if spec.shape.rank else spec
            examples[key] = self.model.example_input(key, free, batch_size, seed)
        return examples

    def folder(self, max_num_samples: int = MAX_NUM_SAMPLES) -> Path:
        """Returns a folder with a SavedModel of all signatures, written once, that exists as long as the graphs.

        Args:
            max_num_samples: the largest number of samples that it draws at once.

        Raises:
            OSError: if it cannot be written.
        """
        if max_num_samples not in self.folders:
            root = tempfile.mkdtemp()
            weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
            served = {name: self.served(name, max_num_samples) for name in self.signatures}
            signatures = {**served, "serving_default": next(iter(served.values()))}
            # TensorFlow interprets brackets in a path as a pattern, so it is only given plain paths.
            self.folders[max_num_samples] = self.write(Path(root, "saved_model"), signatures, served)
        return self.folders[max_num_samples]

    def served(self, name: str, max_num_samples: int) -> tf.types.experimental.PolymorphicFunction:
        """Returns a signature as a TensorFlow function that checks its inputs, and has the defaults of options."""
        graph, inputs, defaults = self.functions[name], self.signatures[name].inputs, self.signatures[name].defaults
        # Python requires inputs without a default first, and TensorFlow keeps defaults that are tensors.
        names = [*(name for name in inputs if name not in defaults), *defaults]
        kind, none = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
        values = {name: tf.constant(value, inputs[name].dtype) for name, value in defaults.items()}
        wanted = inspect.Signature([inspect.Parameter(name, kind, default=values.get(name, none)) for name in names])

        def verb(*args, **kwargs):
            return graph(**guarded(self.model, name, wanted.bind(*args, **kwargs).arguments, max_num_samples))

        verb.__signature__ = wanted
        specs = [tf.TensorSpec(inputs[name].shape, inputs[name].dtype, name) for name in names]
        return tf.function(verb, input_signature=specs, autograph=False)

    def litert_inputs(self, name: str, batch_size: int | None) -> dict[str, tf.TensorSpec]:
        """Returns the inputs of a signature in a LiteRT file: variable axes have the size of a batch or of one step."""
        if batch_size is None:
            return self.signatures[name].inputs
        return {
            key: tf.TensorSpec([batch_size, *(size or 1 for size in spec.shape[1:])], spec.dtype, key)
            for key, spec in self.signatures[name].inputs.items()
        }

    def flatbuffer(self, batch_size: int | None) -> bytes:
        """Returns the deterministic signatures in LiteRT's format, in float32, converted once.

        Args:
            batch_size: number of examples that they take; None for any.

        Raises:
            OSError: if no temporary folder can be written.
            RuntimeError: if the model needs an operator that LiteRT lacks.
        """
        if batch_size not in self.flatbuffers:
            # From given shapes, the converter infers all others, but not in loops; tracing again is expensive.
            content = self.converted(batch_size, anew=False)
            if batch_size is not None and File(content).has_free_shapes:
                content = self.converted(batch_size, anew=True)
            self.flatbuffers[batch_size] = shared(content)
        return self.flatbuffers[batch_size]

    def converted(self, batch_size: int | None, *, anew: bool) -> bytes:
        """Returns the deterministic signatures, converted by LiteRT's converter.

        Args:
            batch_size: number of examples that they take; None for any.
            anew: whether signatures without loops are also traced again for that number.
        """
        functions = {name: self.functions[name] for name in self.deterministic}
        if batch_size is not None:
            for name, graph in functions.items():
                inputs, signature = self.litert_inputs(name, batch_size), self.signatures[name]
                is_traced = anew or has_loops(graph)
                functions[name] = as_graph(signature, inputs) if is_traced else with_shapes(graph, inputs)
        with tempfile.TemporaryDirectory() as root:
            return converter.convert(self.write(Path(root, "saved_model"), functions, {}), list(functions))

    def write(self, folder: Path, signatures: dict, attributes: dict) -> Path:
        """Writes a SavedModel with the weights that the signatures use, and returns its folder.

        Args:
            folder: folder to write.
            signatures: name to function.
            attributes: functions of the loaded object, by name.
        """
        module = tf.Module()
        # Only what the signatures use: no optimizer, no discriminator, no state of a random generator.
        variables = (
            variable for name in signatures if name in self.functions for variable in self.functions[name].variables
        )
        module.weights = list({id(variable): variable for variable in variables}.values())
        for name, function in attributes.items():
            setattr(module, name, function)
        # A SavedModel without attributes is only for the converter, which does not need the graphs of gradients.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=bool(attributes))
        try:
            tf.saved_model.save(module, str(folder), signatures, options)
        except _FILE_ERRORS as error:
            # The format of TensorFlow's message: the operation, the path; the reason [the operation again].
            reason = re.sub(r" \[Op:\w+\]$", "", error.message).rsplit("; ", 1)[-1]
            raise OSError(reason) from error
        return folder


def as_graph(
    signature: Signature, inputs: dict[str, tf.TensorSpec] | None = None
) -> tf.types.experimental.ConcreteFunction:
    """Returns a signature as a graph, a function of all its inputs by name, by default for any batch size."""
    inputs = signature.inputs if inputs is None else inputs
    specs = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()}
    return tf.function(signature.function, autograph=False).get_concrete_function(**specs)


def with_shapes(graph, inputs: dict[str, tf.TensorSpec]) -> tf.types.experimental.ConcreteFunction:
    """Returns a graph for inputs of given shapes."""
    return tf.function(lambda **inputs: graph(**inputs), autograph=False).get_concrete_function(**inputs)


def has_loops(graph) -> bool:
    """Returns whether a graph, or a function that it calls, contains a loop."""
    definition = graph.graph.as_graph_def()
    nodes = [definition.node, *(function.node_def for function in definition.library.function)]
    return any(node.op in ("While", "StatelessWhile") for node in itertools.chain(*nodes))
