"""RBM: the restricted Boltzmann machine, with bits, levels or real numbers as visible units.

Paul Smolensky (1986), Information Processing in Dynamical Systems: Foundations of Harmony Theory
Geoffrey E. Hinton (2002), Training Products of Experts by Minimizing Contrastive Divergence, Neural Computation 14
Geoffrey E. Hinton (2010), A Practical Guide to Training Restricted Boltzmann Machines, UTML TR 2010-003
Ruslan Salakhutdinov, Iain Murray (2008), On the Quantitative Analysis of Deep Belief Networks, ICML
"""

import functools
import math

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import Codes, Signature
from keras_gen.energy.annealing import (
    AnnealedPartition,
    annealed_log_weights,
    temperatures_near_one,
)
from keras_gen.energy.base import EnergyModel, Rows, repeated
from keras_gen.energy.harmonium import Harmonium, draw_bits, units_for
from keras_gen.energy.negative_phases import NEGATIVE_PHASES
from keras_gen.spaces import Interval

#: Maximum number of hidden units whose configurations can all be summed over.
MAX_ENUMERATED_UNITS = 20


class RBM(AnnealedPartition, Codes, EnergyModel):
    r"""A restricted Boltzmann machine: visible entries x and hidden bits h, independent given each other.

    $$p(x, h) = e^{-E(x, h)} / Z, \qquad E(x, h) = -b^\top x - c^\top h - x^\top W h$$
    $$p(h_j = 1|x) = σ(c_j + x^\top W_j), \qquad p(x_i = 1|h) = σ(b_i + W_i h)$$
    $$F(x) = -b^\top x - \sum_j \log(1 + e^{c_j + x^\top W_j}), \qquad p(x) = e^{-F(x)} / Z$$

    Entries that are real numbers are standardised and have variance 1 given h, with $|x|^2/2$ as an additional term of
    E. An entry with more than two levels is a one-hot vector of bits in E.

    Training follows the difference between the gradients of F on data and on draws from the model:

    $$\nabla \log p(x) = -\nabla F(x) + E_{v \sim p}[\nabla F(v)]$$

    The gradient of F contains the probabilities of the hidden units, not draws of them; draws move the chains that v
    comes from. The logs contain F of the data: while it falls faster on training data than on validation data, the
    model overfits. "reconstruction" is log p(x|h) for an h drawn given x; it rises even while the likelihood falls.

    For few hidden units, Z is computed exactly. For many, it is estimated by annealed importance sampling, whose
    estimates of log Z tend to be too small; so `log_prob_bound` is an upper bound on average.

    Example:

    ```python
    model = keras_gen.energy.RBM((28, 28, 1), hidden_units=500)
    model.adapt(x_train)                                           # x_train holds 0s and 1s
    model.compile(keras.optimizers.SGD(0.05), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)
    log_z = model.estimate_log_partition(num_samples=100, num_temperatures=10_000, seed=0)
    nll = model.free_energy(x_test) + log_z.estimate
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        hidden_units: number of hidden units j.
        levels: number of levels of an entry; None for real numbers.
        negative_phase: where draws of the model come from in training: "contrastive_divergence", "persistent_chains"
            or "parallel_tempering", or a dict of the name and the arguments of the class in `energy.negative_phases`,
            such as `{"name": "contrastive_divergence", "num_steps": 25}`.
        num_temperatures: number of annealing steps in `log_prob_bound`.
        num_sweeps: number of Gibbs sweeps from independent entries to a sample, unless `sample` is given another
            number.
        seed: as in `GenerativeModel`; also chooses the initial weights and chains.
        **kwargs: as in `GenerativeModel`.
    """

    terms = ("loss", "free_energy", "reconstruction")
    likelihood_kind = "upper bound"
    code_name = "hidden"

    def __init__(
        self,
        event_shape,
        hidden_units: int = 500,
        levels: int | None = 2,
        *,
        negative_phase="contrastive_divergence",
        num_temperatures: int = 1000,
        num_sweeps: int = 200,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.hidden_units = checks.positive_int("hidden_units", hidden_units)
        self.negative_phase = negative_phase
        self.num_temperatures = checks.positive_int("num_temperatures", num_temperatures)
        self.num_sweeps = checks.positive_int("num_sweeps", num_sweeps)
        self.units = units_for(self.event_size, self.levels)
        normal = keras.initializers.RandomNormal(stddev=0.01, seed=seed)
        self.weight = self.add_weight((self.units.size, self.hidden_units), normal, name="weight")
        self.bias = self.add_weight((self.units.size,), "zeros", name="bias")
        self.hidden_bias = self.add_weight((self.hidden_units,), "zeros", name="hidden_bias")
        self.base_bias = self.add_weight((self.units.size,), "zeros", trainable=False, name="base_bias")
        phase_class, arguments = checks.component("negative_phase", negative_phase, NEGATIVE_PHASES)
        self.phase = phase_class(self.event_space, seed=(self.seed, 1), **arguments)

    def adapt(self, x) -> None:
        """Takes the unit of real numbers, and sets biases with which independent entries have the mean of the data.

        Training starts from there, and so do samples and the annealing.

        Args:
            x: examples of shape `(rows, *event_shape)` that represent the data.

        Raises:
            ValueError: if the shape or a value is not the expected one.
        """
        if self.takes_unit and self.standardize:
            self.take_unit(x)
        natural = self.units.natural_of_mean(self.flat(self.validated(x)).numpy())
        self.bias.assign(natural)
        self.base_bias.assign(natural)

    # Energy

    def harmonium(self, dtype=tf.float32) -> Harmonium:
        """Returns the joint distribution of x and h, with the current weights.

        Args:
            dtype: dtype of the computation.
        """
        variables = (self.weight, self.bias, self.hidden_bias, self.base_bias)
        return Harmonium(self.units, *(tf.cast(tf.convert_to_tensor(variable), dtype) for variable in variables))

    def flat(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples as vectors, with real numbers standardised."""
        return tf.reshape(self.inward(x), (-1, self.event_size))

    def unflat(self, x: tf.Tensor) -> tf.Tensor:
        """Returns such vectors as examples."""
        return self.outward(tf.reshape(x, (-1, *self.event_shape)))

    @property
    def hidden_spaces(self):
        return {"hidden": self.code_space}

    def energy_of(self, x, hidden):
        return self.harmonium().energy(self.flat(x), hidden) + self.log_volume()

    def free_energy(self, x) -> tf.Tensor:
        """Returns F(x): the lower it is, the more likely the example.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        return self.free_energy_of(self.validated(x), tf.float32)

    def free_energy_of(self, x, dtype):
        return self.harmonium(dtype).free_energy(tf.cast(self.flat(x), dtype)) + tf.cast(self.log_volume(), dtype)

    def call(self, x):
        """The free energy, so that `model.predict(x)` returns it."""
        return self.free_energy(x)

    # Objective

    def loss_terms(self, batch, step):
        """The difference of free energies between examples and draws, and F(x) and log p(x|h), all in nats."""
        harmonium, x = self.harmonium(), self.flat(batch["x"])
        hidden_step, phase_step = step.split(2)
        logits = harmonium.hidden_logits(x)
        free_energy = harmonium.free_energy(x, logits)
        hidden = draw_bits(logits, hidden_step.uniform((tf.shape(x)[0], self.hidden_units)))
        natural = tf.stop_gradient(harmonium.visible_natural(hidden))
        loss = free_energy - self.phase.free_energy(harmonium, natural, phase_step)
        volume = self.log_volume()
        reconstruction = self.units.log_prob(natural, x) - volume
        return {"loss": loss, "free_energy": free_energy + volume, "reconstruction": reconstruction}

    # Codes

    @property
    def code_space(self):
        """Probabilities of the hidden units, or bits."""
        return Interval((self.hidden_units,), 0.0, 1.0)

    def code_of(self, x, condition):
        """p(h = 1|x)."""
        return tf.sigmoid(self.harmonium().hidden_logits(self.flat(x)))

    def mean_of(self, z, condition):
        """The mean of p(x|h)."""
        return self.unflat(self.units.mean(self.harmonium().visible_natural(z)))

    # Sampling

    def sampling_options(self):
        return {"num_sweeps": self.num_sweeps}

    def draw(self, num_samples, condition, seed, *, num_sweeps):
        harmonium, rows = self.harmonium(), Rows.all(num_samples)
        start_seed, sweep_seed = tf.unstack(tf.random.split(seed, 2))
        start = harmonium.base_draws(rows, start_seed)
        return self.unflat(repeated(harmonium.sweeps(rows), start, num_sweeps, sweep_seed))

    def gibbs(self, x, hidden_noise, visible_noise) -> tf.Tensor:
        """Moves examples by Gibbs sampling, without further randomness: h given x and x given h, in turn.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            hidden_noise: numbers from 0 to 1, of shape `(batch, sweeps, hidden_units)`.
            visible_noise: numbers of shape `(batch, sweeps, *event_shape)`: from 0 to 1, or standard normal ones for
                a model of real numbers.

        Returns:
            Examples after that many sweeps.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one, or the shapes of the noise
                do not fit.
        """
        x, harmonium = self.flat(self.validated(x)), self.harmonium()
        noise, sweeps = [], None
        for (name, spec), values in zip(self.noise_specs().items(), (hidden_noise, visible_noise), strict=True):
            values = tf.cast(values, tf.float32)
            shape = (x.shape[0], sweeps, *spec.shape[2:])
            if not tf.TensorShape(shape).is_compatible_with(values.shape):
                shown = ", ".join(str(size or ("batch", "sweeps")[axis]) for axis, size in enumerate(shape))
                raise ValueError(f"`{name}` must have shape ({shown}), received {tuple(values.shape)}.")
            sweeps = values.shape[1]
            noise.append(tf.reshape(values, (tf.shape(x)[0], -1, math.prod(spec.shape[2:]))))
        hidden_noise, visible_noise = noise

        def sweep(index, x):
            return index + 1, harmonium.sweep(x, hidden_noise[:, index], visible_noise[:, index])

        number = tf.shape(hidden_noise)[1]
        return self.unflat(tf.while_loop(lambda index, _: index < number, sweep, (0, x), parallel_iterations=1)[1])

    def noise_specs(self) -> dict[str, tf.TensorSpec]:
        """Returns the noise that `gibbs` takes: name to `tf.TensorSpec`."""
        shapes = {"hidden_noise": (self.hidden_units,), "visible_noise": self.event_shape}
        return {name: tf.TensorSpec((None, None, *shape), tf.float32, name) for name, shape in shapes.items()}

    def impute(self, x, mask, *, num_sweeps: int = 100, seed=None) -> tf.Tensor:
        """Draws missing entries given the others, by Gibbs sampling with the others fixed.

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries hold valid initial values.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`.
            num_sweeps: number of sweeps, at least 1.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one, or `num_sweeps` is below 1.
        """
        x = self.validated(x)
        num_sweeps = checks.positive_int("num_sweeps", num_sweeps)
        missing = tf.constant(np.broadcast_to(np.asarray(mask, bool), x.shape))
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_impute(x, missing, tf.constant(num_sweeps), seed)

    @functools.cached_property
    def compiled_impute(self):
        """`_impute` as a graph."""
        return tf.function(self._impute, autograph=False, reduce_retracing=True)

    def _impute(self, x, missing, num_sweeps, seed):
        sweep = self.harmonium().sweeps(Rows.all(tf.shape(x)[0]))
        known, missing = self.flat(x), tf.reshape(missing, (-1, self.event_size))

        def clamped(x, seed):
            return tf.where(missing, sweep(x, seed), known)

        drawn = self.unflat(repeated(clamped, known, num_sweeps, seed))
        return tf.where(tf.reshape(missing, tf.shape(x)), drawn, x)

    # Partition function

    def log_partition(self) -> tf.Tensor:
        """Returns log Z, by a sum over all configurations of the hidden units, of which there may be up to 20.

        Returns:
            float64 scalar, in nats.

        Raises:
            ValueError: if there are more hidden units.
        """
        if self.hidden_units > MAX_ENUMERATED_UNITS:
            raise ValueError(
                f"`log_partition` sums over the configurations of at most {MAX_ENUMERATED_UNITS} hidden units, this "
                f"model has {self.hidden_units}; `estimate_log_partition` estimates it."
            )
        return tf.function(lambda: self.harmonium(tf.float64).log_partition(), autograph=False)()

    def annealed_log_weights(self, num_samples, num_temperatures, seed):
        """Anneals examples, with the hidden units summed out."""
        harmonium = self.harmonium(tf.float64)

        def transition(x, beta, seed):
            return harmonium.sweeps(Rows.all(tf.shape(x)[0]), beta)(x, seed)

        return annealed_log_weights(
            harmonium.tempered_log_density,
            transition,
            lambda num, seed: harmonium.base_draws(Rows.all(num), seed),
            harmonium.base_log_partition(),
            temperatures_near_one(num_temperatures),
            num_samples,
            seed,
        )

    # Export

    def signatures(self):
        """Adds `free_energy` and `gibbs`."""

        def free_energy(x):
            return {"free_energy": self.free_energy(x)}

        def gibbs(x, **noise):
            return {"x": self.gibbs(x, **noise)}

        return {
            **super().signatures(),
            "free_energy": Signature(free_energy, self.specs("x")),
            "gibbs": Signature(gibbs, {**self.specs("x"), **self.noise_specs()}),
        }

    def example_input(self, name, spec, num, seed):
        """Adds the noise of `gibbs`."""
        if name in self.noise_specs():
            draw = seeds.normal if (name, self.units.noise_name) == ("visible_noise", "normal") else seeds.uniform
            return draw([num if size is None else size for size in spec.shape], (seed, 3))
        return super().example_input(name, spec, num, seed)
