"""Greedy pretraining: what machines of two layers become when they are put together."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_machines import exact

from keras_gen.energy import DBM, MultimodalDBM
from keras_gen.energy.dbm import PretrainingRBM


def pretrained(model, scale=1.0):
    """Returns machines with random weights for all hidden layers of a model."""
    random, machines = np.random.default_rng(0), {}
    for name in model.hidden_layers:
        machines[name] = model.pretraining_rbm(name)
        for variable in machines[name].trainable_variables:
            variable.assign(scale * random.standard_normal(variable.shape))
    return machines


@pytest.fixture(scope="module")
def stack():
    """A machine of three hidden layers, and those that it was put together from."""
    model = DBM((2, 3), (4, 3, 2), seed=1)
    machines = pretrained(model)
    model.take_pretraining(machines)
    return model, machines


def test_what_will_come_from_both_sides_is_doubled(stack):
    """Up in the lowest machine, both ways in the middle, down in the topmost one."""
    model, machines = stack
    copies = [(rbm.visible_copies, rbm.hidden_copies) for rbm in machines.values()]
    assert copies == [(2.0, 1.0), (2.0, 2.0), (1.0, 2.0)]
    shapes = [(*rbm.event_shape, rbm.hidden_units) for rbm in machines.values()]
    assert shapes == [(2, 3, 4), (4, 3), (3, 2)]
    assert list(machines) == model.hidden_layers


def test_logits_of_each_layer_are_the_mean_of_those_in_its_machines(stack):
    """The outer layers' are those of their one machine: exactly, as numbers."""
    model, machines = stack
    random, joint = np.random.default_rng(1), model.machine(tf.float64)
    state = {
        name: tf.constant(random.integers(0, 2, (9, units.size)), tf.float64) for name, units in joint.units.items()
    }
    first, second, third = (machines[name].harmonium(tf.float64) for name in model.hidden_layers)
    x, one, two, three = state.values()
    expected = {
        "x": first.visible_natural(one),
        "hidden_1": (first.hidden_logits(x) + second.visible_natural(two)) / 2.0,
        "hidden_2": (second.hidden_logits(one) + third.visible_natural(three)) / 2.0,
        "hidden_3": third.hidden_logits(two),
    }
    for name, logits in expected.items():
        np.testing.assert_allclose(joint.natural(name, state), logits, rtol=1e-6, atol=1e-6, err_msg=name)


def test_the_first_pass_goes_up_through_the_machines(stack):
    """Mean field starts, but for the mean of the biases, from what the machines make of x."""
    model, machines = stack
    for rbm in machines.values():
        rbm.bias.assign(tf.zeros(rbm.bias.shape))
        rbm.hidden_bias.assign(tf.zeros(rbm.hidden_bias.shape))
    model.take_pretraining(machines)
    x = exact(model)[0][::7].reshape(-1, 2, 3)
    means, expected = model.machine().first_means(model.evidence(tf.constant(x))), tf.constant(x.reshape(len(x), -1))
    for name in model.hidden_layers:
        expected = tf.sigmoid(machines[name].harmonium().hidden_logits(expected))
        np.testing.assert_allclose(means[name], expected, rtol=1e-5, err_msg=name)


def test_layers_that_are_seen_in_full_are_not_doubled():
    """The layer on top of two paths sees both in its machine; each of them will receive something from below, too."""
    model = MultimodalDBM((4,), num_classes=3, hidden_units=(5,), condition_units=(2,), joint_units=3)
    machines = pretrained(model)
    copies = {name: (rbm.visible_copies, rbm.hidden_copies) for name, rbm in machines.items()}
    assert copies == {"hidden_1": (2.0, 1.0), "condition_hidden_1": (2.0, 1.0), "joint": (1.0, 2.0)}
    model.take_pretraining(machines)
    random, joint = np.random.default_rng(1), model.machine(tf.float64)
    state = {
        name: tf.constant(random.integers(0, 2, (9, units.size)), tf.float64) for name, units in joint.units.items()
    }
    top = machines["joint"].harmonium(tf.float64)
    below = tf.concat([state["hidden_1"], state["condition_hidden_1"]], axis=-1)
    np.testing.assert_allclose(joint.natural("joint", state), top.hidden_logits(below), rtol=1e-6)
    down = tf.split(top.visible_natural(state["joint"]), (5, 2), axis=-1)
    for name, column, natural in (("hidden_1", "x", down[0]), ("condition_hidden_1", "condition", down[1])):
        harmonium = machines[name].harmonium(tf.float64)
        up = tf.matmul(state[column], 2.0 * harmonium.weight) + harmonium.hidden_bias
        np.testing.assert_allclose(joint.natural(name, state), (up + natural) / 2.0, rtol=1e-6, atol=1e-6)


