"""Tests of flows over levels: bounds of the mass, bits per dimension, codes, and densities of logits."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import CodesContract, ConditionContract, EstimatesContract, ModelContract, condition_for, randomise
from scipy import stats

from keras_gen.flows import NICE, NeuralSplineFlow, PlanarFlow, RealNVP

#: All examples of two entries with three levels.
POINTS = np.array([[first, second] for first in range(3) for second in range(3)], np.float32)


def masses_of(model) -> np.ndarray:
    """Returns the masses of `POINTS`: integrals of the density of levels with noise over squares of side one."""
    side = (np.arange(60) + 0.5) / 60
    offsets = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 1, 2)
    places = (POINTS + offsets).reshape(-1, 2).astype(np.float32)
    density = np.exp(model.distribution().log_prob(places).numpy().astype(np.float64))
    return density.reshape(3600, 9).mean(axis=0)


def elbo_of(model) -> tuple[np.ndarray, np.ndarray]:
    """Returns the evidence lower bounds of `POINTS`, means of 500 draws, and their standard errors."""
    bounds, _ = model.log_prob_bound(np.repeat(POINTS, 500, axis=0), num_samples=1, seed=1)
    bounds = bounds.numpy().reshape(9, 500)
    return bounds.mean(axis=1), bounds.std(axis=1) / 500**0.5


class TestContracts(ModelContract, CodesContract, ConditionContract, EstimatesContract):
    """Real NVP over levels, with a vector as condition."""

    excluded_arguments = ("batch_normalization",)

    def make_model(self, **changes):
        arguments = {
            "levels": 5,
            "logit_margin": None,
            "condition_size": 2,
            "num_layers": 2,
            "hidden_units": (8,),
            "ordering": "random",
            "seed": 3,
        }
        return RealNVP((2, 2, 1), **{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).integers(0, 3, (40, 1, 1, 1))
        return np.concatenate([np.concatenate([first, first + 1], 1), np.concatenate([first, first + 2], 1)], 2)

    def make_known(self):
        model = randomise(RealNVP((2,), 2, (6,), levels=3), 1.0)
        return model, POINTS, np.log(masses_of(model))


@pytest.mark.parametrize("logit_margin", [None, 0.02])
def test_the_bound_of_levels_reaches_their_mass(logit_margin):
    model = randomise(RealNVP((2,), 2, (6,), levels=3, logit_margin=logit_margin), 1.0)
    masses = masses_of(model)
    # Some of the density lies outside of all levels, if only in the margins.
    assert 1e-3 < masses.sum() < 1.0
    bound, error = model.log_prob_bound(POINTS, num_samples=5000, seed=0)
    np.testing.assert_array_less(np.abs(bound - np.log(masses)), 5.0 * error.numpy() + 1e-3)
    elbo, error = elbo_of(model)
    assert np.all(elbo < np.log(masses) + 4.0 * error)
    assert np.mean(elbo) < np.mean(np.log(masses)) - 0.01


def test_learned_noise_brings_the_bound_closer_to_the_mass_and_never_above():
    model = RealNVP((2,), 2, (6,), levels=3, dequantization={"name": "variational", "filters": 8})
    randomise(model, 0.8, seed=1)
    # Noise is uniform at first.
    for network in model.dequantizer.coupling_networks:
        network.last.kernel.assign(tf.zeros_like(network.last.kernel))
        network.last.bias.assign(tf.zeros_like(network.last.bias))
    masses = np.log(masses_of(model))
    uniform, _ = elbo_of(model)
    # The density of levels with noise stays as it is; only the noise learns.
    for layer in model.coupling_networks:
        layer.trainable = False
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(np.repeat(POINTS, 100, axis=0), batch_size=100, epochs=20, verbose=0)
    learned, error = elbo_of(model)
    assert np.all(learned < masses + 4.0 * error)
    assert np.mean(masses - learned) < 0.5 * np.mean(masses - uniform)
    tight, error = model.log_prob_bound(POINTS, num_samples=5000, seed=0)
    np.testing.assert_array_less(np.abs(tight - masses), 5.0 * error.numpy() + 2e-3)


@pytest.mark.parametrize(("family", "distribution"), [(RealNVP, stats.norm), (NICE, stats.logistic)])
def test_bits_per_dim_of_a_known_density(family, distribution):
    # The identity after the shift to [-1/2, 1/2]: all levels lie in the middle of the distribution of the noise.
    model = family((4, 3, 1), 2, (4,), levels=256, logit_margin=None)
    for weight in model.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    model.compile()
    x = np.random.default_rng(0).integers(0, 256, (2000, 4, 3, 1))
    expected = 8.0 - distribution.logpdf((x + 0.5) / 256 - 0.5).mean() / np.log(2.0)
    logs = model.evaluate(x, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["bits_per_dim"], expected, atol=1e-4)
    np.testing.assert_allclose(logs["elbo"], -12 * np.log(2.0) * expected, atol=1e-2)


@pytest.mark.parametrize(
    "model",
    [
        RealNVP((2, 2, 3), 3, (6,), levels=256, num_classes=2),
        NICE((3, 3, 1), 3, (6,), levels=256, num_classes=2),
        NeuralSplineFlow((3, 1, 3), 3, 6, levels=16, num_classes=2),
        PlanarFlow((2, 2, 1), 3, levels=4, num_classes=2),
    ],
    ids=["RealNVP", "NICE", "NeuralSplineFlow", "PlanarFlow"],
)
def test_levels_come_back_from_their_codes(model):
    randomise(model, 0.2 if isinstance(model, NeuralSplineFlow) else 0.5)
    x = np.random.default_rng(0).integers(0, model.levels, (30, *model.event_shape)).astype(np.float32)
    condition = condition_for(model, 30)
    z = tf.identity(model.encode(x, condition))
    np.testing.assert_array_equal(model.decode(z, condition), x)
    assert np.any(np.abs(model.encode(x, 1 - condition) - z) > 1e-2)


def test_levels_have_a_bound_and_real_numbers_a_density():
    levels, reals = RealNVP((2,), 1, (2,), levels=3), RealNVP((2,), 1, (2,))
    assert (levels.likelihood_kind, reals.likelihood_kind) == ("lower bound", "exact")
    with pytest.raises(ValueError, match="`log_prob` needs real numbers"):
        levels.log_prob(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="`log_prob_bound` needs levels"):
        reals.log_prob_bound(np.zeros((1, 2)))


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
