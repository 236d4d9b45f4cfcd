import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import CodesContract, EstimatesContract, ModelContract, chi_square, randomise, rows_of

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.energy import RBM
from keras_gen.energy.base import Rows, repeated


def every_example(model) -> np.ndarray:
    """Returns all examples of a model of levels."""
    points = list(itertools.product(range(model.levels), repeat=model.event_size))
    return np.array(points, np.float32).reshape(-1, *model.event_shape)


def exact_log_probs(model) -> np.ndarray:
    """Returns log p of all examples, by the sum over all of them."""
    log_masses = -model.free_energy(every_example(model)).numpy().astype(np.float64)
    return log_masses - np.logaddexp.reduce(log_masses)


def counts_of(x: np.ndarray, levels: int) -> np.ndarray:
    """Returns how often each example occurs, in the order of `every_example`."""
    flat = np.asarray(x).reshape(len(x), -1).astype(int)
    weights = levels ** np.arange(flat.shape[1])[::-1]
    return np.bincount(flat @ weights, minlength=levels ** flat.shape[1])


class RBMContract(ModelContract, CodesContract):
    """What holds for all visible units and negative phases; `mirrored.py` has real numbers and persistent chains."""

    falling_term = "free_energy"
    changes: dict = {}

    def make_model(self, **changes):
        arguments = {"hidden_units": 5, "num_temperatures": 30, "num_sweeps": 10, "seed": 3, "name": "rbm"}
        return RBM((2, 3), **{**arguments, **self.changes, **changes})

    def make_data(self):
        """Two equal rows of large numbers, mostly."""
        levels = self.make_model().levels
        row = np.random.default_rng(0).random((40, 1, 3)) ** 0.3
        row = 2.0 + row if levels is None else np.floor(row * levels)
        return np.concatenate([row, row], axis=1).astype(np.float32)


class TestBits(RBMContract, EstimatesContract):
    """Chains at several temperatures, the most that a step leaves behind."""

    excluded_arguments = ("levels",)
    changes = {
        "negative_phase": {
            "name": "parallel_tempering",
            "num_chains": 7,
            "num_temperatures": 3,
            "num_steps": 2,
        }
    }

    def make_known(self):
        model = randomise(self.make_model(), scale=3.0)
        return model, every_example(model), exact_log_probs(model)

    def test_training_moves_the_chains_and_evaluation_leaves_them(self, batch):
        model = self.compile_with_sgd(self.make_model())
        before = model.phase.chains.numpy()
        assert before.shape == (7, 3, 2, 3)
        model.evaluate(batch, verbose=0)
        np.testing.assert_array_equal(model.phase.chains, before)
        # As many chains as before, whatever the size of the batch.
        model.train_on_batch(rows_of(batch, slice(1)))
        assert np.any(model.phase.chains.numpy() != before)
        assert np.all(model.event_space.contains(model.phase.chains))


class TestLevels(RBMContract):
    """Levels, and contrastive divergence."""

    changes = {"levels": 3, "negative_phase": {"name": "contrastive_divergence", "num_steps": 2}}


@pytest.fixture(scope="module", params=[2, 3, None], ids=["bits", "levels", "reals"])
def machine(request):
    """A model with strong dependences, that anneals from other independent entries than its own."""
    rbm = RBM((2, 2), 4, request.param, seed=2, num_sweeps=60, standardize=False)
    model = randomise(rbm, scale=2.0, seed=1)
    model.adapt(model.event_space.examples(7, (1, 2)))
    return randomise(model, scale=0.5, seed=3)


# Energies


