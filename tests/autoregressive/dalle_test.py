"""Tests of DALL-E: masses by enumeration, the text's part, guidance, padding, and completion."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    AutoregressiveContract,
    CodesContract,
    ConditionContract,
    DiscreteDensityContract,
    EstimatesContract,
    ModelContract,
    draw,
    randomise,
)

from keras_gen.autoregressive import DALLE
from keras_gen.autoregressive.dalle import CodesGivenText, in_patches
from keras_gen.core import Step
from keras_gen.latent import VQVAE

WORDS = ("a", "thin", "thick", "three", "two")

TRANSFORMER = {
    "num_tokens": 4,
    "num_layers": 1,
    "width": 12,
    "num_heads": 3,
    "feedforward_units": 7,
    "dropout": 0.1,
    "caption_dropout": 0.2,
    "text_weight": 0.25,
    "seed": 5,
    "name": "transformer",
}

#: Of images of 4×2 bits; its codes are two numbers below 3.
AUTOENCODER = {"num_codes": 3, "code_size": 2, "filters": (4,), "codebook": "gradient"}


def captioned_codes():
    """Codes that the caption tells: rows of 0s for one of two words, and of 1s and 2s for the other."""
    which = np.random.default_rng(0).integers(0, 2, 40)
    x = np.where(which[:, np.newaxis], [0, 0, 0, 0], [1, 2, 1, 2]).reshape(-1, 2, 2, 1)
    return {"x": x, "condition": np.array(["a thick two", "a thin three"], object)[which]}


class TestCodes(ModelContract, ConditionContract, DiscreteDensityContract, AutoregressiveContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        return CodesGivenText(**{"event_shape": (2, 2, 1), "words": WORDS, "levels": 3, **TRANSFORMER, **changes})

    def make_data(self):
        return captioned_codes()

    def make_enumerable(self):
        return self.make_model()


def autoencoder():
    """A VQ-VAE whose three codes are far apart, and which encodes images as different ones."""
    model = randomise(VQVAE((4, 2, 1), prior={"filters": 2, "num_layers": 1}, **AUTOENCODER))
    x = np.random.default_rng(0).integers(0, 2, (20, 4, 2, 1)).astype(np.float32)
    vectors = model.vectors(tf.constant(x)).numpy().reshape(-1, 2)
    model.quantizer.codebook.assign(vectors[np.argsort(vectors[:, 0])[[2, 20, -3]]])
    return model


class TestImages(ModelContract, ConditionContract, EstimatesContract, CodesContract):
    def make_model(self, **changes):
        return DALLE(**{"autoencoder": autoencoder(), "words": WORDS, **TRANSFORMER, **changes})

    def make_data(self):
        random = np.random.default_rng(0)
        bits = np.broadcast_to(random.integers(0, 2, (40, 1, 1, 1)), (40, 4, 2, 1)).copy()
        return {"x": bits, "condition": np.array(["a thick two", "a thin three"], object)[bits[:, 0, 0, 0]]}

    def make_known(self):
        """A model that is sure of the code of every image, so that the bound is near."""
        model = self.make_model(autoencoder=sure_autoencoder())
        model.transformer.code_head.bias.assign([9.0, 0.0, 0.0])
        x, _, joint = joint_masses(model, model.condition_space.examples(1)[0].numpy().decode())
        return model, x[:1], np.log(np.exp(joint).sum(axis=0))[:1]

    def test_event_shape_is_enough(self, model):
        """The shape is the autoencoder's."""
        plain = DALLE(autoencoder())
        assert draw(plain, 2, seed=0).shape == (2, 4, 2, 1)


def sure_autoencoder():
    """A VQ-VAE that encodes every image as the code 0."""
    model = autoencoder()
    model.quantizer.codebook.assign([[0.0, 0.0], [99.0, 99.0], [-99.0, -99.0]])
    return model


def joint_masses(model, caption):
    """Returns all 2⁸ images, all 3² codes, and log p(x, k) given a caption, of shape `(codes, images)`."""
    x = np.array(list(itertools.product([0, 1], repeat=8)), np.float32).reshape(-1, 4, 2, 1)
    codes = np.array(list(itertools.product(range(3), repeat=2))).reshape(-1, 2, 1)
    log_prior = model.code_log_prob(codes, [caption] * 9).numpy()
    given = [model.image_model.log_prob_given(tf.constant(x), tf.repeat(code[np.newaxis], 256, 0)) for code in codes]
    return x, codes, log_prior[:, np.newaxis] + np.array(given, np.float64)


