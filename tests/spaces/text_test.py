"""Text: strings of several alphabets, and tokens."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.spaces import Text, Tokens


def test_characters_are_counted_and_not_bytes():
    space = Text(2)
    np.testing.assert_array_equal(space.validate(["äö", b"ab"], "text"), ["äö".encode(), b"ab"])
    with pytest.raises(ValueError, match=r"^`text` holds the value 'äöü'; expected strings of at most 2 characters\.$"):
        space.validate(["a", "äöü"], "text")


@pytest.mark.parametrize("value", [1, None, 0.5])
def test_strings_and_other_things(value):
    with pytest.raises(TypeError, match=rf"^`text` must hold strings, received {value!r}\.$"):
        Text(3).validate(np.array(["a", value], object), "text")


def test_strings_have_no_vector():
    for space in (Text(3), Tokens(3, 5)):
        assert space.vector_size is None
        with pytest.raises(ValueError, match="has no vectors; a network of its own must embed it"):
            space.vectors(space.examples(1))


def test_a_data_set_of_strings_is_guarded():
    strings = tf.data.Dataset.from_tensor_slices(["ab", "abcd"]).batch(1).map(lambda x: Text(3).guard(x, "text"))
    batches = iter(strings)
    np.testing.assert_array_equal(next(batches), [b"ab"])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`text` holds the value .*abcd.*; expected strings of"):
        next(batches)


def test_examples_are_made_of_words_where_there_are_some():
    words = ("thin", "three", "a")
    for length, most in ((100, 4), (12, 2), (3, 1)):
        space = Text(length, words)
        examples = [text.decode().split(" ") for text in space.examples(50, (0, length)).numpy()]
        assert {len(text) for text in examples} == {most}
        assert {word for text in examples for word in text} == set(words)
    assert len({tuple(text) for text in examples}) == 3
