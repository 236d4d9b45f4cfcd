"""Invertible layers that give the features of a flow a common location and scale."""

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.core import Step
from keras_gen.flows.bijectors import Normalization

tfb = tfp.bijectors


class BatchNormalization(keras.layers.Layer):
    r"""Standardises each feature by the statistics of the batch, then scales and shifts it.

    $$y = \exp(γ) \frac{x - \tilde μ}{\sqrt{\tilde σ^2 + ε}} + β$$

    A training step uses the mean and variance of its batch, over all replicas and weighted by the examples' weights.
    Any other pass uses running means of these, so it is one fixed, invertible function (Dinh et al., 2016, section 3.7;
    Papamakarios et al., 2017, section 3.4, which has γ and β).

    Args:
        features: number of features, the last axis.
        momentum: weight of the past in the running means.
        epsilon: added variance.
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

    def bijector(self, event_ndims: int, step: Step | None = None) -> tfb.Bijector:
        """Returns the function.

        Args:
            event_ndims: number of axes of an event, of which the last one holds the features.
            step: the training step, which provides the statistics of the batch and receives the running means; None
                outside of training.
        """

        def running_moments(_):
            return self.mean.value, self.variance.value

        def batch_moments(x):
            positions = tuple(range(1, len(x.shape) - 1))
            mean = step.mean(tf.reduce_mean(x, axis=positions))
            variance = step.mean(tf.reduce_mean(tf.square(x - mean), axis=positions))
            momentum = self.momentum if step.momentum is None else step.momentum
            for weight, value in ((self.mean, mean), (self.variance, variance)):
                step.update(weight, momentum * weight.value + (1.0 - momentum) * value)
            return mean, variance

        moments = running_moments if step is None else batch_moments
        return Normalization(moments, self.log_scale.value, self.shift.value, self.epsilon, event_ndims)


def average_moments(passes: Iterable[Callable[[Step], object]], seed: tf.Tensor):
    """Sets running means and variances of batch normalizations to those of the given batches, weighted equally.

    Args:
        passes: for each batch, a function that passes it through the layers in a training step.
        seed: seed of these steps.
    """
    for index, forward in enumerate(passes):
        step = Step(seed, training=True, momentum=index / (index + 1))
        forward(step)
        step.apply()


class ActNorm(keras.layers.Layer):
    r"""Scales and shifts each feature: an activation normalization (Kingma and Dhariwal, 2018, section 3.1).

    $$y = \exp(log\_scale) ⊙ x + shift$$

    Both are ordinary weights. Only their initial values come from data, whose features they give mean 0 and variance 1.

    Args:
        features: number of features, the last axis.
        epsilon: variance added at initialization, so that a constant feature is not magnified without limit.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, features: int, *, epsilon: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        weights = {"shape": (features,), "dtype": "float32", "autocast": False}
        self.log_scale = self.add_weight(initializer="zeros", name="log_scale", **weights)
        self.shift = self.add_weight(initializer="zeros", name="shift", **weights)
        self.built = True

    def bijector(self, event_ndims: int) -> tfb.Bijector:
        """Returns the function.

        Args:
            event_ndims: number of axes of an event, of which the last one holds the features.
        """
        return Normalization(lambda _: (0.0, 1.0), self.log_scale.value, self.shift.value, 0.0, event_ndims)

    def start_bijector(self, event_ndims: int, step: Step) -> tfb.Bijector:
        """Returns the initial function of the layer, given the first examples that it is applied to.

        Args:
            event_ndims: as in `bijector`.
            step: receives the weights of that function.
        """

        def moments(x):
            mean, variance = tf.nn.moments(x, axes=tuple(range(len(x.shape) - 1)))
            log_scale = -0.5 * tf.math.log(variance + self.epsilon)
            step.update(self.log_scale, log_scale)
            step.update(self.shift, -mean * tf.exp(log_scale))
            return mean, variance

        return Normalization(moments, 0.0, 0.0, self.epsilon, event_ndims)
