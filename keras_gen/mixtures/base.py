"""What mixtures share: initialization from data, expectation maximisation, and the verbs of components."""

import functools
import math
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import DensityModel, DrawsAroundMeans, EpochSolver, Signature
from keras_gen.core.inputs import check_some_count, first_epoch
from keras_gen.spaces import missing_entries

#: Maximum number of rows used for initialization.
START_ROWS = 10_000

#: Number of these rows that are processed at once.
START_BATCH = 1000

#: Number of EM iterations on these rows after which starts are compared.
START_ITERATIONS = 10


class StartsFromData:
    """Initializes a model from data: before training, `fit` inspects a sample of the data.

    The sample is drawn in one pass over an epoch, with the seed of the model, and takes constant memory; for a
    generator, which can be read only once, it consists of the first rows. A model that is already initialized, such as
    one from a file, continues from its current state.

    The model provides `start_from`.
    """

    #: Maximum number of rows of the sample.
    num_start_rows = START_ROWS

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.started = self.add_weight(name="started", shape=(), initializer="zeros", dtype="float32", trainable=False)

    def start_from(self, x: np.ndarray, weights: np.ndarray) -> None:
        """Sets the parameters to their initial values for training.

        Args:
            x: valid examples of shape `(num, *event_shape)`.
            weights: float32 array of shape `(num,)`, the weight of each.
        """
        raise NotImplementedError

    def first_look(self, x, first_epoch_of_set, steps, validation_split):
        """As in `Model`; a model that is not yet initialized inspects a sample of the data."""
        x = super().first_look(x, first_epoch_of_set, steps, validation_split)
        if not self.started.numpy():
            batches, x = first_epoch(x, first_epoch_of_set, steps, self.num_start_rows)
            rows, weights = self.sampled_rows(batches)
            check_some_count({"sample_weight": weights})
            self.start_from(rows, weights)
            self.started.assign(1.0)
        return x

    def sampled_rows(self, batches: Iterable) -> tuple[np.ndarray, np.ndarray]:
        """Returns a random sample of all rows of batches, in order, and their weights."""
        random = self.numpy_generator(0)
        rows, weights, keys = [], [], np.zeros(0)
        for element in batches:
            batch, sample_weight = self.unpack(element)
            x = np.asarray(batch["x"])
            rows.append(x)
            weights.append(np.ones(len(x), np.float32) if sample_weight is None else np.asarray(sample_weight))
            keys = np.append(keys, random.random(len(x)))
            if len(keys) > 2 * self.num_start_rows:
                rows, weights, keys = self.thinned(rows, weights, keys)
        rows, weights, _ = self.thinned(rows, weights, keys)
        return rows[0], weights[0]

    def thinned(self, rows: list[np.ndarray], weights: list[np.ndarray], keys: np.ndarray) -> tuple:
        """Returns the rows with the smallest keys, their weights and their keys."""
        kept = np.sort(np.argsort(keys)[: self.num_start_rows])
        return [np.concatenate(rows)[kept]], [np.concatenate(weights)[kept]], keys[kept]

    def numpy_generator(self, number: int) -> np.random.Generator:
        """Returns a generator that depends on the seed of the model and on a number."""
        return np.random.default_rng([*np.asarray(seeds.as_pair(self.seed)).view(np.uint32), number])


