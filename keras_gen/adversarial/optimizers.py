"""Gradient descent as in the first papers: a learning rate that decays to a floor, and a momentum that rises."""

import math

import keras

from keras_gen import checks


@keras.saving.register_keras_serializable("keras_gen")
class FallingRate(keras.optimizers.schedules.LearningRateSchedule):
    r"""A learning rate that is divided by a constant factor after each step, down to a floor.

    $$η_t = \max(η_0 f^{-t}, η_{min})$$

    Args:
        learning_rate: η_0.
        factor: f, at least 1.
        floor: η_min.
    """

    def __init__(self, learning_rate: float = 0.1, factor: float = 1.000004, floor: float = 1e-6):
        self.learning_rate = checks.positive("learning_rate", learning_rate)
        if not checks.positive("factor", factor) >= 1.0:
            raise ValueError(f"`factor` must be at least 1, received {factor}.")
        self.factor = factor
        self.floor = checks.not_negative("floor", floor)

    def __call__(self, step):
        # In 32 bits, the rounded factor would have a different power.
        exponent = -math.log(self.factor) * keras.ops.cast(step, "float32")
        return keras.ops.maximum(self.learning_rate * keras.ops.exp(exponent), self.floor)

    def get_config(self):
        """Returns the arguments by name."""
        return {"learning_rate": self.learning_rate, "factor": self.factor, "floor": self.floor}


@keras.saving.register_keras_serializable("keras_gen")
class RisingMomentum(keras.optimizers.SGD):
    r"""Stochastic gradient descent whose momentum rises linearly.

    $$v ← μ_t v - η_t g, \qquad θ ← θ + v, \qquad μ_t = μ_0 + (μ_1 - μ_0) \min(t / T, 1)$$

    Args:
        learning_rate: η, a number or a schedule.
        momentum: μ_0, greater than 0.
        final_momentum: μ_1.
        momentum_steps: T. The default is 250 epochs of 500 batches.
        **kwargs: as in `keras.optimizers.SGD`.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum: float = 0.5,
        *,
        final_momentum: float = 0.7,
        momentum_steps: int = 125_000,
        **kwargs,
    ):
        super().__init__(learning_rate, checks.positive("momentum", momentum), **kwargs)
        self.final_momentum = checks.rate("final_momentum", final_momentum)
        self.momentum_steps = checks.positive_int("momentum_steps", momentum_steps)

    def momentum_after(self, step):
        """Returns the momentum of the step that follows the given number of steps."""
        share = keras.ops.minimum(keras.ops.cast(step, "float32") / self.momentum_steps, 1.0)
        return self.momentum + (self.final_momentum - self.momentum) * share

    def update_step(self, gradient, variable, learning_rate):
        """Moves a variable by its velocity."""
        momentum, learning_rate, gradient = (
            keras.ops.cast(value, variable.dtype)
            for value in (self.momentum_after(self.iterations), learning_rate, gradient)
        )
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(velocity, momentum * velocity - learning_rate * gradient)
        self.assign_add(variable, velocity)

    def get_config(self):
        """Returns the arguments by name."""
        own = {"final_momentum": self.final_momentum, "momentum_steps": self.momentum_steps}
        return {**super().get_config(), **own}
