"""The arguments of a constructor, including those that it passes on to its bases."""

import difflib
import inspect
from collections.abc import Iterator
from inspect import Parameter

import keras


def constructors(model_class: type, passed_on: int) -> Iterator[list[Parameter]]:
    """Yields the arguments of a constructor and then of each base's that it passes others on to.

    Args:
        model_class: the class.
        passed_on: `Parameter.VAR_POSITIONAL` or `Parameter.VAR_KEYWORD`: the arguments whose way is followed.
    """
    for base in model_class.__mro__:
        if base is keras.Model:
            return
        if "__init__" in vars(base):
            _, *parameters = inspect.signature(base.__init__).parameters.values()
            yield parameters
            if not any(each.kind is passed_on for each in parameters):
                return


def argument_names(model_class: type) -> list[str]:
    """Returns the names of a constructor's arguments, including those that it passes on to its bases by `**kwargs`."""
    names = {
        each.name: None
        for parameters in constructors(model_class, Parameter.VAR_KEYWORD)
        for each in parameters
        if each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    }
    return [*names, *(name for name in ("standardize", "name", "dtype") if name not in names)]


def by_position(model_class: type, arguments: tuple) -> dict:
    """Returns a constructor's positional arguments by name, including those passed on to its bases by `*args`."""
    names = [
        each.name
        for parameters in constructors(model_class, Parameter.VAR_POSITIONAL)
        for each in parameters
        if each.kind is Parameter.POSITIONAL_OR_KEYWORD
    ]
    return dict(zip(names, arguments, strict=False))


def check_names(model_class: type, arguments: dict) -> None:
    """Raises an error if an argument left for the base of all models is not one of the model's.

    Args:
        model_class: class of the model.
        arguments: name to value, without the arguments that the constructors of the subclasses have taken.
    """
    unknown = [name for name in arguments if name not in ("name", "dtype", "trainable", "standardize")]
    if not unknown:
        return
    name, known = unknown[0], argument_names(model_class)
    if isinstance(arguments[name], keras.layers.Layer):
        own = [each for each in known if each.endswith("network")]
        where = f"takes networks of one's own as {', '.join(own)}" if own else "takes no network of one's own"
        raise ValueError(f"`{name}` must not be given: {model_class.__name__} {where}; received {arguments[name]!r}.")
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it takes {', '.join(known)}."
    raise ValueError(f"`{name}` is no argument of {model_class.__name__}; {hint}")
