"""Tests of the hierarchical VAE."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import CodesContract, EstimatesContract, ModelContract

from keras_gen.latent import HierarchicalVAE
from keras_gen.latent.base import LatentVariableModel

tfd = tfp.distributions


class TestThreeLayers(ModelContract, EstimatesContract, CodesContract):
    argument_bases = (LatentVariableModel,)

    def make_model(self, **changes):
        return HierarchicalVAE(
            **{
                "event_shape": (5, 3, 1),
                "latent_sizes": (3, 2, 2),
                "levels": 4,
                "units": (6, 5, 4),
                "hidden_units": (7,),
                "filters": (3,),
                "likelihood": "categorical",
                "estimator": "sampled",
                "beta": 0.9,
                "warm_up_steps": 2,
                "free_nats": 0.01,
                "activation": "elu",
                "seed": 5,
                "name": "layers",
                **changes,
            }
        )

    def make_data(self):
        return np.broadcast_to(np.random.default_rng(0).integers(0, 4, (40, 1, 1, 1)), (40, 5, 3, 1)).copy()

    def make_known(self):
        model, masses = two_layer_model()
        return model, POINTS, np.log(masses)


POINTS = np.array(list(itertools.product((0, 1), repeat=3)), np.float32)


@pytest.fixture(scope="module")
def two_layers():
    return two_layer_model()


@functools.cache
def two_layer_model():
    """Returns a model with one entry in each of two layers, and the exact masses of all points by quadrature."""
    model = HierarchicalVAE((3,), latent_sizes=(1, 1), units=(6, 5), hidden_units=(6,), activation="elu")
    random = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign_add(random.normal(scale=0.3, size=weight.shape))
    # Posteriors that are wider than the prior keep the importance weights bounded.
    for layer in model.code_layers:
        last = layer.posterior_network[-1]
        last.kernel.assign(0.2 * last.kernel)
        last.bias.assign([0.1, 1.5])
    axis = np.linspace(-7, 7, 281).astype(np.float32)
    low, high = (grid.reshape(-1, 1) for grid in np.meshgrid(axis, axis, indexing="ij"))
    lower, upper = model.code_layers
    log_prior = upper.prior(None).log_prob(high)
    log_prior += lower.prior(upper.down(tf.constant(high), None)).log_prob(low)
    z = np.concatenate([low, high], axis=-1)[:, np.newaxis]
    log_joint = model.log_likelihood(POINTS, tf.constant(np.repeat(z, 8, axis=1))) + log_prior[:, np.newaxis]
    return model, np.exp(log_joint.numpy()).sum(axis=0) * (axis[1] - axis[0]) ** 2


def test_masses_sum_to_one_and_the_bound_reaches_them(two_layers):
    model, masses = two_layers
    np.testing.assert_allclose(masses.sum(), 1.0, atol=2e-3)
    elbo = model.log_prob_bound(np.repeat(POINTS, 500, axis=0), num_samples=1, seed=0)[0].numpy().reshape(8, 500)
    assert (elbo.mean(axis=1) < np.log(masses) + 5 * elbo.std(axis=1) / 500**0.5).all()
    bound, error = model.log_prob_bound(POINTS, num_samples=20_000, seed=0)
    np.testing.assert_array_less(np.abs(bound - np.log(masses)), 5 * error + 5e-3)


def test_samples_follow_the_masses(two_layers):
    model, masses = two_layers
    samples = model.sample(20_000, seed=5).numpy()
    found = np.bincount((samples @ [4, 2, 1]).astype(int), minlength=8)
    expected = 20_000 * masses / masses.sum()
    assert np.sum((found - expected) ** 2 / expected) < tfd.Chi2(7.0).quantile(0.9999)


def test_both_estimators_have_one_mean(two_layers):
    model, _ = two_layers
    noise = tf.random.stateless_normal((20_000, 8, 2), (0, 0))
    closed, sampled = (
        [layer.numpy() for layer in model.evidence(POINTS, None, noise, estimator)[1]]
        for estimator in ("analytic", "sampled")
    )
    for analytic, estimate in zip(closed, sampled, strict=True):
        difference = estimate - analytic
        assert np.abs(difference).max() > 0.01
        np.testing.assert_array_less(np.abs(difference.mean(axis=0)), 5 * difference.std(axis=0) / 20_000**0.5)


def test_each_layer_depends_on_those_above_it_and_x_on_all(two_layers):
    model, _ = two_layers
    code = tf.random.stateless_normal((4, 2), (0, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(code)
        z = model.prior_codes({"code": code})
        logits = model.likelihood_parameters(z)[..., 0]
    jacobian = tape.batch_jacobian(z, code).numpy()
    assert (jacobian[:, 0] != 0).all()
    assert (jacobian[:, 1, 0] == 0).all()
    np.testing.assert_allclose(jacobian[:, 1, 1], 1.0)
    assert (tape.batch_jacobian(logits, z).numpy() != 0).all()


def test_the_number_of_units_must_fit():
    with pytest.raises(ValueError, match="`units` must hold one number for each of the `latent_sizes`, received"):
        HierarchicalVAE((3,), latent_sizes=(3, 2), units=(4,))
