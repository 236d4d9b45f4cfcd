"""Flows, RNADE and mixtures of Gaussians on small sets of real vectors, by ten folds and the same rule for all.

    python benchmarks/real_sets.py --sets winequality-red.csv:0:11 ionosphere.csv:2:34 housing.data:0,2,4:8,10:14
        --output results/real_sets.json

A set is a file and, after a colon, the columns to keep. The rule is AdamW with a learning rate that decays along a
cosine; for each model and set, the weight decay out of `WEIGHT_DECAYS` with the best mean validation likelihood over
the folds; and the weights of the step with the best validation likelihood. A mixture gets the number of components and
the regularisation of its covariances that are best on validation rows. Likelihoods are those of standardised rows, in
nats. Results are written as they come; a row that the output already holds is not computed again.
"""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import tensorflow as tf
import tyro
from sklearn.mixture import GaussianMixture

from keras_gen import autoregressive, data, evaluation, flows
from keras_gen.files import atomic_file, json_text

MODELS = {
    "RNADE": lambda shape, seed: autoregressive.RNADE(shape, 50, 10, seed=seed),
    "RealNVP": lambda shape, seed: flows.RealNVP(shape, 8, (64, 64), seed=seed),
    "MAF": lambda shape, seed: flows.MAF(shape, 5, (64,), seed=seed),
    "NSF": lambda shape, seed: flows.NeuralSplineFlow(shape, 4, 32, num_blocks=1, seed=seed),
}

#: Share of the weights that a step subtracts, divided by the learning rate.
WEIGHT_DECAYS = (0.03, 0.3)


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is the same for all sets."""

    num_folds: int = 10
    """Folds."""
    batch_size: int = 100
    """Examples in a training step."""
    learning_rate: float = 0.003
    """Learning rate at the start."""
    num_steps: int = 2000
    """Training steps at most."""
    steps_per_check: int = 20
    """Training steps between two evaluations of the validation likelihood."""
    patience: int = 25
    """Evaluations without a better validation likelihood after which training stops."""
    seed: int = 0
    """Seed of everything random."""


class MixtureFolds:
    """Fits a mixture of Gaussians for each fold."""

    def __init__(self, rule: Rule):
        self.rule = rule
        self.validation = []

    def fit(self, train: np.ndarray, valid: np.ndarray) -> "MixtureFolds":
        tried = [
            GaussianMixture(components, reg_covar=regularisation, n_init=2, random_state=self.rule.seed).fit(train)
            for components in (1, 2, 5, 10, 20)
            for regularisation in (1e-3, 1e-2, 1e-1)
        ]
        self.mixture = max(tried, key=lambda mixture: mixture.score(valid))
        self.validation.append(self.mixture.score(valid))
        return self

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        return self.mixture.score_samples(x)


class Folds:
    """Trains one model anew for each fold, without tracing its graphs again."""

    def __init__(self, name: str, shape: tuple[int, ...], weight_decay: float, rule: Rule):
        keras.utils.set_random_seed(rule.seed)
        self.rule = rule
        self.model = MODELS[name](shape, rule.seed)
        schedule = keras.optimizers.schedules.CosineDecay(rule.learning_rate, rule.num_steps)
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay, global_clipnorm=5.0)
        optimizer.exclude_from_weight_decay(var_names=["bias", "factor"])
        self.model.compile(optimizer, jit_compile=True)
        variables = [*self.model.weights, *optimizer.variables]
        self.start = [(variable, variable.numpy()) for variable in variables]
        self.validation = []

    def fit(self, train: np.ndarray, valid: np.ndarray) -> keras.Model:
        for variable, value in self.start:
            variable.assign(value)
        rule = self.rule
        batches = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train), rule.seed).repeat()
        # The same number of validation rows in every fold, so that no graph is compiled for another number.
        valid = valid[: len(train) // 10]
        stop = keras.callbacks.EarlyStopping("val_loss", patience=rule.patience, restore_best_weights=True)
        self.model.fit(
            batches.batch(rule.batch_size, drop_remainder=True),
            steps_per_epoch=rule.steps_per_check,
            epochs=rule.num_steps // rule.steps_per_check,
            validation_data=(valid,),
            validation_batch_size=len(valid),
            callbacks=[stop, keras.callbacks.TerminateOnNaN()],
            verbose=0,
        )
        self.model.set_weights(stop.best_weights)
        self.validation.append(-stop.best)
        return self.model


def rows_of(name: str, seed: int) -> tuple[str, np.ndarray]:
    """Returns the stem of a set's file, and all its rows."""
    path, _, columns = name.partition(":")
    splits = data.load(path, batch_size=100, seed=seed, columns=columns or None)
    rows = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
    return pathlib.Path(path).stem, rows


def main(
    *,
    sets: tuple[str, ...],
    models: tuple[str, ...] = ("GMM", *MODELS),
    output: pathlib.Path | None = None,
    rule: Rule = Rule(),
) -> None:
    """Prints a table of mean test log-likelihoods in nats.

    Args:
        sets: files, each with the columns to keep.
        models: models to train; GMM is a mixture of Gaussians.
        output: JSON file for the results.
        rule: what is the same for all sets.
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
            tried = {}
            for weight_decay in (None,) if name == "GMM" else WEIGHT_DECAYS:
                folds = MixtureFolds(rule) if name == "GMM" else Folds(name, rows.shape[1:], weight_decay, rule)
                result = evaluation.cross_validate(folds.fit, rows, num_folds=rule.num_folds, seed=rule.seed)
                tried[weight_decay] = (float(np.mean(folds.validation)), result)
            weight_decay = max(tried, key=lambda each: tried[each][0])
            validation, result = tried[weight_decay]
            row = {
                "set": stem,
                "dimensions": rows.shape[1],
                "model": name,
                "test_log_likelihood": result.mean,
                "standard_error": result.standard_error,
                "validation_log_likelihood": validation,
                "weight_decay": weight_decay,
            }
            results.append(row)
            print(
                f"{stem:20}{name:9}{result.mean:9.2f} ± {result.standard_error:.2f}   validation {validation:.2f}, "
                f"weight decay {weight_decay}",
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
