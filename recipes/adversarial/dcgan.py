"""DCGAN (Radford, Metz and Chintala, 2016, https://arxiv.org/abs/1511.06434).

python -m recipes.adversarial.dcgan                       digits
python -m recipes.adversarial.dcgan --preset two_cores    MNIST, the paper's optimizers and noise, fewer filters
python -m recipes.adversarial.dcgan --preset paper        bedrooms of 64×64 pixels; not run here

bedrooms/ is a folder of the bedrooms of LSUN, three million photographs.

Samples are judged by eye. On digits (43,474 weights), 37 s including the exports: most samples read as digits. MNIST
with `--preset two_cores`, 14 minutes of processor time: most samples read as digits; some strokes are broken or belong
to no digit.
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="bedrooms/",
        image_size=64,
        filters=(128, 256, 512, 1024),
        latent_size=100,
        epochs=5,
        batch_size=128,
        learning_rate=2e-4,
    ),
    two_cores=dict(dataset="mnist", image_size=None, filters=(32, 64, 128), epochs=8),
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits"),
    epochs: int = 100,
    batch_size: int = 64,
    learning_rate: float = 0.001,
    filters: tuple[int, ...] = (16, 32),
    latent_size: int = 32,
) -> dict:
    """Trains DCGAN, draws its samples, and reports both players' losses.

    Args:
        epochs: passes over the training data.
        batch_size: examples in a training step.
        learning_rate: learning rate of both players' Adam; it stays constant.
        filters: channels of the discriminator's strided layers, from the image inwards; the generator has them in
            reverse.
        latent_size: length of the noise vector.
    """
    import keras

    from keras_gen import adversarial

    splits = data.load(batch_size=batch_size, seed=run.seed)
    with run.scope():
        model = adversarial.DCGAN(
            splits.event_shape,
            splits.levels,
            latent_size=latent_size,
            filters=filters,
            generator_average=run.options.ema,
            seed=run.seed,
        )
        optimizers = [keras.optimizers.Adam(learning_rate, beta_1=0.5) for _ in ("generator", "discriminator")]
        run.compile(model, *optimizers, xla=False)
    model = run.fit(model, splits, epochs=epochs)

    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    return run.finish(
        model, splits, metrics, protocol="Losses of the players on held-out data; samples are judged by eye."
    )


if __name__ == "__main__":
    main.cli()
