"""Two players: the order of their steps, whatever their networks and the generator's input."""

from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Phases, Step, weighted_values


class TwoPlayer(Phases):
    """A generator that learns from a discriminator, which learns to distinguish generated examples from data.

    The model has the networks `generator` and `discriminator`, built in this order, and provides

    - `fakes(batch, step)`: the generator's output for a batch,
    - `discriminator_terms(batch, fakes, step)` and `generator_terms(batch, fakes, step)`: what each player minimises.

    Each training step consists of `discriminator_steps` steps of the discriminator, followed by one of the generator.
    Each of the discriminator's steps has its own examples, and the generator's step has those of the last one: the
    batch of the training step is distributed among them (`dealt`). With arrays, the `batch_size` of `fit` is what a
    player sees in a step, and the batch is `discriminator_steps` times as long; a data set must yield batches of that
    length.

    Each step has its own randomness. A player's variables, including its moving statistics, change only in its own
    step.

    The logs contain the loss of each player and their sum as "loss", which shows when one of them is not finite but not
    how good the generator is. A model that logs more adds it to `terms`.
    """

    terms = ("loss", "generator_loss", "discriminator_loss")

    #: Number of discriminator steps, each with its own batch, for each generator step.
    discriminator_steps: int = 1

    generator: keras.layers.Layer
    discriminator: keras.layers.Layer

    # Objective

    def fakes(self, batch: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Generates examples for a batch.

        Args:
            batch: valid columns by name.
            step: the step, which supplies the randomness of the examples.

        Returns:
            Generated columns by name, and anything else that the players' terms need about them, such as noise.
        """
        raise NotImplementedError

    def discriminator_terms(self, batch, fakes: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Computes what the discriminator minimises, "discriminator_loss", and further terms to log.

        Args:
            batch: valid columns by name.
            fakes: what `fakes` returned for the batch; no gradient flows through it.
            step: the step.

        Returns:
            Terms by name, as in `loss_terms`.
        """
        raise NotImplementedError

    def generator_terms(self, batch, fakes: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Computes what the generator minimises through `fakes`, "generator_loss"; see `discriminator_terms`."""
        raise NotImplementedError

    def loss_terms(self, batch, step):
        """The terms of both players on the same generated examples, without a step of either."""
        fakes, others = self.fakes(batch, step), step.fold(1)
        terms = self.discriminator_terms(batch, fakes, others)
        return self.with_sum({**terms, **self.generator_terms(batch, fakes, others)}, step)

    def with_sum(self, terms: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Returns the terms, with the sum of the players' losses as "loss"."""
        losses = [weighted_values(terms[f"{player}_loss"], step) for player in ("generator", "discriminator")]
        return {"loss": losses[0] + losses[1], **terms}

    # Training

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """Returns the optimizer of each player that `compile` uses unless it is given another one."""
        return {player: keras.optimizers.Adam(2e-4, beta_1=0.5) for player in ("generator", "discriminator")}

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, *, jit_compile: bool = False, **kwargs):
        """Like `keras.Model.compile`, with an optimizer for each player.

        Learning-rate callbacks see the generator's optimizer, as `model.optimizer`.

        Args:
            generator_optimizer: optimizer, or its name. None means the model's own: DCGAN's Adam, or that of its paper.
            discriminator_optimizer: the same for the discriminator; it must be a different object.
            jit_compile: whether to compile the training step with XLA. On a CPU, this makes dense networks faster and
                convolutional ones slower.
            **kwargs: further arguments of `keras.Model.compile`.

        Raises:
            ValueError: if both players are given the same optimizer.
        """
        given = {"generator": generator_optimizer, "discriminator": discriminator_optimizer}
        defaults = self.default_optimizers()
        optimizers = {player: defaults[player] if given[player] is None else given[player] for player in given}
        self.compile_phases(optimizers, jit_compile=jit_compile, **kwargs)

    def phase_layers(self):
        return {"generator": [self.generator], "discriminator": [self.discriminator]}

    def fit(self, x=None, y=None, batch_size: int | None = None, *args, **kwargs) -> keras.callbacks.History:
        """As in `Model`; a training step takes a batch for each step of the discriminator.

        Args:
            x: as in `Model`. A batch from a data set or a generator contains the examples of all discriminator steps in
                a training step.
            y: as in `Model`.
            batch_size: number of examples that a player sees in a step, if `x` consists of arrays; 32 by default.
            *args: as in `Model`.
            **kwargs: as in `Model`.
        """
        if not isinstance(x, (tf.data.Dataset, keras.utils.PyDataset, Iterator, tf.distribute.DistributedDataset)):
            batch_size = 32 if batch_size is None else checks.positive_int("batch_size", batch_size)
            kwargs = {"validation_batch_size": batch_size, **kwargs}
            batch_size *= self.discriminator_steps
        return super().fit(x, y, batch_size, *args, **kwargs)

    def take_step(self, batch, step):
        """Takes steps of the discriminator, each with its own rows, then one of the generator with the last rows."""
        *discriminator_steps, last = step.split(self.discriminator_steps + 1)
        for rows, each in zip(dealt(batch, self.discriminator_steps), discriminator_steps, strict=True):
            terms = self.take_discriminator_step(rows, each)
        return self.with_sum({**terms, **self.take_generator_step(rows, last)}, step)

    def take_discriminator_step(self, batch: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Takes a step of the discriminator's optimizer, and returns what `discriminator_terms` returned."""

        def terms():
            fakes = tf.nest.map_structure(tf.stop_gradient, self.fakes(batch, step))
            return self.discriminator_terms(batch, fakes, step.fold(1))

        return self.take_phase("discriminator", terms, step)

    def take_generator_step(self, batch: dict[str, tf.Tensor], step: Step) -> dict[str, tf.Tensor]:
        """Takes a step of the generator's optimizer, and returns what `generator_terms` returned."""

        def terms():
            return self.generator_terms(batch, self.fakes(batch, step), step.fold(1))

        return self.take_phase("generator", terms, step)


def dealt(batch: dict[str, tf.Tensor], num_steps: int) -> list[dict[str, tf.Tensor]]:
    """Deals the rows of the global batch to several steps like cards: one row to each step in turn.

    So each row enters one step, replicas have equal shares of every step, and any number of replicas takes the same
    steps as one device. If there are fewer rows than steps, rows are repeated to give every step one.

    Args:
        batch: columns by name, the rows of this replica.
        num_steps: number of steps.

    Returns:
        The columns of each step.
    """
    if num_steps == 1:
        return [batch]
    start, total = seeds.replica_place(tf.shape(next(iter(batch.values())))[0])
    stride = tf.minimum(num_steps, total)
    firsts = [(index - start) % stride for index in range(num_steps)]

    def rows(column, first):
        # A slice whose stride is a tensor has no static shape.
        return tf.ensure_shape(column[first::stride], (None, *column.shape[1:]))

    return [{name: rows(column, first) for name, column in batch.items()} for first in firsts]