def test_the_gradient_is_that_of_copies():
    """F of m equal copies of x and n of h: the correlations count m n times, and the biases m and n times."""
    rbm = PretrainingRBM((3,), 2, visible_copies=2.0, hidden_copies=3.0, seed=1)
    random = np.random.default_rng(0)
    for variable in rbm.trainable_variables:
        variable.assign(random.standard_normal(variable.shape))
    x = np.float32([[1, 0, 1], [0, 1, 1]])
    weight, bias, hidden_bias = (variable.numpy() for variable in rbm.trainable_variables)
    hidden = 1.0 / (1.0 + np.exp(-(2.0 * x @ weight + hidden_bias)))
    np.testing.assert_allclose(rbm.encode(x), hidden, rtol=1e-5)
    expected = -2.0 * x @ bias - 3.0 * np.log1p(np.exp(2.0 * x @ weight + hidden_bias)).sum(axis=1)
    np.testing.assert_allclose(rbm.free_energy(x), expected, rtol=1e-5)
    with tf.GradientTape() as tape:
        free_energy = tf.reduce_sum(rbm.free_energy(x))
    found = tape.gradient(free_energy, rbm.trainable_variables)
    for gradient, by_hand in zip(found, (6.0 * x.T @ hidden, 2.0 * x.sum(0), 3.0 * hidden.sum(0)), strict=True):
        np.testing.assert_allclose(gradient, -by_hand, rtol=1e-5)
    # Energies of all hidden bits, each standing for its copies.
    np.testing.assert_allclose(
        rbm.energy(x, np.float32([[1, 0], [1, 1]])),
        -2.0 * x @ bias - 3.0 * np.sum([[1, 0], [1, 1]] * (2.0 * x @ weight + hidden_bias), axis=1),
        rtol=1e-5,
    )


def test_a_stage_has_no_likelihood():
    rbm = PretrainingRBM((3,), 2)
    assert rbm.likelihood_kind is None
    for verb in (rbm.log_partition, rbm.estimate_log_partition):
        with pytest.raises(
            TypeError, match=r"^PretrainingRBM has no partition function; it is a stage of pretraining\.$"
        ):
            verb()


def test_examples_of_a_layer_are_drawn_through_the_machines_below(stack):
    model, machines = stack
    x = np.tile(np.float32([[[1, 0, 1], [1, 1, 0]]]), (4000, 1, 1))
    np.testing.assert_array_equal(model.pretraining_examples("hidden_1", {}, x), x)
    one = model.pretraining_examples("hidden_2", machines, x, seed=1)
    np.testing.assert_allclose(one.mean(axis=0), machines["hidden_1"].encode(x[:1])[0], atol=0.05)
    np.testing.assert_array_equal(one, model.pretraining_examples("hidden_2", machines, x, seed=1))
    assert np.any(one != model.pretraining_examples("hidden_2", machines, x, seed=2))
    two = model.pretraining_examples("hidden_3", machines, x, seed=1)
    np.testing.assert_allclose(two.mean(axis=0), machines["hidden_2"].encode(one).numpy().mean(axis=0), atol=0.05)


def test_pretraining_brings_the_machine_nearer_to_the_data():
    """Its start is better than that of independent entries, and its chains are no longer where they were."""
    random = np.random.default_rng(0)
    first = random.integers(0, 2, (1200, 3))
    x = np.concatenate([first, first ^ (random.random((1200, 3)) < 0.1)], axis=1)
    model, independent = DBM((6,), (6, 4), seed=1), DBM((6,), (6, 4), seed=1)
    chains = model.chains.numpy()
    histories = model.pretrain(x, learning_rate=0.1, batch_size=50, epochs=8, verbose=0)
    assert list(histories) == ["hidden_1", "hidden_2"]
    assert all(len(history.history["loss"]) == 8 for history in histories.values())
    independent.adapt(x)
    places = x @ 2 ** np.arange(6)[::-1]
    ours, theirs = (exact(each)[1][places].mean() for each in (model, independent))
    assert ours > theirs + 0.3
    assert np.any(model.chains.numpy() != chains)
    # Training goes on from there.
    model.compile(keras.optimizers.SGD(0.05))
    model.fit(x, batch_size=50, epochs=4, verbose=0)
    assert exact(model)[1][places].mean() > ours
