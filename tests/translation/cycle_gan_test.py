"""CycleGAN: contracts, its losses and its pool by hand, and who moves first."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import TranslationContract, assert_same_weights, randomise

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.translation import CycleGAN
from keras_gen.translation.image_pool import ImagePool
from keras_gen.translation.networks.resnet import reflected

SHAPE, LEVELS = (8, 8, 1), 9


def images(num, seed=0):
    random = np.random.default_rng(seed)
    return {name: random.integers(0, LEVELS, (num, *SHAPE)).astype(np.float32) for name in ("a", "b")}


def make(**options):
    return randomise(CycleGAN(SHAPE, SHAPE, LEVELS, **{"filters": 2, "num_blocks": 1, "pool_size": 2, **options}))


class TestContract(TranslationContract):
    """Every argument away from its default; black images with dots, and white ones."""

    passes = 4

    def make_data(self):
        # Neither of one colour nor smaller: normalized, rounding errors would be as large as what they are errors of.
        a, b = ((np.random.default_rng(seed).random((32, 16, 16, 1)) < 0.3) for seed in (0, 1))
        return {"a": (LEVELS - 1.0) * a, "b": (LEVELS - 1.0) * ~b}

    def make_model(self, **changes):
        options = {
            "levels": LEVELS,
            "filters": 2,
            "num_blocks": 1,
            "receptive_field": 7,
            "cycle_weight": 1.5,
            "identity_weight": 0.2,
            "pool_size": 3,
            "seed": 4,
            "name": "cycle",
        }
        return CycleGAN((16, 16, 1), (16, 16, 1), **{**options, **changes})


def test_losses_are_those_of_the_paper():
    model, batch = make(), {name: tf.constant(column) for name, column in images(3).items()}
    terms = model.loss_terms(batch, Step(seeds.as_pair(5), training=False))
    a, b = (batch[name].numpy() / 4.0 - 1.0 for name in ("a", "b"))

    def to_b(x):
        return np.tanh(model.generator_ab(x))

    def to_a(x):
        return np.tanh(model.generator_ba(x))

    def mean(x):
        return np.mean(x, axis=tuple(range(1, x.ndim)))

    d_a, d_b = (lambda x, net=net: net(x).numpy() for net in (model.discriminator_a, model.discriminator_b))
    cycle = mean(abs(to_a(to_b(a)) - a)) + mean(abs(to_b(to_a(b)) - b))
    identity = mean(abs(to_a(a) - a)) + mean(abs(to_b(b) - b))
    generator = mean((d_b(to_b(a)) - 1.0) ** 2) + mean((d_a(to_a(b)) - 1.0) ** 2)
    by_hand = {
        "cycle": cycle,
        "identity": identity,
        "generator_loss": generator + 10.0 * cycle + 5.0 * identity,
        "discriminator_loss": 0.5 * (mean((d_b(b) - 1.0) ** 2) + mean(d_b(to_b(a)) ** 2))
        + 0.5 * (mean((d_a(a) - 1.0) ** 2) + mean(d_a(to_a(b)) ** 2)),
    }
    by_hand["loss"] = by_hand["discriminator_loss"] + by_hand["generator_loss"]
    assert set(terms) == set(by_hand) == set(model.terms)
    for name, value in by_hand.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, err_msg=name)


def test_networks_of_the_paper():
    """Section 7.2: c7s1-64, d128, d256, nine blocks of R256 (six below 256 pixels), u128, u64, c7s1-3."""
    net = make(filters=4, num_blocks=None).generator_ab
    assert [layer.filters for layer in (net.first, *net.halving, *net.doubling, net.last)] == [4, 8, 16, 8, 4, 1]
    assert [layer.strides for layer in (*net.halving, *net.doubling)] == [(2, 2)] * 4
    assert len(net.blocks) == 6
    assert {layer.filters for block in net.blocks for layer in block} == {16}
    assert all(layer.kernel_size == (3, 3) for layer in (*net.halving, *net.doubling, *net.blocks[0]))


def test_images_are_reflected_at_their_borders():
    x = tf.random.stateless_normal((2, 8, 9, 3), (0, 1))
    np.testing.assert_array_equal(reflected(x, 3), np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), "reflect"))
    assert make().generator_ab.padded is reflected
    assert reflected(x[:0], 3).shape == (0, 14, 15, 3)


def test_the_generators_move_first_and_the_discriminators_see_translations_from_before():
    batch = {name: tf.constant(column) for name, column in images(2).items()}
    one, two = make(), make()
    for model in (one, two):
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    one.take_step(batch, Step(seeds.as_pair(7), training=True))

    step = Step(seeds.as_pair(7), training=True)
    fakes = two.fakes(batch, step)
    discriminators = two.discriminator_a.trainable_variables + two.discriminator_b.trainable_variables
    before = [variable.numpy() for variable in discriminators]
    two.take_phase("generator", lambda: two.generator_terms(batch, two.fakes(batch, step), step), step)
    assert_same_weights(discriminators, before)
    two.take_phase("discriminator", lambda: two.discriminator_terms(batch, fakes, step), step)
    assert any(np.any(variable != old) for variable, old in zip(discriminators, before, strict=True))
    assert_same_weights(one.trainable_weights, two.trainable_weights, rtol=1e-4, atol=1e-5)
    # With room for two, the pool holds the two translations.
    np.testing.assert_allclose(one.pool_b.images, fakes["b"], atol=1e-6)
    assert int(one.pool_a.count) == 2


def exchanged(pool, values, seed):
    """Returns what a pool of numbers shows for some, as a step does."""
    step = Step(seeds.as_pair(seed), training=True)
    shown = pool.exchange(tf.constant(values, tf.float32)[:, tf.newaxis], step)
    step.apply()
    return shown.numpy()[:, 0]


def test_a_pool_does_what_its_loop_says():
    """As in the authors' code: image after image, with the same draws."""
    pool, kept = ImagePool(4, (1,)), []
    for number in range(12):
        values = 10.0 * number + np.arange(5)
        choice_seed, place_seed = tf.unstack(tf.random.split(seeds.as_pair(number), 2))
        swaps = seeds.uniform((5,), choice_seed).numpy() < 0.5
        places = tf.random.stateless_uniform((5,), place_seed, maxval=4, dtype=tf.int32, alg="philox").numpy()
        expected = []
        for value, swap, place in zip(values, swaps, places, strict=True):
            if len(kept) < 4:
                kept.append(value)
                expected.append(value)
            elif swap:
                expected.append(kept[place])
                kept[place] = value
            else:
                expected.append(value)
        np.testing.assert_array_equal(exchanged(pool, values, number), expected)
        np.testing.assert_array_equal(pool.images[:, 0], kept)
    assert int(pool.count) == 4


