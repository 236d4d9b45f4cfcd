"""The two runtimes of LiteRT: functions from the name of a signature and its inputs to its outputs, in NumPy."""

import math
from collections.abc import Callable

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter


def in_interpreter(content: bytes) -> Callable[[str, dict], dict]:
    """Returns the signatures of a LiteRT file, run by the interpreter."""
    interpreter = Interpreter(model_content=content)
    # A runner prepares its signature anew.
    runners = {name: interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()}
    return lambda name, inputs: runners[name](**inputs)


def in_compiled_model(content: bytes) -> Callable[[str, dict], dict]:
    """Returns the signatures of a LiteRT file of fixed shapes, run by the runtime that drives accelerators."""
    model = CompiledModel.from_buffer(content)

    def run(name, inputs):
        given = {key: model.create_input_buffer_by_name(name, key) for key in inputs}
        for key, value in inputs.items():
            given[key].write(value)
        details = model.get_output_tensor_details(name)
        outputs = {key: model.create_output_buffer_by_name(name, key) for key in details}
        model.run_by_name(name, given, outputs)
        found = {}
        for key, buffer in outputs.items():
            shape, dtype = tuple(details[key]["shape"]), np.dtype(details[key]["dtype"])
            found[key] = buffer.read(math.prod(shape), dtype).reshape(shape)
        return found

    return run
