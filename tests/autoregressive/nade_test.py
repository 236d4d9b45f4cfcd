"""Tests of NADE: its recursion, and the gradient that is written by hand."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import AutoregressiveContract, DiscreteDensityContract, ModelContract, randomise
from small_data import rows_of_levels

from keras_gen.autoregressive import NADE
from keras_gen.autoregressive.base import at_few_sizes
from keras_gen.autoregressive.nade import recursion


class TestLevels(ModelContract, DiscreteDensityContract, AutoregressiveContract):
    def make_model(self, **changes):
        return NADE(
            **{
                "event_shape": (2, 3),
                "hidden_units": 20,
                "levels": 3,
                "activation": "tanh",
                "seed": 5,
                "name": "recursion",
                **changes,
            }
        )

    def make_data(self):
        return rows_of_levels()

    def make_enumerable(self):
        return self.make_model()


class TestBits(DiscreteDensityContract, AutoregressiveContract):
    def make_model(self):
        return NADE((9,), hidden_units=12)

    def make_enumerable(self):
        return self.make_model()


def test_each_conditional_is_a_network_with_shared_weights():
    model = randomise(NADE((4,), hidden_units=7))
    w, c, v, b = (weight.numpy() for weight in model.trainable_weights)
    x = np.array([[1, 0, 1, 1], [0, 1, 1, 0]], np.float32)
    log_prob = 0.0
    for entry in range(4):
        h = 1.0 / (1.0 + np.exp(-(c + x[:, :entry] @ w[:entry])))
        logit = (h @ v[entry] + b[entry])[:, 0]
        log_prob += np.where(x[:, entry] == 1, -np.logaddexp(0, -logit), -np.logaddexp(0, logit))
    np.testing.assert_allclose(model.log_prob(x), log_prob, rtol=1e-5)


def by_cumulative_sum(x, kernel, hidden_bias, output_kernel, activation):
    """What `recursion` computes, from a tensor of the hidden units of all positions."""
    kernel = tf.reshape(kernel, (x.shape[1], x.shape[2], -1))
    a = hidden_bias + tf.cumsum(tf.einsum("bdk,dkh->bdh", x, kernel), axis=1, exclusive=True)
    return tf.einsum("bdh,dhl->bdl", activation(a), output_kernel)


@pytest.mark.parametrize("activation", [tf.sigmoid, tf.nn.relu])
@pytest.mark.parametrize("size", [1, 4, 16])
def test_recursion_and_its_gradient_are_those_of_cumulative_sums(size, activation):
    """Blocks that divide the positions or not, or are larger than all of them."""
    random = np.random.default_rng(0)
    shapes = {"x": (5, 10, 3), "kernel": (30, 6), "hidden_bias": (6,), "output_kernel": (10, 6, 2)}
    x, *weights = (tf.constant(random.standard_normal(shape), tf.float32) for shape in shapes.values())
    upstream = tf.constant(random.standard_normal((5, 10, 2)), tf.float32)
    found = []
    for function, *last in ((recursion, activation, size), (by_cumulative_sum, activation)):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            y = function(x, *weights, *last)
        found.append([y, *tape.gradient(y, weights, upstream)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_compiled_steps_and_plain_ones_train_alike():
    x = np.random.default_rng(0).integers(0, 2, (40, 20)).astype(np.float32)
    trained = []
    for arguments in ({"run_eagerly": True}, {"jit_compile": True}):
        model = randomise(NADE((20,), hidden_units=11))
        model.compile("sgd", **arguments)
        model.fit(x, batch_size=20, epochs=2, shuffle=False, verbose=0)
        trained.append((model.evaluate(x, verbose=0, return_dict=True)["nll"], model.get_weights()))
    (plain, weights), (compiled, others) = trained
    assert plain == pytest.approx(compiled, rel=1e-5)
    for ours, theirs in zip(weights, others, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_xla_draws_long_examples_as_the_plain_loop_does():
    model = randomise(NADE((300,), hidden_units=10))
    assert model.num_positions >= model.xla_positions
    noise = model.noise(20, seed=3)
    plain = tf.function(model.draw_positions, autograph=False)(noise)
    np.testing.assert_array_equal(model.generate(noise), plain)
    np.testing.assert_array_equal(model.sample(20, seed=3), plain)
    missing = np.arange(300) >= 100
    drawn = model.impute(tf.zeros((20, 300)), missing, seed=3)
    assert not np.any(drawn[:, :100])
    assert np.any(drawn[:, 100:] != plain[:, 100:])


def test_any_number_of_draws_is_compiled_for_a_power_of_two():
    """The rows that fill a batch up change nothing and are thrown away."""
    sizes = []

    def draw(noise, condition=None, known=None, missing=None, *, orders=None):
        sizes.append(len(noise["u"]))
        assert {len(part) for part in (condition, known, missing)} == {sizes[-1]} == {orders.shape[1]}
        return noise["u"] + condition[:, tf.newaxis] + known * missing + tf.cast(tf.transpose(orders), tf.float32)

    few = at_few_sizes(draw)
    random = np.random.default_rng(0)
    for num in range(1, 34):
        u, known, missing = (tf.constant(random.random((num, 3)), tf.float32) for _ in range(3))
        condition, orders = tf.range(num, dtype=tf.float32), tf.constant(random.integers(0, 3, (3, num)))
        found = few({"u": u}, condition, known, missing, orders=orders)
        expected = u + condition[:, tf.newaxis] + known * missing + np.transpose(orders)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert set(sizes) == {1, 2, 4, 8, 16, 32, 64}


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"^`hidden_units` must be at least 1, received 0\.$"):
        NADE((4,), hidden_units=0)
    with pytest.raises(TypeError, match=r"^`levels` must be a whole number, received None\.$"):
        NADE((4,), levels=None)
