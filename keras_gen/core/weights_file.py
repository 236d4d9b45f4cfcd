"""Files of weights, which are loaded as a whole or not at all."""

import collections
import contextlib
import os
import zipfile
from collections.abc import Iterator

import h5py
import keras


@contextlib.contextmanager
def all_or_nothing(model: keras.Model, path: str | os.PathLike) -> Iterator[None]:
    """Restores all weights and the optimizers' state of a model if a block that loads a file fails.

    Args:
        model: the model.
        path: the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in place of the errors of a file that holds no weights, or those of another model.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"`filepath`: there is no file {path}.")
    optimizers = model.optimizers if model.compiled else []
    variables = [*model.variables, *(variable for optimizer in optimizers for variable in optimizer.variables)]
    before = [variable.numpy() for variable in variables]
    try:
        yield
    except (OSError, KeyError, ValueError):
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        raise ValueError(
            f"`filepath` must be a file with the weights of a {type(model).__name__} built with the same arguments; "
            f"{path} {difference_of(path, model.variables)}."
        ) from None


def difference_of(path: str | os.PathLike, variables: list[keras.Variable]) -> str:
    """Returns what is wrong with a file of weights that could not be loaded, as the end of a sentence.

    Args:
        path: the file.
        variables: the variables that it should hold.
    """
    shapes = collections.Counter()
    try:
        with h5py.File(path) as file:
            file.visititems(lambda _, part: shapes.update([part.shape] if isinstance(part, h5py.Dataset) else []))
    except OSError:
        return "holds other ones" if zipfile.is_zipfile(path) else "is damaged or of another kind"
    absent = [shape for shape in (tuple(variable.shape) for variable in variables) if shape not in shapes]
    return f"holds none of shape {absent[0]}" if absent else "holds other ones"
