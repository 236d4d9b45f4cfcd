"""ConditionalVAE (Sohn, Lee, Yan, 2015, https://papers.nips.cc/paper/5775).

python -m recipes.latent.conditional_vae                       digits, given their class
python -m recipes.latent.conditional_vae --preset two_cores    MNIST, given their class; not measured yet

There is no preset of the paper because its conditions are parts of images.

Measured on two cores. Digits, 54 s, three seeds: test ELBO given the class -14.79 ± 0.16 nats, negative log-likelihood
at most 14.13 ± 0.07 (100 importance samples; ± 0.32 over examples).
"""

from keras_gen import training


@training.recipe(two_cores=dict(dataset="mnist", epochs=15, latent_size=30, filters=(16, 32), hidden_units=(256,)))
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=100, batch_size=100, learning_rate=0.002),
    num_classes: int = 10,
    latent_size: int = 8,
    hidden_units: tuple[int, ...] = (200, 200),
    filters: tuple[int, ...] = (),
    activation: str = "silu",
    num_samples: int = 100,
) -> dict:
    """Trains a VAE of examples given their class, and evaluates two lower bounds on their likelihood given it.

    Args:
        num_classes: number of classes.
        latent_size: entries of the code.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions before them.
        activation: activation of the hidden layers.
        num_samples: importance samples of each test example.
    """
    import keras

    from keras_gen import evaluation, latent

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=True)
    with run.scope():
        model = latent.ConditionalVAE(
            splits.event_shape,
            latent_size,
            splits.levels,
            num_classes=num_classes,
            hidden_units=hidden_units,
            filters=filters,
            activation=activation,
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=not filters)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    metrics = evaluation.likelihoods(model, splits, num_samples)
    return run.finish(model, splits, metrics, protocol=training.BOUNDS)


if __name__ == "__main__":
    main.cli()
