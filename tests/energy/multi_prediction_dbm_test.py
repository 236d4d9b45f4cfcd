"""Multi-prediction training: its loss, its gradient through mean field, and inference with any entries missing."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import ConditionContract, chi_square, randomise
from small_machines import LayeredContract, all_states, exact, log_masses

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.energy import MultiPredictionDBM


def make(**changes):
    arguments = {
        "hidden_units": (5, 4),
        "num_classes": 3,
        "mean_field_steps": 5,
        "hide_rate": 0.8,
        "num_sweeps": 8,
        "seed": 2,
        "name": "predictions",
    }
    return MultiPredictionDBM((2, 3), **{**arguments, **changes})


class TestContracts(LayeredContract, ConditionContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        return make(**changes)

    def make_data(self):
        """The class is the column of the ones."""
        labels = np.arange(42) % 3
        x = np.tile(np.eye(3, dtype=np.float32)[labels][:, np.newaxis], (1, 2, 1))
        return {"x": x, "condition": labels}

    def outputs(self, model, seed):
        """All weights show in what is inferred."""
        x = model.event_space.examples(6, (seed, 0))
        mask = model.event_space.examples(6, (seed, 1))
        return tf.concat([tf.reshape(model.inpaint(x, mask), (6, -1)), model.classify(x, mask)], axis=-1)


def test_a_machine_of_x_alone():
    """It learns from x, and has no class to tell."""
    model = make(num_classes=None)
    row = (np.random.default_rng(0).random((40, 1, 3)) < 0.8).astype(np.float32)
    model.compile(keras.optimizers.Adam(0.02), run_eagerly=True)
    assert list(model.train_on_batch(np.concatenate([row, row], axis=1), return_dict=True)) == ["loss"]
    assert set(model.signatures()) == {"sample", "energy", "encode", "gibbs", "inpaint"}
    with pytest.raises(ValueError, match=r"^`num_classes` must be given to MultiPredictionDBM for it to classify"):
        model.classify(model.event_space.examples(2))


@pytest.fixture(scope="module")
def machine():
    return randomise(make(hidden_units=(3, 2), mean_field_steps=30), scale=1.5, seed=4)


def by_hand(model, x, label, hidden, hidden_label, weights) -> np.ndarray:
    """The loss of examples in float64, written out for two hidden layers and labels on top.

    Args:
        model: the model.
        x: bits of shape `(batch, entries)`.
        label: classes, -1 where one is not known.
        hidden: which entries are hidden.
        hidden_label: which labels are hidden.
        weights: the three weights and four biases.
    """
    (first, second, third), (bias, one_bias, two_bias, label_bias) = weights[:3], weights[3:]
    values = np.eye(3)[np.maximum(label, 0)] * (label >= 0)[:, np.newaxis]
    known = (~hidden_label & (label >= 0))[:, np.newaxis]
    v = np.where(hidden, sigmoid(bias), x)
    y = np.where(known, values, softmax(label_bias))
    one = sigmoid(one_bias + 2.0 * v @ first)
    two = sigmoid(two_bias + one @ second + y @ third.T)
    for _ in range(model.mean_field_steps):
        one = sigmoid(one_bias + v @ first + two @ second.T)
        y = np.where(known, values, softmax(label_bias + two @ third))
        v = np.where(hidden, sigmoid(bias + one @ first.T), x)
        two = sigmoid(two_bias + one @ second + y @ third.T)
    logits = bias + one @ first.T
    log_probs = x * logits - np.logaddexp(0.0, logits)
    log_classes = np.log(softmax(label_bias + two @ third))
    counted = hidden_label & (label >= 0)
    return -np.sum(log_probs * hidden, axis=1) - np.where(counted, np.sum(values * log_classes, axis=1), 0.0)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def test_the_loss_and_its_gradient_go_through_all_steps_of_mean_field():
    """Beside the formulas, and finite differences of them in float64."""
    model = randomise(make(hide_rate=0.4), scale=1.5)
    random = np.random.default_rng(0)
    x = random.integers(0, 2, (8, 2, 3)).astype(np.float32)
    label = np.array([0, 1, 2, -1, 0, 1, 2, -1])
    step = Step(seeds.as_pair(5), training=True)
    entry_step, label_step = step.split(2)
    hidden = entry_step.uniform((8, 2, 3)).numpy().reshape(8, -1) < 0.4
    hidden_label = label_step.uniform((8, 1)).numpy()[:, 0] < 0.4
    assert 0 < hidden_label.sum() < 8

    variables = [*model.weights_of_connections, *model.biases]
    with tf.GradientTape() as tape:
        terms = model.loss_terms({"x": tf.constant(x), "condition": tf.constant(label, tf.int32)}, step)
        total = tf.reduce_sum(terms["loss"])
    gradients = tape.gradient(total, [variable.value for variable in variables])
    values = [variable.numpy().astype(np.float64) for variable in variables]
    given = (model, x.reshape(8, -1), label, hidden, hidden_label)
    np.testing.assert_allclose(terms["loss"], by_hand(*given, values), rtol=1e-4, atol=1e-5)

    for index, gradient in enumerate(gradients):
        direction = random.standard_normal(values[index].shape)
        ends = []
        for sign in (1.0, -1.0):
            moved = list(values)
            moved[index] = moved[index] + sign * 1e-5 * direction
            ends.append(by_hand(*given, moved).sum())
        np.testing.assert_allclose(np.sum(gradient * direction), (ends[0] - ends[1]) / 2e-5, rtol=2e-3, atol=1e-3)

    # The error counts hidden labels that are known.
    wrong, counted = terms["error"]
    np.testing.assert_array_equal(counted, (hidden_label & (label >= 0)).astype(np.float32))
    assert np.all(np.isin(wrong, (0.0, 1.0)))


def test_a_label_that_is_not_known_changes_nothing():
    model = randomise(make(hide_rate=1.0))
    x = model.event_space.examples(6)
    terms = [
        model.loss_terms({"x": x, "condition": tf.constant(label, tf.int32)}, Step(seeds.as_pair(0), training=True))
        for label in (np.full(6, -1), np.arange(6) % 3)
    ]
    # Everything is hidden: labels are told by the loss alone.
    assert np.all(terms[0]["loss"] < terms[1]["loss"])
    assert not np.any(terms[0]["error"][1])


def test_missing_entries_have_no_say(machine):
    x, mask = machine.event_space.examples(5, (0, 1)).numpy(), np.array([[1, 0, 1], [0, 0, 1]])
    other = np.where(mask, 1.0 - x, x)
    np.testing.assert_array_equal(machine.classify(x, mask), machine.classify(other, mask))
    assert np.any(np.abs(machine.classify(x) - machine.classify(other)) > 1e-3)
    np.testing.assert_allclose(machine.classify(x), machine.classify(x, np.zeros((2, 3))), rtol=1e-5)
    found = machine.inpaint(x, mask).numpy()
    np.testing.assert_array_equal(found, machine.inpaint(other, mask))
    np.testing.assert_array_equal(found[:, mask == 0], x[:, mask == 0])
    assert np.all((found > 0.0) & (found < 1.0) | (mask == 0))
    np.testing.assert_allclose(np.sum(machine.classify(x, mask), axis=-1), 1.0, rtol=1e-5)


def test_inference_is_exact_without_connections_of_hidden_layers():
    """With weights from the last hidden layer to the label alone, the class follows from it, as in a mixture."""
    model = make()
    for weight in model.weights_of_connections:
        weight.assign(tf.zeros(weight.shape))
    model.biases[-1].assign([0.5, -1.0, 0.2])
    np.testing.assert_allclose(
        model.classify(model.event_space.examples(2))[0], softmax(np.array([0.5, -1.0, 0.2])), rtol=1e-5
    )


@pytest.mark.parametrize("label", [1, -1])
def test_missing_entries_follow_the_exact_conditional(machine, label):
    """Given a class that is known, or is not."""
    states = all_states(machine)
    masses = np.exp(log_masses(machine, states) - exact(machine)[2])
    x, mask = np.array([1, 0, 0, 1, 1, 0]), np.array([1, 1, 0, 1, 0, 1])
    fits = np.all(states["x"][:, mask == 0] == x[mask == 0], axis=1)
    if label >= 0:
        fits &= states["condition"][:, label] == 1
    expected = np.bincount(states["x"].astype(int) @ 2 ** np.arange(6)[::-1], masses * fits, minlength=64)
    num = 20_000
    condition = None if label < 0 else np.full(num, label)
    given = np.tile(x.reshape(1, 2, 3), (num, 1, 1))
    draws = machine.impute(given, mask.reshape(2, 3), num_sweeps=100, condition=condition, seed=3).numpy()
    counts = np.bincount(draws.reshape(num, -1).astype(int) @ 2 ** np.arange(6)[::-1], minlength=64)
    assert chi_square(counts, expected / expected.sum() * num) > 1e-4


def test_training_teaches_inference_with_half_of_the_entries_missing():
    """The second row repeats the first one, and the class is where its single 1 is."""
    labels = np.arange(300) % 3
    x = np.tile(np.eye(3, dtype=np.float32)[labels][:, np.newaxis], (1, 2, 1))
    model = MultiPredictionDBM((2, 3), (12, 8), 3, mean_field_steps=6)
    model.adapt(x, labels)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 1500)), steps_per_execution=50)
    # In one epoch: what Keras does between epochs takes longer than these steps.
    model.fit(np.tile(x, (300, 1, 1)), np.tile(labels, 300), batch_size=60, verbose=0, shuffle=False)
    mask = np.array([[1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(np.argmax(model.classify(x, mask), axis=-1), labels)
    np.testing.assert_array_equal(np.round(model.inpaint(np.where(mask, 1.0 - x, x), mask)), x)
