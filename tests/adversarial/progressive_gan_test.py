"""Progressive GAN: growth that is continuous and exact on resume, scaled kernels, deviations, the losses by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import AdversarialContract, ConditionContract, assert_same_weights, randomise, values
from contracts.replicas import distributed, two_replicas

from keras_gen import seeds
from keras_gen.adversarial import ProgressiveGAN
from keras_gen.adversarial import progressive_gan as module
from keras_gen.core import Step
from keras_gen.layers import Equalized

SHAPE = (8, 8, 1)

# Run eagerly, a step computes the present level alone, and Keras tells of variables without a gradient.
pytestmark = pytest.mark.filterwarnings("ignore:Gradients do not exist")


def make(shape=SHAPE, **options):
    sizes = {"latent_size": 3, "base_filters": 8, "max_filters": 4, "stable_images": 16, "fade_images": 16}
    return ProgressiveGAN(shape, 9, **{**sizes, **options})


def images(num):
    return np.random.default_rng(0).integers(0, 9, (num, *SHAPE)).astype(np.float32)


class TestContract(AdversarialContract, ConditionContract):
    """Every argument away from its default, halfway through a fade."""

    event_shape = SHAPE
    passes = 3

    def make_model(self, **changes):
        options = {"drift": 0.1, "generator_average": 0.9, "num_classes": 3, "seed": 4, "name": "players"}
        model = make(**{**options, "fade_images": 100_000, **changes})
        model.images_shown.assign(50_000)
        return model

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.Adam(2e-2), **arguments)
        return model


# Layers


@pytest.mark.parametrize(
    ("shape", "resize"),
    [((5, 4), "keep"), ((3, 3, 2, 4), "keep"), ((3, 3, 2, 4), "double"), ((3, 3, 2, 4), "halve")],
)
def test_an_equalized_layer_scales_its_kernel(shape, resize):
    """Pixels are repeated before a convolution that doubles, and averaged after one that halves."""
    layer = Equalized(shape, resize=resize, gain=1.5, seed=(3,))
    layer.bias.assign([1.0, -2.0, 3.0, 0.5])
    kernel = layer.kernel * np.float32(1.5 / np.sqrt(np.prod(shape[:-1])))
    if len(shape) == 2:
        x = seeds.normal((2, 5), (0, 1))
        expected = x @ kernel
    else:
        x = seeds.normal((2, 4, 4, 2), (0, 1))
        wide = np.repeat(np.repeat(x, 2, axis=1), 2, axis=2) if resize == "double" else x
        expected = tf.nn.conv2d(wide, kernel, 1, "SAME").numpy()
        if resize == "halve":
            expected = expected.reshape(2, 2, 2, 2, 2, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(layer(x), expected + layer.bias, rtol=1e-4, atol=1e-5)


def test_kernels_are_standard_normal_and_scaled_by_the_papers_gains():
    model = make(max_filters=4, base_filters=64, generator_average=0.0)
    gains = {"dense": 2**0.5 / 4, "to_images_0": 1.0, "to_images_1": 1.0}
    layers = [(layer, gains.get(layer.name, 2**0.5)) for layer in model.generator._flatten_layers(include_self=False)]
    for layer in model.discriminator._flatten_layers(include_self=False):
        layers.append((layer, 1.0 if layer.name == "head" else 2**0.5))
    assert len(layers) == 6 + 7
    for layer, gain in layers:
        fan_in = np.prod(layer.kernel.shape[:-1])
        assert layer.scale == pytest.approx(gain / np.sqrt(fan_in)), layer.name
    numbers = np.concatenate([np.ravel(layer.kernel) for layer, _ in layers])
    # About 1,300 numbers: the standard errors are 0.03 and 0.02.
    assert np.mean(numbers) == pytest.approx(0.0, abs=0.1)
    assert np.std(numbers) == pytest.approx(1.0, abs=0.08)
    assert len(np.unique(numbers)) == len(numbers), "two layers start from the same numbers"


def test_the_papers_networks():
    """Table 2 of the paper: from 4×4 to 1024×1024 pixels, with 23.1 million weights in either network."""
    model = ProgressiveGAN((1024, 1024, 3), generator_average=0.0)
    assert model.filters == (512, 512, 512, 512, 256, 128, 64, 32, 16)
    for network in (model.generator, model.discriminator):
        assert round(network.count_params() / 1e6, 1) == 23.1


def test_features_of_a_pixel_are_normalized():
    h = np.array([[[[3.0, 4.0]]], [[[0.0, 0.1]]]], np.float32)
    np.testing.assert_allclose(module.pixel_norm(h), h / np.sqrt([[[[12.5]]], [[[0.005]]]]), rtol=1e-5)


def test_deviations_by_hand_whatever_replica_holds_the_rows():
    """Of eight examples, those at even positions are one group of four, the others the second one."""
    h = np.random.default_rng(0).standard_normal((8, 4, 4, 3)).astype(np.float32)
    expected = [np.sqrt(h[group::2].var(axis=0) + 1e-8).mean() for group in (0, 1)] * 4
    np.testing.assert_allclose(module.group_deviations(tf.constant(h)), expected, rtol=1e-4)
    for sizes in ((4, 4), (5, 3), (8, 0)):
        found = two_replicas().run(
            lambda batch: module.group_deviations(batch["h"]), args=(distributed({"h": h}, sizes),)
        )
        found = np.concatenate(two_replicas().experimental_local_results(found))
        np.testing.assert_allclose(found, expected, rtol=1e-4, err_msg=str(sizes))


# Growth


def test_growth_is_continuous():
    """A fade begins with the level below and ends with the new one alone; halfway, images are the mean of both."""
    model = randomise(make())
    z, x = model.noise(4, 0), tf.constant(images(4))

    def seen(level, share, moved=None):
        """What the players make and see, with the ways in and out of one level moved."""
        layers = [] if moved is None else [model.generator.to_images[moved], model.discriminator.from_images[moved]]
        weights = [weight for layer in layers for weight in layer.weights]
        before = values(weights)
        for weight in weights:
            weight.assign_add(tf.ones_like(weight))
        with model.fixed(module.Detail(level, share)):
            found = values([model.unrounded(z, None), model.faded(x), model.discriminate(x)])
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)
        return found

    first, half, last = (seen(1, share) for share in (0.0, 0.5, 1.0))
    for below, found, new_moved in zip(seen(0, 1.0), first, seen(1, 0.0, moved=1), strict=True):
        np.testing.assert_allclose(found, below, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found, new_moved, rtol=1e-4, atol=1e-5)
    for found, old_moved in zip(last, seen(1, 1.0, moved=0), strict=True):
        np.testing.assert_allclose(found, old_moved, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(last[1], x)
    for start, middle, end in zip(first[:2], half[:2], last[:2], strict=True):
        assert np.abs(end - start).max() > 0.1
        np.testing.assert_allclose(middle, (start + end) / 2, rtol=1e-4, atol=1e-4)
    assert np.abs(last[2] - first[2]).max() > 0.01


def test_growth_follows_the_images_shown():
    """16 images of each level, then 16 during which the next one fades in; the last level stays."""
    model = make((16, 16, 1))
    found = [model.detail_after(tf.constant(num, tf.int64)) for num in (0, 16, 17, 24, 31, 32, 48, 49, 64, 81, 10_000)]
    assert [int(detail.level) for detail in found] == [0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    shares = [1, 1, 1 / 16, 8 / 16, 15 / 16, 1, 1, 1 / 16, 1, 1, 1]
    np.testing.assert_allclose([float(detail.share) for detail in found], shares)


def test_a_kill_within_a_fade_changes_no_bit(tmp_path):
    """From a fading level to the stable one, and the optimizers forget their state on the way."""
    straight, resumed = make(fade_images=24), make(fade_images=24)
    for model in (straight, resumed):
        model.compile(run_eagerly=True)
    assert straight.resolution == 4
    straight.fit(images(24), batch_size=8, shuffle=False, verbose=0)
    assert straight.resolution == 8
    assert float(straight.detail.share) == pytest.approx(8 / 24)
    straight.save_weights(tmp_path / "fading.weights.h5")
    resumed.load_weights(tmp_path / "fading.weights.h5")
    for model in (straight, resumed):
        model.fit(images(16), batch_size=8, shuffle=False, verbose=0)
        assert float(model.detail.share) == 1.0
        assert int(model.images_shown) == 40
    assert_same_weights(straight.weights, resumed.weights)
    for ours, theirs in zip(straight.optimizers, resumed.optimizers, strict=True):
        assert_same_weights(ours.variables, theirs.variables)


def test_optimizers_forget_when_a_fade_begins_and_ends():
    """All but the learning rate; meanwhile the average follows the generator with the same momentum."""
    model = make(generator_average=0.9)
    model.compile(run_eagerly=True)
    counts, sizes = [], []
    for _ in range(5):
        averages = values(model.average_generator.weights)
        model.train_on_batch(images(8))
        counts.append([int(optimizer.iterations) for optimizer in model.optimizers])
        moments = [
            v for each in model.optimizers for v in each.variables if v.name not in ("iteration", "learning_rate")
        ]
        sizes.append(max(np.abs(moment).max() for moment in moments))
        for average, before, weight in zip(
            model.average_generator.weights, averages, model.generator.weights, strict=True
        ):
            np.testing.assert_allclose(average, 0.9 * before + 0.1 * weight, rtol=1e-4, atol=1e-6)
    assert counts == [[1, 1], [2, 2], [0, 0], [0, 0], [1, 1]]
    assert [size > 0.0 for size in sizes] == [True, True, False, False, True]
    assert [float(optimizer.learning_rate) for optimizer in model.optimizers] == pytest.approx([1e-3, 1e-3])


def test_the_losses_by_hand():
    """WGAN-GP with λ = 10, of data that fade, and the drift ε f(x)²."""
    model = randomise(make(drift=0.1))
    model.images_shown.assign(24)
    x, z = tf.constant(images(4)), model.noise(4, 1)
    fakes, step = model.unrounded(z, None), Step(seeds.as_pair(5), training=True)
    terms = model.discriminator_terms({"x": x}, {"x": fakes}, step)
    # Levels 0..8 are spread over [-1, 1]; halfway, each image is the mean of itself and of its 2×2 averages.
    coarse = np.reshape(x, (4, 4, 2, 4, 2, 1)).mean(axis=(2, 4))
    real = ((x + np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2)) / 2) / 4 - 1
    fake = fakes / 4 - 1

    def f(x):
        return model.logits_of_scaled(x, None, None)

    _, penalty_step = step.split(2)
    share = penalty_step.split(2)[0].uniform((4, 1, 1, 1))
    between = tf.Variable(share * real + (1 - share) * fake)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(f(between))
    norms = np.linalg.norm(np.reshape(tape.gradient(total, between), (4, -1)), axis=1)
    penalty = 10 * (norms - 1) ** 2
    expected = f(fake) - f(real) + penalty + 0.1 * f(real) ** 2
    np.testing.assert_allclose(terms["penalty"], penalty, rtol=1e-3)
    np.testing.assert_allclose(terms["discriminator_loss"], expected, rtol=1e-3, atol=1e-4)
    found = model.generator_terms({"x": x}, {"x": fakes}, step)
    np.testing.assert_allclose(found["generator_loss"], -f(fake), rtol=1e-4, atol=1e-5)


def test_the_present_resolution_is_a_model_of_its_own():
    model = randomise(make((16, 16, 1)))
    for images_shown, side in ((0, 4), (24, 8)):
        model.images_shown.assign(images_shown)
        small = model.at_present_resolution()
        assert small.event_shape == (side, side, 1)
        enlarged = np.repeat(np.repeat(small.sample(3, seed=0), 16 // side, axis=1), 16 // side, axis=2)
        np.testing.assert_allclose(enlarged, model.sample(3, seed=0), atol=1e-4)
        x = small.sample(4, seed=1)
        wide = np.repeat(np.repeat(x, 16 // side, axis=1), 16 // side, axis=2)
        np.testing.assert_allclose(small.discriminate(x), model.discriminate(wide), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 6, 1), (8, 4, 1), (16,), (2, 2, 1)])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match=r"`event_shape` must be \(side, side, channels\) .*, received \("):
        ProgressiveGAN(shape)
