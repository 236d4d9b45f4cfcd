"""Tests of Real NVP for images."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import ConditionContract, FlowContract, ModelContract, randomise

from keras_gen.flows import MultiScaleRealNVP


def make(**changes):
    """A model of images with two scales, conditioned on classes."""
    arguments = {
        "event_shape": (4, 4, 3),
        "levels": None,
        "num_scales": 2,
        "filters": 4,
        "num_blocks": 1,
        "batch_normalization": True,
        "num_classes": 3,
        "seed": 3,
    }
    return MultiScaleRealNVP(**{**arguments, **changes})


class TestReals(FlowContract):
    """Images of real numbers, of two channels."""

    #: Of the weights of a 3×3 convolution there are nine times as many as `randomise` reckons with.
    scale = 0.15

    def make_model(self, **changes):
        return make(**{"event_shape": (4, 4, 2), **changes})

    def make_deep(self):
        # The size of the image limits the depth.
        model = make(event_shape=(8, 8, 1), num_scales=4, filters=2, num_classes=None)
        assert len(model.coupling_networks) == 22
        return randomise(model, 0.05)


class TestLevels(ModelContract, ConditionContract):
    """Every argument away from its default, with a vector as condition."""

    def make_model(self, **changes):
        arguments = {
            "event_shape": (2, 2, 1),
            "levels": 5,
            "num_scales": 1,
            "num_classes": None,
            "condition_size": 2,
        }
        return make(**{**arguments, **changes})

    def make_data(self):
        first = np.random.default_rng(0).integers(0, 4, (40, 2, 1, 1))
        return np.concatenate([first, first + 1], axis=2)


def test_the_equation_of_a_coupling():
    model = randomise(make(num_scales=1, batch_normalization=False, num_classes=None), 0.2)
    x = h = np.random.default_rng(0).standard_normal((6, 4, 4, 3)).astype(np.float32)
    places = np.add.outer(np.arange(4), np.arange(4))[..., np.newaxis]
    for index, network in enumerate(model.coupling_networks):
        mask = ((places + index) % 2).astype(np.float32)
        shift, log_scale = (part.numpy() for part in network(h * mask))
        h = mask * h + (1.0 - mask) * (h * np.exp(log_scale) + shift)
    np.testing.assert_allclose(model.encode(x), h, rtol=1e-4, atol=1e-5)


def test_adapt_standardises_the_features_within_the_networks():
    model = make(batch_normalization=False, num_classes=None)
    x = np.random.default_rng(0).normal(50.0, 20.0, (300, 4, 4, 3)).astype(np.float32)
    before = model.coupling_networks[0].last.kernel.numpy()
    model.adapt(x)
    standardised = model.first_steps()[-1].forward(model.validated(x))
    for index in range(2):
        places = np.add.outer(np.arange(4), np.arange(4))[..., np.newaxis]
        network = model.coupling_networks[index]
        kept = standardised * ((places + index) % 2)
        for layer, inputs in ((network.first, kept), (network.blocks[0].wide, tf.nn.relu(network.first(kept)))):
            features = layer(inputs).numpy()
            np.testing.assert_allclose(features.mean(axis=(0, 1, 2)), np.zeros(4), atol=0.1)
            np.testing.assert_allclose(features.std(axis=(0, 1, 2)), np.ones(4), atol=0.1)
        if index == 0:
            np.testing.assert_array_equal(network.last.kernel, before)
            shift, log_scale = network(kept)
            mask = ((places + 1) % 2).astype(np.float32)
            standardised = (1.0 - mask) * standardised + mask * (standardised * tf.exp(log_scale) + shift)


def test_it_starts_near_the_identity():
    model = make(num_scales=3, batch_normalization=False, num_classes=None)
    x = np.random.default_rng(0).standard_normal((20, 4, 4, 3)).astype(np.float32)
    distance = np.abs(model.encode(x) - x)
    assert 1e-3 < distance.mean() < 0.5


def test_couplings_of_every_scale_move_their_entries():
    model = make(event_shape=(8, 8, 1), num_scales=3, filters=2, batch_normalization=False, num_classes=None)
    # Three couplings of pixels and three of channels at each scale but the last one, which has four of pixels.
    assert len(model.coupling_networks) == 6 + 6 + 4
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 1)).astype(np.float32)
    moved = []
    for network in model.coupling_networks:
        # Constant functions: an entry moves by its own coupling alone.
        network.last.kernel.assign(tf.zeros_like(network.last.kernel))
    before = model.encode(x).numpy()
    for index in (0, 3, 6, 9, 12):
        bias = model.coupling_networks[index].last.bias
        old = bias.numpy()
        bias.assign(old + np.where(np.arange(len(old)) < len(old) // 2, 10.0, 0.0))
        moved.append(np.sum(np.abs(model.encode(x) - before) > 5.0))
        bias.assign(old)
    # Half of the entries at a scale, of which each has half as many as the one before.
    assert moved == [32, 32, 16, 16, 8]


def test_batch_normalization_follows_each_coupling_but_the_last():
    model = make(num_classes=None, filters=2)
    assert len(model.normalizations) == len(model.coupling_networks) - 1
    x = (5.0 + 3.0 * np.random.default_rng(0).standard_normal((64, 4, 4, 3))).astype(np.float32)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    for layer in model.normalizations:
        layer.momentum = 0.0
    before = model.log_prob(x).numpy().mean()
    trained = model.train_on_batch(x, return_dict=True)["nll"]
    # Statistics are those of the batch by now: what the training step computed, any other pass does, too.
    np.testing.assert_allclose(-model.log_prob(x).numpy().mean(), trained, rtol=1e-3)
    assert abs(before + trained) > 1.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"event_shape": (28, 28, 1), "num_scales": 4},
            "`event_shape` must have a height and width divisible by 8 with `num_scales=4`, received (28, 28, 1).",
        ),
        ({"event_shape": (16,)}, "`event_shape` must be (height, width, channels), received (16,)."),
        ({"num_blocks": 0}, "`num_blocks` must be at least 1, received 0."),
        ({"filters": 0}, "`filters` must be at least 1, received 0."),
    ],
)
def test_wrong_arguments(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make(**changes)
