"""GAN-INT-CLS: its losses by hand, mismatches that are none by accident, and images that follow their caption."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from contracts import AdversarialContract, randomise, traced
from contracts.conditions import ConditionContract
from contracts.replicas import distributed, two_replicas

from keras_gen import export
from keras_gen.adversarial import TextToImageGAN
from keras_gen.adversarial.text_to_image_gan import others
from keras_gen.core import Step
from keras_gen.networks import JointEmbedding

SHAPE, LEVELS = (8, 8, 1), 9
WORDS = ("a", "dark", "light", "image", "upper", "half")
CAPTIONS = ("a dark image", "a light image", "upper half dark", "", "a bird", "dark upper half")


def make(**options):
    defaults = {
        "words": WORDS,
        "num_tokens": 5,
        "num_classes": 3,
        "code_size": 6,
        "text_features": 8,
        "text_units": 4,
        "latent_size": 3,
        "filters": (4,),
    }
    return TextToImageGAN(SHAPE, **{"levels": LEVELS, **defaults, **options})


def batch_of(num, classes=3):
    random = np.random.default_rng(0)
    return {
        "x": tf.constant(random.integers(0, LEVELS, (num, *SHAPE)), tf.float32),
        "condition": tf.constant([CAPTIONS[index % len(CAPTIONS)] for index in range(num)]),
        "label": tf.constant(np.arange(num) % classes, tf.int32),
    }


def step_of(seed, training=False):
    return Step(tf.constant([0, seed]), training=training)


class TestContract(AdversarialContract, ConditionContract):
    """Every argument away from its default."""

    passes = 4
    event_shape = SHAPE

    def make_model(self, **changes):
        options = {
            "latent_distribution": "uniform",
            "interpolation_weight": 0.5,
            "interpolation": 0.25,
            "discriminator_batch_norm": False,
            "spectral_norm": True,
            "seed": 5,
            "name": "players",
        }
        return make(**{**options, **changes})


# Text


def test_codes_know_order_and_ignore_case_and_punctuation():
    model = make()
    codes = model.condition_vectors(
        model.tokens(tf.constant(["dark upper half", "upper half dark", "DARK, upper; half!", "half dark upper"]))
    )
    np.testing.assert_array_equal(codes[0], codes[2])
    for other in (codes[1], codes[3]):
        assert np.abs(codes[0] - other).max() > 0.05


def test_unseen_words_empty_and_long_captions_have_an_answer():
    """One unknown word is as good as another; an empty caption has an image; the first words count."""
    model = randomise(make())
    captions = ["a bird image", "a fish image", "", "...", "a dark image upper half light", "a dark image upper half"]
    x = model.generate({"z": tf.zeros((6, 3))}, captions).numpy()
    assert np.all(np.isfinite(x))
    for first, second in ((0, 1), (2, 3), (4, 5)):
        np.testing.assert_array_equal(x[first], x[second])
    assert np.any(x[0] != x[2])
    with pytest.raises(ValueError, match=r"`condition` holds the value .aaa.*; expected strings of at most 1000 char"):
        model.sample(1, condition=["a" * 1001])


def test_strings_token_ids_and_codes_are_the_same_condition():
    model = randomise(make())
    z, captions = {"z": model.noise(6, 0)["z"]}, list(CAPTIONS)
    tokens = model.tokenizer(captions)
    np.testing.assert_array_equal(model.generate(z, captions), model.generate(z, tokens))
    np.testing.assert_array_equal(model.generate(z, captions), model.generate(z, tokens.numpy().tolist()))
    codes = model.condition_vectors(tokens)
    np.testing.assert_array_equal(model.unrounded(z, tf.constant(captions)), model.unrounded(z, codes))
    with pytest.raises(ValueError, match="`condition` holds the value 8; expected whole token ids from 0 to 7"):
        model.generate({"z": z["z"][:1]}, [[8, 0, 0, 0, 0]])


# Mismatches


@pytest.mark.parametrize("num", [2, 7])
def test_mismatches_are_of_another_class(num):
    """All rows of another class are equally likely, and no other ones."""
    labels = np.arange(num) % 3 // 2 if num > 2 else np.array([0, 1])
    differs = labels[:, None] != labels
    chosen = np.zeros((num, num))
    for seed in range(100):
        found = others(tf.eye(num), tf.constant(differs), step_of(seed)).numpy()
        chosen += found
    assert np.all(chosen[~differs] == 0.0)
    expected = 100.0 / differs.sum(axis=1, keepdims=True) * differs
    assert np.all(abs(chosen - expected) < 4.5 * np.sqrt(expected) + 1e-9)


def test_mismatches_are_of_another_class_on_replicas():
    """Whose rows may all be of one class: captions come from the global batch."""
    labels = np.array([0, 0, 0, 1, 1], np.int32)
    batch = {"label": labels, "codes": np.eye(5, dtype=np.float32)}
    one = others(tf.eye(5), tf.constant(labels[:, None] != labels), step_of(3)).numpy()

    def chosen(rows):
        step = step_of(3)
        differs = tf.not_equal(rows["label"][:, tf.newaxis], step.gather(rows["label"])[tf.newaxis])
        return others(rows["codes"], differs, step)

    for sizes in ((3, 2), (1, 4)):
        found = two_replicas().run(tf.function(chosen), args=(distributed(batch, sizes),))
        np.testing.assert_array_equal(np.concatenate(two_replicas().experimental_local_results(found)), one)
    assert np.all((one @ labels) == 1 - labels)


# Objective


def probabilities(model, x, codes):
    return tf.sigmoid(model.logits(x, codes)).numpy().astype(np.float64)


def test_the_losses_are_their_formulas():
    model, batch, step = randomise(make(interpolation_weight=0.7, interpolation=0.3)), batch_of(6), step_of(1)
    codes = model.condition_vectors(batch["condition"])
    fakes = model.fakes(batch, step)
    found = model.discriminator_terms(batch, fakes, step)
    # The caption of the mismatch of each row, by the same draws.
    differs = batch["label"].numpy()[:, None] != batch["label"].numpy()
    mismatched = others(codes, tf.constant(differs), step.fold(2))
    real, fake, wrong = (
        probabilities(model, x, text)
        for x, text in ((batch["x"], codes), (fakes["x"], codes), (batch["x"], mismatched))
    )
    expected = -np.log(real) - 0.5 * np.log(1.0 - wrong) - 0.5 * np.log(1.0 - fake)
    np.testing.assert_allclose(found["discriminator_loss"], expected, rtol=1e-4)
    for name, value in {"real": real, "fake": fake, "mismatched": wrong}.items():
        np.testing.assert_allclose(found[f"{name}_probability"], value, rtol=1e-4)

    found = model.generator_terms(batch, fakes, step)
    choice, noise, _ = step.fold(2).split(3)
    partners = others(codes, tf.constant(~np.eye(6, dtype=bool)), choice).numpy()
    assert not np.any([np.array_equal(ours, theirs) for ours, theirs in zip(codes.numpy(), partners, strict=True)])
    between = 0.3 * codes + 0.7 * partners
    x = model.unrounded(model.noise(6, noise.seed), between)
    expected = -np.log(fake) - 0.7 * np.log(probabilities(model, x, between))
    np.testing.assert_allclose(found["generator_loss"], expected, rtol=1e-4)


def test_without_interpolation_the_generator_has_the_plain_loss():
    model, batch = randomise(make(interpolation_weight=0.0)), batch_of(4)
    fakes = model.fakes(batch, step_of(1))
    fake = probabilities(model, fakes["x"], model.condition_vectors(batch["condition"]))
    found = model.generator_terms(batch, fakes, step_of(1))
    np.testing.assert_allclose(found["generator_loss"], -np.log(fake), rtol=1e-4)


def test_where_all_are_of_one_class_the_generated_image_counts_twice():
    model, batch = randomise(make()), batch_of(4, classes=1)
    fakes = model.fakes(batch, step_of(1))
    found = model.discriminator_terms(batch, fakes, step_of(1))
    codes = model.condition_vectors(batch["condition"])
    real, fake = (probabilities(model, x, codes) for x in (batch["x"], fakes["x"]))
    np.testing.assert_allclose(found["discriminator_loss"], -np.log(real) - np.log(1.0 - fake), rtol=1e-4)


def test_without_classes_a_mismatch_has_other_words():
    model, batch = randomise(make(num_classes=None)), batch_of(8)
    assert set(model.spaces) == {"x", "condition"}
    # Rows 0 and 6, and 1 and 7, have the same captions.
    tokens = model.tokens(batch["condition"]).numpy()
    differs = np.any(tokens[:, None] != tokens, axis=-1)
    assert not differs[0, 6]
    assert differs.sum() == 8 * 8 - 8 - 4
    codes = model.condition_vectors(batch["condition"])
    mismatched = others(codes, tf.constant(differs), step_of(1).fold(2))
    found = model.discriminator_terms(batch, model.fakes(batch, step_of(1)), step_of(1))
    expected = probabilities(model, batch["x"], mismatched)
    np.testing.assert_allclose(found["mismatched_probability"], expected, rtol=1e-4)


# The first stage


def test_the_text_encoder_is_that_of_the_joint_embedding_and_stays():
    joint = JointEmbedding(SHAPE, WORDS, LEVELS, num_tokens=5, code_size=6, text_features=8, filters=(3,), seed=1)
    model = make()
    model.take_text_encoder(joint)
    tokens = model.tokenizer(list(CAPTIONS))
    codes = model.condition_vectors(tokens)
    np.testing.assert_allclose(codes, 6**0.5 * joint.text_codes(tokens), rtol=1e-5)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    model.train_on_batch(batch_of(4))
    np.testing.assert_array_equal(model.condition_vectors(tokens), codes)
    for changes in ({"words": WORDS[:-1]}, {"code_size": 7}, {"num_tokens": 4}, {"text_features": 3}):
        (name,) = changes
        with pytest.raises(ValueError, match=f"`joint` must have the same {name}, .*; received"):
            make(**changes).take_text_encoder(joint)


# Learning, and leaving the laptop


def test_images_follow_their_caption():
    random = np.random.default_rng(0)
    upper, lower = random.integers(2, size=(2, 512))
    halves = np.stack([upper, lower], axis=1).repeat(4, axis=1)[:, :, None, None]
    x = 6 * halves + random.integers(0, 3, (512, *SHAPE))
    names = ("dark", "light")
    captions = [f"upper half {names[u]}, {names[v]}" for u, v in zip(upper, lower, strict=True)]
    label = (2 * upper + lower).astype(np.int32)
    model = make(num_classes=4, filters=(16,), text_units=16, text_features=16, code_size=16, seed=1)
    model.compile(keras.optimizers.Adam(5e-3, beta_1=0.5), keras.optimizers.Adam(5e-3, beta_1=0.5))
    columns = {"x": x, "condition": np.array(captions, object), "label": label}
    model.fit(columns, batch_size=64, epochs=15, verbose=0)
    wanted = [(u, v) for u in (0, 1) for v in (0, 1)] * 20
    samples = model.sample(80, condition=[f"upper half {names[u]}, {names[v]}" for u, v in wanted], seed=0).numpy()
    found = np.stack([samples[:, :4].mean(axis=(1, 2, 3)), samples[:, 4:].mean(axis=(1, 2, 3))], axis=1) > 4.0
    assert np.mean(np.all(found == np.array(wanted, bool), axis=1)) > 0.9


def test_a_litert_file_has_its_vocabulary_beside_it(tmp_path):
    """From a string to an image with the two files alone."""
    model = randomise(make())
    with traced():
        export.litert(model, tmp_path / "model.tflite")
    # What docs/adversarial_networks.md shows.
    import re

    vocabulary = json.loads((tmp_path / "model.words.json").read_text(encoding="utf-8"))
    ids = {word: index for index, word in enumerate(vocabulary["words"], 2)}
    words = re.findall(r"[^\W_]+", "A dark (small) image".lower())[: vocabulary["num_tokens"]]
    tokens = np.full((1, vocabulary["num_tokens"]), vocabulary["padding"], np.int32)
    tokens[0, : len(words)] = [ids.get(word, vocabulary["unknown"]) for word in words]
    z = np.random.default_rng(0).standard_normal((1, 3), np.float32)
    found = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner("generate")(z=z, tokens=tokens)["x"]
    np.testing.assert_allclose(found, model.generate({"z": z}, ["A dark (small) image"]), atol=1.0)
    assert np.mean(found == model.generate({"z": z}, ["a dark bird image"])) > 0.95


def test_served_samples_take_strings(tmp_path):
    model = randomise(make())
    with traced():
        path = export.saved_model(model, tmp_path / "served")
        loaded = tf.saved_model.load(str(path))
        served = loaded.sample(condition=tf.constant(CAPTIONS), seed=tf.constant(3))["x"]
        np.testing.assert_allclose(served, model.sample(6, condition=CAPTIONS, seed=3), atol=1e-4)
