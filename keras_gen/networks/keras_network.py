"""Custom networks: any Keras layer or model in place of a network of this package."""

import functools
import json
import re
import textwrap
import zlib
from collections.abc import Iterator

import keras
import tensorflow as tf
from keras.src.backend.common.stateless_scope import get_stateless_scope

from keras_gen import seeds
from keras_gen.core.step import Step, active_step
from keras_gen.layers.convolution import CONVOLUTIONS, call_convolution
from keras_gen.layers.dense import call_dense

#: A Keras layer or model; or its representation in a configuration: `{"name": "keras", "layer": ...}`.
OwnNetwork = keras.layers.Layer | dict

#: Activations that bound an output.
BOUNDED = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softmax")


class KerasNetwork(keras.layers.Layer):
    """A Keras layer or model that takes part in the steps of a model.

    It keeps the weights it has, or initializes them if it is not built; it computes in its own precision. It gets one
    tensor, or a list of tensors if there are several inputs.

    In a training step it is in training mode. Batch normalization sees the global batch, and its updates are handed to
    the step. Dropout, and everything that draws from seed generators, follows the step's seed; each of several replicas
    draws its own numbers.

    Args:
        argument: name of the model's argument that it was passed as, for errors.
        layer: the layer or model, or its representation in a configuration.
        inputs: shapes of the inputs, without the batch.
        outputs: shapes that the output may have, without the batch; it is reshaped to the first one. None means any
            size.
        linear: whether its last layer must not bound the output, since the model does so itself.
        **kwargs: as in `keras.layers.Layer`.

    Raises:
        TypeError: if it is not a layer.
        ValueError: if it does not accept such inputs or returns other outputs, or if it contains an unsupported layer.
    """

    #: The last bias: unknown.
    output_bias = None
    #: The model's arguments alone do not record what is frozen inside.
    frozen_by_others = True

    def __init__(
        self,
        argument: str,
        layer: OwnNetwork,
        inputs: list[tuple[int, ...]],
        outputs: list[tuple[int | None, ...]],
        *,
        linear: bool = False,
        **kwargs,
    ):
        # The layer casts its inputs to its own precision; this one would first round them to another.
        super().__init__(autocast=False, **kwargs)
        self.argument = argument
        config = layer.get("layer", layer) if isinstance(layer, dict) else {}
        if "class_name" in config:
            layer = keras.saving.deserialize_keras_object(as_in_a_file(config))
        self.layer = layer
        if not isinstance(self.layer, keras.layers.Layer):
            raise TypeError(f"`{argument}` must be a layer or a model of Keras, received {layer!r}.")
        found = self.checked_output_shape(inputs, outputs)
        #: Shape of the output, without the batch.
        self.event_shape = found if None in outputs[0] else outputs[0]
        self.check_layers(linear)
        # Each network of a model draws its own noise.
        self.place = zlib.crc32(argument.encode()) % 2**31
        self.built = True

    def checked_output_shape(self, inputs, outputs) -> tuple[int, ...]:
        """Builds the layer and returns its output shape, if its inputs and outputs are as expected."""
        takes, gives = (dict.fromkeys(map(shown, shapes)) for shapes in (inputs, outputs))
        expected = f"`{self.argument}` must map shape {' and '.join(takes)} to {' or '.join(gives)}"
        given = [keras.KerasTensor((None, *shape)) for shape in inputs]
        try:
            found = self.layer(given if len(given) > 1 else given[0])
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError, tf.errors.OpError) as error:
            raise ValueError(f"{expected}; received {self.kind}, which fails: {reason(error)}.") from error
        if not isinstance(found, keras.KerasTensor):
            raise ValueError(f"{expected}; received {self.kind}, which gives a {type(found).__name__}.")
        if not any(tf.TensorShape((None, *shape)).is_compatible_with(found.shape) for shape in outputs):
            raise ValueError(f"{expected}; received {self.kind}, which gives {shown(found.shape[1:])}.")
        return tuple(found.shape[1:])

    def check_layers(self, linear: bool) -> None:
        """Raises an error if a layer inside is not supported, and adapts the others to replicas and precisions.

        Batch normalization gets the global batch, convolutions accept a batch without rows, and biases learn in 16
        bits.
        """
        for part in self.layer._flatten_layers():
            if getattr(part, "activity_regularizer", None) is not None:
                self.refuse(f"no `activity_regularizer`, which the model's loss leaves out, as {part.name!r} has")
            if isinstance(part, keras.layers.SpectralNormalization):
                self.refuse("no `SpectralNormalization` of Keras, which changes kernels in a forward pass")
            if isinstance(part, keras.layers.BatchNormalization):
                part.synchronized = True
            if isinstance(part, CONVOLUTIONS):
                part.call = functools.partial(call_convolution, part, part.call)
            if isinstance(part, keras.layers.Dense):
                part.call = functools.partial(call_dense, part, part.call)
        strategy = tf.distribute.get_strategy()
        if tf.distribute.has_strategy() and not all(
            strategy.extended.variable_created_in_scope(weight.value) for weight in self.layer.weights
        ):
            raise ValueError(f"`{self.argument}` must be made inside of the strategy's scope; received {self.kind}.")
        activation = getattr(last_layer(self.layer), "activation", None)
        if linear and getattr(activation, "__name__", None) in BOUNDED:
            self.refuse(f"no {activation.__name__} at its end, since the model bounds its outputs itself")

    def check_is_stateless(self) -> None:
        """Raises an error if the layer may compute something different in training than afterwards."""
        for part in self.layer._flatten_layers():
            if part._seed_generators or part._non_trainable_variables:
                self.refuse(f"no layer that is another in training, as dropout and {part.name!r} are")

    def refuse(self, expected: str) -> None:
        """Raises an error that says what the network must have, or must not have."""
        raise ValueError(f"`{self.argument}` must have {expected}; received {self.kind}.")

    @property
    def kind(self) -> str:
        """What errors call the layer."""
        return f"{type(self.layer).__name__} {self.layer.name!r}"

    def call(self, *inputs, step: Step | None = None, dropout_seed: tf.Tensor | None = None):
        """Returns the output, of shape `(batch, *event_shape)`.

        Args:
            *inputs: a tensor for each of the inputs; None for an absent one.
            step: the step; None for the one whose terms are being computed, if any.
            dropout_seed: int32 tensor of shape (2,) from which noise is drawn outside of training, too; None for no
                noise there.
        """
        inputs = [each for each in inputs if each is not None]
        inputs = inputs if len(inputs) > 1 else inputs[0]
        step = active_step() if step is None else step
        if dropout_seed is not None and (step is None or not step.training):
            step = Step(dropout_seed, training=True)
        if step is None or not step.training:
            outputs = self.layer(inputs, training=False)
        else:
            states = [variable for part in self.layer._flatten_layers() for variable in part._non_trainable_variables]
            outputs = step.record(lambda: self.trained(inputs), states, list(self.seeded(step)))
        return tf.reshape(outputs, (-1, *self.event_shape))

    def features(self, *inputs):
        """Raises an error, since nothing is known about what is inside."""
        raise ValueError(f"`{self.argument}` must be None for features; received {self.kind}, which tells none.")

    def trained(self, inputs) -> tf.Tensor:
        """Returns the layer's output in training.

        Raises:
            ValueError: if it changes a weight that is also trained by gradient, or changes one on several replicas
                independently.
        """
        outputs, scope = self.layer(inputs, training=True), get_stateless_scope()
        for part in self.layer._flatten_layers():
            alone = seeds.replica_context() is None or isinstance(part, keras.layers.BatchNormalization)
            for variable in part._trainable_variables + ([] if alone else part._non_trainable_variables):
                if scope.get_current_value(variable) is not None:
                    where = "" if variable.trainable else " on several replicas"
                    self.refuse(f"no layer that changes a weight in a forward pass{where}, as {part.name!r} does")
        return outputs

    def seeded(self, step: Step) -> Iterator[tuple[keras.Variable, tf.Tensor]]:
        """Yields the states of all seed generators, and their values in a step."""
        seed, context = step.fold(self.place).seed, seeds.replica_context()
        if context is not None:
            seed = tf.random.experimental.stateless_fold_in(seed, context.replica_id_in_sync_group)
        generators = [each for part in self.layer._flatten_layers() for each in part._seed_generators]
        for generator, own in zip(generators, tf.unstack(tf.random.split(seed, max(1, len(generators)))), strict=False):
            yield generator.state, own


