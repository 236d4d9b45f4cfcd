"""Likelihoods over a data set: exact ones, and bounds, with their standard errors."""

import math
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_gen import seeds
from keras_gen.core import DensityModel, GenerativeModel
from keras_gen.data import Splits
from keras_gen.evaluation.baselines import baselines
from keras_gen.flows.base import FlowModel


def likelihood(model: DensityModel, dataset: tf.data.Dataset, *, verbose: bool = True) -> dict[str, float]:
    """Evaluates the exact negative log-likelihood.

    Args:
        model: a model with `log_prob`.
        dataset: batches of examples, or of pairs (examples, condition).
        verbose: whether to show a progress bar.

    Returns:
        "nll" in nats, "bits_per_dim", and the "nll_standard_error" of the mean over examples.
    """
    log_prob = tf.function(model.log_prob, autograph=False, reduce_retracing=True)
    values = np.concatenate([log_prob(*pair(batch)).numpy() for batch in shown(dataset, verbose)]).astype(np.float64)
    return {
        "nll": -values.mean(),
        "bits_per_dim": -values.mean() / (model.event_size * math.log(2.0)),
        "nll_standard_error": standard_error(values),
    }


def likelihood_bound(
    model: GenerativeModel, dataset: tf.data.Dataset, *, num_samples: int, seed: int = 0, verbose: bool = True
) -> dict[str, float]:
    """Evaluates an upper bound on the negative log-likelihood.

    Args:
        model: a model with `log_prob_bound`.
        dataset: batches of examples, or of pairs (examples, condition).
        num_samples: samples that the bound of each example takes; 1 gives the negative ELBO of a VAE.
        seed: seed of the samples.
        verbose: whether to show a progress bar.

    Returns:
        "nll_bound" in nats and in "bits_per_dim_bound", "nll_bound_standard_error" of the mean over examples,
        "nll_bound_monte_carlo_error" (the part of it that comes from the samples) and "num_samples".
    """
    bounds, errors = [], []
    for index, batch in enumerate(shown(dataset, verbose)):
        x, *condition = pair(batch)
        batch_seed = tf.random.experimental.stateless_fold_in(seeds.as_pair(seed), index)
        given = {"condition": condition[0]} if condition else {}
        bound, error = model.log_prob_bound(x, num_samples=num_samples, seed=batch_seed, **given)
        bounds.append(bound.numpy())
        errors.append(error.numpy())
    values = np.concatenate(bounds).astype(np.float64)
    errors = np.concatenate(errors).astype(np.float64)
    return {
        "nll_bound": -values.mean(),
        "bits_per_dim_bound": -values.mean() / (model.event_size * math.log(2.0)),
        "nll_bound_standard_error": standard_error(values),
        "nll_bound_monte_carlo_error": float(np.sqrt(np.sum(errors**2))) / len(errors),
        "num_samples": num_samples,
    }


def likelihoods(model: DensityModel, splits: Splits) -> dict[str, dict[str, float]]:
    """Evaluates the exact negative log-likelihood of validation and test data, the latter beside trivial baselines.

    Args:
        model: a model with `log_prob`.
        splits: data.

    Returns:
        What `likelihood` returns, for "validation" and "test"; and what `baselines` returns, for "test".
    """
    found = {name: likelihood(model, getattr(splits, name)) for name in ("validation", "test")}
    found["test"].update(baselines(splits))
    return found


def likelihood_bounds(model: GenerativeModel, splits: Splits, num_samples: int) -> dict[str, dict[str, float]]:
    """Evaluates the evidence lower bound of validation and test data, and a tighter bound of the latter.

    Args:
        model: a model with `log_prob_bound`.
        splits: data.
        num_samples: samples that the bound of each test example takes.

    Returns:
        For "validation" and "test" the "elbo" in nats, and its standard error; for "test" what `likelihood_bound`
        returns, too.
    """
    found = {}
    for name in ("validation", "test"):
        bound = likelihood_bound(model, getattr(splits, name), num_samples=1)
        found[name] = {"elbo": -bound["nll_bound"], "elbo_standard_error": bound["nll_bound_standard_error"]}
    found["test"].update(likelihood_bound(model, splits.test, num_samples=num_samples))
    return found


def logit_likelihood(model: FlowModel, dataset: tf.data.Dataset, *, seed: int = 0) -> dict[str, float]:
    """Evaluates the density of the logits of levels with noise, as papers report flows of images.

    Args:
        model: a flow of levels with a `logit_margin`.
        dataset: batches of levels, or of pairs (levels, condition).
        seed: seed of the noise.

    Returns:
        The mean "logit_log_likelihood" in nats, and the "logit_standard_error" of it.
    """
    log_prob = tf.function(model.logit_log_prob, autograph=False, reduce_retracing=True)
    values = [
        log_prob(*pair(batch), seed=tf.random.experimental.stateless_fold_in(seeds.as_pair(seed), index)).numpy()
        for index, batch in enumerate(dataset)
    ]
    values = np.concatenate(values).astype(np.float64)
    return {"logit_log_likelihood": values.mean(), "logit_standard_error": standard_error(values)}


def pair(batch) -> tuple:
    """Returns a batch of a data set as examples and, where there is one, their condition."""
    return batch if isinstance(batch, tuple) else (batch,)


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean of independent values; NaN for a single one."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def shown(dataset: tf.data.Dataset, verbose: bool):
    """Yields batches under a progress bar."""
    count = int(dataset.cardinality())
    # A bar needs a terminal; a log file would fill with its remains.
    verbose = int(verbose and sys.stdout.isatty())
    bar = keras.utils.Progbar(count if count > 0 else None, verbose=verbose, unit_name="batch")
    for batch in dataset:
        yield batch
        bar.add(1)
