"""PixelCNN (van den Oord et al., 2016, https://arxiv.org/abs/1601.06759).

python -m recipes.autoregressive.pixel_cnn            digits
python -m recipes.autoregressive.pixel_cnn --paper    binarized MNIST, a narrow net

Measured on two cores; exact test negative log-likelihoods in nats. Digits: 18.03 ± 0.36 (a mixture of Bernoullis
18.50). Binarized MNIST, ten blocks of 32 features, 98,000 weights, 53 minutes beside other work: 86.69 ± 0.20 (the
paper's larger net 81.30).
"""

from keras_gen import training


@training.recipe(dataset="binarized_mnist", filters=32, num_blocks=10, epochs=7)
def main(
    *,
    dataset: str = "digits",
    binarization: str = "threshold",
    epochs: int = 30,
    batch_size: int = 16,
    seed: int = 0,
    folder: str | None = None,
    filters: int = 16,
    num_blocks: int = 4,
    head_filters: int = 32,
    learning_rate: float = 0.003,
    patience: int = 10,
    options: training.Options = training.Options(),
) -> dict:
    """Trains PixelCNN and evaluates its exact likelihood beside two baselines.

    Args:
        dataset: name or path of a data set of images.
        binarization: how grey levels become bits: threshold, static, dynamic, or none to model the levels.
        epochs: passes over the training data, at most.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        filters: features within a residual block; between blocks there are twice as many.
        num_blocks: number of residual blocks.
        head_filters: features of the last convolutions.
        learning_rate: learning rate of Adam at the start; it falls to 0 along a cosine.
        patience: epochs without a better validation likelihood after which training stops.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import keras

    from keras_gen import autoregressive, data, evaluation

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, binarization=binarization)
    with run.scope():
        model = autoregressive.PixelCNN(
            splits.event_shape,
            splits.levels,
            filters=filters,
            num_blocks=num_blocks,
            head_filters=head_filters,
            seed=seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * splits.steps_per_epoch)
        model.compile(run.averaged(keras.optimizers.Adam(rate)), jit_compile=run.jit_compile(faster=False))
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)

    metrics = evaluation.likelihoods(model, splits)
    return run.finish(model, splits, metrics, protocol="Exact likelihood; the epoch was chosen on validation data.")


if __name__ == "__main__":
    main.cli()
