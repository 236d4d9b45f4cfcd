"""Text: strings, and sequences of tokens."""

import dataclasses

import tensorflow as tf

from keras_gen.spaces.base import Space, as_array


@dataclasses.dataclass(frozen=True)
class Tokens(Space):
    """Sequences of whole numbers below the size of a vocabulary."""

    length: int
    vocabulary_size: int

    dtype = tf.int32
    kind = "whole token ids"

    @property
    def shape(self):
        return (self.length,)

    @property
    def expected(self):
        return f"whole token ids from 0 to {self.vocabulary_size - 1}"

    def accepts(self, dtype):
        return dtype.is_integer

    def contains(self, values):
        return (values >= 0) & (values < self.vocabulary_size)

    def examples(self, num, seed=(0, 0)):
        return tf.random.stateless_uniform((num, self.length), seed, maxval=self.vocabulary_size, dtype=tf.int32)


@dataclasses.dataclass(frozen=True)
class Text(Space):
    """Strings of at most `length` characters, in UTF-8."""

    length: int
    #: Words that make up examples; without any, examples are made of letters.
    words: tuple[str, ...] = ()

    shape = ()
    dtype = tf.string
    kind = "strings"

    @property
    def expected(self):
        return f"strings of at most {self.length} characters"

    def accepts(self, dtype):
        return dtype == tf.string

    def tensor(self, values, name):
        if not tf.is_tensor(values):
            values = as_array(values, name)
            others = [value for value in values.flat if not isinstance(value, (str, bytes))]
            if others:
                raise TypeError(f"`{name}` must hold strings, received {others[0]!r}.")
            values = tf.constant(values.astype(object))
        return super().tensor(values, name)

    def cast(self, values):
        return values

    def contains(self, values):
        return tf.strings.length(values, unit="UTF8_CHAR") <= self.length

    def examples(self, num, seed=(0, 0)):
        if self.words:
            # As many words as fit, at most four.
            most = max(1, min(4, (self.length + 1) // (1 + max(map(len, self.words)))))
            rows = tf.random.stateless_uniform((num, most), seed, maxval=len(self.words), dtype=tf.int32)
            return tf.strings.reduce_join(tf.gather(tf.constant(self.words), rows), axis=1, separator=" ")
        letters = tf.random.stateless_uniform((num, self.length), seed, ord("a"), ord("z") + 1, tf.int32)
        return tf.strings.unicode_encode(letters, "UTF-8")

    def as_string(self, values):
        return values

    def shown(self, value):
        return repr(value.numpy().decode(errors="replace"))
