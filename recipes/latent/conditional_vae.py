"""ConditionalVAE (Sohn, Lee, Yan, 2015, https://papers.nips.cc/paper/5775).

python -m recipes.latent.conditional_vae            digits, given their class
python -m recipes.latent.conditional_vae --paper    MNIST, given their class

Measured on two cores. Digits, 34 s of processor time: test ELBO given the class -14.81 ± 0.34 nats, negative
log-likelihood at most 14.16 ± 0.32 (100 importance samples).
"""

from keras_gen import training


@training.recipe(dataset="mnist", epochs=15, latent_size=30, filters=(16, 32), hidden_units=(256,))
def main(
    *,
    dataset: str = "digits",
    binarization: str = "threshold",
    epochs: int = 100,
    batch_size: int = 100,
    seed: int = 0,
    folder: str | None = None,
    num_classes: int = 10,
    latent_size: int = 8,
    hidden_units: tuple[int, ...] = (200, 200),
    filters: tuple[int, ...] = (),
    activation: str = "silu",
    learning_rate: float = 0.002,
    patience: int = 0,
    num_samples: int = 100,
    options: training.Options = training.Options(),
) -> dict:
    """Trains a VAE of examples given their class, and evaluates two lower bounds of their likelihood given it.

    Args:
        dataset: name or path of a data set.
        binarization: how grey levels become bits: threshold, static, dynamic, or none to model the levels.
        epochs: passes over the training data, at most; the learning rate falls to zero over them.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        num_classes: number of classes.
        latent_size: entries of the code.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions in front of them.
        activation: activation of the hidden layers.
        learning_rate: of Adam, at the start.
        patience: epochs without a better validation bound after which training stops; 0 never stops.
        num_samples: importance samples of each test example.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import keras

    from keras_gen import data, evaluation, latent

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, binarization=binarization, labels=True)
    with run.scope():
        model = latent.ConditionalVAE(
            splits.event_shape,
            latent_size,
            splits.levels,
            num_classes=num_classes,
            hidden_units=hidden_units,
            filters=filters,
            activation=activation,
            seed=seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * splits.steps_per_epoch)
        model.compile(run.averaged(keras.optimizers.Adam(rate)), jit_compile=run.jit_compile(faster=not filters))
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)

    metrics = evaluation.likelihood_bounds(model, splits, num_samples)
    return run.finish(
        model, splits, metrics, protocol="ELBO and importance-weighted bound; the epoch was chosen on validation data."
    )


if __name__ == "__main__":
    main.cli()
