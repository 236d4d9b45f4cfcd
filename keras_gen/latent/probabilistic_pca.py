"""ProbabilisticPCA: the latent-variable model whose likelihood and whose fit have a closed form.

Michael E. Tipping, Christopher M. Bishop (1999), Probabilistic Principal Component Analysis,
https://doi.org/10.1111/1467-9868.00196
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, spaces
from keras_gen.core import DensityModel, Signature

tfd = tfp.distributions


class ProbabilisticPCA(DensityModel):
    r"""A linear decoder with one noise level for all entries: the yardstick of bounds.

    $$p(z) = N(0, I), \qquad p(x|z) = N(W z + μ, σ^2 I), \qquad p(x) = N(μ, W W^\top + σ^2 I)$$
    $$p(z|x) = N(M^{-1} W^\top (x - μ), σ^2 M^{-1}), \qquad M = W^\top W + σ^2 I$$

    With the eigenvalues λ and eigenvectors U of the covariance of the data, the likelihood is greatest at

    $$W = U_q (Λ_q - σ^2 I)^{1/2}, \qquad σ^2 = \frac{1}{d - q} \sum_{j > q} λ_j$$

    `fit` adds up the moments of the data, and solves at the end of each epoch; one epoch is enough, whatever the
    optimizer. A VAE without hidden layers has the same optimum.

    Example:

    ```python
    model = keras_gen.latent.ProbabilisticPCA((11,), latent_size=3)
    model.compile()
    model.fit(x_train)                                             # x_train holds real vectors
    model.log_prob(x_test)                                         # nats
    model.encode(x_test)
    ```

    Args:
        event_shape: shape of one example.
        latent_size: q, the number of entries of z, less than the number d of entries of an example.
        min_scale: least σ.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.

    Raises:
        ValueError: if `latent_size` is not less than the number of entries.
    """

    def __init__(self, event_shape, latent_size: int = 2, *, min_scale: float = 1e-3, seed: int = 0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.min_scale = checks.positive("min_scale", min_scale)
        size = self.event_size
        if self.latent_size >= size:
            raise ValueError(
                f"`latent_size` must be less than the {size} entries of an example, received {latent_size}."
            )
        float32, float64 = {"dtype": "float32", "trainable": False}, {"dtype": "float64", "trainable": False}
        self.mean = self.add_weight(name="mean", shape=(size,), initializer="zeros", **float32)
        # Columns: the eigenvectors of the covariance of x, and the standard deviation of x along each.
        self.basis = self.add_weight(name="basis", shape=(size, size), initializer="identity", **float32)
        self.deviations = self.add_weight(name="deviations", shape=(size,), initializer="ones", **float32)
        # Replicas of a strategy each add up their share of the examples.
        sums = {"initializer": "zeros", "aggregation": "sum", **float64}
        self.count = self.add_weight(name="count", shape=(), **sums)
        self.sum = self.add_weight(name="sum", shape=(size,), **sums)
        self.sum_of_products = self.add_weight(name="sum_of_products", shape=(size, size), **sums)

    # Densities

    @property
    def scale(self) -> tf.Tensor:
        """σ, a scalar."""
        return self.deviations[-1]

    @property
    def loadings(self) -> tf.Tensor:
        """W, of shape `(entries, latent_size)`; its columns are orthogonal."""
        lengths = tf.sqrt(tf.square(self.deviations[: self.latent_size]) - tf.square(self.scale))
        return self.basis[:, : self.latent_size] * lengths

    def centred(self, x: tf.Tensor) -> tf.Tensor:
        """Returns x - μ, of shape `(batch, entries)`."""
        return tf.reshape(x, (-1, self.event_size)) - self.mean

    def log_prob(self, x, condition=None):
        self.validated_condition(condition)
        # A rotation leaves densities as they are.
        rotated = tf.matmul(self.centred(self.validated(x)), self.basis)
        return tfd.MultivariateNormalDiag(scale_diag=tf.convert_to_tensor(self.deviations)).log_prob(rotated)

    def posterior(self, x: tf.Tensor) -> tfd.Distribution:
        """Returns p(z|x), of batch shape `(batch,)`, for float32 examples of shape `(batch, *event_shape)`."""
        # The columns of W are orthogonal, and M = WᵀW + σ² I is diagonal.
        diagonal = tf.square(self.deviations[: self.latent_size])
        mean = tf.matmul(self.centred(x), self.loadings) / diagonal
        return tfd.MultivariateNormalDiag(mean, self.scale / tf.sqrt(diagonal) * tf.ones_like(mean))

    # Objective

    def fit(self, x=None, y=None, *args, callbacks=None, **kwargs):
        """As `GenerativeModel.fit`; every epoch adds up anew, and solves when it ends."""
        return super().fit(x, y, *args, callbacks=[Solve(), *(callbacks or ())], **kwargs)

    def train_step(self, data):
        """Adds the moments of a batch, and evaluates it with the solution of the epoch before."""
        x, condition = self.unpack(data)
        rows = tf.cast(tf.reshape(x, (-1, self.event_size)), tf.float64)
        self.count.assign_add(tf.cast(tf.shape(rows)[0], tf.float64))
        self.sum.assign_add(tf.reduce_sum(rows, axis=0))
        self.sum_of_products.assign_add(tf.matmul(rows, rows, transpose_a=True))
        return self.logged(self.loss_terms(x, condition, seed=None, training=False))

    def solve(self):
        """Sets the parameters to those of the greatest likelihood, given the moments."""
        count, total = float(self.count), np.asarray(self.sum)
        mean = total / count
        values, vectors = np.linalg.eigh(np.asarray(self.sum_of_products) / count - np.outer(mean, mean))
        values = np.maximum(values[::-1], self.min_scale**2)
        values[self.latent_size :] = values[self.latent_size :].mean()
        self.mean.assign(mean)
        self.basis.assign(vectors[:, ::-1])
        self.deviations.assign(np.sqrt(values))

    # Latent code and back

    def encode(self, x) -> tf.Tensor:
        """Returns the mean of p(z|x), of shape `(batch, latent_size)`, for examples `(batch, *event_shape)`."""
        return self.posterior(self.validated(x)).mean()

    def decode(self, z) -> tf.Tensor:
        """Returns the mean of p(x|z), of shape `(batch, *event_shape)`, for codes `(batch, latent_size)`."""
        z = spaces.Reals().validate(z, (self.latent_size,), "z")
        return tf.reshape(tf.matmul(z, self.loadings, transpose_b=True) + self.mean, (-1, *self.event_shape))

    def reconstruct(self, x) -> tf.Tensor:
        """Returns `decode(encode(x))`, of the shape of `x`."""
        return self.decode(self.encode(x))

    # Sampling

    def noise_distributions(self):
        """Standard normal numbers: the code z, and for each entry its noise."""
        normal = tfd.Normal(0.0, 1.0)
        return {"z": tfd.Sample(normal, self.latent_size), "normal": tfd.Sample(normal, self.event_shape)}

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        return self.decode(noise["z"]) + self.scale * noise["normal"]

    # Export

    def signatures(self):
        """Adds `encode`, `decode` and `reconstruct` to what every density exports."""
        x = {"x": tf.TensorSpec((None, *self.event_shape), tf.float32, "x")}
        z = {"z": tf.TensorSpec((None, self.latent_size), tf.float32, "z")}
        return {
            **super().signatures(),
            "encode": Signature(lambda x: {"z": self.encode(x)}, x),
            "decode": Signature(lambda z: {"x": self.decode(z)}, z),
            "reconstruct": Signature(lambda x: {"x": self.reconstruct(x)}, x),
        }


class Solve(keras.callbacks.Callback):
    """Forgets the moments when an epoch begins, and solves when it has ended."""

    def on_epoch_begin(self, epoch, logs=None):
        for moment in (self.model.count, self.model.sum, self.model.sum_of_products):
            moment.assign(tf.zeros_like(moment))

    def on_test_begin(self, logs=None):
        # Validation comes before the end of the epoch.
        self.model.solve()

    def on_epoch_end(self, epoch, logs=None):
        self.model.solve()