class MixtureModel(StartsFromData, EpochSolver, DrawsAroundMeans, DensityModel):
    r"""A mixture, $p(x) = \sum_k π_k \, p_k(x)$, fitted by expectation maximisation (EM).

    An entry that is NaN is missing: a likelihood is that of the present entries. During an epoch, `fit` sums for each
    component the expected statistics of the examples that came from it, under the current parameters; at the end of the
    epoch, new parameters follow. So an epoch is one iteration of EM, which never lowers the likelihood of the training
    data; the "loss" of an epoch is that of the parameters before it. Stepwise EM (Cappé and Moulines, 2009,
    https://doi.org/10.1111/j.1467-9868.2009.00698.x) solves after each batch: the expected statistics of an example, s,
    are moved towards the mean of the batch,

    $$s ← (1 - γ) s + γ \bar{s}(\text{batch}), \qquad γ = (2 + n / b)^{-decay}$$

    where the batch has b examples, and n examples preceded it, including those of the start. A fixed point of EM is a
    fixed point of its mean.

    Initialization is by k-means++ (Arthur and Vassilvitskii, 2007) on a sample of the data; the best of several starts
    is the one with the greatest likelihood after a few iterations on the sample.

    A subclass provides

    - `expectation(x, weights)`: log densities and expected statistics, and `solution(statistics)`: parameters,
    - `implied_statistics()`: the statistics of one example that the parameters imply,
    - `component_log_probs(x)`: log densities, from which responsibilities follow,
    - `generate_given(component, noise)`, `impute_given(...)`: examples of given components,
    - `component_means`: the mean of each component, which `sample` returns with `mean=True`,
    - `start_vectors(x)`, `prepare_start(x, weights)`: what k-means sees, and parameters before the first M-step;

    densities, responsibilities, sampling and export follow.

    Args:
        event_shape: shape of one example.
        num_components: number K of components.
        num_starts: number of starts that are compared.
        online_decay: None solves at the end of each epoch; a number greater than 0.5 and at most 1 solves after each
            batch, with a step size of that decay.
        **kwargs: as in `GenerativeModel`.
    """

    def __init__(
        self, event_shape, num_components: int, *, num_starts: int, online_decay: float | None, seed: int, **kwargs
    ):
        super().__init__(event_shape, seed=seed, **kwargs)
        self.num_components = checks.positive_int("num_components", num_components)
        self.num_starts = checks.positive_int("num_starts", num_starts)
        if online_decay is not None and not 0.5 < checks.number("online_decay", online_decay) <= 1.0:
            raise ValueError(f"`online_decay` must be greater than 0.5 and at most 1, received {online_decay}.")
        self.online_decay = online_decay
        self.log_proportions = self.parameter(
            "log_proportions",
            (self.num_components,),
            keras.initializers.Constant(-math.log(self.num_components)),
        )
        # For stepwise EM: total weight of the examples so far.
        self.num_examples = self.sum_variable("num_examples", ())
        self.counts = self.sum_variable("counts", (self.num_components,))

    def parameter(self, name: str, shape, initializer) -> keras.Variable:
        """Returns a new parameter, which is not trained by gradient."""
        # All replicas of a strategy compute the same values.
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            dtype="float32",
            trainable=False,
            aggregation="only_first_replica",
        )

    def sum_variable(self, name: str, shape) -> keras.Variable:
        """Returns a new variable for summing statistics."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="zeros",
            dtype="float64",
            trainable=False,
            aggregation="only_first_replica",
        )

    # What a subclass provides

    def expectation(
        self, x: tf.Tensor, weights: tf.Tensor, responsibilities: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Computes the log densities of examples and their expected statistics.

        Args:
            x: valid examples of shape `(batch, *event_shape)`.
            weights: float32 tensor of shape `(batch,)`, the weight of each.
            responsibilities: float32 tensor of shape `(batch, num_components)`; None uses those of the parameters.

        Returns:
            Log densities of shape `(batch,)`, and sums over the batch, in the order of `statistics`, starting with the
            weight of the examples of each component.
        """
        raise NotImplementedError

    def solution(self, statistics: list[tf.Tensor]) -> list[tuple[keras.Variable, tf.Tensor]]:
        """Returns the parameters that follow from float64 statistics, each with its variable."""
        raise NotImplementedError

    def implied_statistics(self) -> list[tf.Tensor]:
        """Returns the float64 statistics of one example that the parameters imply."""
        raise NotImplementedError

    def prior_statistics(self) -> list[float]:
        """Returns the numbers that are added to each of the statistics of all examples."""
        return [0.0 for _ in self.statistics()]

    def component_log_probs(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the log density of the present entries under each component.

        Args:
            x: valid examples of shape `(batch, *event_shape)`.

        Returns:
            float32 tensor of shape `(batch, num_components)`, in nats.
        """
        raise NotImplementedError

    def generate_given(self, component: tf.Tensor, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns examples of given components, of shape `(batch, *event_shape)`."""
        raise NotImplementedError

    @property
    def component_means(self) -> tf.Tensor:
        """The mean of each component, of shape `(num_components, *event_shape)`."""
        raise NotImplementedError

    def impute_given(self, x: tf.Tensor, component: tf.Tensor, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns examples of given components from the conditional distribution given the present entries of `x`."""
        raise NotImplementedError

    def start_vectors(self, x: np.ndarray) -> np.ndarray:
        """Returns examples as float32 vectors, without missing entries, for k-means."""
        raise NotImplementedError

    def prepare_start(self, x: np.ndarray, weights: np.ndarray) -> None:
        """Sets the parameters to values from which the statistics of given components can be computed."""

    def start_statistics(self, statistics: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the statistics that initialization solves, from those of the k-means clusters."""
        return statistics

    @property
    def num_free_parameters(self) -> int:
        """Number of free parameters of the density."""
        raise NotImplementedError

    # Densities

    @property
    def proportions(self) -> tf.Tensor:
        """π, of shape `(num_components,)`."""
        return tf.exp(self.log_proportions)

    def joint_log_probs(self, x: tf.Tensor) -> tf.Tensor:
        """Returns log π_k + log p_k(x), of shape `(batch, num_components)`."""
        return self.component_log_probs(x) + self.log_proportions

    def log_prob(self, x, condition=None) -> tf.Tensor:
        """Computes the exact log density of examples; if entries are missing, that of the others.

        Args:
            x: examples of shape `(batch, *event_shape)`; an entry that is NaN is missing.
            condition: None.

        Returns:
            float32 tensor of shape `(batch,)`, in nats.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        self.validated_condition(condition)
        return tf.reduce_logsumexp(self.joint_log_probs(self.validated(x)), axis=-1)

    def responsibilities(self, x) -> tf.Tensor:
        """Computes the probability that each component generated an example.

        Args:
            x: examples of shape `(batch, *event_shape)`; an entry that is NaN is missing.

        Returns:
            float32 tensor of shape `(batch, num_components)`; rows sum to 1.
        """
        return tf.nn.softmax(self.joint_log_probs(self.validated(x)))

    def aic(self, x) -> float:
        """Returns Akaike's information criterion in nats: 2 per parameter minus twice the log-likelihood of `x`."""
        return 2.0 * self.num_free_parameters - 2.0 * self.total_log_prob(x)

    def bic(self, x) -> float:
        """Returns the Bayesian information criterion in nats: as `aic`, but a parameter counts log(number of rows)."""
        return math.log(len(x)) * self.num_free_parameters - 2.0 * self.total_log_prob(x)

    def total_log_prob(self, x) -> float:
        """Returns the log-likelihood of all examples together."""
        return float(self.predict(x, batch_size=START_BATCH, verbose=0).astype(np.float64).sum())

    # Fitting

    def statistics(self) -> list[keras.Variable]:
        return [self.counts]

    def accumulate(self, batch, step) -> tf.Tensor:
        """Adds a batch's expected statistics, or moves the parameters towards them, and returns its log densities."""
        weights = step.example_weights(tf.shape(batch["x"])[0])
        log_prob, found = self.expectation(batch["x"], weights)
        totals = [step.total(tf.cast(each, tf.float64)) for each in found]
        if self.online_decay is None:
            for variable, total in zip(self.statistics(), totals, strict=True):
                step.update(variable, variable + total)
            return log_prob
        weight = tf.cast(step.total_weight(weights), tf.float64)
        # A batch of zero weight moves nothing.
        share = tf.math.divide_no_nan(weight, self.num_examples + 2.0 * weight)
        size = tf.pow(share, tf.constant(self.online_decay, tf.float64))
        num_examples = self.num_examples + weight
        priors = [tf.constant(prior, tf.float64) for prior in self.prior_statistics()]
        moved = [
            (1.0 - size) * before
            + size * (tf.math.divide_no_nan(total, weight) + tf.math.divide_no_nan(prior, num_examples))
            for before, total, prior in zip(self.implied_statistics(), totals, priors, strict=True)
        ]
        for variable, value in self.solution(moved):
            step.update(variable, value)
        step.update(self.num_examples, num_examples)
        return log_prob

    def take_step(self, batch, step):
        """Takes one E-step: densities and statistics come from the same pass."""
        nll = -self.accumulate(batch, step)
        step.apply()
        return {"loss": nll, **self.likelihood_terms(nll)}

    def solve(self):
        """Maximises the expected likelihood; without statistics, parameters stay unchanged."""
        if self.counts.numpy().sum():
            self.compiled_solve()

    @functools.cached_property
    def compiled_solve(self):
        """What `solve` does if there are statistics, as a graph."""
        return tf.function(self._solve, autograph=False)

    def _solve(self):
        self.assign_solution([tf.convert_to_tensor(variable) for variable in self.statistics()])
        # Statistics are relative to the parameters that they were computed with.
        for variable in self.statistics():
            variable.assign(tf.zeros(variable.shape, variable.dtype))

    def assign_solution(self, statistics: list[tf.Tensor]) -> None:
        """Sets the parameters to the values that follow from the statistics of all examples."""
        pairs = zip(statistics, self.prior_statistics(), strict=True)
        for variable, value in self.solution([each + prior for each, prior in pairs]):
            variable.assign(value)

    def new_log_proportions(self, counts: tf.Tensor) -> tf.Tensor:
        """Returns log π for the weights of the examples of each component, float32."""
        shares = counts / tf.reduce_sum(counts)
        return tf.cast(tf.math.log(tf.maximum(shares, np.finfo(np.float32).tiny)), tf.float32)

    # Start

    def start_from(self, x, weights):
        """Takes the best of several k-means++ starts."""
        self.num_examples.assign(weights.sum())
        vectors = self.start_vectors(x)
        best, best_values = -math.inf, None
        for number in range(1, self.num_starts + 1):
            labels = k_means(vectors, self.num_components, weights, self.numpy_generator(number))
            self.prepare_start(x, weights)
            _, totals = self.expected(x, weights, np.eye(self.num_components, dtype=np.float32)[labels])
            self.assign_solution(self.start_statistics(totals))
            if self.num_starts == 1:
                return
            for _ in range(START_ITERATIONS):
                _, totals = self.expected(x, weights)
                self.assign_solution(totals)
            likelihood, totals = self.expected(x, weights)
            if best_values is None or likelihood > best:
                parameters = [variable for variable, _ in self.solution(totals)]
                best, best_values = likelihood, [(variable, variable.numpy()) for variable in parameters]
        for variable, value in best_values:
            variable.assign(value)

    def expected(self, x: np.ndarray, weights: np.ndarray, responsibilities: np.ndarray | None = None):
        """Returns the log-likelihood and the statistics of many rows, processed in parts."""
        likelihood, totals = 0.0, None
        for first in range(0, len(x), START_BATCH):
            rows = slice(first, first + START_BATCH)
            given = None if responsibilities is None else tf.constant(responsibilities[rows])
            log_prob, found = self.expectation(tf.constant(x[rows]), tf.constant(weights[rows]), given)
            likelihood += float(tf.reduce_sum(log_prob * weights[rows]))
            found = [tf.cast(each, tf.float64) for each in found]
            totals = found if totals is None else [total + each for total, each in zip(totals, found, strict=True)]
        return likelihood, totals

    # Sampling

    def chosen(self, uniform: tf.Tensor, log_probs: tf.Tensor) -> tf.Tensor:
        """Returns the component that each uniform number selects.

        Args:
            uniform: numbers from 0 to 1, of shape `(batch,)`.
            log_probs: normalised log probabilities of shape `(batch or 1, num_components)`.

        Returns:
            int32 tensor of shape `(batch,)`.
        """
        below = tf.cast(uniform[:, tf.newaxis] >= tf.cumsum(tf.exp(log_probs), axis=-1), tf.int32)
        return tf.minimum(tf.reduce_sum(below, axis=-1), self.num_components - 1)

    def drawn_components(self, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the component that noise selects for each example, int32 of shape `(batch,)`."""
        return self.chosen(noise["component"], tf.convert_to_tensor(self.log_proportions)[tf.newaxis])

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        return self.generate_given(self.drawn_components(noise), noise)

    def drawn_means(self, noise, condition):
        """The means of drawn components."""
        return tf.gather(self.component_means, self.drawn_components(noise))

    def impute(self, x, mask=None, *, seed=None) -> tf.Tensor:
        """Draws missing entries from their exact conditional distribution given the others.

        Args:
            x: examples of shape `(batch, *event_shape)`; entries that are NaN are missing.
            mask: nonzero where a further entry is missing, of a shape that broadcasts to `x`.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        x = self.validated(x)
        if mask is not None:
            x = tf.where(np.broadcast_to(np.asarray(mask, bool), x.shape), math.nan, x)
        return self.compiled_impute(x, self.next_seed() if seed is None else seeds.as_pair(seed))

    @functools.cached_property
    def compiled_impute(self):
        """`impute` as a graph."""
        return tf.function(self._impute, autograph=False, reduce_retracing=True)

    def _impute(self, x, seed):
        noise = self.noise(tf.shape(x)[0], seed)
        component = self.chosen(noise["component"], tf.nn.log_softmax(self.joint_log_probs(x)))
        return tf.where(missing_entries(x), self.impute_given(x, component, noise), x)

    # Export

    def signatures(self):
        """Adds `responsibilities` and `impute`."""

        def responsibilities(x):
            return {"responsibilities": self.responsibilities(x)}

        def impute(x, seed):
            return {"x": self._impute(x, seeds.as_pair(seed))}

        return {
            **super().signatures(),
            "responsibilities": Signature(responsibilities, self.specs("x")),
            "impute": Signature(impute, {**self.specs("x"), "seed": tf.TensorSpec((), tf.int32)}, deterministic=False),
        }

    def example_input(self, name, spec, num, seed):
        """Adds missing entries: with odd seeds, every fifth entry."""
        example = super().example_input(name, spec, num, seed)
        if name != "x" or seed % 2 == 0:
            return example
        holes = np.arange(example.shape.num_elements()).reshape(example.shape) % 5 == 0
        return tf.where(holes, math.nan, example)


def k_means(
    x: np.ndarray, num_clusters: int, weights: np.ndarray, random: np.random.Generator, num_iterations: int = 10
) -> np.ndarray:
    """Finds clusters by k-means, starting from centres drawn by k-means++.

    Args:
        x: float32 vectors of shape `(num, size)`.
        num_clusters: number of clusters.
        weights: weight of each vector.
        random: source of the draws.
        num_iterations: maximum number of iterations of Lloyd's algorithm.

    Returns:
        Labels of shape `(num,)`.
    """
    squares = np.einsum("ij,ij->i", x, x)

    def distances(centres):
        return np.maximum(squares[:, np.newaxis] - 2.0 * x @ centres.T + np.einsum("ij,ij->i", centres, centres), 0.0)

    nearest, centres = np.ones(len(x)), np.empty((num_clusters, x.shape[1]), np.float32)
    for cluster in range(num_clusters):
        shares = np.cumsum((weights * nearest) if np.any(weights * nearest) else weights, dtype=np.float64)
        row = np.searchsorted(shares, random.random() * shares[-1], side="right")
        centres[cluster] = x[min(row, len(x) - 1)]
        found = distances(centres[cluster : cluster + 1])[:, 0]
        nearest = found if cluster == 0 else np.minimum(nearest, found)
    labels = None
    for _ in range(num_iterations):
        before, labels = labels, distances(centres).argmin(axis=1)
        if before is not None and np.array_equal(before, labels):
            break
        members = np.zeros((num_clusters, len(x)), np.float32)
        members[labels, np.arange(len(x))] = weights
        sizes = members.sum(axis=1, keepdims=True)
        centres = np.where(sizes > 0.0, members @ x / np.maximum(sizes, 1e-30), centres)
    return labels
