"""DCGAN: two players that leave each other alone, for images of any size."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import AdversarialContract

from keras_gen import seeds
from keras_gen.adversarial import DCGAN
from keras_gen.core import Step

SHAPE = (7, 5, 2)
LEVELS = 17
BATCH = 8


def make(**options):
    return DCGAN(SHAPE, levels=LEVELS, **{"latent_size": 6, "filters": (4, 8), **options})


def compiled(**options):
    """A model whose steps run without the tracing that takes most of a short test's time."""
    model = make(**options)
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.RMSprop(2e-3), run_eagerly=True)
    return model


def values(network):
    return [weight.numpy() for weight in network.weights]


def equal(before, after):
    """Whether each weight is the same, bit for bit."""
    return [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


class TestContract(AdversarialContract):
    """Every argument away from its default."""

    passes = 4

    def make_model(self, **changes):
        return make(**{"objective": "minimax", "seed": 5, "name": "players", **changes})

    def make_data(self):
        return np.random.default_rng(0).integers(0, LEVELS, (32, *SHAPE)) // 4 * 4

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.Adam(1e-4), keras.optimizers.RMSprop(2e-3), **arguments)
        return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, LEVELS, (BATCH, *SHAPE)).astype(np.float32)


def training_step():
    return Step(seeds.as_pair((3, 4)), training=True)


# The players


def test_discriminator_step_changes_the_discriminator_alone(images):
    model = compiled()
    generator, discriminator = values(model.generator), values(model.discriminator)
    model.take_discriminator_step({"x": tf.constant(images)}, training_step())
    assert all(equal(generator, values(model.generator)))
    # Moving statistics are among the weights.
    assert not any(equal(discriminator, values(model.discriminator)))


def test_generator_step_changes_the_generator_alone(images):
    model = compiled()
    generator, discriminator = values(model.generator), values(model.discriminator)
    model.take_generator_step({"x": tf.constant(images)}, training_step())
    assert not any(equal(generator, values(model.generator)))
    assert all(equal(discriminator, values(model.discriminator)))


def test_steps_descend_the_losses_of_the_paper(images):
    """With plain gradient descent a step is the rate times the gradient of the player's mean loss."""
    rate = 0.1
    model = make()
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    x, noise = tf.constant(images), model.noise(BATCH, (3, 4))
    for player, take_step in (
        ("discriminator", model.take_discriminator_step),
        ("generator", model.take_generator_step),
    ):
        variables = getattr(model, player).trainable_variables
        with tf.GradientTape() as tape:
            fakes = model.unrounded(noise, None, training_step())
            real = tf.sigmoid(model.logits(x, None, training_step()))
            fake = tf.sigmoid(model.logits(fakes, None, training_step()))
            loss = -tf.math.log(fake)
            if player == "discriminator":
                loss = -tf.math.log(real) - tf.math.log(1.0 - fake)
            loss = tf.reduce_sum(loss) / BATCH
        gradients = tape.gradient(loss, variables)
        before = [variable.numpy() for variable in variables]
        take_step({"x": x}, training_step())
        for variable, start, gradient in zip(variables, before, gradients, strict=True):
            np.testing.assert_allclose(
                variable, start - rate * gradient.numpy(), rtol=1e-5, atol=1e-6, err_msg=variable.path
            )


def test_every_weight_gets_a_gradient(images):
    model = make()
    with tf.GradientTape(persistent=True) as tape:
        terms = model.loss_terms({"x": tf.constant(images)}, training_step())
    for network, loss in ((model.generator, "generator_loss"), (model.discriminator, "discriminator_loss")):
        for weight in network.trainable_variables:
            assert np.any(tape.gradient(terms[loss], weight)), weight.path


