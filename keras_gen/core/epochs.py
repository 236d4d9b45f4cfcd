"""Models that are fitted by an algorithm of their own: statistics of an epoch, and what follows from them."""

import keras
import tensorflow as tf

from keras_gen.core.step import Step


class EpochSolver:
    """A model that adds up statistics of the data over an epoch, and solves for its parameters at the end of it.

    The model provides

    - `statistics()`: the variables that statistics are added up in,
    - `accumulate(batch, step)`: what a batch adds to them, by `step.update`,
    - `solve()`: the parameters that follow from them.

    An optimizer has nothing to do, and `loss_terms` is evaluated for the logs alone.
    """

    def statistics(self) -> list[keras.Variable]:
        """Returns the variables that are 0 when an epoch begins."""
        raise NotImplementedError

    def accumulate(self, batch: dict[str, tf.Tensor], step: Step) -> None:
        """Adds the statistics of a batch, over all replicas and by the weights of the examples."""
        raise NotImplementedError

    def solve(self) -> None:
        """Gives the parameters the values that follow from the statistics."""

    def take_step(self, batch, step):
        """Adds the statistics of a batch, and evaluates it with the parameters so far."""
        self.accumulate(batch, step)
        step.apply()
        evaluation = Step(step.seed, training=False, sample_weight=step.sample_weight)
        return evaluation.record(lambda: self.loss_terms(batch, evaluation), [])

    def fit(self, *args, callbacks=None, **kwargs):
        """As in `Model`; every epoch adds up anew, and solves when it ends."""
        callbacks = [SolveEachEpoch(), *tf.nest.flatten(callbacks or [])]
        return super().fit(*args, callbacks=callbacks, **kwargs)


class SolveEachEpoch(keras.callbacks.Callback):
    """Forgets the statistics when an epoch begins, and solves before validation and when the epoch has ended."""

    def on_epoch_begin(self, epoch, logs=None):
        for statistic in self.model.statistics():
            statistic.assign(tf.zeros(statistic.shape, statistic.dtype))

    def on_test_begin(self, logs=None):
        self.model.solve()

    def on_epoch_end(self, epoch, logs=None):
        self.model.solve()
