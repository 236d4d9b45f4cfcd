"""PixelRNN (van den Oord et al., 2016, https://arxiv.org/abs/1601.06759).

python -m recipes.autoregressive.pixel_rnn                                    digits, Row LSTM
python -m recipes.autoregressive.pixel_rnn --model diagonal_bilstm            digits, Diagonal BiLSTM
python -m recipes.autoregressive.pixel_rnn --paper                            binarized MNIST, Row LSTM
python -m recipes.autoregressive.pixel_rnn --paper --model diagonal_bilstm    binarized MNIST, Diagonal BiLSTM

Measured on two cores; exact test negative log-likelihoods in nats. Digits: Row LSTM 17.10 ± 0.33, Diagonal BiLSTM 16.80
± 0.34 (a mixture of Bernoullis 18.50). Binarized MNIST, one layer of 16 units, 28 minutes beside other trainings,
with other initial weights than the present ones: Row LSTM 85.68 ± 0.21 (the paper's larger net 80.54); Diagonal BiLSTM,
with `--epochs 3`, 40 minutes beside other trainings: 86.54 ± 0.21 (the paper 80.75).
"""

from typing import Literal

from keras_gen import training


@training.recipe(dataset="binarized_mnist", units=16, num_layers=1, head_units=32, epochs=15)
def main(
    *,
    model: Literal["row_lstm", "diagonal_bilstm"] = "row_lstm",
    dataset: str = "digits",
    binarization: str = "threshold",
    epochs: int = 15,
    batch_size: int = 16,
    seed: int = 0,
    folder: str | None = None,
    units: int = 24,
    num_layers: int = 1,
    head_units: int = 48,
    learning_rate: float = 0.003,
    patience: int = 10,
    options: training.Options = training.Options(),
) -> dict:
    """Trains a PixelRNN and evaluates its exact likelihood beside two baselines.

    Args:
        model: row_lstm or diagonal_bilstm.
        dataset: name or path of a data set of images.
        binarization: how grey levels become bits: threshold, static, dynamic, or none to model the levels.
        epochs: passes over the training data, at most.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<recipe>/<model>/<data set>.
        units: units of each LSTM.
        num_layers: number of residual LSTMs.
        head_units: features between the two last convolutions.
        learning_rate: learning rate of Adam at the start; it falls to 0 along a cosine.
        patience: epochs without a better validation likelihood after which training stops.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import pathlib

    import keras

    from keras_gen import autoregressive, data, evaluation

    folder = folder or str(pathlib.Path("runs", *main.name.split("."), model, pathlib.PurePath(dataset).stem))
    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, binarization=binarization)
    model_class = {"row_lstm": autoregressive.RowLSTM, "diagonal_bilstm": autoregressive.DiagonalBiLSTM}[model]
    with run.scope():
        network = model_class(
            splits.event_shape,
            splits.levels,
            units=units,
            num_layers=num_layers,
            head_units=head_units,
            seed=seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * splits.steps_per_epoch)
        network.compile(run.averaged(keras.optimizers.Adam(rate)), jit_compile=run.jit_compile(faster=True))
    network = run.fit(network, splits, epochs=epochs, monitor="val_loss", patience=patience)

    metrics = evaluation.likelihoods(network, splits)
    protocol = "Exact likelihood; the epoch was chosen on validation data."
    return run.finish(network, splits, metrics, protocol=protocol)


if __name__ == "__main__":
    main.cli()
