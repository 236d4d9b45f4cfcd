"""Trivial densities to set a model's likelihood against."""

import numpy as np
import tensorflow_probability as tfp
from scipy import stats

from keras_gen.data import Splits
from keras_gen.distributions.scales import most_likely_log_scale


def baselines(splits: Splits) -> dict[str, float]:
    """Evaluates what any model should beat on data that fit in memory.

    Returns:
        Test negative log-likelihoods in nats: on real vectors "nll_gaussian"; on levels "nll_independent_entries"
        and, on bits, "nll_mixture_of_bernoullis" with 32 components, too. There are none on sound, since the likelihood
        of a model of sound is that of its codes: see `markov_chain`.
    """
    if splits.sample_rate or not splits.in_memory:
        return {}
    train, test = splits.array("train"), splits.array("test")
    if splits.levels is None:
        return {"nll_gaussian": gaussian(train, test)}
    found = {"nll_independent_entries": independent_entries(train, test, splits.levels)}
    if splits.levels == 2:
        found["nll_mixture_of_bernoullis"] = bernoulli_mixture(train, test)
    return found


def gaussian(train: np.ndarray, test: np.ndarray) -> float:
    """Fits a Gaussian with full covariance, and evaluates it.

    Args:
        train: real examples of shape `(num, *event_shape)`, with more rows than entries.
        test: further examples.

    Returns:
        Mean negative log-likelihood of `test` in nats. The variance of each entry is enlarged by one thousandth, so
        that entries which depend linearly on others do no harm.
    """
    train, test = (x.reshape(len(x), -1).astype(np.float64) for x in (train, test))
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    correlation = np.atleast_2d(np.corrcoef(train.T)) + 1e-3 * np.eye(train.shape[1])
    density = stats.multivariate_normal(np.zeros(len(mean)), correlation)
    return float(np.log(deviation).sum() - np.mean(density.logpdf((test - mean) / deviation)))


def independent_entries(train: np.ndarray, test: np.ndarray, levels: int = 2) -> float:
    """Fits an independent categorical distribution to each entry, and evaluates it.

    Args:
        train: examples of shape `(num, *event_shape)`, whole levels.
        test: further examples.
        levels: number of levels of an entry.

    Returns:
        Mean negative log-likelihood of `test` in nats. One count is added to each level (Laplace's rule).
    """
    train, test = (x.reshape(len(x), -1).astype(int) for x in (train, test))
    counts = np.stack([(train == level).sum(axis=0) for level in range(levels)]) + 1.0
    log_probs = np.log(counts / counts.sum(axis=0))
    return -float(log_probs[test, np.arange(test.shape[1])].sum(axis=1).mean())


def independent_logistics(train: np.ndarray, test: np.ndarray, *, seed: int = 0) -> float:
    """Fits an independent logistic distribution to each entry of levels with uniform noise, and evaluates it.

    That is the bound of a flow of levels that has learned no more than the mean and the scale of each entry.

    Args:
        train: examples of shape `(num, *event_shape)`, whole levels.
        test: further examples.
        seed: seed of the noise.

    Returns:
        An upper bound of the mean negative log-likelihood of `test`, in nats. The scale of an entry is the most likely
        one about its mean.
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
    """Fits a first-order Markov chain whose transitions are the same everywhere, and evaluates it.

    Args:
        train: sequences of shape `(num, length)`, whole levels; NaN behind the end of one that is shorter.
        test: further sequences.
        levels: number of levels; any number, since only pairs that occur are counted.

    Returns:
        Mean negative log-likelihood of `test` in nats. One count is added to each level, and to each transition
        (Laplace's rule). The first entry has the frequencies of all entries.
    """
    train, test = (np.asarray(x).reshape(len(x), -1) for x in (train, test))
    known, known_test = ~np.isnan(train), ~np.isnan(test)
    train, test = (np.nan_to_num(x).astype(np.int64) for x in (train, test))

    def log_probs(train_keys, keys, totals):
        """Logarithms of (count + 1) / (total + levels), where the counts are those of the keys."""
        found, counts = np.unique(train_keys, return_counts=True)
        places = np.minimum(np.searchsorted(found, keys), len(found) - 1)
        counts = np.where(found[places] == keys, counts[places], 0)
        return np.log((counts + 1.0) / (totals + levels))

    def pairs(x):
        return x[:, :-1] * levels + x[:, 1:]

    # An entry whose next one is there is there itself.
    sources = np.bincount(train[:, :-1][known[:, 1:]], minlength=levels)
    total = log_probs(train[known], test[:, 0], known.sum())
    if test.shape[1] > 1:
        transitions = log_probs(pairs(train)[known[:, 1:]], pairs(test), sources[test[:, :-1]])
        total = total + np.sum(transitions, axis=1, where=known_test[:, 1:])
    return -float(total.mean())


def bernoulli_mixture(
    train: np.ndarray, test: np.ndarray, *, num_components: int = 32, num_iterations: int = 100, seed: int = 0
) -> float:
    """Fits a mixture of products of Bernoullis by expectation maximisation, and evaluates it.

    Args:
        train: bits of shape `(num, *event_shape)`.
        test: further examples.
        num_components: number of components.
        num_iterations: number of EM steps.
        seed: seed of the initial responsibilities.

    Returns:
        Mean negative log-likelihood of `test` in nats. One count of each value is added in each component.
    """
    train, test = (x.reshape(len(x), -1).astype(np.float64) for x in (train, test))
    random = np.random.default_rng(seed)
    responsibilities = random.dirichlet(np.full(num_components, 0.1), size=len(train))
    for _ in range(num_iterations):
        sizes = responsibilities.sum(axis=0)
        log_weights = np.log((sizes + 1.0) / (sizes.sum() + num_components))
        means = (responsibilities.T @ train + 1.0) / (sizes[:, np.newaxis] + 2.0)
        joint = log_weights + _bernoulli_log_probs(train, means)
        responsibilities = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    joint = log_weights + _bernoulli_log_probs(test, means)
    return -float(np.logaddexp.reduce(joint, axis=1).mean())


def _bernoulli_log_probs(x: np.ndarray, means: np.ndarray) -> np.ndarray:
    return x @ np.log(means).T + (1.0 - x) @ np.log1p(-means).T
