"""Base classes of generators and discriminators."""

import keras
import tensorflow as tf

from keras_gen.layers.affine import affine


class Generator(keras.layers.Layer):
    """From noise to an example, on the scale before a tanh or a sigmoid."""

    #: The last bias, one number for each entry of an example; None if entries share one.
    output_bias: keras.Variable | None = None

    def call(self, z, condition=None, *, step=None):
        """Returns examples of shape `(batch, *event_shape)`.

        Args:
            z: noise of shape `(batch, latent_size)`.
            condition: vectors of shape `(batch, condition_size)`, or None.
            step: the step, for its updates; None outside of training and evaluation.
        """
        raise NotImplementedError


class Discriminator(keras.layers.Layer):
    r"""From an example to one number, its logit or score: an affine function, `head`, of features φ(x).

    A condition enters the network at a point defined by its class, or at the end by a projection (Miyato and Koyama,
    2018, https://arxiv.org/abs/1802.05637): $f(x, y) = y^\top V φ(x) + ψ(φ(x))$.

    A subclass provides `head`, `num_features` and `extract`.
    """

    #: The layer V of a projection, from condition vectors to one entry for each feature.
    projection: keras.layers.Layer | None = None
    head: keras.layers.Layer
    #: Number of features.
    num_features: int

    def extract(self, x: tf.Tensor, condition: tf.Tensor | None, *, step) -> tf.Tensor:
        """Returns φ(x), of shape `(batch, num_features)`.

        Args:
            x: scaled examples of shape `(batch, *event_shape)`, in the network's compute dtype.
            condition: vectors of shape `(batch, condition_size)`; None also if they enter by a projection.
            step: the step, for its dropout and its updates; None outside of training and evaluation.
        """
        raise NotImplementedError

    def call(self, x, condition=None, *, step=None):
        """Returns the logit of each example, of shape `(batch, 1)`."""
        return self.logits(self.features(x, condition, step=step), condition, step=step)

    def features(self, x, condition=None, *, step=None) -> tf.Tensor:
        """Returns φ(x), of shape `(batch, num_features)`, for examples with their condition."""
        return self.extract(tf.cast(x, self.compute_dtype), None if self.projection else condition, step=step)

    def logits(self, features: tf.Tensor, condition=None, *, step=None) -> tf.Tensor:
        """Returns the logit of each example, of shape `(batch, 1)`, from its features."""
        logits = self.head(features, step=step)
        if self.projection is not None:
            projected = self.projection(tf.cast(condition, features.dtype), step=step)
            logits += tf.reduce_sum(features * projected, axis=-1, keepdims=True)
        return logits

    def project(self, condition_size: int, initializer, spectral_norm: bool, seed: tuple[int, ...]) -> None:
        """Adds the projection if there is a condition to project."""
        if condition_size:
            shape = (condition_size, self.num_features)
            self.projection = affine(shape, initializer, self.dtype_policy, spectral_norm, seed, use_bias=False)