@pytest.fixture(scope="module")
def codes():
    """A transformer that says different things of different captions."""
    return randomise(TestCodes().make_model(dropout=0.0), scale=1.5)


@pytest.fixture(scope="module")
def images():
    return randomise(TestImages().make_model(), scale=1.5)


# The text


def test_masses_of_all_texts_sum_to_one():
    """Every text ends with its first padding, or is full."""
    model = randomise(
        CodesGivenText((1, 2, 1), ("a", "b"), num_tokens=3, width=8, num_heads=2, num_layers=1), scale=1.5
    )
    texts = {row[: row.index(0)] if 0 in row else row for row in itertools.product(range(4), repeat=3)}
    tokens = np.array([(*text, *[0] * (3 - len(text))) for text in sorted(texts)])
    assert len(tokens) == 1 + 3 + 9 + 27
    masses = np.exp(model.text_log_prob(tokens))
    assert masses.std() > 0
    np.testing.assert_allclose(masses.sum(), 1.0, atol=1e-5)


def test_the_loss_is_the_weighted_mean_over_words_and_codes(codes):
    x, captions = np.array([[0, 1, 2, 1], [2, 2, 0, 1]]).reshape(2, 2, 2, 1), np.array(["a two", "thin a a three"])
    terms = codes.loss_terms(
        {"x": tf.constant(x, tf.float32), "condition": tf.constant(captions)}, Step(tf.constant([0, 0]), training=False)
    )
    nll, text_nll = -codes.log_prob(x, captions), -codes.text_log_prob(captions)
    np.testing.assert_allclose(terms["nll"], nll, rtol=1e-5)
    np.testing.assert_allclose(terms["text_nll"], text_nll, rtol=1e-5)
    # Two words and the end; four words, after which no end is needed.
    np.testing.assert_allclose(terms["loss"], 0.25 * text_nll / [3.0, 4.0] + 0.75 * nll / 4.0, rtol=1e-5)
    np.testing.assert_allclose(terms["bits_per_dim"], nll / 4.0 / np.log(2.0), rtol=1e-5)


def test_words_are_predicted_from_earlier_words_alone(codes):
    """The text's masses by the chain rule, one word after the other; the image does not matter."""
    x = tf.zeros((6, 2, 2, 1))
    tokens = np.array([[2, 4, 5, 0]] * 6)
    tokens[1:5, 0], tokens[5, 3] = [1, 3, 5, 6], 2
    words, _ = codes.logits(tf.constant(tokens), x)
    other, _ = codes.logits(tf.constant(tokens), x + 2.0)
    np.testing.assert_array_equal(words, other)
    # The first word changes all others; the last one, none.
    np.testing.assert_allclose(words[1:5, 0], np.repeat(words[:1, 0], 4, axis=0), rtol=1e-5)
    assert np.all(np.abs(words[1:5, 1:] - words[:1, 1:]).max(axis=-1) > 1e-4)
    np.testing.assert_allclose(words[5], words[0], rtol=1e-5)


def test_longer_padding_changes_nothing_and_order_does(codes):
    """A model of more tokens, with the same weights, says the same of captions that fit in both."""
    longer = TestCodes().make_model(num_tokens=9, dropout=0.0)
    for ours, theirs in zip(longer.weights, codes.weights, strict=True):
        if ours.shape == theirs.shape:
            ours.assign(theirs)
    longer.word_position_embedding.assign(np.concatenate([codes.word_position_embedding, np.ones((5, 12))]))
    x, captions = np.array([[0, 1, 2, 1]] * 3).reshape(3, 2, 2, 1), ["a two", "", "thin a three thick"]
    np.testing.assert_allclose(longer.log_prob(x, captions), codes.log_prob(x, captions), rtol=1e-5)
    noise = codes.noise(3, 0)
    np.testing.assert_array_equal(longer.generate(noise, captions), codes.generate(noise, captions))
    there, back, same = codes.log_prob(x, ["a thin two", "two thin a", "A  thin, two!"])
    np.testing.assert_allclose(same, there, rtol=1e-5)
    assert abs(there - back) > 1e-3


