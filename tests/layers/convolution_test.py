"""Convolutions of batches of any size."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts.replicas import distributed, two_replicas

from keras_gen.layers import convolution
from keras_gen.networks import KerasNetwork

LAYERS = {
    "Conv1D": lambda: convolution.Conv1D(4, 3, 2, "same"),
    "Conv2D": lambda: convolution.Conv2D(4, 3, 2, "same"),
    "Conv1DTranspose": lambda: convolution.Conv1DTranspose(4, 3, 2, "same"),
    "Conv2DTranspose": lambda: convolution.Conv2DTranspose(4, 3, 2, "same"),
    "one's own": lambda: KerasNetwork(
        "encoder_network",
        keras.Sequential([keras.layers.DepthwiseConv2D(3), keras.layers.Conv2D(4, 3)]),
        [(6, 6, 2)],
        [(2, 2, 4)],
    ),
}


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_replica_without_rows_has_the_shapes_and_gradients_of_none(name, graph):
    x = np.random.default_rng(0).normal(size=(2, 6, 2) if "1D" in name else (2, 6, 6, 2)).astype(np.float32)
    strategy = two_replicas()
    with strategy.scope():
        layer = LAYERS[name]()
        layer(tf.constant(x))

    def step(batch):
        with tf.GradientTape() as tape:
            tape.watch(batch["x"])
            y = tf.nn.relu(layer(batch["x"]))
            loss = tf.reduce_sum(tf.square(y))
        weights = [weight.value for weight in layer.trainable_weights]
        return tf.shape(y), *tape.gradient(loss, [batch["x"], *weights])

    expected = step({"x": tf.constant(x)})
    run = tf.function(strategy.run) if graph else strategy.run
    outputs = [strategy.experimental_local_results(each) for each in run(step, args=(distributed({"x": x}, (2, 0)),))]
    for shown, wanted in zip(outputs[:2], expected[:2], strict=True):
        np.testing.assert_allclose(shown[0], wanted, rtol=1e-5)
    np.testing.assert_array_equal(outputs[0][1], [0, *expected[0][1:]])
    assert outputs[1][1].shape == (0, *x.shape[1:])
    for (first, second), wanted in zip(outputs[2:], expected[2:], strict=True):
        np.testing.assert_allclose(first, wanted, rtol=1e-5)
        np.testing.assert_array_equal(second, tf.zeros_like(wanted))
