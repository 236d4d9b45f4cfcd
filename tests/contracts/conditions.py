"""Conditions of any kind: a label, a vector, an image, a sentence."""

import numpy as np
import pytest
import tensorflow as tf

from contracts.exports import call_verb
from contracts.helpers import Contract, draw


class ConditionContract(Contract):
    """Each example depends on its own condition, and on no other one, in every verb that takes conditions.

    A test class is one of `ModelContract`, too, of a conditional model.
    """

    def test_each_example_follows_its_own_condition(self, model):
        space = model.condition_space
        # Neighbours in a space of few values differ.
        condition = space.examples(4, (0, 1))
        other = tf.concat([condition[1:2], condition[1:]], axis=0)
        assert np.any(condition.numpy()[0] != other.numpy()[0])
        x, tested = draw(model, 4, seed=1), set()
        for name, signature in model.signatures().items():
            # Where a signature takes token ids in place of captions, these change.
            columns = {"condition", "tokens"} & set(signature.inputs)
            if not columns:
                continue
            (column,) = columns
            values = (condition, other) if column == "condition" else map(model.tokens, (condition, other))
            given = {key: model.example_input(key, spec, 4, 2) for key, spec in signature.inputs.items()}
            if "x" in given:
                given["x"] = x
            before, after = (np.asarray(call_verb(model, name, {**given, column: each})[0]) for each in values)
            np.testing.assert_allclose(after[1:], before[1:], rtol=1e-4, atol=1e-5, err_msg=name)
            if np.any(after[0] != before[0]):
                tested.add(name)
        assert tested, "nothing depends on the condition"

    def test_examples_and_conditions_are_equally_many(self, model):
        fewer = model.condition_space.examples(3)
        for name, signature in model.signatures().items():
            rows = [key for key, spec in signature.inputs.items() if spec.shape.rank and key != "condition"]
            if not rows or "condition" not in signature.inputs:
                continue
            given = {key: model.example_input(key, spec, 4, 2) for key, spec in signature.inputs.items()}
            with pytest.raises(ValueError, match=r"equally long|one entry per example"):
                call_verb(model, name, {**given, "condition": fewer})

    def test_exports_take_the_condition_as_it_is(self, model):
        spec = model.signatures()["sample"].inputs["condition"]
        assert spec.shape == (None, *model.condition_space.shape)
        assert spec.dtype == model.condition_space.dtype
