"""DeepEBM: what three objectives learn, where Langevin dynamics go, chains as saved state; and JointEBM."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import ConditionContract, ModelContract, randomise

from keras_gen import evaluation, seeds
from keras_gen.core import Step
from keras_gen.data import toy
from keras_gen.energy import DeepEBM, JointEBM
from keras_gen.layers import SpectralNormalization

#: True Langevin dynamics.
LANGEVIN = {"levels": None, "noise_scale": None, "gradient_clip": None, "standardize": False}


@keras.saving.register_keras_serializable("deep_ebm_test")
class Quadratic(keras.layers.Layer):
    """The logit -½ (x - μ)ᵀ A (x - μ) of a Gaussian of mean μ and precision A = diag(e^a)."""

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.mean = self.add_weight(shape=(size,), initializer="zeros", name="mean")
        self.log_precision = self.add_weight(shape=(size,), initializer="zeros", name="log_precision")
        self.built = True

    def call(self, x):
        return -0.5 * tf.reduce_sum(tf.exp(self.log_precision) * (x - self.mean) ** 2, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def gaussian(mean, deviation, **arguments) -> DeepEBM:
    """Returns a model of a Gaussian with independent entries."""
    model = DeepEBM((len(mean),), network=Quadratic(len(mean)), **{**LANGEVIN, **arguments})
    model.logit_network.layer.mean.assign(mean)
    model.logit_network.layer.log_precision.assign(-2.0 * np.log(deviation))
    return model


# Contracts

ARGUMENTS = {"num_steps": 3, "step_size": 0.5, "noise_scale": 0.05, "gradient_clip": 0.2, "seed": 4, "name": "energies"}
CHAINS = {"name": "maximum_likelihood", "num_steps": 3, "buffer_size": 24, "fresh_share": 0.3, "alpha": 0.2}


class TestMaximumLikelihood(ModelContract, ConditionContract):
    """Every argument away from its default: images of a class, by chains, with spectral normalization."""

    falling_term = "energy"
    passes = 6

    def make_model(self, **changes):
        network = {"name": "convolutional", "filters": [3, 4], "hidden_units": [5], "spectral_norm": True}
        arguments = {"network": network, "objective": {**CHAINS, "data_noise": 0.1}, "num_classes": 3, **ARGUMENTS}
        return DeepEBM((5, 4, 1), 9, **{**arguments, **changes})

    def make_data(self):
        return np.random.default_rng(0).integers(0, 9, (32, 5, 4, 1)) // 4 * 4


class TestNoiseContrastive(ModelContract):
    """Vectors, with two noise draws for each."""

    passes = 4
    excluded_arguments = ("num_classes",)

    def make_model(self, **changes):
        objective = {"name": "noise_contrastive", "covariance": "diagonal", "noise_ratio": 2, "data_noise": 0.1}
        arguments = {"network": {"name": "dense", "hidden_units": [6]}, "objective": objective, **ARGUMENTS}
        return DeepEBM((3,), None, **{**arguments, **changes})

    def make_data(self):
        return 2.0 + 0.5 * np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)


class TestJoint(ModelContract, ConditionContract):
    """A classifier, of which some labels are not known, by score matching."""

    falling_term = "classification_loss"
    passes = 8
    argument_bases = (DeepEBM,)

    def make_model(self, **changes):
        objective = {"name": "denoising_score_matching", "noise_scale": 0.4}
        arguments = {"network": {"name": "dense", "hidden_units": [6]}, "objective": objective, **ARGUMENTS}
        return JointEBM((2, 2), 3, 9, **{**arguments, "classification_weight": 2.0, **changes})

    def make_data(self):
        label = np.arange(32) % 4 - 1
        x = np.random.default_rng(0).integers(0, 3, (32, 2, 2)) + 3 * np.maximum(label, 0)[:, np.newaxis, np.newaxis]
        return {"x": x, "condition": label}


# Networks


def test_any_network_of_keras_is_an_energy():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)])
    model = DeepEBM((3,), None, network=network, num_classes=2)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        model.energy(x, [0, 1, 0, 1, 1]), -network(x).numpy()[range(5), [0, 1, 0, 1, 1]], rtol=1e-5
    )
    copy = DeepEBM.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy.energy(x, [0] * 5), model.energy(x, [0] * 5))
    with pytest.raises(
        ValueError, match=r"^`network` must map shape \(batch, 3\) to \(batch, 1\); received Sequential"
    ):
        DeepEBM((3,), None, network=network)


@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_spectral_normalization_reaches_every_layer(network):
    model = DeepEBM((4, 4, 1), network={"name": network, "spectral_norm": True})
    layers = [layer for layer in model.logit_network._flatten_layers() if isinstance(layer, SpectralNormalization)]
    kernels = [weight for weight in model.logit_network.trainable_weights if weight.name == "kernel"]
    assert len(layers) == len(kernels) > 2


# Langevin dynamics


def test_langevin_dynamics_leave_a_gaussian_as_they_should():
    """Of a Gaussian, steps of size η have the variance σ² / (1 - η / 2σ²) in the end, which is σ² for small η."""
    mean, deviation, step_size = np.array([1.0, -2.0]), np.array([0.5, 1.5]), 0.05
    model = gaussian(mean, deviation, step_size=step_size)
    x = model.sample(20_000, seed=1, num_steps=400).numpy()
    variance = deviation**2 / (1.0 - step_size / (2.0 * deviation**2))
    np.testing.assert_array_less(np.abs(x.mean(axis=0) - mean), 5.0 * deviation / 20_000**0.5)
    np.testing.assert_allclose(x.var(axis=0), variance, rtol=0.04)
    np.testing.assert_allclose(np.corrcoef(x.T)[0, 1], 0.0, atol=0.03)
    # From a draw of the Gaussian, chains stay draws of it.
    start = (mean + deviation * np.random.default_rng(0).normal(size=(20_000, 2))).astype(np.float32)
    noise = np.random.default_rng(1).normal(size=(20_000, 10, 2)).astype(np.float32)
    moved = model.langevin(start, noise).numpy()
    np.testing.assert_allclose(moved.mean(axis=0), mean, atol=0.04)
    np.testing.assert_allclose(moved.var(axis=0), variance, rtol=0.05)
    assert np.abs(moved - start).mean() > 0.2


def test_a_step_is_the_equation():
    x = np.array([[3.0, -1.0]], np.float32)
    noise = np.array([[[0.5, -2.0], [0.0, 1.0]]], np.float32)
    model = gaussian([0.0, 0.0], [0.5, 2.0], step_size=0.1, noise_scale=0.3, gradient_clip=1.5)
    # The gradient is x / σ²: (12, -1/4), of which the first is clipped.
    first = x - 0.1 * np.array([[1.5, -0.25]]) + 0.3 * noise[:, 0]
    second = first - 0.1 * np.clip(first / [0.25, 4.0], -1.5, 1.5) + 0.3 * noise[:, 1]
    np.testing.assert_allclose(model.langevin(x, noise), second, rtol=1e-5)
    # Without a scale, the noise is Langevin's own.
    model = gaussian([0.0, 0.0], [0.5, 2.0], step_size=0.1)
    expected = x - 0.1 * x / [0.25, 4.0] + np.sqrt(0.2) * noise[:, 0]
    np.testing.assert_allclose(model.langevin(x, noise[:, :1]), expected, rtol=1e-5)


def test_levels_stay_in_their_range():
    model = randomise(DeepEBM((6,), 5, network={"name": "dense", "hidden_units": [8]}, gradient_clip=None), 20.0)
    x = model.sample(50, seed=0, num_steps=5).numpy()
    assert set(np.unique(x)) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert {0.0, 4.0} <= set(np.unique(x))
    assert set(np.unique(model.sample(500, seed=0, num_steps=0))) == {0.0, 1.0, 2.0, 3.0, 4.0}


# Objectives


def test_score_matching_recovers_the_score_of_a_gaussian():
    """Of data of variance s² with noise of variance σ² added, -∇E is -(x - μ) / (s² + σ²)."""
    mean, deviation = np.array([0.5, -1.0]), np.array([1.0, 0.5])
    x = (mean + deviation * np.random.default_rng(0).normal(size=(4000, 2))).astype(np.float32)
    model = DeepEBM(
        (2,), network=Quadratic(2), objective={"name": "denoising_score_matching", "noise_scale": 0.4}, **LANGEVIN
    )
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 400)))
    model.fit(x, batch_size=200, epochs=20, verbose=0)
    at = np.array([[0.0, 0.0], [2.0, -1.0], [-1.0, 1.0]], np.float32)
    expected = (at - x.mean(axis=0)) / (x.var(axis=0) + 0.16)
    np.testing.assert_allclose(model.gradients(tf.constant(at), None), expected, atol=0.12)


def test_the_score_matching_loss_is_that_of_the_equation():
    model = gaussian([1.0], [0.5], objective={"name": "denoising_score_matching", "noise_scale": 0.2})
    x, step = tf.constant([[0.3], [2.0]]), Step(seeds.as_pair(5), training=True)
    noise = seeds.normal((2, 1), step.seed).numpy()
    expected = 0.5 * (0.2 * (x + 0.2 * noise - 1.0) / 0.25 - noise) ** 2
    np.testing.assert_allclose(model.loss_terms({"x": x}, step)["loss"], expected[:, 0], rtol=1e-5)


def test_noise_contrastive_estimation_recovers_the_partition_function():
    mean, deviation = np.array([0.5, -1.0]), np.array([1.0, 0.5])
    x = (mean + deviation * np.random.default_rng(0).normal(size=(8000, 2))).astype(np.float32)
    model = DeepEBM((2,), network=Quadratic(2), objective={"name": "noise_contrastive", "noise_ratio": 4}, **LANGEVIN)
    model.adapt(x)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.05, 600)))
    model.fit(x, batch_size=400, epochs=30, verbose=0)
    layer = model.logit_network.layer
    np.testing.assert_allclose(layer.mean, x.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.exp(-0.5 * layer.log_precision.numpy()), x.std(axis=0), rtol=0.05)
    log_z = np.log(2.0 * np.pi) - 0.5 * layer.log_precision.numpy().sum()
    found = model.objective_layer.log_normalizer.numpy()[0]
    assert abs(found - log_z) < 0.03
    assert abs(log_z - np.log(2.0 * np.pi)) > 0.5


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_noise_has_the_moments_of_the_data(covariance):
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 2)) @ [[1.0, 0.8], [0.0, 0.5]] + [3.0, -1.0]
    model = DeepEBM((2,), objective={"name": "noise_contrastive", "covariance": covariance}, **LANGEVIN)
    model.adapt(x.astype(np.float32))
    noise = model.objective_layer.noise_distribution()
    expected = np.cov(x.T, bias=True)
    np.testing.assert_allclose(noise.mean(), x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        noise.covariance(), expected if covariance == "full" else np.diag(np.diag(expected)), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(ValueError, match=r"^`x` must vary in every entry; entry 1 is the same in all rows\.$"):
        model.adapt(x * [1.0, 0.0])


def test_the_gradient_of_maximum_likelihood_is_that_of_quadrature():
    """With chains that follow the model, the loss has the gradient of the mean of -log p(x)."""
    network = {"name": "dense", "hidden_units": [8]}
    objective = {"name": "maximum_likelihood", "num_steps": 1, "buffer_size": 20_000, "alpha": 0.0, "data_noise": 0.0}
    model = DeepEBM((2,), network=network, objective=objective, step_size=1e-6, **LANGEVIN)
    randomise(model, 3.0)
    head = model.logit_network.head
    x = toy.get("two_moons").sample(20_000, seed=0)

    # Draws of the model inside a square, by rejection from uniform ones; outside of it there is no mass here.
    def energies(points):
        return model.energies(tf.constant(points, tf.float32), None).numpy().astype(np.float64)

    side = 2.0
    grid = evaluation.plane_density(energies, (-side, -side), (side, side), num_per_side=120)
    random = np.random.default_rng(1)
    places = random.choice(len(grid.points), 20_000, p=np.exp(grid.log_density) * grid.area)
    chains = grid.points[places] + (random.random((20_000, 2)) - 0.5) * grid.area**0.5
    model.objective_layer.chains.assign(chains)

    step = Step(seeds.as_pair(1), training=False)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.loss_terms({"x": tf.constant(x)}, step)["loss"])
    found = tape.gradient(loss, head.kernel.value).numpy()[:, 0]

    def nll(kernel):
        head.kernel.assign(kernel[:, np.newaxis])
        density = evaluation.plane_density(energies, (-side, -side), (side, side), num_per_side=120)
        return energies(x).mean() + density.log_normalizer

    kernel, shift = head.kernel.numpy()[:, 0], 1e-2
    expected = [(nll(kernel + shift * unit) - nll(kernel - shift * unit)) / (2.0 * shift) for unit in np.eye(8)]
    # Both means over 20,000 points have a standard error of at most 0.01.
    np.testing.assert_allclose(found, expected, atol=0.04)
    assert np.abs(expected).max() > 10 * 0.04


def test_the_loss_of_chains_adds_up():
    model = gaussian([0.0], [1.0], objective={**CHAINS, "alpha": 0.3, "data_noise": 0.0})
    terms = model.loss_terms({"x": tf.constant([[1.0], [2.0]])}, Step(seeds.as_pair(0), training=False))
    energy, chain = (terms[name].numpy() for name in ("energy", "chain_energy"))
    np.testing.assert_allclose(energy, [0.5, 2.0])
    np.testing.assert_allclose(terms["loss"], energy - chain + 0.3 * (energy**2 + chain**2), rtol=1e-6)
    assert set(np.round(chain, 5)) <= set(np.round(0.5 * model.objective_layer.chains.numpy()[:, 0] ** 2, 5))


# Chains


def chains_after_a_step(model, batch):
    """Returns the chains before and after a step of training."""
    model.compile(keras.optimizers.SGD(0.0))
    before = model.objective_layer.chains.numpy()
    model.train_on_batch(batch)
    return before, model.objective_layer.chains.numpy()


def test_a_step_moves_as_many_chains_as_the_batch_has_examples():
    model = gaussian([0.0, 0.0], [1.0, 1.0], objective={**CHAINS, "fresh_share": 0.0}, step_size=1e-4)
    before, after = chains_after_a_step(model, np.zeros((7, 2), np.float32))
    changed = np.any(before != after, axis=1)
    assert changed.sum() == 7
    # Three steps of noise √(2·10⁻⁴): nearby.
    assert 0.0 < np.abs(after - before)[changed].max() < 0.15
    model.evaluate(np.zeros((7, 2), np.float32), verbose=0)
    np.testing.assert_array_equal(model.objective_layer.chains, after)


def test_more_examples_than_chains_move_each_chain_once():
    model = gaussian([0.0], [1.0], objective={**CHAINS, "fresh_share": 0.0}, step_size=1e-4)
    before, after = chains_after_a_step(model, np.zeros((60, 1), np.float32))
    assert after.shape == (24, 1)
    assert np.all(before != after)
    assert np.abs(after - before).max() < 0.15


def test_a_share_of_chains_starts_afresh():
    objective = {**CHAINS, "buffer_size": 4000, "fresh_share": 0.25}
    model = gaussian([0.0], [1.0], objective=objective, step_size=1e-6)
    model.objective_layer.chains.assign(np.full((4000, 1), 50.0))
    _, after = chains_after_a_step(model, np.zeros((2000, 1), np.float32))
    fresh = np.abs(after[:, 0] - 50.0) > 1.0
    assert abs(fresh.sum() / 2000 - 0.25) < 4.0 * (0.25 * 0.75 / 2000) ** 0.5
    # From N(0, 1), where the others stay.
    np.testing.assert_allclose([after[fresh].mean(), after[fresh].std()], [0.0, 1.0], atol=0.2)


def test_a_chain_that_is_no_longer_finite_starts_afresh():
    model = gaussian([0.0], [1.0], objective={**CHAINS, "fresh_share": 0.0}, step_size=1e-4)
    model.objective_layer.chains.assign(np.where(np.arange(24) < 5, np.inf, 1.0)[:, np.newaxis])
    _, after = chains_after_a_step(model, np.zeros((24, 1), np.float32))
    assert np.all(np.isfinite(after))
    assert np.abs(after[5:] - 1.0).max() < 0.15


def test_examples_are_compared_with_chains_of_their_class():
    model = DeepEBM((2,), num_classes=3, objective={**CHAINS, "fresh_share": 0.0}, step_size=1e-6, **LANGEVIN)
    layer = model.objective_layer
    layer.chains.assign(np.repeat([[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]], 8, axis=0))
    label = np.array([2, 0, 2, 2, 1], np.int32)
    places, first = layer.places(tf.constant(label), seeds.as_pair(3))
    np.testing.assert_array_equal(places.numpy() // 8, label)
    assert len(set(places.numpy())) == 5
    assert np.all(first)
    before = layer.chains.numpy()
    model.compile(keras.optimizers.SGD(0.0))
    model.train_on_batch(np.zeros((5, 2), np.float32), label)
    changed = np.any(before != layer.chains.numpy(), axis=1)
    np.testing.assert_array_equal(changed.reshape(3, 8).sum(axis=1), [1, 1, 3])


def test_chains_survive_a_file(tmp_path):
    model = gaussian([0.0], [1.0], objective=CHAINS)
    _, after = chains_after_a_step(model, np.zeros((9, 1), np.float32))
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = gaussian([0.0], [1.0], objective=CHAINS)
    assert np.any(fresh.objective_layer.chains.numpy() != after)
    fresh.compile(keras.optimizers.SGD(0.0))
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(fresh.objective_layer.chains, after)


# Joint form


@pytest.fixture(scope="module")
def joint():
    return randomise(JointEBM((3,), 4, None, network={"name": "dense", "hidden_units": [6]}), 2.0)


def test_logits_are_energies(joint):
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    every = np.stack([joint.energy(x, np.full(5, label)).numpy() for label in range(4)], axis=1)
    np.testing.assert_allclose(joint.energy(x), -np.logaddexp.reduce(-every, axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(joint.energy(x), joint.energy(x, np.full(5, -1)))
    # log p(x, y) = log p(x) + log p(y|x), whatever Z is.
    np.testing.assert_allclose(
        np.log(joint.classify(x)), joint.energy(x).numpy()[:, np.newaxis] - every, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(joint.predict(x, verbose=0), joint.classify(x), rtol=1e-5)


def test_the_classifier_learns_from_labelled_examples_alone(joint):
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 3)), tf.float32)
    label = tf.constant([2, -1, 0, -1])
    terms = joint.loss_terms({"x": x, "condition": label}, Step(seeds.as_pair(0), training=False))
    loss, labelled = (part.numpy() for part in terms["classification_loss"])
    np.testing.assert_array_equal(labelled, [1.0, 0.0, 1.0, 0.0])
    expected = -np.log(joint.classify(x).numpy()[[0, 2], [2, 0]])
    np.testing.assert_allclose(loss[[0, 2]], expected, rtol=1e-4)
    generative = joint.objective_layer.loss_terms(joint, x, None, Step(seeds.as_pair(0), training=False))["loss"]
    np.testing.assert_allclose(tf.reduce_mean(terms["loss"] - generative), expected.mean(), rtol=1e-4)


# Mistakes


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: DeepEBM((4,), network="convolution"), "`network` 'convolution' is unknown; did you mean convolut"),
        (lambda: DeepEBM((4,), network="convolutional"), r"`event_shape` must be \(height, width, channels\), receiv"),
        (lambda: DeepEBM((4,), objective="likelihood"), "`objective` 'likelihood' is unknown; did you mean maximum_li"),
        (lambda: DeepEBM((4,), step_size=0.0), "`step_size` must be greater than 0, received 0.0."),
        (lambda: DeepEBM((4,)).sample(1, step_size=-0.1), "`step_size` must be greater than 0, received -0.1."),
        (lambda: DeepEBM((4,)).sample(1, step_size=math.inf), "`step_size` must be finite, received inf."),
        (lambda: DeepEBM((4,)).sample(1, num_steps=-1), "`num_steps` must be at least 0, received -1."),
        (
            lambda: DeepEBM((4,), num_classes=5, objective={"name": "maximum_likelihood", "buffer_size": 4}),
            "`buffer_size` must be at least the number of classes, 5; received 4.",
        ),
        (lambda: DeepEBM((2,), None).langevin(np.zeros((3, 2)), np.zeros((3, 5, 1))), r"`noise` must have shape \(ba"),
        (lambda: DeepEBM((2,), None).langevin(np.full((3, 2), np.nan), np.zeros((3, 5, 2))), "`state` holds the value"),
    ],
)
def test_mistakes_get_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        call()
