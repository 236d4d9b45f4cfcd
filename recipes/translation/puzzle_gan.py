"""Puzzle-GAN (Lee et al., 2017, https://arxiv.org/abs/1703.10730).

python -m recipes.translation.puzzle_gan                                         MNIST, three parts of 10×10 pixels
python -m recipes.translation.puzzle_gan --preset paper                          CelebA, 64×64 pixels; not run here
python -m recipes.translation.puzzle_gan --preset paper --dataset my_pictures    any folder of images

celeba/ is a folder of the faces of CelebA. The parts of an image are the squares with the most edges, in place of the
paper's object proposals. The model is not told where they were.

Measured on two cores, 13 minutes alongside other trainings, test digits: the masks overlap with the true ones by 0.828
(the usual places: 0.639); a classifier recognises the digit in 91.0 % of completions (in 98.9 % of the images, and in
97.4 % of images that are black except for their parts). With the paper's last weight, `--last-weight 0.0064`, 0.820 and
89.9 %.
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="celeba/",
        image_size=64,
        filters=(64, 128, 256, 512),
        part_size=None,
        epochs=25,
        learning_rate=0.0002,
        last_weight=0.0064,
        discriminator_steps=2,
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("mnist"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=3, batch_size=64, learning_rate=0.0005),
    num_parts: int = 3,
    part_size: int | None = 10,
    filters: tuple[int, ...] = (16, 32, 64),
    first_weight: float = 0.64,
    last_weight: float = 0.02,
    discriminator_steps: int = 1,
) -> dict:
    """Trains Puzzle-GAN on images and their key parts, and completes the parts of other images.

    Args:
        num_parts: number of parts of an image.
        part_size: height and width of a part; by default a third of the image's.
        filters: channels of each strided layer of each network.
        first_weight: weight at the start of training of the distances, which are sums over an image.
        last_weight: weight of the distances at the end of training.
        discriminator_steps: discriminator steps for each step of the generator, each with its own batch.
    """
    import keras
    import numpy as np

    import keras_gen
    from keras_gen import data as sets
    from keras_gen import evaluation, translation

    is_mnist = data.dataset == "mnist"
    batch_size = discriminator_steps * schedule.batch_size
    images = data.load(batch_size=batch_size, seed=run.seed, labels=is_mnist)
    splits = sets.with_parts(images, num_parts, part_size)
    with run.scope():
        model = translation.PuzzleGAN(
            images.event_shape,
            images.levels,
            num_parts=num_parts,
            part_size=part_size,
            filters=filters,
            l1_weights=(first_weight, last_weight),
            decay_steps=schedule.epochs * splits.steps_per_epoch,
            discriminator_steps=discriminator_steps,
            seed=run.seed,
        )
        # The discriminator's optimizer counts its own steps.
        rates = [schedule.rate(steps * splits.steps_per_epoch) for steps in (1, discriminator_steps)]
        run.compile(model, *(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates), xla=False)
    model = run.fit(model, splits, epochs=schedule.epochs)

    mean_mask = np.mean([batch["mask"].mean(axis=0) for batch in splits.train.as_numpy_iterator()], axis=0)

    def figures(split: str) -> dict[str, float]:
        batches = [{name: column.numpy() for name, column in batch.items()} for batch in getattr(splits, split)]
        x, mask = (np.concatenate([batch[name] for batch in batches]) for name in ("x", "mask"))
        located = np.concatenate([model.locate(batch["parts"]) for batch in batches])
        completed, again = (
            np.concatenate([model.complete(batch["parts"], seed=(seed, index)) for index, batch in enumerate(batches)])
            for seed in (run.seed, run.seed + 1)
        )
        # As many pixels as a mask has, taking those that most often belong to one.
        usual = mean_mask > np.quantile(mean_mask, 1.0 - mask.mean())
        found = {
            "mask_overlap": evaluation.mask_overlap(located, mask),
            "mask_overlap of the usual mask": evaluation.mask_overlap(np.broadcast_to(usual, mask.shape), mask),
            "share of an image that is parts": float(mask.mean()),
            "difference of two completions": float(2.0 * np.abs(completed - again).mean() / (images.levels - 1)),
        }
        if is_mnist:
            judge, labels = keras_gen.load_model(evaluation.classifier.SHIPPED), images.labels(split)
            found |= {
                "digit preserved": training.label_accuracy(judge, completed, labels),
                "digit of real images": training.label_accuracy(judge, x, labels),
                "digit of parts in their places": training.label_accuracy(judge, (x * mask).astype(x.dtype), labels),
            }
        return found | model.evaluate(getattr(splits, split), verbose=0, return_dict=True)

    return run.finish(
        model,
        splits,
        {split: figures(split) for split in ("validation", "test")},
        protocol=(
            "Of held-out images: the overlap, intersection over union, of the masks that the model makes of parts with "
            "where these were; the share of completions whose digit, as the classifier that comes with the package "
            "sees it, is that of the image; the mean absolute difference of two completions of the same parts, where "
            "levels go from -1 to 1; and the losses of the players."
        ),
    )


if __name__ == "__main__":
    main.cli()
