"""MADE (Germain et al., 2015, https://arxiv.org/abs/1502.03509).

python -m recipes.autoregressive.made                       digits
python -m recipes.autoregressive.made --preset two_cores    binarized MNIST, one hidden layer of 8,000 units, one mask
python -m recipes.autoregressive.made --preset paper        the same, two such layers, 32 masks, Adagrad; not run here

Measured on two cores; exact test negative log-likelihoods in nats. Digits, 87 s including the installation into a fresh
environment: 17.38 ± 0.34 (a mixture of Bernoullis 18.50, independent pixels 25.18). `--preset two_cores`, 38 minutes
alongside other trainings: 88.33 ± 0.24 (the paper, one layer and one mask: 88.40). With `--hidden-units 500 --dropout 0
--weight-decay 0.1 --learning-rate 0.003 --epochs 25`, 12 minutes: 90.82 ± 0.23. On that net of one layer, the paper's
optimizer, Adagrad with learning rate 0.01 and no dropout, was stopped after 41 epochs at 90.30 on validation data,
where the curve had flattened; Adam with dropout reaches 89.11 in 22 epochs.
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="binarized_mnist",
        hidden_units=(8000, 8000),
        num_masks=32,
        ordering="random",
        direct_connections=True,
        optimizer="adagrad",
        epochs=1000,
        learning_rate=0.01,
        patience=30,
    ),
    two_cores=dict(
        hidden_units=(8000,),
        num_masks=1,
        ordering="natural",
        optimizer="adam",
        epochs=22,
        learning_rate=0.002,
        patience=20,
        dropout=0.5,
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=150, batch_size=100, learning_rate=0.002, patience=20),
    hidden_units: tuple[int, ...] = (500,),
    num_components: int = 10,
    num_masks: int = 1,
    direct_connections: bool = False,
    ordering: str = "natural",
    optimizer: Literal["adam", "adagrad"] = "adam",
    weight_decay: float = 0.0,
    dropout: float = 0.0,
) -> dict:
    """Trains MADE and evaluates its exact likelihood beside two baselines.

    Args:
        hidden_units: width of each hidden layer.
        num_components: Gaussians in each conditional of real vectors.
        num_masks: masks in the ensemble.
        direct_connections: also connect inputs to outputs directly.
        ordering: natural or random.
        optimizer: adam, or adagrad as in the paper, with a constant learning rate.
        weight_decay: share of the weights, per unit of learning rate, that each step of adam removes.
        dropout: share of the hidden units that each training step leaves out.
    """
    import keras

    from keras_gen import autoregressive, evaluation

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = autoregressive.MADE(
            splits.event_shape,
            hidden_units,
            splits.levels,
            num_components=num_components,
            num_masks=num_masks,
            direct_connections=direct_connections,
            ordering=ordering,
            dropout=dropout,
            seed=run.seed,
        )
        if optimizer == "adagrad":
            # As in the paper, the sum of squares starts from zero.
            descent = keras.optimizers.Adagrad(schedule.learning_rate, initial_accumulator_value=0.0, epsilon=1e-6)
        else:
            descent = keras.optimizers.AdamW(schedule.rate(splits.steps_per_epoch), weight_decay=weight_decay)
        run.compile(model, descent, xla=not dropout)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)
    return run.finish(model, splits, evaluation.likelihoods(model, splits), protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
