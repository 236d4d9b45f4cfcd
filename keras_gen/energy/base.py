"""What energy-based models share: the verb `energy`, and chains of draws that belong to the global batch.

Yann LeCun et al. (2006), A Tutorial on Energy-Based Learning, in: Predicting Structured Data, MIT Press
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import GenerativeModel, Signature, Step
from keras_gen.core.signatures import NOT_NEGATIVE
from keras_gen.spaces import Space


class EnergyModel(GenerativeModel):
    r"""A model whose density is known up to a constant factor.

    $$p(x, h) = e^{-E(x, h)} / Z, \qquad Z = \sum_{x, h} e^{-E(x, h)}$$

    The hidden variables h may be absent, or consist of several parts; for real numbers, the sum is an integral. A
    subclass provides `energy_of` and, if there is an h, `hidden_spaces`.

    The gradient of log p(x) is the gradient of the energy in two phases, so a loss is a difference of energies:

    $$\nabla \log p(x) = -E_{p(h|x)}[\nabla E(x, h)] + E_{p(x, h)}[\nabla E(x, h)]$$
    """

    @property
    def hidden_spaces(self) -> dict[str, Space]:
        """What each part of h holds, by name."""
        return {}

    @property
    def energy_spaces(self) -> dict[str, Space]:
        """What `energy` takes, by name, in order: the columns of a batch, and the parts of h."""
        return {**self.spaces, **self.hidden_spaces}

    def energy_of(self, *values: tf.Tensor) -> tf.Tensor:
        """Computes the energy of valid values.

        Args:
            *values: a tensor of shape `(batch, *space.shape)` for each of `energy_spaces`.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.
        """
        raise NotImplementedError

    def energy(self, *values) -> tf.Tensor:
        """Returns the energy of examples and hidden variables.

        Args:
            *values: an array of shape `(batch, *space.shape)` for each of `energy_spaces`: x, followed by what the
                model is conditioned on or the parts of h.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.

        Raises:
            TypeError: if the number of arrays, or a dtype, is not the expected one.
            ValueError: if a shape or a value is not the expected one.
        """
        spaces = self.energy_spaces
        if len(values) != len(spaces):
            raise TypeError(f"`energy` must be given {', '.join(spaces)}; received {len(values)} values.")
        pairs = zip(values, spaces.items(), strict=True)
        found = {name: space.validate(value, name) for value, (name, space) in pairs}
        checks.equally_long(**found)
        return self.energy_of(*found.values())

    def signatures(self):
        """Adds `energy`."""

        def energy(**values):
            return {"energy": self.energy(*(values[name] for name in self.energy_spaces))}

        specs = {name: space.spec(name) for name, space in self.energy_spaces.items()}
        return {**super().signatures(), "energy": Signature(energy, specs)}

    def scalar_checks(self, name):
        """Adds the check of the length of the chains that draw."""
        return NOT_NEGATIVE if name in ("num_sweeps", "num_steps") else super().scalar_checks(name)

    def input_space(self, name):
        """Adds the spaces of the parts of h."""
        return self.hidden_spaces[name] if name in self.hidden_spaces else super().input_space(name)


# Chains


@dataclasses.dataclass(frozen=True)
class Rows:
    """This replica's rows of what is divided among all replicas: the global batch, or a set of chains.

    All replicas draw the noise of all rows and keep their own, so any number of replicas computes the same result as
    one device. It must be created outside of a loop, and can then be used inside.

    Attributes:
        start: index of the first row; None if this replica has all rows.
        size: number of rows of this replica; it may be 0.
        total: total number of rows.
    """

    start: int | tf.Tensor | None
    size: int | tf.Tensor
    total: int | tf.Tensor

    @classmethod
    def all(cls, num: int | tf.Tensor) -> "Rows":
        """Returns rows that are not divided among replicas."""
        return cls(None, num, num)

    @classmethod
    def of_batch(cls, batch_size: tf.Tensor) -> "Rows":
        """Returns this replica's rows of the global batch.

        Args:
            batch_size: number of these rows.
        """
        context = seeds.replica_context()
        if context is None:
            return cls.all(batch_size)
        sizes = context.all_gather(tf.reshape(batch_size, (1,)), axis=0)
        return cls(tf.reduce_sum(sizes[: context.replica_id_in_sync_group]), batch_size, tf.reduce_sum(sizes))

    @classmethod
    def of_chains(cls, num_chains: int) -> "Rows":
        """Returns the chains that this replica moves, divided as equally as possible.

        Args:
            num_chains: number of chains that all replicas move together.
        """
        context = seeds.replica_context()
        if context is None:
            return cls.all(num_chains)
        index, replicas = context.replica_id_in_sync_group, context.num_replicas_in_sync
        start, stop = (num_chains * place // replicas for place in (index, index + 1))
        return cls(start, stop - start, num_chains)

    def times(self, number: int) -> "Rows":
        """Returns the rows when each row consists of several."""
        return Rows(None if self.start is None else self.start * number, self.size * number, self.total * number)

    def own(self, values: tf.Tensor) -> tf.Tensor:
        """Returns this replica's rows of a tensor that holds all rows."""
        return values if self.start is None else values[self.start : self.start + self.size]

    def uniform(self, shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
        """Returns float32 numbers from 0 to 1, of `shape` for each row of this replica."""
        return self.own(seeds.uniform((self.total, *shape), seed))

    def normal(self, shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
        """Returns float32 standard normal numbers, of `shape` for each row of this replica."""
        return self.own(seeds.normal((self.total, *shape), seed))

    def mean(self, values: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns the mean over the rows of all replicas of a value for each row, of shape `(size,)`."""
        return step.total(tf.reduce_sum(values)) / tf.cast(self.total, values.dtype)


def repeated(move: Callable, state, num_steps: int | tf.Tensor, seed: tf.Tensor):
    """Applies a move to a state several times, such as a sweep of Gibbs sampling to chains.

    Args:
        move: function from a state and the seed of a step, int32 of shape (2,), to the next state.
        state: a tensor, or a structure of tensors, whose shapes a move keeps.
        num_steps: number of moves.
        seed: int32 tensor of shape (2,).

    Returns:
        The state after the last move.
    """

    def next_state(index, state):
        return index + 1, move(state, tf.random.experimental.stateless_fold_in(seed, index))

    if isinstance(num_steps, int) and num_steps == 1:
        return next_state(0, state)[1]
    return tf.while_loop(lambda index, _: index < num_steps, next_state, (0, state), parallel_iterations=1)[1]
