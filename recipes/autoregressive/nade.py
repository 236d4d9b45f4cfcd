"""NADE (Larochelle and Murray, 2011, https://proceedings.mlr.press/v15/larochelle11a.html).

python -m recipes.autoregressive.nade                       digits
python -m recipes.autoregressive.nade --preset two_cores    binarized MNIST, 500 units, by batches and momentum
python -m recipes.autoregressive.nade --preset paper        the same, by each example alone; not run here

The paper chooses its learning rate from 0.05, 0.005 and 0.0005 on validation data, and lets it fall as 1 / (1 +
c·step); here it is 0.005 and falls along a cosine.

Measured on two cores; exact test negative log-likelihoods in nats. Digits: 16.50 ± 0.33 (a mixture of Bernoullis
18.50). `--preset two_cores`, 20 minutes alongside other work: 88.36 ± 0.23 (the paper 88.33).
"""

from keras_gen import training


@training.recipe(
    paper=dict(dataset="binarized_mnist", epochs=500, batch_size=1, learning_rate=0.005, patience=10, momentum=0.0),
    two_cores=dict(epochs=30, batch_size=100, learning_rate=0.1, patience=20, momentum=0.9),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=150, batch_size=100, learning_rate=0.1, patience=20),
    hidden_units: int = 500,
    activation: str = "sigmoid",
    momentum: float = 0.9,
) -> dict:
    """Trains NADE and evaluates its exact likelihood beside two baselines.

    Args:
        hidden_units: number of hidden units.
        activation: activation of the hidden units.
        momentum: momentum of gradient descent, by Nesterov's rule; 0 for none.
    """
    import keras

    from keras_gen import autoregressive, evaluation

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = autoregressive.NADE(
            splits.event_shape, hidden_units, splits.levels, activation=activation, seed=run.seed
        )
        # Gradient descent, as in the paper: in measurements it generalised better than Adam.
        optimizer = keras.optimizers.SGD(schedule.rate(splits.steps_per_epoch), momentum=momentum, nesterov=True)
        run.compile(model, optimizer, xla=True)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)
    return run.finish(model, splits, evaluation.likelihoods(model, splits), protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
