"""What every adversarial model does: steps, averages, conditions, networks that all go together."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts.replicas import distributed, two_replicas
from scipy import stats

from keras_gen import seeds
from keras_gen.adversarial import GAN, InfoGAN, losses, networks, regularizers
from keras_gen.adversarial.two_player import dealt
from keras_gen.core import Step
from keras_gen.core.interpolation import interpolated
from keras_gen.layers import SpectralNormalization

BATCH = 6
DENSE = {"name": "dense", "hidden_units": [5]}
IMAGE = (6, 5, 1)


def make(event_shape=(2,), levels=None, **options):
    networks_of_both = {"generator_network": DENSE, "discriminator_network": DENSE}
    defaults = {"latent_size": 3, "latent_distribution": "uniform", "objective": "non_saturating", **networks_of_both}
    return GAN(event_shape, levels, **{**defaults, **options})


def compiled(model, rate=0.05):
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate), run_eagerly=True)
    return model


def training_step(seed=(1, 2)):
    return Step(seeds.as_pair(seed), training=True)


def points(num=BATCH):
    return np.random.default_rng(0).standard_normal((num, 2)).astype(np.float32)


def assert_equal(before, after):
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def differ(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


# Steps


@pytest.mark.parametrize("objective", losses.OBJECTIVES)
def test_a_step_of_one_player_leaves_the_other(objective):
    """With everything a discriminator can have; generators have batch normalization."""
    model = compiled(
        make(
            objective=objective,
            regularizers=tuple(regularizers.REGULARIZERS),
            generator_network={**DENSE, "batch_norm": True},
            discriminator_network={**DENSE, "dropout": 0.3, "spectral_norm": True},
            generator_average=0.5,
        )
    )
    batch = {"x": tf.constant(points())}
    generator = [*model.generator.get_weights(), *model.average_generator.get_weights()]
    discriminator = model.discriminator.get_weights()
    model.take_discriminator_step(batch, training_step())
    assert_equal(generator, [*model.generator.get_weights(), *model.average_generator.get_weights()])
    # All but the vector of a kernel with one column, and a last bias that shifts data and fakes alike.
    changed = differ(discriminator, model.discriminator.get_weights())
    assert sum(changed) >= len(changed) - 2
    discriminator = model.discriminator.get_weights()
    model.take_generator_step(batch, training_step())
    assert_equal(discriminator, model.discriminator.get_weights())
    # A bias before batch normalization moves only by rounding.
    moved = differ(generator, [*model.generator.get_weights(), *model.average_generator.get_weights()])
    assert sum(moved) >= len(moved) - 2


@pytest.mark.parametrize("objective", losses.OBJECTIVES)
def test_steps_descend_the_losses_of_the_objective(objective):
    rate, seed = 0.1, tf.constant([1, 2])
    model = compiled(make(objective=objective), rate)
    x, noise, player_losses = tf.constant(points()), model.noise(BATCH, seed), losses.OBJECTIVES[objective]()
    for player, take_step in (
        ("discriminator", model.take_discriminator_step),
        ("generator", model.take_generator_step),
    ):
        variables = getattr(model, player).trainable_variables
        with tf.GradientTape() as tape:
            real = model.discriminator(x)[:, 0]
            fake = model.discriminator(model.generator(noise["z"]))[:, 0]
            logits = (real, fake) if player == "discriminator" else (fake,)
            loss = tf.reduce_mean(getattr(player_losses, player)(*logits))
        gradients = tape.gradient(loss, variables)
        before = [variable.numpy() for variable in variables]
        take_step({"x": x}, training_step(seed))
        for variable, start, gradient in zip(variables, before, gradients, strict=True):
            np.testing.assert_allclose(variable, start - rate * gradient.numpy(), rtol=1e-4, atol=1e-6)


def test_steps_of_the_discriminator_for_one_of_the_generator():
    model = compiled(make(discriminator_steps=3))
    seen = []
    unrounded = model.unrounded
    model.unrounded = lambda noise, *arguments: seen.append(noise["z"].numpy()) or unrounded(noise, *arguments)
    for _ in range(2):
        model.train_on_batch(points())
    assert int(model.optimizer.iterations) == 2
    assert int(model.discriminator_optimizer.iterations) == 6
    # Every step has noise of its own.
    assert len(seen) == 8
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(seen, 2))


def rows_of_steps(model):
    """Returns a list that gets the rows that each step of a player sees from now on."""
    seen = []

    def watched(player, take_step):
        return lambda batch, step: seen.append((player, batch["x"].numpy())) or take_step(batch, step)

    for player in ("discriminator", "generator"):
        name = f"take_{player}_step"
        setattr(model, name, watched(player, getattr(model, name)))
    return seen


@pytest.mark.parametrize("num_rows", [9, 7, 2, 1])
def test_each_row_enters_one_step_of_the_discriminator(num_rows):
    model, x = compiled(make(discriminator_steps=3)), points(num_rows)
    seen = rows_of_steps(model)
    model.train_on_batch(x)
    assert [player for player, _ in seen] == [*3 * ["discriminator"], "generator"]
    rows = [rows for _, rows in seen]
    # Of fewer rows than steps, each is there again.
    expected = [x[index % min(3, num_rows) :: 3] for index in range(3)]
    assert_equal(rows, [*expected, expected[-1]])
    assert all(len(each) > 0 for each in rows)
    if num_rows >= 3:
        np.testing.assert_array_equal(np.sort(np.concatenate(rows[:3]), axis=0), np.sort(x, axis=0))


def test_a_batch_of_fit_is_what_each_step_sees():
    """Twelve rows in batches of two, three for each step of the generator: an epoch has two of these."""
    model, x = compiled(make(discriminator_steps=3)), points(12)
    seen = rows_of_steps(model)
    model.fit(x, batch_size=2, verbose=0)
    assert [len(rows) for _, rows in seen] == 8 * [2]
    rows = np.concatenate([rows for player, rows in seen if player == "discriminator"])
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(x, axis=0))
    assert int(model.optimizer.iterations) == 2
    # A batch of a data set is that of a training step.
    del seen[:]
    model.fit(tf.data.Dataset.from_tensor_slices(x).batch(6), verbose=0)
    assert [len(rows) for _, rows in seen] == 8 * [2]
    np.testing.assert_array_equal(seen[1][1], x[[1, 4]])


def test_rows_are_dealt_out_in_a_graph_of_any_batch_size():
    graph = tf.function(lambda x: [rows["x"] for rows in dealt({"x": x}, 2)], autograph=False)
    concrete = graph.get_concrete_function(tf.TensorSpec((None, 2)))
    assert [output.shape.as_list() for output in concrete.outputs] == 2 * [[None, 2]]
    for num_rows in (1, 5):
        x = points(num_rows)
        assert_equal(graph(tf.constant(x)), [x[::2], x[1::2] if num_rows > 1 else x])


def test_a_training_step_is_the_steps_of_both_players_one_after_another():
    options = {"discriminator_steps": 2, "regularizers": ("gradient_penalty",), "generator_average": 0.5}
    model, other = (compiled(make(**options)) for _ in range(2))
    x = points(5)
    model.take_step({"x": tf.constant(x)}, training_step())
    first, second, last = training_step().split(3)
    other.take_discriminator_step({"x": tf.constant(x[::2])}, first)
    other.take_discriminator_step({"x": tf.constant(x[1::2])}, second)
    other.take_generator_step({"x": tf.constant(x[1::2])}, last)
    for a, b in zip(model.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sizes", [(4, 3), (0, 5), (1, 1), (3, 0)])
def test_replicas_share_every_step(sizes):
    """Both replicas together see the rows of a step that one device would, in the same order."""
    rows = np.arange(sum(sizes))
    shares = two_replicas().run(lambda batch: dealt(batch, 3), args=(distributed({"x": rows}, sizes),))
    for share, alone in zip(shares, dealt({"x": tf.constant(rows)}, 3), strict=True):
        both = [part.numpy() for part in two_replicas().experimental_local_results(share["x"])]
        np.testing.assert_array_equal(np.sort(np.concatenate(both)), alone["x"])
        assert abs(len(both[0]) - len(both[1])) <= abs(sizes[0] - sizes[1]) + 1


def test_the_penalty_is_part_of_the_loss():
    model = compiled(make(objective="wasserstein", regularizers=("gradient_penalty", "r1", "weight_clipping")))
    found = model.evaluate(points(), verbose=0, return_dict=True)
    assert found["penalty"] > 0.1
    expected = found["fake_score"] - found["real_score"] + found["penalty"]
    assert found["discriminator_loss"] == pytest.approx(expected, rel=1e-5)
    assert "penalty" not in make(regularizers=("weight_clipping",)).terms


def test_a_penalty_does_not_enter_moving_statistics():
    statistics = []
    for regularizers_ in ((), ("gradient_penalty", "r1", "consistency")):
        network = {"name": "convolutional", "filters": [3, 4]}
        model = compiled(make(IMAGE, 9, regularizers=regularizers_, discriminator_network=network), rate=0.0)
        start = [variable.numpy() for variable in model.discriminator.non_trainable_variables]
        x = np.random.default_rng(0).integers(0, 9, (BATCH, *IMAGE))
        model.take_discriminator_step({"x": tf.constant(x, tf.float32)}, training_step())
        statistics.append([variable.numpy() for variable in model.discriminator.non_trainable_variables])
        assert all(differ(start, statistics[-1]))
    assert_equal(*statistics)


def test_a_forward_pass_moves_no_spectral_vector_and_a_step_does():
    model = compiled(make(discriminator_network={"name": "dense", "hidden_units": [7, 6], "spectral_norm": True}))
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, SpectralNormalization)]
    assert len(layers) == 3
    before = [layer.vector.numpy() for layer in layers]
    model.evaluate(points(), verbose=0)
    model.sample(4, seed=0)
    assert_equal(before, [layer.vector.numpy() for layer in layers])
    for _ in range(40):
        model.take_discriminator_step({"x": tf.constant(points())}, training_step())
    for layer in layers:
        largest = np.linalg.svd(layer.kernel.numpy(), compute_uv=False)[0]
        assert float(layer.spectral_norm()) == pytest.approx(largest, rel=0.01)


# The output


@pytest.mark.parametrize(("output", "low"), [("tanh", -1.0), ("sigmoid", 0.0)])
def test_levels_are_spread_over_the_range_of_the_output(output, low):
    model = make((4,), 9, output_activation=output)
    x = np.random.default_rng(0).integers(0, 9, (BATCH, 4)).astype(np.float32)
    scaled = low + x / 8.0 * (1.0 - low)
    np.testing.assert_allclose(model.discriminate(x), tf.sigmoid(model.discriminator(scaled)[:, 0]), rtol=1e-5)
    noise = model.noise(BATCH, 0)
    a = model.generator(noise["z"]).numpy()
    share = 1.0 / (1.0 + np.exp(-a)) if output == "sigmoid" else 0.5 + 0.5 * np.tanh(a)
    np.testing.assert_allclose(model.unrounded(noise, None), 8.0 * share, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("output", "levels"), [("tanh", 9), ("sigmoid", 9), ("sigmoid", None)])
def test_the_output_starts_at_the_mean_of_the_data(output, levels):
    model = make((4,), levels, output_activation=output, generator_average=0.5)
    x = np.random.default_rng(0).integers(0, 9, (50, 4)).astype(np.float32)
    x[:, 0] = 0.0
    model.adapt(x)
    for network in (model.generator, model.average_generator):
        network.dense_layers[-1].kernel.assign(tf.zeros_like(network.dense_layers[-1].kernel))
        found = model.unrounded(model.noise(2, 0), None, network=network)
        np.testing.assert_allclose(found, np.repeat(x.mean(axis=0)[np.newaxis], 2, axis=0), rtol=1e-4, atol=1e-5)
    # An entry that is always 0 starts at the logit of 1e-7.
    if output == "sigmoid" and levels:
        assert float(model.generator.output_bias[0]) == pytest.approx(np.log(1e-7 / (1.0 - 1e-7)), rel=1e-5)


def test_an_output_that_entries_share_cannot_start_at_their_means():
    model = make(IMAGE, 9, generator_network={"name": "convolutional", "filters": [3]})
    with pytest.raises(ValueError, match="`generator_network` must have a last bias for each entry of an example"):
        model.adapt(np.zeros((2, *IMAGE)))


# The moving average


def test_samples_come_from_the_average():
    model = compiled(make(generator_average=0.6))
    start, trained = model.generator.get_weights(), []
    for _ in range(3):
        model.train_on_batch(points())
        trained.append(model.generator.get_weights())
    expected = start
    for step, weights in enumerate(trained, 1):
        momentum = min(0.6, (1 + step) / (10 + step))
        expected = [momentum * a + (1.0 - momentum) * b for a, b in zip(expected, weights, strict=True)]
    for a, b in zip(expected, model.average_generator.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    noise = model.noise(5, 0)
    averaged = model.unrounded(noise, None, network=model.average_generator)
    np.testing.assert_array_equal(model.generate(noise), averaged)
    assert np.any(model.generate(noise) != model.unrounded(noise, None))
    assert not set(map(id, model.average_generator.weights)) & set(map(id, model.trainable_weights))


# Noise


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_truncated_noise_keeps_its_quantiles(distribution):
    model = make(latent_distribution=distribution)
    plain, cut = model.noise(5000, 0)["z"].numpy(), model.noise(5000, 0, truncation=0.5)["z"].numpy()
    assert np.abs(plain).max() > 0.99
    assert 0.49 < np.abs(cut).max() <= 0.5
    full, truncated = stats.uniform(-1.0, 2.0), stats.uniform(-0.5, 1.0)
    if distribution == "normal":
        full, truncated = stats.norm(), stats.truncnorm(-0.5, 0.5)
    np.testing.assert_allclose(truncated.cdf(cut), full.cdf(plain), atol=1e-4)


@pytest.mark.parametrize(("distribution", "none"), [("uniform", 1.0), ("normal", np.inf)])
def test_truncation_is_a_sampling_option_whose_default_is_none(distribution, none):
    model = make(latent_distribution=distribution)
    assert model.sampling_options() == {"truncation": none}
    noise = model.noise(50, 3)
    np.testing.assert_array_equal(model.noise(50, 3, truncation=none)["z"], noise["z"])
    np.testing.assert_array_equal(model.sample(50, seed=3), model.sample(50, seed=3, truncation=none))
    np.testing.assert_allclose(model.sample(50, seed=3), model.generate(noise), atol=1e-6)
    cut = model.generate(model.noise(50, 3, truncation=0.3))
    np.testing.assert_allclose(model.sample(50, seed=3, truncation=0.3), cut, atol=1e-6)
    sample = model.signatures()["sample"]
    assert sample.defaults == {"truncation": none}
    np.testing.assert_allclose(
        sample.function(num_samples=50, seed=3, truncation=tf.constant(0.3))["x"], cut, atol=1e-6
    )
    # Far out, where quantiles are rounded to 1, noise stays finite.
    far = tf.constant([-9.0, -5.0, 0.0, 5.0, 9.0])
    for truncation in (0.1, 4.0, 8.0):
        if distribution == "normal":
            found = model.truncated(far, tf.constant(truncation)).numpy()
            assert np.all(np.abs(found) <= truncation)
            np.testing.assert_array_equal(np.sign(found), np.sign(far))


@pytest.mark.parametrize("verb", ["noise", "sample"])
def test_wrong_truncation(verb):
    call = getattr(make(), verb)
    with pytest.raises(ValueError, match=r"`truncation` must be from 0 to 1, received 1\.5"):
        call(3, seed=0, truncation=1.5)
    with pytest.raises(ValueError, match=r"`truncation` must be greater than 0, received 0"):
        call(3, seed=0, truncation=0.0)
    with pytest.raises(TypeError, match=r"`truncation` must be a real number, received 'much'"):
        call(3, seed=0, truncation="much")


def test_interpolation_between_two_examples():
    model = make(latent_distribution="normal")
    first, last = model.noise(4, 0), model.noise(4, 1)
    way = model.interpolate(first, last, 5)
    assert way.shape == (4, 5, 2)
    np.testing.assert_allclose(way[:, 0], model.generate(first), atol=1e-5)
    np.testing.assert_allclose(way[:, -1], model.generate(last), atol=1e-5)
    # Normal noise goes along a great circle, uniform noise along a line.
    for each, spherical in ((model, True), (make(), False)):
        noise = interpolated(first["z"], last["z"], 5, spherical=spherical)
        way = each.interpolate(first, last, 5)
        np.testing.assert_allclose(way[:, 2], each.generate({"z": tf.constant(noise[:, 2])}), atol=1e-5)
    with pytest.raises(ValueError, match="`num_steps` must be at least 2, received 1"):
        model.interpolate(first, last, 1)
    with pytest.raises(ValueError, match="`z` holds"):
        model.interpolate(first, {**last, "z": np.nan * last["z"]})


def test_a_category_stays_on_the_way():
    model = InfoGAN(
        (2,), None, latent_size=2, num_categories=3, generator_network=DENSE, discriminator_network=DENSE, code_units=4
    )
    first, last = model.noise(4, 0), model.noise(4, 1)
    last["category"] = (first["category"] + 1) % 3
    expected = model.generate({**last, "category": first["category"]})
    np.testing.assert_allclose(model.interpolate(first, last, 3)[:, -1], expected, atol=1e-5)


# Networks


#: All networks of images; those of sound are tested with WaveGAN.
SMALL = {
    "dense": {"name": "dense", "hidden_units": [4]},
    "maxout": {"name": "maxout", "units": [4, 3], "pieces": [2, 3]},
    "convolutional": {"name": "convolutional", "filters": [3]},
    "residual": {"name": "residual", "filters": [3]},
}


def own_network(*shape: int) -> keras.Sequential:
    """Returns a network of layers of Keras, with outputs of a shape."""
    layers = keras.layers
    hidden = layers.Dense(4, "leaky_relu")
    return keras.Sequential([layers.Flatten(), hidden, layers.Dense(math.prod(shape)), layers.Reshape(shape)])


@pytest.mark.parametrize("number", range(len(losses.OBJECTIVES) * len(regularizers.REGULARIZERS)))
def test_any_objective_regularizer_and_networks_are_one_call(number):
    """Each objective with each regularizer, and each of these with each network."""
    objective, regularizer = divmod(number, len(regularizers.REGULARIZERS))
    options_of_both = (networks.GENERATORS, networks.DISCRIMINATORS)
    names = [[name for name in options if name != "waveform"] for options in options_of_both]
    generator, discriminator = (options[(objective + regularizer) % len(options)] for options in names)
    model = make(
        IMAGE,
        9,
        objective=list(losses.OBJECTIVES)[objective],
        regularizers=(list(regularizers.REGULARIZERS)[regularizer],),
        generator_network=SMALL.get(generator) or own_network(*IMAGE),
        discriminator_network=SMALL.get(discriminator) or own_network(1),
    )
    before = [network.get_weights() for network in (model.generator, model.discriminator)]
    x = np.random.default_rng(0).integers(0, 9, (BATCH, *IMAGE))
    # Small steps: a large one of a penalty may leave no unit of a tiny critic alive.
    logs = compiled(model, rate=1e-3).train_on_batch(x, return_dict=True)
    assert np.all(np.isfinite(list(logs.values())))
    for network, start in zip((model.generator, model.discriminator), before, strict=True):
        assert any(differ(start, network.get_weights())), network.name
        assert all(np.all(np.isfinite(weight)) for weight in network.get_weights())


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize(
    ("generator", "discriminator"),
    [("dense", "residual"), ("convolutional", "maxout"), ("residual", "convolutional"), ("dense", "dense")],
)
def test_networks_go_together(generator, discriminator, num_classes):
    """Every weight of any two networks gets a gradient, through a penalty, too."""
    further = {"convolutional": {"spectral_norm": True, "projection": True}, "dense": {"projection": True}}
    model = make(
        IMAGE,
        9,
        num_classes=num_classes,
        objective="hinge",
        regularizers=("gradient_penalty",),
        generator_network=SMALL[generator],
        discriminator_network={**SMALL[discriminator], **further.get(discriminator, {})},
    )
    x = tf.constant(np.random.default_rng(0).integers(0, 9, (BATCH, *IMAGE)), tf.float32)
    y = None if num_classes is None else tf.range(BATCH) % 3
    with tf.GradientTape(persistent=True) as tape:
        terms = model.loss_terms({"x": x, "condition": y}, training_step())
    for network, loss in ((model.generator, "generator_loss"), (model.discriminator, "discriminator_loss")):
        for weight in network.trainable_variables:
            # Both examples of a pair are moved alike by the last bias, within the hinges.
            if weight.shape != (1,):
                assert np.any(tape.gradient(terms[loss], weight)), weight.path
    samples = model.sample(BATCH, condition=y, seed=0).numpy()
    assert samples.shape == (BATCH, *IMAGE)
    if num_classes is not None:
        noise = model.noise(1, 0)
        noise = {name: tf.repeat(values, 3, axis=0) for name, values in noise.items()}
        fakes = model.unrounded(noise, tf.range(3))
        logits = model.logits(tf.repeat(x[:1], 3, axis=0), tf.range(3))
        for change in (np.ptp(fakes, axis=0).max(), np.ptp(logits)):
            assert change > 1e-6, "a class makes no difference"


def test_a_projection_is_its_formula():
    """f(x, y) = y^T V φ(x) + ψ(φ(x))."""
    network = networks.DenseDiscriminator((2,), 3, hidden_units=(4,), projection=True, seed=(0,))
    x, y = points(3), np.eye(3, dtype=np.float32)
    features = network.features(tf.constant(x), y)
    expected = network.head(features)[:, 0] + tf.reduce_sum(network.projection.kernel * features, axis=-1)
    np.testing.assert_allclose(network(x, y)[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["dense", "maxout"])
def test_dropout_is_drawn_in_training_alone(name):
    network = networks.DISCRIMINATORS[name]((2,), 0, seed=(0,), dropout=0.5)
    x = np.ones((400, 2), np.float32)
    evaluation = Step(seeds.as_pair(1), training=False)
    for step in (None, evaluation):
        np.testing.assert_array_equal(network(x, step=step), np.repeat(network(x)[:1], 400, axis=0))
    noisy = network(x, step=training_step()).numpy()
    assert len(np.unique(noisy)) > 100
    np.testing.assert_array_equal(noisy, network(x, step=training_step()))
    assert np.any(noisy != network(x, step=training_step((1, 3))))


@pytest.mark.parametrize("name", ["dense", "maxout"])
def test_initial_weights_of_a_scale(name):
    """Uniform: none is larger, and they fill the range; a condition's are so many times as large."""
    options = {"maxout": {"condition_scale": 4.0}}.get(name, {"projection": True})
    network = networks.DISCRIMINATORS[name]((40,), 30, seed=(0,), initial_scale=0.02, **options)
    kernels = [weight for weight in network.weights if weight.name == "kernel"]
    assert len(kernels) > 3
    for kernel in kernels:
        scale = 0.08 if name == "maxout" and kernel.shape[0] == 30 else 0.02
        assert 0.9 * scale < np.abs(kernel).max() <= scale
        if kernel.shape[1] > 1:
            assert np.std(kernel) == pytest.approx(scale / np.sqrt(3.0), rel=0.05)


