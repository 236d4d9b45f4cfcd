"""Building blocks that two or more models share."""

from keras_gen.layers.batch_normalization import BatchNormalization as BatchNormalization
from keras_gen.layers.equalized import Equalized as Equalized
from keras_gen.layers.instance_normalization import InstanceNormalization as InstanceNormalization
from keras_gen.layers.masked_convolution import MaskedConvolution as MaskedConvolution
from keras_gen.layers.masked_dense import MaskedDense as MaskedDense
from keras_gen.layers.maxout import Maxout as Maxout
from keras_gen.layers.residual_block import ResidualBlock as ResidualBlock
from keras_gen.layers.spectral_normalization import SpectralNormalization as SpectralNormalization
from keras_gen.layers.triangular import unit_triangular_inverse as unit_triangular_inverse
from keras_gen.layers.vector_quantizer import VectorQuantizer as VectorQuantizer
