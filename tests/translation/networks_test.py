"""Networks of translation: what a patch is, and how deep a U-Net is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import InstanceNormalization
from keras_gen.translation.networks import PatchDiscriminator, UNet, receptive_fields
from keras_gen.translation.networks.patch import usual_receptive_field


@pytest.mark.parametrize("receptive_field", [1, 7, 16, 34, 70])
def test_the_receptive_field_is_what_the_gradient_reaches(receptive_field):
    """A logit has a gradient on a square of that size; without norms, which see all of an image."""
    network = PatchDiscriminator((96, 96, 1), receptive_field=receptive_field, filters=2, seed=(0,))
    network.norms = [None] * len(network.layers)
    x = tf.random.stateless_normal((1, 96, 96, 1), (0, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = network(x)
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2]
    reached = np.any(tape.gradient(middle, x)[0, ..., 0] != 0.0, axis=0)
    assert logits.shape[1:] == network.patches_shape
    assert reached.sum() == receptive_field
    assert np.flatnonzero(reached)[-1] - np.flatnonzero(reached)[0] + 1 == receptive_field


def test_networks_of_the_paper():
    """Section 6.1: 70×70 is C64-C128-C256-C512 and judges 30×30 patches of 256×256 pixels; the U-Net has 8 halvings."""
    network = PatchDiscriminator((256, 256, 6), seed=(0,))
    assert [layer.filters for layer in network.layers] == [64, 128, 256, 512, 1]
    assert [layer.strides for layer in network.layers] == [(2, 2)] * 3 + [(1, 1)] * 2
    assert network.patches_shape == (30, 30)
    net = UNet((256, 256, 3), 3, filters=1, seed=(0,))
    assert [layer.filters for layer in net.encoder] == [1, 2, 4, 8, 8, 8, 8, 8]
    assert [layer.filters for layer in net.decoder] == [8, 8, 8, 8, 4, 2, 1, 3]
    assert receptive_fields() == (1, 7, 16, 34, 70, 142, 286, 574, 1150)
    assert [usual_receptive_field((side, 300)) for side in (256, 128, 64, 32, 8, 4)] == [70, 70, 34, 16, 7, 1]


def test_skips_carry_the_source_around_the_bottleneck():
    """With an innermost block of zero weights, the output still depends on each pixel."""
    net = UNet((8, 8, 1), 1, filters=2, seed=(0,))
    net.encoder[-1].kernel.assign(0.0 * net.encoder[-1].kernel)
    x = tf.random.stateless_normal((1, 8, 8, 1), (0, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = net(x)
        loss = tf.reduce_sum(tf.square(y))
    assert y.shape == x.shape
    assert np.all(tape.gradient(loss, x) != 0.0)


def test_instance_normalization_is_batch_normalization_of_one_image():
    x = np.random.default_rng(0).normal(3.0, 5.0, (2, 4, 6, 3)).astype(np.float32)
    found = InstanceNormalization((None, None, None, 3))(x)
    expected = (x - x.mean(axis=(1, 2), keepdims=True)) / np.sqrt(x.var(axis=(1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    layer = InstanceNormalization((None, None, None, 3))
    layer.gamma.assign([1.0, 2.0, 3.0])
    layer.beta.assign([0.5, 0.0, -1.0])
    np.testing.assert_allclose(layer(x), expected * [1.0, 2.0, 3.0] + [0.5, 0.0, -1.0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer(x), keras.layers.GroupNormalization.call(layer, x), rtol=1e-4, atol=1e-4)
