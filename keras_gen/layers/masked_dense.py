"""A dense layer with only some of its connections."""

import keras
import numpy as np
import tensorflow as tf

from keras_gen.layers.bias import add_bias


class MaskedDense(keras.layers.Layer):
    r"""Dense layer that connects input i to unit j where the degree of i is at most that of j.

    $$y_j = b_j + \sum_i W_{ij}\, 1[m(i) ≤ m(j)]\, x_i$$

    Degrees that are ascending and known when a graph is built save work: the units are computed in blocks, each from
    the inputs up to the last one connected to it. That nearly halves the operations of a MADE.

    Args:
        units: number of outputs.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel.
        **kwargs: as in `keras.layers.Layer`.
    """

    #: Narrower blocks would save operations, but smaller matrix products would cost more time than that saves.
    block_units = 128
    max_blocks = 8

    def __init__(self, units: int, *, use_bias: bool = True, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.units), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros") if self.use_bias else None

    def call(self, x, input_degrees, unit_degrees):
        """Applies the layer.

        Args:
            x: tensor of shape `(batch, inputs)`.
            input_degrees: degrees of the inputs, an int array or tensor of shape `(inputs,)`.
            unit_degrees: degrees of the units, of shape `(units,)`.

        Returns:
            Tensor of shape `(batch, units)`.
        """
        # Keras has turned arrays into tensors by now; constant tensors still have a known value.
        known_inputs, known_units = tf.get_static_value(input_degrees), tf.get_static_value(unit_degrees)
        known = known_inputs is not None and known_units is not None
        num_blocks = min(self.max_blocks, max(1, self.units // self.block_units)) if known else 1
        bounds = np.linspace(0, self.units, num_blocks + 1).astype(int)
        # Split first, so that the gradients of the blocks are concatenated, not padded and added.
        kernels = tf.split(tf.convert_to_tensor(self.kernel), np.diff(bounds), axis=1)
        outputs = []
        for kernel, start, end in zip(kernels, bounds[:-1], bounds[1:], strict=True):
            degrees = unit_degrees[start:end]
            count = self.kernel.shape[0]
            if known:
                # At least one input, even if nothing is connected: oneDNN aborts the process in a product without
                # inputs.
                count = int(np.flatnonzero(known_inputs <= known_units[start:end].max()).max(initial=0)) + 1
            # Compared in the graph: the two vectors are small and the matrix is not.
            connected = tf.convert_to_tensor(input_degrees)[:count, tf.newaxis] <= tf.convert_to_tensor(degrees)
            outputs.append(tf.matmul(x[:, :count], kernel[:count] * tf.cast(connected, kernel.dtype)))
        y = tf.concat(outputs, axis=1)
        return y if self.bias is None else add_bias(y, self.bias)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
