"""Data sets by name or by path, as `tf.data` pipelines."""

from keras_gen.data.loading import load as load
from keras_gen.data.splits import Splits as Splits
from keras_gen.data.transforms import few_labels as few_labels
from keras_gen.data.transforms import stacked as stacked
