"""Pix2Pix: contracts, its losses by hand, its noise, and what its discriminator sees."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import TranslationContract, assert_same_weights, randomise

from keras_gen import export, seeds
from keras_gen.core import Step
from keras_gen.translation import Pix2Pix
from keras_gen.translation.base import TranslationModel

SHAPE, LEVELS = (8, 8, 1), 9


def pairs(num=32):
    source = np.random.default_rng(0).integers(0, LEVELS, (num, *SHAPE)).astype(np.float32)
    return {"source": source, "target": LEVELS - 1 - source}


def make(**options):
    return randomise(Pix2Pix(SHAPE, SHAPE, LEVELS, **{"filters": 2, **options}))


class TestContract(TranslationContract):
    """Every argument away from its default."""

    passes = 6
    argument_bases = (TranslationModel,)

    def make_data(self):
        source = np.random.default_rng(0).integers(0, LEVELS, (32, 4, 8, 1)).astype(np.float32)
        return {"source": source, "target": np.repeat(np.repeat(source, 2, 1), 3, -1)}

    def make_model(self, **changes):
        options = {
            "levels": LEVELS,
            "filters": 3,
            "receptive_field": 16,
            "l1_weight": 5.0,
            "objective": {"name": "least_squares", "fake": 0.0, "wanted": 1.0},
            "normalization": "batch",
            "dropout": 0.3,
            "seed": 4,
            "name": "pairs",
        }
        return Pix2Pix((4, 8, 1), (8, 8, 3), **{**options, **changes})


def test_losses_are_those_of_the_paper():
    model, batch = make(), {name: tf.constant(column) for name, column in pairs(3).items()}
    step = Step(seeds.as_pair(5), training=True)
    terms = model.loss_terms(batch, step)
    x, y = (batch[name].numpy() / 4.0 - 1.0 for name in ("source", "target"))
    fakes = np.tanh(model.generator(x, dropout_seed=seeds.as_pair(5)))
    real, fake = (model.discriminator(np.concatenate([x, image], -1)).numpy() for image in (y, fakes))
    assert real.shape == (3, *model.discriminator.patches_shape)
    l1 = np.abs(y - fakes).mean(axis=(1, 2, 3))
    by_hand = {
        "l1": l1,
        "discriminator_loss": 0.5 * (np.log1p(np.exp(-real)) + np.log1p(np.exp(fake))).mean(axis=(1, 2)),
        "generator_loss": np.log1p(np.exp(-fake)).mean(axis=(1, 2)) + 100.0 * l1,
    }
    by_hand["loss"] = by_hand["discriminator_loss"] + by_hand["generator_loss"]
    assert set(terms) == set(by_hand)
    for name, value in by_hand.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, err_msg=name)


def test_a_step_moves_the_discriminator_and_then_the_generator_on_the_same_translations():
    """As two separate steps do that draw the same dropout."""
    import keras

    batch = {name: tf.constant(column) for name, column in pairs(3).items()}
    one, two = make(), make()
    for model in (one, two):
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    step = Step(seeds.as_pair(7), training=True)
    one.take_step(batch, step)

    def again():
        return two.fakes(batch, Step(seeds.as_pair(7), training=True))

    two.take_phase("discriminator", lambda: two.discriminator_terms(batch, again(), step), step)
    assert_same_weights(one.discriminator.weights, two.discriminator.weights, rtol=1e-4, atol=1e-6)
    two.take_phase("generator", lambda: two.generator_terms(batch, again(), step), step)
    assert_same_weights(one.weights, two.weights, rtol=1e-4, atol=1e-5)


def test_dropout_is_the_noise_and_follows_a_seed():
    model = make()
    source = pairs(2)["source"]
    drawn = model.sample_translations(source, 3, seed=1).numpy()
    assert drawn.shape == (2, 3, *SHAPE)
    np.testing.assert_array_equal(drawn, model.sample_translations(source, 3, seed=1))
    assert np.any(drawn[:, 0] != drawn[:, 1])
    assert np.any(drawn != model.sample_translations(source, 3, seed=2))
    np.testing.assert_array_equal(model.translate(source), model.translate(source))
    plain = make(dropout=0.0)
    np.testing.assert_array_equal(plain.sample_translations(source, 1, seed=1)[:, 0], plain.translate(source))
    with pytest.raises(ValueError, match="`num_samples` must be at least 1, received 0"):
        model.sample_translations(source, 0)


def test_files_with_rounded_weights_are_smaller_and_agree(tmp_path):
    """Wide enough for the weights to be what a file holds."""
    model = randomise(Pix2Pix(SHAPE, SHAPE, 256, filters=32))
    graphs, sizes = export.Graphs(model), {}
    for kind in (None, "float16", "int8"):
        report = export.litert(graphs, tmp_path / f"{kind}.tflite", quantize=kind)
        assert set(report) == {"translate"}
        found = report["translate"]["target"]
        assert found["value"] <= found["bound"]
        assert found["largest_difference"] <= {None: 1.0, "float16": 3.0, "int8": 60.0}[kind]
        sizes[kind] = (tmp_path / f"{kind}.tflite").stat().st_size
    assert sizes["float16"] < 0.55 * sizes[None]
    assert sizes["int8"] < 0.35 * sizes[None]


def test_real_numbers_need_no_tanh_and_any_size_can_be_built():
    model = Pix2Pix((5, 7, 2), (5, 7, 1), None, filters=2)
    x = 100.0 * np.ones((1, 5, 7, 2), np.float32)
    assert model.translate(x).shape == (1, 5, 7, 1)
    assert Pix2Pix((1, 1, 1), (4, 2, 1), filters=1).translate(np.ones((1, 1, 1, 1))).shape == (1, 4, 2, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (((8, 8), (8, 8, 1)), r"`source_shape` must be \(height, width, channels\), received \(8, 8\)\."),
        (((8, 8, 1), (12, 8, 1)), r"`target_shape` must have sides that are whole multiples .*received \(12, 8, 1\)"),
    ],
)
def test_wrong_shapes(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Pix2Pix(*arguments)


def test_a_receptive_field_must_be_one_of_a_network():
    with pytest.raises(ValueError, match=r"`receptive_field` must be one of 1, 7, 16, 34, 70, .*, received 50"):
        make(receptive_field=50)
    with pytest.raises(ValueError, match=r"`receptive_field` must be smaller for images of \(8, 8\)"):
        make(receptive_field=142)
