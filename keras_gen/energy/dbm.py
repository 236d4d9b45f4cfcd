"""DBM: the deep Boltzmann machine, trained layer by layer and then as a whole.

Ruslan Salakhutdinov, Geoffrey Hinton (2009), Deep Boltzmann Machines, AISTATS
"""

import dataclasses
import itertools
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Signature, Step
from keras_gen.energy.annealing import (
    AnnealedPartition,
    annealed_log_weights,
    temperatures_near_one,
)
from keras_gen.energy.base import Rows, repeated
from keras_gen.energy.harmonium import Harmonium
from keras_gen.energy.layered import LayeredBoltzmannMachine, LayeredMachine, bits, hidden_sizes
from keras_gen.energy.rbm import MAX_ENUMERATED_UNITS, RBM
from keras_gen.layers.initializers import initializer_seed

#: Number of examples from which bits of a layer are drawn at once.
ROWS_AT_ONCE = 5000


@dataclasses.dataclass(frozen=True)
class CopiedHarmonium(Harmonium):
    r"""A harmonium in which visible and hidden units represent several copies of themselves.

    With m copies of the visible layer, which share their weights and are equal, and n copies of the hidden layer,

    $$p(h_j = 1|x) = σ(c_j + m\, T(x)^\top W_j), \qquad η(h) = b + n\, W h$$
    $$F(x) = m \left( B(x) - b^\top T(x) \right) - n \sum_j \log(1 + e^{c_j + m T(x)^\top W_j})$$

    Attributes:
        visible_copies: m.
        hidden_copies: n.
    """

    visible_copies: float = 1.0
    hidden_copies: float = 1.0

    def hidden_logits(self, x):
        return self.visible_copies * tf.matmul(self.units.statistics(x), self.weight) + self.hidden_bias

    def visible_natural(self, hidden):
        return self.hidden_copies * tf.matmul(hidden, self.weight, transpose_b=True) + self.bias

    def visible_energy(self, x):
        return self.visible_copies * super().visible_energy(x)

    def energy(self, x, hidden):
        return self.visible_energy(x) - self.hidden_copies * tf.reduce_sum(self.hidden_logits(x) * hidden, axis=-1)

    def free_energy(self, x, logits=None):
        logits = self.hidden_logits(x) if logits is None else logits
        return self.visible_energy(x) - self.hidden_copies * tf.reduce_sum(tf.nn.softplus(logits), axis=-1)


class PretrainingRBM(RBM):
    """An `RBM` that learns the connections of two layers of a deep machine, for the input they will receive in it.

    A layer in the middle will receive input from above and from below. While one of them is missing, the other one
    counts twice, as if there were two copies of it: see `CopiedHarmonium`. The machine is a stage of training, not a
    model of the examples: it has no likelihood.

    Args:
        event_shape: shape of the values of the lower layer.
        hidden_units: number of units of the upper layer.
        levels: number of levels of an entry of the lower layer; None for real numbers.
        visible_copies: how often the upper layer counts its input from the lower one.
        hidden_copies: how often the lower layer counts its input from the upper one.
        **kwargs: as in `RBM`.
    """

    likelihood_kind = None

    def __init__(
        self,
        event_shape,
        hidden_units: int,
        levels: int | None = 2,
        *,
        visible_copies: float = 1.0,
        hidden_copies: float = 1.0,
        **kwargs,
    ):
        super().__init__(event_shape, hidden_units, levels, **kwargs)
        self.visible_copies = checks.positive("visible_copies", visible_copies)
        self.hidden_copies = checks.positive("hidden_copies", hidden_copies)

    def harmonium(self, dtype=tf.float32):
        plain = super().harmonium(dtype)
        values = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
        return CopiedHarmonium(**values, visible_copies=self.visible_copies, hidden_copies=self.hidden_copies)

    def log_partition(self):
        """Raises TypeError: copies that are always equal have no distribution of their own."""
        raise TypeError(f"{type(self).__name__} has no partition function; it is a stage of pretraining.")

    def annealed_log_weights(self, num_samples, num_temperatures, seed):
        """Like `log_partition`."""
        self.log_partition()


