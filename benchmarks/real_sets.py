"""Flows, RNADE and mixtures of Gaussians on small sets of real vectors, with ten folds and the same rule for all.

    python benchmarks/real_sets.py --sets winequality-red.csv:0:11 ionosphere.csv:2:34 housing.data:0,2,4:8,10:14
        --output results/real_sets.json

A set is a file and, after a colon, the columns to keep. The rule is AdamW with a learning rate that falls linearly to
0; in each fold, the weight decay from `WEIGHT_DECAYS` and the step are those with the best likelihood of the fold's own
validation rows. A mixture gets the number of components and the regularisation of its covariances that are best on
these. The baselines are a Gaussian and independent columns with spikes at repeated values (`evaluation.SpikedColumns`).
Likelihoods are those of standardised rows, in nats. Results are written as they are obtained; a row that the output
already holds is not computed again.
"""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import tyro
from sklearn.mixture import GaussianMixture

from keras_gen import autoregressive, data, evaluation, flows, training
from keras_gen.files import atomic_file, json_text

MODELS = {
    "RNADE": lambda shape, seed: autoregressive.RNADE(shape, 50, 10, seed=seed),
    "RealNVP": lambda shape, seed: flows.RealNVP(shape, 8, (64, 64), seed=seed),
    "MAF": lambda shape, seed: flows.MAF(shape, 5, (64,), seed=seed),
    "NSF": lambda shape, seed: flows.NeuralSplineFlow(shape, 4, 32, num_blocks=1, seed=seed),
}

BASELINES = {"Gaussian": evaluation.Gaussian, "spiked columns": evaluation.SpikedColumns}

#: Share of the weights that a step subtracts, divided by the learning rate.
WEIGHT_DECAYS = (0.03, 0.3)


@dataclasses.dataclass(frozen=True)
class Rule:
    """The settings that are the same for all sets."""

    num_folds: int = 10
    """Number of folds."""
    batch_size: int = 100
    """Examples in a training step."""
    learning_rate: float = 0.003
    """Learning rate at the start."""
    num_steps: int = 1000
    """Number of training steps."""
    steps_per_check: int = 20
    """Number of training steps between two evaluations of the validation likelihood."""
    seed: int = 0
    """Seed of everything random."""


class MixtureFolds:
    """Fits a mixture of Gaussians for each fold."""

    def __init__(self, rule: Rule):
        self.rule = rule
        self.choices = []

    def fit(self, train: np.ndarray, valid: np.ndarray) -> "MixtureFolds":
        tried = [
            GaussianMixture(components, reg_covar=regularisation, n_init=2, random_state=self.rule.seed).fit(train)
            for components in (1, 2, 5, 10, 20)
            for regularisation in (1e-3, 1e-2, 1e-1)
        ]
        self.mixture = max(tried, key=lambda mixture: mixture.score(valid))
        setting = {"components": self.mixture.n_components, "regularisation": self.mixture.reg_covar}
        self.choices.append(training.Choice(setting, float(self.mixture.score(valid))))
        return self

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        return self.mixture.score_samples(x)


class BaselineFolds:
    """Fits a density without settings to choose to the training and validation rows of each fold."""

    def __init__(self, name: str):
        self.density = BASELINES[name]
        self.choices = []

    def fit(self, train: np.ndarray, valid: np.ndarray):
        density = self.density(np.concatenate([train, valid]))
        self.choices.append(training.Choice({}, float(density.log_prob(valid).mean())))
        return density


def folds_of(name: str, shape: tuple[int, ...], rule: Rule):
    """Returns an object that fits a model to one fold after another and keeps the choices of each."""
    if name == "GMM":
        return MixtureFolds(rule)
    if name in BASELINES:
        return BaselineFolds(name)
    schedule = training.GridSchedule(
        rule.num_steps, rule.batch_size, (rule.learning_rate,), WEIGHT_DECAYS, rule.steps_per_check
    )

    def build(weight_decay):
        keras.utils.set_random_seed(rule.seed)
        model = MODELS[name](shape, rule.seed)
        rate = schedule.rate(rule.learning_rate)
        optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay, global_clipnorm=5.0)
        optimizer.exclude_from_weight_decay(var_names=["bias", "factor"])
        model.compile(optimizer, jit_compile=True)
        return model

    return training.Grid(build, [{"weight_decay": decay} for decay in WEIGHT_DECAYS], schedule, seed=rule.seed)


def rows_of(name: str, seed: int) -> tuple[str, np.ndarray]:
    """Returns the stem of a set's file name, and all its rows."""
    path, _, columns = name.partition(":")
    splits = data.load(path, batch_size=100, seed=seed, columns=columns or None)
    rows = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
    return pathlib.Path(path).stem, rows


def main(
    *,
    sets: tuple[str, ...],
    models: tuple[str, ...] = (*BASELINES, "GMM", *MODELS),
    output: pathlib.Path | None = None,
    rule: Rule = Rule(),
) -> None:
    """Prints a table of mean test log-likelihoods in nats.

    Args:
        sets: files, each with the columns to keep.
        models: models to train; GMM is a mixture of Gaussians.
        output: JSON file for the results.
        rule: settings that are the same for all sets.
    """
    results = (
        json.loads(output.read_text(encoding="utf-8"))["results"] if output is not None and output.exists() else []
    )
    done = {(row["set"], row["model"]) for row in results}
    for named in sets:
        stem, rows = rows_of(named, rule.seed)
        for name in models:
            if (stem, name) in done:
                continue
            folds = folds_of(name, rows.shape[1:], rule)
            result = evaluation.cross_validate(folds.fit, rows, num_folds=rule.num_folds, seed=rule.seed)
            validation = float(np.mean([choice.log_likelihood for choice in folds.choices]))
            row = {
                "set": stem,
                "dimensions": rows.shape[1],
                "model": name,
                "test_log_likelihood": result.mean,
                "standard_error": result.standard_error,
                "validation_log_likelihood": validation,
                "chosen": [choice.setting for choice in folds.choices],
            }
            results.append(row)
            print(
                f"{stem:20}{name:15}{result.mean:9.2f} ± {result.standard_error:.2f}   validation {validation:.2f}",
                flush=True,
            )
            if output is not None:
                output.parent.mkdir(parents=True, exist_ok=True)
                with atomic_file(output) as file:
                    file.write_text(
                        json_text({"rule": dataclasses.asdict(rule), "results": results}) + "\n", encoding="utf-8"
                    )


if __name__ == "__main__":
    tyro.cli(main)
