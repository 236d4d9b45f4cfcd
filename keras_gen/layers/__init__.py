"""Building blocks that two models or more share."""

from keras_gen.layers.masked_dense import MaskedDense as MaskedDense
