"""Trivial densities to compare a model's likelihood with."""

import numpy as np
import tensorflow_probability as tfp
from scipy import special, stats

from keras_gen.data import Splits
from keras_gen.distributions.scales import most_likely_log_scale


def baselines(splits: Splits) -> dict[str, float]:
    """Evaluates densities that any model should beat, on data that fit in memory.

    Returns:
        Test negative log-likelihoods in nats: for real vectors "nll_gaussian", or "nll_independent_gaussians" if
        entries are missing; for levels "nll_independent_entries" and, for bits, also "nll_mixture_of_bernoullis" with
        32 components. There are none for sound, because the likelihood of a model of sound is that of its codes: see
        `markov_chain`.
    """
    if splits.sample_rate or not splits.in_memory:
        return {}
    train, test = splits.array("train"), splits.array("test")
    if splits.levels is None:
        if np.isnan(train).any() or np.isnan(test).any():
            return {"nll_independent_gaussians": independent_gaussians(train, test)}
        return {"nll_gaussian": gaussian(train, test)}
    found = {"nll_independent_entries": independent_entries(train, test, splits.levels)}
    if splits.levels == 2:
        found["nll_mixture_of_bernoullis"] = bernoulli_mixture(train, test)
    return found


class Gaussian:
    """A Gaussian with full covariance, fitted to real examples.

    The variance of each entry is increased by one thousandth, so that entries that depend linearly on others are
    harmless.

    Args:
        x: real examples of shape `(num, *event_shape)`, with more rows than entries.
    """

    def __init__(self, x: np.ndarray):
        x = flat_reals(x)
        self.mean, self.deviation = x.mean(axis=0), x.std(axis=0)
        correlation = np.atleast_2d(np.corrcoef(x.T)) + 1e-3 * np.eye(x.shape[1])
        self.distribution = stats.multivariate_normal(np.zeros(len(self.mean)), correlation)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density of examples, of shape `(num,)`, in nats."""
        log_probs = self.distribution.logpdf((flat_reals(x) - self.mean) / self.deviation)
        return np.reshape(log_probs, -1) - np.log(self.deviation).sum()


class SpikedColumns:
    r"""Independent entries that concentrate density on repeated values.

    With $n$ training rows, of which $c_v$ have the value v in a column, that column has the density

    $$p(x) = \sum_{v: c_v > 1} \frac{c_v}{n + 1} N(x; v, σ^2) + \frac{n + 1 - \sum_{v: c_v > 1} c_v}{n + 1}\, q(x)$$

    where q is a Parzen window over the values that do not repeat, with Scott's width. The likelihood of rounded data
    grows without bound as σ shrinks: where this density does well, a likelihood measures how narrow a model's
    components may be, not what the model has learned.

    Args:
        x: real examples of shape `(num, *event_shape)`.
        deviation: σ, in the data's units.
    """

    def __init__(self, x: np.ndarray, deviation: float = 1e-3):
        self.deviation = deviation
        self.columns = []
        for column in flat_reals(x).T:
            values, counts = np.unique(column, return_counts=True)
            single = values[counts == 1]
            # A window needs different values; if nearly all of them repeat, it uses each value once.
            single = single if len(single) > 1 else values
            width = single.std(ddof=1) * len(single) ** -0.2
            repeated = values[counts > 1], counts[counts > 1] / (len(column) + 1.0)
            self.columns.append((single, width, *repeated))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density of examples, of shape `(num,)`, in nats."""
        total = 0.0
        for column, (single, width, repeated, shares) in zip(flat_reals(x).T, self.columns, strict=True):
            column = column[:, np.newaxis]
            window = stats.norm.logpdf(column, single, width) + np.log((1.0 - shares.sum()) / len(single))
            spikes = stats.norm.logpdf(column, repeated, self.deviation) + np.log(shares)
            total = total + special.logsumexp(np.concatenate([window, spikes], axis=1), axis=1)
        return total


def flat_reals(x: np.ndarray) -> np.ndarray:
    """Returns examples as rows of float64."""
    return np.asarray(x, np.float64).reshape(len(x), -1)


def gaussian(train: np.ndarray, test: np.ndarray) -> float:
    """Returns the mean negative log-likelihood of `test` in nats under the `Gaussian` of `train`."""
    return -float(np.mean(Gaussian(train).log_prob(test)))


def independent_gaussians(train: np.ndarray, test: np.ndarray) -> float:
    """Fits an independent Gaussian to each entry and evaluates it.

    Args:
        train: real examples of shape `(num, *event_shape)`; NaN where an entry is missing.
        test: further examples.

    Returns:
        Mean negative log-likelihood in nats of the observed entries of `test`.
    """
    train, test = flat_reals(train), flat_reals(test)
    log_probs = stats.norm.logpdf(test, np.nanmean(train, axis=0), np.nanstd(train, axis=0))
    return -float(np.nansum(log_probs, axis=1).mean())


