"""Training in phases: a training step consists of steps by several optimizers, each on its own layers."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen.core.base import optimizer_of
from keras_gen.core.step import Step


class Phases:
    """Trains a model in phases, such as one for each of two players.

    A phase has a name, a loss, an optimizer, and the layers that it trains; two phases may share layers. The model
    provides `phase_layers`, a `compile` that passes its optimizers on to `compile_phases`, and a `take_step` that calls
    `take_phase` for one phase after another.

    The optimizer of the first phase is `model.optimizer`, the one that learning-rate callbacks change. If it keeps a
    moving average of the weights, it averages the first phase's variables, which the model must create before all
    others. The optimizer of another phase is the attribute `<phase>_optimizer`.
    """

    #: The losses of several phases are not a single mean over examples.
    takes_sample_weight = False

    def phase_layers(self) -> dict[str, list[keras.layers.Layer]]:
        """Returns the layers that each phase trains, by the name of the phase."""
        raise NotImplementedError

    def phase_variables(self) -> dict[str, list[keras.Variable]]:
        """Returns the variables that the gradient of each phase moves, by the name of the phase."""
        return {
            phase: [variable for layer in layers for variable in layer.trainable_variables]
            for phase, layers in self.phase_layers().items()
        }

    def weights_to_optimize(self) -> list[keras.Variable]:
        """Returns the variables of all phases."""
        return [variable for variables in self.phase_variables().values() for variable in variables]

    def compile_phases(self, optimizers: dict[str, keras.optimizers.Optimizer], *, jit_compile: bool, **kwargs):
        """Like `keras.Model.compile`, with an optimizer for each phase.

        Args:
            optimizers: name of each phase to its optimizer, or the optimizer's name.
            jit_compile: whether to compile the training step with XLA.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if two phases are given the same optimizer, or a loss or metrics are given.
        """
        self.check_no_other_loss(kwargs)
        optimizers = {phase: optimizer_of(f"{phase}_optimizer", given) for phase, given in optimizers.items()}
        first, *others = optimizers
        for index, phase in enumerate(others, 1):
            for earlier in list(optimizers)[:index]:
                if optimizers[phase] is optimizers[earlier]:
                    raise ValueError(
                        f"`{phase}_optimizer` must be an optimizer of its own, received the one of the {earlier}."
                    )
        # Keras and the base class use `optimizer`, the one of the first phase, from here on.
        keras.Model.compile(self, optimizer=optimizers[first], jit_compile=jit_compile, **kwargs)
        scaled = keras.optimizers.LossScaleOptimizer
        for phase in others:
            if isinstance(self.optimizer, scaled) and not isinstance(optimizers[phase], scaled):
                optimizers[phase] = scaled(optimizers[phase])
            setattr(self, f"{phase}_optimizer", optimizers[phase])
        # Building them now allows a checkpoint to be restored into them before the first step.
        for phase, variables in self.phase_variables().items():
            self.phase_optimizer(phase).build(variables)

    def phase_optimizer(self, phase: str) -> keras.optimizers.Optimizer:
        """Returns the optimizer of a phase."""
        first = next(iter(self.phase_layers()))
        return self.optimizer if phase == first else getattr(self, f"{phase}_optimizer")

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers of all phases."""
        return [self.phase_optimizer(phase) for phase in self.phase_layers()]

    def get_compile_config(self) -> dict:
        """Returns the arguments of `compile`, serialized."""
        config = super().get_compile_config()
        if config:
            del config["optimizer"]
            for phase in self.phase_layers():
                config[f"{phase}_optimizer"] = keras.saving.serialize_keras_object(self.phase_optimizer(phase))
        return config

    def take_phase(
        self, phase: str, compute_terms: Callable[[], dict[str, tf.Tensor]], step: Step
    ) -> dict[str, tf.Tensor]:
        """Takes a step of a phase's optimizer, and leaves the layers of the other phases unchanged.

        Args:
            phase: name of the phase.
            compute_terms: function that returns terms by name; the mean of "<phase>_loss" is minimised. A term may be
                a pair of values and weights, whose mean is weighted.
            step: the step. Its updates are applied, except those to layers that belong only to other phases.

        Returns:
            The terms.
        """
        variables = self.phase_variables()[phase]
        terms = self.descend(compute_terms, step, self.phase_optimizer(phase), variables, loss=f"{phase}_loss")
        step.forget(self.variables_of_others(phase))
        step.apply()
        return terms

    def variables_of_others(self, phase: str) -> list[keras.Variable]:
        """Returns the variables of all layers that belong to other phases but not to this one."""
        layers = self.phase_layers()
        own = {id(variable) for layer in layers.pop(phase) for variable in layer.variables}
        others = [variable for each in layers.values() for layer in each for variable in layer.variables]
        return [variable for variable in others if id(variable) not in own]


def weighted_values(term: tf.Tensor | tuple[tf.Tensor, tf.Tensor], step: Step) -> tf.Tensor:
    """Returns a term, or, for a term with weights, values whose mean is its weighted mean.

    Both means are over the global batch of a strategy. If all weights are 0, so are the values.
    """
    if not isinstance(term, tuple):
        return term
    values, weights = term
    return tf.math.divide_no_nan(values * weights, step.mean(weights))
