"""Tests of the conditional VAE."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import CodesContract, ConditionContract, EstimatesContract, ModelContract
from linear_gaussian import inverse_softplus

from keras_gen.latent import ConditionalVAE


class TestOnAClass(ModelContract, EstimatesContract, CodesContract, ConditionContract):
    excluded_arguments = ("condition_size",)

    def make_model(self, **changes):
        return ConditionalVAE(
            **{
                "event_shape": (4, 3, 1),
                "latent_size": 2,
                "levels": 3,
                "num_classes": 2,
                "hidden_units": (6,),
                "filters": (3,),
                "likelihood": {"name": "categorical"},
                "prior": {"name": "student_t", "degrees_of_freedom": 4.0},
                "posterior": {"name": "inverse_autoregressive_flow", "hidden_units": 5, "context_size": 2},
                "activation": "elu",
                "seed": 3,
                "name": "conditional",
                **changes,
            }
        )

    def make_data(self):
        labels = np.arange(40) % 2
        return np.broadcast_to(2 * labels[:, None, None, None], (40, 4, 3, 1)).copy()

    def make_known(self):
        """A model that ignores z: each entry is one with a probability that the class chooses."""
        model = ConditionalVAE((3,), latent_size=1, num_classes=2, hidden_units=())
        kernel, bias = np.array([[0.0, 0.0, 0.0], [1.0, -0.5, 2.0], [-1.0, 0.0, 0.3]]), np.array([0.2, -0.1, 0.0])
        model.decoder.set_weights([kernel, bias])
        # A posterior wider than the prior keeps the importance weights bounded.
        model.encoder.set_weights([np.zeros((5, 2)), np.array([0.3, inverse_softplus(1.2)])])
        x = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], np.float32)
        # The classes are 0, 1 and 0; the first row of the kernel is that of z.
        logits = bias + kernel[[1, 2, 1]]
        return model, x, np.sum(x * logits - np.log1p(np.exp(logits)), axis=1)

    def test_event_shape_is_enough(self, model):
        assert ConditionalVAE((3,), num_classes=2).sample(2, condition=[0, 1], seed=0).shape == (2, 3)


@pytest.fixture(scope="module")
def on_a_vector():
    model = ConditionalVAE((3,), latent_size=1, condition_size=2, hidden_units=(6,))
    random = np.random.default_rng(3)
    for weight in model.decoder.trainable_variables:
        weight.assign(random.normal(scale=1.5, size=weight.shape))
    return model


POINTS = np.array(list(itertools.product((0, 1), repeat=3)), np.float32)


def test_masses_given_each_condition_sum_to_one(on_a_vector):
    axis = np.linspace(-8, 8, 801).astype(np.float32)
    z = tf.constant(axis[:, None, None] * np.ones((1, 8, 1), np.float32))
    masses = []
    for vector in ([0.0, 0.0], [1.0, -1.0]):
        condition = np.tile(np.float32(vector), (8, 1))
        log_joint = on_a_vector.log_likelihood(POINTS, z, tf.constant(condition))
        log_joint += on_a_vector.prior_distribution().log_prob(z)
        masses.append(np.exp(log_joint).sum(axis=0) * (axis[1] - axis[0]))
        np.testing.assert_allclose(masses[-1].sum(), 1.0, atol=1e-4)
        bound, error = on_a_vector.log_prob_bound(POINTS, condition, 20_000, seed=0)
        np.testing.assert_array_less(np.abs(bound - np.log(masses[-1])), 5 * error + 1e-3)
    assert np.abs(masses[0] - masses[1]).max() > 0.05


def test_training_learns_what_the_condition_says():
    labels = np.arange(64) % 2
    x = np.where(labels[:, None] == 1, [0, 0, 1, 1], [1, 1, 0, 0])
    model = ConditionalVAE((4,), latent_size=1, num_classes=2, hidden_units=(8,))
    model.compile(keras.optimizers.Adam(0.03))
    history = model.fit(np.tile(x, (100, 1)), np.tile(labels, 100), batch_size=64, verbose=0).history
    assert np.isfinite(history["loss"][-1])
    # Given the class nothing is left to tell, so the code tells nothing.
    evaluated = model.evaluate(x, labels, verbose=0, return_dict=True)
    assert evaluated["kl"] < 0.1
    assert evaluated["elbo"] > -0.5
    np.testing.assert_array_equal(model.sample(2, condition=np.array([0, 1]), seed=0), x[:2])


def test_mistakes_get_one_sentence(on_a_vector):
    with pytest.raises(ValueError, match="`num_classes` or `condition_size` must be given, received neither"):
        ConditionalVAE((3,))
    with pytest.raises(ValueError, match="`condition_size` must be None where `num_classes` is given"):
        ConditionalVAE((3,), num_classes=2, condition_size=2)
    with pytest.raises(ValueError, match="`condition` must be given: this ConditionalVAE is conditional"):
        on_a_vector.log_prob_bound(POINTS)
    with pytest.raises(ValueError, match="needs an unconditional model"):
        ConditionalVAE((3,), num_classes=2, prior="vamp_prior")
