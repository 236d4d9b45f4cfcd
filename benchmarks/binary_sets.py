"""FVSBN, NADE and MADE on sets of bits, with the same rule for all.

    python benchmarks/binary_sets.py --sets dna.npz nips.npz --output results/binary_sets.json

The rule: batches of 100, a learning rate that falls along a cosine, and, for each model and set, the optimizer (one of
the four in `OPTIMIZERS`) and the step with the best validation likelihood; nothing else changes between sets. The test
likelihood is evaluated once, for the chosen model. The sets are `.npz` files with arrays `train`, `valid` and `test`.
Each result is written at once; results that the output already holds are not computed again.
"""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import tyro

from keras_gen import autoregressive, data, evaluation
from keras_gen.files import atomic_file, json_text

MODELS = {
    "FVSBN": lambda shape, seed: autoregressive.FVSBN(shape, seed=seed),
    "NADE": lambda shape, seed: autoregressive.NADE(shape, 500, seed=seed),
    "MADE": lambda shape, seed: autoregressive.MADE(shape, (500,), direct_connections=True, dropout=0.5, seed=seed),
}

#: Optimizer, initial learning rate, and the share of the weights that a step of AdamW removes at the start.
OPTIMIZERS = {
    "SGD, 0.003": ("sgd", 0.003, 0.0),
    "AdamW, 0.003": ("adamw", 0.003, 0.0),
    "AdamW, 0.003, decay 0.001": ("adamw", 0.003, 0.001),
    "AdamW, 0.003, decay 0.01": ("adamw", 0.003, 0.01),
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """The settings that are the same for all sets."""

    batch_size: int = 100
    """Number of examples in a training step."""
    num_steps: int = 6000
    """Largest number of training steps."""
    steps_per_check: int = 50
    """Number of training steps between two evaluations of the validation likelihood."""
    patience: int = 15
    """Number of evaluations without a better validation likelihood after which training stops."""
    momentum: float = 0.9
    """Momentum of SGD."""
    seed: int = 0
    """Seed of everything random."""


def train(name: str, splits: data.Splits, rule: Rule, training: str) -> tuple[float, keras.Model]:
    """Trains one model; returns its best validation negative log-likelihood and the model at that step."""
    keras.utils.set_random_seed(rule.seed)
    model = MODELS[name](splits.event_shape, rule.seed)
    optimizer, learning_rate, weight_decay = OPTIMIZERS[training]
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, rule.num_steps)
    if optimizer == "sgd":
        optimizer = keras.optimizers.SGD(schedule, momentum=rule.momentum)
    else:
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay / learning_rate)
    # Random numbers are slow under XLA on a CPU.
    model.compile(optimizer, jit_compile=name != "MADE")
    stop = keras.callbacks.EarlyStopping("val_loss", patience=rule.patience, restore_best_weights=True)
    history = model.fit(
        splits.train_from(0),
        steps_per_epoch=rule.steps_per_check,
        epochs=rule.num_steps // rule.steps_per_check,
        validation_data=splits.validation,
        callbacks=[stop, keras.callbacks.TerminateOnNaN()],
        verbose=0,
    ).history["val_loss"]
    if not np.any(np.isfinite(history)):
        return float("inf"), model
    model.set_weights(stop.best_weights)
    return float(np.nanmin(history)), model


def main(
    *,
    sets: tuple[pathlib.Path, ...],
    models: tuple[str, ...] = tuple(MODELS),
    output: pathlib.Path | None = None,
    rule: Rule = Rule(),
) -> None:
    """Prints a table of test log-likelihoods in nats.

    Args:
        sets: files to train on.
        models: names of the models to train.
        output: JSON file for the results.
        rule: settings that are the same for all sets.
    """
    rows = json.loads(output.read_text(encoding="utf-8"))["results"] if output is not None and output.exists() else []
    done = {(row["set"], row["model"]) for row in rows}
    for path in sets:
        splits = data.load(path, batch_size=rule.batch_size, seed=rule.seed)
        for name in models:
            if (path.stem, name) in done:
                continue
            trained = {training: train(name, splits, rule, training) for training in OPTIMIZERS}
            best = min(trained, key=lambda training: trained[training][0])
            validation, model = trained[best]
            test = evaluation.likelihood(model, splits.test, verbose=False)
            row = {
                "set": path.stem,
                "dimensions": int(np.prod(splits.event_shape)),
                "model": name,
                "test_log_likelihood": -test["nll"],
                "standard_error": test["nll_standard_error"],
                "validation_log_likelihood": -validation,
                "trained_by": best,
                "validation_by_way": {training: -value for training, (value, _) in trained.items()},
            }
            rows.append(row)
            print(
                f"{row['set']:12}{name:8}{row['test_log_likelihood']:10.2f} ± {row['standard_error']:.2f}   "
                f"validation {row['validation_log_likelihood']:.2f}, {best}",
                flush=True,
            )
            if output is not None:
                output.parent.mkdir(parents=True, exist_ok=True)
                with atomic_file(output) as file:
                    file.write_text(
                        json_text({"rule": dataclasses.asdict(rule), "results": rows}) + "\n", encoding="utf-8"
                    )


if __name__ == "__main__":
    tyro.cli(main)