def test_energies_add_up_over_the_hidden_units(machine):
    x = machine.event_space.examples(6, (0, 1))
    hidden = np.array(list(itertools.product((0.0, 1.0), repeat=4)), np.float32)
    energies = np.stack([machine.energy(x, np.tile(h, (6, 1))) for h in hidden], axis=1)
    np.testing.assert_allclose(machine.free_energy(x), -np.logaddexp.reduce(-energies, axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(machine.predict(x, verbose=0), machine.free_energy(x), rtol=1e-5)
    posterior = np.exp(-energies + machine.free_energy(x).numpy()[:, np.newaxis])
    np.testing.assert_allclose(machine.encode(x), posterior @ hidden, rtol=1e-4, atol=1e-5)


def test_the_energy_is_that_of_the_formula(machine):
    """With numbers, for bits, real numbers, and vectors of bits in place of levels."""
    x, hidden = machine.event_space.examples(5, (0, 1)), np.random.default_rng(0).integers(0, 2, (5, 4))
    weight, bias, hidden_bias = (variable.numpy() for variable in machine.trainable_variables)
    flat = x.numpy().reshape(5, 4)
    vectors = flat if machine.levels != 3 else np.eye(3)[flat.astype(int)].reshape(5, 12)
    expected = -vectors @ bias - hidden @ hidden_bias - np.sum(vectors @ weight * hidden, axis=1)
    if machine.levels is None:
        expected += np.sum(flat**2, axis=1) / 2.0
    np.testing.assert_allclose(machine.energy(x, hidden.astype(np.float32)), expected, rtol=1e-5, atol=1e-5)


def test_the_visible_units_given_the_hidden_ones_follow_the_energy(machine):
    """Two examples' energies differ by the logarithm of the ratio of their probabilities given h."""
    x = machine.event_space.examples(8, (0, 1))
    hidden = np.tile(np.array([1.0, 0.0, 1.0, 1.0], np.float32), (8, 1))
    natural = machine.harmonium().visible_natural(tf.constant(hidden))
    log_probs = machine.units.log_prob(natural, machine.flat(x)).numpy()
    energies = machine.energy(x, hidden).numpy()
    np.testing.assert_allclose(log_probs - log_probs[0], energies[0] - energies, rtol=1e-4, atol=1e-5)
    assert np.ptp(energies) > 0.5


def test_the_partition_function_is_the_sum_over_examples(machine):
    exact = machine.log_partition().numpy()
    if machine.levels is None:
        # A mixture of normal densities: one for each configuration of the hidden units.
        draws = machine.sample(4000, seed=0).numpy()
        proposal = machine.harmonium(tf.float64)
        hidden = tf.constant(list(itertools.product((0.0, 1.0), repeat=4)), tf.float64)
        natural = proposal.visible_natural(hidden).numpy()
        log_masses = np.sum(natural**2, axis=1) / 2.0 + 2.0 * math.log(2.0 * math.pi)
        log_masses += hidden.numpy() @ machine.hidden_bias.numpy()
        np.testing.assert_allclose(exact, np.logaddexp.reduce(log_masses), rtol=1e-9)
        shares = np.exp(log_masses - exact)
        np.testing.assert_allclose(draws.reshape(-1, 4).mean(axis=0), shares @ natural, atol=0.15)
    else:
        log_masses = -machine.free_energy(every_example(machine)).numpy().astype(np.float64)
        np.testing.assert_allclose(exact, np.logaddexp.reduce(log_masses), rtol=1e-6)


def test_the_annealed_path_goes_from_independent_entries_to_the_model(machine):
    harmonium, x = machine.harmonium(), machine.flat(machine.event_space.examples(6, (0, 1)))
    ends = harmonium.tempered_log_density(x, tf.constant([[0.0], [1.0]])).numpy()
    np.testing.assert_allclose(ends[1], -machine.free_energy(machine.unflat(x)), rtol=1e-5, atol=1e-5)
    independent = machine.units.log_prob(tf.broadcast_to(harmonium.base_bias, (6, machine.units.size)), x)
    np.testing.assert_allclose(ends[0] - harmonium.base_log_partition(), independent, rtol=1e-5, atol=1e-5)


def test_adapting_gives_independent_entries_the_mean_of_the_data(machine):
    model = RBM((2, 2), 3, machine.levels)
    x = np.random.default_rng(0).choice([0.0, 1.0], (2000, 2, 2), p=[0.3, 0.7]).astype(np.float32)
    x[:, 0, 0] = 1.0
    model.adapt(x)
    mean = model.unflat(model.units.mean(model.bias.value[tf.newaxis]))[0]
    np.testing.assert_allclose(mean, x.mean(axis=0), atol=2e-3)
    assert np.all(np.isfinite(model.bias))
    np.testing.assert_array_equal(model.bias, model.base_bias)


# Annealing


def test_annealing_estimates_the_partition_function_within_its_error_bars(machine):
    exact, within = machine.log_partition().numpy(), 0
    for seed in range(12):
        found = machine.estimate_log_partition(200, 30, seed=seed)
        assert all(figure.dtype == tf.float64 for figure in found)
        within += float(found.low) <= exact <= float(found.high)
    assert within >= 11
    assert 1e-3 < found.standard_error < 0.3


def test_annealing_of_twenty_hidden_units_is_too_low_rather_than_too_high():
    model = randomise(RBM((3, 3), 20, seed=4), scale=3.0, seed=5)
    exact = model.log_partition().numpy()
    log_masses = -model.free_energy(every_example(model)).numpy().astype(np.float64)
    np.testing.assert_allclose(exact, np.logaddexp.reduce(log_masses), rtol=1e-6)
    fine = model.estimate_log_partition(200, 300, seed=0)
    assert fine.low <= exact <= fine.high
    # Few chains and temperatures: the mean of the logarithms is below, that of the weights is not.
    log_weights = model.annealed_log_weights(tf.constant(4000), 3, seeds.as_pair(1)).numpy() - exact
    weights = np.exp(log_weights)
    assert abs(weights.mean() - 1.0) < 4.0 * weights.std() / math.sqrt(len(weights))
    coarse = np.log(weights.reshape(-1, 5).mean(axis=1))
    assert coarse.mean() < -3.0 * coarse.std() / math.sqrt(len(coarse))


# Gradient


@pytest.fixture(scope="module")
def tiny():
    """A model of four bits, its data, and the probabilities of a sweep from each example to each other one."""
    model = randomise(RBM((4,), 3, seed=2), scale=2.0, seed=1)
    every = every_example(model)
    hidden = tf.constant(list(itertools.product((0.0, 1.0), repeat=3)), tf.float32)
    pairs = [np.tile(h, (16, 1)) for h in hidden.numpy()]
    given_x = np.stack([np.exp(model.free_energy(every) - model.energy(every, h)) for h in pairs], axis=1)
    natural = model.harmonium().visible_natural(hidden)
    given_h = np.exp(
        [[model.units.log_prob(n[tf.newaxis], tf.constant(x[np.newaxis]))[0] for x in every] for n in natural]
    )
    data = np.random.default_rng(0).dirichlet(np.ones(16))
    return model, data, given_x.astype(np.float64) @ given_h.astype(np.float64)


def gradient_of(model, compute) -> np.ndarray:
    with tf.GradientTape() as tape:
        value = compute()
    return np.concatenate([np.ravel(part) for part in tape.gradient(value, model.trainable_variables)])


def gradient_of_free_energy(model, masses) -> np.ndarray:
    """Returns the gradient of the mean of F over all examples with given probabilities."""
    return gradient_of(
        model, lambda: tf.reduce_sum(masses * tf.cast(model.free_energy(every_example(model)), tf.float64))
    )


def test_contrastive_divergence_approaches_the_gradient_of_the_likelihood(tiny):
    model, data, sweep = tiny
    np.testing.assert_allclose(sweep.sum(axis=1), 1.0, atol=1e-5)

    def cross_entropy():
        free_energy = model.free_energy(every_example(model))
        return tf.reduce_sum(tf.cast(data, tf.float32) * free_energy) + tf.reduce_logsumexp(-free_energy)

    exact, positive = gradient_of(model, cross_entropy), gradient_of_free_energy(model, data)
    errors = []
    for steps in (1, 2, 4, 100_000):
        after = data @ np.linalg.matrix_power(sweep, steps)
        after /= after.sum()
        errors.append(np.abs(positive - gradient_of_free_energy(model, after) - exact).max())
    assert errors[0] > 0.01
    assert np.all(np.diff(errors) < 0.0)
    assert errors[-1] < 1e-5


@pytest.mark.parametrize("steps", [1, 3])
def test_a_training_step_has_the_gradient_of_as_many_enumerated_steps(tiny, steps):
    model, data, sweep = tiny
    learner = RBM((4,), 3, negative_phase={"name": "contrastive_divergence", "num_steps": steps})
    learner.set_weights(model.get_weights())
    # Each example as often as its probability says, nearly.
    counts = np.round(data * 40_000).astype(int)
    x, data = tf.constant(np.repeat(every_example(model), counts, axis=0)), counts / counts.sum()
    after = data @ np.linalg.matrix_power(sweep, steps)
    expected = gradient_of_free_energy(model, data) - gradient_of_free_energy(model, after)
    step = Step(seeds.as_pair(0), training=True)
    found = gradient_of(learner, lambda: tf.reduce_mean(learner.loss_terms({"x": x}, step)["loss"]))
    # Half a unit is the most that an entry deviates by, over as many draws.
    np.testing.assert_allclose(found, expected, atol=4.0 * 0.5 / math.sqrt(len(x)))
    assert np.abs(expected).max() > 0.02


# Draws


def test_long_chains_follow_the_exact_masses():
    for levels in (2, 3):
        model = randomise(RBM((4,), 4, levels, seed=2, num_sweeps=60), scale=2.0, seed=1)
        samples = model.sample(20_000, seed=5)
        expected = np.exp(exact_log_probs(model)) * 20_000
        assert chi_square(counts_of(samples, levels), expected) > 1e-4
    start = model.sample(2000, seed=5, num_sweeps=0).numpy()
    assert chi_square(counts_of(start, 3), np.full(81, 2000 / 81)) > 1e-4


def test_imputation_follows_the_exact_conditional():
    model = randomise(RBM((6,), 4, seed=2), scale=3.0, seed=1)
    known = np.array([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]], np.float32)
    mask = np.array([0, 0, 1, 1, 1, 1])
    draws = model.impute(np.repeat(known, 20_000, axis=0), mask, num_sweeps=60, seed=0).numpy()
    assert np.all(draws[:, :2] == known[:, :2])
    every = every_example(model)
    log_probs = exact_log_probs(model)[np.all(every[:, :2] == known[:, :2], axis=1)]
    expected = np.exp(log_probs - np.logaddexp.reduce(log_probs)) * 20_000
    assert chi_square(counts_of(draws[:, 2:], 2), expected) > 1e-4
    # Not what the missing entries would be without the known ones.
    marginal = np.exp(exact_log_probs(model)).reshape(4, 16).sum(axis=0) * 20_000
    assert chi_square(counts_of(draws[:, 2:], 2), marginal) < 1e-9


def test_parallel_tempering_leaves_the_product_of_all_temperatures_as_it_is():
    phase = {"name": "parallel_tempering", "num_temperatures": 3, "num_chains": 30_000}
    model = randomise(RBM((3,), 3, negative_phase=phase, seed=2), scale=3.0, seed=1)
    model.adapt(np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1]]))
    randomise(model, scale=1.0, seed=3)
    harmonium, every = model.harmonium(), tf.constant(every_example(model))
    log_masses = harmonium.tempered_log_density(every, tf.constant([[0.0], [0.5], [1.0]])).numpy().astype(np.float64)
    masses = np.exp(log_masses - np.logaddexp.reduce(log_masses, axis=1, keepdims=True))
    random = np.random.default_rng(0)
    start = np.stack([random.choice(8, 30_000, p=p / p.sum()) for p in masses], axis=1)
    x = tf.gather(every, start.reshape(-1))
    moves = model.phase.moves(harmonium, Rows.all(30_000))
    moved = repeated(moves, x, tf.constant(3), seeds.as_pair(4)).numpy().reshape(30_000, 9)
    expected = np.einsum("i,j,k->ijk", *masses).reshape(-1) * 30_000
    assert chi_square(counts_of(moved, 2), expected) > 1e-4
    # From elsewhere, all temperatures come to it.
    far = repeated(moves, tf.zeros_like(x), tf.constant(60), seeds.as_pair(5)).numpy().reshape(30_000, 9)
    assert chi_square(counts_of(far, 2), expected) > 1e-4


