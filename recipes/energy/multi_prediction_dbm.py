"""MultiPredictionDBM (Goodfellow et al., 2013, Multi-Prediction Deep Boltzmann Machines, NIPS).

python -m recipes.energy.multi_prediction_dbm                       digits
python -m recipes.energy.multi_prediction_dbm --preset two_cores    MNIST in bits, 500 and 1,000 hidden units
python -m recipes.energy.multi_prediction_dbm --preset paper        the same, batches of 1,250; not run here

The paper's conjugate gradients are not an argument: Adam takes their place, for 200 epochs.

Measured on two cores. Digits, 9 min alongside much other work: test error 5.0 %, and 13.3 % with half of the pixels
missing; each missing pixel costs 0.228 nats (0.392 if pixels were independent). `--preset two_cores --batch-size 100
--epochs 15`, 27 min alongside other work, still falling: test error 7.24 %, and 7.46 % with half of the pixels missing;
each missing pixel costs 0.093 nats (0.263). The paper has 0.91 %. Inpainted digits look like those of the data. Draws
do not, because the objective does not train for them.
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="mnist",
        binarization="static",
        hidden_units=(500, 1000),
        batch_size=1250,
        learning_rate=0.001,
        mean_field_steps=14,
    ),
    two_cores=dict(binarization="by_set", batch_size=50, epochs=50),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=200, batch_size=50, learning_rate=0.01),
    hidden_units: tuple[int, ...] = (100, 50),
    num_classes: int = 10,
    mean_field_steps: int = 8,
    hide_rate: float = 0.5,
    missing_rate: float = 0.5,
    num_sweeps: int = 1000,
) -> dict:
    """Trains a deep Boltzmann machine by multi-prediction, and evaluates it with and without missing entries.

    Args:
        hidden_units: units of each hidden layer, from below.
        num_classes: number of classes.
        mean_field_steps: number of mean-field steps, which the gradient is propagated through.
        hide_rate: probability that an entry, or a label, is hidden in training.
        missing_rate: probability that an entry is missing in evaluation.
        num_sweeps: sweeps of Gibbs sampling for each sample.
    """
    import keras
    import numpy as np

    from keras_gen import energy
    from keras_gen.evaluation import restoration

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=True)
    training.check_bits(splits)
    with run.scope():
        model = energy.MultiPredictionDBM(
            splits.event_shape,
            hidden_units,
            num_classes,
            mean_field_steps=mean_field_steps,
            hide_rate=hide_rate,
            num_sweeps=num_sweeps,
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=True)
    model.adapt(splits.array("train"), splits.labels("train"))
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    metrics = {}
    random = np.random.default_rng(run.seed)
    mean = np.clip(splits.array("train").mean(axis=0), 1e-3, 1.0 - 1e-3)
    for split in ("validation", "test"):
        wrong, wrong_missing, inferred, independent = [], [], [], []
        for x, label in getattr(splits, split):
            x, label = x.numpy(), label.numpy()
            missing = random.random(x.shape) < missing_rate
            wrong.append(np.argmax(model.classify(x), axis=-1) != label)
            wrong_missing.append(np.argmax(model.classify(x, missing), axis=-1) != label)
            filled = np.clip(model.inpaint(x, missing).numpy(), 1e-6, 1.0 - 1e-6)
            for found, p in ((inferred, filled), (independent, mean)):
                found.append(-np.where(x == 1, np.log(p), np.log1p(-p))[missing])
        metrics[split] = {
            "error": float(np.mean(np.concatenate(wrong))),
            f"error_{missing_rate:g}_missing": float(np.mean(np.concatenate(wrong_missing))),
            "nats_per_missing_entry": float(np.mean(np.concatenate(inferred))),
            "nats_per_missing_entry_independent": float(np.mean(np.concatenate(independent))),
        }
    if run.is_chief and len(splits.event_shape) == 3:
        shown, hidden = x[:10], missing[:10]
        rows = {"data": shown, "known": np.where(hidden, 0.5, shown), "inferred": model.inpaint(shown, hidden).numpy()}
        run.save_picture("inpainted.png", restoration.before_after(rows, splits.levels))
    return run.finish(
        model,
        splits,
        metrics,
        protocol=f"Share of examples that are not taken for their class, given all entries and with each one missing "
        f"with probability {missing_rate:g}; the negative log-probability of a missing entry, beside that of "
        "independent ones; the epoch was chosen by the loss on validation data.",
    )


if __name__ == "__main__":
    main.cli()
