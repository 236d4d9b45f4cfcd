"""ParzenWindow: a Gaussian window around each of many points.

Emanuel Parzen (1962), On Estimation of a Probability Density Function and Mode,
https://doi.org/10.1214/aoms/1177704472; for the width by leaving one out: Robert P. W. Duin (1976), On the Choice of
Smoothing Parameters for Parzen Estimators of Probability Density Functions.
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import DensityModel, DrawsAroundMeans, EpochSolver
from keras_gen.mixtures.base import StartsFromData

tfd = tfp.distributions

#: Number of points compared with a batch at once.
POINTS_AT_ONCE = 1000


class ParzenWindow(StartsFromData, EpochSolver, DrawsAroundMeans, DensityModel):
    r"""A kernel density, $p(x) = \frac{1}{n} \sum_j N(x; y_j, σ^2 I)$ with points y_j of the data.

    The first `fit` stores the points. The width σ maximises the likelihood of examples, by EM: an epoch sets

    $$σ^2 = \frac{1}{N D} \sum_i \sum_j r_{ij} \|x_i - y_j\|^2$$

    with the probability $r_{ij}$ that the window of y_j generated x_i; this never lowers the likelihood. An example
    that is one of the points is left out of its own density while σ is learned: on the training data, this is
    leave-one-out selection. A further `fit` on validation data changes only σ, and so selects it on those data. Entries
    are not rescaled: for pixels, σ is in levels.

    Example:

    ```python
    model = keras_gen.mixtures.ParzenWindow((784,))
    model.compile()
    model.fit(x_train, epochs=10)                          # keeps points; σ by leaving one out
    model.fit(x_valid, epochs=10)                          # σ by validation
    model.log_prob(x_test)                                 # nats
    ```

    Args:
        event_shape: shape of one example.
        num_points: maximum number of points to keep: all rows, or this many chosen at random.
        min_width: minimum σ.
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    takes_sample_weight = False
    standardizes = False

    def __init__(self, event_shape, num_points: int = 10_000, *, min_width: float = 1e-3, seed: int = 0, **kwargs):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.num_points = self.num_start_rows = checks.positive_int("num_points", num_points)
        self.min_width = checks.positive("min_width", min_width)
        # Whole chunks: the last one may have slots without a point.
        self.chunk = min(self.num_points, POINTS_AT_ONCE)
        self.num_chunks = -(-self.num_points // self.chunk)
        fixed = {"dtype": "float32", "trainable": False, "aggregation": "only_first_replica"}
        sums = {**fixed, "dtype": "float64", "initializer": "zeros", "shape": ()}
        shape = (self.num_chunks, self.chunk, self.event_size)
        # Distances are computed from deviations from the mean: smaller numbers have smaller rounding errors.
        self.centre = self.add_weight(name="centre", shape=shape[2:], initializer="zeros", **fixed)
        self.points = self.add_weight(name="points", shape=shape, initializer="zeros", **fixed)
        self.width = self.add_weight(name="width", shape=(), initializer="ones", **fixed)
        self.num_kept = self.add_weight(name="num_kept", shape=(), initializer="ones", **fixed)
        self.count = self.add_weight(name="count", **sums)
        self.sum_of_squares = self.add_weight(name="sum_of_squares", **sums)

    # Densities

    def log_prob(self, x, condition=None):
        self.validated_condition(condition)
        rows = self.centred(self.validated(x))
        log_density, _ = self.log_density(rows, tf.zeros_like(rows[:, 0], tf.int32) - 1, self.num_kept)
        return log_density - self.log_volume()

    def centred(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples minus the mean of the points, of shape `(batch, entries)`."""
        return tf.reshape(self.inward(x), (-1, self.event_size)) - self.centre

    def squared_distances(self, rows: tf.Tensor, chunk: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the squared distances of rows from one chunk of points, and the indices of the points.

        Args:
            rows: centred examples of shape `(batch, entries)`.
            chunk: int32 scalar.

        Returns:
            float32 tensor of shape `(batch, points)`, and int32 tensor of shape `(points,)`.
        """
        points = tf.gather(self.points, chunk)
        lengths = tf.reduce_sum(tf.square(rows), axis=-1, keepdims=True) + tf.reduce_sum(tf.square(points), axis=-1)
        distances = tf.maximum(lengths - 2.0 * tf.matmul(rows, points, transpose_b=True), 0.0)
        return distances, chunk * self.chunk + tf.range(self.chunk)

    def log_density(self, rows: tf.Tensor, left_out: tf.Tensor, num_points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes log densities, and the mean squared distance from the points that generated the rows.

        Args:
            rows: centred examples of shape `(batch, entries)`.
            left_out: int32 tensor of shape `(batch,)`, the index of a point to leave out; -1 for none.
            num_points: number of points used, a scalar or of shape `(batch,)`.

        Returns:
            Two float32 tensors of shape `(batch,)`.
        """
        # The density at a distance is that of any vector of that length.
        scale = -0.5 / tf.square(self.width)

        def add(chunk, greatest, total, total_square):
            squares, indices = self.squared_distances(rows, chunk)
            counts = (tf.cast(indices, tf.float32) < self.num_kept) & (indices != left_out[:, tf.newaxis])
            exponents = tf.where(counts, scale * squares, -math.inf)
            before, greatest = greatest, tf.maximum(greatest, tf.reduce_max(exponents, axis=-1))
            finite = tf.maximum(greatest, np.finfo(np.float32).min)
            kernels, kept = tf.exp(exponents - finite[:, tf.newaxis]), tf.exp(before - finite)
            total = total * kept + tf.reduce_sum(kernels, axis=-1)
            total_square = total_square * kept + tf.reduce_sum(kernels * squares, axis=-1)
            return chunk + 1, greatest, total, total_square

        zeros = tf.zeros_like(rows[:, 0])
        _, greatest, total, total_square = tf.while_loop(
            lambda chunk, *_: chunk < self.num_chunks,
            add,
            (0, zeros - math.inf, zeros, zeros),
            maximum_iterations=self.num_chunks,
            parallel_iterations=1,
        )
        normal = tfd.Normal(0.0, tf.convert_to_tensor(self.width))
        log_prob = greatest + tf.math.log(total) - tf.math.log(num_points) + self.event_size * normal.log_prob(0.0)
        return log_prob, tf.math.divide_no_nan(total_square, total)

    def nearest(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the index of the nearest point to each row, and the squared distance, of shape `(batch,)`."""

        def compare(chunk, least, index):
            squares, indices = self.squared_distances(rows, chunk)
            squares = tf.where(tf.cast(indices, tf.float32) < self.num_kept, squares, math.inf)
            found = tf.argmin(squares, axis=-1, output_type=tf.int32)
            distance = tf.reduce_min(squares, axis=-1)
            closer = distance < least
            return chunk + 1, tf.where(closer, distance, least), tf.where(closer, chunk * self.chunk + found, index)

        start = (0, tf.zeros_like(rows[:, 0]) + math.inf, tf.zeros_like(rows[:, 0], tf.int32))
        _, least, index = tf.while_loop(
            lambda chunk, *_: chunk < self.num_chunks, compare, start, maximum_iterations=self.num_chunks
        )
        return index, least

    # Fitting

    def start_from(self, x, weights):
        """Stores the points; σ starts at the mean distance between neighbours."""
        rows = self.inward(tf.constant(x)).numpy().reshape(len(x), -1)
        self.centre.assign(rows.mean(axis=0, dtype=np.float64))
        points = np.zeros((self.num_chunks * self.chunk, self.event_size), np.float32)
        points[: len(rows)] = rows - self.centre.numpy()
        self.points.assign(points.reshape(self.points.shape))
        self.num_kept.assign(len(rows))
        some = points[: min(len(rows), 500)]
        lengths = np.sum(some**2, axis=1)
        squares = lengths[:, np.newaxis] + lengths - 2.0 * some @ some.T
        squares[np.diag_indices(len(some))] = np.inf if len(some) > 1 else 1.0
        self.width.assign(max(self.min_width, math.sqrt(max(0.0, squares.min(axis=1).mean()) / self.event_size)))

    def statistics(self):
        return [self.count, self.sum_of_squares]

    def accumulate(self, batch, step) -> tf.Tensor:
        """Adds the expected squared distances of a batch; returns log densities that leave each row out of its own."""
        rows = self.centred(batch["x"])
        index, _ = self.nearest(rows)
        nearest = tf.gather(tf.reshape(self.points, (-1, self.event_size)), index)
        same = tf.reduce_all(tf.equal(rows, nearest), axis=-1) & (self.num_kept > 1.0)
        left_out = tf.where(same, index, -1)
        log_prob, squares = self.log_density(rows, left_out, self.num_kept - tf.cast(same, tf.float32))
        count = tf.cast(tf.shape(rows)[0], tf.float64)
        step.update(self.count, self.count + step.total(count))
        total = tf.cast(tf.reduce_sum(squares), tf.float64)
        step.update(self.sum_of_squares, self.sum_of_squares + step.total(total))
        return log_prob - self.log_volume()

    def take_step(self, batch, step):
        """Uses densities that leave the example itself out, with the current σ."""
        nll = -self.accumulate(batch, step)
        step.apply()
        return {"loss": nll, **self.likelihood_terms(nll)}

    def solve(self):
        """Sets σ to the expected distance in one entry; without statistics, it stays unchanged."""
        if self.count.numpy():
            variance = self.sum_of_squares.numpy() / self.count.numpy() / self.event_size
            self.width.assign(max(math.sqrt(variance), self.min_width))
            for variable in self.statistics():
                variable.assign(0.0)

    # Sampling

    def noise_distributions(self):
        """A uniform number, which chooses a point, and a standard normal number for each entry."""
        return {"point": tfd.Uniform(), "normal": tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)}

    def drawn_points(self, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the points that noise selects, of shape `(batch, *event_shape)` and in the unit of the model."""
        index = tf.cast(tf.floor(noise["point"] * self.num_kept), tf.int32)
        index = tf.minimum(index, tf.cast(self.num_kept, tf.int32) - 1)
        points = tf.gather(tf.reshape(self.points, (-1, self.event_size)), index) + self.centre
        return tf.reshape(points, (-1, *self.event_shape))

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        return self.outward(self.drawn_points(noise) + self.width * noise["normal"])

    def drawn_means(self, noise, condition):
        """The points themselves: examples of the training data."""
        return self.outward(self.drawn_points(noise))
