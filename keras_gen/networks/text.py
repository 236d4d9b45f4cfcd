"""From strings to token ids, and from these to codes, with operations that every export except LiteRT has.

LiteRT has no strings: there, models take token ids, and `Tokenizer` defines them.
"""

import collections
import dataclasses
import json
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.core.signatures import Signature
from keras_gen.layers.convolution import Conv1D
from keras_gen.layers.dense import dense
from keras_gen.layers.initializers import glorot, normal
from keras_gen.spaces import Text, Tokens
from keras_gen.spaces.base import as_array

#: The ids that do not stand for a word of a vocabulary.
PADDING, UNKNOWN = 0, 1

#: Maximum number of characters of a caption.
MOST_CHARACTERS = 1000


def split_words(captions: tf.Tensor) -> tf.RaggedTensor:
    """Returns the words of each string of a vector, in lower case; all but letters and digits separates words."""
    plain = tf.strings.regex_replace(tf.strings.lower(captions, encoding="utf-8"), r"[^\pL\pM\pN]+", " ")
    return tf.strings.split(plain)


def vocabulary(captions: Iterable[str], most: int | None = None) -> tuple[str, ...]:
    """Returns the words of captions, the most frequent ones first.

    Args:
        captions: strings, such as `splits.array("train", "condition")`, in an array of any shape.
        most: maximum number of words; None for all.

    Raises:
        ValueError: if there are no words.
    """
    words = split_words(tf.constant(np.asarray(captions, object).ravel())).flat_values.numpy()
    counts = collections.Counter(word.decode() for word in words.tolist())
    if not counts:
        raise ValueError("`captions` must hold a word, received none.")
    found = sorted(counts, key=lambda word: (-counts[word], word))
    return tuple(found if most is None else found[: checks.positive_int("most", most)])


class Tokenizer:
    """From strings to token ids: 0 for padding, 1 for an unknown word, and 2, 3, ... for the words.

    It keeps no table, which a SavedModel would have to track; it looks up words by their 64-bit fingerprints.

    Example:

    ```python
    tokenizer = Tokenizer(("a", "thin", "three"), length=4)
    tokenizer(["a THIN, upright three", ""])           # [[2, 3, 1, 4], [0, 0, 0, 0]]
    ```

    Args:
        words: all known words, in lower case.
        length: number of tokens; further words are cut off, and padding follows shorter texts.

    Raises:
        TypeError: if a word is not a string.
        ValueError: if a word is not in the form that `split_words` returns, or occurs twice.
    """

    def __init__(self, words: Sequence[str], length: int):
        if isinstance(words, str) or not all(isinstance(word, str) for word in words):
            raise TypeError(f"`words` must be a tuple of strings, received {words!r}.")
        self.words = tuple(words)
        self.length = checks.positive_int("length", length)
        for word, found in zip(self.words, split_words(tf.constant(self.words, tf.string)).to_list(), strict=True):
            if found != [word.encode()]:
                raise ValueError(
                    f"`words` holds {word!r}; single words of letters and digits in lower case are expected."
                )
        prints = fingerprints(tf.constant(self.words, tf.string)).numpy()
        order = np.argsort(prints)
        self.sorted_prints, self.sorted_ids = prints[order], (order + UNKNOWN + 1).astype(np.int32)
        (equal,) = np.nonzero(self.sorted_prints[1:] == self.sorted_prints[:-1])
        if equal.size:
            raise ValueError(f"`words` holds {self.words[order[equal[0]]]!r} twice.")

    @property
    def size(self) -> int:
        """Number of different ids."""
        return len(self.words) + UNKNOWN + 1

    def __call__(self, captions) -> tf.Tensor:
        """Returns the token ids, int32 of shape `(batch, length)`, of strings of shape `(batch,)`."""
        words = split_words(tf.convert_to_tensor(captions))
        if not self.words:
            ids = tf.fill(tf.shape(words.flat_values), UNKNOWN)
        else:
            prints = fingerprints(words.flat_values)
            place = tf.minimum(tf.searchsorted(self.sorted_prints, prints), len(self.words) - 1)
            ids = tf.where(tf.gather(self.sorted_prints, place) == prints, tf.gather(self.sorted_ids, place), UNKNOWN)
        return words.with_flat_values(ids).to_tensor(PADDING, shape=(None, self.length))

    def texts(self, tokens) -> list[str]:
        """Returns the words of token ids of shape `(batch, length)`, separated by spaces; "?" for unknown ones."""
        names = ("", "?", *self.words)
        return [" ".join(names[token] for token in row if token != PADDING) for row in np.asarray(tokens)]


def fingerprints(words: tf.Tensor) -> tf.Tensor:
    """Returns an int64 number for each string; different strings almost certainly have different numbers."""
    return tf.strings.to_hash_bucket_fast(words, np.iinfo(np.int64).max)