class GivenLayers:
    """Arguments of a model that may be layers, each kept until a network is made of it.

    Keras, which tracks the contents of attributes, does not look inside.
    """

    def __init__(self, **arguments):
        self.arguments = arguments

    def take(self, name: str, value):
        """Returns an argument as it was given, the first time; then the value that the configuration holds."""
        return self.arguments.pop(name, value)

    def check_all_taken(self, model: str) -> None:
        """Raises an error if a layer is left over from which no network was made."""
        for name, value in self.arguments.items():
            if isinstance(value, keras.layers.Layer):
                raise ValueError(f"`{name}` must not be given: {model} has networks of its own; received {value!r}.")


def argument_value(name: str, value):
    """Returns the value of an argument that may be a layer, as a configuration holds it.

    Raises:
        ValueError: if the value is a layer that cannot be saved.
    """
    if not isinstance(value, keras.layers.Layer):
        return value
    try:
        config = keras.saving.serialize_keras_object(value)
    except NotImplementedError as error:
        raise ValueError(
            f"`{name}` must have a method `get_config` that returns the arguments of its constructor, to be saved with "
            f"the model; received {type(value).__name__} {value.name!r}."
        ) from error
    # It is trained by the loss of the model.
    config.pop("compile_config", None)
    return {"name": "keras", "layer": as_in_a_file(config)}


def as_in_a_file(config: dict) -> dict:
    """Returns a copy of a configuration as a file would hold it; Keras modifies the one it reads."""
    return json.loads(json.dumps(config))


def component_value(value):
    """Returns an argument that may be a layer in the form that `checks.component` takes."""
    return {"name": "keras", "layer": value} if isinstance(value, keras.layers.Layer) else value


def last_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Returns the layer that computes the output of a model, however models are nested."""
    while isinstance(layer, keras.Sequential) and layer.layers:
        layer = layer.layers[-1]
    if hasattr(layer, "operations") and len(layer.outputs) == 1:
        return last_layer(layer.outputs[0]._keras_history.operation)
    return layer


def reason(error: Exception) -> str:
    """Returns the message of a Keras error, on one line; only its bold part, if there is one."""
    bold = re.search(r"\x1b\[1m(.*?)\x1b\[0m", str(error), re.DOTALL)
    return textwrap.shorten(bold[1] if bold else str(error), 300, placeholder=" …").rstrip(".")


def shown(shape) -> str:
    """Returns the shape of a batch as an error shows it."""
    return f"({', '.join(['batch', *('any' if size is None else str(size) for size in shape)])})"
