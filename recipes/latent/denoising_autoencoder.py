"""Denoising autoencoder (Vincent et al., 2008, https://doi.org/10.1145/1390156.1390294).

python -m recipes.latent.denoising_autoencoder                                                  digits
python -m recipes.latent.denoising_autoencoder --corruption '{"name": "masking", "rate": 0.5}'  with missing pixels
python -m recipes.latent.denoising_autoencoder --preset two_cores                               MNIST; not measured yet

There is no preset of the paper because the paper pretrains classifiers and does not restore images.

Measured on two cores. Digits with noise of 0.3 of the range, three seeds, 77 s each alongside other work: the peak
signal-to-noise ratio of test images rises from 12.95 ± 0.08 dB, corrupted, to 18.31 ± 0.19 dB, restored, and their
structural similarity from 0.805 ± 0.006 to 0.906 ± 0.004.
"""

from keras_gen import training


@training.recipe(two_cores=dict(dataset="mnist", filters=(32, 64), hidden_units=(256,), latent_size=128, epochs=20))
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits"),
    schedule: training.Schedule = training.Schedule(epochs=150, batch_size=100, learning_rate=0.002, patience=20),
    corruption: str = '{"name": "gaussian", "scale": 0.3}',
    latent_size: int = 64,
    hidden_units: tuple[int, ...] = (400, 400),
    filters: tuple[int, ...] = (),
    activation: str = "silu",
    likelihood: str | None = None,
) -> dict:
    """Trains a denoising autoencoder, restores corrupted test images and compares them with the clean ones.

    Args:
        corruption: gaussian, masking or salt_and_pepper, or JSON with the name and the noise's scale or rate.
        latent_size: entries of the code.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions before them.
        activation: activation of the hidden layers.
        likelihood: distribution of an entry given the code; none for the cross-entropy of bits and the squared error of
            levels.
    """
    import keras
    import tensorflow as tf

    from keras_gen import latent
    from keras_gen.evaluation import restoration

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = latent.DenoisingAutoencoder(
            splits.event_shape,
            latent_size,
            splits.levels,
            corruption=training.component(corruption),
            hidden_units=hidden_units,
            filters=filters,
            activation=activation,
            likelihood=training.component(likelihood),
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=not filters)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    metrics = {}
    for split in ("validation", "test"):
        clean = splits.array(split)
        seen = model.corrupted(tf.cast(clean, tf.float32), tf.constant([run.seed, 0])).numpy()
        images = {"clean": clean, "corrupted": seen, "denoised": model.predict(seen, verbose=0)}
        found = restoration.quality(clean, {name: images[name] for name in ("corrupted", "denoised")}, splits.levels)
        metrics[split] = {
            f"{figure}_{name}": value for name, figures in found.items() for figure, value in figures.items()
        }
    if run.is_chief:
        run.save_picture("denoised.png", restoration.before_after(images, splits.levels))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Peak signal-to-noise ratio in decibels and structural similarity to the clean images; the epoch was "
        "chosen on validation data.",
    )


if __name__ == "__main__":
    main.cli()
