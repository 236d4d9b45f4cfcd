"""Tags of examples from vectors that a model draws for them, each close to the vectors of some words.

Mehdi Mirza, Simon Osindero (2014), Conditional Generative Adversarial Nets, section 4.2, https://arxiv.org/abs/1411.1784
"""

import numpy as np

from keras_gen import checks


def nearest_by_cosine(vectors, vocabulary, num: int = 1) -> np.ndarray:
    """Finds the words whose vectors have the smallest angles to given vectors.

    Args:
        vectors: shape `(..., size)`.
        vocabulary: vectors of words, shape `(num_words, size)`.
        num: number of words for each vector.

    Returns:
        Integers of shape `(..., num)`: words by their row, the nearest first.

    Raises:
        ValueError: if the sizes differ, or there are fewer words than `num`.
    """
    vectors, vocabulary = np.asarray(vectors, np.float64), np.asarray(vocabulary, np.float64)
    if vocabulary.ndim != 2 or vectors.shape[-1:] != vocabulary.shape[1:]:
        raise ValueError(
            f"`vectors` and `vocabulary` must hold vectors of one length, received shapes {vectors.shape} and "
            f"{vocabulary.shape}."
        )
    if checks.positive_int("num", num) > len(vocabulary):
        raise ValueError(f"`num` must be at most {len(vocabulary)}, the number of words, received {num}.")
    # The length of the given vectors does not change the order.
    lengths = np.maximum(np.linalg.norm(vocabulary, axis=1, keepdims=True), 1e-12)
    return np.argsort(-(vectors @ (vocabulary / lengths).T), axis=-1, kind="stable")[..., :num]


def common_tags(vectors, vocabulary, *, num_near: int = 20, num_tags: int = 10) -> np.ndarray:
    """Reads tags from vectors: the most frequent ones among the words near each draw for an example.

    Args:
        vectors: draws of shape `(num_examples, num_draws, size)`; the paper uses 100 draws.
        vocabulary: vectors of words, shape `(num_words, size)`.
        num_near: number of words that count as near a draw, by the cosine.
        num_tags: number of tags of each example.

    Returns:
        Integers of shape `(num_examples, num_tags)`: words by their row, the most common first; among equally common
        words, the one with the lower row first.

    Raises:
        ValueError: if the shapes do not fit, or there are fewer words than requested.
    """
    near = nearest_by_cosine(vectors, vocabulary, num_near)
    if near.ndim != 3:
        raise ValueError(
            f"`vectors` must have shape (num_examples, num_draws, size), received {np.asarray(vectors).shape}."
        )
    if checks.positive_int("num_tags", num_tags) > len(vocabulary):
        raise ValueError(f"`num_tags` must be at most {len(vocabulary)}, the number of words, received {num_tags}.")
    counts = np.stack([np.bincount(words.ravel(), minlength=len(vocabulary)) for words in near])
    return np.argsort(-counts, axis=1, kind="stable")[:, :num_tags]
