"""FVSBN, NADE and MADE on sets of bits, by one rule for all of them.

    python benchmarks/binary_sets.py --sets dna.npz nips.npz --output results/binary_sets.json

The rule: AdamW with a cosine schedule, batches of 100, and for each model and set the weight decay and the step with
the best validation likelihood; nothing else changes from one set to another. The test likelihood is looked at once, for
the model so chosen. The sets are `.npz` files with arrays `train`, `valid` and `test`.
"""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import tyro

from keras_gen import autoregressive, data, evaluation
from keras_gen.files import atomic_file

#: How to build each model, and its learning rate: without a hidden layer, larger steps are needed.
MODELS = {
    "FVSBN": (lambda shape, seed: autoregressive.FVSBN(shape, seed=seed), 0.02),
    "NADE": (lambda shape, seed: autoregressive.NADE(shape, 500, seed=seed), 0.003),
    "MADE": (
        lambda shape, seed: autoregressive.MADE(shape, (500,), direct_connections=True, dropout=0.5, seed=seed),
        0.003,
    ),
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is the same for all sets."""

    weight_decays: tuple[float, ...] = (0.0, 1e-4, 1e-3, 1e-2, 3e-2)
    """Share of the weights that a step takes away at the start; to choose from on validation data."""
    batch_size: int = 100
    """Examples in a training step."""
    num_steps: int = 6000
    """Training steps at most."""
    steps_per_check: int = 150
    """Training steps between two looks at the validation likelihood."""
    patience: int = 8
    """Looks without a better validation likelihood after which training stops."""
    seed: int = 0
    """Seed of everything random."""


def train(name: str, splits: data.Splits, rule: Rule, weight_decay: float) -> tuple[float, keras.Model]:
    """Trains one model; returns its best validation negative log-likelihood, and the model at that step."""
    keras.utils.set_random_seed(rule.seed)
    build, learning_rate = MODELS[name]
    model = build(splits.event_shape, rule.seed)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, rule.num_steps)
    # Random numbers are slow under XLA on a CPU.
    jit_compile = name != "MADE"
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=weight_decay / learning_rate), jit_compile=jit_compile)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=rule.patience, restore_best_weights=True)
    model.fit(
        splits.train_from(0),
        steps_per_epoch=rule.steps_per_check,
        epochs=rule.num_steps // rule.steps_per_check,
        validation_data=splits.validation,
        callbacks=[stop],
        verbose=0,
    )
    model.set_weights(stop.best_weights)
    return float(stop.best), model


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
        models: models to train.
        output: JSON file for the results.
        rule: what is the same for all sets.
    """
    rows = []
    for path in sets:
        splits = data.load(path, batch_size=rule.batch_size, seed=rule.seed)
        for name in models:
            tried = {decay: train(name, splits, rule, decay) for decay in rule.weight_decays}
            chosen = min(tried, key=lambda decay: tried[decay][0])
            validation, model = tried[chosen]
            found = evaluation.likelihood(model, splits.test, verbose=False)
            rows.append(
                {
                    "set": path.stem,
                    "dimensions": int(np.prod(splits.event_shape)),
                    "model": name,
                    "test_log_likelihood": -found["nll"],
                    "standard_error": found["nll_standard_error"],
                    "validation_log_likelihood": -validation,
                    "weight_decay": chosen,
                    "validation_by_weight_decay": {str(decay): -value for decay, (value, _) in tried.items()},
                }
            )
            row = rows[-1]
            print(
                f"{row['set']:12}{name:8}{row['test_log_likelihood']:10.2f} ± {row['standard_error']:.2f}   "
                f"validation {row['validation_log_likelihood']:.2f}, weight decay {chosen}",
                flush=True,
            )
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(output) as file:
            file.write_text(json.dumps({"rule": dataclasses.asdict(rule), "results": rows}, indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
