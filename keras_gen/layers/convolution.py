"""Convolutions that are built."""

import keras


def convolution(
    inputs: int,
    filters: int,
    size: int,
    stride: int,
    initializer,
    dtype,
    kind=keras.layers.Conv2D,
    *,
    use_bias: bool = True,
    padding: str = "same",
) -> keras.layers.Layer:
    """Returns a built convolution; its output has the size of the input divided by the stride, if padding is "same"."""
    layer = kind(filters, size, stride, padding, use_bias=use_bias, kernel_initializer=initializer, dtype=dtype)
    layer.build((*(None for _ in range(layer.rank + 1)), inputs))
    return layer