class ReadsText:
    """Gives an `EventModel` captions as its condition: strings, or the token ids that represent them.

    The constructor calls `read_text` before it builds networks. `words` and `num_tokens` are then plain attributes and
    so part of the configuration.
    """

    def read_text(self, words: Sequence[str], num_tokens: int) -> None:
        """Stores the vocabulary.

        Args:
            words: known words, as `vocabulary` returns them.
            num_tokens: number of words of a caption, from its start, that are used.
        """
        self.num_tokens = checks.positive_int("num_tokens", num_tokens)
        self.tokenizer = Tokenizer(words, self.num_tokens)
        self.words = self.tokenizer.words
        self.condition_space = Text(MOST_CHARACTERS, self.words)
        self.token_space = Tokens(self.num_tokens, self.tokenizer.size)

    def compile(self, *optimizers, jit_compile: bool = False, **kwargs):
        """As in the model without captions, but never with XLA.

        Raises:
            ValueError: if `jit_compile` is true.
        """
        if jit_compile:
            raise ValueError("`jit_compile` must be False: XLA reads no strings, which captions are; received True.")
        super().compile(*optimizers, jit_compile=jit_compile, **kwargs)

    def validated_condition(self, condition, **beside):
        """Returns strings or token ids as a tensor; errors are those of `EventModel`."""
        if condition is None or not holds_integers(condition):
            return super().validated_condition(condition, **beside)
        condition = self.token_space.validate(condition, "condition")
        checks.equally_long(**beside, condition=condition)
        return condition

    def unpack(self, data, *, needed=None):
        """As in `Model`; strings become token ids here, once for the whole step."""
        columns, sample_weight = super().unpack(data, needed=needed)
        if "condition" in columns:
            columns["condition"] = self.tokens(columns["condition"])
        return columns, sample_weight

    def tokens(self, condition: tf.Tensor) -> tf.Tensor:
        """Returns the token ids of a valid condition."""
        return self.tokenizer(condition) if condition.dtype == tf.string else condition

    def signatures(self):
        """Deterministic ones take "tokens" instead of a "condition", since LiteRT, which runs them, has no strings."""
        return {
            name: self.taking_tokens(signature)
            if signature.deterministic and "condition" in signature.inputs
            else signature
            for name, signature in super().signatures().items()
        }

    def taking_tokens(self, signature: Signature) -> Signature:
        """Returns a signature whose input "condition", strings, is replaced by "tokens", token ids."""

        def of_tokens(tokens, **inputs):
            return signature.function(condition=tokens, **inputs)

        inputs = {name: spec for name, spec in signature.inputs.items() if name != "condition"}
        return dataclasses.replace(
            signature, function=of_tokens, inputs={**inputs, "tokens": self.token_space.spec("tokens")}
        )

    def input_space(self, name):
        """Adds the space of token ids."""
        return self.token_space if name == "tokens" else super().input_space(name)

    def example_input(self, name, spec, num, seed):
        """Adds token ids, which are those of example captions."""
        if name == "tokens":
            return self.tokenizer(self.condition_space.examples(num, (seed, 1)))
        return super().example_input(name, spec, num, seed)

    def litert_files(self):
        """Adds the vocabulary, as JSON, for turning strings into token ids without TensorFlow."""
        vocabulary = {"words": self.words, "num_tokens": self.num_tokens, "padding": PADDING, "unknown": UNKNOWN}
        return {**super().litert_files(), "words.json": json.dumps(vocabulary, ensure_ascii=False, indent=1) + "\n"}


def holds_integers(values) -> bool:
    """Returns whether a tensor, an array, a list or a data frame holds whole numbers."""
    dtype = (values if tf.is_tensor(values) else as_array(values)).dtype
    return dtype.is_integer if isinstance(dtype, tf.DType) else np.issubdtype(dtype, np.integer)


class TextEncoder(keras.layers.Layer):
    r"""From token ids to a code, by convolutions over the words and the maximum over positions.

    $$h_0 = E_{w}, \qquad h_{l+1} = \mathrm{relu}(h_l * K_l + b_l), \qquad u = W \max_{place} h_L + b, \qquad
    φ(t) = \sqrt{n} \, \frac{u}{‖u‖}$$

    Kernels are three words wide, so a position sees L neighbours on each side, and word order matters. Padding is 0 in
    every layer, as it is beyond the ends of a text, so more padding changes nothing. n is the length of the code, whose
    entries have a mean square of 1.

    Args:
        vocabulary_size: number of different ids.
        units: n.
        features: length of the word vectors, and channels of the convolutions.
        num_layers: L.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(
        self, vocabulary_size: int, units: int, *, features: int, num_layers: int = 2, seed: tuple[int, ...], **kwargs
    ):
        super().__init__(**kwargs)
        self.units = units
        self.embedding = keras.layers.Embedding(
            vocabulary_size, features, embeddings_initializer=normal(1.0, (*seed, 0)), dtype=self.dtype_policy
        )
        self.embedding.build(None)
        self.convolutions = []
        for layer in range(num_layers):
            options = {"padding": "same", "activation": "relu", "kernel_initializer": glorot((*seed, 1 + layer))}
            convolution = Conv1D(features, 3, **options, dtype=self.dtype_policy)
            convolution.build((None, None, features))
            self.convolutions.append(convolution)
        self.output_layer = dense(features, units, glorot((*seed, 1 + num_layers)), self.dtype_policy)
        self.built = True

    def call(self, tokens):
        """Returns codes, float32 of shape `(batch, units)`, of token ids of shape `(batch, length)`."""
        known = tf.cast(tokens != PADDING, self.compute_dtype)[..., tf.newaxis]
        h = self.embedding(tokens) * known
        for convolution in self.convolutions:
            h = convolution(h) * known
        code = tf.cast(self.output_layer(tf.reduce_max(h, axis=1)), tf.float32)
        return self.units**0.5 * tf.math.l2_normalize(code, axis=-1)
