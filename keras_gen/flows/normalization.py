"""Invertible layers that bring the features of a flow to a common location and scale."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors.affine import Normalization

tfb = tfp.bijectors


class BatchNormalization(keras.layers.Layer):
    r"""Standardises each feature with the statistics of the batch, then scales and shifts it.

    $$y = \exp(γ) \frac{x - \tilde μ}{\sqrt{\tilde σ^2 + ε}} + β$$

    A training step normalises with the mean and variance of its batch, over all replicas; any other pass with running
    means of these, so that it is one fixed, invertible function (Dinh et al., 2016, section 3.7; Papamakarios et al.,
    2017, section 3.4, whose γ and β these are).

    Args:
        features: number of features, the last axis.
        momentum: weight of the past in the running means.
        epsilon: variance that is added.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, features: int, *, momentum: float = 0.95, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        weights = {"shape": (features,), "dtype": "float32", "autocast": False}
        self.log_scale = self.add_weight(initializer="zeros", name="log_scale", **weights)
        self.shift = self.add_weight(initializer="zeros", name="shift", **weights)
        self.mean = self.add_weight(initializer="zeros", trainable=False, name="mean", **weights)
        self.variance = self.add_weight(initializer="ones", trainable=False, name="variance", **weights)
        self.built = True

    def bijector(self, event_ndims: int, updates: list | None = None) -> tfb.Bijector:
        """Returns the function.

        Args:
            event_ndims: number of axes of an event, of which the last one holds the features.
            updates: in a training step a list, to which what the running means become is added; otherwise None.
        """

        def moments(x):
            if updates is None:
                return self.mean.value, self.variance.value
            axes = tuple(range(len(x.shape) - 1))
            mean, square = tf.reduce_mean(x, axis=axes), tf.reduce_mean(tf.square(x), axis=axes)
            context = tf.distribute.get_replica_context()
            if context is not None and context.num_replicas_in_sync > 1:
                mean, square = context.all_reduce("MEAN", [mean, square])
            return mean, tf.maximum(square - tf.square(mean), 0.0)

        def observe(mean, variance):
            if updates is not None:
                for weight, value in ((self.mean, mean), (self.variance, variance)):
                    running = self.momentum * weight.value + (1.0 - self.momentum) * value
                    updates.append((weight, tf.stop_gradient(running)))

        return Normalization(moments, observe, self.log_scale.value, self.shift.value, self.epsilon, event_ndims)


class ActNorm(keras.layers.Layer):
    r"""Scales and shifts each feature: an activation normalization (Kingma and Dhariwal, 2018, section 3.1).

    $$y = \exp(log\_scale) ⊙ x + shift$$

    The weights are those of any layer; only their start is made of data, such that every feature of it has mean 0 and
    variance 1.

    Args:
        features: number of features, the last axis.
        epsilon: variance that is added at the start, so that a constant feature is not magnified without limit.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, features: int, *, epsilon: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        weights = {"shape": (features,), "dtype": "float32", "autocast": False}
        self.log_scale = self.add_weight(initializer="zeros", name="log_scale", **weights)
        self.shift = self.add_weight(initializer="zeros", name="shift", **weights)
        self.built = True

    def bijector(self, event_ndims: int, start: bool = False) -> tfb.Bijector:
        """Returns the function.

        Args:
            event_ndims: number of axes of an event, of which the last one holds the features.
            start: whether the function is that of the start for what it is applied to; a forward pass, which is not
                traced, then sets the weights to it.
        """
        if not start:
            return Normalization(
                lambda _: (0.0, 1.0), lambda *_: None, self.log_scale.value, self.shift.value, 0.0, event_ndims
            )

        def observe(mean, variance):
            log_scale = -0.5 * tf.math.log(variance + self.epsilon)
            self.log_scale.assign(log_scale)
            self.shift.assign(-mean * tf.exp(log_scale))

        def moments(x):
            return tf.nn.moments(x, axes=tuple(range(len(x.shape) - 1)))

        return Normalization(moments, observe, 0.0, 0.0, self.epsilon, event_ndims)
