"""Wrong values, wherever they enter."""

import re
from collections.abc import Callable

import numpy as np

from contracts.exports import call_verb
from contracts.helpers import Contract, rows_of
from keras_gen.spaces import Space, Text


def spoilt(space: Space, column: np.ndarray) -> np.ndarray:
    """Returns a column in which one entry is no value of its space."""
    if isinstance(space, Text):
        dtype, wrong = object, "a" * (space.length + 1)
    else:
        dtype = space.dtype.as_numpy_dtype
        # NaN stands for an entry that is missing, where one may be.
        wrong = (np.inf if space.contains(np.float32(np.nan)) else np.nan) if space.dtype.is_floating else 1 << 20
    column = np.array(column, dtype)
    column.flat[-1] = wrong
    return column


def error_of(call: Callable, *arguments) -> str:
    """Returns what an error says."""
    try:
        call(*arguments)
    except ValueError as error:
        return str(error)
    return "no error"


class WrongDataContract(Contract):
    """Every verb refuses a wrong value in every column; what else can be wrong is the base's, and is tested there."""

    def test_every_verb_refuses_a_wrong_value_in_every_column(self, training, batch):
        model, _, _ = training
        batch = rows_of(batch, slice(4))
        for column, space in model.spaces.items():
            wrong = {**batch, column: spoilt(space, batch[column])}
            found = {
                name: error_of(getattr(model, name), wrong)
                for name in ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch")
            }
            for name, signature in model.signatures().items():
                if column in signature.inputs:
                    inputs = {key: model.example_input(key, spec, 4, 0) for key, spec in signature.inputs.items()}
                    given = {key: wrong[key] for key in inputs if key in model.spaces}
                    found[name] = error_of(call_verb, model, name, {**inputs, **given})
            for name, sentence in found.items():
                assert re.fullmatch(rf"`{column}` holds the value .*; expected .*\.", sentence), (name, sentence)
