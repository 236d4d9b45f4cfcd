"""Harmoniums: visible units of any exponential family connected to hidden bits, and computations with them.

Max Welling, Michal Rosen-Zvi, Geoffrey Hinton (2005), Exponential Family Harmoniums with an Application to Information
Retrieval, NIPS 17
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gen.distributions import entries
from keras_gen.energy.base import Rows

#: Number of configurations of bits that are summed over at once.
CONFIGURATIONS_AT_ONCE = 1 << 12

#: Number of examples of each value added to the data before taking its mean, so that no logit is infinite.
PSEUDO_COUNT = 0.5


class VisibleUnits:
    r"""Independent entries given the hidden units: an exponential family.

    $$p(x|η) = e^{η^\top T(x) - B(x) - A(η)}$$

    A subclass is a frozen dataclass.

    Attributes:
        num_entries: number of entries of an example.
        conditional: distribution of an entry.
        num_values: number of values in T(x) for each entry.
    """

    num_entries: int
    conditional: entries.Conditional
    num_values: int = 1

    @property
    def size(self) -> int:
        """Length of T(x), and of η."""
        return self.num_entries * self.num_values

    @property
    def noise_name(self) -> str:
        """Kind of random number with which an entry is drawn: "uniform" or "normal"."""
        (name,) = self.conditional.noise_distributions()
        return name

    def statistics(self, x: tf.Tensor) -> tf.Tensor:
        """Returns T(x), of shape `(..., size)`, for flat examples of shape `(..., num_entries)`."""
        return x

    def base(self, x: tf.Tensor) -> tf.Tensor:
        """Returns B(x), of shape `(...)`, in nats."""
        return tf.zeros(tf.shape(x)[:-1], x.dtype)

    def log_normalizer(self, natural: tf.Tensor) -> tf.Tensor:
        """Returns A(η), of shape `(...)`, in nats, for η of shape `(..., size)`."""
        raise NotImplementedError

    def natural_of_mean(self, x: np.ndarray) -> np.ndarray:
        """Returns the η, of shape `(size,)`, with which the mean of T is nearly that of the examples.

        Args:
            x: flat examples of shape `(rows, num_entries)`.
        """
        raise NotImplementedError

    def parameters(self, natural: tf.Tensor) -> tf.Tensor:
        """Returns η in the form that `conditional` takes: of shape `(..., num_entries, num_values)`."""
        shape = tf.concat([tf.shape(natural)[:-1], (self.num_entries, self.num_values)], axis=0)
        return tf.reshape(natural, shape)

    def draw(self, natural: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns flat examples, drawn with noise of shape `(..., num_entries)`, in the dtype of η."""
        parameters = self.parameters(tf.cast(natural, noise.dtype))
        return tf.cast(self.conditional.draw(parameters, {self.noise_name: noise}), natural.dtype)

    def mean(self, natural: tf.Tensor) -> tf.Tensor:
        """Returns the mean of x, of shape `(..., num_entries)`."""
        return self.conditional.mean(self.parameters(natural))

    def mean_statistics(self, natural: tf.Tensor) -> tf.Tensor:
        """Returns the mean of T(x), the gradient of A, of shape `(..., size)`."""
        return self.mean(natural)

    def log_prob(self, natural: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Returns log p(x|η) for flat examples, of shape `(...)`, in nats."""
        return tf.reduce_sum(self.conditional.log_prob(self.parameters(natural), x), axis=-1)


@dataclasses.dataclass(frozen=True)
class BernoulliUnits(VisibleUnits):
    """Bits: T(x) = x, and η is their logits."""

    num_entries: int
    conditional = entries.Bernoulli()

    def log_normalizer(self, natural):
        return tf.reduce_sum(tf.nn.softplus(natural), axis=-1)

    def natural_of_mean(self, x):
        mean = (x.sum(axis=0, dtype=np.float64) + PSEUDO_COUNT) / (len(x) + 2.0 * PSEUDO_COUNT)
        return np.log(mean / (1.0 - mean))


@dataclasses.dataclass(frozen=True)
class GaussianUnits(VisibleUnits):
    """Standardised real numbers with variance 1: T(x) = x, and η is their means."""

    num_entries: int
    conditional = entries.Normal(scale=1.0)

    def base(self, x):
        return tf.reduce_sum(tf.square(x), axis=-1) / 2.0

    def log_normalizer(self, natural):
        return tf.reduce_sum(tf.square(natural) / 2.0 + math.log(2.0 * math.pi) / 2.0, axis=-1)

    def natural_of_mean(self, x):
        return x.mean(axis=0, dtype=np.float64)


@dataclasses.dataclass(frozen=True)
class CategoricalUnits(VisibleUnits):
    """Levels: T(x) is 1 at the level of each entry and 0 elsewhere, and η is their logits.

    Ruslan Salakhutdinov, Andriy Mnih, Geoffrey Hinton (2007), Restricted Boltzmann Machines for Collaborative
    Filtering, ICML
    """

    num_entries: int
    levels: int

    @property
    def conditional(self):
        return entries.Categorical(self.levels)

    @property
    def num_values(self):
        return self.levels

    def statistics(self, x):
        one_hot = tf.one_hot(tf.cast(x, tf.int32), self.levels, dtype=x.dtype)
        return tf.reshape(one_hot, tf.concat([tf.shape(x)[:-1], (self.size,)], axis=0))

    def log_normalizer(self, natural):
        return tf.reduce_sum(tf.reduce_logsumexp(self.parameters(natural), axis=-1), axis=-1)

    def mean_statistics(self, natural):
        return tf.reshape(tf.nn.softmax(self.parameters(natural)), tf.shape(natural))

    def natural_of_mean(self, x):
        counts = np.stack([(x == level).sum(axis=0) for level in range(self.levels)], axis=-1) + PSEUDO_COUNT
        return np.log(counts / counts.sum(axis=-1, keepdims=True)).reshape(-1)


def units_for(num_entries: int, levels: int | None) -> VisibleUnits:
    """Returns the visible units of entries with `levels` levels; None for real numbers."""
    if levels is None:
        return GaussianUnits(num_entries)
    return BernoulliUnits(num_entries) if levels == 2 else CategoricalUnits(num_entries, levels)


@dataclasses.dataclass(frozen=True)
class Harmonium:
    r"""The joint distribution of visible entries x and hidden bits h, up to a constant.

    $$E(x, h) = B(x) - b^\top T(x) - c^\top h - T(x)^\top W h$$
    $$p(h_j = 1|x) = σ(c_j + T(x)^\top W_j), \qquad η(h) = b + W h$$
    $$F(x) = -\log \sum_h e^{-E(x, h)} = B(x) - b^\top T(x) - \sum_j \log(1 + e^{c_j + T(x)^\top W_j})$$

    At an inverse temperature β, the hidden units depend less on x, and b is closer to the bias of independent entries:

    $$\log p^*_β(x) = ((1 - β)\, a + β b)^\top T(x) - B(x) + \sum_j \log(1 + e^{β (c_j + T(x)^\top W_j)})$$

    At β = 1 this is -F(x); at β = 0 the entries are independent. All tensors, and so everything computed with them,
    have one dtype; examples are flat, of shape `(..., num_entries)`.

    Attributes:
        units: the visible units.
        weight: W, of shape `(size of T, hidden units)`.
        bias: b.
        hidden_bias: c.
        base_bias: a.
    """

    units: VisibleUnits
    weight: tf.Tensor
    bias: tf.Tensor
    hidden_bias: tf.Tensor
    base_bias: tf.Tensor

    @property
    def hidden_units(self) -> int:
        """Number of hidden units."""
        return self.weight.shape[1]

    def hidden_logits(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the logits of p(h = 1|x), of shape `(batch, hidden_units)`."""
        return tf.matmul(self.units.statistics(x), self.weight) + self.hidden_bias

    def visible_natural(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns η(h), of shape `(batch, size)`."""
        return tf.matmul(hidden, self.weight, transpose_b=True) + self.bias

    def visible_energy(self, x: tf.Tensor) -> tf.Tensor:
        """Returns B(x) - bᵀT(x), of shape `(batch,)`."""
        return self.units.base(x) - tf.linalg.matvec(self.units.statistics(x), self.bias)

    def energy(self, x: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """Returns E(x, h), of shape `(batch,)`."""
        return self.visible_energy(x) - tf.reduce_sum(self.hidden_logits(x) * hidden, axis=-1)

    def free_energy(self, x: tf.Tensor, logits: tf.Tensor | None = None) -> tf.Tensor:
        """Returns F(x), of shape `(batch,)`.

        Args:
            x: flat examples.
            logits: what `hidden_logits` returned for them, if already known.
        """
        logits = self.hidden_logits(x) if logits is None else logits
        return self.visible_energy(x) - tf.reduce_sum(tf.nn.softplus(logits), axis=-1)

    def tempered_bias(self, beta: tf.Tensor) -> tf.Tensor:
        """Returns (1 - β) a + β b, of shape `(..., size)` for β of shape `(...)`."""
        return self.base_bias + tf.expand_dims(beta, -1) * (self.bias - self.base_bias)

    def tempered_log_density(self, x: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        """Returns log p*_β(x), in nats.

        Args:
            x: flat examples of shape `(batch, num_entries)`.
            beta: β, of a shape that broadcasts with `(batch,)`, such as `(temperatures, 1)`.

        Returns:
            Tensor of the broadcast shape of both.
        """
        statistics = self.units.statistics(x)
        start, end = (tf.linalg.matvec(statistics, bias) for bias in (self.base_bias, self.bias))
        hidden = tf.reduce_sum(tf.nn.softplus(tf.expand_dims(beta, -1) * self.hidden_logits(x)), axis=-1)
        return start + beta * (end - start) - self.units.base(x) + hidden

    def base_log_partition(self) -> tf.Tensor:
        """Returns log Z at β = 0, a scalar."""
        return self.units.log_normalizer(self.base_bias) + self.hidden_units * math.log(2.0)

    def base_draws(self, rows: Rows, seed: tf.Tensor) -> tf.Tensor:
        """Returns draws at β = 0, for the rows of this replica."""
        natural = tf.broadcast_to(self.base_bias, (rows.size, self.units.size))
        return self.units.draw(natural, self.visible_noise(rows, seed))

    # Gibbs sampling

    def visible_noise(self, rows: Rows, seed: tf.Tensor) -> tf.Tensor:
        """Returns what `units.draw` turns into examples, of shape `(rows, num_entries)`."""
        return getattr(rows, self.units.noise_name)((self.units.num_entries,), seed)

    def sweep(self, x: tf.Tensor, hidden_noise: tf.Tensor, visible_noise: tf.Tensor) -> tf.Tensor:
        """Draws the hidden units given x, and then x given the hidden units.

        Args:
            x: flat examples.
            hidden_noise: numbers from 0 to 1, of shape `(batch, hidden_units)`.
            visible_noise: as from `visible_noise`.

        Returns:
            Flat examples.
        """
        hidden = draw_bits(self.hidden_logits(x), hidden_noise)
        return self.units.draw(self.visible_natural(hidden), visible_noise)

    def tempered_sweep(self, x, hidden_noise, visible_noise, beta: tf.Tensor) -> tf.Tensor:
        """Like `sweep`, but leaves p_β invariant; β has the shape () or `(batch,)`."""
        scale = tf.expand_dims(beta, -1)
        hidden = draw_bits(scale * self.hidden_logits(x), hidden_noise)
        natural = tf.matmul(hidden, self.weight, transpose_b=True) * scale + self.tempered_bias(beta)
        return self.units.draw(natural, visible_noise)

    def sweeps(self, rows: Rows, beta: tf.Tensor | None = None) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns the function from flat examples and a seed to the examples after a sweep, at β if one is given.

        Args:
            rows: which rows of the global batch, or of all chains, the examples are.
            beta: inverse temperature.
        """

        def sweep(x, seed):
            hidden_seed, visible_seed = tf.unstack(tf.random.split(seed, 2))
            noise = rows.uniform((self.hidden_units,), hidden_seed), self.visible_noise(rows, visible_seed)
            return self.sweep(x, *noise) if beta is None else self.tempered_sweep(x, *noise, beta)

        return sweep

    # Sum

    def log_partition(self) -> tf.Tensor:
        """Returns log Z, a scalar in nats, by summing over all configurations of the hidden units."""

        def log_masses(hidden):
            return self.units.log_normalizer(self.visible_natural(hidden)) + tf.linalg.matvec(hidden, self.hidden_bias)

        return log_sum_over_bits(self.hidden_units, log_masses, self.weight.dtype)


def log_sum_over_bits(num_bits: int, log_masses: Callable[[tf.Tensor], tf.Tensor], dtype: tf.DType) -> tf.Tensor:
    """Returns the logarithm of a sum over all configurations of bits, a scalar.

    Args:
        num_bits: number of bits of a configuration.
        log_masses: function from configurations, of shape `(number, num_bits)`, to the logarithm of each one's mass.
        dtype: dtype of the bits and the masses.
    """
    number, places = 1 << num_bits, tf.range(num_bits)
    chunk = min(number, CONFIGURATIONS_AT_ONCE)

    def add(first, total):
        bits = tf.cast(tf.bitwise.right_shift((first + tf.range(chunk))[:, tf.newaxis], places) & 1, dtype)
        return first + chunk, tf.reduce_logsumexp(tf.concat([total[tf.newaxis], log_masses(bits)], axis=0))

    nothing = tf.constant(-math.inf, dtype)
    return tf.while_loop(lambda first, _: first < number, add, (0, nothing), parallel_iterations=1)[1]


def draw_bits(logits: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Returns bits, 1 if a number from 0 to 1 is below the probability, in the dtype of the logits."""
    return tf.cast(uniform < tf.cast(tf.sigmoid(logits), uniform.dtype), logits.dtype)