def test_neighbours_exchange_their_places():
    """At weight 0 all temperatures are one model: every pair exchanges, and a sweep draws anew."""
    phase = {"name": "parallel_tempering", "num_temperatures": 4, "num_chains": 2000}
    model = RBM((8,), 1, negative_phase=phase)
    model.weight.assign(tf.zeros((8, 1)))
    # Entries that tell the temperature: 0 at β = 0, 1 at β = 1.
    model.base_bias.assign(tf.fill((8,), -60.0))
    model.bias.assign(tf.fill((8,), 60.0))
    x = tf.zeros((8000, 8))
    moved = model.phase.moves(model.harmonium(), Rows.all(2000))(x, seeds.as_pair(0)).numpy().reshape(2000, 4, 8)
    # Never exchanged, since it would cost 8 · 120 / 3 nats.
    np.testing.assert_array_equal(moved.mean(axis=(0, 2)), [0.0, 0.0, 1.0, 1.0])
    model.base_bias.assign(tf.fill((8,), 1.0))
    model.bias.assign(tf.fill((8,), 1.0))
    sweep = model.harmonium().sweeps(Rows.all(8000), tf.ones((8000,)))
    seed = tf.unstack(tf.random.split(seeds.as_pair(0), 3))[0]
    before = sweep(x, seed).numpy().reshape(2000, 4, 8)
    moved = model.phase.moves(model.harmonium(), Rows.all(2000))(x, seeds.as_pair(0)).numpy().reshape(2000, 4, 8)
    orders = ([1, 0, 3, 2], [0, 2, 1, 3])
    assert sum(np.array_equal(moved, before[:, order]) for order in orders) == 1


