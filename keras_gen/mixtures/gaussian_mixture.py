"""GaussianMixture: a mixture of Gaussians, fitted by EM, even to rows with missing entries.

Arthur P. Dempster, Nan M. Laird, Donald B. Rubin (1977), Maximum Likelihood from Incomplete Data via the EM Algorithm,
https://doi.org/10.1111/j.2517-6161.1977.tb01600.x

Zoubin Ghahramani, Michael I. Jordan (1993), Supervised Learning from Incomplete Data via an EM Approach, NIPS 6.
"""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.layers.bias import add_bias
from keras_gen.mixtures.base import MixtureModel
from keras_gen.spaces import Reals, missing_entries

tfd = tfp.distributions


class GaussianMixture(MixtureModel):
    r"""A mixture of Gaussians, $p(x) = \sum_k π_k N(x; μ_k, Σ_k)$.

    With the responsibilities $r_{ik} = p(k | x_i)$ and $N_k = \sum_i r_{ik}$, an iteration of EM sets

    $$π_k = N_k / N, \qquad μ_k = \frac{1}{N_k} \sum_i r_{ik} \hat{x}_{ik}, \qquad
    Σ_k = \frac{1}{N_k} \sum_i r_{ik} [(\hat{x}_{ik} - μ_k)(\hat{x}_{ik} - μ_k)^\top + C_{ik}]$$

    where $\hat{x}_{ik}$ is the row with missing entries replaced by their mean given the others, and $C_{ik}$ is their
    covariance given the others. Sums are of deviations from the current means, in float64. No eigenvalue of a
    covariance may be less than `min_scale` squared: smaller ones are set to it, which is the maximum under that
    constraint.

    Example:

    ```python
    model = keras_gen.mixtures.GaussianMixture((11,), num_components=10)
    model.compile()
    model.fit(x_train, epochs=50)                          # x_train holds real vectors; NaN where an entry is missing
    model.log_prob(x_test)                                 # nats
    model.responsibilities(x_test)
    model.impute(x_test, seed=0)                           # draws what is missing
    ```

    Args:
        event_shape: shape of one example.
        num_components: number K of components.
        covariance: "full"; "tied", a full one shared by all components; "diagonal"; or "spherical", a multiple of the
            identity.
        min_scale: minimum standard deviation in any direction.
        num_starts: number of starts that are compared.
        online_decay: None solves at the end of each epoch; a number greater than 0.5 and at most 1 solves after each
            batch: see `MixtureModel`.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    standardizes = False

    def __init__(
        self,
        event_shape,
        num_components: int = 10,
        covariance: str = "full",
        *,
        min_scale: float = 1e-3,
        num_starts: int = 3,
        online_decay: float | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(
            event_shape, num_components, num_starts=num_starts, online_decay=online_decay, seed=seed, **kwargs
        )
        self.covariance = checks.choice("covariance", covariance, COVARIANCES)
        self.min_scale = checks.positive("min_scale", min_scale)
        shape = (self.num_components, self.event_size)
        # In the unit of the model, like the covariance parameters.
        self.unit_means = self.parameter("means", shape, keras.initializers.RandomNormal(stddev=1.0, seed=seed))
        self.sums = self.sum_variable("sums", shape)
        self.shapes = COVARIANCES[self.covariance](self)

    @property
    def event_space(self):
        return Reals(self.event_shape, missing=True, standardization=self.standardization)

    # Densities

    @property
    def means(self) -> tf.Tensor:
        """μ, of shape `(num_components, entries)`."""
        return tf.reshape(self.component_means, self.unit_means.shape)

    @property
    def component_means(self):
        """μ, of the shape of examples."""
        return self.outward(tf.reshape(self.unit_means, (self.num_components, *self.event_shape)))

    @property
    def covariances(self) -> tf.Tensor:
        """Σ, of shape `(num_components, entries, entries)`."""
        return self.shapes.covariances() * self.scales[:, tf.newaxis] * self.scales

    @property
    def scales(self) -> tf.Tensor:
        """The unit of each entry, of shape `(entries,)`."""
        return tf.reshape(self.standardization.scale, (-1,))

    def rows(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns examples in the unit of the model, of shape `(batch, entries)`, and whether each entry is missing."""
        rows = tf.reshape(self.inward(x), (-1, self.event_size))
        return rows, missing_entries(rows)

    def log_volumes(self, missing: tf.Tensor) -> tf.Tensor:
        """Returns by how much the unit raises the log density of the present entries, of shape `(batch,)`."""
        return tf.reduce_sum(tf.where(missing, 0.0, tf.math.log(self.scales)), axis=-1)

    def deviations(self, rows: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
        """Returns x - μ_k of shape `(num_components, batch, entries)`, 0 where an entry is missing."""
        return tf.where(missing, 0.0, rows - self.unit_means[:, tf.newaxis])

    def centred(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns rows and means minus the mean of the mixture: smaller numbers have smaller rounding errors."""
        centre = tf.linalg.matvec(self.unit_means, self.proportions, transpose_a=True)
        return rows - centre, self.unit_means - centre

    def component_log_probs(self, x):
        rows, missing = self.rows(x)
        # A batch without missing entries needs less work.
        log_probs = tf.cond(
            tf.reduce_any(missing),
            lambda: tf.transpose(self.shapes.given(self.deviations(rows, missing), missing)[0]),
            lambda: self.shapes.log_probs(self.shapes.whitened(*self.centred(rows))),
        )
        return log_probs - self.log_volumes(missing)[:, tf.newaxis]

    @property
    def num_free_parameters(self) -> int:
        """Number of free parameters: proportions, means and covariances."""
        proportions, means = self.num_components - 1, self.num_components * self.event_size
        return proportions + means + self.shapes.num_free_parameters

    # Fitting

    def statistics(self):
        return [self.counts, self.sums, self.shapes.moments]

    def expectation(self, x, weights, responsibilities=None):
        rows, missing = self.rows(x)

        def shares_of(joint):
            shares = tf.nn.softmax(joint) if responsibilities is None else responsibilities
            return shares * weights[:, tf.newaxis]

        def complete():
            centred, means = self.centred(rows)
            whitened = self.shapes.whitened(centred, means)
            joint = self.shapes.log_probs(whitened) + self.log_proportions
            shares = shares_of(joint)
            found = self.shapes.moments_of_whitened(shares[..., tf.newaxis] * whitened, whitened, centred, means)
            return tf.reduce_logsumexp(joint, axis=-1), shares, *found

        def incomplete():
            log_probs, filled, covariances = self.shapes.given(self.deviations(rows, missing), missing)
            joint = tf.transpose(log_probs) + self.log_proportions
            shares = shares_of(joint)
            found = self.shapes.moments_of_filled(tf.transpose(shares)[..., tf.newaxis], filled, covariances)
            return tf.reduce_logsumexp(joint, axis=-1), shares, *found

        log_prob, shares, sums, moments = tf.cond(tf.reduce_any(missing), incomplete, complete)
        return log_prob - self.log_volumes(missing), [tf.reduce_sum(shares, axis=0), sums, moments]

    def solution(self, statistics):
        counts, sums, moments = statistics
        # A component from which no example came stays unchanged.
        alive = (counts > 1e-10 * tf.reduce_sum(counts))[:, tf.newaxis]
        weights = tf.where(alive, counts[:, tf.newaxis], 1.0)
        shifts = tf.where(alive, sums / weights, 0.0)
        means = tf.cast(tf.cast(self.unit_means, tf.float64) + shifts, tf.float32)
        return [
            (self.log_proportions, self.new_log_proportions(counts)),
            (self.unit_means, means),
            *self.shapes.solution(counts, weights, shifts, moments, alive, self.min_scale),
        ]

    def implied_statistics(self):
        proportions = tf.nn.softmax(tf.cast(self.log_proportions, tf.float64))
        return [proportions, tf.zeros(self.sums.shape, tf.float64), self.shapes.implied(proportions)]

    # Start

    def start_vectors(self, x):
        """Standardised rows, with the mean in place of a missing entry."""
        rows = x.reshape(len(x), -1)
        mean, deviation = column_moments(rows, np.ones(len(rows)))
        return np.nan_to_num((rows - mean) / np.where(deviation > 0.0, deviation, 1.0)).astype(np.float32)

    def prepare_start(self, x, weights):
        """Sets all components to the means and the variances of the columns."""
        mean, deviation = column_moments(self.rows(tf.constant(x))[0].numpy(), weights)
        self.unit_means.assign(np.broadcast_to(mean, self.unit_means.shape))
        variances = np.maximum(deviation, self.min_scale) ** 2
        self.shapes.assign_variances(np.broadcast_to(variances, self.unit_means.shape).astype(np.float64))

    def start_statistics(self, statistics):
        """All components start with the covariance within clusters, since a small cluster has none of its own."""
        counts, sums, moments = statistics
        weights = tf.maximum(counts, 1e-10)[:, tf.newaxis]
        between = self.shapes.outer(sums / weights, weights)
        within = tf.reduce_sum(moments - between, axis=0) / tf.reduce_sum(counts)
        return [counts, sums, between + self.shapes.expand(weights) * within]

    def set_parameters(self, proportions, means, covariances) -> None:
        """Sets the parameters of the mixture, such as those from another library, from which `fit` continues.

        Args:
            proportions: π, of shape `(num_components,)`.
            means: μ, of shape `(num_components, entries)`.
            covariances: Σ, of shape `(num_components, entries, entries)`; for a covariance type other than "full", the
                model keeps what EM would derive from them.
        """
        self.log_proportions.assign(np.log(proportions))
        scales = self.scales.numpy().astype(np.float64)
        means = np.reshape(means, (self.num_components, *self.event_shape)).astype(np.float32)
        self.unit_means.assign(tf.reshape(self.inward(means), self.unit_means.shape))
        covariances = covariances / (scales[:, np.newaxis] * scales)
        weights = tf.constant(np.reshape(proportions, (-1, 1)), tf.float64)
        moments = self.shapes.of_matrices(tf.constant(covariances, tf.float64)) * self.shapes.expand(weights)
        zeros, alive = tf.zeros(self.unit_means.shape, tf.float64), tf.ones_like(weights, tf.bool)
        for variable, value in self.shapes.solution(weights[:, 0], weights, zeros, moments, alive, self.min_scale):
            variable.assign(value)
        self.started.assign(1.0)

    # Sampling

    def noise_distributions(self):
        """A uniform number, which chooses a component, and a standard normal number for each entry."""
        return {"component": tfd.Uniform(), "normal": tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)}

    def coloured(self, component, noise):
        """Returns draws from given components minus their means, of shape `(batch, entries)`."""
        return self.shapes.coloured(tf.reshape(noise["normal"], (-1, self.event_size)), component)

    def generate_given(self, component, noise):
        x = tf.gather(self.unit_means, component) + self.coloured(component, noise)
        return self.outward(tf.reshape(x, (-1, *self.event_shape)))

    def impute_given(self, x, component, noise):
        """A draw of all entries, moved by the conditional mean of the error given the error of its known entries."""
        rows, missing = self.rows(x)
        drawn = self.coloured(component, noise)
        _, filled, _ = self.shapes.given(self.deviations(rows - drawn, missing), missing)
        x = tf.gather(self.unit_means, component) + drawn + gathered(filled, component)
        return self.outward(tf.reshape(x, (-1, *self.event_shape)))


class FullCovariance:
    """A covariance matrix for each component.

    Its Cholesky factors L are used to draw samples, and their inverses, computed when the parameters change, to whiten
    deviations: LiteRT can neither factor a matrix nor solve a system of equations.

    Args:
        model: the mixture, which holds the variables.
    """

    #: Whether all components share one matrix.
    tied = False

    def __init__(self, model: GaussianMixture):
        self.size = model.event_size
        self.num_components = model.num_components
        self.num_matrices = 1 if self.tied else self.num_components
        shape = (self.num_matrices, self.size, self.size)
        self.factors = model.parameter("factors", shape, identity_matrices)
        self.whitening = model.parameter("whitening", shape, identity_matrices)
        self.moments = model.sum_variable("moments", (self.num_components, self.size, self.size))
        self.least_variance = model.min_scale**2

    @property
    def num_free_parameters(self) -> int:
        """Number of entries of the lower triangles."""
        return self.num_matrices * self.size * (self.size + 1) // 2

    def covariances(self) -> tf.Tensor:
        """Returns all matrices, of shape `(num_components, entries, entries)`."""
        factors = tf.convert_to_tensor(self.factors)
        covariances = tf.matmul(factors, factors, transpose_b=True)
        return tf.broadcast_to(covariances, (self.num_components, self.size, self.size))

    def whitened(self, rows: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
        """Returns whitened deviations from the means, of shape `(batch, num_components, entries)`.

        Args:
            rows: complete rows of shape `(batch, entries)`.
            means: means of shape `(num_components, entries)`.
        """
        # All components in one product, whose rounding errors are as large as those of the means themselves.
        whitening = tf.broadcast_to(self.whitening, (self.num_components, self.size, self.size))
        offsets = tf.reshape(tf.linalg.matvec(whitening, means), (-1,))
        whitening = tf.reshape(whitening, (-1, self.size))
        whitened = add_bias(tf.matmul(rows, whitening, transpose_b=True), -offsets)
        return tf.reshape(whitened, (-1, self.num_components, self.size))

    def log_determinants(self) -> tf.Tensor:
        """Returns the log determinants of the whitening matrices, of shape `(num_components or 1,)`."""
        return tf.reduce_sum(tf.math.log(tf.linalg.diag_part(self.whitening)), axis=-1)

    def log_probs(self, whitened: tf.Tensor) -> tf.Tensor:
        """Returns the log densities of complete rows, of shape `(batch, num_components)`."""
        # Like `tfd.MultivariateNormalTriL`, which would solve a system of equations.
        highest = self.log_determinants() + self.size * tfd.Normal(0.0, 1.0).log_prob(0.0)
        return highest - 0.5 * tf.reduce_sum(tf.square(whitened), axis=-1)

    def given(self, deviations: tf.Tensor, missing: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        r"""Conditions on the present entries of each row, one after another.

        With the mean m and the covariance C given the preceding entries, an entry i with value x has the log density of
        $N(x; m_i, C_{ii})$, and then

        $$m ← m + C_{·i} (x - m_i) / C_{ii}, \qquad C ← C - C_{·i} C_{i·} / C_{ii}$$

        Args:
            deviations: x - μ_k of shape `(num_components, batch, entries)`, 0 where an entry is missing.
            missing: where entries are missing, of shape `(batch, entries)`.

        Returns:
            The log densities of the present entries, of shape `(num_components, batch)`; the deviations, with missing
            ones replaced by their means given the others; and the covariances given the others, of shape
            `(num_components, batch, entries, entries)`.
        """
        present = tf.cast(~missing, tf.float32)

        def condition(entry, log_probs, means, covariances):
            there = tf.gather(present, entry, axis=-1)
            column = tf.gather(covariances, entry, axis=-1)
            # No conditional variance is less than the smallest eigenvalue.
            variance = tf.maximum(tf.gather(column, entry, axis=-1), self.least_variance)
            residual = tf.gather(deviations, entry, axis=-1) - tf.gather(means, entry, axis=-1)
            log_probs += there * tfd.Normal(0.0, tf.sqrt(variance)).log_prob(residual)
            gain = column * (there / variance)[..., tf.newaxis]
            means += gain * residual[..., tf.newaxis]
            covariances -= gain[..., tf.newaxis] * column[..., tf.newaxis, :]
            return entry + 1, log_probs, means, covariances

        matrices = self.covariances()[:, tf.newaxis]
        _, log_probs, means, covariances = tf.while_loop(
            lambda entry, *_: entry < self.size,
            condition,
            (
                0,
                tf.zeros_like(deviations[..., 0]),
                tf.zeros_like(deviations),
                matrices + tf.zeros_like(deviations)[..., tf.newaxis],
            ),
            maximum_iterations=self.size,
        )
        holes = 1.0 - present
        # Known entries have exactly zero variance, despite rounding.
        return (
            log_probs,
            deviations + holes * means,
            covariances * holes[:, tf.newaxis] * holes[..., tf.newaxis],
        )

    # Fitting

    def outer(self, vectors: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Returns weights of shape `(num_components, 1)` times the outer products of vectors with themselves."""
        return (weights * vectors)[..., tf.newaxis] * vectors[..., tf.newaxis, :]

    def expand(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns weights of shape `(num_components, 1)` in a shape that broadcasts to second moments."""
        return weights[..., tf.newaxis]

    def of_matrices(self, matrices: tf.Tensor) -> tf.Tensor:
        """Returns the part of covariance matrices that second moments contain."""
        return matrices

    def moments_of_whitened(self, weighted, whitened, rows, means) -> tuple[tf.Tensor, tf.Tensor]:
        r"""Returns the sums over complete rows of the deviations d from the means, and of their outer products.

        With whitened deviations w = L⁻¹ d,

        $$\sum r d d^\top = L \sum r w x^\top - (\sum r d) μ^\top, \qquad \sum r d = L \sum r w$$

        where the last term vanishes as EM converges: unlike in E[x²] - μ², no large numbers are subtracted.

        Args:
            weighted: whitened deviations times responsibilities, of shape `(batch, num_components, entries)`.
            whitened: the same without responsibilities.
            rows: as passed to `whitened`.
            means: as passed to `whitened`.

        Returns:
            float64 tensors, of shape `(num_components, entries)` and of the shape of the second moments.
        """
        weighted = tf.reshape(weighted, (-1, self.num_components * self.size))
        products = tf.reshape(tf.matmul(rows, weighted, transpose_a=True), (self.size, self.num_components, self.size))
        products = tf.cast(tf.transpose(products, (1, 2, 0)), tf.float64)
        sums = tf.cast(tf.reshape(tf.reduce_sum(weighted, axis=0), (self.num_components, self.size)), tf.float64)
        factors = tf.cast(self.factors, tf.float64)
        sums = tf.linalg.matvec(factors, sums)
        moved = sums[..., tf.newaxis] * tf.cast(means, tf.float64)[:, tf.newaxis]
        return sums, tf.matmul(factors, products) - moved

    def moments_of_filled(self, shares, filled, covariances) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the expected sums if entries are missing: see `moments_of_whitened`.

        Args:
            shares: responsibilities of shape `(num_components, batch, 1)`.
            filled: deviations that `given` returned.
            covariances: covariances that `given` returned.
        """
        weighted = shares * filled
        products = tf.matmul(weighted, filled, transpose_a=True) + tf.einsum("kbo,kbij->kij", shares, covariances)
        return tf.cast(tf.reduce_sum(weighted, axis=1), tf.float64), tf.cast(products, tf.float64)

    def implied(self, proportions: tf.Tensor) -> tf.Tensor:
        """Returns the second moments of one example that the parameters imply, float64."""
        factors = tf.cast(self.factors, tf.float64)
        return proportions[:, tf.newaxis, tf.newaxis] * tf.matmul(factors, factors, transpose_b=True)

    def solution(self, counts, weights, shifts, moments, alive, min_scale):
        """Returns the variables and their values for float64 statistics.

        Args:
            counts: weight of the examples of each component.
            weights: the same, of shape `(num_components, 1)`, 1 where there are none.
            shifts: how far the means move.
            moments: sums of outer products of deviations from the current means.
            alive: whether a component has examples, of shape `(num_components, 1)`.
            min_scale: square root of the smallest allowed eigenvalue.
        """
        covariances = moments / weights[..., tf.newaxis] - self.outer(shifts, tf.ones_like(weights))
        if self.tied:
            shares = tf.reshape(counts / tf.reduce_sum(counts), (-1, 1, 1))
            covariances = tf.reduce_sum(shares * covariances, axis=0, keepdims=True)
        values, vectors = tf.linalg.eigh(0.5 * (covariances + tf.linalg.matrix_transpose(covariances)))
        values = tf.maximum(values, min_scale**2)
        factors = tf.linalg.cholesky(tf.matmul(vectors * values[..., tf.newaxis, :], vectors, transpose_b=True))
        whitening = tf.linalg.triangular_solve(factors, tf.eye(self.size, dtype=tf.float64))
        kept = tf.ones((1, 1, 1), bool) if self.tied else alive[..., tf.newaxis]
        return [
            (variable, tf.where(kept, tf.cast(value, tf.float32), variable))
            for variable, value in ((self.factors, factors), (self.whitening, whitening))
        ]

    def assign_variances(self, variances: np.ndarray) -> None:
        """Gives all components a diagonal matrix; if they share one, that of the first component."""
        scales = np.sqrt(variances[: self.num_matrices])
        identity = np.eye(self.size)
        self.factors.assign(identity * scales[..., np.newaxis])
        self.whitening.assign(identity / scales[..., np.newaxis])

    # Sampling

    def coloured(self, normal: tf.Tensor, component: tf.Tensor) -> tf.Tensor:
        """Turns standard normal vectors into draws from components with mean 0, of shape `(batch, entries)`."""
        return gathered(tf.matmul(normal[tf.newaxis], self.factors, transpose_b=True), component)


class TiedCovariance(FullCovariance):
    """A covariance matrix shared by all components."""

    tied = True


class DiagonalCovariance:
    """A variance for each entry of each component.

    Args:
        model: the mixture, which holds the variables.
    """

    #: Whether all entries share one variance.
    spherical = False

    def __init__(self, model: GaussianMixture):
        self.size = model.event_size
        shape = (model.num_components, 1 if self.spherical else self.size)
        self.scales = model.parameter("scales", shape, "ones")
        self.moments = model.sum_variable("moments", (model.num_components, self.size))

    @property
    def num_free_parameters(self) -> int:
        """Number of variances."""
        return math.prod(self.scales.shape)

    def covariances(self) -> tf.Tensor:
        """Returns all matrices, of shape `(num_components, entries, entries)`."""
        return tf.linalg.diag(tf.square(self.scales) * tf.ones((self.size,)))

    def whitened(self, rows, means):
        """As in `FullCovariance`."""
        return (rows[:, tf.newaxis] - means) / self.scales

    def log_probs(self, whitened):
        """As in `FullCovariance`."""
        normal = tfd.Normal(0.0, 1.0)
        return tf.reduce_sum(normal.log_prob(whitened) - tf.math.log(self.scales), axis=-1)

    def given(self, deviations, missing):
        """As in `FullCovariance`, with variances instead of matrices: entries are independent."""
        scales = tf.convert_to_tensor(self.scales)[:, tf.newaxis]
        log_probs = tf.where(missing, 0.0, tfd.Normal(0.0, scales).log_prob(deviations))
        return tf.reduce_sum(log_probs, axis=-1), deviations, tf.square(scales) * tf.cast(missing, tf.float32)

    def outer(self, vectors, weights):
        """As in `FullCovariance`, with squares only."""
        return weights * tf.square(vectors)

    def expand(self, weights):
        """As in `FullCovariance`."""
        return weights

    def of_matrices(self, matrices):
        """As in `FullCovariance`."""
        return tf.linalg.diag_part(matrices)

    def moments_of_whitened(self, weighted, whitened, rows, means):
        """As in `FullCovariance`, with squares instead of outer products."""
        scales = tf.cast(self.scales, tf.float64)
        sums, squares = tf.reduce_sum(weighted, axis=0), tf.reduce_sum(weighted * whitened, axis=0)
        return scales * tf.cast(sums, tf.float64), tf.square(scales) * tf.cast(squares, tf.float64)

    def moments_of_filled(self, shares, filled, covariances):
        """As in `FullCovariance`."""
        weighted = shares * filled
        squares = tf.reduce_sum(weighted * filled + shares * covariances, axis=1)
        return tf.cast(tf.reduce_sum(weighted, axis=1), tf.float64), tf.cast(squares, tf.float64)

    def implied(self, proportions):
        """As in `FullCovariance`."""
        variances = tf.square(tf.cast(self.scales, tf.float64))
        return proportions[:, tf.newaxis] * variances * tf.ones((self.size,), tf.float64)

    def solution(self, counts, weights, shifts, moments, alive, min_scale):
        """As in `FullCovariance`."""
        variances = moments / weights - tf.square(shifts)
        if self.spherical:
            variances = tf.reduce_mean(variances, axis=-1, keepdims=True)
        scales = tf.cast(tf.sqrt(tf.maximum(variances, min_scale**2)), tf.float32)
        return [(self.scales, tf.where(alive, scales, self.scales))]

    def assign_variances(self, variances):
        """As in `FullCovariance`; if entries share a variance, the mean of all."""
        variances = variances.mean(axis=1, keepdims=True) if self.spherical else variances
        self.scales.assign(np.sqrt(variances))

    def coloured(self, normal, component):
        """As in `FullCovariance`."""
        return normal * tf.gather(self.scales, component)


class SphericalCovariance(DiagonalCovariance):
    """One variance for all entries of each component."""

    spherical = True


#: The forms that covariances can have.
COVARIANCES = {
    "full": FullCovariance,
    "tied": TiedCovariance,
    "diagonal": DiagonalCovariance,
    "spherical": SphericalCovariance,
}


def identity_matrices(shape, dtype) -> tf.Tensor:
    """Returns an identity matrix for each component."""
    return tf.eye(shape[-1], batch_shape=shape[:1], dtype=dtype)


def gathered(values: tf.Tensor, component: tf.Tensor) -> tf.Tensor:
    """Returns the rows of given components.

    Args:
        values: tensor of shape `(num_components or 1, batch, entries)`.
        component: int32 tensor of shape `(batch,)`.

    Returns:
        Tensor of shape `(batch, entries)`.
    """
    if values.shape[0] == 1:
        return values[0]
    return tf.gather(tf.transpose(values, (1, 0, 2)), component, axis=1, batch_dims=1)


def column_moments(rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each column's present entries; 0 and 1 if there are none."""
    there = ~np.isnan(rows)
    weights = there * np.reshape(weights, (-1, 1)).astype(np.float64)
    total = weights.sum(axis=0)
    rows, total, empty = np.where(there, rows, 0.0), np.maximum(total, 1e-30), total == 0.0
    mean = (weights * rows).sum(axis=0) / total
    deviation = np.sqrt((weights * (rows - mean) ** 2).sum(axis=0) / total)
    return np.where(empty, 0.0, mean), np.where(empty, 1.0, deviation)
