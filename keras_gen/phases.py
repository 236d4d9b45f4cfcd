"""Training in phases: a training step is made of steps of several optimizers, each on variables of its own choice."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gen.base import GenerativeModel


class PhasedModel(GenerativeModel):
    """A model that is trained in phases, such as one for each of two players.

    Each phase has a name, a loss, an optimizer, and variables, which no other optimizer need leave alone. A subclass
    provides `phase_variables`, a `compile` that passes its optimizers on to `compile_phases`, and a `train_step` that
    calls `take_step` for one phase after another.

    The optimizer of the first phase is `model.optimizer`: callbacks that change the learning rate see it, and the
    moving average of the weights, where there is one, is of the variables of this phase, which have to be the first
    ones of the model. The optimizer of another phase is the attribute `<phase>_optimizer`.
    """

    def phase_variables(self) -> dict[str, list[keras.Variable]]:
        """Returns the variables that each phase changes, by the name of the phase."""
        raise NotImplementedError

    def compile_phases(self, optimizers: dict[str, keras.optimizers.Optimizer], *, jit_compile: bool, **kwargs):
        """As `keras.Model.compile`, with an optimizer for each phase.

        Args:
            optimizers: name of each phase to its optimizer, or the optimizer's name.
            jit_compile: whether to compile the training step with XLA.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if two phases are given one optimizer.
        """
        optimizers = {phase: keras.optimizers.get(optimizer) for phase, optimizer in optimizers.items()}
        first, *others = optimizers
        for index, phase in enumerate(others, 1):
            for earlier in list(optimizers)[:index]:
                if optimizers[phase] is optimizers[earlier]:
                    raise ValueError(
                        f"`{phase}_optimizer` must be an optimizer of its own, received the one of the {earlier}."
                    )
        # What follows in Keras and in the base concerns `optimizer`, that of the first phase.
        keras.Model.compile(self, optimizer=optimizers[first], jit_compile=jit_compile, **kwargs)
        scaled = keras.optimizers.LossScaleOptimizer
        for phase in others:
            if isinstance(self.optimizer, scaled) and not isinstance(optimizers[phase], scaled):
                optimizers[phase] = scaled(optimizers[phase])
            setattr(self, f"{phase}_optimizer", optimizers[phase])
        # Built now, a checkpoint can be restored into them before the first step.
        for phase, variables in self.phase_variables().items():
            self.phase_optimizer(phase).build(variables)

    def phase_optimizer(self, phase: str) -> keras.optimizers.Optimizer:
        """Returns the optimizer of a phase."""
        first = next(iter(self.phase_variables()))
        return self.optimizer if phase == first else getattr(self, f"{phase}_optimizer")

    def get_compile_config(self) -> dict:
        """Returns the arguments of `compile`, serialized."""
        config = super().get_compile_config()
        if config:
            del config["optimizer"]
            for phase in self.phase_variables():
                config[f"{phase}_optimizer"] = keras.saving.serialize_keras_object(self.phase_optimizer(phase))
        return config

    def take_step(self, phase: str, compute_terms: Callable[[], dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """One step of the optimizer of a phase; leaves all but the variables of the phase as they are.

        Args:
            phase: name of the phase.
            compute_terms: function that returns terms by name; the mean of "<phase>_loss" is minimised. A term may be
                a pair of values and weights, whose mean is weighted.

        Returns:
            The terms.
        """
        variables, optimizer = self.phase_variables()[phase], self.phase_optimizer(phase)
        with tf.GradientTape() as tape:
            terms = compute_terms()
            loss = self.scaled_loss(with_weights(terms[f"{phase}_loss"]), optimizer)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return terms


def with_weights(term: tf.Tensor | tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Returns a term, or what has the weighted mean of a pair of a term and its weights as its mean.

    Both means are over the global batch of a strategy. Without any weight, all is 0.
    """
    if not isinstance(term, tuple):
        return term
    values, weights = term
    mean = tf.reduce_mean(weights)
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        mean = context.all_reduce("MEAN", mean)
    return tf.math.divide_no_nan(values * weights, mean)
