"""Pix2Pix (Isola et al., 2017, https://arxiv.org/abs/1611.07004).

python -m recipes.translation.pix2pix                   facades, 64×64, half of the paper's channels, 30 epochs
python -m recipes.translation.pix2pix --preset paper    facades, 256×256, the paper's networks, 200 epochs; not run here

facades is the folder of the CMP Facade Database in the form of the paper's authors: subfolders train, val and test with
images that have a photograph on the left and its labels on the right. Labels become photographs; `--source left`
reverses the direction.

Measured on two cores at 64×64, 22 minutes of training alongside others, validation (test): mean absolute difference,
levels from -1 to 1, 0.314 (0.308); structural similarity 0.321 (0.298); Fréchet distance of
evaluation.random_convolutions 3,432 (2,286). The mean photograph has 0.310, 0.160 and 24,072 on validation data; the
same number of training photographs has a distance of 908. Walls, windows and skies are where the labels place them, but
smeared: the paper trains seven times as long.

With `--image-size 128`, 66 minutes of training alongside tests: 0.346 (0.348), 0.248 (0.239) and 3,938 (2,196); the
mean photograph has 0.346, 0.175 and 25,887, and training photographs have a distance of 765. A grid is visible in all
of them.
"""

from keras_gen import training


@training.recipe(paper=dict(image_size=256, filters=64, epochs=200))
def main(
    run: "training.Run",
    *,
    data: training.Pairs = training.Pairs("facades", source="right", image_size=64),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=30, batch_size=1, learning_rate=0.0002),
    translators: training.Translators = training.Translators(filters=32),
    num_images: int = 500,
) -> dict:
    """Trains Pix2Pix on pairs of images, and compares translations of other images with their targets.

    Args:
        num_images: largest number of images of each held-out split to translate.
    """
    import numpy as np

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    model = translators.compiled(run, splits, schedule)
    mean = splits.array("train", "target").mean(axis=0)
    return training.fit_translation(
        run,
        model,
        splits,
        schedule,
        baselines={"mean target": lambda source: np.broadcast_to(mean, (len(source), *mean.shape))},
        num_images=num_images,
    )


if __name__ == "__main__":
    main.cli()
