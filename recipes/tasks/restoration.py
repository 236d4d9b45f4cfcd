"""Inpainting, super-resolution and denoising, each beside a trivial baseline.

python -m recipes.tasks.restoration                           digits, a hole to fill: VAE (Rezende et al., 2014)
python -m recipes.tasks.restoration --task super_resolve      digits, from half of the height and width
python -m recipes.tasks.restoration --task denoise            digits with noise (Vincent et al., 2008)
python -m recipes.tasks.restoration --preset two_cores        MNIST; not measured yet

Measured on two cores, peak signal-to-noise ratio and structural similarity of digits. A hole of half the height and
width: 20.32 ± 0.31 dB and 0.897 (the mean of the training images 16.26 and 0.759). Enlarged by a factor of two:
19.50 ± 0.16 dB and 0.917 (bicubic 13.50 and 0.595).
"""

from typing import Literal

from keras_gen import training


@training.recipe(two_cores=dict(dataset="mnist", latent_size=50, filters=(32, 64), hidden_units=(256,), epochs=20))
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits"),
    schedule: training.Schedule = training.Schedule(epochs=100, batch_size=100, learning_rate=0.002),
    task: Literal["inpaint", "super_resolve", "denoise"] = "inpaint",
    hole: float = 0.5,
    factor: int = 2,
    noise: float = 0.3,
    num_steps: int = 50,
    num_draws: int = 10,
    num_images: int = 500,
    latent_size: int = 16,
    hidden_units: tuple[int, ...] = (300, 300),
    filters: tuple[int, ...] = (),
) -> dict:
    """Trains a VAE or a denoising autoencoder, restores test images, and compares them with the clean ones.

    Args:
        task: inpaint draws the entries of a hole with a VAE, in alternation with codes, and takes the mean of the
            draws; super_resolve and denoise train a denoising autoencoder.
        hole: side of the hole, as a share of the image's.
        factor: factor by which the coarse images are smaller.
        noise: standard deviation of the noise, as a share of the range of levels.
        num_steps: number of alternations in a draw of the missing entries.
        num_draws: number of draws to average.
        num_images: number of test images to restore.
        latent_size: entries of the code.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions before them.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_gen import latent
    from keras_gen.evaluation import restoration

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    shape = (splits.event_shape, latent_size, splits.levels)
    networks = {"hidden_units": hidden_units, "filters": filters, "seed": run.seed}
    corruptions = {
        "super_resolve": {"name": "coarsening", "factor": factor},
        "denoise": {"name": "gaussian", "scale": noise},
    }
    with run.scope():
        if task == "inpaint":
            model = latent.VAE(*shape, **networks)
        else:
            model = latent.DenoisingAutoencoder(*shape, corruption=corruptions[task], **networks)
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=not filters)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    def restored(clean: np.ndarray) -> dict[str, np.ndarray]:
        """Returns, by name, images as the model sees them, as it restores them, and as simpler methods do."""
        if task == "inpaint":
            height, width, _ = splits.event_shape
            seen, mask = restoration.masked_block(clean, round(hole * height), round(hole * width), seed=run.seed)
            seeds = [(run.seed, index) for index in range(num_draws)]
            draws = [model.impute(seen, mask, num_steps=num_steps, seed=seed) for seed in seeds]
            return {
                "corrupted": seen,
                "mean of the training images": restoration.filled_with_mean(seen, mask, splits.array("train")),
                "one draw": draws[0].numpy(),
                "restored": np.mean(draws, axis=0),
            }
        seen = model.corrupted(tf.cast(clean, tf.float32), tf.constant([run.seed, 0])).numpy()
        rows = {"restored": model.denoise(seen).numpy()}
        if task == "super_resolve":
            small = restoration.downsampled(clean, factor)
            rows = {"bicubic": restoration.enlarged(small, factor, splits.levels), **rows}
        return {"corrupted": seen, **rows}

    metrics = {}
    for split in ("validation", "test"):
        clean = splits.array(split)[:num_images]
        rows = restored(clean)
        quality = restoration.quality(clean, rows, splits.levels)
        metrics[split] = {f"{f} {name}": value for name, figures in quality.items() for f, value in figures.items()}
    if run.is_chief:
        run.save_picture("restored.png", restoration.before_after({"clean": clean, **rows}, splits.levels))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Peak signal-to-noise ratio in decibels and structural similarity to the clean images; the epoch was "
        "chosen on validation data.",
    )


if __name__ == "__main__":
    main.cli()
