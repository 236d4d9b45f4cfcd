"""A tenant: an energy model with persistent chains and annealed importance sampling, in a file of its own.

It shows that the base is wide enough for models without a normalised density, and needs nothing but the core.
"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import EstimatesContract, ModelContract, chi_square, randomise, rows_of

from keras_gen import checks, seeds
from keras_gen.core import Estimates, GenerativeModel, Signature, Step, importance_bound


class BoltzmannMachine(Estimates, GenerativeModel):
    r"""A restricted Boltzmann machine, trained by persistent contrastive divergence.

    Tieleman (2008), Training Restricted Boltzmann Machines using Approximations to the Likelihood Gradient, ICML:

    $$p(x) = e^{-F(x)} / Z, \qquad F(x) = -b^\top x - \sum_j \log(1 + e^{c_j + x^\top W_j})$$
    $$\nabla \log p(x) = -\nabla F(x) + E_{v \sim p}[\nabla F(v)]$$

    Chains stand for the draws v. Each step of training moves as many of them as there are examples in the batch by one
    sweep of Gibbs sampling, and they go on from there in the next one.

    Salakhutdinov and Murray (2008), On the Quantitative Analysis of Deep Belief Networks, ICML: annealing from
    independent bits, β = 0, to the model, β = 1, has weights whose mean is Z. The mean of the logarithm of their mean
    is at most log Z, so that the estimate of log p(x) is an upper bound.

    Args:
        event_shape: shape of an example of bits.
        hidden_units: number of hidden units j.
        num_chains: number of persistent chains.
        num_temperatures: steps from β = 0 to β = 1.
        seed: as in `GenerativeModel`; also draws the initial weights and chains.
        **kwargs: as in `GenerativeModel`.
    """

    terms = ("loss", "free_energy", "chain_energy")
    likelihood_kind = "upper bound"

    def __init__(self, event_shape, hidden_units=4, *, num_chains=64, num_temperatures=100, seed: int = 0, **kwargs):
        super().__init__(event_shape, levels=2, seed=seed, **kwargs)
        self.hidden_units = checks.positive_int("hidden_units", hidden_units)
        self.num_chains = checks.positive_int("num_chains", num_chains)
        self.num_temperatures = checks.positive_int("num_temperatures", num_temperatures)
        normal = keras.initializers.RandomNormal(stddev=0.1, seed=seed)
        self.weight = self.add_weight((self.event_size, self.hidden_units), normal, name="weight")
        self.bias = self.add_weight((self.event_size,), "zeros", name="bias")
        self.hidden_bias = self.add_weight((self.hidden_units,), "zeros", name="hidden_bias")
        start = np.random.default_rng(seed).integers(0, 2, (self.num_chains, self.event_size))
        self.chains = self.add_weight(
            start.shape,
            lambda shape, dtype: tf.constant(start, dtype),
            trainable=False,
            name="chains",
            aggregation="only_first_replica",
        )

    # Energy

    def hidden_logits(self, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, self.weight) + self.hidden_bias

    def energy_at(self, x: tf.Tensor, temperature=1.0) -> tf.Tensor:
        """Returns F(x) at an inverse temperature β, which multiplies the hidden units' logits, of flat examples."""
        hidden = tf.reduce_sum(tf.nn.softplus(temperature * self.hidden_logits(x)), axis=-1)
        return -tf.linalg.matvec(x, self.bias) - hidden

    def free_energy(self, x) -> tf.Tensor:
        """Returns F(x) in nats, of shape `(batch,)`."""
        return self.energy_at(tf.reshape(self.validated(x), (-1, self.event_size)))

    def call(self, x):
        """The free energy, so that `model.predict(x)` returns it."""
        return self.free_energy(x)

    def sweep(self, x: tf.Tensor, noise: tf.Tensor, temperature=1.0) -> tf.Tensor:
        """Returns flat examples after a sweep of Gibbs sampling: the hidden units given x, and x given these.

        Args:
            x: tensor of shape `(batch, event_size)`.
            noise: numbers from 0 to 1, of shape `(batch, hidden_units + event_size)`.
            temperature: β.
        """
        for_hidden, for_visible = tf.split(noise, (self.hidden_units, self.event_size), axis=-1)
        hidden = tf.cast(for_hidden < tf.sigmoid(temperature * self.hidden_logits(x)), tf.float32)
        logits = temperature * tf.matmul(hidden, self.weight, transpose_b=True) + self.bias
        return tf.cast(for_visible < tf.sigmoid(logits), tf.float32)

    # Objective

    def loss_terms(self, batch, step):
        """What has the gradient of -log p(x), F(x), and the chains' mean energy."""
        energy = self.free_energy(batch["x"])
        rows = tf.shape(energy)[0]
        chains = step.rows(lambda num: tf.gather(self.chains, tf.range(num) % self.num_chains), rows)
        moved = tf.stop_gradient(self.sweep(chains, step.uniform((rows, self.hidden_units + self.event_size))))
        total = step.total(tf.cast(rows, tf.float32))
        chain_energy = step.total(tf.reduce_sum(self.energy_at(moved))) / total
        every = step.gather(moved)[: self.num_chains]
        step.update(self.chains, tf.concat([every, self.chains[tf.shape(every)[0] :]], axis=0))
        return {"loss": energy - chain_energy, "free_energy": energy, "chain_energy": chain_energy}

    # Sampling

    def sampling_options(self):
        return {"num_sweeps": 60}

    def draw(self, num_samples, condition, seed, *, num_sweeps):
        """Examples after some sweeps from uniform bits."""

        def move(index, x):
            own = tf.random.experimental.stateless_fold_in(seed, index)
            return index + 1, self.sweep(x, seeds.uniform((num_samples, self.hidden_units + self.event_size), own))

        start = tf.round(seeds.uniform((num_samples, self.event_size), seed))
        _, x = tf.while_loop(lambda index, _: index < num_sweeps, move, (0, start), parallel_iterations=1)
        return tf.reshape(x, (-1, *self.event_shape))

    # Estimate

    def annealed_log_weights(self, num: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the logarithms of weights whose mean is Z, of shape `(num, 1)`."""

        def anneal(index, x, log_weight):
            # The temperature grows, which weighs the examples; these then move at the new one.
            before, after = (tf.cast(index + ahead, tf.float32) / self.num_temperatures for ahead in (0, 1))
            log_weight += self.energy_at(x, before) - self.energy_at(x, after)
            own = tf.random.experimental.stateless_fold_in(seed, index)
            noise = seeds.uniform((num, self.hidden_units + self.event_size), own)
            return index + 1, self.sweep(x, noise, after), log_weight

        bias = tf.convert_to_tensor(self.bias)
        independent = seeds.uniform((num, self.event_size), tf.random.experimental.stateless_fold_in(seed, -1))
        start = tf.cast(independent < tf.sigmoid(bias), tf.float32)
        log_z = tf.reduce_sum(tf.nn.softplus(bias)) + self.hidden_units * np.log(2.0)
        _, _, log_weight = tf.while_loop(
            lambda index, *_: index < self.num_temperatures,
            anneal,
            (0, start, tf.fill((num,), log_z)),
            parallel_iterations=1,
        )
        return log_weight[:, tf.newaxis]

    def estimate_log_prob(self, x, condition, num_samples, seed):
        log_z, standard_error = importance_bound(self.annealed_log_weights, tf.constant(1), num_samples, seed)
        log_prob = -self.energy_at(tf.reshape(x, (-1, self.event_size))) - log_z
        return log_prob, tf.broadcast_to(standard_error, tf.shape(log_prob))

    def signatures(self):
        """Adds `free_energy`."""

        def free_energy(x):
            return {"free_energy": self.free_energy(x)}

        return {**super().signatures(), "free_energy": Signature(free_energy, self.specs("x"))}


def every_example(model) -> np.ndarray:
    """Returns all examples that there are."""
    points = list(itertools.product((0.0, 1.0), repeat=model.event_size))
    return np.array(points, np.float32).reshape(-1, *model.event_shape)


def exact_log_probs(model) -> np.ndarray:
    """Returns log p of all examples, by the sum over all of them."""
    log_masses = -model.free_energy(every_example(model)).numpy().astype(np.float64)
    return log_masses - np.logaddexp.reduce(log_masses)


class TestContracts(ModelContract, EstimatesContract):
    """Every argument away from its default."""

    falling_term = "free_energy"

    def make_model(self, **changes):
        arguments = {"hidden_units": 5, "num_chains": 16, "num_temperatures": 30, "seed": 3, "name": "energy"}
        return BoltzmannMachine((2, 3), **{**arguments, **changes})

    def make_data(self):
        """Two equal rows, mostly of ones."""
        row = (np.random.default_rng(0).random((40, 1, 3)) < 0.8).astype(np.float32)
        return np.concatenate([row, row], axis=1)

    def make_known(self):
        model = randomise(self.make_model(), scale=3.0)
        return model, every_example(model), exact_log_probs(model)

    def load(self, path):
        # Only models of the package itself are loaded by their name.
        return keras.saving.load_model(path, custom_objects={"BoltzmannMachine": BoltzmannMachine})

    def test_a_step_moves_as_many_chains_as_the_batch_has_examples(self, batch):
        model = self.compile_with_sgd(self.make_model())
        before, seed = model.chains.numpy(), model.from_config(model.get_config()).next_seed()
        noise = seeds.uniform((6, model.hidden_units + model.event_size), seed)
        expected = model.sweep(tf.constant(before[:6]), noise).numpy()
        model.train_on_batch(rows_of(batch, slice(6)))
        np.testing.assert_array_equal(model.chains, np.concatenate([expected, before[6:]]))
        assert np.any(expected != before[:6])

    def test_a_batch_larger_than_the_chains_moves_each_once(self, batch):
        model = self.compile_with_sgd(self.make_model())
        before = model.chains.numpy()
        model.train_on_batch(rows_of(batch, slice(20)))
        assert model.chains.shape == (16, 6)
        assert np.all(np.any(model.chains.numpy() != before, axis=0))

    def test_evaluation_leaves_the_chains(self, batch):
        model = self.compile_with_sgd(self.make_model())
        before = model.chains.numpy()
        model.evaluate(batch, verbose=0)
        np.testing.assert_array_equal(model.chains, before)

    def test_the_gradient_is_that_of_both_phases(self, batch):
        """By hand: the correlations of visible and hidden units in the data and in the chains."""
        model = self.compile_with_sgd(randomise(self.make_model()))
        weight, bias, hidden_bias = (variable.numpy() for variable in model.trainable_variables)
        model.train_on_batch(rows_of(batch, slice(6)))
        x, chains = batch["x"][:6].reshape(6, -1), model.chains.numpy()[:6]
        hidden = [1.0 / (1.0 + np.exp(-(v @ weight + hidden_bias))) for v in (x, chains)]
        expected = [
            weight + 0.05 * (x.T @ hidden[0] - chains.T @ hidden[1]) / 6.0,
            bias + 0.05 * (x - chains).mean(axis=0),
            hidden_bias + 0.05 * (hidden[0] - hidden[1]).mean(axis=0),
        ]
        for variable, value in zip(model.trainable_variables, expected, strict=True):
            np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-6)

    def test_chains_survive_a_file(self, training, tmp_path):
        model, _, _ = training
        fresh = self.make_model()
        assert np.any(model.chains.numpy() != fresh.chains.numpy())
        model.save_weights(tmp_path / "model.weights.h5")
        fresh.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(fresh.chains, model.chains)


@pytest.fixture(scope="module")
def machine():
    """A model with strong dependences, far from independent bits."""
    return randomise(BoltzmannMachine((6,), hidden_units=4, seed=2), scale=4.0, seed=1)


def test_annealed_weights_estimate_the_partition_function(machine):
    exact = np.logaddexp.reduce(-machine.free_energy(every_example(machine)).numpy().astype(np.float64))
    log_weights = machine.annealed_log_weights(tf.constant(4000), tf.constant([0, 1])).numpy().astype(np.float64)
    weights = np.exp(log_weights[:, 0] - exact)
    assert weights.std() > 0.01
    assert abs(weights.mean() - 1.0) < 4.0 * weights.std() / len(weights) ** 0.5
    # One temperature is plain importance sampling, whose weights vary more.
    machine.num_temperatures = 1
    plain = machine.annealed_log_weights(tf.constant(4000), tf.constant([0, 1])).numpy()
    machine.num_temperatures = 100
    assert plain.std() > 2.0 * log_weights.std()


def test_error_bars_hold_the_exact_value(machine):
    x, expected = every_example(machine), exact_log_probs(machine)
    within = 0
    for seed in range(20):
        found, standard_error = machine.log_prob_bound(x, num_samples=400, seed=seed)
        distances = found.numpy() - expected
        # All examples share one partition function.
        np.testing.assert_allclose(distances, distances[0], atol=1e-4)
        within += abs(distances[0]) < 2.0 * standard_error.numpy()[0]
    assert within >= 16


def test_gibbs_draws_follow_the_energy(machine):
    num_samples = 20_000
    samples = machine.sample(num_samples, seed=5, num_sweeps=200).numpy()
    counts = np.bincount(samples.astype(int) @ 2 ** np.arange(6)[::-1], minlength=64)
    assert chi_square(counts, np.exp(exact_log_probs(machine)) * num_samples) > 1e-4


def test_fewer_sweeps_stay_near_the_start(machine):
    start = machine.sample(2000, seed=5, num_sweeps=0).numpy()
    np.testing.assert_allclose(start.mean(axis=0), 0.5, atol=0.05)
    with pytest.raises(
        TypeError, match=r"^`num_sweep` is no option of BoltzmannMachine\.sample; it takes num_sweeps\.$"
    ):
        machine.sample(1, num_sweep=3)


def test_training_brings_the_model_to_the_data():
    """The last three bits are the first three, each flipped in one case of five."""
    random = np.random.default_rng(0)
    first = random.integers(0, 2, (1920, 3))
    x = np.concatenate([first, first ^ (random.random((1920, 3)) < 0.2)], axis=1)
    model = BoltzmannMachine((6,), hidden_units=6, num_chains=64, seed=1)
    every = every_example(model)
    flipped = np.sum(every[:, :3] != every[:, 3:], axis=1)
    masses = 0.2**flipped * 0.8 ** (3 - flipped) / 8.0
    entropy = -np.sum(masses * np.log(masses))

    def cross_entropy():
        return -np.sum(masses * exact_log_probs(model))

    assert cross_entropy() > entropy + 0.5
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, batch_size=64, epochs=30, verbose=0)
    assert entropy < cross_entropy() < entropy + 0.15


def test_updates_of_a_pass_that_is_silent_are_forgotten(machine):
    step = Step(seeds.as_pair(0), training=True)
    before = machine.chains.numpy()
    machine.loss_terms({"x": tf.zeros((4, 6))}, step.silent())
    step.apply()
    np.testing.assert_array_equal(machine.chains, before)
    machine.loss_terms({"x": tf.zeros((4, 6))}, step)
    np.testing.assert_array_equal(machine.chains, before)
    step.apply()
    assert np.any(machine.chains.numpy() != before)
    machine.chains.assign(before)
