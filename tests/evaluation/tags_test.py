"""Words near to vectors, and tags that many draws agree on."""

import numpy as np
import pytest

from keras_gen.evaluation import tags

WORDS = np.array([[1.0, 0.0], [0.0, 5.0], [-2.0, 0.0], [3.0, 3.0]])


def test_nearest_words_by_their_angle():
    vectors = [[2.0, 0.1], [0.1, 9.0], [-1.0, -0.01]]
    np.testing.assert_array_equal(tags.nearest_by_cosine(vectors, WORDS), [[0], [1], [2]])
    # At 3°, 42° and 87°; a long word is no nearer.
    np.testing.assert_array_equal(tags.nearest_by_cosine(vectors[0], WORDS, 4), [0, 3, 1, 2])


def test_the_most_common_words_are_tags():
    """Six draws near word 3 and 0, two near 1 and 3, one near 2."""
    draws = np.array([[[1.0, 0.4]] * 6 + [[0.3, 1.0]] * 2 + [[-1.0, 0.1]]])
    near = tags.nearest_by_cosine(draws[0], WORDS, 2)
    counts = np.bincount(near.ravel(), minlength=4)
    assert counts.tolist() == [6, 3, 1, 8]
    np.testing.assert_array_equal(tags.common_tags(draws, WORDS, num_near=2, num_tags=3), [[3, 0, 1]])


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"must hold vectors of one length, received shapes \(3, 3\) and \(4, 2\)"):
        tags.nearest_by_cosine(np.ones((3, 3)), WORDS)
    with pytest.raises(ValueError, match="`num` must be at most 4, the number of words, received 5"):
        tags.nearest_by_cosine(WORDS, WORDS, 5)
    with pytest.raises(ValueError, match=r"`vectors` must have shape \(num_examples, num_draws, size\)"):
        tags.common_tags(WORDS, WORDS, num_near=2)
    with pytest.raises(ValueError, match="`num_tags` must be at most 4, the number of words, received 7"):
        tags.common_tags(WORDS[np.newaxis], WORDS, num_near=2, num_tags=7)
