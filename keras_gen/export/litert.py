"""Export of a model as a LiteRT (`.tflite`) file, for phones and microcontrollers."""

import collections
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from keras_gen import checks
from keras_gen.console import hushed
from keras_gen.core import Model
from keras_gen.export import converter
from keras_gen.export.agreement import FLOAT32, Agreement, Tolerance, compare
from keras_gen.export.flatbuffer import rounded
from keras_gen.export.graphs import Graphs
from keras_gen.files import atomic_file, path_of

#: How much a file may differ from Keras, by kind of file.
TOLERANCES = {
    "none": FLOAT32,
    "float16": Tolerance(relative=5e-3, levels=0.01, codes=0.05),
    "int8": Tolerance(relative=5e-2, levels=0.05, codes=0.1),
}

#: Smallest number of examples, for each of two seeds, on which a file with a fixed batch size is compared.
NUM_EXAMPLES = 4


def litert(model: Model | Graphs, file, *, batch_size: int | None = 1, quantize: str | None = None) -> dict[str, dict]:
    """Writes the deterministic signatures of a model as a LiteRT file and compares it with Keras.

    The file uses built-in operators only, so that it runs in any LiteRT runtime, and holds each weight once. Its shapes
    are fixed, as browsers and accelerators require: loop over batches to compute more examples. Random numbers are an
    input: draw the noise that `model.noise_distributions()` describes and pass it to `generate`. If the number of steps
    of a chain is variable in Keras, a call takes one step. Before the file appears, every signature has run in the
    `Interpreter` and in `CompiledModel`, on the model's own noise and draws.

    The file of a model of captions takes token ids; its vocabulary is written beside it, such as `model.words.json`.

    Weights may be stored as "float16", half the size, or "int8", a quarter: integers with one scale per output. Both
    compute in float32, as does the file of a model that trains in mixed precision. Rounding activations to 8 bits as
    well is not offered, because their common scale would make each entry depend on all others: an autoregressive model
    would no longer be autoregressive, and its sampling loop might not end.

    Unlike a SavedModel, a LiteRT file cannot reject an input: an invalid example gives meaningless numbers.

    Example:

    ```python
    keras_gen.export.litert(model, "made.tflite", quantize="int8")
    runner = Interpreter("made.tflite").get_signature_runner("generate")
    runner(uniform=np.random.default_rng(0).random((1, 28, 28, 1), np.float32))["x"]
    ```

    Args:
        model: the model, or its `Graphs`.
        file: path of the file; an existing file is replaced.
        batch_size: number of examples that each signature takes. None for any number, for servers: only the
            `Interpreter` accepts such a file.
        quantize: None, "float16" or "int8".

    Returns:
        Signature to output to the figures of its `Agreement`.

    Raises:
        TypeError: if `batch_size` is neither None nor an integer.
        ValueError: if `batch_size` is below 1, or `quantize` is unknown.
        OSError: if the file cannot be written.
        RuntimeError: if the model needs an operator that LiteRT lacks, or the file disagrees with Keras; in that case
            no file is written.
    """
    quantize = checks.choice("quantize", "none" if quantize is None else quantize, TOLERANCES)
    batch_size = None if batch_size is None else checks.positive_int("batch_size", batch_size)
    with atomic_file(file) as beside:
        with hushed():
            converter.start()
            graphs = in_full_precision(Graphs.of(model))
            content = rounded(graphs.flatbuffer(batch_size), quantize)
            compared = list(agreements(graphs, content, batch_size, TOLERANCES[quantize]))
        report = {}
        for runtime, found in compared:
            if not found.holds:
                raise RuntimeError(
                    f"`{found.signature}` in {runtime} disagrees with Keras: {found.measure} of `{found.output}` is "
                    f"{found.value:.3g}, at most {found.bound:.3g} is expected."
                )
            report.setdefault(found.signature, {}).setdefault(found.output, dataclasses.asdict(found))
        Path(beside).write_bytes(content)
        for ending, text in graphs.model.litert_files().items():
            with atomic_file(path_of(file).with_suffix(f".{ending}")) as companion:
                Path(companion).write_text(text, encoding="utf-8")
    return report


def in_full_precision(graphs: Graphs) -> Graphs:
    """Returns graphs that compute in float32: those of a copy if the model computes in 16 bits, which LiteRT cannot."""
    model = graphs.model
    if model.compute_dtype == model.variable_dtype:
        return graphs
    copy = type(model).from_config({**model.get_config(), "dtype": model.variable_dtype})
    copy.set_weights(model.get_weights())
    return Graphs(copy)


def in_interpreter(content: bytes, calls: list[tuple[str, dict[str, np.ndarray]]]) -> list[dict[str, np.ndarray]]:
    """Returns the outputs of calls of a LiteRT file by the interpreter; `converter.run` uses another runtime."""
    interpreter = Interpreter(model_content=content)
    # A runner prepares its signature again.
    runners = {name: interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()}
    return [runners[name](**inputs) for name, inputs in calls]


def agreements(
    graphs: Graphs, content: bytes, batch_size: int | None, tolerance: Tolerance
) -> Iterator[tuple[str, Agreement]]:
    """Runs every signature of a file and compares its outputs with Keras, in each runtime that accepts the file.

    Yields:
        Name of the runtime, and the agreement of one output with Keras.
    """
    # For each seed, the sizes of the batches of its examples.
    seeds = ((1, 3), (32,)) if batch_size is None else ((batch_size,) * -(-NUM_EXAMPLES // batch_size),) * 2
    calls, conditions = [], collections.defaultdict(list)
    for name in graphs.deterministic:
        for seed, sizes in enumerate(seeds):
            inputs = graphs.example_inputs(name, sum(sizes), seed, graphs.litert_inputs(name, batch_size))
            if "condition" in inputs:
                conditions[name].append(inputs["condition"].numpy())
            for end, size in zip(np.cumsum(sizes), sizes, strict=True):
                calls.append((name, {key: value[end - size : end].numpy() for key, value in inputs.items()}))
    found = {
        "Keras": [tf.nest.map_structure(np.asarray, graphs.functions[name](**as_tensors(i))) for name, i in calls],
        "LiteRT": in_interpreter(content, calls),
    }
    if batch_size is not None:
        # It requires fixed shapes.
        found["LiteRT's CompiledModel"] = converter.run(content, calls)
    for name in graphs.deterministic:
        places = [place for place, (signature, _) in enumerate(calls) if signature == name]
        condition = np.concatenate(conditions[name]) if name in conditions else None
        for output in graphs.functions[name].structured_outputs:
            expected, *others = (
                np.concatenate([results[place][output] for place in places]) for results in found.values()
            )
            for runtime, actual in zip(list(found)[1:], others, strict=True):
                yield runtime, compare(graphs.model, name, output, expected, actual, tolerance, condition)


def as_tensors(inputs: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    """Returns arrays as tensors."""
    return {key: tf.constant(value) for key, value in inputs.items()}
