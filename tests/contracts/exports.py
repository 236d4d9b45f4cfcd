"""What leaves the laptop: SavedModels and LiteRT files."""

import contextlib
import inspect
import math
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from contracts.helpers import Contract, traced
from keras_gen import export
from keras_gen.export.flatbuffer import File
from keras_gen.export.litert import in_interpreter


def call_verb(model, name: str, inputs: dict) -> list:
    """Calls the verb that a signature is named after.

    Args:
        model: the model.
        name: name of the signature.
        inputs: inputs of the signature.

    Returns:
        The outputs of the signature, in its order.
    """
    verb, inputs = getattr(model, name), dict(inputs)
    if name == "sample":
        condition = inputs.get("condition")
        num_samples = int(inputs.pop("num_samples", 0 if condition is None else len(condition)))
        inputs.update({key: inputs[key].numpy().item() for key in model.sampling_options()})
        return [verb(num_samples, **inputs)]
    if name == "generate":
        noise = {key: inputs.pop(key) for key in model.noise_distributions()}
        return [verb(noise, *inputs.values())]
    if "num_samples" in inputs:
        inputs["num_samples"] = int(inputs["num_samples"])
    known = inspect.signature(verb).parameters
    return tf.nest.flatten(verb(*inputs.values()) if not set(inputs) <= set(known) else verb(**inputs))


class ExportContract(Contract):
    """An exported signature computes what the verb of its name does."""

    @pytest.fixture(scope="class")
    @classmethod
    def exported(cls, model, tmp_path_factory):
        """The verbs as graphs, the SavedModel as it is loaded, a LiteRT file, and the report on it."""
        file = tmp_path_factory.mktemp("exported") / "model.tflite"
        with traced():
            graphs = export.Graphs(model)
            report = export.litert(graphs, file)
            # The SavedModel that the LiteRT file was made from; `tests/export` tests how a version appears.
            return graphs, tf.saved_model.load(str(graphs.folder())), file, report

    def test_a_saved_model_holds_the_verbs(self, model, exported):
        graphs, served, _, _ = exported
        assert set(graphs.functions) == set(model.signatures()) == set(served.signatures) - {"serving_default"}
        for name, signature in model.signatures().items():
            inputs = graphs.example_inputs(name, 5, 7)
            with traced():
                found = served.signatures[name](**inputs)
            # A verb that draws may hold loops, which are slow one operation at a time.
            with contextlib.nullcontext() if signature.deterministic else traced():
                expected = call_verb(model, name, inputs)
            for output, value in zip(graphs.functions[name].structured_outputs, expected, strict=True):
                np.testing.assert_allclose(found[output], value, rtol=1e-4, atol=1e-4, err_msg=f"{name} {output}")

    def test_a_served_verb_refuses_what_it_cannot_take(self, model, exported):
        """One wrong value of each input in turn, with the sentence of Python."""
        graphs, served, _, _ = exported
        for name in graphs.signatures:
            inputs = graphs.example_inputs(name, 3, 7)
            for key, wrong, sentence in wrong_inputs(inputs):
                with traced(), pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
                    served.signatures[name](**{**inputs, key: wrong})

    def test_a_litert_file_holds_the_deterministic_verbs(self, model, exported):
        """It takes one example at a time, and knows the shape of everything that it computes."""
        graphs, _, file, report = exported
        deterministic = {name for name, signature in model.signatures().items() if signature.deterministic}
        assert deterministic
        content = File(file.read_bytes())
        assert {entry.signatureKey.decode() for entry in content.model.signatureDefs} == set(report) == deterministic
        for _, _, tensor in content.tensors():
            assert tensor.shapeSignature is None or np.all(tensor.shapeSignature >= 0)
        for name in deterministic:
            # The last one: of a condition, the examples are all classes in turn.
            inputs = graphs.example_inputs(name, 2, 9, graphs.litert_inputs(name, 1))
            inputs = {key: value[1:] for key, value in inputs.items()}
            (found,) = in_interpreter(file.read_bytes(), [(name, {key: v.numpy() for key, v in inputs.items()})])
            expected = call_verb(model, name, inputs)
            for output, value in zip(graphs.functions[name].structured_outputs, expected, strict=True):
                assert found[output].shape == value.shape
                # Rounding may move a number across the border between two levels.
                close = np.isclose(found[output], value, rtol=1e-3, atol=1e-4)
                assert np.mean(close) > 0.9, f"{name} {output}"


def wrong_inputs(inputs: dict) -> Iterator[tuple[str, tf.Tensor, str]]:
    """Yields the name of an input, a value that it cannot have, and a pattern of the sentence that says so."""
    for key, value in inputs.items():
        if value.shape.rank > 1:
            yield key, value[..., tf.newaxis], f"`{key}` must have shape [(]batch, .*[)], received [(].*, 1[)][.]"
        if key == "num_samples":
            yield key, tf.constant(0), "`num_samples` must be at least 1, received 0[.]"
            yield key, tf.constant(1025), "`num_samples` must be at most 1024, received 1025[.]"
        elif value.shape.rank == 0:
            if value.dtype.is_floating:
                yield key, tf.constant(math.nan), f"`{key}` must be a number, received nan[.]"
        else:
            wrong, shown = {
                tf.float32: (math.inf, "inf"),
                tf.int32: (-7, "-7"),
                tf.string: ("a" * 100_000, "a+"),
            }[value.dtype]
            first = tf.zeros((1, value.shape.rank), tf.int32)
            wrong = tf.tensor_scatter_nd_update(value, first, [wrong])
            yield key, wrong, f"`{key}` holds the value {shown}; expected .*[.]"
            yield key, value[:0], f"`{key}` holds no examples; at least one is expected[.]"
    columns = [key for key, value in inputs.items() if value.shape.rank]
    if len(columns) > 1:
        yield columns[-1], inputs[columns[-1]][:2], f"columns must be equally long, received .*{columns[-1]}: 2"
