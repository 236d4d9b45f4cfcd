"""What leaves the laptop: SavedModels and LiteRT files."""

import contextlib
import inspect

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from contracts.helpers import Contract, traced
from keras_gen import export


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
            return graphs, tf.saved_model.load(str(graphs.folder)), file, report

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

    def test_a_litert_file_holds_the_deterministic_verbs(self, model, exported):
        graphs, _, file, report = exported
        interpreter = Interpreter(str(file))
        deterministic = {name for name, signature in model.signatures().items() if signature.deterministic}
        assert deterministic
        assert set(interpreter.get_signature_list()) == set(report) == deterministic
        for name in deterministic:
            inputs = graphs.example_inputs(name, 16, 9)
            found = interpreter.get_signature_runner(name)(**{key: value.numpy() for key, value in inputs.items()})
            expected = call_verb(model, name, inputs)
            for output, value in zip(graphs.functions[name].structured_outputs, expected, strict=True):
                # Rounding may move a number across the border between two levels.
                close = np.isclose(found[output], value, rtol=1e-3, atol=1e-4)
                assert np.mean(close) > 0.95, f"{name} {output}"
