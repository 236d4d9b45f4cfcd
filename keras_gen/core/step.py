"""One step: its randomness, the weights of its examples, and its updates of variables."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from keras_gen import seeds


class Step:
    r"""One step of training, or one batch of an evaluation.

    A forward pass never changes a variable. What a step changes besides following a gradient (statistics of the data,
    the vector of a spectral norm, a codebook, a moving average, persistent chains, a pool of images) is handed to
    `update`, and the model applies it once the optimizer has moved the weights.

    Under a strategy every replica holds some rows of the global batch. All replicas draw the noise of the global batch
    and keep their own rows (`rows`); means and sums are over the global batch (`mean`, `total`). So any number of
    replicas, which may hold different numbers of rows, or none, computes the same result as one device. A value given
    to `update` must be that of the global batch, the same on every replica.

    Attributes:
        seed: int32 tensor of shape (2,), from which all randomness of the step comes.
        training: whether this is a step of training.
        sample_weight: float32 tensor of shape `(batch,)`, the weight of each example; None if all have the same weight.
        iteration: number of training steps before this one, an int64 scalar.
        momentum: weight of the past in running means, instead of the layers' own; None for the layers' own.
    """

    def __init__(
        self,
        seed: tf.Tensor,
        *,
        training: bool,
        sample_weight: tf.Tensor | None = None,
        iteration=0,
        momentum: float | None = None,
    ):
        self.seed = seed
        self.training = training
        self.sample_weight = sample_weight
        self.iteration = iteration
        self.momentum = momentum
        self._updates: dict[int, tuple[keras.Variable, tf.Tensor | Callable[[], tf.Tensor]]] = {}

    # Randomness

    def split(self, num: int) -> list["Step"]:
        """Returns steps that share everything with this one except the seed: each has its own."""
        return [self._with_seed(seed) for seed in tf.unstack(tf.random.split(self.seed, num))]

    def fold(self, number) -> "Step":
        """Returns a step that shares everything with this one except the seed, which also depends on a number."""
        return self._with_seed(tf.random.experimental.stateless_fold_in(self.seed, number))

    def rows(self, draw: Callable[[tf.Tensor], tf.Tensor], batch_size: tf.Tensor):
        """Draws for the global batch and returns the rows of this replica: see `seeds.replica_rows`."""
        return seeds.replica_rows(draw, batch_size)

    def uniform(self, shape) -> tf.Tensor:
        """Returns float32 numbers from 0 to 1, of a shape whose first axis is the batch."""
        return self.rows(lambda rows: seeds.uniform((rows, *shape[1:]), self.seed), shape[0])

    def normal(self, shape) -> tf.Tensor:
        """Returns float32 standard normal numbers, of a shape whose first axis is the batch."""
        return self.rows(lambda rows: seeds.normal((rows, *shape[1:]), self.seed), shape[0])

    # The global batch

    def total(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the sum of a tensor over all replicas."""
        return over_replicas(values)

    def mean(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the weighted mean over all examples of the global batch; the first axis is the batch."""
        shape = tf.concat([tf.shape(values)[:1], tf.ones(len(values.shape) - 1, tf.int32)], axis=0)
        weights = tf.cast(tf.reshape(self.example_weights(tf.shape(values)[0]), shape), values.dtype)
        total = tf.reduce_sum(values * weights, axis=0)
        return tf.math.divide_no_nan(self.total(total), tf.cast(self.total_weight(weights), values.dtype))

    def gather(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the rows of all replicas, in order."""
        context = seeds.replica_context()
        return values if context is None else context.all_gather(values, axis=0)

    def example_weights(self, batch_size: tf.Tensor) -> tf.Tensor:
        """Returns the weight of each example of this replica, of shape `(batch,)`."""
        return tf.ones((batch_size,)) if self.sample_weight is None else self.sample_weight

    def total_weight(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the sum of weights over the global batch."""
        return self.total(tf.reduce_sum(weights))

    # Updates

    def update(self, variable: keras.Variable, value: tf.Tensor | Callable[[], tf.Tensor]) -> None:
        """Assigns a value to a variable when the step is done.

        Args:
            variable: the variable. The last value assigned in a step counts.
            value: its value, the same on all replicas; or a function that computes it once the optimizer has moved
                the weights.
        """
        self._updates[id(variable)] = (variable, value)

    def forget(self, variables: list[keras.Variable]) -> None:
        """Discards the updates of variables."""
        for variable in variables:
            self._updates.pop(id(variable), None)

    def silent(self) -> "Step":
        """Returns a step with the same seed whose updates are discarded, for passes without side effects."""
        return Step(self.seed, **self._settings())

    def record(
        self,
        compute: Callable[[], dict],
        variables: list[keras.Variable],
        given: list[tuple[keras.Variable, tf.Tensor]] = (),
    ) -> dict:
        """Returns what a function computes, and turns its assignments to variables into updates.

        Layers of Keras, such as batch normalization, assign their statistics in a forward pass. Here, the assignments
        wait like all updates; assignments to variables other than the given ones are discarded. The function sees the
        values that earlier passes of the step have assigned to the variables.

        Args:
            compute: function without arguments.
            variables: the variables that may change.
            given: values of other variables that the function sees, such as the state of a generator of seeds.
        """
        updates = [self._updates[id(variable)] for variable in variables if id(variable) in self._updates]
        seen = [*((variable, value) for variable, value in updates if not callable(value)), *given]
        with self.active(), keras.StatelessScope(seen) as scope:
            before = dict(scope.state_mapping)
            found = compute()
        for variable in variables:
            value = scope.get_current_value(variable)
            if value is not before.get(id(variable)):
                self.update(variable, value)
        return found

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Makes `active_step` return this step for the duration of the block."""
        before, threads.step = active_step(), self
        try:
            yield
        finally:
            threads.step = before

    def apply(self) -> None:
        """Assigns all variables their new values."""
        # Compute all values first: none may depend on what another update has changed.
        values = [(variable, value() if callable(value) else value) for variable, value in self._updates.values()]
        for variable, value in values:
            variable.assign(value)
        self._updates.clear()

    def _with_seed(self, seed: tf.Tensor) -> "Step":
        step = Step(seed, **self._settings())
        step._updates = self._updates
        return step

    def _settings(self) -> dict:
        return {name: getattr(self, name) for name in ("training", "sample_weight", "iteration", "momentum")}


#: The step of each thread; every replica of a strategy has a thread.
threads = threading.local()


def active_step() -> Step | None:
    """Returns the step whose terms are being computed, or None outside of training and evaluation."""
    return getattr(threads, "step", None)


def over_replicas(values: tf.Tensor) -> tf.Tensor:
    """Returns the sum of a tensor over the replicas of a strategy."""
    context = seeds.replica_context()
    return values if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, values)
