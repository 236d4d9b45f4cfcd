"""Progressive GAN (Karras et al., 2018, https://arxiv.org/abs/1710.10196).

python -m recipes.adversarial.progressive_gan                   MNIST, 32×32 pixels
python -m recipes.adversarial.progressive_gan --preset paper    CIFAR-10, the paper's widths and phases; not run here

The preset shows 12 million images, as the paper does. On CIFAR-10 only, the paper holds the norm of the gradient at
750. This is not an argument here: the norm is 1, as in all of the paper's other experiments.

Images grow from 4×4 pixels to 32×32, which holds a digit of 28×28 in a black margin of two pixels. `samples/` in the
run's folder shows 4×4, 8×8, 16×16 and 32×32 pixels after the first, second, fourth and fifth epoch, and a fade after
the third one. Samples are evaluated without the margin, by the features of the classifier that comes with the package,
like those of the other models in docs/adversarial_networks.md.

On MNIST (156,261 weights), 33 minutes, 31 of them processor time: Fréchet distance 30.1, kernel distance 59.8 ± 3.3.
Most samples read as digits; some have strokes that belong to none. With half of everything (--epochs 3 --stable-images
30000 --fade-images 10000), 18 minutes, 17 of them processor time: 91.8 and 175.9 ± 5.5.
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="cifar10",
        epochs=290,
        batch_size=16,
        base_filters=8192,
        max_filters=512,
        latent_size=512,
        stable_images=600_000,
        fade_images=600_000,
        margin=0,
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("mnist"),
    epochs: int = 6,
    batch_size: int = 16,
    learning_rate: float = 0.001,
    base_filters: int = 256,
    max_filters: int = 32,
    latent_size: int = 64,
    stable_images: int = 60_000,
    fade_images: int = 20_000,
    margin: int = 2,
    num_samples: int = 10_000,
) -> dict:
    """Trains Progressive GAN and evaluates its samples by a classifier's features.

    Args:
        epochs: passes over the training data.
        batch_size: examples in a training step.
        learning_rate: learning rate of both players' Adam; it stays constant.
        base_filters: number of channels of a layer times half the side of its images.
        max_filters: largest number of channels of a layer.
        latent_size: length of the noise vector.
        stable_images: number of training images that each resolution sees before the next one begins to fade in.
        fade_images: number of training images during which a resolution fades in.
        margin: width in pixels of the black border added around each image.
        num_samples: number of samples to evaluate.
    """
    import keras
    import numpy as np

    from keras_gen import adversarial, evaluation
    from keras_gen.spaces import Levels

    originals = data.load(batch_size=batch_size, seed=run.seed)
    height, width, channels = originals.event_shape
    pad = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    space = Levels((height + 2 * margin, width + 2 * margin, channels), originals.levels)
    splits = originals.changed(lambda x, _: np.pad(x, pad), space)
    with run.scope():
        model = adversarial.ProgressiveGAN(
            splits.event_shape,
            splits.levels,
            latent_size=latent_size,
            base_filters=base_filters,
            max_filters=max_filters,
            stable_images=stable_images,
            fade_images=fade_images,
            generator_average=run.options.ema or 0.999,
            seed=run.seed,
        )
        optimizers = [keras.optimizers.Adam(learning_rate, 0.0, 0.99, 1e-8) for _ in ("generator", "discriminator")]
        run.compile(model, *optimizers, xla=False)
    model = run.fit(model, splits, epochs=epochs)

    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    if originals.event_shape == (28, 28, 1):
        batches = (
            model.sample(500, seed=(run.seed, index))[:, margin : margin + height, margin : margin + width]
            for index in range(-(-num_samples // 500))
        )
        samples = np.concatenate(list(batches))[:num_samples]
        for split in metrics:
            real = originals.array(split)
            metrics[split].update(evaluation.sample_quality(samples, real, levels=originals.levels))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Losses of the players on held-out data; of 28×28 grey digits, samples without their margin against "
        "all held-out examples, by the features of the classifier that comes with the package.",
    )


if __name__ == "__main__":
    main.cli()
