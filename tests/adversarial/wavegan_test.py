"""WaveGAN: contracts, the phase shuffle, and the networks of the paper."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from contracts import AdversarialContract

from keras_gen import seeds
from keras_gen.adversarial import GAN, WaveGAN
from keras_gen.adversarial.networks.waveform import phase_shuffled, strided_lengths
from keras_gen.core import Step
from keras_gen.spaces import Sound

TINY = {"base_filters": 2, "latent_size": 3}


def step_of(number: int, *, training: bool = True) -> Step:
    return Step(seeds.as_pair(number), training=training)


class TestContract(AdversarialContract):
    """Every argument away from its default, two layers, and a length that is rounded up twice."""

    event_shape = (69,)

    def make_model(self, **changes):
        options = {
            **TINY,
            "phase_shuffle": 3,
            "sample_rate": 8000,
            "objective": "hinge",
            "regularizers": ({"name": "gradient_penalty", "weight": 2.0},),
            "discriminator_steps": 2,
            "num_classes": 3,
            "name": "players",
        }
        return WaveGAN(self.event_shape, **{**options, **changes})

    def make_data(self):
        phase = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, (32, 1))
        return (0.8 * np.sin(np.arange(69) + phase)).astype(np.float32)


def reflected(h: np.ndarray, shift: int) -> np.ndarray:
    """Moves features to later samples; what comes into view mirrors what is there, the sample at the edge once."""
    samples = h.shape[1]
    places = np.abs(np.arange(samples) - shift)
    return h[:, np.where(places < samples, places, 2 * (samples - 1) - places)]


def shift_of(h: np.ndarray, found: np.ndarray, largest: int) -> int:
    """Returns the one shift that explains what a shuffle made of features."""
    (shift,) = [s for s in range(-largest, largest + 1) if np.array_equal(reflected(h, s), found)]
    return shift


def test_one_reflected_shift_within_the_bounds_for_the_whole_batch():
    h = np.random.default_rng(0).standard_normal((4, 7, 2)).astype(np.float32)
    shifts = [shift_of(h, phase_shuffled(tf.constant(h), 2, step_of(n)).numpy(), 2) for n in range(60)]
    assert set(shifts) == {-2, -1, 0, 1, 2}
    # The seed alone decides, so that replicas agree whatever rows they hold.
    again = [shift_of(h[:1], phase_shuffled(tf.constant(h[:1]), 2, step_of(n)).numpy(), 2) for n in range(60)]
    assert again == shifts


def test_gradients_and_theirs_flow_through_the_shuffle():
    """d sum(w · s(h)²) / dh is 2 w h at the place that a sample came from, summed over its reflections; then 2 w."""
    random = np.random.default_rng(1)
    h = tf.constant(random.standard_normal((2, 6, 1)), tf.float32)
    w = random.standard_normal((2, 6, 1)).astype(np.float32)
    for number in range(8):
        with tf.GradientTape() as outer:
            outer.watch(h)
            with tf.GradientTape() as tape:
                tape.watch(h)
                moved = phase_shuffled(h, 2, step_of(number))
                value = tf.reduce_sum(w * tf.square(moved))
            gradient = tape.gradient(value, h)
            total = tf.reduce_sum(gradient)
        shift = shift_of(h.numpy(), moved.numpy(), 2)
        weights = np.zeros_like(w)
        source = reflected(np.arange(6).reshape(1, 6), shift)[0]
        np.add.at(weights, (slice(None), source), w)
        np.testing.assert_allclose(gradient, 2.0 * weights * h, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(outer.gradient(total, h), 2.0 * weights, rtol=1e-5, atol=1e-6)


def test_shifts_of_layers_and_passes_differ_and_evaluation_has_none():
    model = WaveGAN((300,), phase_shuffle=2, **TINY)
    x = model.sample(4, seed=0)
    network = model.discriminator

    def features(step):
        return network.features(x, step=step).numpy()

    plain = features(None)
    np.testing.assert_array_equal(features(step_of(0, training=False)), plain)
    shuffled = [features(step_of(number)) for number in range(6)]
    np.testing.assert_array_equal(shuffled[0], features(step_of(0)))
    assert len({each.tobytes() for each in shuffled}) > 3

    # By hand: 300 samples become 75, 19 and 10, and the features before the last layer are moved twice.
    step, h = step_of(3), x[..., tf.newaxis]
    shifts = []
    for index, layer in enumerate(network.convolutions):
        h = tf.nn.leaky_relu(layer(h), 0.2).numpy()
        if index < 2:
            moved = phase_shuffled(tf.constant(h), 2, step.fold(index)).numpy()
            shifts.append(shift_of(h, moved, 2))
            h = reflected(h, shifts[-1])
    assert h.shape == (4, 10, 8)
    np.testing.assert_allclose(features(step), h.reshape(4, -1), rtol=1e-5, atol=1e-6)
    unshuffled = WaveGAN((300,), phase_shuffle=0, **TINY)
    np.testing.assert_array_equal(unshuffled.discriminator.features(x, step=step_of(3)), plain)


def test_losses_are_those_of_the_wasserstein_game():
    model = WaveGAN((40,), **TINY)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (5, 40)).astype(np.float32)
    step = step_of(0, training=False)
    fakes = model.fakes({"x": tf.constant(x)}, step)
    terms = {**model.discriminator_terms({"x": x}, fakes, step), **model.generator_terms({"x": x}, fakes, step)}
    real, fake = (model.discriminate(each).numpy() for each in (x, fakes["x"]))
    np.testing.assert_allclose(terms["generator_loss"], -fake, rtol=1e-5)
    np.testing.assert_allclose(terms["discriminator_loss"], fake - real + terms["penalty"], rtol=1e-4, atol=1e-5)
    # The gradient between the data and the fakes, by finite differences.
    share = step.split(2)[1].split(2)[0].uniform((5, 1)).numpy()
    between = share * x + (1.0 - share) * fakes["x"].numpy()
    offsets = 1e-2 * np.eye(40, dtype=np.float32)
    ahead, behind = (
        model.logits(tf.reshape(between[:, np.newaxis] + sign * offsets, (-1, 40)), None).numpy().reshape(5, 40)
        for sign in (1.0, -1.0)
    )
    norms = np.linalg.norm((ahead - behind) / 2e-2, axis=1)
    np.testing.assert_allclose(np.sqrt(terms["penalty"] / 10.0), np.abs(norms - 1.0), atol=5e-3)


@pytest.mark.parametrize("sound", ["generator_network", "discriminator_network"])
def test_networks_of_sound_play_against_others(sound):
    """Any objective and regularizer, and real numbers of any size; every weight of both players moves."""
    networks = {name: {"name": "dense", "hidden_units": [4]} for name in ("generator_network", "discriminator_network")}
    networks[sound] = {"name": "waveform", "base_filters": 2}
    model = GAN((70,), None, latent_size=3, regularizers=("r1", "weight_clipping"), **networks)
    model.compile(run_eagerly=True)
    before = [weight.numpy() for weight in model.trainable_weights]
    x = 3.0 * np.random.default_rng(0).standard_normal((8, 70)).astype(np.float32)
    assert np.all(np.isfinite(list(model.train_on_batch(x, return_dict=True).values())))
    for weight, start in zip(model.trainable_weights, before, strict=True):
        assert np.any(weight.numpy() != start), weight.path


@pytest.mark.parametrize(
    ("samples", "strides"),
    [
        (4096, (4, 4, 4, 4)),
        (8192, (4, 4, 4, 4, 2)),
        (16_384, (4, 4, 4, 4, 4)),
        (32_768, (4, 4, 4, 4, 4, 2)),
        (65_536, (4, 4, 4, 4, 4, 4)),
    ],
)
def test_the_depth_follows_the_length_down_to_16_samples(samples, strides):
    lengths, found = strided_lengths((samples,))
    assert (tuple(found), lengths[0], lengths[-1]) == (strides, samples, 16)


def test_networks_of_the_paper():
    """Table of the paper for 16,384 samples and d = 64."""
    model = WaveGAN((16_384,))
    kernels = [tuple(w.shape) for w in model.generator.weights if w.name == "kernel"]
    widths = [1024, 512, 256, 128, 64, 1]
    # The kernels of transposed layers have their outputs first.
    assert kernels == [(100, 16 * 1024), *((25, b, a) for a, b in itertools.pairwise(widths))]
    kernels = [tuple(w.shape) for w in model.discriminator.weights if w.name == "kernel"]
    assert kernels == [*((25, a, b) for a, b in itertools.pairwise(widths[::-1])), (16 * 1024, 1)]
    optimizer = model.default_optimizers()["generator"]
    assert (float(optimizer.learning_rate), optimizer.beta_1, optimizer.beta_2) == (pytest.approx(1e-4), 0.5, 0.9)


def test_the_longest_sounds_can_be_drawn_and_judged():
    model = WaveGAN((65_536,), base_filters=1, latent_size=2, sample_rate=16_000)
    assert model.event_space == Sound((65_536,), sample_rate=16_000)
    sounds = model.sample(1, seed=0)
    assert sounds.shape == (1, 65_536)
    assert np.all(np.abs(sounds) <= 1.0)
    assert model.discriminate(sounds).shape == (1,)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"event_shape": (64, 1)}, ValueError, r"`event_shape` must be \(samples,\), received \(64, 1\)"),
        ({"base_filters": 0}, ValueError, "`base_filters` must be at least 1, received 0"),
        ({"phase_shuffle": -1}, ValueError, "`phase_shuffle` must be at least 0, received -1"),
        ({"phase_shuffle": 20}, ValueError, "`phase_shuffle` must be smaller than the 20 samples .* received 20"),
        ({"sample_rate": 0}, ValueError, "`sample_rate` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        WaveGAN(**{"event_shape": (80,), **TINY, **arguments})
