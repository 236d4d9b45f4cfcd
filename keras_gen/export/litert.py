"""Writing a model as a LiteRT (`.tflite`) file, for phones and microcontrollers."""

import collections
import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python.convert import ConverterError
from tensorflow.lite.python.lite import TFLiteSavedModelConverterV2

from keras_gen import checks
from keras_gen.console import hushed
from keras_gen.core import Model
from keras_gen.export.agreement import FLOAT32, Agreement, Tolerance, compare
from keras_gen.export.graphs import Graphs
from keras_gen.files import atomic_file

#: By kind of file, how far it may be from Keras.
TOLERANCES = {
    "none": FLOAT32,
    "float16": Tolerance(relative=5e-3, levels=0.01),
    "int8": Tolerance(relative=5e-2, levels=0.05),
}

#: Kernels differ for one example, a few, and enough for a whole tile.
BATCH_SIZES = (1, 3, 32)


def litert(model: Model | Graphs, file, *, quantize: str | None = None) -> dict[str, dict]:
    """Writes the deterministic signatures of a model as a LiteRT file, and compares it with Keras.

    The file uses built-in operators only, so that it runs in any LiteRT interpreter. Random numbers are an
    input: draw the noise that `model.noise_distributions()` describes and give it to `generate`. Before the file
    appears, every signature has run in the interpreter with several batch sizes, on the model's own noise and draws.

    A model of captions takes token ids there, and gets its vocabulary as a file beside it, such as `model.words.json`.

    Weights may be stored as "float16", half the size, or "int8", a quarter: whole numbers with one scale per
    output. Both compute in float32, as does the file of a model that trains in mixed precision. Rounding activations
    to 8 bits as well is not offered, because their common scale would make each entry depend on all others: an
    autoregressive model would then be none, and its sampling loop need not end.

    Example:

    ```python
    keras_gen.export.litert(model, "made.tflite", quantize="int8")
    runner = Interpreter("made.tflite").get_signature_runner("generate")
    runner(uniform=np.random.default_rng(0).random((16, 28, 28, 1), np.float32))["x"]
    ```

    Args:
        model: the model, or its `Graphs`.
        file: path of the file; one that is there is replaced.
        quantize: None, "float16" or "int8".

    Returns:
        Signature to output to the figures of its `Agreement`.

    Raises:
        ValueError: if `quantize` is unknown.
        OSError: if the file cannot be written.
        RuntimeError: if the model needs an operator that LiteRT lacks, or the file disagrees with Keras; there
            is no file then.
    """
    quantize = checks.choice("quantize", "none" if quantize is None else quantize, TOLERANCES)
    with atomic_file(file) as beside:
        with hushed():
            graphs = in_full_precision(Graphs.of(model))
            content = convert(graphs, quantize)
            compared = list(agreements(graphs, content, TOLERANCES[quantize]))
        report = {}
        for found in compared:
            if not found.holds:
                raise RuntimeError(
                    f"`{found.signature}` in LiteRT disagrees with Keras: {found.measure} of `{found.output}` is "
                    f"{found.value:.3g}, at most {found.bound:.3g} is expected."
                )
            report.setdefault(found.signature, {})[found.output] = dataclasses.asdict(found)
        Path(beside).write_bytes(content)
        for ending, text in graphs.model.litert_files().items():
            with atomic_file(Path(file).with_suffix(f".{ending}")) as companion:
                Path(companion).write_text(text, encoding="utf-8")
    return report


class _Converter(TFLiteSavedModelConverterV2):
    """A converter that doesn't load the SavedModel in Python.

    `TFLiteConverter.from_saved_model` loads it to see whether it has the signatures, and `convert` twice more, for
    statistics and for debug information that it then doesn't use. The file is the same in half the time.
    """

    def convert(self) -> bytes:
        return self._convert_from_saved_model(tf.compat.v1.GraphDef())


def convert(graphs: Graphs, quantize: str) -> bytes:
    """Returns the deterministic signatures of a model in LiteRT's format."""
    names = [name for name, signature in graphs.signatures.items() if signature.deterministic]
    converter = _Converter(str(graphs.folder), {tf.saved_model.SERVING}, names)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    # A note of the versions in use, for which TensorFlow would take the file apart and put it together again.
    converter.exclude_conversion_metadata = True
    if quantize == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        content = converter.convert()
    except ConverterError as error:
        lacking = sorted(set(re.findall(r"tf\.(\w+)\(", str(error)))) or [str(error).strip().split("\n")[0]]
        raise RuntimeError(f"`model` needs operators that LiteRT lacks: {', '.join(lacking)}.") from error
    if quantize == "int8":
        # Imported here because it is slow to load and seldom needed.
        from ai_edge_quantizer import quantizer, recipe

        rounding = quantizer.Quantizer(bytearray(content), recipe.weight_only_wi8_afp32())
        with contextlib.redirect_stdout(io.StringIO()):
            content = bytes(rounding.quantize().quantized_model)
    return content


def in_full_precision(graphs: Graphs) -> Graphs:
    """Returns graphs that compute in float32: of a copy, where the model computes in 16 bits, as LiteRT cannot."""
    model = graphs.model
    if model.compute_dtype == model.variable_dtype:
        return graphs
    copy = type(model).from_config({**model.get_config(), "dtype": model.variable_dtype})
    copy.set_weights(model.get_weights())
    return Graphs(copy)


def agreements(graphs: Graphs, content: bytes, tolerance: Tolerance) -> Iterator[Agreement]:
    """Runs every signature of a file in the interpreter and compares its outputs with Keras."""
    interpreter = Interpreter(model_content=content)
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        expected, actual, conditions = collections.defaultdict(list), collections.defaultdict(list), []
        for seed, batch_size in enumerate(BATCH_SIZES):
            inputs = graphs.example_inputs(name, batch_size, seed)
            if "condition" in inputs:
                conditions.append(inputs["condition"].numpy())
            outputs = runner(**{key: value.numpy() for key, value in inputs.items()})
            for output, value in graphs.functions[name](**inputs).items():
                expected[output].append(value.numpy())
                actual[output].append(outputs[output])
        condition = np.concatenate(conditions) if conditions else None
        for output in expected:
            ours, theirs = (np.concatenate(values[output]) for values in (expected, actual))
            yield compare(graphs.model, name, output, ours, theirs, tolerance, condition)