def test_half_of_what_a_full_pool_shows_is_from_earlier():
    pool = ImagePool(50, (1,))
    np.testing.assert_array_equal(exchanged(pool, np.arange(50.0), 0), np.arange(50.0))
    ages = []
    for number in range(1, 21):
        values = 100.0 * number + np.arange(100.0)
        ages.extend(values - exchanged(pool, values, number))
    old = np.mean(np.array(ages) != 0.0)
    # Four standard errors of 2,000 draws.
    assert abs(old - 0.5) < 4.0 * 0.5 / 2000**0.5


def test_an_evaluation_leaves_the_pool_alone():
    model, batch = make(), images(4)
    model.compile(run_eagerly=True)
    model.evaluate(batch, verbose=0)
    assert int(model.pool_a.count) == 0
    model.train_on_batch(batch)
    assert int(model.pool_a.count) == 2
    without = make(pool_size=0)
    without.compile(run_eagerly=True)
    without.train_on_batch(batch)


def test_translations_both_ways():
    model = CycleGAN((8, 12, 1), (8, 12, 3), LEVELS, filters=2, num_blocks=1, identity_weight=0.0)
    assert "identity" not in model.terms
    a, b = (model.spaces[name].examples(2) for name in ("a", "b"))
    assert model.translate(a).shape == (2, 8, 12, 3)
    back = model.translate_back(b)
    assert np.all(model.spaces["a"].contains(back))
    np.testing.assert_array_equal(back, np.clip(np.round(4.0 * np.tanh(model.generator_ba(b / 4.0 - 1.0)) + 4.0), 0, 8))
    rows = model.preview({"a": a, "b": b}, seed=0)
    np.testing.assert_array_equal(rows["again"][1], model.translate_back(model.translate(a)))
    np.testing.assert_array_equal(rows["back: again"][1], model.translate(back))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"shape_a": (6, 8, 1)},
            r"`shape_a` must have sides that are multiples of 4, at least 8; received \(6, 8, 1\)",
        ),
        ({"shape_b": (8, 12, 1)}, r"`shape_b` must have the sides of `shape_a`, \(8, 8\); received \(8, 12, 1\)"),
        ({"shape_b": (8, 8, 3)}, r"`identity_weight` must be 0 for images of 1 and of 3 channels, received 0\.5"),
        ({"pool_size": -1}, "`pool_size` must be at least 0, received -1"),
    ],
)
def test_wrong_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        CycleGAN(**{"shape_a": SHAPE, "shape_b": SHAPE, **arguments})
