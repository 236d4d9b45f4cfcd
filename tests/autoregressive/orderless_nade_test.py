"""Tests of OrderlessNADE: one network for all orderings, its loss, ensembles, and imputation of any entries."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from contracts import DiscreteDensityContract, ModelContract, randomise
from contracts.sample_weight import terms_of
from small_data import rows_of_levels

from keras_gen.autoregressive import OrderlessNADE, orderless_nade
from keras_gen.core import Step


class TestLevels(ModelContract, DiscreteDensityContract):
    def make_model(self, **changes):
        return OrderlessNADE(
            **{
                "event_shape": (2, 3),
                "hidden_units": (20, 15),
                "levels": 3,
                "num_orderings": 3,
                "activation": "tanh",
                "seed": 5,
                "name": "orderless",
                **changes,
            }
        )

    def make_data(self):
        return rows_of_levels()

    def make_enumerable(self):
        return self.make_model()


class TestBits(DiscreteDensityContract):
    def make_enumerable(self):
        return OrderlessNADE((8,), hidden_units=(12,))


@pytest.fixture(scope="module")
def model():
    return randomise(OrderlessNADE((4,), hidden_units=(20, 15), num_orderings=5), scale=1.5)


@pytest.fixture(scope="module")
def points():
    return np.array(list(itertools.product(range(2), repeat=4)), np.float32)


def log_prob_in_order(model, points, order) -> np.ndarray:
    """The log mass under one ordering, by one pass for each entry."""
    known, log_prob = np.zeros(points.shape, bool), 0.0
    for entry in order:
        parameters = model.parameters(tf.constant(points), known=tf.constant(known))[:, entry]
        log_prob += model.conditional.log_prob(parameters, points[:, entry]).numpy()
        known[:, entry] = True
    return log_prob


def test_a_conditional_is_a_network_of_known_entries_and_mask():
    model = randomise(OrderlessNADE((3,), hidden_units=(5, 4)))
    layer = model.hidden_layers[0]
    w, u, c, v, b = (
        getattr(model, name).numpy()
        for name in ("kernel", "mask_kernel", "hidden_bias", "output_kernel", "output_bias")
    )
    x = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
    known = np.array([[True, False, False], [True, False, True]])
    h = np.maximum(0.0, c + (x * known) @ w + known @ u)
    h = np.maximum(0.0, h @ layer.kernel.numpy() + layer.bias.numpy())
    found = model.parameters(tf.constant(x), known=tf.constant(known))
    np.testing.assert_allclose(found[..., 0], h @ v.T + b[:, 0], rtol=1e-4, atol=1e-5)


def test_an_ensemble_averages_the_probabilities_of_its_orderings(model, points):
    masses = np.exp([log_prob_in_order(model, points, order) for order in model.orders])
    assert len({tuple(order) for order in model.orders}) > 1
    assert masses.std(axis=0).max() > 0.01
    np.testing.assert_allclose(np.exp(model.log_prob(points)), masses.mean(axis=0), rtol=1e-4)


def test_the_loss_is_an_unbiased_estimate_of_the_average_over_all_orderings(model, points):
    number = 40_000
    exact = -np.mean([log_prob_in_order(model, points, order) for order in itertools.permutations(range(4))], axis=0)
    for x, expected in zip(points[[0, 6, 13]], exact[[0, 6, 13]], strict=True):
        rows = tf.constant(np.tile(x, (number, 1)))
        loss = terms_of(model, {"x": rows}, 1)["loss"][0].numpy()
        assert abs(loss.mean() - expected) < 5.0 * loss.std() / number**0.5 < 0.1 * expected


def map_in_a_graph(function, values) -> np.ndarray:
    """Applies a function to each of many values: operation by operation, that would be slow."""
    return tf.function(lambda: tf.map_fn(function, values, fn_output_signature=tf.float32), autograph=False)().numpy()


def test_shares_of_known_entries_are_spread_over_a_batch_and_each_is_uniform():
    """Of D = 4 entries, each number from 0 to 4 is known with probability 1/5, in any place of a batch."""
    number, batch = 4000, 5
    seeds = tf.random.stateless_uniform((number, 2), (0, 1), maxval=None, minval=None, dtype=tf.int32)
    shares = map_in_a_graph(lambda seed: orderless_nade.spread_uniform(tf.constant(batch), seed), seeds)
    np.testing.assert_array_equal(np.sort(np.floor(batch * shares), axis=1), np.tile(np.arange(batch), (number, 1)))
    # The mean over a batch has the variance of a number within an interval, 1 / 12 B², divided by B.
    np.testing.assert_allclose(shares.mean(axis=1).std(), (12 * batch**3) ** -0.5, rtol=0.06)
    known = np.random.default_rng(0).random((number, batch, 4)) < shares[..., np.newaxis]
    for place in range(batch):
        frequencies = np.bincount(known[:, place].sum(axis=-1), minlength=5) / number
        np.testing.assert_allclose(frequencies, 0.2, atol=4.0 * (0.16 / number) ** 0.5)


def test_the_loss_of_small_batches_is_unbiased(model, points):
    rows, number = tf.constant(np.repeat(points[6:7], 3, axis=0)), 2500
    exact = -np.mean([log_prob_in_order(model, points[6:7], order) for order in itertools.permutations(range(4))])

    def losses(seed):
        step = Step(seed, training=True)
        return model.loss_terms({"x": rows}, step)["loss"]

    seeds = tf.stack([tf.zeros(number, tf.int32), tf.range(number)], axis=1)
    means = map_in_a_graph(losses, seeds).mean(axis=1)
    assert abs(means.mean() - exact) < 4.0 * means.std() / number**0.5 < 0.1 * exact


@pytest.mark.parametrize("levels", [2, 3])
def test_output_biases_start_at_the_frequencies_of_the_data(levels):
    x = np.random.default_rng(0).integers(0, levels, (50, 2, 2))
    x[:, 0, 0] = 1
    model = OrderlessNADE((2, 2), (3,), levels)
    model.adapt(x)
    model.output_kernel.assign(tf.zeros_like(model.output_kernel))
    counts = np.stack([(x == level).sum(axis=0) for level in range(levels)], axis=-1).reshape(4, levels) + 1.0
    known = tf.zeros((1, 4), tf.bool)
    for level in range(levels):
        row = tf.fill((1, 2, 2), float(level))
        found = model.conditional.log_prob(model.parameters(row, known=known), tf.reshape(row, (1, 4)))
        np.testing.assert_allclose(found[0], np.log(counts[:, level] / counts.sum(axis=-1)), rtol=1e-5)


def test_the_loss_is_evaluated_with_the_same_known_entries_at_every_call(model, points):
    model.compile()
    first, second = (model.evaluate(points, verbose=0, return_dict=True)["loss"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("levels", [2, 3])
def test_each_example_is_drawn_in_one_of_the_orderings(levels):
    model = randomise(OrderlessNADE((5,), (20, 15), levels, num_orderings=3), scale=1.5)
    noise = model.noise(60, seed=3)
    orderings = np.floor(3.0 * noise["ordering"].numpy()).astype(int)
    assert set(orderings) == {0, 1, 2}
    x, known = np.zeros((60, 5), np.float32), np.zeros((60, 5), bool)
    for step in range(5):
        entries = model.orders[orderings, step]
        parameters = tf.gather(model.parameters(tf.constant(x), known=tf.constant(known)), entries, batch_dims=1)
        uniform = noise["uniform"].numpy()[np.arange(60), entries]
        x[np.arange(60), entries] = model.conditional.draw(parameters, {"uniform": uniform})
        known[np.arange(60), entries] = True
    np.testing.assert_array_equal(model.generate(noise), x)


def test_any_entries_are_imputed_given_all_others(model):
    """Entries 0 and 3 are missing: half of the examples draw 0 first, and half 3."""
    number = 20_000
    x = np.tile(np.array([1, 0, 1, 0], np.float32), (number, 1))
    drawn = model.impute(x, np.array([1, 0, 0, 1]), seed=0).numpy()
    np.testing.assert_array_equal(drawn[:, 1:3], x[:, 1:3])

    rest = np.array([[a, 0, 1, b] for a in (0, 1) for b in (0, 1)], np.float32)
    masses = 0.0
    for first, second in ((0, 3), (3, 0)):
        log_prob, known = 0.0, np.tile([False, True, True, False], (4, 1))
        for entry in (first, second):
            parameters = model.parameters(tf.constant(rest), known=tf.constant(known))[:, entry]
            log_prob += model.conditional.log_prob(parameters, rest[:, entry]).numpy()
            known[:, entry] = True
        masses += 0.5 * np.exp(log_prob)
    counts = np.array([np.mean(np.all(drawn == point, axis=1)) for point in rest])
    np.testing.assert_allclose(masses.sum(), 1.0, rtol=1e-5)
    assert masses.std() > 0.05
    assert np.all(np.abs(counts - masses) < 5.0 * np.sqrt(masses * (1.0 - masses) / number))


def test_each_example_may_miss_other_entries(model, points):
    missing = np.random.default_rng(0).random(points.shape) < 0.5
    drawn = model.impute(points, missing, seed=0).numpy()
    np.testing.assert_array_equal(drawn[~missing], points[~missing])
    assert np.any(drawn != points)
    np.testing.assert_array_equal(drawn, model.impute(points, missing, seed=0))


def test_wrong_arguments():
    with pytest.raises(
        ValueError, match=r"^`hidden_units` must hold the width of at least one layer, received \(\)\.$"
    ):
        OrderlessNADE((4,), hidden_units=())
    with pytest.raises(ValueError, match=r"^`num_orderings` must be at least 1, received 0\.$"):
        OrderlessNADE((4,), num_orderings=0)
