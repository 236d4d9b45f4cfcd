"""Tests of Real NVP, and of what all flows share: standardisation, levels, conditions and statistics of batches."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import ContinuousDensityContract, FlowContract, ModelContract, condition_for, randomise
from scipy import stats

from keras_gen.flows import RealNVP


class TestContracts(ModelContract, FlowContract, ContinuousDensityContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        arguments = {
            "num_layers": 3,
            "hidden_units": (8, 7),
            "ordering": "random",
            "batch_normalization": True,
            "num_classes": 3,
            "seed": 3,
            "name": "flow",
        }
        return RealNVP((3,), **{**arguments, **changes})

    def make_data(self):
        first, second, third = np.random.default_rng(0).standard_normal((3, 40, 1))
        # Without noise the likelihood has no bound, and training towards it is rough.
        columns = [first, first**2 + 0.3 * second, 3.0 - first + 0.3 * third]
        return 3.0 + 2.0 * np.concatenate(columns, axis=1).astype(np.float32)

    def make_plane(self):
        model = randomise(RealNVP((2,), num_layers=3, hidden_units=(8,), seed=1), 0.6, seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model

    def make_deep(self):
        return randomise(RealNVP((3,), num_layers=100, hidden_units=(4,), seed=1), 0.1)


class TestLevels(ModelContract):
    """The same flow over levels, with a vector as condition."""

    excluded_arguments = ("batch_normalization",)

    def make_model(self, **changes):
        arguments = {
            "levels": 5,
            "logit_margin": None,
            "condition_size": 2,
            "num_layers": 3,
            "hidden_units": (8,),
            "ordering": "random",
            "seed": 3,
        }
        return RealNVP((2, 2, 1), **{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).integers(0, 3, (40, 1, 1, 1))
        return np.concatenate([np.concatenate([first, first + 1], 1), np.concatenate([first, first + 2], 1)], 2)


@pytest.fixture(scope="module", params=["alternate", "random"])
def model(request):
    """An uneven number of entries, with data in other units than the noise."""
    model = randomise(RealNVP((5,), num_layers=4, hidden_units=(8, 7), ordering=request.param, seed=3), 0.6)
    model.adapt(np.random.default_rng(1).standard_normal((200, 5)) * [0.1, 1.0, 3.0, 30.0, 0.5] + [0, 1, -5, 100, 0])
    return model


def test_the_equations_of_the_paper():
    model = randomise(RealNVP((3,), num_layers=1, hidden_units=(4,)))
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    # One of three entries stays as it is; the order before the coupling says which.
    kept, *moved = model.permutations[0]
    networks = model.coupling_networks[0]
    s = networks.factor.numpy() * np.tanh(networks.scale_network(x[:, [kept]]).numpy())
    t = networks.translation_network(x[:, [kept]]).numpy()
    expected = np.concatenate([x[:, [kept]], x[:, moved] * np.exp(s) + t], axis=-1)
    np.testing.assert_allclose(model.encode(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ordering", ["alternate", "random"])
@pytest.mark.parametrize("size", [2, 3, 6])
def test_two_couplings_move_every_entry(size, ordering):
    model = RealNVP((size,), num_layers=2, hidden_units=(4,), ordering=ordering, seed=4)
    x = np.ones((1, size), np.float32)
    before = model.encode(x).numpy()
    for networks in model.coupling_networks:
        networks.translation_network.layers[-1].bias.assign(np.full(size - size // 2, 10.0))
    # The noise is in another order than the data: what an entry was, is where the identity flow puts it.
    assert np.all(np.abs(model.encode(x).numpy() - before) > 5.0)


def test_adapt_counts_the_units_of_the_data():
    x = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    units, shift = np.array([0.01, 1.0, 1000.0], np.float32), np.array([5.0, 0.0, -3000.0], np.float32)
    first, second = (randomise(RealNVP((3,), num_layers=2, hidden_units=(4,))) for _ in range(2))
    first.adapt(x)
    second.adapt(x * units + shift)
    # The density in other units is the density divided by the volume of the unit.
    expected = first.log_prob(x).numpy() - np.log(units).sum()
    np.testing.assert_allclose(second.log_prob(x * units + shift), expected, rtol=1e-3, atol=5e-3)
    with pytest.raises(ValueError, match="entry 1 is the same in all rows"):
        first.adapt(x * [1.0, 0.0, 1.0])


def test_networks_run_once_for_a_density(monkeypatch):
    model, calls = RealNVP((3,), num_layers=4, hidden_units=(4,)), []
    for networks in model.coupling_networks:
        call = networks.call
        monkeypatch.setattr(networks, "call", lambda x, condition=None, call=call: calls.append(0) or call(x))
    model.log_prob(np.zeros((2, 3), np.float32))
    assert len(calls) == 4


def test_learns_a_gaussian_up_to_its_entropy():
    covariance = np.array([[2.0, 1.2], [1.2, 1.0]])
    x = np.random.default_rng(0).multivariate_normal([3.0, -1.0], covariance, 4096).astype(np.float32)
    model = RealNVP((2,), num_layers=2, hidden_units=(8,))
    model.adapt(x)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, batch_size=256, epochs=12, verbose=0)
    entropy = stats.multivariate_normal([0.0, 0.0], covariance).entropy()
    fresh = np.random.default_rng(1).multivariate_normal([3.0, -1.0], covariance, 4096)
    assert abs(model.evaluate(fresh, verbose=0, return_dict=True)["nll"] - entropy) < 0.1


def test_seeds(model):
    np.testing.assert_array_equal(model.sample(4, seed=7), model.sample(4, seed=7))
    assert np.all(model.sample(4, seed=7).numpy() != model.sample(4, seed=8).numpy())
    np.testing.assert_allclose(model.sample(4, seed=7), model.generate(model.noise(4, seed=7)), rtol=1e-4)
    same, other = (RealNVP((5,), num_layers=1, seed=seed).get_weights() for seed in (0, 1))
    assert any(np.any(a != b) for a, b in zip(same[1:], other[1:], strict=True))


def test_mixed_precision_keeps_the_density_in_float32():
    model = RealNVP((3,), num_layers=2, hidden_units=(8,), dtype="mixed_bfloat16")
    x = model.sample(5, seed=0)
    assert model.coupling_networks[0].scale_network.layers[0].compute_dtype == "bfloat16"
    assert x.dtype == model.log_prob(x).dtype == tf.float32


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"event_shape": (1,)}, "`event_shape` must have at least two entries"),
        ({"levels": 4, "logit_margin": 0.5}, "`logit_margin` must be between 0 and 1/2, or None, received 0.5."),
        ({"levels": 4, "dequantization": "unifrm"}, "`dequantization` 'unifrm' is unknown; did you mean uniform?"),
        ({"num_classes": 2, "condition_size": 2}, "`condition_size` must be None where `num_classes` is given"),
        ({"num_layers": 0}, "`num_layers` must be at least 1, received 0."),
        ({"hidden_units": (0,)}, "`hidden_units` must be at least 1, received 0."),
        ({"ordering": "randm"}, "`ordering` 'randm' is unknown; did you mean random?"),
    ],
)
def test_wrong_arguments(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        RealNVP(**{"event_shape": (3,), "hidden_units": (4,), **changes})


def test_wrong_data(model):
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, 5\), received \(2, 4\)\."):
        model.log_prob(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"`z` holds the value inf; expected finite real numbers\."):
        model.decode(np.full((2, 5), np.inf))


@pytest.mark.parametrize("logit_margin", [None, 0.02])
def test_the_bound_of_levels_reaches_their_mass(logit_margin):
    model = randomise(RealNVP((2,), 2, (6,), levels=3, logit_margin=logit_margin), 1.0)
    points = np.array([[first, second] for first in range(3) for second in range(3)], np.float32)
    # The mass of a level is the density's integral over a square of side one.
    side = (np.arange(60) + 0.5) / 60
    offsets = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 1, 2)
    places = (points + offsets).reshape(-1, 2).astype(np.float32)
    density = np.exp(model.distribution().log_prob(places).numpy().astype(np.float64))
    masses = density.reshape(3600, 9).mean(axis=0)
    # A part of the density lies outside of all levels, if only in the margins.
    assert 1e-3 < masses.sum() < 1.0
    bound, error = model.log_prob_bound(points, 5000, seed=0)
    np.testing.assert_array_less(np.abs(bound - np.log(masses)), 5.0 * error.numpy() + 1e-3)
    loose, _ = model.log_prob_bound(np.repeat(points, 500, axis=0), 1, seed=1)
    loose = loose.numpy().reshape(9, 500)
    assert np.all(loose.mean(axis=1) < np.log(masses) + 4.0 * loose.std(axis=1) / 500**0.5)
    assert np.mean(loose.mean(axis=1)) < np.mean(np.log(masses)) - 0.01


def test_bits_per_dim_of_a_known_density():
    # The identity after the shift to [-1/2, 1/2]: all levels lie in the middle of a standard normal distribution.
    model = RealNVP((4, 3, 1), 2, (4,), levels=256, logit_margin=None)
    for weight in model.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    model.compile()
    x = np.random.default_rng(0).integers(0, 256, (2000, 4, 3, 1))
    y = (x + 0.5) / 256 - 0.5
    expected = 8.0 - stats.norm.logpdf(y).mean() / np.log(2.0)
    logs = model.evaluate(x, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["bits_per_dim"], expected, atol=1e-4)
    np.testing.assert_allclose(logs["elbo"], -12 * np.log(2.0) * expected, atol=1e-2)


def test_levels_come_back_from_their_codes():
    model = randomise(RealNVP((2, 2, 3), 3, (6,), levels=256, num_classes=2), 0.5)
    x = np.random.default_rng(0).integers(0, 256, (30, 2, 2, 3)).astype(np.float32)
    condition = condition_for(model, 30)
    z = tf.identity(model.encode(x, condition))
    np.testing.assert_array_equal(model.decode(z, condition), x)
    assert np.any(np.abs(model.encode(x, 1 - condition) - z) > 1e-2)


def test_levels_have_a_bound_and_real_numbers_a_density():
    levels, reals = RealNVP((2,), 1, (2,), levels=3), RealNVP((2,), 1, (2,))
    with pytest.raises(ValueError, match="`log_prob` needs real numbers"):
        levels.log_prob(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="`log_prob_bound` needs levels"):
        reals.log_prob_bound(np.zeros((1, 2)))


def test_batch_normalization_learns_the_statistics_of_the_data():
    model = randomise(RealNVP((3,), 2, (4,), batch_normalization=True, seed=1), 0.3)
    x = np.random.default_rng(0).normal(3.0, 5.0, (512, 3)).astype(np.float32)
    before = model.encode(x).numpy()
    model.compile(keras.optimizers.SGD(0.0))
    model.fit(x, batch_size=512, epochs=200, verbose=0)
    # Weights stay; what enters the second coupling is standardised now, in training and after it.
    layer = model.normalizations[0]
    first = model.flow().bijectors[::-1]
    h = x
    for bijector in first[:3]:
        h = bijector.forward(h)
    np.testing.assert_allclose(layer.mean, np.mean(h, axis=0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(layer.variance, np.var(h, axis=0), rtol=1e-3, atol=1e-3)
    assert np.abs(model.encode(x) - before).max() > 0.1
    logs = model.evaluate(x, batch_size=512, verbose=0, return_dict=True)
    np.testing.assert_allclose(model.history.history["nll"][-1], logs["nll"], rtol=1e-3)


def test_no_density_is_above_the_true_one():
    random = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    x = random.multivariate_normal([0.0, 0.0], covariance, 256).astype(np.float32)
    model = RealNVP((2,), 4, (16,))
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, epochs=30, verbose=0)
    fresh = random.multivariate_normal([0.0, 0.0], covariance, 20_000)
    gap = stats.multivariate_normal([0.0, 0.0], covariance).logpdf(fresh) - model.log_prob(fresh).numpy()
    assert gap.mean() > -4.0 * gap.std() / len(gap) ** 0.5
    assert gap.mean() < 0.5


def test_logits_have_the_density_of_the_papers():
    """Equation 29 of the MAF paper, between nats of logits and bits per dimension."""
    alpha, size = 0.1, 12
    model = randomise(RealNVP((2, 2, 3), 2, (6,), levels=256, logit_margin=alpha), 0.5)
    x = np.random.default_rng(0).integers(0, 256, (20, 2, 2, 3)).astype(np.float32)
    nats = model.logit_log_prob(x, seed=4).numpy()
    u = tf.random.stateless_uniform(x.shape, (0, 4), alg="philox").numpy()
    bits = -model.distribution().log_prob(x + u).numpy() / (size * np.log(2.0))
    squashed = alpha + (1.0 - 2.0 * alpha) * (x + u) / 256.0
    logs = (np.log2(squashed) + np.log2(1.0 - squashed)).sum(axis=(1, 2, 3))
    expected = -nats / (size * np.log(2.0)) - np.log2(1.0 - 2.0 * alpha) + 8.0 + logs / size
    np.testing.assert_allclose(bits, expected, rtol=1e-4)
    with pytest.raises(ValueError, match="`logit_log_prob` needs a model of levels"):
        RealNVP((2,)).logit_log_prob(np.zeros((1, 2)))
