"""Affine layers that take a step, with or without spectral normalization."""

import keras

from keras_gen.layers import convolution, dense
from keras_gen.layers.spectral_normalization import SpectralNormalization


class Dense(dense.Dense):
    """As in Keras; takes a step, as normalized layers do, but makes no updates."""

    def call(self, x, step=None):
        return super().call(x)


class Conv2D(convolution.Conv2D):
    """As in Keras; takes a step, as normalized layers do, but makes no updates."""

    def call(self, x, step=None):
        return super().call(x)


def affine(
    kernel_shape: tuple[int, ...],
    initializer,
    dtype,
    spectral_norm: bool,
    seed: tuple[int, ...],
    *,
    stride: int | tuple[int, int] = 1,
    use_bias: bool = True,
) -> keras.layers.Layer:
    """Returns a layer of a discriminator or an energy: a function of features and of a step.

    Args:
        kernel_shape: `(inputs, units)` for a dense layer, `(size, size, inputs, filters)` for a convolution.
        initializer: initial kernel.
        dtype: as in `keras.layers.Layer`.
        spectral_norm: whether the layer has spectral normalization.
        seed: seeds of the power iteration's first vector.
        stride: stride of a convolution.
        use_bias: whether there is a bias.
    """
    if spectral_norm:
        options = {"stride": stride, "use_bias": use_bias, "initializer": initializer}
        return SpectralNormalization(kernel_shape, seed=seed, dtype=dtype, **options)
    *sizes, inputs, outputs = kernel_shape
    if sizes:
        return convolution.convolution(inputs, outputs, sizes[0], stride, initializer, dtype, Conv2D, use_bias=use_bias)
    layer = Dense(outputs, use_bias=use_bias, kernel_initializer=initializer, dtype=dtype)
    layer.build((None, inputs))
    return layer