def test_unknown_empty_and_long_captions_have_an_answer(codes):
    x = np.array([[0, 1, 2, 1]] * 5).reshape(5, 2, 2, 1)
    captions = ["zebra", "gnu", "", "a two three a thin thick two two", "a two three a"]
    zebra, gnu, empty, long, cut = codes.log_prob(x, captions).numpy()
    # Rows of a batch may be rounded differently.
    assert zebra == pytest.approx(gnu, rel=1e-5)
    assert long == pytest.approx(cut, rel=1e-5)
    assert empty != pytest.approx(gnu, rel=1e-3)


# Guidance


def test_guidance_of_0_ignores_captions_and_of_1_is_the_model(codes):
    captions, none = ["a thick two", "three thin", "two"] * 30, [""] * 90
    zero = codes.sample(90, condition=captions, guidance=0.0, seed=3)
    np.testing.assert_array_equal(zero, codes.sample(90, condition=none, seed=3))
    one = codes.sample(90, condition=captions, guidance=1.0, seed=3)
    np.testing.assert_array_equal(one, codes.generate(codes.noise(90, 3), captions))
    assert np.any(one != zero)
    # A guidance that is nearly 1 takes the other way through the graph.
    np.testing.assert_array_equal(codes.sample(90, condition=captions, guidance=1.0 + 1e-6, seed=3), one)


def test_guided_draws_are_those_of_guided_logits(codes):
    """Position by position, by whole passes with and without the caption."""
    captions, noise = ["a thick two", "three thin", "two"] * 5, codes.noise(15, 4)
    drawn = codes.sample(15, condition=captions, guidance=2.5, seed=4)
    x = np.zeros((15, 4), np.float32)
    for position in range(4):
        images = tf.constant(x.reshape(15, 2, 2, 1))
        with_text, without_text = (codes.parameters(images, tf.constant(given)) for given in (captions, [""] * 15))
        logits = (without_text + 2.5 * (with_text - without_text))[:, position]
        uniform = tf.reshape(noise["uniform"], (15, 4))[:, position]
        x[:, position] = codes.conditional.draw(logits, {"uniform": uniform})
    np.testing.assert_array_equal(drawn, x.reshape(15, 2, 2, 1))


def test_dropped_captions_are_empty_ones_for_codes_and_full_ones_for_words(codes):
    tokens = codes.tokenizer(["a thick two", "three thin"])
    x = tf.constant(np.array([[0, 1, 2, 1], [1, 1, 0, 2]]).reshape(2, 2, 2, 1), tf.float32)
    words, found = codes.logits(tokens, x, given_text=tf.constant([False, True]))
    full_words, full = codes.logits(tokens, x)
    _, empty = codes.logits(tf.zeros_like(tokens), x)
    np.testing.assert_allclose(words, full_words, rtol=1e-5)
    np.testing.assert_allclose(found, [empty[0], full[1]], rtol=1e-4, atol=1e-5)


def test_the_share_of_dropped_captions_is_the_one_asked_for(codes):
    """Where captions are dropped, the loss of the codes is that of an empty caption."""
    batch = {"x": tf.zeros((400, 2, 2, 1)), "condition": tf.constant(["a thick two"] * 400)}
    terms = codes.loss_terms(batch, Step(tf.constant([0, 7]), training=True))
    full, empty = -codes.log_prob(np.zeros((2, 2, 2, 1)), ["a thick two", ""]).numpy()
    dropped = np.isclose(terms["nll"], empty, rtol=1e-4)
    np.testing.assert_allclose(terms["nll"], np.where(dropped, empty, full), rtol=1e-4)
    assert abs(dropped.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 400)
    np.testing.assert_allclose(terms["text_nll"], -codes.text_log_prob(["a thick two"] * 400), rtol=1e-4)


