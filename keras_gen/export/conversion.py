"""The process that converts SavedModels to LiteRT files and runs files by LiteRT's `CompiledModel`.

TensorFlow's converter leaks memory at each call, and a file that `CompiledModel` does not accept may end the process.
This script imports only TensorFlow and LiteRT. It answers each line that it reads, a request in JSON, with a line, and
ends when its input ends.
"""

import importlib
import json
import math
import os
import sys

import numpy as np


def converted(folder: str, names: list[str]) -> bytes:
    """Returns signatures of a SavedModel in LiteRT's format, with built-in operators only."""
    import tensorflow as tf
    from tensorflow.lite.python.lite import TFLiteSavedModelConverterV2

    class Converter(TFLiteSavedModelConverterV2):
        """A converter that doesn't load the SavedModel in Python.

        `TFLiteConverter.from_saved_model` loads it to check for the signatures, and `convert` loads it twice more, for
        statistics and for debug information that it then doesn't use. Without this, the file is the same in half the
        time.
        """

        def convert(self) -> bytes:
            return self._convert_from_saved_model(tf.compat.v1.GraphDef())

    converter = Converter(folder, {tf.saved_model.SERVING}, names)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    # Metadata of the versions in use, for which TensorFlow would disassemble and reassemble the file.
    converter.exclude_conversion_metadata = True
    return converter.convert()


def outputs_of(content: bytes, calls: list[tuple[str, dict[str, np.ndarray]]]) -> list[dict[str, np.ndarray]]:
    """Returns the outputs of calls (signature name and inputs) of a LiteRT file with fixed shapes."""
    from ai_edge_litert.compiled_model import CompiledModel

    model, results = CompiledModel.from_buffer(content), []
    for name, inputs in calls:
        given = {key: model.create_input_buffer_by_name(name, key) for key in inputs}
        for key, value in inputs.items():
            given[key].write(value)
        details = model.get_output_tensor_details(name)
        outputs = {key: model.create_output_buffer_by_name(name, key) for key in details}
        model.run_by_name(name, given, outputs)
        results.append({})
        for key, buffer in outputs.items():
            shape, dtype = tuple(details[key]["shape"]), np.dtype(details[key]["dtype"])
            results[-1][key] = buffer.read(math.prod(shape), dtype).reshape(shape)
    return results


def convert(request: dict) -> str | None:
    """Writes the file that a request names, or returns the converter's message."""
    from tensorflow.lite.python.convert import ConverterError

    try:
        content = converted(request["folder"], request["names"])
    except ConverterError as raised:
        return str(raised)
    with open(request["file"], "wb") as file:
        file.write(content)
    return None


def run(request: dict) -> None:
    """Runs the calls that a request names, and writes their outputs; inputs and outputs are named "call/name"."""
    with np.load(request["inputs"]) as arrays:
        calls = [
            (signature, {key: arrays[f"{index}/{key}"] for key in keys})
            for index, (signature, keys) in enumerate(request["calls"])
        ]
    with open(request["file"], "rb") as file:
        results = outputs_of(file.read(), calls)
    found = {f"{index}/{key}": value for index, result in enumerate(results) for key, value in result.items()}
    np.savez(request["outputs"], **found)


def main() -> None:
    """Answers requests: with null on success, or with the converter's message."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Output of libraries must not count as an answer.
    os.dup2(2, 1)
    # Most requests need it, and importing it takes seconds.
    importlib.import_module("tensorflow.lite.python.lite")
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps({"convert": convert, "run": run}[request["verb"]](request)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
