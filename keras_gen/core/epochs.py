"""Models with their own fitting algorithm: statistics of an epoch, and the parameters that follow from them."""

import keras
import tensorflow as tf

from keras_gen.core.step import Step


class EpochSolver:
    """A model that sums statistics of the data over an epoch, and solves for its parameters at the end.

    The model provides

    - `statistics()`: the variables that hold the sums,
    - `accumulate(batch, step)`: what a batch adds to them, by `step.update`,
    - `solve()`: the parameters that follow from them.

    The optimizer has nothing to do, and `loss_terms` is evaluated only for the logs.
    """

    def statistics(self) -> list[keras.Variable]:
        """Returns the variables that are 0 when an epoch begins."""
        raise NotImplementedError

    def accumulate(self, batch: dict[str, tf.Tensor], step: Step) -> None:
        """Adds the statistics of a batch, over all replicas and weighted by the examples' weights."""
        raise NotImplementedError

    def solve(self) -> None:
        """Gives the parameters the values that follow from the statistics."""

    def take_step(self, batch, step):
        """Adds the statistics of a batch, and evaluates it with the current parameters."""
        self.accumulate(batch, step)
        step.apply()
        evaluation = Step(step.seed, training=False, sample_weight=step.sample_weight)
        return evaluation.record(lambda: self.loss_terms(batch, evaluation), [])

    def fit(self, *args, callbacks=None, **kwargs):
        """As in `Model`; every epoch starts new sums, and solves when it ends."""
        callbacks = [SolveEachEpoch(), *tf.nest.flatten(callbacks or [])]
        return super().fit(*args, callbacks=callbacks, **kwargs)


class SolveEachEpoch(keras.callbacks.Callback):
    """Resets the statistics when an epoch begins, and solves before validation and at the end of the epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        for statistic in self.model.statistics():
            statistic.assign(tf.zeros(statistic.shape, statistic.dtype))

    def on_test_begin(self, logs=None):
        self.model.solve()

    def on_epoch_end(self, epoch, logs=None):
        self.model.solve()
