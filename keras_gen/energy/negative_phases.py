"""The negative phase of training a restricted Boltzmann machine: where the draws come from.

The gradient of log p(x) pulls down the free energy of the data and pushes up that of the model's own draws. Each class
here makes such draws.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.core import Step
from keras_gen.energy.base import Rows, repeated
from keras_gen.energy.harmonium import Harmonium
from keras_gen.spaces import Numbers


class NegativePhase(keras.layers.Layer):
    """Draws from a harmonium, with which the data are compared.

    Args:
        event_space: the space of an example.
        seed: seed of the initial chains, if there are any.
        num_steps: number of Gibbs sweeps, of hidden and visible units, in each training step.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, event_space: Numbers, *, seed: tuple[int, int], num_steps: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.event_space = event_space
        self.seed = seed
        self.num_steps = checks.positive_int("num_steps", num_steps)
        self.built = True

    def free_energy(self, harmonium: Harmonium, natural: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns the free energy of draws; passes the chains that they come from to `step.update`.

        Args:
            harmonium: the model.
            natural: the visible units' parameters η given hidden units drawn given the examples, of shape
                `(batch, size)`.
            step: the step.

        Returns:
            float32 tensor of shape `(batch,)`, or a scalar, in nats; its gradient flows to the harmonium's weights.
        """
        raise NotImplementedError


class ContrastiveDivergence(NegativePhase):
    """Chains that start at the examples and take k = `num_steps` steps, CD-k.

    Geoffrey E. Hinton (2002), Training Products of Experts by Minimizing Contrastive Divergence, Neural Computation 14

    The gradient is biased towards the data, less so for larger k.
    """

    def free_energy(self, harmonium, natural, step):
        rows = Rows.of_batch(tf.shape(natural)[0])
        first, others = step.split(2)
        x = harmonium.units.draw(natural, harmonium.visible_noise(rows, first.seed))
        if self.num_steps > 1:
            x = repeated(harmonium.sweeps(rows), x, self.num_steps - 1, others.seed)
        return harmonium.free_energy(tf.stop_gradient(x))


class PersistentChains(NegativePhase):
    """Chains that continue in each step from their previous states: persistent contrastive divergence.

    Tijmen Tieleman (2008), Training Restricted Boltzmann Machines using Approximations to the Likelihood Gradient, ICML

    They follow the model as long as it changes slowly, which calls for a small, decaying learning rate.

    Args:
        event_space: the space of an example.
        num_chains: number of chains, whatever the batch size.
        num_steps: number of sweeps of each in a training step.
        **kwargs: as in `NegativePhase`.
    """

    def __init__(self, event_space: Numbers, *, num_chains: int = 100, num_steps: int = 1, **kwargs):
        super().__init__(event_space, num_steps=num_steps, **kwargs)
        self.num_chains = checks.positive_int("num_chains", num_chains)
        self.chains = self.add_chains((self.num_chains, *event_space.shape))

    def add_chains(self, shape: tuple[int, ...]) -> keras.Variable:
        """Returns chains that start at random values of the space, of shape `(num_chains, ..., *event_shape)`."""
        rank = len(self.event_space.shape)
        start = self.event_space.examples(int(np.prod(shape[: len(shape) - rank])), self.seed)
        return self.add_weight(
            shape,
            lambda shape, dtype: tf.cast(tf.reshape(start, shape), dtype),
            dtype="float32",
            trainable=False,
            name="chains",
            aggregation="only_first_replica",
        )

    def free_energy(self, harmonium, natural, step):
        rows = Rows.of_chains(self.num_chains)
        x = tf.reshape(rows.own(tf.convert_to_tensor(self.chains)), (rows.size, harmonium.units.num_entries))
        x = tf.stop_gradient(repeated(harmonium.sweeps(rows), x, self.num_steps, step.seed))
        step.update(self.chains, tf.reshape(step.gather(x), self.chains.shape))
        return rows.mean(harmonium.free_energy(x), step)


class ParallelTempering(PersistentChains):
    r"""Persistent chains at several inverse temperatures β from 0 to 1, which are swapped.

    Guillaume Desjardins et al. (2010), Tempered Markov Chain Monte Carlo for Training of Restricted Boltzmann Machines,
    AISTATS

    Chains at a low β move far, and pass on what they find. Neighbours are swapped with probability

    $$\min\left(1, \frac{p^*_{β}(x')\, p^*_{β'}(x)}{p^*_{β}(x)\, p^*_{β'}(x')}\right)$$

    Args:
        event_space: the space of an example.
        num_temperatures: number of values of β, at least 2.
        num_chains: number of chains at each β.
        num_steps: number of sweeps of each, and of swaps, in a training step.
        **kwargs: as in `NegativePhase`.
    """

    def __init__(
        self, event_space: Numbers, *, num_temperatures: int = 10, num_chains: int = 100, num_steps: int = 1, **kwargs
    ):
        self.num_temperatures = checks.positive_int("num_temperatures", num_temperatures)
        if self.num_temperatures < 2:
            raise ValueError(f"`num_temperatures` must be at least 2, received {num_temperatures}.")
        super().__init__(event_space, num_chains=num_chains, num_steps=num_steps, **kwargs)

    def add_chains(self, shape):
        num_chains, *event_shape = shape
        return super().add_chains((num_chains, self.num_temperatures, *event_shape))

    def free_energy(self, harmonium, natural, step):
        rows = Rows.of_chains(self.num_chains)
        shape = (rows.size * self.num_temperatures, harmonium.units.num_entries)
        x = tf.reshape(rows.own(tf.convert_to_tensor(self.chains)), shape)
        x = tf.stop_gradient(repeated(self.moves(harmonium, rows), x, self.num_steps, step.seed))
        step.update(self.chains, tf.reshape(step.gather(x), self.chains.shape))
        # The last one is at β = 1.
        coldest = x[self.num_temperatures - 1 :: self.num_temperatures]
        return rows.mean(harmonium.free_energy(coldest), step)

    def moves(self, harmonium: Harmonium, rows: Rows):
        """Returns the function from flat chains, with all temperatures of each in turn, and a seed to the next ones."""
        number = self.num_temperatures
        betas = tf.tile(tf.linspace(0.0, 1.0, number), (rows.size,))
        sweep = harmonium.sweeps(rows.times(number), betas)
        places = tf.range(rows.size * number)

        def move(x, seed):
            sweep_seed, parity_seed, swap_seed = tf.unstack(tf.random.split(seed, 3))
            x = sweep(x, sweep_seed)
            # At random, either each β at an even index or each at an odd index has the next one as its partner.
            parity = tf.random.stateless_uniform((), parity_seed, maxval=2, dtype=tf.int32, alg="philox")
            place = places % number
            lower = (place + parity) % 2 == 0
            partner = tf.where(lower, place + 1, place - 1)
            alone = (partner < 0) | (partner >= number)
            partner = tf.where(alone, places, places - place + partner)
            exchanged = tf.stack([betas, tf.gather(betas, partner)])
            here, there = tf.unstack(harmonium.tempered_log_density(x, exchanged))
            log_ratio = there - here
            # Both members of a pair use the random number of the lower one.
            uniform = rows.times(number).uniform((), swap_seed)
            uniform = tf.where(lower, uniform, tf.gather(uniform, partner))
            accepted = tf.math.log(uniform) < log_ratio + tf.gather(log_ratio, partner)
            return tf.gather(x, tf.where(accepted, partner, places))

        return move


NEGATIVE_PHASES = {
    "contrastive_divergence": ContrastiveDivergence,
    "persistent_chains": PersistentChains,
    "parallel_tempering": ParallelTempering,
}
