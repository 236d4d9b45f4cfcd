"""Categorical codes: what labels change, what their absence leaves, and clusters without any."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import CodesContract, ConditionContract, ModelContract, assert_same_weights

from keras_gen import evaluation
from keras_gen.core import Step
from keras_gen.latent import ClusteringAAE, SemiSupervisedAAE
from keras_gen.latent.adversarial_autoencoder import MatchedAutoencoder

SHAPE = (3, 2)
LEVELS = 6


def make(cls=SemiSupervisedAAE, number=4, **changes):
    return cls(
        SHAPE,
        number,
        **{
            "latent_size": 3,
            "levels": LEVELS,
            "prior": {"name": "uniform", "bound": 2.0},
            "hidden_units": (7,),
            "discriminator_units": (9,),
            "activation": "elu",
            "reconstruction": "cross_entropy",
            "input_noise": 0.1,
            "seed": 5,
            "name": "players",
            **changes,
        },
    )


def compiled(model, rate=0.1):
    model.compile(*(keras.optimizers.SGD(rate) for _ in model.phase_layers()), run_eagerly=True)
    return model


class TestContract(ModelContract, CodesContract, ConditionContract):
    """Every argument away from its default, but the filters: they need images."""

    argument_bases = (MatchedAutoencoder,)
    falling_term = "classification_loss"
    excluded_arguments = ("filters",)

    def make_model(self, **changes):
        return make(**changes)

    def make_data(self):
        """The level is the class."""
        return np.broadcast_to((np.arange(40) % 4 + 1)[:, np.newaxis, np.newaxis], (40, *SHAPE)).copy()

    def compile(self, model, **arguments):
        model.compile(*(keras.optimizers.Adam(rate) for rate in (0.01, 0.012, 0.005, 0.02)), **arguments)
        return model


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).integers(0, LEVELS, (8, *SHAPE)).astype(np.float32)


def take_phase(model, phase, x, labels):
    step = Step(tf.constant([3, 4], tf.int32), training=True)
    batch = {"x": tf.constant(x), "condition": tf.constant(labels)}
    return model.take_phase(phase, model.objectives(batch, step)[phase], step)


def weights(model):
    return [weight.numpy() for weight in model.trainable_weights]


# The code


def test_a_code_is_a_class_and_a_style(x):
    model = make()
    code = model.encode(x).numpy()
    assert code.shape == (8, 4 + 3)
    np.testing.assert_allclose(code[:, :4].sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(model.classify(x), code[:, :4], rtol=1e-6)
    np.testing.assert_allclose(model.reconstruct(x), model.decode(code), rtol=1e-6)


def test_prior_draws_are_one_hot_of_all_classes_alike():
    model = make()
    codes = model.prior_codes(model.noise(40_000, 1), None).numpy()
    assert set(np.unique(codes[:, :4])) == {0.0, 1.0}
    np.testing.assert_array_equal(codes[:, :4].sum(axis=1), 1.0)
    np.testing.assert_allclose(codes[:, :4].mean(axis=0), 0.25, atol=0.01)
    np.testing.assert_allclose(codes[:, 4:].std(axis=0), 2.0 / np.sqrt(3.0), rtol=0.02)


def test_a_label_chooses_the_class_of_a_draw_and_leaves_its_style():
    model = make()
    noise = model.noise(6, (3, 4))
    free, given = (model.prior_codes(noise, None if y is None else tf.constant(y)).numpy() for y in (None, [2] * 6))
    np.testing.assert_array_equal(np.argmax(given[:, :4], axis=1), 2)
    np.testing.assert_array_equal(given[:, 4:], free[:, 4:])
    np.testing.assert_array_equal(model.prior_codes(noise, tf.fill((6,), -1)), free)
    np.testing.assert_array_equal(model.generate(noise, tf.fill((6,), -1)), tf.round(model.decode(free)))


def test_one_discriminator_sees_the_class_and_the_other_the_style():
    model = make()
    codes = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    logits = model.logits(tf.constant(codes), None).numpy()
    assert logits.shape == (5, 2)
    other_class, other_style = codes.copy(), codes.copy()
    other_class[:, :4] += 1.0
    other_style[:, 4:] += 1.0
    changed = [model.logits(tf.constant(other), None).numpy() != logits for other in (other_class, other_style)]
    np.testing.assert_array_equal(changed[0], [[True, False]] * 5)
    np.testing.assert_array_equal(changed[1], [[False, True]] * 5)


# The phases


@pytest.mark.parametrize(
    ("phase", "changed"),
    [
        ("reconstruction", {"encoder", "decoder"}),
        ("discriminator", {"discriminator_0", "discriminator_1"}),
        ("generator", {"encoder"}),
        ("classification", {"encoder"}),
    ],
)
def test_a_phase_changes_its_networks_alone(x, phase, changed):
    model = compiled(make())
    layers = {layer.name: layer for layer in (model.encoder, model.decoder, *model.discriminators)}
    before = {name: weights(layer) for name, layer in layers.items()}
    take_phase(model, phase, x, [0, 1, 2, 3, -1, -1, 0, -1])
    different = {
        name
        for name, layer in layers.items()
        if any(np.any(weight != start) for weight, start in zip(weights(layer), before[name], strict=True))
    }
    assert different == changed


def test_classification_leaves_the_style(x):
    model = compiled(make(hidden_units=()))
    code = model.encode(x).numpy()
    take_phase(model, "classification", x, [0] * 8)
    after = model.encode(x).numpy()
    np.testing.assert_array_equal(after[:, 4:], code[:, 4:])
    assert np.all(after[:, 0] > code[:, 0])


def test_a_classification_step_descends_the_cross_entropy_of_the_labelled_examples(x):
    """Of an affine encoder: the gradient of the logits is softmax less one-hot, averaged over the labelled."""
    rate, labels = 0.1, np.array([0, -1, 2, -1, -1, 3, -1, -1], np.int32)
    model = compiled(make(hidden_units=(), input_noise=0.0), rate)
    kernel, bias = (weight.numpy() for weight in model.encoder.trainable_variables)
    rows = (x / (LEVELS - 1)).reshape(8, -1)[labels >= 0]
    logits = rows @ kernel[:, :4] + bias[:4]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    slope = (probabilities - np.eye(4)[labels[labels >= 0]]) / 3
    take_phase(model, "classification", x, labels)
    new_kernel, new_bias = (weight.numpy() for weight in model.encoder.trainable_variables)
    np.testing.assert_allclose(new_kernel[:, :4], kernel[:, :4] - rate * rows.T @ slope, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(new_bias[:4], bias[:4] - rate * slope.sum(axis=0), rtol=1e-5, atol=1e-7)


def test_without_labels_training_is_that_of_the_clusters(x):
    semi, clusters = compiled(make()), compiled(make(ClusteringAAE))
    clusters.set_weights(semi.get_weights())
    for _ in range(2):
        logs = semi.train_on_batch(x, np.full(8, -1), return_dict=True)
        plain = clusters.train_on_batch(x, return_dict=True)
    assert_same_weights(semi.trainable_weights, clusters.trainable_weights)
    assert logs["classification_loss"] == logs["error"] == 0.0
    assert {name: logs[name] for name in plain} == pytest.approx(plain)


@pytest.mark.parametrize("phase", ["reconstruction", "discriminator", "generator"])
def test_labelled_examples_have_no_part_in_the_other_phases(x, phase):
    """Other images in their place change nothing; the mean is that of the examples without labels."""
    labels = [0, 1, -1, -1, 2, -1, -1, -1]
    other = np.where(np.reshape(labels, (8, 1, 1)) >= 0, LEVELS - 1 - x, x)
    found = []
    for images in (x, other):
        model = compiled(make(input_noise=0.0))
        terms = take_phase(model, phase, images, labels)
        values, chosen = terms[f"{phase}_loss"]
        found.append((weights(model), np.sum(values * chosen) / 5))
    for ours, theirs in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-5)


def test_examples_take_part_in_all_phases_where_all_have_labels(x):
    labels = np.array([0, 1, 2, 3, 0, 1, 2, 3], np.int32)
    semi, clusters = compiled(make(input_noise=0.0)), compiled(make(ClusteringAAE, input_noise=0.0))
    clusters.set_weights(semi.get_weights())
    take_phase(semi, "reconstruction", x, labels)
    step = Step(tf.constant([3, 4], tf.int32), training=True)
    clusters.take_phase("reconstruction", clusters.objectives({"x": tf.constant(x)}, step)["reconstruction"], step)
    assert_same_weights(semi.trainable_weights, clusters.trainable_weights)


def test_logged_errors_are_of_labelled_examples_alone(x):
    model = compiled(make())
    predicted = np.argmax(model.classify(x), axis=1)
    labels = np.where(np.arange(8) % 2 == 0, predicted, -1)
    labels[:2] = (predicted[0] + 1) % 4
    logs = model.evaluate(x, labels, batch_size=3, verbose=0, return_dict=True)
    chosen = labels >= 0
    assert chosen.sum() == 5
    assert logs["error"] == pytest.approx(np.mean(predicted[chosen] != labels[chosen]))
    loss = -np.log(model.classify(x).numpy()[chosen, labels[chosen]])
    assert logs["classification_loss"] == pytest.approx(loss.mean(), rel=1e-5)


# Training


@pytest.fixture(scope="module")
def blobs():
    """Four clusters of the plane, and which of them a point is of."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 512)
    centres = 2.0 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    return (centres[labels] + 0.2 * random.standard_normal((512, 2))).astype(np.float32), labels


