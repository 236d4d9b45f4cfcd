"""Deep Boltzmann machines, beside sums over all of their states."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import EstimatesContract, chi_square, randomise, rows_of
from small_machines import LayeredContract, all_states, exact, log_masses

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.energy import DBM
from keras_gen.energy.base import Rows


def make(**changes):
    arguments = {
        "hidden_units": (4, 3),
        "num_chains": 12,
        "chain_sweeps": 2,
        "mean_field_steps": 3,
        "num_temperatures": 60,
        "num_sweeps": 8,
        "seed": 3,
        "name": "deep",
    }
    return DBM((2, 3), **{**arguments, **changes})


@pytest.fixture(scope="module")
def machine():
    """A model with strong dependences, far from independent bits."""
    model = randomise(make(hidden_units=(4, 3, 2)), scale=2.5, seed=1)
    model.base_biases[0].assign(np.linspace(-1.0, 1.0, 6))
    return model


class TestContracts(LayeredContract, EstimatesContract):
    """Every argument away from its default."""

    falling_term = "free_energy"

    def make_model(self, **changes):
        return make(**changes)

    def make_data(self):
        """Two equal rows, mostly of ones."""
        row = (np.random.default_rng(0).random((40, 1, 3)) < 0.8).astype(np.float32)
        return np.concatenate([row, row], axis=1)

    def make_known(self):
        model = randomise(self.make_model(), scale=1.0)
        values, log_probs, _ = exact(model)
        return model, values.reshape(-1, *model.event_shape), log_probs

    def test_a_step_follows_mean_field_and_chains(self, batch):
        """By hand: the correlations of neighbouring layers under q, less those in the chains."""
        model = self.compile_with_sgd(randomise(self.make_model()))
        x, chains = rows_of(batch, slice(6)), model.chains.numpy()
        first, second = (weight.numpy() for weight in model.weights_of_connections)
        biases = [bias.numpy() for bias in model.biases]
        means = model.machine().mean_field(model.evidence(tf.constant(x["x"])), 6)
        data = [means[name].numpy() for name in ("x", "hidden_1", "hidden_2")]
        model.train_on_batch(x)
        hidden = model.chains.numpy()
        assert np.any(hidden != chains)
        # Of the chains, the even layers are summed out.
        drawn = [sigmoid(hidden @ first.T + biases[0]), hidden, sigmoid(hidden @ second + biases[2])]
        for index, before in enumerate((first, second)):
            ours, theirs = (side[index].T @ side[index + 1] / len(side[0]) for side in (data, drawn))
            expected = before + 0.05 * (ours - theirs)
            np.testing.assert_allclose(model.weights_of_connections[index], expected, rtol=1e-4, atol=1e-6)
        for index, before in enumerate(biases):
            expected = before + 0.05 * (data[index].mean(axis=0) - drawn[index].mean(axis=0))
            np.testing.assert_allclose(model.biases[index], expected, rtol=1e-4, atol=1e-6)

    def test_chains_move_by_sweeps_and_are_saved(self, batch, tmp_path):
        model = self.compile_with_sgd(randomise(self.make_model()))
        seed = model.from_config(model.get_config()).next_seed()
        machine, odd = model.machine(), tf.constant(model.chains.numpy())
        for index in range(2):
            odd = machine.sweeps(Rows.all(12))(odd, tf.random.experimental.stateless_fold_in(seed, index))
        model.train_on_batch(rows_of(batch, slice(5)))
        np.testing.assert_array_equal(model.chains, odd)
        model.evaluate(batch, verbose=0)
        np.testing.assert_array_equal(model.chains, odd)
        fresh = self.make_model()
        assert np.any(fresh.chains.numpy() != odd.numpy())
        model.save_weights(tmp_path / "model.weights.h5")
        fresh.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(fresh.chains, odd)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


# Sums


def test_draws_start_from_the_chains():
    """Two modes that no sweep leaves: all units 1, or none of them, which is 10 times as rare in the chains."""
    model = make(hidden_units=(4, 3), num_chains=11)
    layers = [model.event_size, 4, 3]
    for weight in model.weights_of_connections:
        weight.assign(np.full(weight.shape, 20.0))
    for bias, size, neighbours in zip(model.biases, layers, (4, layers[0] + 3, 4), strict=True):
        bias.assign(np.full(size, -10.0 * neighbours))
    chains = np.ones(model.chains.shape, np.float32)
    chains[0] = 0.0
    model.chains.assign(chains)
    drawn = model.sample(2000, seed=0).numpy().reshape(2000, -1).mean(axis=1)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert abs(drawn.mean() - 10 / 11) < 4.0 * np.sqrt(10.0 / 11**2 / 2000)


def test_energy_and_sums_over_a_side_are_those_of_all_states(machine):
    states = all_states(machine)
    expected = log_masses(machine, states)
    rows = slice(None, None, 37)
    values = [states[name][rows] for name in machine.units]
    found = machine.energy(values[0].reshape(-1, 2, 3), *values[1:])
    np.testing.assert_allclose(found, -expected[rows], rtol=1e-4, atol=1e-4)

    joint = machine.machine(tf.float64)
    assert joint.sides == (["x", "hidden_2"], ["hidden_1", "hidden_3"])
    for side in joint.sides:
        configurations = np.concatenate([states[name] for name in side], axis=-1)
        kept, place = np.unique(configurations, axis=0, return_inverse=True)
        summed = [np.logaddexp.reduce(expected[place.ravel() == index]) for index in range(len(kept))]
        ends = np.cumsum([machine.units[name].size for name in side])[:-1]
        state = dict(zip(side, np.split(kept.astype(np.float64), ends, axis=-1), strict=True))
        np.testing.assert_allclose(joint.log_mass(side, state), summed, rtol=1e-6)
    np.testing.assert_allclose(machine.log_partition(), np.logaddexp.reduce(expected), rtol=1e-6)


def test_the_partition_function_of_many_units_is_not_enumerated():
    sentence = r"at most 20 units, the smaller side of this model has 21; `estimate_log_partition` estimates it\.$"
    with pytest.raises(ValueError, match=sentence):
        DBM((30,), (21, 5)).log_partition()


@pytest.mark.parametrize(
    ("hidden_units", "sentence"),
    [
        ((3,), r"^`hidden_units` must have at least 2 entries, received \(3,\)\.$"),
        ((3, 0), "`hidden_units` must be at"),
    ],
)
def test_wrong_layers(hidden_units, sentence):
    with pytest.raises(ValueError, match=sentence):
        DBM((4,), hidden_units)


# Mean field


def test_mean_field_raises_the_bound_to_a_fixed_point(machine):
    x, log_probs, log_z = exact(machine)
    joint, evidence = machine.machine(tf.float64), {"x": (tf.constant(x, tf.float64), None)}
    bounds = []
    for num_steps in range(12):
        means = joint.mean_field(evidence, num_steps)
        bounds.append(-joint.variational_free_energy(means, machine.hidden_layers).numpy() - log_z)
    assert np.all(np.diff(bounds, axis=0) >= -1e-9)
    assert np.all(bounds <= log_probs + 1e-6)
    assert np.max(bounds[-1] - bounds[0]) > 0.1
    means = joint.mean_field(evidence, 300)
    for name in machine.hidden_layers:
        np.testing.assert_allclose(means[name], tf.sigmoid(joint.natural(name, means)), atol=1e-6)


def test_the_first_pass_doubles_what_goes_up():
    model = randomise(make(hidden_units=(4, 3, 2)), scale=2.0)
    x = all_states(model)["x"][::500]
    first, second, third = (weight.numpy() for weight in model.weights_of_connections)
    biases = [bias.numpy() for bias in model.biases]
    means = model.machine().first_means(model.evidence(tf.constant(x)))
    one = sigmoid(2.0 * x @ first + biases[1])
    two = sigmoid(2.0 * one @ second + biases[2])
    three = sigmoid(two @ third + biases[3])
    for name, expected in (("hidden_1", one), ("hidden_2", two), ("hidden_3", three)):
        np.testing.assert_allclose(means[name], expected, rtol=1e-4, atol=1e-6)


def test_the_bound_is_exact_where_the_posterior_factorises(machine):
    """Without connections between hidden layers, the hidden units are independent given x."""
    model = machine.from_config(machine.get_config())
    model.set_weights(machine.get_weights())
    x, log_probs, log_z = exact(model)
    assert np.any(-model.variational_free_energy(x.reshape(-1, 2, 3)) - log_z < log_probs - 0.01)
    for weight in model.weights_of_connections[1:]:
        weight.assign(tf.zeros(weight.shape))
    x, log_probs, log_z = exact(model)
    np.testing.assert_allclose(-model.variational_free_energy(x.reshape(-1, 2, 3)) - log_z, log_probs, atol=1e-4)


def test_features_are_the_means_of_all_hidden_layers(machine):
    x = exact(machine)[0][::9].reshape(-1, 2, 3)
    means = machine.machine().mean_field(machine.evidence(tf.constant(x)), machine.mean_field_steps)
    expected = np.concatenate([means["hidden_1"], means["hidden_2"], means["hidden_3"]], axis=-1)
    np.testing.assert_allclose(machine.encode(x), expected, atol=1e-6)


# Draws


def test_gibbs_draws_follow_the_exact_masses(machine):
    num_samples = 20_000
    samples = machine.sample(num_samples, seed=5, num_sweeps=150).numpy().reshape(num_samples, -1)
    counts = np.bincount(samples.astype(int) @ 2 ** np.arange(6)[::-1], minlength=64)
    assert chi_square(counts, np.exp(exact(machine)[1]) * num_samples) > 1e-4


def test_missing_entries_follow_the_exact_conditional(machine):
    values, log_probs, _ = exact(machine)
    x, mask = values[27], np.array([1, 0, 1, 1, 0, 1])
    fits = np.all(values[:, mask == 0] == x[mask == 0], axis=1)
    masses = np.exp(log_probs) * fits
    num = 20_000
    draws = machine.impute(np.tile(x.reshape(1, 2, 3), (num, 1, 1)), mask.reshape(2, 3), num_sweeps=150, seed=3)
    draws = draws.numpy().reshape(num, -1)
    assert np.all(draws[:, mask == 0] == x[mask == 0])
    counts = np.bincount(draws.astype(int) @ 2 ** np.arange(6)[::-1], minlength=64)
    assert chi_square(counts, masses / masses.sum() * num) > 1e-4


def test_sweeps_with_given_noise_are_those_of_the_chains(machine):
    joint, rows, num = machine.machine(), Rows.all(7), 3
    odd = joint.base_draws(rows, seeds.as_pair(2))
    noise = [joint.noise(rows, seeds.as_pair(index)) for index in range(num)]
    expected = odd
    for each in noise:
        state = joint.sweep(expected, each)
        expected = joint.joined(state)
    given = [tf.stack([each[name] for each in noise], axis=1) for name in machine.units]
    x, found = machine.gibbs(odd, *given)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(x, tf.reshape(state["x"], (7, 2, 3)))
    with pytest.raises(ValueError, match=r"^`x_noise` must have shape \(batch, sweeps, 6\), received \(7, 3, 5\)\.$"):
        machine.gibbs(odd, given[0][..., :5], *given[1:])
    with pytest.raises(TypeError, match=r"^`gibbs` must be given state, x_noise, .*; received 2 values\.$"):
        machine.gibbs(odd, given[0])


def test_chains_start_from_the_data():
    """With strong weights between x and the first layer, a layer tells what x was."""
    model = DBM((4,), (4, 2), num_chains=2000)
    model.weights_of_connections[0].assign(8.0 * np.eye(4))
    model.biases[0].assign(np.full(4, -4.0))
    model.biases[1].assign(np.full(4, -8.0))
    x = np.array([[1, 1, 0, 0], [0, 1, 0, 1]])
    model.start_chains(x, seed=0)
    hidden = model.chains.numpy().reshape(-1, 2, 4)
    # What goes up is doubled, so that the unit over a 1 is on, and x given it mostly 1; it given x alone is on half the
    # time.
    np.testing.assert_allclose(hidden.mean(axis=0), 0.5 * x, atol=0.06)


# Log Z


def test_annealed_weights_estimate_the_partition_function(machine):
    log_z = exact(machine)[2]
    draw = tf.function(machine.annealed_log_weights, autograph=False)
    log_weights = draw(tf.constant(2000), 60, tf.constant([0, 1])).numpy()
    assert log_weights.dtype == np.float64
    weights = np.exp(log_weights - log_z)
    assert weights.std() > 0.01
    assert abs(weights.mean() - 1.0) < 4.0 * weights.std() / len(weights) ** 0.5
    within = 0
    for seed in range(20):
        found = machine.estimate_log_partition(200, 60, seed=seed)
        within += bool(abs(found.estimate - log_z) < 2.0 * found.standard_error)
        assert found.low < found.estimate < found.high
    assert within >= 16


def test_the_bound_lies_below_the_exact_likelihood(machine):
    x, log_probs, log_z = exact(machine)
    found, error = machine.log_prob_bound(x.reshape(-1, 2, 3), num_samples=400, seed=0)
    bound = -machine.variational_free_energy(x.reshape(-1, 2, 3)) - log_z
    assert np.all(bound <= log_probs + 1e-5)
    np.testing.assert_allclose(found, bound, atol=4.0 * error.numpy().max())
    assert np.all(found <= log_probs + 4.0 * error)


# Training


def test_training_brings_the_model_to_the_data():
    """The last three bits are the first three, each flipped in one case of five."""
    random = np.random.default_rng(0)
    first = random.integers(0, 2, (1920, 3))
    x = np.concatenate([first, first ^ (random.random((1920, 3)) < 0.2)], axis=1)
    model = DBM((6,), (8, 4), num_chains=64, chain_sweeps=2, mean_field_steps=5, seed=1)
    values = exact(model)[0]
    flipped = np.sum(values[:, :3] != values[:, 3:], axis=1)
    masses = 0.2**flipped * 0.8 ** (3 - flipped) / 8.0
    entropy = -np.sum(masses * np.log(masses))

    def cross_entropy():
        return -np.sum(masses * exact(model)[1])

    assert cross_entropy() > entropy + 0.5
    model.compile(keras.optimizers.Adam(0.02), steps_per_execution=30)
    model.fit(x, batch_size=64, epochs=30, verbose=0)
    assert entropy < cross_entropy() < entropy + 0.2


def test_a_pass_that_is_silent_leaves_the_chains():
    model = make()
    step, before = Step(seeds.as_pair(0), training=True), model.chains.numpy()
    model.loss_terms({"x": tf.zeros((4, 2, 3))}, step.silent())
    step.apply()
    np.testing.assert_array_equal(model.chains, before)
    model.loss_terms({"x": tf.zeros((4, 2, 3))}, step)
    step.apply()
    assert np.any(model.chains.numpy() != before)
