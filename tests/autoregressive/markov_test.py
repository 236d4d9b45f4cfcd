"""Tests of chains that are fitted by counting, and the contract of all models that count."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract
from small_data import rows_of_levels

from keras_gen.autoregressive import Independent, MarkovChain, Tabular
from keras_gen.autoregressive.markov import num_free_parameters


def with_random_counts(model):
    """Gives a model tables as `fit` might leave them, in which every value has its own probability."""
    model.counts.assign(np.random.default_rng(0).integers(1, 60, model.counts.shape))
    return model


class CountingContract(ModelContract):
    """What differs for a model that counts: its optimizer has no state, and one epoch is enough."""

    def make_data(self):
        return rows_of_levels()

    def compile(self, model, **arguments):
        model.compile(**arguments)
        return model

    def optimizers(self, model):
        return []

    def test_training_reaches_every_weight_and_brings_the_loss_down(self, data):
        """After any number of epochs, the table of every entry and context holds the shares of its values."""
        model = self.compile(self.make_model())
        history = model.fit(data, batch_size=8, epochs=3, verbose=0).history
        assert history["loss"][-1] < self.make_model().event_size * np.log(model.levels)
        rows = data.reshape(len(data), -1)
        order = model.order
        probs = np.exp(model.parameters(tf.constant(data, tf.float32)).numpy())
        for entry in range(rows.shape[1]):
            past = rows[:, max(0, entry - order) : entry]
            for example in range(len(rows)):
                same = rows[np.all(past == past[example], axis=1), entry]
                counts = np.bincount(same, minlength=model.levels) + model.smoothing
                np.testing.assert_allclose(probs[example, entry], counts / counts.sum(), rtol=1e-5)

    def test_event_shape_is_enough(self, model):
        plain = type(model)((2, 2))
        assert plain.sample(2, seed=0).shape == (2, 2, 2)


class TestMarkovChain(CountingContract, DiscreteDensityContract, AutoregressiveContract):
    def make_model(self, **changes):
        arguments = {"event_shape": (2, 3), "order": 2, "levels": 3, "smoothing": 0.5, "seed": 5, "name": "chain"}
        return with_random_counts(MarkovChain(**{**arguments, **changes}))

    def make_enumerable(self):
        return self.make_model()

    def sees(self, model):
        distance = np.subtract.outer(np.arange(6), np.arange(6))
        return (distance > 0) & (distance <= 2)


def all_points(size, levels):
    """Returns all examples of some entries with some levels."""
    return np.array(list(itertools.product(range(levels), repeat=size)))


@pytest.mark.parametrize("order", [0, 1, 2])
def test_counts_are_the_maximum_of_the_likelihood(order):
    """No other tables give the training set a higher likelihood, and small changes of these give a lower one."""
    random = np.random.default_rng(0)
    x = random.integers(0, 2, (50, 3))
    model = MarkovChain((3,), order)
    model.compile()
    model.fit(x, verbose=0)
    best = float(np.mean(model.log_prob(x)))
    counts = model.counts.numpy()
    for _ in range(20):
        model.counts.assign(counts * np.exp(0.2 * random.standard_normal(counts.shape)))
        assert float(np.mean(model.log_prob(x))) < best


def test_what_was_never_seen_has_no_mass_and_an_unseen_context_leaves_all_values_equal():
    model = MarkovChain((2,), levels=3)
    model.compile()
    model.fit(np.array([[0, 1], [0, 1], [1, 2]]), batch_size=2, verbose=0)
    masses = np.exp(model.log_prob(all_points(2, 3))).reshape(3, 3)
    np.testing.assert_allclose(masses, [[0, 2 / 3, 0], [0, 0, 1 / 3], [0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(np.exp(model.parameters(tf.constant([[2.0, 0.0]])))[0, 1], 1 / 3, rtol=1e-6)
    # Samples only have masses that are not zero.
    assert {tuple(row) for row in model.sample(200, seed=0).numpy().astype(int)} == {(0, 1), (1, 2)}


def test_weights_are_counted_exactly_and_an_example_of_weight_zero_is_absent_even_from_the_logs():
    x = np.array([[0, 1], [0, 1], [1, 2], [2, 2]])
    model = MarkovChain((2,), levels=3)
    model.compile()
    # The mass of the last example is zero, and its loss infinite.
    loss = model.fit(x, sample_weight=[0.5, 1.0, 3.0, 0.0], batch_size=4, verbose=0).history["loss"]
    np.testing.assert_array_equal(model.counts[:1], [[1.5, 3.0, 0.0]])
    np.testing.assert_allclose(np.exp(model.log_prob(x)), [1 / 3, 1 / 3, 2 / 3, 0.0], rtol=1e-6)
    np.testing.assert_allclose(loss, [np.log(3) / 3 + 2 * np.log(3 / 2) / 3], rtol=1e-6)
    assert np.isfinite(model.evaluate(x, sample_weight=[1, 1, 1, 0], verbose=0, return_dict=True)["loss"])


def test_a_chain_of_the_highest_order_is_the_table_and_one_of_order_zero_independent_entries():
    x = np.random.default_rng(1).integers(0, 3, (30, 3))
    points = all_points(3, 3)
    for model, expected in (
        (Tabular((3,), 3), np.bincount(x @ [9, 3, 1], minlength=27) / 30),
        (Independent((3,), 3), np.prod([(x[:, i] == points[:, i, None]).mean(axis=1) for i in range(3)], axis=0)),
    ):
        model.compile()
        model.fit(x, batch_size=7, epochs=2, verbose=0)
        np.testing.assert_allclose(np.exp(model.log_prob(points)), expected, atol=1e-6)


def test_numbers_of_free_parameters():
    assert MarkovChain((10,)).num_free_parameters == 2 * 10 - 1
    assert MarkovChain((64,), order=2).num_free_parameters == 1 + 2 + 62 * 4
    assert Tabular((10,)).num_free_parameters == 2**10 - 1
    assert Independent((10,)).num_free_parameters == 10
    assert Independent((1,), levels=6).num_free_parameters == Tabular((1,), levels=6).num_free_parameters == 5
    # The table of one RGB pixel.
    assert num_free_parameters(3, 2, 256) == 256**3 - 1


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"order": 3}, ValueError, "`order` must be from 0 to 2, received 3"),
        ({"order": -1}, ValueError, "`order` must be from 0 to 2, received -1"),
        ({"order": 1.0}, TypeError, "`order` must be a whole number, received 1.0"),
        ({"smoothing": -0.1}, ValueError, "`smoothing` must be at least 0, received -0.1"),
        ({"event_shape": (99,), "order": 98}, ValueError, r"`event_shape` \(99,\) with 2 levels and order 98 needs"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        MarkovChain(**{"event_shape": (3,), **arguments})
