"""Checks of arguments, which report a mistake in one clear sentence before anything is traced."""

import difflib
import inspect
import numbers
from collections.abc import Iterable

import numpy as np


def positive_int(name: str, value) -> int:
    """Returns `value` as an int.

    Raises:
        TypeError: if `value` is not an integer.
        ValueError: if it is smaller than 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"`{name}` must be a whole number, received {value!r}.")
    if value < 1:
        raise ValueError(f"`{name}` must be at least 1, received {value}.")
    return int(value)


def positive_ints(name: str, values) -> tuple[int, ...]:
    """Returns `values` as a tuple of ints, each at least 1."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"`{name}` must be a tuple of whole numbers, received {values!r}.")
    return tuple(positive_int(name, value) for value in values)


def number(name: str, value, *, whole: bool = False) -> int | float:
    """Returns `value`, an integer or a real number, as a Python number.

    Raises:
        TypeError: if `value` is not a number of that kind.
        ValueError: if it is NaN.
    """
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"`{name}` must be a {'whole' if whole else 'real'} number, received {value!r}.")
    if value != value:
        raise ValueError(f"`{name}` must be a number, received nan.")
    return value.item() if isinstance(value, np.generic) else value


def boolean(name: str, value) -> bool:
    """Returns `value` as a Python bool.

    Raises:
        TypeError: if it is not a bool.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be True or False, received {value!r}.")
    return bool(value)


def rate(name: str, value) -> float:
    """Returns `value`, the share of units to drop, if it is at least 0 and less than 1."""
    if not 0.0 <= (found := number(name, value)) < 1.0:
        raise ValueError(f"`{name}` must be at least 0 and less than 1, received {value}.")
    return found


def positive(name: str, value) -> float:
    """Returns `value` if it is greater than 0."""
    if not (found := number(name, value)) > 0.0:
        raise ValueError(f"`{name}` must be greater than 0, received {value}.")
    return found


def not_negative(name: str, value, *, whole: bool = False) -> int | float:
    """Returns `value`, an integer or a real number, if it is at least 0."""
    if not (found := number(name, value, whole=whole)) >= 0.0:
        raise ValueError(f"`{name}` must be at least 0, received {value}.")
    return found


def share(name: str, value) -> float:
    """Returns `value` if it is between 0 and 1, inclusive."""
    if not 0.0 <= (found := number(name, value)) <= 1.0:
        raise ValueError(f"`{name}` must be from 0 to 1, received {value}.")
    return found


def event_shape(value) -> tuple[int, ...]:
    """Returns the shape of one example as a tuple of ints with at least one axis."""
    shape = positive_ints("event_shape", value)
    if not shape:
        raise ValueError("`event_shape` must have at least one axis, received ().")
    return shape


def image_shape(name: str, value) -> tuple[int, int, int]:
    """Returns the shape of an image as a tuple of height, width and channels."""
    shape = positive_ints(name, value)
    if len(shape) != 3:
        raise ValueError(f"`{name}` must be (height, width, channels), received {shape}.")
    return shape


def levels(value, *, allow_none: bool = False, name: str = "levels") -> int | None:
    """Returns the number of levels, an int of at least 2, or None if that is allowed."""
    if value is None and allow_none:
        return None
    if positive_int(name, value) < 2:
        raise ValueError(f"`{name}` must be at least 2, received {value}.")
    return int(value)


def choice(name: str, value, options: Iterable[str]) -> str:
    """Returns `value` if it is one of `options`.

    Raises:
        ValueError: naming the options nearest to `value`, or all of them if none is near.
    """
    options = list(options)
    if value in options:
        return value
    near = difflib.get_close_matches(str(value), options, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(options)}."
    raise ValueError(f"`{name}` {value!r} is unknown; {hint}")


def component(name: str, value, options: dict[str, type]) -> tuple[type, dict]:
    """Returns the class of a component of a model, and its arguments.

    Args:
        name: the argument of the model.
        value: name of the component, or a dict with its "name" and its arguments.
        options: name to class.

    Raises:
        TypeError: if `value` is neither a string nor a dict.
        ValueError: if there is no component with that name, or it does not take one of the arguments.
    """
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or "name" not in value:
        raise TypeError(f'`{name}` must be a name or a dict with the key "name", received {value!r}.')
    arguments = {key: argument for key, argument in value.items() if key != "name"}
    component_class = options[choice(name, value["name"], options)]
    # For the class itself, early releases of Python 3.11 return the signature of an inherited `__new__`.
    known = [
        parameter.name
        for parameter in inspect.signature(component_class.__init__).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY or parameter.default is not parameter.empty
    ]
    for key in arguments:
        choice(f"{name}[{value['name']!r}]", key, known)
    return component_class, arguments


def equally_long(**columns) -> None:
    """Raises an error unless columns, some of which may be None, are equally long; in a graph, as far as is known."""
    sizes = {name: column.shape[0] for name, column in columns.items() if column is not None}
    if len({size for size in sizes.values() if size is not None}) > 1:
        raise ValueError(f"columns must be equally long, received {sizes}.")


def halvings(event_shape: tuple[int, ...], most: int) -> int:
    """Returns how often the height and width of an image can be divided by two, up to `most` times."""
    height, width = event_shape[:2]
    return next(number for number in range(most, -1, -1) if not height % 2**number and not width % 2**number)
