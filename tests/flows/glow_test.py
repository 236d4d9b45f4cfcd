"""Tests of Glow."""

import math
import re

import numpy as np
import pytest
import tensorflow as tf
from contracts import ConditionContract, FlowContract, ModelContract, condition_for, log_determinant, randomise

from keras_gen.flows import Glow
from keras_gen.flows.glow import lu_factors
from keras_gen.flows.normalization import ActNorm


def make(**changes):
    """A model of images that are squeezed twice, conditioned on classes."""
    arguments = {
        "event_shape": (4, 4, 3),
        "levels": None,
        "num_scales": 2,
        "num_steps": 2,
        "filters": 6,
        "num_classes": 3,
        "seed": 3,
    }
    return Glow(**{**arguments, **changes})


class TestReals(FlowContract):
    """Images of real numbers, of two channels."""

    #: Of the weights of a 3×3 convolution there are nine times as many as `randomise` reckons with.
    scale = 0.15

    def make_model(self, **changes):
        return make(**{"event_shape": (4, 4, 2), **changes})

    def make_deep(self):
        return randomise(make(event_shape=(2, 2, 1), num_scales=1, num_steps=50, filters=2, num_classes=None), 0.02)


class TestLevels(ModelContract, ConditionContract):
    """Every argument away from its default, with a vector as condition and noise that is learned."""

    def make_model(self, **changes):
        arguments = {
            "event_shape": (4, 4, 1),
            "levels": 5,
            "num_scales": 1,
            "dequantization": {"name": "variational", "num_layers": 2, "filters": 4},
            "num_classes": None,
            "condition_size": 2,
            "temperature": 0.7,
        }
        return make(**{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).integers(0, 4, (40, 4, 2, 1))
        return np.concatenate([first, first + 1], axis=2)


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    return (random.standard_normal((300, 4, 4, 3)) * np.linspace(1.0, 5.0, 48).reshape(4, 4, 3)).astype(np.float32)


def test_it_starts_as_rotations(images):
    model = make()
    condition = condition_for(model, 300)
    z = model.encode(images, condition).numpy()
    # Couplings are the identity: lengths stay, and volumes.
    np.testing.assert_allclose((z**2).sum(axis=(1, 2, 3)), (images**2).sum(axis=(1, 2, 3)), rtol=1e-4)
    log_det = model.flow(condition).forward_log_det_jacobian(tf.constant(images), 3)
    np.testing.assert_allclose(log_det, np.zeros(300), atol=1e-5)
    assert np.abs(z - images).max() > 1.0
    # Further steps are of other rotations.
    other = make(num_steps=3).encode(images, condition).numpy()
    assert np.abs(z - other).max() > 1.0


def test_adapt_starts_every_activation_normalization(images, monkeypatch):
    model = randomise(make(), 0.15)
    rows = 100.0 + 30.0 * images
    model.adapt(rows, condition_for(model, 300))
    outputs = []
    original = ActNorm.bijector

    def recorded(layer, event_ndims):
        bijector = original(layer, event_ndims)
        forward = bijector._forward
        monkeypatch.setattr(bijector, "_forward", lambda x: outputs.append(forward(x)) or outputs[-1])
        return bijector

    monkeypatch.setattr(ActNorm, "bijector", recorded)
    model.encode(rows, condition_for(model, 300))
    # One in each of four steps, and two in the network of each.
    assert len(outputs) == 12
    for output in outputs:
        np.testing.assert_allclose(np.mean(output, axis=(0, 1, 2)), np.zeros(output.shape[-1]), atol=1e-3)
        np.testing.assert_allclose(np.std(output, axis=(0, 1, 2)), np.ones(output.shape[-1]), rtol=1e-3)


def test_the_equations_of_the_paper():
    model = randomise(make(event_shape=(2, 2, 1), num_scales=1, num_steps=1, num_classes=None), 0.3)
    normalization, convolution, network = (
        layers[0] for layers in (model.normalizations, model.convolutions, model.coupling_networks)
    )
    x = np.random.default_rng(0).standard_normal((6, 2, 2, 1)).astype(np.float32)
    h = x.reshape(6, 4) * np.exp(normalization.log_scale) + normalization.shift
    factors, size = convolution.factors.numpy(), 4
    lower = np.tril(factors, -1) + np.eye(size)
    upper = np.triu(factors, 1) + np.diag(np.exp(np.diag(factors)))
    h = h[:, convolution.permutation] @ (lower @ upper)
    moved, kept = h[:, :2], h[:, 2:]
    shift, log_scale = network(kept.reshape(6, 1, 1, 2).astype(np.float32))
    moved = moved * np.exp(log_scale.numpy().reshape(6, 2)) + shift.numpy().reshape(6, 2)
    expected = np.concatenate([moved, kept], axis=-1).reshape(6, 2, 2, 1)
    np.testing.assert_allclose(model.encode(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_factors_of_a_rotation(size):
    matrix, _ = np.linalg.qr(np.random.default_rng(size).standard_normal((size, size)))
    factors, order = lu_factors(matrix)
    lower, diagonal = np.tril(factors, -1) + np.eye(size), np.exp(np.diag(factors))
    product = lower @ (np.triu(factors, 1) + np.diag(diagonal))
    # Columns have other signs, at most.
    np.testing.assert_allclose(np.abs(product), np.abs(matrix[order]), atol=1e-12)
    np.testing.assert_allclose(product @ product.T, np.eye(size), atol=1e-12)
    assert np.abs(lower).max() <= 1.0


def test_half_of_the_channels_leave_after_the_first_scale(images):
    model = randomise(make(num_classes=None), 0.15)
    x = tf.constant(images[:1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = tf.nn.space_to_depth(model.flow().forward(x), 2)
        parts = tf.stack([tf.reduce_sum(part) for part in tf.split(z, 2, axis=-1)])
    assert z.shape == (1, 2, 2, 12)
    assert tape.gradient(parts, x) is not None
    before = z.numpy()
    # Weights of the second scale change the noise of what remained after the first one, and nothing else.
    for layer in model.normalizations[2:]:
        layer.shift.assign_add(tf.ones_like(layer.shift))
    changed = tf.nn.space_to_depth(model.flow().forward(x), 2).numpy() != before
    assert not changed[..., :6].any()
    assert changed[..., 6:].all()


@pytest.mark.parametrize(
    ("temperature", "phrase"), [(0.0, "greater than 0"), (-1.0, "greater than 0"), (math.inf, "finite")]
)
def test_a_wrong_temperature_of_draws_gets_a_sentence(temperature, phrase):
    with pytest.raises(ValueError, match=f"`temperature` must be {phrase}, received {temperature}."):
        make(num_classes=None).sample(1, temperature=temperature)


def test_temperature_scales_the_noise_of_samples_alone():
    warm, cold = (make(temperature=temperature) for temperature in (1.0, 0.5))
    np.testing.assert_allclose(cold.noise(50, seed=1)["z"], 0.5 * warm.noise(50, seed=1)["z"], rtol=1e-6)
    condition = condition_for(warm, 50)
    samples = cold.sample(50, condition=condition, seed=1)
    np.testing.assert_allclose(
        samples, warm.generate({"z": 0.5 * warm.noise(50, seed=1)["z"]}, condition), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(warm.sample(50, condition=condition, seed=1, temperature=0.5), samples, rtol=1e-5)
    np.testing.assert_array_equal(cold.log_prob(samples, condition), warm.log_prob(samples, condition))


def test_sizes_of_mnist():
    model = Glow((28, 28, 1), num_scales=2, num_steps=1, filters=2, levels=None)
    x = np.random.default_rng(0).standard_normal((2, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(model.decode(tf.identity(model.encode(x))), x, atol=1e-4)


def test_networks_run_once_for_a_density(monkeypatch):
    model = randomise(make(event_shape=(4, 4, 1), num_classes=None), 0.15)
    calls = []
    for network in model.coupling_networks:
        monkeypatch.setattr(
            network, "call", lambda x, condition=None, call=network.call, **_: calls.append(0) or call(x)
        )
    x = model.sample(3, seed=0)
    calls.clear()
    log_prob = model.log_prob(x)
    assert len(calls) == len(model.coupling_networks)
    expected = model.base_distribution().log_prob(model.encode(x)) + log_determinant(model.encode, x)
    np.testing.assert_allclose(log_prob, expected, atol=2e-3)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"event_shape": (28, 28, 1), "num_scales": 3},
            "`event_shape` must have a height and width divisible by 8 with `num_scales=3`, received (28, 28, 1).",
        ),
        ({"event_shape": (16,)}, "`event_shape` must be (height, width, channels), received (16,)."),
        ({"temperature": 0.0}, "`temperature` must be greater than 0, received 0.0."),
        ({"num_steps": 0}, "`num_steps` must be at least 1, received 0."),
        ({"filters": 0}, "`filters` must be at least 1, received 0."),
    ],
)
def test_wrong_arguments(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make(**changes)
