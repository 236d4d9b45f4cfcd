"""ProbabilisticPCA: the latent-variable model whose likelihood and fit have a closed form.

Michael E. Tipping, Christopher M. Bishop (1999), Probabilistic Principal Component Analysis,
https://doi.org/10.1111/1467-9868.00196
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import DensityModel, DrawsFromCodes, EpochSolver
from keras_gen.spaces import Reals

tfd = tfp.distributions


class ProbabilisticPCA(EpochSolver, DrawsFromCodes, DensityModel):
    r"""A linear decoder with one noise level for all entries: the reference for bounds.

    $$p(z) = N(0, I), \qquad p(x|z) = N(W z + μ, σ^2 I), \qquad p(x) = N(μ, W W^\top + σ^2 I)$$
    $$p(z|x) = N(M^{-1} W^\top (x - μ), σ^2 M^{-1}), \qquad M = W^\top W + σ^2 I$$

    With the eigenvalues λ and eigenvectors U of the covariance of the data, the likelihood is maximal at

    $$W = U_q (Λ_q - σ^2 I)^{1/2}, \qquad σ^2 = \frac{1}{d - q} \sum_{j > q} λ_j$$

    `fit` sums the moments of the data and solves at the end of each epoch. One epoch is enough, and the optimizer has
    nothing to do. A VAE without hidden layers has the same optimum.

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
        latent_size: q, the number of entries of z, less than the number d of entries of an example; by default 2, or 1
            for examples of two entries.
        min_scale: minimum σ.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.

    Raises:
        ValueError: if `latent_size` is not less than the number of entries.
    """

    standardizes = False

    def __init__(
        self, event_shape, latent_size: int | None = None, *, min_scale: float = 1e-3, seed: int = 0, **kwargs
    ):
        super().__init__(event_shape, seed=seed, **kwargs)
        latent_size = max(1, min(2, self.event_size - 1)) if latent_size is None else latent_size
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
        # All replicas of a strategy compute the same sums.
        sums = {"initializer": "zeros", "aggregation": "only_first_replica", **float64}
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
        return tf.reshape(self.inward(x), (-1, self.event_size)) - self.mean

    def log_prob(self, x, condition=None):
        self.validated_condition(condition)
        # A rotation leaves densities unchanged.
        rotated = tf.matmul(self.centred(self.validated(x)), self.basis)
        distribution = tfd.MultivariateNormalDiag(scale_diag=tf.convert_to_tensor(self.deviations))
        return distribution.log_prob(rotated) - self.log_volume()

    def posterior(self, x: tf.Tensor) -> tfd.Distribution:
        """Returns p(z|x), of batch shape `(batch,)`, for float32 examples of shape `(batch, *event_shape)`."""
        # The columns of W are orthogonal, and M = WᵀW + σ² I is diagonal.
        diagonal = tf.square(self.deviations[: self.latent_size])
        mean = tf.matmul(self.centred(x), self.loadings) / diagonal
        return tfd.MultivariateNormalDiag(mean, self.scale / tf.sqrt(diagonal) * tf.ones_like(mean))

    # Fitting

    def statistics(self):
        return [self.count, self.sum, self.sum_of_products]

    def accumulate(self, batch, step):
        """Adds the moments of a batch."""
        rows = tf.cast(tf.reshape(self.inward(batch["x"]), (-1, self.event_size)), tf.float64)
        weights = tf.cast(step.example_weights(tf.shape(rows)[0]), tf.float64)
        weighted = weights[:, tf.newaxis] * rows
        step.update(self.count, self.count + step.total(tf.reduce_sum(weights)))
        step.update(self.sum, self.sum + step.total(tf.reduce_sum(weighted, axis=0)))
        step.update(
            self.sum_of_products, self.sum_of_products + step.total(tf.matmul(weighted, rows, transpose_a=True))
        )

    def solve(self):
        """Sets the parameters to the maximum of the likelihood given the moments; without any, they stay unchanged."""
        count, total = float(self.count), np.asarray(self.sum)
        if count == 0.0:
            return
        mean = total / count
        values, vectors = np.linalg.eigh(np.asarray(self.sum_of_products) / count - np.outer(mean, mean))
        values = np.maximum(values[::-1], self.min_scale**2)
        values[self.latent_size :] = values[self.latent_size :].mean()
        self.mean.assign(mean)
        self.basis.assign(vectors[:, ::-1])
        self.deviations.assign(np.sqrt(values))

    # Codes

    @property
    def code_space(self):
        return Reals((self.latent_size,))

    def code_of(self, x, condition):
        """The mean of p(z|x)."""
        return self.posterior(x).mean()

    def mean_of(self, z, condition):
        """The mean of p(x|z)."""
        return self.outward(self.unit_mean_of(z))

    def unit_mean_of(self, z: tf.Tensor) -> tf.Tensor:
        """Returns that mean in the unit of the model."""
        return tf.reshape(tf.matmul(z, self.loadings, transpose_b=True) + self.mean, (-1, *self.event_shape))

    # Sampling

    def noise_distributions(self):
        """Standard normal numbers: the code z, and for each entry its noise."""
        normal = tfd.Normal(0.0, 1.0)
        return {"z": tfd.Sample(normal, self.latent_size), "normal": tfd.Sample(normal, self.event_shape)}

    def drawn_codes(self, noise, condition):
        return noise["z"]

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        return self.outward(self.unit_mean_of(noise["z"]) + self.scale * noise["normal"])
