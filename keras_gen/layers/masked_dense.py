"""A dense layer that keeps only some of its connections."""

import keras
import tensorflow as tf


class MaskedDense(keras.layers.Layer):
    """Dense layer whose connections are chosen at every call: `y = x (W * connectivity) + b`.

    Args:
        units: number of outputs.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel.
        **kwargs: as in `keras.layers.Layer`.
    """

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

    def call(self, x, connectivity):
        """Applies the layer.

        Args:
            x: tensor of shape `(batch, inputs)`.
            connectivity: tensor of shape `(inputs, units)`, nonzero where a connection is kept.

        Returns:
            Tensor of shape `(batch, units)`.
        """
        kernel = tf.convert_to_tensor(self.kernel)
        y = tf.matmul(x, kernel * tf.cast(connectivity, kernel.dtype))
        return y if self.bias is None else y + tf.convert_to_tensor(self.bias)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
