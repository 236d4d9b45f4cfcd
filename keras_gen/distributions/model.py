"""Models as distributions of TensorFlow Probability."""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.core import DensityModel

tfd = tfp.distributions


class ModelDistribution(tfd.Distribution):
    """A density model of real numbers as a distribution.

    Args:
        model: the model, without a condition.
    """

    def __init__(self, model: DensityModel):
        self.model = model
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"model": model},
        )

    def _event_shape(self):
        return tf.TensorShape(self.model.event_shape)

    def _event_shape_tensor(self):
        return tf.constant(self.model.event_shape)

    def _batch_shape(self):
        return tf.TensorShape(())

    def _batch_shape_tensor(self):
        return tf.constant((), tf.int32)

    def _log_prob(self, z):
        batch_shape = tf.shape(z)[: -len(self.model.event_shape)]
        return tf.reshape(self.model.log_prob(tf.reshape(z, (-1, *self.model.event_shape))), batch_shape)

    def _sample_n(self, n, seed=None):
        return self.model.generate(self.model.noise(n, tfp.random.sanitize_seed(seed)))