def test_indifferent_discriminator(images):
    """A discriminator whose logit is 0 everywhere: losses log 4 and log 2, probabilities 1/2."""
    model = compiled()
    model.discriminator.layers[-1].kernel.assign(tf.zeros_like(model.discriminator.layers[-1].kernel))
    found = model.evaluate(images, batch_size=BATCH, verbose=0, return_dict=True)
    expected = {
        "generator_loss": math.log(2.0),
        "discriminator_loss": math.log(4.0),
        "loss": math.log(8.0),
        "real_probability": 0.5,
        "fake_probability": 0.5,
    }
    assert found == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(model.discriminate(images), np.full(BATCH, 0.5))
    model = compiled(objective="minimax")
    model.discriminator.layers[-1].kernel.assign(tf.zeros_like(model.discriminator.layers[-1].kernel))
    found = model.evaluate(images, batch_size=BATCH, verbose=0, return_dict=True)
    assert found["generator_loss"] == pytest.approx(-math.log(2.0), rel=1e-6)


def test_evaluation_and_inference_leave_every_weight(images):
    model = compiled()
    before = values(model)
    logs = [model.evaluate(images, verbose=0, return_dict=True) for _ in range(2)]
    model.discriminate(images)
    model.predict(images, verbose=0)
    model.sample(3, seed=0)
    assert logs[0] == logs[1]
    assert all(equal(before, values(model)))


def test_discriminator_learns_what_a_frozen_generator_lacks():
    model = make()
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.Adam(1e-2))
    white = np.full((64, *SHAPE), LEVELS - 1, np.float32)
    model.fit(white, batch_size=16, epochs=10, verbose=0)
    assert np.min(model.discriminate(white)) > 0.9
    assert np.max(model.discriminate(model.sample(64, seed=0))) < 0.1


def test_generator_learns_constant_images():
    model = make()
    model.compile(keras.optimizers.Adam(5e-3, beta_1=0.5), keras.optimizers.Adam(5e-3, beta_1=0.5))
    white = np.full((64, *SHAPE), LEVELS - 1, np.float32)
    before = np.mean(model.sample(64, seed=0))
    model.fit(white, batch_size=16, epochs=15, verbose=0)
    after = np.mean(model.sample(64, seed=0))
    assert before < 0.6 * (LEVELS - 1)
    assert after > 0.9 * (LEVELS - 1)


# Images


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_scale_covers_the_levels(levels):
    """The tanh's ends are the first and the last level, and D sees the levels spread over [-1, 1]."""
    model = DCGAN((4, 4, 1), levels=levels, filters=(4,))
    bias = model.generator.layers[-1].bias
    for value, level in ((-20.0, 0), (20.0, levels - 1)):
        bias.assign([value])
        np.testing.assert_array_equal(model.sample(3, seed=0), np.full((3, 4, 4, 1), level))
    seen = []
    model.discriminator = lambda images, *_, **__: seen.append(images) or tf.zeros((2, 1))
    model.discriminate(np.stack([np.zeros((4, 4, 1)), np.full((4, 4, 1), levels - 1)]))
    np.testing.assert_allclose(seen[0][:, 0, 0, 0], [-1.0, 1.0], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "first"),
    [((28, 28, 1), (4, 4)), ((8, 8, 1), (4, 4)), ((64, 80, 3), (4, 3)), ((9, 33, 3), (3, 3)), ((1, 2, 1), (1, 2))],
)
def test_any_size(shape, first):
    """The default depth brings both sides down to 4 or less, and the generator back up to exactly the size."""
    model = DCGAN(shape, latent_size=3)
    assert model.generator.smallest[:2] == first
    assert model.discriminator.head.kernel.shape[0] == math.prod(model.generator.smallest)
    samples = model.sample(2, seed=0).numpy()
    assert samples.shape == (2, *shape)
    assert model.discriminate(samples).shape == (2,)