def test_dropout_of_a_generator_is_drawn_in_training_alone():
    """A unit is 0 in half of the examples and twice as large in the others; so is the mean of many."""
    options = {"hidden_units": [400], "noise_units": 50, "condition_units": 50, "seed": (0,)}
    network = networks.DenseGenerator(3, (2,), 4, dropout=0.5, **options)
    z, y = np.ones((2000, 3), np.float32), np.ones((2000, 4), np.float32)
    plain = network(z, y).numpy()
    np.testing.assert_array_equal(plain, network(z, y, step=Step(seeds.as_pair(1), training=False)))
    noisy = network(z, y, step=training_step()).numpy()
    assert len(np.unique(noisy[:, 0])) == 2000
    for layer, shape in ((network.noise_layer, (3, 50)), (network.condition_layer, (4, 50))):
        assert layer.kernel.shape == shape
    without = networks.DenseGenerator(3, (2,), 4, **options)(z, y, step=training_step())
    np.testing.assert_array_equal(without, plain)


def test_kernels_of_any_size_return_to_the_size_of_the_data():
    for kernel_size in (3, 4, 5):
        for size in ((7, 5), (8, 6), (4, 9)):
            options = {"filters": (2, 3), "kernel_size": kernel_size, "dense_units": (5,), "seed": (0,)}
            x = networks.ConvolutionalGenerator(3, (*size, 1), 0, **options)(np.ones((2, 3), np.float32))
            assert x.shape == (2, *size, 1)
            critic = networks.ConvolutionalDiscriminator((*size, 1), 0, **options)
            assert critic(x).shape == (2, 1)
            assert critic.features(x).shape == (2, 5)