def test_gibbs_with_noise_from_outside(machine):
    x, num_sweeps = machine.event_space.examples(3, (0, 1)), 4
    random = np.random.default_rng(0)
    hidden_noise = random.random((3, num_sweeps, 4)).astype(np.float32)
    visible_noise = random.random((3, num_sweeps, 2, 2)).astype(np.float32)
    moved = machine.gibbs(x, hidden_noise, visible_noise).numpy()
    expected = x
    for index in range(num_sweeps):
        hidden = (hidden_noise[:, index] < machine.encode(expected).numpy()).astype(np.float32)
        natural = machine.harmonium().visible_natural(tf.constant(hidden))
        drawn = machine.units.draw(natural, tf.constant(visible_noise[:, index].reshape(3, 4)))
        expected = machine.unflat(drawn)
    np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-5)
    if machine.levels == 2:
        ones = visible_noise[:, -1].reshape(3, 4) < 1.0 / (1.0 + np.exp(-natural))
        np.testing.assert_array_equal(moved.reshape(3, 4), ones)


# Training


@pytest.mark.parametrize("phase", ["contrastive_divergence", "persistent_chains", "parallel_tempering"])
def test_training_brings_the_model_to_the_data(phase):
    """The last three bits are the first three, each flipped in one case of five."""
    random = np.random.default_rng(0)
    first = random.integers(0, 2, (1920, 3))
    x = np.concatenate([first, first ^ (random.random((1920, 3)) < 0.2)], axis=1)
    phase = {"name": phase, "num_steps": 5}
    model = RBM((6,), 6, negative_phase=phase, seed=1)
    every = every_example(model)
    flipped = np.sum(every[:, :3] != every[:, 3:], axis=1)
    masses = 0.2**flipped * 0.8 ** (3 - flipped) / 8.0
    entropy = -np.sum(masses * np.log(masses))
    model.compile(keras.optimizers.Adam(0.05))
    before = -np.sum(masses * exact_log_probs(model))
    model.fit(x, batch_size=64, epochs=12, verbose=0)
    after = -np.sum(masses * exact_log_probs(model))
    assert before > entropy + 0.5
    assert entropy < after < entropy + 0.15


