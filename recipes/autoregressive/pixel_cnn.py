"""PixelCNN (van den Oord et al., 2016, https://arxiv.org/abs/1601.06759).

python -m recipes.autoregressive.pixel_cnn                       digits
python -m recipes.autoregressive.pixel_cnn --preset two_cores    binarized MNIST, a narrow net
python -m recipes.autoregressive.pixel_cnn --preset paper        binarized MNIST, the paper's net; not run here

The preset's 15 blocks of 128 features are the paper's for CIFAR-10, because the paper gives neither those for MNIST nor
a learning rate or epochs. Its RMSProp is not an argument: Adam takes its place.

Measured on two cores; exact test negative log-likelihoods in nats. Digits, three seeds: 17.98 ± 0.21 (a mixture of
Bernoullis 18.50). `--preset two_cores`, ten blocks of 32 features, 98,000 weights, 53 minutes alongside other work:
86.69 ± 0.20 (the paper's larger net 81.30).
"""

from keras_gen import training


@training.recipe(
    paper=dict(dataset="binarized_mnist", filters=128, num_blocks=15, epochs=100, learning_rate=0.001),
    two_cores=dict(filters=32, num_blocks=10, epochs=7, learning_rate=0.003),
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=30, batch_size=16, learning_rate=0.003, patience=10),
    filters: int = 16,
    num_blocks: int = 4,
    head_filters: int = 32,
) -> dict:
    """Trains PixelCNN and evaluates its exact likelihood beside two baselines.

    Args:
        filters: features within a residual block; there are twice as many between blocks.
        num_blocks: number of residual blocks.
        head_filters: features of the last convolutions.
    """
    import keras

    from keras_gen import autoregressive, evaluation

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = autoregressive.PixelCNN(
            splits.event_shape,
            splits.levels,
            filters=filters,
            num_blocks=num_blocks,
            head_filters=head_filters,
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=False)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)
    return run.finish(model, splits, evaluation.likelihoods(model, splits), protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
