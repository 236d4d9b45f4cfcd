"""Spaces of valid inputs of a model: one class for each kind of example and condition."""

from keras_gen.spaces.base import Space as Space
from keras_gen.spaces.labels import Attributes as Attributes
from keras_gen.spaces.labels import ClassLabel as ClassLabel
from keras_gen.spaces.labels import ClassOrAttributes as ClassOrAttributes
from keras_gen.spaces.labels import class_or_vector as class_or_vector
from keras_gen.spaces.numbers import Interval as Interval
from keras_gen.spaces.numbers import Levels as Levels
from keras_gen.spaces.numbers import Numbers as Numbers
from keras_gen.spaces.numbers import Reals as Reals
from keras_gen.spaces.numbers import Sound as Sound
from keras_gen.spaces.numbers import levels_or_reals as levels_or_reals
from keras_gen.spaces.numbers import missing_entries as missing_entries
from keras_gen.spaces.text import Text as Text
from keras_gen.spaces.text import Tokens as Tokens