def test_paper_networks():
    """Figure 1 of the paper: 1024 channels at 4×4, up to 3 at 64×64."""
    model = DCGAN((64, 64, 3), filters=(128, 256, 512, 1024))
    assert model.generator.smallest == (4, 4, 1024)
    transposed = [layer for layer in model.generator.layers if layer.name.startswith("conv")]
    x, shapes = tf.zeros((1, *model.generator.smallest)), []
    for layer in transposed:
        x = layer(x)
        shapes.append(x.shape[1:])
    assert shapes == [(8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]
    kernels = [weight.numpy() for weight in model.weights if weight.name == "kernel"]
    for kernel in kernels:
        assert np.std(kernel) == pytest.approx(0.02, rel=0.05)


def test_samples_are_whole_levels_and_follow_the_seed():
    model = make()
    # Larger weights, for samples that reach all levels.
    model.generator.layers[-1].kernel.assign(3000.0 * model.generator.layers[-1].kernel)
    samples = model.sample(50, seed=5).numpy()
    assert samples.dtype == np.float32
    assert set(np.unique(samples)) == set(range(LEVELS))
    np.testing.assert_array_equal(samples, model.sample(50, seed=5))
    assert np.any(samples != model.sample(50, seed=6))
    np.testing.assert_allclose(samples, model.generate(model.noise(50, 5)), atol=1.0)
    noise = model.noise(10_000, 5)["z"].numpy()
    assert noise.shape == (10_000, 6)
    assert -1.0 <= noise.min() < -0.99
    assert 0.99 < noise.max() <= 1.0
    # 60,000 uniform numbers: the standard error of their mean is 0.0024, that of their variance 0.0012.
    assert noise.mean() == pytest.approx(0.0, abs=0.01)
    assert noise.var() == pytest.approx(1.0 / 3.0, abs=0.006)


def test_seed_chooses_the_initial_weights():
    first, same, other = make(seed=1), make(seed=1), make(seed=2)
    assert all(equal(values(first), values(same)))
    kernels = [(a, b) for a, b in zip(first.weights, other.weights, strict=True) if a.name == "kernel"]
    assert not any(np.array_equal(a, b) for a, b in kernels)
    starts = [tuple(kernel.numpy().ravel()[:8]) for kernel, _ in kernels]
    assert len(set(starts)) == len(starts), "two layers start from the same numbers"


# Classes


def test_both_players_see_the_class(images):
    """D sees one plane for each class; G sees the class beside its noise."""
    model = make(num_classes=3)
    seen = {}
    generator, discriminator = model.generator, model.discriminator
    first, last = generator.layers[0], discriminator.layers[0]
    assert first.kernel.shape[0] == 6 + 3
    assert last.kernel.shape[2] == 2 + 3
    labels = np.array([0, 1, 2, 2])
    discriminator.layers[0] = lambda x, step: last(seen.setdefault("planes", x), step=step)
    model.discriminate(images[:4], labels)
    planes = seen["planes"].numpy()[..., 2:]
    np.testing.assert_array_equal(planes, np.broadcast_to(np.eye(3)[labels][:, None, None], (4, 7, 5, 3)))
    discriminator.layers[0] = last
    noise = {"z": tf.repeat(model.noise(1, 0)["z"], 3, axis=0)}
    fakes = model.unrounded(noise, tf.range(3))
    assert np.all(np.ptp(fakes, axis=0).max() > 1e-4)
    assert model.sample(2, condition=[1, 2], seed=0).shape == (2, *SHAPE)
    model.compile(run_eagerly=True)
    assert np.isfinite(model.train_on_batch(images[:4], labels, return_dict=True)["loss"])


# Training


def test_training_goes_on_from_a_file_bit_for_bit(images, tmp_path):
    straight = compiled(seed=7, objective="minimax", name="straight")
    straight.fit(images, batch_size=4, epochs=2, shuffle=False, verbose=0)
    straight.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"DCGAN": DCGAN})
    assert loaded.get_config() == straight.get_config()
    assert isinstance(loaded.discriminator_optimizer, keras.optimizers.RMSprop)
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(2e-3)
    for mine, saved in (
        (loaded.optimizer, straight.optimizer),
        (loaded.discriminator_optimizer, straight.discriminator_optimizer),
    ):
        assert int(mine.iterations) == 4
        assert all(np.array_equal(a, b) for a, b in zip(mine.variables, saved.variables, strict=True))
    np.testing.assert_array_equal(loaded.sample(4, seed=0), straight.sample(4, seed=0))
    for model in (straight, loaded):
        model.fit(images, batch_size=4, epochs=1, shuffle=False, verbose=0)
    assert all(equal(values(straight), values(loaded)))


