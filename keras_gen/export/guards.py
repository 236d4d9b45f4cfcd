"""Checks of the inputs of a served model, inside its graphs, with the same messages as in Python."""

import tensorflow as tf

from keras_gen.core import Model
from keras_gen.spaces import Reals

#: Default of the largest number of samples that one request may ask for.
MAX_NUM_SAMPLES = 1024


def guarded(model: Model, signature: str, inputs: dict[str, tf.Tensor], max_num_samples: int) -> dict[str, tf.Tensor]:
    """Returns the inputs of a signature unchanged, in a graph that fails with a clear message on an invalid one.

    Args:
        model: the model.
        signature: name of the signature.
        inputs: name to tensor.
        max_num_samples: the largest number of samples.
    """
    # Before anything else: a scalar has no number of rows.
    with tf.control_dependencies([about_shape(name, values) for name, values in inputs.items() if values.shape.rank]):
        inputs = {name: tf.identity(values) for name, values in inputs.items()}
    columns = {name: values for name, values in inputs.items() if values.shape.rank}
    wrong = about_lengths(columns)
    if signature == "sample" and "condition" in columns:
        most = f"`condition` must hold at most {max_num_samples} entries, one for each example; received "
        number = tf.shape(columns["condition"])[0]
        wrong.append((number <= max_num_samples, most, number))
    for name, value in inputs.items():
        if name not in columns:
            wrong += [
                (holds(value), f"`{name}` must be {phrase}, received ", value)
                for phrase, holds in scalar_checks(model, name, value.dtype, max_num_samples).items()
            ]
    # One after the other: of several messages, the first one is reported.
    last = []
    for holds, *sentence in wrong:
        with tf.control_dependencies(last):
            last = [refusal(holds, sentence)]
    with tf.control_dependencies(last):
        found = {name: tf.identity(values) for name, values in inputs.items()}
    for name, values in columns.items():
        space = model.input_space(name)
        if space is None and values.dtype.is_floating:
            space = Reals(values.shape[1:])
        if space is not None:
            found[name] = space.guard(found[name], name)
    return found


def scalar_checks(model: Model, name: str, dtype: tf.DType, max_num_samples: int) -> dict:
    """Returns the requirements on a number: phrase to function of the number."""
    is_number = {"a number": lambda value: tf.equal(value, value)} if dtype.is_floating else {}
    most = {f"at most {max_num_samples}": lambda value: value <= max_num_samples} if name == "num_samples" else {}
    return {**is_number, **model.scalar_checks(name), **most}


def about_shape(name: str, values: tf.Tensor) -> tf.Operation:
    """Returns an operation that fails with a message unless a column has the shape of its signature.

    TensorFlow does not compare the shapes of a served model's inputs, and operations may broadcast wrong ones.
    """
    expected = values.shape.as_list()
    # Without what is known of its shape, from which TensorFlow would conclude that the condition holds.
    shape = tf.shape(tf.raw_ops.PlaceholderWithDefault(input=values, shape=tf.TensorShape(None)))
    rank = tf.size(shape)
    # As many sizes as are expected.
    first = tf.concat([shape, tf.fill([len(expected)], -1)], axis=0)[: len(expected)]
    free = tf.constant([size is None for size in expected])
    fits = tf.reduce_all(free | tf.equal(first, [size or 0 for size in expected]))
    axes = ", ".join(["batch", *("any" if size is None else str(size) for size in expected[1:])])
    wanted = f"({axes},)" if len(expected) == 1 else f"({axes})"
    sentence = [f"`{name}` must have shape {wanted}, received (", *shown_shape(shape), ")"]
    return refusal(tf.equal(rank, len(expected)) & fits, sentence)


def shown_shape(shape: tf.Tensor) -> list[tf.Tensor]:
    """Returns the sizes of a shape, separated by commas, as strings."""
    sizes = tf.strings.reduce_join(tf.strings.as_string(shape), separator=", ")
    return [sizes, tf.where(tf.equal(tf.size(shape), 1), ",", "")]


def about_lengths(columns: dict[str, tf.Tensor]) -> list[tuple]:
    """Returns conditions on the numbers of rows, each with the parts of the message that says what is wrong."""
    sizes = {name: tf.shape(values)[0] for name, values in columns.items()}
    found = [(size > 0, f"`{name}` holds no examples; at least one is expected") for name, size in sizes.items()]
    # The noise of a chain has a free number of steps.
    steps = {
        name: tf.shape(values)[1] for name, values in columns.items() if values.shape.rank > 1 and not values.shape[1]
    }
    for kind, numbers in (("be equally long", sizes), ("have equally many steps", steps)):
        if len(numbers) > 1:
            equal = tf.reduce_all(tf.equal(tf.stack(list(numbers.values())), next(iter(numbers.values()))))
            # No quotation marks around names, because the operation would escape them.
            parts = [part for name, size in numbers.items() for part in (f", {name}: ", size)]
            parts[0] = parts[0].removeprefix(", ")
            found.append((equal, f"columns must {kind}, received {{", *parts, "}"))
    return found


def refusal(holds: tf.Tensor, sentence: list[str | tf.Tensor]) -> tf.Operation:
    """Returns an operation that fails with a message, made of strings and numbers, unless a condition holds."""
    is_text = [isinstance(part, str) or part.dtype == tf.string for part in sentence]
    parts = [part if text else as_string(part) for part, text in zip(sentence, is_text, strict=True)]
    return tf.raw_ops.Assert(condition=holds, data=[tf.strings.join([*parts, "."])])


def as_string(number: tf.Tensor) -> tf.Tensor:
    """Returns a scalar as shown in an error."""
    return tf.strings.as_string(number, shortest=True) if number.dtype.is_floating else tf.strings.as_string(number)
