"""The checks of what a served model is given, inside its graphs, with the sentences of Python."""

import tensorflow as tf

from keras_gen.core import Model
from keras_gen.spaces import Reals

#: Samples that one request may ask for, unless an export says otherwise.
MAX_NUM_SAMPLES = 1024


def guarded(model: Model, signature: str, inputs: dict[str, tf.Tensor], max_num_samples: int) -> dict[str, tf.Tensor]:
    """Returns the inputs of a signature unchanged, in a graph that fails with a sentence at a wrong one.

    Args:
        model: the model.
        signature: name of the signature.
        inputs: name to tensor.
        max_num_samples: the largest number of samples.
    """
    columns = {name: values for name, values in inputs.items() if values.shape.rank}
    refusals = refusals_of_lengths(columns)
    if signature == "sample" and "condition" in columns:
        most = f"`condition` must hold at most {max_num_samples} entries, one for each example; received "
        number = tf.shape(columns["condition"])[0]
        refusals.append(refusal(number <= max_num_samples, most, number))
    for name in inputs.keys() - columns.keys():
        for phrase, holds in scalar_checks(model, name, inputs[name].dtype, max_num_samples).items():
            refusals.append(refusal(holds(inputs[name]), f"`{name}` must be {phrase}, received ", inputs[name]))
    with tf.control_dependencies(refusals):
        found = {name: tf.identity(values) for name, values in inputs.items()}
    for name, values in columns.items():
        space = model.input_space(name)
        if space is None and values.dtype.is_floating:
            space = Reals(values.shape[1:])
        if space is not None:
            found[name] = space.guard(found[name], name)
    return found


def scalar_checks(model: Model, name: str, dtype: tf.DType, max_num_samples: int) -> dict:
    """Returns what a number has to be: phrase to function of the number."""
    is_number = {"a number": lambda value: tf.equal(value, value)} if dtype.is_floating else {}
    most = {f"at most {max_num_samples}": lambda value: value <= max_num_samples} if name == "num_samples" else {}
    return {**is_number, **model.scalar_checks(name), **most}


def refusals_of_lengths(columns: dict[str, tf.Tensor]) -> list[tf.Operation]:
    """Returns operations that fail where a column has no rows, or columns have several numbers of them."""
    sizes = {name: tf.shape(values)[0] for name, values in columns.items()}
    refusals = [
        refusal(size > 0, f"`{name}` holds no examples; at least one is expected") for name, size in sizes.items()
    ]
    if len(sizes) > 1:
        equal = tf.reduce_all(tf.equal(tf.stack(list(sizes.values())), next(iter(sizes.values()))))
        parts = [part for name, size in sizes.items() for part in (f", '{name}': ", size)]
        parts[0] = parts[0].removeprefix(", ")
        refusals.append(refusal(equal, "columns must be equally long, received {", *parts, "}"))
    return refusals


def refusal(holds: tf.Tensor, *sentence: str | tf.Tensor) -> tf.Operation:
    """Returns an operation that fails with a sentence, made of strings and numbers, unless a condition holds."""
    parts = [part if isinstance(part, str) else as_string(part) for part in sentence]
    return tf.raw_ops.Assert(condition=holds, data=[tf.strings.join([*parts, "."])])


def as_string(number: tf.Tensor) -> tf.Tensor:
    """Returns a scalar as an error shows it."""
    return tf.strings.as_string(number, shortest=True) if number.dtype.is_floating else tf.strings.as_string(number)