def independent_entries(train: np.ndarray, test: np.ndarray, levels: int = 2) -> float:
    """Fits an independent categorical distribution to each entry and evaluates it.

    Args:
        train: examples of shape `(num, *event_shape)`, integer levels; NaN where an entry is missing.
        test: further examples.
        levels: number of levels of an entry.

    Returns:
        Mean negative log-likelihood in nats of the observed entries of `test`. One count is added to each level
        (Laplace's rule).
    """
    train, test = (x.reshape(len(x), -1) for x in (train, test))
    counts = np.stack([(train == level).sum(axis=0) for level in range(levels)]) + 1.0
    log_probs = np.log(counts / counts.sum(axis=0))
    found = log_probs[np.nan_to_num(test).astype(int), np.arange(test.shape[1])]
    return -float(found.sum(axis=1, where=~np.isnan(test)).mean())


def independent_logistics(train: np.ndarray, test: np.ndarray, *, seed: int = 0) -> float:
    """Fits an independent logistic distribution to each entry of levels with uniform noise and evaluates it.

    This is the bound of a flow of levels that has learned only the mean and the scale of each entry.

    Args:
        train: examples of shape `(num, *event_shape)`, integer levels.
        test: further examples.
        seed: seed of the noise.

    Returns:
        An upper bound on the mean negative log-likelihood of `test`, in nats. The scale of an entry is the most likely
        one given its mean.
    """
    random = np.random.default_rng(seed)
    train, test = (x.reshape(len(x), -1) + random.uniform(size=(len(x), x[0].size)) for x in (train, test))
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    log_factor = most_likely_log_scale(((train - mean) / deviation).astype(np.float32), _standard_logistic)
    scale = deviation * np.exp(-log_factor.astype(np.float64))
    return -float(stats.logistic.logpdf(test, mean, scale).sum(axis=1).mean())


def _standard_logistic() -> tfp.distributions.Distribution:
    return tfp.distributions.Logistic(0.0, 1.0)


def markov_chain(train: np.ndarray, test: np.ndarray, levels: int) -> float:
    """Fits a first-order Markov chain with the same transitions everywhere and evaluates it.

    Args:
        train: sequences of shape `(num, length)`, integer levels; NaN after the end of a shorter one.
        test: further sequences.
        levels: number of levels; it may be large, because only pairs that occur are counted.

    Returns:
        Mean negative log-likelihood of `test` in nats. One count is added to each level, and to each transition
        (Laplace's rule). The first entry follows the frequencies of all entries.
    """
    train, test = (np.asarray(x).reshape(len(x), -1) for x in (train, test))
    known, known_test = ~np.isnan(train), ~np.isnan(test)
    train, test = (np.nan_to_num(x).astype(np.int64) for x in (train, test))

    def log_probs(train_keys, keys, totals):
        """Returns the logarithms of (count + 1) / (total + levels) for the counts of the keys."""
        found, counts = np.unique(train_keys, return_counts=True)
        places = np.minimum(np.searchsorted(found, keys), len(found) - 1)
        counts = np.where(found[places] == keys, counts[places], 0)
        return np.log((counts + 1.0) / (totals + levels))

    def pairs(x):
        return x[:, :-1] * levels + x[:, 1:]

    # If an entry's successor is observed, so is the entry.
    sources = np.bincount(train[:, :-1][known[:, 1:]], minlength=levels)
    total = log_probs(train[known], test[:, 0], known.sum())
    if test.shape[1] > 1:
        transitions = log_probs(pairs(train)[known[:, 1:]], pairs(test), sources[test[:, :-1]])
        total = total + np.sum(transitions, axis=1, where=known_test[:, 1:])
    return -float(total.mean())


def bernoulli_mixture(
    train: np.ndarray, test: np.ndarray, *, num_components: int = 32, num_iterations: int = 100, seed: int = 0
) -> float:
    """Fits a mixture of products of Bernoullis by expectation maximisation and evaluates it.

    Args:
        train: bits of shape `(num, *event_shape)`; NaN where an entry is missing.
        test: further examples.
        num_components: number of components.
        num_iterations: number of EM steps.
        seed: seed of the initial responsibilities.

    Returns:
        Mean negative log-likelihood in nats of the observed entries of `test`. One count is added to each value in each
        component.
    """
    train, test = _ones_and_zeros(train), _ones_and_zeros(test)
    random = np.random.default_rng(seed)
    responsibilities = random.dirichlet(np.full(num_components, 0.1), size=len(train[0]))
    for _ in range(num_iterations):
        sizes = responsibilities.sum(axis=0)
        log_weights = np.log((sizes + 1.0) / (sizes.sum() + num_components))
        ones, zeros = (responsibilities.T @ x + 1.0 for x in train)
        means = ones / (ones + zeros)
        joint = log_weights + _bernoulli_log_probs(train, means)
        responsibilities = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    joint = log_weights + _bernoulli_log_probs(test, means)
    return -float(np.logaddexp.reduce(joint, axis=1).mean())


def _ones_and_zeros(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns where rows of bits hold 1 and where they hold 0; a missing entry is neither."""
    x = flat_reals(x)
    return (x == 1.0).astype(np.float64), (x == 0.0).astype(np.float64)


def _bernoulli_log_probs(x: tuple[np.ndarray, np.ndarray], means: np.ndarray) -> np.ndarray:
    return x[0] @ np.log(means).T + x[1] @ np.log1p(-means).T
