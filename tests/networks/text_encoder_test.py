"""Text: token ids that are the same in every export, and codes that know order and ignore padding."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.networks import TextEncoder, Tokenizer, vocabulary

WORDS = ("a", "thin", "three", "fuß", "left", "7")


def encoder():
    return TextEncoder(Tokenizer(WORDS, 6).size, 5, features=8, num_layers=2, seed=(3,))


# Token ids


def test_words_are_found_whatever_their_case_and_punctuation():
    tokenizer = Tokenizer(WORDS, 5)
    assert tokenizer.size == 8
    found = tokenizer(["A thin THREE.", "FUß, (7)", "left-thin", "\tthree \n"])
    np.testing.assert_array_equal(found, [[2, 3, 4, 0, 0], [5, 7, 0, 0, 0], [6, 3, 0, 0, 0], [4, 0, 0, 0, 0]])
    assert found.dtype == tf.int32
    assert tokenizer.texts(found) == ["a thin three", "fuß 7", "left thin", "three"]


def test_unknown_words_empty_and_long_texts_have_token_ids():
    tokenizer = Tokenizer(WORDS, 3)
    found = tokenizer(["a bird", "thinner", "", " .,", "a a thin three left"])
    np.testing.assert_array_equal(found, [[2, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [2, 2, 3]])
    assert tokenizer.texts(found) == ["a ?", "?", "", "", "a a thin"]
    np.testing.assert_array_equal(Tokenizer((), 2)(["a bird", ""]), [[1, 1], [0, 0]])


def test_every_word_of_a_large_vocabulary_is_found_and_no_other():
    words = tuple(f"word{index}" for index in np.random.default_rng(0).permutation(5000))
    tokenizer = Tokenizer(words, 1)
    np.testing.assert_array_equal(tokenizer(list(words))[:, 0], np.arange(5000) + 2)
    np.testing.assert_array_equal(tokenizer([f"other{index}" for index in range(5000)]), 1)


def test_token_ids_are_the_same_in_a_graph_and_a_saved_model(tmp_path):
    tokenizer = Tokenizer(WORDS, 4)
    graph = tf.function(tokenizer, input_signature=[tf.TensorSpec((None,), tf.string)])
    texts = tf.constant(["a thin 7", "", "left, bird"])
    np.testing.assert_array_equal(graph(texts), tokenizer(texts))
    module = tf.Module()
    module.tokens = graph
    tf.saved_model.save(module, str(tmp_path / "saved"))
    np.testing.assert_array_equal(tf.saved_model.load(str(tmp_path / "saved")).tokens(texts), tokenizer(texts))


def test_a_vocabulary_holds_the_most_frequent_words_first():
    captions = np.array([["a thin 3", "a Thin three"], ["a bird", ""]], object)
    assert vocabulary(captions) == ("a", "thin", "3", "bird", "three")
    assert vocabulary(captions, most=2) == ("a", "thin")
    with pytest.raises(ValueError, match="`captions` must hold a word, received none"):
        vocabulary(["", "?"])


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        ("abc", TypeError, "`words` must be a tuple of strings, received 'abc'"),
        (("a", 1), TypeError, r"`words` must be a tuple of strings, received \('a', 1\)"),
        (("a", "Thin"), ValueError, "`words` holds 'Thin'; single words of letters and digits in lower case"),
        (("a", "two words"), ValueError, "`words` holds 'two words'; single words"),
        (("a", ""), ValueError, "`words` holds ''; single words"),
        (("a", "b", "a"), ValueError, "`words` holds 'a' twice"),
    ],
)
def test_wrong_words(words, error, sentence):
    with pytest.raises(error, match=sentence):
        Tokenizer(words, 3)


# Codes


def test_more_padding_changes_no_code():
    texts = ["a thin three", "left", "", "a a a a a a"]
    codes = [encoder()(Tokenizer(WORDS, length)(texts)) for length in (6, 7, 20)]
    for other in codes[1:]:
        np.testing.assert_allclose(other, codes[0], atol=1e-6)


def test_another_order_is_another_code():
    codes = encoder()(Tokenizer(WORDS, 6)(["thin left three", "left thin three", "three left thin", "thin three"]))
    for index, code in enumerate(codes):
        assert all(np.abs(code - other).max() > 1e-2 for other in codes[index + 1 :])


def test_a_code_is_its_formula():
    """By loops over places and words, of a text of three words."""
    layer, tokens = encoder(), [3, 6, 2]
    for weight in layer.weights:
        weight.assign(np.random.default_rng(len(weight.shape)).standard_normal(weight.shape))
    h = layer.embedding.embeddings.numpy()[tokens]
    for convolution in layer.convolutions:
        kernel, bias = (weight.numpy() for weight in convolution.weights)
        before = np.concatenate([np.zeros((1, 8)), h, np.zeros((1, 8))])
        h = np.stack([np.maximum(0.0, sum(before[p + k] @ kernel[k] for k in range(3)) + bias) for p in range(3)])
    kernel, bias = (weight.numpy() for weight in layer.output_layer.weights)
    code = h.max(axis=0) @ kernel + bias
    np.testing.assert_allclose(layer(tf.constant([tokens]))[0], 5**0.5 * code / np.linalg.norm(code), rtol=1e-4)


def test_an_empty_text_has_the_code_of_the_bias():
    layer = encoder()
    np.testing.assert_array_equal(layer(tf.zeros((1, 4), tf.int32)), np.zeros((1, 5)))
    layer.output_layer.bias.assign([3.0, 0.0, 0.0, 4.0, 0.0])
    np.testing.assert_allclose(layer(tf.zeros((1, 4), tf.int32))[0], 5**0.5 * np.array([0.6, 0, 0, 0.8, 0]), rtol=1e-6)