class MeanFieldLearning(LayeredBoltzmannMachine):
    r"""A layered machine that learns by mean field and persistent chains.

    $$\log p(x) ≥ -E_q[E(x, h)] + H(q) - \log Z$$

    with equality if q(h) = p(h|x). Each training step finds q by mean field, in which all hidden units are independent,
    and follows the gradient of the bound with that q,

    $$-E_q[\nabla E(x, h)] + E_{p(x, h)}[\nabla E(x, h)]$$

    The second mean is over chains, which continue in each step from their previous states (Tieleman, 2008). They hold
    the odd layers; a sweep draws the even layers given these, and then the odd layers given the even ones. In the
    gradient, the even layers are summed out.

    The logs contain the "free_energy" $E_q[E(x, h)] - H(q)$ of the data, and "reconstruction", log p(x|h) with the
    means in place of h, both in nats. A subclass calls `build_layers` and `build_chains` in its constructor.

    Args:
        event_shape: shape of one example.
        levels: 2 for bits, None for real numbers.
        num_chains: number of persistent chains.
        chain_sweeps: number of sweeps of each chain in a training step.
        **kwargs: as in `LayeredBoltzmannMachine`.
    """

    terms = ("loss", "free_energy", "reconstruction")

    def __init__(
        self,
        event_shape,
        levels: int | None,
        *,
        num_chains: int = 100,
        chain_sweeps: int = 5,
        mean_field_steps: int = 10,
        num_sweeps: int = 1000,
        **kwargs,
    ):
        super().__init__(event_shape, levels, mean_field_steps=mean_field_steps, num_sweeps=num_sweeps, **kwargs)
        self.num_chains = checks.positive_int("num_chains", num_chains)
        self.chain_sweeps = checks.positive_int("chain_sweeps", chain_sweeps)

    def build_chains(self) -> None:
        """Creates the chains, with random initial states."""
        start = self.machine().base_draws(Rows.all(self.num_chains), seeds.as_pair((self.seed, 1)))
        self.chains = self.add_weight(
            start.shape,
            lambda shape, dtype: tf.cast(start, dtype),
            dtype="float32",
            trainable=False,
            name="chains",
            aggregation="only_first_replica",
        )

    def start_chains(self, x, condition=None, *, seed=None) -> None:
        """Moves the chains to examples of the data, from which they continue.

        Args:
            x: examples of shape `(rows, *event_shape)`; the first ones are used, repeatedly if there are too few.
            condition: what they are conditioned on, for a conditional model.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Raises:
            ValueError: if a shape or a value is not the expected one.
        """
        rows = np.arange(self.num_chains) % len(x)
        x = self.validated(np.asarray(x)[rows])
        condition = self.validated_condition(None if condition is None else np.asarray(condition)[rows])
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        machine = self.machine()
        means = machine.first_means(self.evidence(x, condition))
        self.chains.assign(machine.sweeps(Rows.all(self.num_chains))(machine.joined(means), seed))

    def start_of_draws(self, machine, evidence, rows, seed):
        """Returns randomly chosen chains; conditional draws start from independent units.

        Sweeps from independent units find few of the modes that the model has after training: a two-layer machine drew
        hardly anything but ones, the simplest digit, while its chains held all ten digits.
        """
        if evidence:
            return super().start_of_draws(machine, evidence, rows, seed)
        chosen = tf.random.stateless_uniform((rows.size,), seed, maxval=self.num_chains, dtype=tf.int32)
        return tf.gather(tf.convert_to_tensor(self.chains), chosen)

    # Objective

    def loss_terms(self, batch, step):
        machine = self.machine()
        means = machine.mean_field(self.evidence(**batch), self.mean_field_steps)
        means = {name: tf.stop_gradient(mean) for name, mean in means.items()}
        free_energy = machine.variational_free_energy(means, self.hidden_layers)
        reconstruction = self.units["x"].log_prob(machine.natural("x", means), means["x"])
        loss, volume = free_energy - self.chain_free_energy(machine, step), self.log_volume()
        return {"loss": loss, "free_energy": free_energy + volume, "reconstruction": reconstruction - volume}

    def chain_free_energy(self, machine: LayeredMachine, step: Step) -> tf.Tensor:
        """Returns the mean free energy of the chains' odd layers after their sweeps, a scalar in nats."""
        rows, odd_layers = Rows.of_chains(self.num_chains), machine.sides[1]
        odd = tf.reshape(rows.own(tf.convert_to_tensor(self.chains)), (rows.size, machine.odd_size))
        odd = tf.stop_gradient(repeated(machine.sweeps(rows), odd, self.chain_sweeps, step.seed))
        step.update(self.chains, tf.reshape(step.gather(odd), self.chains.shape))
        return rows.mean(-machine.log_mass(odd_layers, machine.split(odd)), step)

    # Pretraining

    def layers_below(self, name: str) -> list[str]:
        """Returns the lower layers that a layer is connected to."""
        return [below for below, above in self.connections if above == name]

    def pretraining_rbm(self, name: str, **kwargs) -> PretrainingRBM:
        """Returns the machine that learns the connections of a hidden layer to the layers below it.

        With `n` neighbours, of which it sees `k`, a layer counts its input n / k times. So in a stack, the lowest
        machine doubles the bottom-up input, the topmost one the top-down input, and those in between double both.

        Args:
            name: name of the hidden layer, one of `hidden_layers`.
            **kwargs: further arguments of `RBM`, such as `negative_phase`.
        """
        below, neighbours = self.layers_below(name), self.machine().neighbours
        units = self.units[below[0]]
        entries = sum(self.units[each].num_entries for each in below)
        return PretrainingRBM(
            self.event_shape if below == ["x"] else (entries,),
            self.units[name].size,
            self.levels if below == ["x"] else max(2, units.num_values),
            visible_copies=len(neighbours[name]) / len(below),
            hidden_copies=float(len(neighbours[below[0]])),
            seed=initializer_seed((self.seed, 2, self.hidden_layers.index(name))),
            name=f"pretraining_{name}",
            **{"num_sweeps": self.num_sweeps, **kwargs},
        )

    def pretraining_examples(
        self, name: str, machines: Mapping[str, PretrainingRBM], x, condition=None, *, seed: int = 0
    ) -> np.ndarray:
        """Returns the training data of a hidden layer's machine: the values of the layers below.

        Hidden bits are drawn, layer by layer, from the probabilities that the machines below compute from the data.

        Args:
            name: name of the hidden layer.
            machines: the machines of the layers below, by the names of their hidden layers.
            x: examples of shape `(num, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.
            seed: integer; the same seed draws the same bits.

        Returns:
            Array of shape `(num, *event_shape of the machine)`.

        Raises:
            ValueError: if a shape or a value is not the expected one.
        """
        below = self.layers_below(name)
        if below == ["x"]:
            return self.validated(x).numpy()
        if below == ["condition"]:
            return self.column_values(self.validated(x[:1]), self.validated_condition(condition))["condition"].numpy()
        return np.concatenate([self.hidden_bits(each, machines, x, condition, seed) for each in below], axis=-1)

    def hidden_bits(self, name: str, machines, x, condition, seed: int) -> np.ndarray:
        """Returns bits of a hidden layer, drawn from the probabilities that its machine computes from the data."""
        rbm, random = machines[name], np.random.default_rng((seed, self.hidden_layers.index(name)))
        inputs = self.pretraining_examples(name, machines, x, condition, seed=seed)
        batches = (inputs[start : start + ROWS_AT_ONCE] for start in range(0, len(inputs), ROWS_AT_ONCE))
        probabilities = np.concatenate([rbm.encode(batch).numpy() for batch in batches])
        return (random.random(probabilities.shape, np.float32) < probabilities).astype(np.uint8)

    def take_pretraining(self, machines: Mapping[str, PretrainingRBM]) -> None:
        """Assembles the machine from those of its hidden layers.

        Each layer takes the mean of its biases. So its input, given both neighbours, is the mean of its inputs in the
        two machines.

        Args:
            machines: one for each of `hidden_layers`, by name.
        """
        found = {name: [] for name in self.units}
        for name in self.hidden_layers:
            rbm, below = machines[name], self.layers_below(name)
            found[name].append(rbm.hidden_bias.numpy())
            ends = np.cumsum([self.units[each].size for each in below])[:-1]
            for each, weight, bias in zip(below, np.split(rbm.weight, ends), np.split(rbm.bias, ends), strict=True):
                self.weights_of_connections[self.connections.index((each, name))].assign(weight)
                found[each].append(bias)
        for bias, parts in zip(self.biases, found.values(), strict=True):
            if parts:
                bias.assign(np.mean(parts, axis=0))

    def pretrain(
        self, x, condition=None, *, learning_rate: float = 0.05, negative_phase="contrastive_divergence", **kwargs
    ) -> dict[str, keras.callbacks.History]:
        """Fits the machines of all hidden layers, one after another, and initializes the model from them.

        Args:
            x: examples of shape `(num, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.
            learning_rate: learning rate of the machines' stochastic gradient descent, whose momentum is 0.9.
            negative_phase: as in `RBM`.
            **kwargs: further arguments of `keras.Model.fit`, such as `batch_size` and `epochs`.

        Returns:
            Name of each hidden layer to the history of its machine.

        Raises:
            ValueError: if a shape or a value is not the expected one.
        """
        machines, histories = {}, {}
        for name in self.hidden_layers:
            rbm = self.pretraining_rbm(name, negative_phase=negative_phase)
            inputs = self.pretraining_examples(name, machines, x, condition, seed=self.seed)
            rbm.adapt(inputs)
            rbm.compile(keras.optimizers.SGD(learning_rate, momentum=0.9))
            histories[name] = rbm.fit(inputs, **kwargs)
            machines[name] = rbm
        self.adapt(x, condition)
        self.take_pretraining(machines)
        self.start_chains(x, condition)
        return histories


