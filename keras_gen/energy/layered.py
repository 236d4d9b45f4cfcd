"""Boltzmann machines of layers of units, where only neighbouring layers are connected, and computations with them.

Ruslan Salakhutdinov, Geoffrey Hinton (2009), Deep Boltzmann Machines, AISTATS
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.core import Signature
from keras_gen.energy.base import EnergyModel, Rows, repeated
from keras_gen.energy.harmonium import BernoulliUnits, CategoricalUnits, VisibleUnits, log_sum_over_bits
from keras_gen.layers.initializers import initializer_seed
from keras_gen.spaces import ClassLabel, Levels

tfd = tfp.distributions

#: Two connected layers: the lower one and the upper one.
Connection = tuple[str, str]

#: What is known about some layers: their T, and which numbers of it are known, bools of a shape that broadcasts to it;
#: None for all.
Evidence = dict[str, tuple[tf.Tensor, tf.Tensor | None]]


@dataclasses.dataclass(frozen=True)
class LayeredMachine:
    r"""The joint distribution of the units of all layers, up to a constant.

    $$E(s) = \sum_l \left( B(s_l) - b_l^\top T(s_l) \right) - \sum_{(k, l)} T(s_k)^\top W_{kl} T(s_l)$$
    $$η_l(s) = b_l + \sum_{k \text{ next to } l} W_{kl}^\top T(s_k)$$

    The units of a layer are independent given its neighbours, with the natural parameters $η_l$. Connections have no
    cycle, so the layers fall into two sides, and those of one side are independent given the other. Either side can be
    summed out; with a side σ and the other side $\bar σ$,

    $$\log \sum_{s_{\bar σ}} e^{-E(s)} = \sum_{l \in σ} \left( b_l^\top T(s_l) - B(s_l) \right) +
    \sum_{l \in \bar σ} A(η_l(s))$$

    At an inverse temperature β, $η_l$ is $(1 - β) a_l + β η_l$. At β = 0 all units are independent.

    All tensors, and so everything computed with them, have one dtype. A state contains the statistics T of layers by
    name, each of shape `(batch, size)`.

    Attributes:
        units: name to the units of each layer.
        weights: connection to W, of shape `(size of the lower T, size of the upper T)`.
        biases: name to b.
        base_biases: name to a.
    """

    units: dict[str, VisibleUnits]
    weights: dict[Connection, tf.Tensor]
    biases: dict[str, tf.Tensor]
    base_biases: dict[str, tf.Tensor]

    # Layers

    @functools.cached_property
    def neighbours(self) -> dict[str, list[str]]:
        """The layers that each layer is connected to."""
        return {
            name: [below for below, above in self.weights if above == name]
            + [above for below, above in self.weights if below == name]
            for name in self.units
        }

    @functools.cached_property
    def sides(self) -> tuple[list[str], list[str]]:
        """The layers at an even distance from the first one, and those at an odd distance."""
        distance = {next(iter(self.units)): 0}
        reached = list(distance)
        for name in reached:
            for other in self.neighbours[name]:
                if other not in distance:
                    distance[other] = distance[name] + 1
                    reached.append(other)
        even, odd = ([name for name in self.units if distance[name] % 2 == parity] for parity in (0, 1))
        return even, odd

    @property
    def odd_size(self) -> int:
        """Total size of the statistics of all odd layers."""
        return sum(self.units[name].size for name in self.sides[1])

    def split(self, odd: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the odd layers by name, from one tensor of shape `(batch, odd_size)`."""
        names = self.sides[1]
        return dict(zip(names, tf.split(odd, [self.units[name].size for name in names], axis=-1), strict=True))

    def joined(self, state: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the odd layers of a state as one tensor of shape `(batch, odd_size)`."""
        return tf.concat([state[name] for name in self.sides[1]], axis=-1)

    # Energy

    def received(self, name: str, other: str, state: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns a layer's input from a neighbour, of shape `(batch, size)`."""
        if (other, name) in self.weights:
            return tf.matmul(state[other], self.weights[other, name])
        return tf.matmul(state[other], self.weights[name, other], transpose_b=True)

    def natural(self, name: str, state: dict[str, tf.Tensor], beta: tf.Tensor | None = None) -> tf.Tensor:
        """Returns η of a layer given its neighbours, of shape `(batch, size)`, at β if one is given."""
        natural = self.biases[name] + sum(self.received(name, other, state) for other in self.neighbours[name])
        return natural if beta is None else self.tempered(name, natural, beta)

    def tempered(self, name: str, natural: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        """Returns (1 - β) a + β η."""
        return self.base_biases[name] + beta * (natural - self.base_biases[name])

    def energy(self, state: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns E(s), of shape `(batch,)`, which is linear in the T of each layer except for the visible ones' B."""
        energy = -sum(
            tf.reduce_sum(self.received(above, below, state) * state[above], axis=-1) for below, above in self.weights
        )
        for name, units in self.units.items():
            energy += units.base(state[name]) - tf.linalg.matvec(state[name], self.biases[name])
        return energy

    def log_mass(self, side: Sequence[str], state: dict[str, tf.Tensor], beta: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the log mass of a side, up to a constant, with all other layers summed out.

        Args:
            side: names of the layers of one side.
            state: their statistics.
            beta: inverse temperature, a scalar.

        Returns:
            Tensor of shape `(batch,)`, in nats.
        """
        log_mass = tf.zeros((), self.biases[side[0]].dtype)
        for name, units in self.units.items():
            if name in side:
                bias = self.biases[name] if beta is None else self.tempered(name, self.biases[name], beta)
                log_mass += tf.linalg.matvec(state[name], bias) - units.base(state[name])
            else:
                log_mass += units.log_normalizer(self.natural(name, state, beta))
        return log_mass

    def base_log_partition(self) -> tf.Tensor:
        """Returns log Z at β = 0, a scalar."""
        return sum(units.log_normalizer(self.base_biases[name]) for name, units in self.units.items())

    def log_partition(self) -> tf.Tensor:
        """Returns log Z, a scalar in nats, by summing over all configurations of the smaller side, which holds bits."""
        side = self.smaller_side
        sizes = [self.units[name].size for name in side]

        def log_masses(bits):
            return self.log_mass(side, dict(zip(side, tf.split(bits, sizes, axis=-1), strict=True)))

        return log_sum_over_bits(sum(sizes), log_masses, self.biases[side[0]].dtype)

    @property
    def smaller_side(self) -> list[str]:
        """The side with fewer units."""
        return min(self.sides, key=lambda side: sum(self.units[name].size for name in side))

    # Mean field

    def mean_field(self, evidence: Evidence, num_steps: int) -> dict[str, tf.Tensor]:
        """Returns the means of all layers in the mean-field distribution, given what is known.

        It starts from the bottom. Each step sets all odd layers to their optimal means given the others, and then all
        even ones.

        Args:
            evidence: what is known.
            num_steps: number of steps.

        Returns:
            Name to tensor of shape `(batch, size)`.
        """
        means = self.first_means(evidence)
        for _ in range(num_steps):
            for name in (*self.sides[1], *self.sides[0]):
                if name not in evidence or evidence[name][1] is not None:
                    mean = self.units[name].mean_statistics(self.natural(name, means))
                    means = {**means, name: clamped(name, mean, evidence)}
        return means

    def first_means(self, evidence: Evidence) -> dict[str, tf.Tensor]:
        """Returns the means of one pass from the bottom to the top.

        A layer with n neighbours that receives input from k of them counts it n / k times: layers in the middle count
        input from below twice (Salakhutdinov and Hinton, 2009). Unknown entries of the layers that hold data take the
        means given by their biases.
        """
        batch = tf.shape(next(iter(evidence.values()))[0])[0]
        means = {}
        for name in evidence:
            mean = self.units[name].mean_statistics(self.biases[name][tf.newaxis])
            means[name] = clamped(name, tf.repeat(mean, batch, axis=0), evidence)
        for name, units in self.units.items():
            if name not in means:
                seen = [other for other in self.neighbours[name] if other in means]
                natural = self.biases[name]
                if seen:
                    share = len(self.neighbours[name]) / len(seen)
                    natural += share * sum(self.received(name, other, means) for other in seen)
                means[name] = units.mean_statistics(natural)
        return means

    def variational_free_energy(self, means: dict[str, tf.Tensor], hidden: Sequence[str]) -> tf.Tensor:
        """Returns the mean of E minus the entropy of hidden bits: at least the free energy of the visible layers.

        Args:
            means: means of the hidden bits, and the statistics of all other layers.
            hidden: names of the layers of hidden bits.

        Returns:
            Tensor of shape `(batch,)`, in nats.
        """
        entropy = sum(tf.reduce_sum(tfd.Bernoulli(probs=means[name]).entropy(), axis=-1) for name in hidden)
        return self.energy(means) - entropy

    # Gibbs sampling

    def noise(self, rows: Rows, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the noise that the units of each layer are drawn with, by name, for the rows of this replica."""
        parts = tf.unstack(tf.random.split(seed, len(self.units)))
        return {
            name: getattr(rows, units.noise_name)((units.num_entries,), part)
            for (name, units), part in zip(self.units.items(), parts, strict=True)
        }

    def drawn(
        self,
        side: Sequence[str],
        state: dict[str, tf.Tensor],
        noise: dict[str, tf.Tensor],
        evidence: Evidence | None = None,
        beta: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Returns a state whose layers of one side are drawn given the others, except for known values."""
        found = dict(state)
        for name in side:
            units = self.units[name]
            values = units.statistics(units.draw(self.natural(name, state, beta), noise[name]))
            found[name] = clamped(name, values, evidence or {})
        return found

    def sweep(self, odd: tf.Tensor, noise: dict[str, tf.Tensor], evidence: Evidence | None = None, beta=None):
        """Draws the even layers given the odd ones, and then the odd layers given the even ones.

        Args:
            odd: statistics of the odd layers, as from `joined`.
            noise: as from `noise`.
            evidence: what is known.
            beta: inverse temperature, a scalar.

        Returns:
            The statistics of all layers by name.
        """
        even, others = self.sides
        state = self.drawn(even, self.split(odd), noise, evidence, beta)
        return self.drawn(others, state, noise, evidence, beta)

    def sweeps(
        self, rows: Rows, evidence: Evidence | None = None, beta: tf.Tensor | None = None
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns the function from the odd layers and a seed to the odd layers after a sweep.

        Args:
            rows: which rows of the global batch, or of all chains, they are.
            evidence: what is known.
            beta: inverse temperature, a scalar.
        """
        return lambda odd, seed: self.joined(self.sweep(odd, self.noise(rows, seed), evidence, beta))

    def base_draws(self, rows: Rows, seed: tf.Tensor) -> tf.Tensor:
        """Returns draws of the odd layers at β = 0, for the rows of this replica."""
        noise, state = self.noise(rows, seed), {}
        for name in self.sides[1]:
            units = self.units[name]
            natural = tf.broadcast_to(self.base_biases[name], (rows.size, units.size))
            state[name] = units.statistics(units.draw(natural, noise[name]))
        return self.joined(state)


def clamped(name: str, values: tf.Tensor, evidence: Evidence) -> tf.Tensor:
    """Returns the statistics of a layer, with known values in place."""
    if name not in evidence:
        return values
    known, where = evidence[name]
    return known if where is None else tf.where(where, known, values)


class LayeredBoltzmannMachine(EnergyModel):
    """A Boltzmann machine of layers, some of which hold the columns of a batch and all others hold hidden bits.

    A subclass calls `build_layers` in its constructor, and provides `loss_terms`.

    Args:
        event_shape: shape of one example.
        levels: 2 for bits, None for real numbers.
        mean_field_steps: number of mean-field steps.
        num_sweeps: number of Gibbs sweeps for a sample, unless `sample` is given another number.
        **kwargs: as in `GenerativeModel`; `seed` also chooses the initial weights.
    """

    def __init__(self, event_shape, levels: int | None, *, mean_field_steps: int, num_sweeps: int, **kwargs):
        super().__init__(event_shape, levels=levels, **kwargs)
        self.mean_field_steps = checks.positive_int("mean_field_steps", mean_field_steps)
        self.num_sweeps = checks.positive_int("num_sweeps", num_sweeps)

    def build_layers(self, units: dict[str, VisibleUnits], connections: Sequence[Connection]) -> None:
        """Creates the weights.

        Args:
            units: name to units; "x" comes first, and each layer follows those below it. Layers that hold a column have
                its name.
            connections: which layers are connected, the lower one first. They must not form a cycle.
        """
        self.units = units
        self.connections = tuple(connections)
        self.weights_of_connections = [
            self.add_weight(
                (units[below].size, units[above].size),
                keras.initializers.RandomNormal(stddev=0.01, seed=initializer_seed((self.seed, index))),
                name=f"weight_{below}_{above}",
            )
            for index, (below, above) in enumerate(self.connections)
        ]
        self.biases = [self.add_weight((each.size,), "zeros", name=f"bias_{name}") for name, each in units.items()]
        self.base_biases = [
            self.add_weight((units[name].size,), "zeros", trainable=False, name=f"base_bias_{name}")
            for name in self.visible_layers
        ]

    @property
    def visible_layers(self) -> list[str]:
        """Names of the layers that hold columns."""
        return [name for name in self.units if name in self.spaces]

    @property
    def hidden_layers(self) -> list[str]:
        """Names of the layers of hidden bits."""
        return [name for name in self.units if name not in self.spaces]

    @property
    def hidden_spaces(self):
        return {name: Levels((self.units[name].size,), 2) for name in self.hidden_layers}

    def machine(self, dtype=tf.float32) -> LayeredMachine:
        """Returns the joint distribution of all layers, with the current weights.

        Args:
            dtype: dtype of the computation.
        """

        def cast(names, variables):
            values = (tf.cast(tf.convert_to_tensor(variable), dtype) for variable in variables)
            return dict(zip(names, values, strict=True))

        hidden = {name: tf.zeros((self.units[name].size,), dtype) for name in self.hidden_layers}
        return LayeredMachine(
            dict(self.units),
            cast(self.connections, self.weights_of_connections),
            cast(self.units, self.biases),
            {**hidden, **cast(self.visible_layers, self.base_biases)},
        )

    def adapt(self, x, condition=None) -> None:
        """Takes the unit of real numbers, and sets biases with which independent entries have the mean of the data.

        Training starts from there, and so do samples and the annealing of a `DBM`.

        Args:
            x: examples of shape `(rows, *event_shape)` that represent the data.
            condition: what they are conditioned on, for a conditional model.

        Raises:
            ValueError: if a shape or a value is not the expected one.
        """
        if self.takes_unit and self.standardize:
            self.take_unit(x)
        values = self.column_values(*self.validated_pair(x, condition))
        for name, base_bias in zip(self.visible_layers, self.base_biases, strict=True):
            natural = self.units[name].natural_of_mean(values[name].numpy())
            self.biases[list(self.units).index(name)].assign(natural)
            base_bias.assign(natural)

    # Columns

    def column_values(self, x: tf.Tensor, condition=None) -> dict[str, tf.Tensor]:
        """Returns valid columns as flat values of their layers' units, of shape `(batch, num_entries)`."""
        values = {"x": tf.reshape(self.inward(x), (-1, self.event_size))}
        if condition is not None:
            values["condition"] = tf.cast(tf.reshape(condition, (tf.shape(condition)[0], -1)), tf.float32)
        return values

    def evidence(self, x: tf.Tensor | None = None, condition=None, missing: tf.Tensor | None = None) -> Evidence:
        """Returns the evidence in valid columns.

        Args:
            x: examples; None for no evidence.
            condition: what they are conditioned on; None for no evidence, like -1 for an unknown class.
            missing: bools of the shape of x, where its entries are missing; None for nowhere.
        """
        evidence = {}
        if x is not None:
            known = None if missing is None else ~tf.reshape(missing, (-1, self.event_size))
            evidence["x"] = (tf.reshape(self.inward(x), (-1, self.event_size)), known)
        if condition is not None:
            space = self.condition_space
            unknown = isinstance(space, ClassLabel) and space.unknown
            evidence["condition"] = (space.vectors(condition), (condition >= 0)[:, tf.newaxis] if unknown else None)
        return evidence

    def inferred(self, evidence: Evidence) -> dict[str, tf.Tensor]:
        """Returns the mean-field means of all layers, including those of columns without evidence."""
        batch = tf.shape(next(iter(evidence.values()))[0])[0]
        complete = dict(evidence)
        for name in self.visible_layers:
            if name not in evidence:
                nothing = tf.zeros((batch, self.units[name].size))
                complete[name] = (nothing, tf.zeros((batch, 1), tf.bool))
        return self.machine().mean_field(complete, self.mean_field_steps)

    # Energy and inference

    def energy_of(self, x, *others):
        condition, hidden = others[: len(self.spaces) - 1], others[len(self.spaces) - 1 :]
        state = {name: values for name, (values, _) in self.evidence(x, *condition).items()}
        state.update(zip(self.hidden_layers, hidden, strict=True))
        return self.machine().energy(state) + self.log_volume()

    def encode(self, x) -> tf.Tensor:
        """Returns the probabilities of all hidden units given examples, by mean field.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Returns:
            float32 tensor of shape `(batch, units)`, with the layers concatenated.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        means = self.inferred(self.evidence(self.validated(x)))
        return tf.concat([means[name] for name in self.hidden_layers], axis=-1)

    def call(self, x):
        """The probabilities of the hidden units, so that `model.predict(x)` returns them."""
        return self.encode(x)

    # Sampling

    def sampling_options(self):
        return {"num_sweeps": self.num_sweeps}

    def draw(self, num_samples, condition, seed, *, num_sweeps):
        evidence = self.evidence(condition=condition)
        return self.event_of(self.drawn_state(evidence, num_samples, num_sweeps, seed))

    def drawn_state(self, evidence: Evidence, num_samples, num_sweeps, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the statistics of all layers after sweeps of Gibbs sampling, from `start_of_draws`.

        Args:
            evidence: what is known, which stays fixed.
            num_samples: number of draws.
            num_sweeps: number of sweeps.
            seed: int32 tensor of shape (2,).
        """
        machine, rows = self.machine(), Rows.all(num_samples)
        start_seed, sweep_seed, last_seed = tf.unstack(tf.random.split(seed, 3))
        start = self.start_of_draws(machine, evidence, rows, start_seed)
        odd = repeated(machine.sweeps(rows, evidence), start, num_sweeps, sweep_seed)
        return machine.drawn(machine.sides[0], machine.split(odd), machine.noise(rows, last_seed), evidence)

    def start_of_draws(self, machine: LayeredMachine, evidence: Evidence, rows: Rows, seed: tf.Tensor) -> tf.Tensor:
        """Returns the odd layers that Gibbs sampling starts from, of shape `(rows, odd_size)`: independent units."""
        return machine.base_draws(rows, seed)

    def event_of(self, state: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the examples of a state."""
        return self.outward(tf.reshape(state["x"], (-1, *self.event_shape)))

    def impute(self, x, mask, *, num_sweeps: int = 100, condition=None, seed=None) -> tf.Tensor:
        """Draws missing entries given the others, by Gibbs sampling with the others fixed.

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries may hold any valid value.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`.
            num_sweeps: number of sweeps, at least 1. They start from mean field.
            condition: what the examples are conditioned on, for a conditional model.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one, or `num_sweeps` is below 1.
        """
        x, condition = self.validated_pair(x, condition)
        num_sweeps = checks.positive_int("num_sweeps", num_sweeps)
        missing = missing_entries(x, mask)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_impute(x, missing, condition, tf.constant(num_sweeps), seed)

    @functools.cached_property
    def compiled_impute(self):
        """`_impute` as a graph."""
        return tf.function(self._impute, autograph=False, reduce_retracing=True)

    def _impute(self, x, missing, condition, num_sweeps, seed):
        evidence = self.evidence(x, condition, missing)
        return tf.where(missing, self.event_of(self.completed_state(evidence, num_sweeps, seed)), x)

    def completed_state(self, evidence: Evidence, num_sweeps, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Like `drawn_state`, starting from mean field; the evidence determines the number of draws."""
        machine = self.machine()
        rows = Rows.all(tf.shape(next(iter(evidence.values()))[0])[0])
        sweep_seed, last_seed = tf.unstack(tf.random.split(seed, 2))
        start = machine.joined(self.inferred(evidence))
        odd = repeated(machine.sweeps(rows, evidence), start, num_sweeps, sweep_seed)
        return machine.drawn(machine.sides[0], machine.split(odd), machine.noise(rows, last_seed), evidence)

    # Export

    def gibbs_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns what `gibbs` takes, by name, in order."""
        state = tf.TensorSpec((None, self.machine().odd_size), tf.float32, "state")
        noise = {
            f"{name}_noise": tf.TensorSpec((None, None, units.num_entries), tf.float32, f"{name}_noise")
            for name, units in self.units.items()
        }
        return {"state": state, **noise, **self.specs("condition")}

    def gibbs(self, state, *noise_and_condition) -> tuple[tf.Tensor, tf.Tensor]:
        """Moves chains by Gibbs sampling, without further randomness: even layers and odd layers in turn.

        Args:
            state: concatenated statistics of the odd layers, of shape `(batch, size)`; for bits, their values.
            *noise_and_condition: for each layer, numbers of shape `(batch, sweeps, entries)`: from 0 to 1, or standard
                normal ones for real numbers; and, for a conditional model, what each chain is conditioned on.

        Returns:
            The examples, of shape `(batch, *event_shape)`, and the state after that many sweeps.

        Raises:
            TypeError: if the number of arrays is not the expected one.
            ValueError: if a shape is not the expected one, or as in `validated_condition`.
        """
        specs = self.gibbs_specs()
        values = (state, *noise_and_condition)
        if len(values) != len(specs):
            raise TypeError(f"`gibbs` must be given {', '.join(specs)}; received {len(values)} values.")
        values = dict(zip(specs, values, strict=True))
        condition = self.validated_condition(values.pop("condition", None), state=tf.convert_to_tensor(state))
        for name, value in values.items():
            values[name] = tf.cast(tf.convert_to_tensor(value), tf.float32)
            if not specs[name].shape.is_compatible_with(values[name].shape):
                axes = ("batch", "sweeps", specs[name].shape[-1])[:: 1 if name != "state" else 2]
                raise ValueError(
                    f"`{name}` must have shape ({', '.join(map(str, axes))}), received {tuple(values[name].shape)}."
                )
        odd, *noise = values.values()
        machine, evidence = self.machine(), self.evidence(condition=condition)

        def sweep(index, x, odd):
            own = {name: numbers[:, index] for name, numbers in zip(self.units, noise, strict=True)}
            state = machine.sweep(odd, own, evidence)
            return index + 1, tf.ensure_shape(state["x"], x.shape), tf.ensure_shape(machine.joined(state), odd.shape)

        number = tf.shape(noise[0])[1]
        x = tf.zeros((tf.shape(odd)[0], self.event_size))
        _, x, odd = tf.while_loop(lambda index, *_: index < number, sweep, (0, x, odd), parallel_iterations=1)
        return self.event_of({"x": x}), odd

    def signatures(self):
        """Adds `encode` and `gibbs`."""

        def encode(x):
            return {"hidden": self.encode(x)}

        def gibbs(**values):
            x, state = self.gibbs(*(values[name] for name in self.gibbs_specs()))
            return {"x": x, "state": state}

        return {
            **super().signatures(),
            "encode": Signature(encode, self.specs("x")),
            "gibbs": Signature(gibbs, self.gibbs_specs()),
        }

    def output_space(self, name):
        """Adds the space of the state of chains: units of hidden layers and of labels are 0 or 1."""
        return Levels((self.machine().odd_size,), 2) if name == "state" else super().output_space(name)

    def example_input(self, name, spec, num, seed):
        """Adds the state and the noise of `gibbs`."""
        if name == "state":
            return self.machine().base_draws(Rows.all(num), seeds.as_pair(seed))
        layer = name.removesuffix("_noise")
        if name != layer and layer in self.units:
            draw = getattr(seeds, self.units[layer].noise_name)
            return draw([num if size is None else size for size in spec.shape], (seed, 3))
        return super().example_input(name, spec, num, seed)


def missing_entries(x: tf.Tensor, mask) -> tf.Tensor:
    """Returns a mask as bools of the shape of examples, True where it is nonzero."""
    return tf.broadcast_to(tf.cast(mask, tf.bool), tf.shape(x))


def bits(size: int) -> BernoulliUnits:
    """Returns a layer of hidden bits."""
    return BernoulliUnits(size)


def units_of_condition(space) -> VisibleUnits:
    """Returns the layer that holds a class, or yes-or-no attributes."""
    return (
        CategoricalUnits(1, space.num_classes) if isinstance(space, ClassLabel) else BernoulliUnits(space.vector_size)
    )


def hidden_sizes(name: str, sizes, least: int = 1) -> tuple[int, ...]:
    """Returns the sizes of layers as a tuple of ints."""
    sizes = checks.positive_ints(name, sizes)
    if len(sizes) < least:
        raise ValueError(f"`{name}` must have at least {least} entries, received {sizes}.")
    return sizes