def test_similarity_is_what_a_caption_tells_of_codes(codes):
    """Bayes: the masses of two captions given codes differ as their similarities do."""
    x, captions = np.array([[0, 1, 2, 1]] * 2).reshape(2, 2, 2, 1), ["a thick two", "three"]
    expected = codes.log_prob(x, captions) - codes.log_prob(x, ["", ""])
    np.testing.assert_allclose(codes.similarity(x, captions), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(codes.similarity(x, ["", ""]), [0.0, 0.0], atol=1e-5)


# Images


def test_the_bound_is_the_joint_mass_with_the_code(images):
    caption = "a thick two"
    x, _, joint = joint_masses(images, caption)
    exact = np.log(np.exp(joint).sum(axis=0))
    np.testing.assert_allclose(np.exp(exact).sum(), 1.0, atol=1e-4)
    bound, _ = images.log_prob_bound(x, [caption] * 256)
    assert (bound.numpy() < exact + 1e-4).all()
    index = images.encode(x).numpy().reshape(-1, 2) @ [3, 1]
    assert len(np.unique(index)) > 2
    np.testing.assert_allclose(bound, joint[index, np.arange(256)], rtol=1e-4)


def test_the_first_stage_is_a_copy_that_training_leaves_as_it_is():
    first = autoencoder()
    model = DALLE(first, WORDS, num_layers=1, width=8, num_heads=2)
    before = [weight.numpy() for weight in model.image_model.weights]
    for ours, theirs in zip(before, first.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    first.quantizer.codebook.assign_add(tf.ones((3, 2)))
    model.compile(keras.optimizers.Adam(0.1), run_eagerly=True)
    data = TestImages().make_data()
    model.fit(data["x"], data["condition"], batch_size=20, verbose=0)
    for ours, weight in zip(before, model.image_model.weights, strict=True):
        np.testing.assert_array_equal(ours, weight)


def test_the_best_of_several_is_the_one_that_the_judge_prefers(images):
    class Judge:
        """Likes pixels that are 1 in images of the caption "two", and 0 in others."""

        def similarity(self, x, condition):
            signs = tf.where(condition == "two", 1.0, -1.0)
            return signs * tf.reduce_sum(x, axis=(1, 2, 3))

    captions = ["two", "three"] * 4
    seeds = [tf.random.experimental.stateless_fold_in(tf.constant([0, 6]), number) for number in range(5)]
    all_codes = np.stack([images.sample_codes(captions, seed=seed) for seed in seeds])
    for judge in (Judge(), None):
        best = images.sample_best(captions, 5, judge=judge, seed=6).numpy()
        if judge is None:
            scores = [images.transformer.similarity(codes[..., np.newaxis], captions) for codes in all_codes]
        else:
            scores = [judge.similarity(images.image_of(codes), tf.constant(captions)) for codes in all_codes]
        np.testing.assert_array_equal(best, all_codes[np.argmax(scores, axis=0), np.arange(8)])
    with pytest.raises(ValueError, match="`num_candidates` must be at least 1, received 0"):
        images.sample_best(captions, 0)


def test_completion_keeps_what_is_known_and_draws_codes_given_those_above(images):
    x = np.random.default_rng(0).integers(0, 2, (6, 4, 2, 1)).astype(np.float32)
    mask = np.zeros((4, 2, 1), bool)
    mask[2:] = True
    captions = ["a thick two", "three", ""] * 2
    found = images.impute(x, mask, condition=captions, seed=1).numpy()
    np.testing.assert_array_equal(found[:, :2], x[:, :2])
    assert np.any(found[:, 2:] != x[:, 2:])
    # What is missing does not matter; the same seed gives the same images.
    other = np.where(mask, 1.0 - x, x)
    np.testing.assert_array_equal(images.impute(other, mask, condition=captions, seed=1), found)
    with pytest.raises(ValueError, match="`mask` must mark no entry that comes before a known one"):
        images.impute(x, ~mask, condition=captions)


def test_patches_that_miss_a_pixel():
    mask = np.zeros((1, 9, 5, 2), bool)
    mask[0, 3, 0, 1] = mask[0, 8, 4, 0] = True
    np.testing.assert_array_equal(in_patches(mask, (3, 2))[0], [[True, False], [False, False], [False, True]])


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: DALLE("vqvae"), TypeError, "`autoencoder` must be a model of keras_gen, .* received 'vqvae'"),
        (lambda: DALLE(TestCodes().make_model()), ValueError, "`autoencoder` must have whole numbers as its code"),
        (lambda: CodesGivenText((4,)), ValueError, r"`event_shape` must be \(rows, columns, 1\), received \(4,\)"),
        (lambda: TestCodes().make_model(width=8), ValueError, "`width` must be a multiple of the 3 heads, received 8"),
        (lambda: TestCodes().make_model(caption_dropout=1.0), ValueError, "`caption_dropout` must be at least 0 and"),
        (lambda: TestCodes().make_model(words=("Two",)), ValueError, "`words` holds 'Two'; single words"),
        (lambda: TestCodes().make_model(num_tokens=0), ValueError, "`num_tokens` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