# Mistakes


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda m: RBM((4,), 0), ValueError, "`hidden_units` must be at least 1, received 0."),
        (lambda m: RBM((4,), levels=1), ValueError, "`levels` must be at least 2, received 1."),
        (
            lambda m: RBM((4,), negative_phase="persistent"),
            ValueError,
            "`negative_phase` 'persistent' is unknown; did you mean persistent_chains",
        ),
        (
            lambda m: RBM((4,), negative_phase={"name": "persistent_chains", "num_step": 2}),
            ValueError,
            r"`negative_phase\['persistent_chains'\]` 'num_step' is unknown; did you mean num_steps",
        ),
        (
            lambda m: RBM((4,), negative_phase={"name": "parallel_tempering", "num_temperatures": 1}),
            ValueError,
            "`num_temperatures` must be at least 2, received 1.",
        ),
        (
            lambda m: RBM((4,), 21).log_partition(),
            ValueError,
            "`log_partition` sums over the configurations of at most 20 hidden units, this model has 21; "
            "`estimate_log_partition` estimates it.",
        ),
        (lambda m: m.estimate_log_partition(0), ValueError, "`num_samples` must be at least 1, received 0."),
        (lambda m: m.estimate_log_partition(1, 0), ValueError, "`num_temperatures` must be at least 1, received 0."),
        (lambda m: m.energy(np.zeros((1, 4))), TypeError, "`energy` must be given x, hidden; received 1 values."),
        (
            lambda m: m.energy(np.zeros((1, 4)), np.full((1, 3), 1.5)),
            ValueError,
            "`hidden` holds the value 1.5; expected real numbers from 0 to 1.",
        ),
        (
            lambda m: m.gibbs(np.zeros((1, 4)), np.zeros((1, 2, 4)), np.zeros((1, 2, 4))),
            ValueError,
            r"`hidden_noise` must have shape \(1, sweeps, 3\), received \(1, 2, 4\).",
        ),
        (
            lambda m: m.gibbs(np.zeros((1, 4)), np.zeros((1, 2, 3)), np.zeros((1, 3, 4))),
            ValueError,
            r"`visible_noise` must have shape \(1, 2, 4\), received \(1, 3, 4\).",
        ),
        (lambda m: m.sample(2, num_sweeps=-1), ValueError, "`num_sweeps` must be at least 0, received -1."),
        (
            lambda m: m.impute(np.zeros((1, 4)), 1, num_sweeps=0),
            ValueError,
            "`num_sweeps` must be at least 1, received 0",
        ),
        (
            lambda m: m.adapt(np.full((2, 4), 0.5)),
            ValueError,
            "`x` holds the value 0.5; expected whole levels from 0 to 1; `x >= 0.5` makes bits",
        ),
    ],
)
def test_mistakes_get_one_sentence(tiny, call, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        call(tiny[0])