@pytest.mark.parametrize("size", [(7, 5), (28, 28), (4, 9)])
def test_residual_networks_take_any_size(size):
    generator = networks.ResidualGenerator(3, (*size, 2), 0, filters=(4, 6), seed=(0,))
    x = generator(np.ones((2, 3), np.float32))
    assert x.shape == (2, *size, 2)
    assert networks.ResidualDiscriminator((*size, 2), 0, filters=(4, 6), seed=(1,))(x).shape == (2, 1)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"generator_network": "densest"}, ValueError, "`generator_network` 'densest' is unknown; did you mean dense"),
        ({"discriminator_network": 3}, TypeError, "`discriminator_network` must be a name or a dict .*, received 3"),
        ({"discriminator_network": {"name": "maxout", "pieces": [2]}}, ValueError, "`pieces` must have one entry for"),
        ({"generator_network": "residual"}, ValueError, r"`event_shape` must be \(height, width, channels\)"),
        ({"discriminator_steps": 0}, ValueError, "`discriminator_steps` must be at least 1, received 0"),
        ({"generator_average": 1.0}, ValueError, "`generator_average` must be at least 0 and less than 1"),
        ({"latent_distribution": "flat"}, ValueError, "`latent_distribution` 'flat' is unknown"),
        ({"num_classes": 2, "condition_size": 3}, ValueError, "`condition_size` must be None where"),
    ],
)
def test_wrong_arguments(options, error, sentence):
    with pytest.raises(error, match=sentence):
        make(**options)
