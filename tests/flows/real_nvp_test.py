"""Tests of Real NVP: the density integrates to one, the flow is inverted, and samples follow the density."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import ContinuousDensityContract, ModelContract
from scipy import stats

from keras_gen.flows import RealNVP


def randomised(model, seed=0, factor=0.6):
    """Moves every weight away from its initial value, so that no test passes only because a flow starts simple."""
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(weight.numpy() + factor * random.standard_normal(weight.shape) / max(1, weight.shape[0]) ** 0.5)
    return model


class TestContracts(ModelContract, ContinuousDensityContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        arguments = {"num_layers": 3, "hidden_units": (8, 7), "ordering": "random", "seed": 3, "name": "flow"}
        return RealNVP((3,), **{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).standard_normal((40, 1))
        return np.concatenate([first, first**2, 3.0 - first], axis=1).astype(np.float32)

    def make_plane(self):
        model = randomised(RealNVP((2,), num_layers=3, hidden_units=(8,), seed=1), seed=2)
        model.adapt(np.array([[0.0, 3.0], [2.0, 4.0], [1.0, 5.0]]))
        return model


@pytest.fixture(scope="module", params=["alternate", "random"])
def model(request):
    """An uneven number of entries, with data in other units than the noise."""
    model = randomised(RealNVP((5,), num_layers=4, hidden_units=(8, 7), ordering=request.param, seed=3))
    model.adapt(np.random.default_rng(1).standard_normal((200, 5)) * [0.1, 1.0, 3.0, 30.0, 0.5] + [0, 1, -5, 100, 0])
    return model


@pytest.fixture(scope="module")
def x(model):
    return model.sample(30, seed=5)


def test_the_inverse_inverts(model, x):
    z = model.encode(x)
    # TFP remembers what it computed: only a new tensor is really inverted.
    again = model.decode(tf.identity(z))
    scale = model.scale.numpy()
    np.testing.assert_allclose(again / scale, x / scale, atol=1e-4)
    z = model.noise(30, seed=6)["z"]
    np.testing.assert_allclose(model.encode(tf.identity(model.decode(z))), z, atol=1e-4)


def jacobian(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.batch_jacobian(y, x).numpy().astype(np.float64)


def test_log_determinants_agree_with_automatic_differentiation(model, x):
    forward = np.linalg.slogdet(jacobian(model.encode, x)).logabsdet
    np.testing.assert_allclose(model.flow().forward_log_det_jacobian(x, event_ndims=1), forward, atol=1e-4)
    z = tf.identity(model.encode(x))
    inverse = np.linalg.slogdet(jacobian(model.decode, z)).logabsdet
    np.testing.assert_allclose(model.flow().inverse_log_det_jacobian(z, event_ndims=1), inverse, atol=1e-4)
    log_prob = stats.norm.logpdf(z.numpy()).sum(axis=-1) + forward
    np.testing.assert_allclose(model.log_prob(x), log_prob, atol=1e-3)


def test_the_equations_of_the_paper():
    model = randomised(RealNVP((3,), num_layers=1, hidden_units=(4,)))
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
    first, second = (randomised(RealNVP((3,), num_layers=2, hidden_units=(4,))) for _ in range(2))
    first.adapt(x)
    second.adapt(x * units + shift)
    # The density in other units is the density divided by the volume of the unit.
    expected = first.log_prob(x).numpy() - np.log(units).sum()
    np.testing.assert_allclose(second.log_prob(x * units + shift), expected, rtol=1e-3, atol=5e-3)
    with pytest.raises(ValueError, match="entry 1 is the same in all rows"):
        first.adapt(x * [1.0, 0.0, 1.0])


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
        ({"event_shape": (1,)}, "`event_shape` must be (D,) with D at least 2"),
        ({"event_shape": (4, 4, 1)}, "`event_shape` must be (D,) with D at least 2"),
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
