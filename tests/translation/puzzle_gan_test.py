"""Puzzle-GAN: contracts, its losses and composites by hand, and that the order of parts does not matter."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import TrainingContract, randomise

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.data.parts import cut, key_corners, mask_of
from keras_gen.translation import PuzzleGAN

SHAPE, LEVELS = (8, 8, 1), 9


def make(**options):
    sizes = {"levels": LEVELS, "filters": (3,), "code_size": 4, "latent_size": 2}
    return randomise(PuzzleGAN(SHAPE, **{**sizes, **options}))


def puzzles(num, shape=SHAPE, num_parts=3, size=2):
    """Images with a bright rectangle somewhere, their parts and masks."""
    random = np.random.default_rng(0)
    x = random.integers(0, 2, (num, *shape)).astype(np.float32)
    for image, row, column in zip(x, *random.integers(0, 4, (2, num)), strict=True):
        image[row : row + 3, column : column + 4] = 8.0
    corners = key_corners(tf.constant(x), num_parts, size)
    mask = mask_of(corners, size, shape[:2])
    return {"parts": cut(x, corners, size).numpy(), "x": x, "mask": mask.numpy()}


class TestContract(TrainingContract):
    """Every argument away from its default; an image of two channels and unequal sides."""

    falling_term = "mask_l1"
    passes = 6

    def make_data(self):
        return puzzles(32, (8, 7, 2), 2, 3)

    def make_model(self, **changes):
        options = {
            "levels": LEVELS,
            "num_parts": 2,
            "part_size": 3,
            "code_size": 5,
            "latent_size": 3,
            "filters": (2, 3),
            "l1_weights": (0.5, 0.1),
            "decay_steps": 20,
            "discriminator_steps": 1,
            "seed": 4,
            "name": "puzzle",
        }
        return PuzzleGAN((8, 7, 2), **{**options, **changes})

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.Adam(5e-3), keras.optimizers.Adam(1e-3), **arguments)
        return model

    def outputs(self, model, seed):
        """Images and masks, not rounded; and what D says of the images, so that its weights show, too."""
        mask, image = model.completed(model.spaces["parts"].examples(3, (seed, 0)), model.noise(3, seed)["z"])
        return tf.concat([mask, image, model.logits(image)[:, None, None, None] * tf.ones_like(mask)], axis=-1)


def test_losses_are_those_of_the_paper():
    """Distances are sums, and λ falls as a geometric sequence, here half of the way from 0.4 to 0.1."""
    model = make(l1_weights=(0.4, 0.1), decay_steps=6)
    batch = {name: tf.constant(column) for name, column in puzzles(3).items()}
    step = Step(seeds.as_pair(5), training=True, iteration=tf.constant(3, tf.int64))
    terms = step.record(lambda: model.loss_terms(batch, step), [])
    fakes = model.fakes(batch, Step(seeds.as_pair(5), training=True))
    x, m = batch["x"].numpy() / 4.0 - 1.0, batch["mask"].numpy()
    other = x[[1, 2, 0]]
    images = [x, fakes["x"].numpy(), m * x + (1 - m) * other, m * other + (1 - m) * x]
    # The discriminator of one layer has no normalization: it sees each image alone.
    real, fake, real_part, shuffled_part = (model.discriminator(image).numpy()[:, 0] for image in images)
    mask_l1 = np.abs(fakes["mask"] - m).sum(axis=(1, 2, 3))
    appearance_l1 = np.abs(fakes["mask"] * fakes["x"] - m * x).sum(axis=(1, 2, 3))
    negatives = sum(np.log1p(np.exp(logits)) for logits in (fake, real_part, shuffled_part))
    by_hand = {
        "mask_l1": mask_l1,
        "appearance_l1": appearance_l1,
        "discriminator_loss": np.log1p(np.exp(-real)) + negatives,
        "generator_loss": np.log1p(np.exp(-fake)) + 0.2 * (mask_l1 + appearance_l1),
    }
    by_hand["loss"] = by_hand["discriminator_loss"] + by_hand["generator_loss"]
    assert set(terms) == set(by_hand) == set(model.terms)
    for name, value in by_hand.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, err_msg=name)


def test_composites_are_made_of_an_image_and_the_next_one():
    model, random = make(), np.random.default_rng(0)
    x = tf.constant(random.standard_normal((3, *SHAPE)), tf.float32)
    mask = np.zeros((3, *SHAPE), np.float32)
    mask[:, 2:5, 3:6] = 1.0
    step = Step(seeds.as_pair(0), training=True)
    real_part, shuffled_part, has_other = (each.numpy() for each in model.composites(x, tf.constant(mask), step))
    for index in range(3):
        expected = x.numpy()[(index + 1) % 3].copy()
        expected[2:5, 3:6] = x[index, 2:5, 3:6]
        np.testing.assert_array_equal(real_part[index], expected)
        expected = x.numpy()[index].copy()
        expected[2:5, 3:6] = x[(index + 1) % 3, 2:5, 3:6]
        np.testing.assert_array_equal(shuffled_part[index], expected)
    np.testing.assert_array_equal(has_other, 1.0)
    # An image amid itself is a real one, which D must not learn to refuse.
    np.testing.assert_array_equal(model.composites(x[:1], tf.constant(mask[:1]), step)[2], 0.0)


def test_the_weight_of_the_distances_falls_as_the_paper_says():
    """As its logarithm: 25 epochs from 1e-2 to 1e-4, here of the sum over 64 images."""
    model = make(decay_steps=24)
    weights = [model.l1_weight(Step(seeds.as_pair(0), training=True, iteration=step)) for step in range(25)]
    np.testing.assert_allclose(weights, 64.0 * np.logspace(-2, -4, 25), rtol=1e-5)
    assert float(model.l1_weight(Step(seeds.as_pair(0), training=True, iteration=99))) == pytest.approx(0.0064)
    assert model.l1_weight(Step(seeds.as_pair(0), training=False)) == 0.0064


def test_the_order_of_parts_does_not_matter():
    model = make(filters=(3, 4))
    parts = puzzles(4)["parts"]
    noise = model.noise(4, seed=0)["z"]
    before = (*model.completed(parts, noise), model.locate(parts), model.complete(parts, seed=1))
    for order in ([2, 1, 0], [1, 2, 0]):
        other = parts[:, order]
        after = (*model.completed(other, noise), model.locate(other), model.complete(other, seed=1))
        for ours, theirs in zip(before, after, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5)
    # Also in a step of training, whose batch normalization sees all parts together.
    step = Step(seeds.as_pair(3), training=True)
    ours, theirs = (step.record(lambda p=p: model.completed(p, noise, step), []) for p in (parts, parts[:, [2, 0, 1]]))
    for each, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(each, other, rtol=1e-4, atol=1e-5)
    # Yet every part matters, as does the pixel in it.
    for index in range(3):
        changed = parts.copy()
        changed[:, index, 0, 0] = 8.0 - changed[:, index, 0, 0]
        assert np.any(model.locate(changed) != before[2])


def test_codes_are_sums_over_parts():
    model = make(filters=(3, 4))
    parts = model.spaces["parts"].scaled(puzzles(4)["parts"])
    encoder = model.generator.encoder
    features, code = encoder(parts)
    alone = [encoder(parts[:, index : index + 1]) for index in range(3)]
    np.testing.assert_allclose(code, sum(each[1] for each in alone), rtol=1e-4, atol=1e-5)
    for number, feature in enumerate(features):
        np.testing.assert_allclose(feature, sum(each[0][number] for each in alone), rtol=1e-4, atol=1e-5)


def test_masks_are_from_0_to_1_and_completions_follow_their_seed():
    model = make()
    parts = puzzles(3)["parts"]
    mask = model.locate(parts).numpy()
    assert mask.shape == (3, 8, 8, 1)
    assert mask.min() >= 0.0
    assert mask.max() <= 1.0
    x = model.complete(parts, seed=1)
    assert np.all(model.spaces["x"].contains(x))
    np.testing.assert_array_equal(x, model.complete(parts, seed=1))
    np.testing.assert_array_equal(x, model.generate(model.noise(3, 1), parts))
    np.testing.assert_array_equal(model.predict(parts, verbose=0), model.complete(parts, seed=0))
    assert np.any(x != model.complete(parts, seed=2))
    assert np.any(model.complete(parts) != model.complete(parts))


def test_a_preview_shows_parts_completions_and_masks():
    model, batch = make(), {name: tf.constant(column) for name, column in puzzles(5).items()}
    rows = model.preview(batch, seed=3)
    assert list(rows) == ["part 1", "part 2", "part 3", "output", "target", "mask", "true mask"]
    for space, shown in rows.values():
        assert shown.shape == (5, *space.shape)
        assert np.all(space.contains(shown))
    np.testing.assert_array_equal(rows["part 2"][1], batch["parts"][:, 1])
    np.testing.assert_array_equal(rows["output"][1], model.complete(batch["parts"], seed=3))
    np.testing.assert_array_equal(rows["target"][1], batch["x"])


def test_a_model_cuts_parts_as_a_set_with_parts_does():
    model, expected = make(), puzzles(5)
    found = model.puzzles(expected["x"])
    assert list(found) == list(model.spaces)
    for name, column in found.items():
        assert column.dtype == tf.float32
        np.testing.assert_array_equal(column, expected[name])


def test_real_numbers_need_no_tanh():
    model = make(levels=None)
    model.generator.image_decoder.doubling[-1].bias.assign([100.0])
    assert np.all(model.complete(np.zeros((1, 3, 2, 2, 1)), seed=0) > 1.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"event_shape": (8, 8)}, r"`event_shape` must be \(height, width, channels\), received \(8, 8\)"),
        ({"part_size": 9}, r"`part_size` must be at most 8 for images of \(8, 8\), received 9"),
        ({"num_parts": 0}, "`num_parts` must be at least 1, received 0"),
        ({"l1_weights": (1.0,)}, r"`l1_weights` must be two numbers, the first and the last, received \(1.0,\)"),
        ({"l1_weights": (1.0, 0.0)}, "`l1_weights` must be greater than 0, received 0.0"),
        ({"filters": ()}, r"`filters` must have at least one entry, received \(\)"),
    ],
)
def test_wrong_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        PuzzleGAN(**{"event_shape": SHAPE, **arguments})