def test_weights_file_restores_both_optimizers(images, tmp_path):
    straight, other = compiled(), compiled(seed=1)
    straight.fit(images, batch_size=4, shuffle=False, verbose=0)
    straight.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    for model in (straight, other):
        model.fit(images, batch_size=4, shuffle=False, verbose=0)
    assert all(equal(values(straight), values(other)))


def test_uncompiled_model_is_saved(tmp_path):
    model = make()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"DCGAN": DCGAN})
    assert not loaded.compiled
    assert all(equal(values(model), values(loaded)))


def test_defaults_are_the_papers():
    model = make()
    model.compile()
    for optimizer in (model.optimizer, model.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5
    assert model.jit_compile is False


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(images, precision):
    model = compiled(dtype=precision)
    scaled = isinstance(model.discriminator_optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (precision == "mixed_float16")
    generator, discriminator = values(model.generator), values(model.discriminator)
    model.fit(images, batch_size=4, verbose=0)
    assert not any(equal(generator, values(model.generator)))
    assert not any(equal(discriminator, values(model.discriminator)))
    samples = model.sample(4, seed=0).numpy()
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, np.round(samples))
    # Half-precision networks agree with the same weights in float32.
    exact = make()
    exact.set_weights(model.get_weights())
    np.testing.assert_allclose(model.discriminate(images), exact.discriminate(images), atol=0.02)


def test_moving_average_of_the_generator(images):
    """Keras ends `fit` by putting the average in place of the weights, here of the generator's alone."""
    model, average = make(), make()
    for player, momentum in ((model, None), (average, 0.5)):
        optimizer = keras.optimizers.SGD(0.1, use_ema=momentum is not None, ema_momentum=momentum or 0.0)
        player.compile(optimizer, run_eagerly=True)
    # The average starts from the weights after the first step.
    model.fit(images, batch_size=BATCH, verbose=0)
    first = [weight.numpy() for weight in model.generator.trainable_weights]
    model.fit(images, batch_size=BATCH, verbose=0)
    average.fit(images, batch_size=BATCH, epochs=2, verbose=0)
    for start, last, found in zip(
        first, model.generator.trainable_weights, average.generator.trainable_weights, strict=True
    ):
        np.testing.assert_allclose(found, (start + last.numpy()) / 2, atol=1e-6, err_msg=found.path)
    for expected, found in zip(values(model.discriminator), values(average.discriminator), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


# Mistakes


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda x: x + 0.5, r"`x` holds the value .*\.5; expected whole levels from 0 to 16\."),
        (lambda x: x + 300, r"`x` holds the value 3\d\d; expected whole levels from 0 to 16; larger"),
        (lambda x: x * np.nan, r"`x` holds the value nan; expected whole levels from 0 to 16; `x\[0\]` is the first"),
        (lambda x: x[:, :-1], r"`x` must have shape \(batch, 7, 5, 2\), received \(8, 6, 5, 2\)\."),
        (lambda x: x[:0], r"`x` holds no examples; at least one is expected\."),
    ],
)
def test_discriminate_wrong_images(images, spoil, sentence):
    with pytest.raises(ValueError, match=sentence):
        make().discriminate(spoil(images))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"event_shape": (784,)}, ValueError, r"`event_shape` must be \(height, width, channels\), received \(784,\)"),
        ({"levels": None}, TypeError, "`levels` must be a whole number, received None"),
        ({"levels": 1}, ValueError, "`levels` must be at least 2, received 1"),
        ({"latent_size": 0}, ValueError, "`latent_size` must be at least 1, received 0"),
        ({"filters": ()}, ValueError, r"`filters` must have at least one entry, received \(\)"),
        ({"filters": 32}, TypeError, "`filters` must be a tuple of whole numbers, received 32"),
        ({"objective": "minmax"}, ValueError, "`objective` 'minmax' is unknown; did you mean minimax"),
    ],
)
def test_wrong_arguments(options, error, sentence):
    with pytest.raises(error, match=sentence):
        DCGAN(**{"event_shape": SHAPE, **options})


def test_one_optimizer_for_two_players():
    model, optimizer = make(), keras.optimizers.Adam()
    with pytest.raises(ValueError, match="`discriminator_optimizer` must be an optimizer of its own"):
        model.compile(optimizer, optimizer)
