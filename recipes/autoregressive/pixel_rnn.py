"""PixelRNN (van den Oord et al., 2016, https://arxiv.org/abs/1601.06759).

python -m recipes.autoregressive.pixel_rnn                                               digits, Row LSTM
python -m recipes.autoregressive.pixel_rnn --model diagonal_bilstm                       digits, Diagonal BiLSTM
python -m recipes.autoregressive.pixel_rnn --preset two_cores                            binarized MNIST, Row LSTM
python -m recipes.autoregressive.pixel_rnn --preset two_cores --model diagonal_bilstm    the same, Diagonal BiLSTM
python -m recipes.autoregressive.pixel_rnn --preset paper                                7 layers of it; not run here

The paper gives neither a learning rate nor epochs; its RMSProp is not an argument: Adam takes its place.

Measured on two cores; exact test negative log-likelihoods in nats. Digits: over three seeds, Row LSTM 17.07 ± 0.02,
Diagonal BiLSTM 16.89 ± 0.10 (± 0.33 over examples; a mixture of Bernoullis 18.50). `--preset two_cores`, one layer of
16 units, 28 minutes alongside other trainings, from initial weights other than the present ones: Row LSTM 85.68 ± 0.21
(the paper's larger net 80.54); Diagonal BiLSTM, with `--epochs 3`, 40 minutes alongside other trainings: 86.54 ± 0.21
(the paper 80.75).
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="binarized_mnist",
        model="diagonal_bilstm",
        units=16,
        num_layers=7,
        head_units=32,
        epochs=100,
        learning_rate=0.001,
    ),
    two_cores=dict(model="row_lstm", num_layers=1, epochs=15, learning_rate=0.003),
)
def main(
    run: "training.Run",
    *,
    model: Literal["row_lstm", "diagonal_bilstm"] = "row_lstm",
    data: training.Images = training.Images("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=15, batch_size=16, learning_rate=0.003, patience=10),
    units: int = 24,
    num_layers: int = 1,
    head_units: int = 48,
) -> dict:
    """Trains a PixelRNN and evaluates its exact likelihood beside two baselines.

    Args:
        model: row_lstm or diagonal_bilstm.
        units: units of each LSTM.
        num_layers: number of residual LSTMs.
        head_units: features between the last two convolutions.
    """
    import keras

    from keras_gen import autoregressive, evaluation

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    model_class = {"row_lstm": autoregressive.RowLSTM, "diagonal_bilstm": autoregressive.DiagonalBiLSTM}[model]
    with run.scope():
        network = model_class(
            splits.event_shape,
            splits.levels,
            units=units,
            num_layers=num_layers,
            head_units=head_units,
            seed=run.seed,
        )
        run.compile(network, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=True)
    network = run.fit(network, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)
    return run.finish(network, splits, evaluation.likelihoods(network, splits), protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
