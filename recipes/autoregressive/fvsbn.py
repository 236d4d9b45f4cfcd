"""FVSBN (Frey, 1998; Neal, 1992; named by Larochelle and Murray, 2011).

python -m recipes.autoregressive.fvsbn            digits
python -m recipes.autoregressive.fvsbn --paper    binarized MNIST

Measured on two cores; exact test negative log-likelihoods in nats. Digits: 18.10. Binarized MNIST, 3 minutes: 97.92 ±
0.24.
"""

from keras_gen import training


@training.recipe(dataset="binarized_mnist", epochs=40, learning_rate=0.1)
def main(
    *,
    dataset: str = "digits",
    binarization: str = "threshold",
    epochs: int = 100,
    batch_size: int = 100,
    seed: int = 0,
    folder: str | None = None,
    learning_rate: float = 0.3,
    patience: int = 20,
    options: training.Options = training.Options(),
) -> dict:
    """Trains a logistic regression of each entry on those before it, and evaluates the exact likelihood.

    Args:
        dataset: name or path of a data set.
        binarization: how grey levels become bits: threshold, static, dynamic, or none to model the levels.
        epochs: passes over the training data, at most.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        learning_rate: learning rate of stochastic gradient descent with momentum, at the start; it falls to 0 along a
            cosine.
        patience: epochs without a better validation likelihood after which training stops.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import keras

    from keras_gen import autoregressive, data, evaluation

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, binarization=binarization)
    with run.scope():
        model = autoregressive.FVSBN(splits.event_shape, splits.levels, seed=seed)
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * splits.steps_per_epoch)
        # Steps of one size for all weights, such as Adam's, give large ones to pixels that are seldom on.
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
        model.compile(run.averaged(optimizer), jit_compile=run.jit_compile(faster=True))
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)

    metrics = evaluation.likelihoods(model, splits)
    return run.finish(model, splits, metrics, protocol="Exact likelihood; the epoch was chosen on validation data.")


if __name__ == "__main__":
    main.cli()