class DBM(AnnealedPartition, MeanFieldLearning):
    r"""A deep Boltzmann machine: visible bits x and layers of hidden bits, each connected to the next one.

    $$p(x, h) = e^{-E(x, h)} / Z, \qquad E(x, h) = -\sum_{l=0}^{L} b_l^\top h_l - \sum_{l=1}^{L} h_{l-1}^\top W_l h_l,
    \qquad h_0 = x$$
    $$p(h_{l,j} = 1 | h_{l-1}, h_{l+1}) = σ(b_{l,j} + h_{l-1}^\top W_{l,\cdot j} + W_{l+1,j\cdot} h_{l+1})$$

    Given x, the layers depend on each other, and their posterior is approximated by mean field: see
    `MeanFieldLearning`. `pretrain` finds initial weights: it fits a `PretrainingRBM` for each layer, in which the input
    of a middle layer from above or below is doubled, since it will come from both sides.

    The likelihood is an estimate, a lower bound except for the noise in log Z:

    $$\log p(x) ≥ -E_q[E(x, h)] + H(q) - \log Z$$

    Annealed importance sampling gives an unbiased estimate of Z, with one side of the layers summed out, and so an
    estimate of log Z that tends to be too small, which makes the bound too large.

    Example:

    ```python
    model = keras_gen.energy.DBM((28, 28, 1), hidden_units=(500, 1000))
    model.pretrain(x_train, batch_size=100, epochs=20)             # x_train holds 0s and 1s
    model.compile(keras.optimizers.SGD(0.005), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=50)
    model.log_prob_bound(x_test, num_samples=100, seed=0)          # nats
    model.encode(x_test)                                           # features, (num, 1500)
    model.impute(x_test, mask, seed=0)                             # draws the entries where mask is nonzero
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example of bits.
        hidden_units: number of units of each hidden layer, from bottom to top; at least two layers.
        num_chains: number of persistent chains.
        chain_sweeps: number of sweeps of each chain in a training step.
        mean_field_steps: number of mean-field steps.
        num_temperatures: number of annealing steps in `log_prob_bound`.
        num_sweeps: number of Gibbs sweeps from a chain to a sample, unless `sample` is given another number.
        seed: as in `GenerativeModel`; also chooses the initial weights and chains.
        **kwargs: as in `GenerativeModel`.
    """

    likelihood_kind = "estimate"

    def __init__(
        self,
        event_shape,
        hidden_units=(500, 1000),
        *,
        num_chains: int = 100,
        chain_sweeps: int = 5,
        mean_field_steps: int = 10,
        num_temperatures: int = 1000,
        num_sweeps: int = 1000,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            event_shape,
            2,
            num_chains=num_chains,
            chain_sweeps=chain_sweeps,
            mean_field_steps=mean_field_steps,
            num_sweeps=num_sweeps,
            seed=seed,
            **kwargs,
        )
        self.hidden_units = hidden_sizes("hidden_units", hidden_units, least=2)
        self.num_temperatures = checks.positive_int("num_temperatures", num_temperatures)
        names = ["x", *(f"hidden_{index + 1}" for index in range(len(self.hidden_units)))]
        sizes = (self.event_size, *self.hidden_units)
        self.build_layers(
            {name: bits(size) for name, size in zip(names, sizes, strict=True)}, itertools.pairwise(names)
        )
        self.build_chains()

    # Likelihood

    def variational_free_energy(self, x) -> tf.Tensor:
        """Returns the mean energy minus the entropy of the mean-field q(h): at least -log Z - log p(x).

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        return self.free_energy_of(self.validated(x), tf.float32)

    def free_energy_of(self, x, dtype):
        means = self.machine().mean_field(self.evidence(x), self.mean_field_steps)
        means = {name: tf.cast(mean, dtype) for name, mean in means.items()}
        return self.machine(dtype).variational_free_energy(means, self.hidden_layers)

    def log_partition(self) -> tf.Tensor:
        """Returns log Z, by a sum over all configurations of the smaller side, which may have up to 20 units.

        The sides are the even layers, including x, and the odd ones.

        Returns:
            float64 scalar, in nats.

        Raises:
            ValueError: if both sides have more units.
        """
        size = sum(self.units[name].size for name in self.machine().smaller_side)
        if size > MAX_ENUMERATED_UNITS:
            raise ValueError(
                f"`log_partition` sums over the configurations of at most {MAX_ENUMERATED_UNITS} units, the smaller "
                f"side of this model has {size}; `estimate_log_partition` estimates it."
            )
        return tf.function(lambda: self.machine(tf.float64).log_partition(), autograph=False)()

    def annealed_log_weights(self, num_samples, num_temperatures, seed):
        """Anneals the odd layers, with all even ones summed out."""
        machine = self.machine(tf.float64)
        return annealed_log_weights(
            lambda odd, beta: machine.log_mass(machine.sides[1], machine.split(odd), beta),
            lambda odd, beta, seed: machine.sweeps(Rows.all(tf.shape(odd)[0]), beta=beta)(odd, seed),
            lambda num, seed: machine.base_draws(Rows.all(num), seed),
            machine.base_log_partition(),
            temperatures_near_one(num_temperatures),
            num_samples,
            seed,
        )

    def signatures(self):
        """Adds `variational_free_energy`."""

        def variational_free_energy(x):
            return {"free_energy": self.variational_free_energy(x)}

        return {
            **super().signatures(),
            "variational_free_energy": Signature(variational_free_energy, self.specs("x")),
        }
