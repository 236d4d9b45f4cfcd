"""Tests of MADE: masks, orderings, and ensembles."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    AutoregressiveContract,
    ContinuousDensityContract,
    DiscreteDensityContract,
    ModelContract,
    randomise,
)
from contracts.sample_weight import terms_of
from small_data import rows_of_levels

from keras_gen.autoregressive import MADE


class TestEnsembleOverLevels(ModelContract, DiscreteDensityContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        return MADE(
            **{
                "event_shape": (2, 3),
                "hidden_units": (31, 29),
                "levels": 3,
                "num_components": 2,
                "num_masks": 2,
                "direct_connections": True,
                "ordering": "random",
                "activation": "tanh",
                "dropout": 0.1,
                "seed": 5,
                "name": "ensemble",
                **changes,
            }
        )

    def make_data(self):
        return rows_of_levels()

    def make_enumerable(self):
        return self.make_model()


class TestBits(DiscreteDensityContract, AutoregressiveContract):
    """One mask in a given order; units that come in blocks, and a layer in which some degrees have no unit."""

    def make_model(self):
        return MADE((8,), hidden_units=(300, 260, 7), ordering=(3, 0, 7, 2, 5, 1, 6, 4), direct_connections=True)

    def make_enumerable(self):
        return self.make_model()


class TestLevels(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self):
        return MADE((2, 3), hidden_units=(31,), levels=3, ordering="random", seed=2)

    def make_enumerable(self):
        return self.make_model()


class TestWithoutHiddenLayers(DiscreteDensityContract, AutoregressiveContract):
    """Logistic regressions of each entry on those before it."""

    def make_model(self):
        return MADE((2, 2, 2), hidden_units=())

    def make_enumerable(self):
        return self.make_model()


class TestReals(ContinuousDensityContract, AutoregressiveContract):
    def make_model(self):
        return MADE((2, 3), hidden_units=(31, 29), levels=None, num_components=3, ordering="random", seed=4)

    def make_plane(self):
        return randomise(MADE((2,), hidden_units=(31,), levels=None, num_components=3, ordering=(1, 0)))


@pytest.fixture(scope="module")
def points():
    return np.array(list(itertools.product(range(2), repeat=6)), np.float32)


def test_ensemble_averages_probabilities(points):
    model = randomise(MADE((6,), hidden_units=(20,), num_masks=3, ordering="random"), scale=1.5)
    masses = np.stack([np.exp(model.log_prob_of_mask(points, mask)) for mask in range(3)])
    assert masses.std(axis=0).max() > 0.01
    np.testing.assert_allclose(np.exp(model.log_prob(points)), masses.mean(axis=0), rtol=1e-5)


def test_one_conditional_by_hand():
    model = randomise(MADE((2,), hidden_units=(4,), ordering=(1, 0)))
    hidden, output = model.network.hidden_layers[0], model.network.output_layer
    x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], np.float32)
    # Entry 1 comes first: all four hidden units, of degree 1, see only it, and only entry 0 sees them.
    h = np.maximum(0.0, x[:, 1:] * hidden.kernel.numpy()[1] + hidden.bias.numpy())
    logits = np.stack(
        [h @ output.kernel.numpy()[:, 0] + output.bias.numpy()[0], np.full(3, output.bias.numpy()[1])], axis=1
    )
    log_prob = np.sum(x * logits - np.logaddexp(0.0, logits), axis=1)
    np.testing.assert_allclose(model.log_prob(x), log_prob, rtol=1e-5)


def test_direct_connections_reach_only_later_entries():
    model = MADE((5,), hidden_units=(3,), direct_connections=True, ordering=(4, 3, 2, 1, 0))
    model.network.direct_layer.kernel.assign(np.ones((5, 5)))
    model.network.output_layer.kernel.assign(np.zeros((3, 5)))
    x = np.array([[0, 1, 0, 1, 1]], np.float32)
    np.testing.assert_allclose(model.parameters(tf.constant(x))[..., 0], [[3, 2, 2, 1, 0]])


def test_orderings():
    size = 30
    np.testing.assert_array_equal(MADE((size,), (4,)).network.degrees[0], [np.arange(1, size + 1)])
    explicit = tuple(np.random.default_rng(0).permutation(size).tolist())
    given = MADE((size,), (4,), num_masks=2, ordering=explicit)
    np.testing.assert_array_equal(np.argsort(given.network.degrees[0]), [explicit, explicit])
    # One ordering may have several masks, which differ in the degrees of the hidden units.
    assert np.any(given.network.degrees[1][0] != given.network.degrees[1][1])
    drawn = MADE((size,), (4,), num_masks=2, ordering="random").network.degrees[0]
    assert np.any(drawn[0] != drawn[1])
    np.testing.assert_array_equal(np.sort(drawn), [np.arange(1, size + 1)] * 2)
    assert np.any(drawn != MADE((size,), (4,), num_masks=2, ordering="random", seed=1).network.degrees[0])


@pytest.mark.parametrize("levels", [2, 4, None])
@pytest.mark.parametrize("hidden_units", [(), (30, 20)])
def test_each_example_of_an_ensemble_is_drawn_by_one_of_its_masks(levels, hidden_units):
    model = MADE((5,), hidden_units, levels, num_masks=3, ordering="random", direct_connections=True)
    model, noise = randomise(model, scale=1.5), model.noise(60, seed=3)
    masks = np.floor(3.0 * noise["mask"].numpy()).astype(int)
    assert set(masks) == {0, 1, 2}
    assert len({tuple(order) for order in model.network.orders}) == 3
    x = np.zeros((60, 5), np.float32)
    for step in range(5):
        for mask, order in enumerate(model.network.orders):
            rows, entry = masks == mask, order[step]
            parameters = model.parameters(tf.constant(x[rows]), mask=mask)[:, entry]
            sources = model.conditional.noise_distributions()
            x[rows, entry] = model.conditional.draw(
                parameters, {name: noise[name].numpy()[rows, entry] for name in sources}
            )
    np.testing.assert_allclose(model.generate(noise), x, rtol=1e-4, atol=1e-5)


def test_training_uses_one_mask_at_random():
    model = MADE((6,), hidden_units=(20,), num_masks=3, ordering="random")
    x = np.random.default_rng(0).integers(0, 2, (8, 6)).astype(np.float32)
    possible = {round(float(-np.mean(model.log_prob_of_mask(x, mask))), 4) for mask in range(3)}
    losses = {round(float(np.mean(terms_of(model, {"x": x}, seed)["loss"][0])), 4) for seed in range(20)}
    assert len(possible) == 3
    assert losses == possible


@pytest.mark.parametrize("num_masks", [1, 3])
def test_imputation_draws_from_the_conditional_distribution(points, num_masks):
    """Entries 2, 5 and 0 come first in the ordering and are known; 1, 4 and 3 are drawn."""
    model = randomise(MADE((6,), (40,), num_masks=num_masks, ordering=(2, 5, 0, 1, 4, 3), seed=1), scale=1.5)
    num_samples = 20_000
    x = np.tile(np.array([1, 0, 0, 1, 0, 1], np.float32), (num_samples, 1))
    missing = np.array([False, True, False, True, True, False])
    drawn = model.impute(x, missing, seed=0).numpy()
    np.testing.assert_array_equal(drawn[:, ~missing], x[:, ~missing])

    rest = points[np.all(points[:, ~missing] == x[0, ~missing], axis=1)]
    masses = np.exp(model.log_prob(rest).numpy().astype(np.float64))
    masses /= masses.sum()
    counts = np.array([np.sum(np.all(drawn == point, axis=1)) for point in rest])
    assert counts.sum() == num_samples
    assert np.all(np.abs(counts / num_samples - masses) < 5.0 * np.sqrt(masses * (1.0 - masses) / num_samples) + 1e-9)
    assert masses.std() > 0.01


def test_imputation_by_several_orderings_is_refused(points):
    with pytest.raises(ValueError, match="`impute` needs one ordering"):
        MADE((6,), (4,), num_masks=2, ordering="random").impute(points, np.ones(6))


def test_dropout_is_only_for_training():
    model = MADE((6,), hidden_units=(20,), dropout=0.25)
    x = np.random.default_rng(0).integers(0, 2, (8, 6)).astype(np.float32)
    trained, again, evaluated = (
        terms_of(model, {"x": x}, seed, training=training)["loss"][0].numpy()
        for seed, training in ((1, True), (2, True), (1, False))
    )
    assert np.any(trained != again)
    np.testing.assert_allclose(evaluated, -model.log_prob(x), rtol=1e-6)
    assert np.any(trained != evaluated)


def test_xla_draws_long_examples_as_the_plain_loop_does():
    model = randomise(MADE((300,), hidden_units=(10, 400), direct_connections=True))
    assert model.num_positions >= model.xla_positions
    noise = model.noise(20, seed=3)
    plain = tf.function(model.draw_positions, autograph=False)(noise)
    np.testing.assert_array_equal(model.generate(noise), plain)
    np.testing.assert_array_equal(model.sample(20, seed=3), plain)
    missing = np.arange(300) >= 100
    drawn = model.impute(tf.zeros((20, 300)), missing, seed=3)
    assert not np.any(drawn[:, :100])
    assert np.any(drawn[:, 100:] != plain[:, 100:])


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"event_shape": ()}, ValueError, "`event_shape` must have at least one axis"),
        ({"event_shape": (4, 0)}, ValueError, "`event_shape` must be at least 1, received 0"),
        ({"event_shape": 4}, TypeError, "`event_shape` must be a tuple of whole numbers, received 4"),
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"num_components": 0}, ValueError, "`num_components` must be at least 1, received 0"),
        ({"hidden_units": (4, 0)}, ValueError, "`hidden_units` must be at least 1, received 0"),
        ({"num_masks": 0}, ValueError, "`num_masks` must be at least 1, received 0"),
        ({"dropout": 1.0}, ValueError, "`dropout` must be at least 0 and less than 1, received 1.0"),
        ({"ordering": "randon"}, ValueError, "`ordering` 'randon' is unknown; did you mean random"),
        ({"ordering": (0, 1, 1, 2)}, ValueError, r"`ordering` must be a permutation of 0\.\.3"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        MADE(**{"event_shape": (4,), "hidden_units": (3,), **arguments})