OPTIONS = {"latent_size": 1, "levels": None, "hidden_units": (32,), "discriminator_units": (32,), "seed": 1}


def trained(model, *data):
    rates = (0.003, 0.005, 0.003, 0.01)[: len(model.phase_layers())]
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates))
    # Thirty epochs as one: what Keras does between epochs takes longer than so few steps.
    model.fit(*(np.concatenate([column] * 30) for column in data), batch_size=64, verbose=0)
    return model


def test_four_labels_name_the_clusters(blobs):
    x, truth = blobs
    labels = np.full(512, -1)
    for label in range(4):
        labels[np.flatnonzero(truth == label)[:16]] = label
    model = trained(SemiSupervisedAAE((2,), 4, **OPTIONS), x, labels)
    rest = labels < 0
    assert np.mean(np.argmax(model.classify(x), axis=1)[rest] != truth[rest]) < 0.02


def test_clusters_are_found_without_any_label(blobs):
    x, truth = blobs
    model = trained(ClusteringAAE((2,), 4, **OPTIONS), x)
    y = model.classify(x).numpy()
    # The equilibrium that a game ends in depends on rounding: two of the four may share a cluster, and a quarter of the
    # examples is then wrong. One cluster for all, or clusters by chance, would leave three quarters wrong.
    found = evaluation.cluster_error(y[:256], truth[:256], y[256:], truth[256:])
    assert found["error"] < 0.3
    assert y.mean(axis=0).max() < 0.6


# Mistakes


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`num_classes` must be at least 1, received 0"):
        make(number=0)
    with pytest.raises(ValueError, match="`num_clusters` must be at least 1, received 0"):
        make(ClusteringAAE, number=0)
    model = make()
    with pytest.raises(ValueError, match="`condition` holds the value 4; expected whole labels from -1 to 3"):
        model.sample(1, condition=[4])
