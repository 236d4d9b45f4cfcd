"""Which parts of a model are frozen, as plain values: `trainable` of every part and of every weight."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator

import keras

#: A layer and its path.
Part = tuple[str, keras.layers.Layer]


def parts(layer: keras.layers.Layer, path: str = "", seen: set | None = None) -> Iterator[Part]:
    """Yields all layers inside a layer and their paths, such as "encoder/hidden_layers/0", outer before inner ones.

    A path consists of attributes, indices and keys, so it does not depend on what was created before. A layer that two
    others share has the path that is found first.
    """
    seen = set() if seen is None else seen
    public = {name: value for name, value in sorted(vars(layer).items()) if not name.startswith("_")}
    # The rest of what Keras tracks, such as the layers of a `keras.Sequential`.
    for name, inner in layers_in({**public, "layers": layer._layers}):
        if id(inner) not in seen:
            seen.add(id(inner))
            yield f"{path}{name}", inner
            yield from parts(inner, f"{path}{name}/", seen)


def layers_in(value) -> Iterator[Part]:
    """Yields the layers that a dict or a list holds, at any depth, and their paths."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        if isinstance(item, keras.layers.Layer):
            yield str(name), item
        elif isinstance(item, (dict, list, tuple)):
            yield from ((f"{name}/{inner}", layer) for inner, layer in layers_in(item))


def trainable_weights_of(layer: keras.layers.Layer, path: str) -> Iterator[tuple[str, keras.Variable]]:
    """Yields the weights of a layer itself that follow its `trainable`, and their paths."""
    for index, weight in enumerate(layer._trainable_variables):
        yield f"{path}/weights/{index}".lstrip("/"), weight


def flags_of(model: keras.Model) -> dict[str, bool]:
    """Returns `trainable` of parts and weights where it differs from that of the part around them, by path."""
    flags, around = {}, {"": model}
    for path, layer in (("", model), *parts(model)):
        around[path] = layer
        if path and layer.trainable != part_around(path, around).trainable:
            flags[path] = layer.trainable
        for name, weight in trainable_weights_of(layer, path):
            if weight.trainable != layer.trainable:
                flags[name] = weight.trainable
    return flags


def freeze_parts(model: keras.Model, trainable: bool, flags: dict[str, bool]) -> None:
    """Gives every part of a model, and every weight, the `trainable` that `flags_of` returned.

    Args:
        model: the model.
        trainable: `trainable` of the model itself.
        flags: `trainable` of parts that differ from the part around them, by path.

    Raises:
        ValueError: if the model does not have one of the parts.
    """
    unknown, around = set(flags), {"": model}
    for path, layer in (("", model), *parts(model)):
        around[path] = layer
        # Keras' property would also set all layers inside, including those that a layer shares with others.
        layer._trainable = flags.get(path, part_around(path, around).trainable) if path else trainable
        unknown.discard(path)
        for name, weight in trainable_weights_of(layer, path):
            weight.trainable = flags.get(name, layer.trainable)
            unknown.discard(name)
    if unknown:
        raise ValueError(f"`frozen_parts` names {sorted(unknown)[0]!r}, which {type(model).__name__} does not have.")


def part_around(path: str, layers: dict[str, keras.layers.Layer]) -> keras.layers.Layer:
    """Returns the innermost of the given layers, by path, that contains the layer at a path."""
    while True:
        path = path.rpartition("/")[0]
        if path in layers:
            return layers[path]


def weights_by_path(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns all weights that a gradient may move, frozen ones included, by path."""
    layers = (("", model), *parts(model))
    return {name: weight for path, layer in layers for name, weight in trainable_weights_of(layer, path)}


@contextlib.contextmanager
def only_trainable(model: keras.Model, paths: list[str]) -> Iterator[None]:
    """Freezes all weights except those at the given paths, for the duration of the block."""
    trainable, flags = model.trainable, flags_of(model)
    freeze_parts(model, True, {name: False for name in weights_by_path(model) if name not in paths})
    try:
        yield
    finally:
        freeze_parts(model, trainable, flags)


def optimized_weights(model: keras.Model) -> list[str]:
    """Returns the paths of the weights that the optimizers of a compiled model were built for."""
    innermost = [getattr(optimizer, "inner_optimizer", optimizer) for optimizer in model.optimizers]
    known = {id(weight) for optimizer in innermost for weight in optimizer._trainable_variables}
    return [name for name, weight in weights_by_path(model).items() if id(weight) in known]


def with_frozen_parts(init: Callable) -> Callable:
    """Returns a constructor that also takes `frozen_parts` of a configuration, and notes what is frozen at the start.

    Args:
        init: constructor of a model. If it calls the constructor of a base, the outermost one counts.
    """

    @functools.wraps(init)
    def __init__(self, *args, frozen_parts: dict[str, bool] | None = None, **kwargs):
        if type(self).__init__ is not __init__:
            return init(self, *args, **kwargs)
        trainable = kwargs.pop("trainable", True)
        init(self, *args, **kwargs)
        others = [path for path, part in parts(self) if getattr(part, "frozen_by_others", False)]
        flags = flags_of(self).items()
        self.frozen_at_start = {
            path: flag for path, flag in flags if not path.startswith(tuple(f"{other}/" for other in others))
        }
        if frozen_parts is not None or not trainable:
            freeze_parts(self, trainable, frozen_parts or {})

    # Also for Keras, which inspects arguments without following what a function wraps.
    __init__.__signature__ = inspect.signature(init)
    return __init__
