"""Tests of what all flows over real numbers share: units, single columns, weights of examples, and wrong arguments."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import assert_same_weights, randomise

from keras_gen import flows, seeds
from keras_gen.core import Step

#: Flows without couplings, which take examples of a single entry.
ONE_ENTRY = {
    "MAF": lambda **arguments: flows.MAF((1,), 2, (4,), batch_normalization=True, **arguments),
    "IAF": lambda **arguments: flows.IAF((1,), 2, (4,), activation="tanh", **arguments),
    "MixtureMAF": lambda **arguments: flows.MixtureMAF((1,), 2, (4,), num_components=2, **arguments),
    "MaskedSplineFlow": lambda **arguments: flows.MaskedSplineFlow((1,), 2, (4,), **arguments),
    "PlanarFlow": lambda **arguments: flows.PlanarFlow((1,), 2, **arguments),
    "RadialFlow": lambda **arguments: flows.RadialFlow((1,), 2, **arguments),
    "SylvesterFlow": lambda **arguments: flows.SylvesterFlow((1,), 2, **arguments),
    "ContinuousFlow": lambda **arguments: flows.ContinuousFlow((1,), (4,), num_steps=2, **arguments),
}


def test_adapt_counts_the_units_of_the_data():
    x = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    units, shift = np.array([0.01, 1.0, 1000.0], np.float32), np.array([5.0, 0.0, -3000.0], np.float32)
    first, second = (randomise(flows.RealNVP((3,), num_layers=2, hidden_units=(4,))) for _ in range(2))
    first.adapt(x)
    second.adapt(x * units + shift)
    # The density in other units is the density divided by the volume of the unit.
    expected = first.log_prob(x).numpy() - np.log(units).sum()
    np.testing.assert_allclose(second.log_prob(x * units + shift), expected, rtol=1e-3, atol=5e-3)
    with pytest.raises(ValueError, match="entry 1 is the same in all rows"):
        first.adapt(x * [1.0, 0.0, 1.0])


@pytest.mark.parametrize("family", [flows.Glow, flows.MultiScaleRealNVP])
def test_adapt_gives_all_pixels_of_a_channel_one_location_and_scale(family):
    x = np.random.default_rng(0).normal([3.0, -70.0], [2.0, 50.0], (60, 4, 4, 2)).astype(np.float32)
    # A pixel that is always the same is no unit of its own.
    x[:, 0, 0] = [3.0, -70.0]
    model = family((4, 4, 2), None, num_scales=1, filters=2)
    model.adapt(x)
    channels = x.reshape(-1, 2)
    np.testing.assert_allclose(model.location, np.broadcast_to(channels.mean(axis=0), (4, 4, 2)), rtol=1e-5)
    np.testing.assert_allclose(model.scale, np.broadcast_to(channels.std(axis=0), (4, 4, 2)), rtol=1e-5)


MODELS_WITH_BATCH_NORMALIZATION = {
    "MAF": lambda: flows.MAF((3,), 3, (6,), batch_normalization=True),
    "RealNVP": lambda: flows.RealNVP((3,), 3, (6,), batch_normalization=True),
    "MultiScaleRealNVP": lambda: flows.MultiScaleRealNVP(
        (2, 2, 1), 5, num_scales=1, filters=2, batch_normalization=True
    ),
}


@pytest.mark.parametrize("name", MODELS_WITH_BATCH_NORMALIZATION)
def test_normalizations_take_the_moments_of_all_data(name):
    """With one batch, every normalization gives features of mean 0 and variance 1; with several, almost."""
    model = randomise(MODELS_WITH_BATCH_NORMALIZATION[name](), 0.3)
    random = np.random.default_rng(0)
    x = random.normal(5.0, 3.0, (240, *model.event_shape)).astype(np.float32)
    x = x if model.levels is None else random.integers(0, 5, x.shape)
    for layer in model.normalizations:
        layer.mean.assign(tf.fill(layer.mean.shape, 9.0))
    before = [layer.momentum for layer in model.normalizations]
    model.adapt_normalizations(x, batch_size=240)
    assert before == [layer.momentum for layer in model.normalizations]
    whole = [weight.numpy() for layer in model.normalizations for weight in (layer.mean, layer.variance)]
    # What training would see in a step with all rows at once, and no running mean of the past.
    first = model.normalizations[0]
    step = Step(seeds.as_pair(model.seed), training=True)
    if model.levels is None:
        training = model.distribution(None, step).log_prob(model.validated(x))
        np.testing.assert_allclose(model.log_prob(x), training, rtol=2e-3, atol=2e-3)
    model.adapt_normalizations(x, batch_size=80)
    np.testing.assert_allclose(first.mean, whole[0], rtol=0.05, atol=0.05 if model.levels is None else 0.3)
    np.testing.assert_allclose(first.variance, whole[1], rtol=0.1)


def test_a_model_without_batch_normalization_stays_as_it_is():
    model = randomise(flows.Glow((2, 2, 1), None, num_scales=1, num_steps=1, filters=2))
    before = [weight.numpy() for weight in model.weights]
    model.adapt_normalizations(np.ones((4, 2, 2, 1), np.float32))
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("name", ONE_ENTRY)
def test_a_single_column(name):
    x = (5.0 + 2.0 * np.random.default_rng(0).standard_normal((11, 1))).astype(np.float32)
    model = ONE_ENTRY[name]()
    model.adapt(x)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    # The last batch is a short one.
    history = model.fit(x, batch_size=4, epochs=1, verbose=0).history
    assert np.all(np.isfinite(list(history.values())))
    log_prob = model.log_prob(x).numpy()
    np.testing.assert_allclose(model.evaluate(x, verbose=0, return_dict=True)["nll"], -log_prob.mean(), rtol=1e-4)
    np.testing.assert_allclose(model.decode(tf.identity(model.encode(x))), x, rtol=1e-3, atol=1e-3)
    assert np.all(np.isfinite(model.sample(5, seed=0)))
    # The density of a number integrates to one.
    grid = np.linspace(-40.0, 50.0, 3001, dtype=np.float32)[:, np.newaxis]
    density = np.exp(model.log_prob(grid).numpy().astype(np.float64))
    np.testing.assert_allclose(density.sum() * (grid[1, 0] - grid[0, 0]), 1.0, atol=1e-3)


@pytest.mark.parametrize("name", ["MAF", "IAF", "MixtureMAF", "MaskedSplineFlow"])
def test_a_single_column_under_a_condition(name):
    model = randomise(ONE_ENTRY[name](num_classes=2))
    x, condition = np.zeros((4, 1), np.float32), np.array([0, 1, 0, 1])
    log_prob = model.log_prob(x, condition).numpy()
    assert abs(log_prob[0] - log_prob[1]) > 1e-3
    np.testing.assert_allclose(log_prob[2:], log_prob[:2], rtol=1e-5)
    z = model.encode(x, condition)
    np.testing.assert_allclose(model.decode(tf.identity(z), condition), x, atol=1e-4)


@pytest.mark.parametrize("family", [flows.RealNVP, flows.NICE, flows.NeuralSplineFlow])
def test_a_coupling_refuses_a_single_column(family):
    sentence = r"^`event_shape` must have at least two entries, since .*; received \(1,\)\.$"
    with pytest.raises(ValueError, match=sentence):
        family((1,))


def test_weights_of_examples_count_in_statistics_of_batches_too():
    """Weight 2 is the example twice, and weight 0 is its absence, in every weight that a step changes."""
    x = np.random.default_rng(0).normal(1.0, 2.0, (4, 3)).astype(np.float32)
    weighted, repeated = (flows.RealNVP((3,), 3, (4,), batch_normalization=True) for _ in range(2))
    for model in (weighted, repeated):
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    for _ in range(2):
        found = weighted.train_on_batch(x, sample_weight=np.array([2.0, 1.0, 3.0, 0.0]), return_dict=True)
        expected = repeated.train_on_batch(x[[0, 0, 1, 2, 2, 2]], return_dict=True)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)
    assert any(np.any(layer.mean != 0.0) for layer in weighted.normalizations)
    assert_same_weights(weighted.weights, repeated.weights, rtol=1e-4, atol=1e-5)


def test_wrong_data():
    model = flows.RealNVP((5,), num_layers=2, hidden_units=(4,))
    with pytest.raises(ValueError, match=r"^`x` must have shape \(batch, 5\), received \(2, 4\)\.$"):
        model.log_prob(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"^`z` holds the value inf; expected finite real numbers\.$"):
        model.decode(np.full((2, 5), np.inf))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"levels": 4, "logit_margin": 0.5}, r"`logit_margin` must be between 0 and 1/2, or None, received 0\.5\."),
        ({"levels": 4, "dequantization": "unifrm"}, r"`dequantization` 'unifrm' is unknown; did you mean uniform\?"),
        ({"num_classes": 2, "condition_size": 2}, "`condition_size` must be None where `num_classes` is given"),
    ],
)
def test_wrong_arguments(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        flows.RealNVP((3,), 1, (4,), **changes)
