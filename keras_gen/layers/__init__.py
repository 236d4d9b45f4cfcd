"""Building blocks that two models or more share."""

from keras_gen.layers.masked_convolution import MaskedConvolution as MaskedConvolution
from keras_gen.layers.masked_dense import MaskedDense as MaskedDense
