"""Models of images with captions: the codes that they start from, and whether their images match the captions."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import PIL.Image

from keras_gen import evaluation, networks, pictures
from keras_gen.data import CaptionedSplits
from keras_gen.training.run import Run

#: A function from captions and a seed to an image for each.
Draw = Callable[[list[str], tuple[int, int]], np.ndarray]

#: Number of images needed to compute distances from real ones.
LEAST_IMAGES = 100

#: Captions of digits to draw images for, for inspection; the recipes' training images show no thick three, no small
#: seven and no zero that leans to the left.
SENTENCES = (
    "a thin three",
    "a thick three",
    "a large seven on the right",
    "a small seven on the left",
    "a zero leaning right",
    "a left-leaning zero",
    "an upright eight at the top",
    "the bold digit 5 at the bottom",
    "four",
    "a bird",
)


def joint_embedding(
    run: Run, splits: CaptionedSplits, words: Sequence[str], *, code_size: int, epochs: int
) -> networks.JointEmbedding:
    """Trains codes of images and captions, as a stage of the run.

    Args:
        run: the run.
        splits: images with captions.
        words: known words.
        code_size: length of the codes.
        epochs: passes over the training images.
    """
    stage, pairs = run.stage("joint_embedding"), splits.without_labels()
    with stage.scope():
        model = networks.JointEmbedding(splits.event_shape, words, splits.levels, code_size=code_size, seed=run.seed)
        rate = keras.optimizers.schedules.CosineDecay(0.002, epochs * splits.steps_per_epoch)
        stage.compile(model, keras.optimizers.Adam(rate), xla=False)
    return stage.fit(model, pairs, epochs=epochs)


def sentences_picture(draw: Draw, splits: CaptionedSplits, *, seed: int, num_columns: int = 8) -> PIL.Image.Image:
    """Returns a picture of sentences and the images drawn for each: `SENTENCES`, or captions of test images."""
    shown = SENTENCES if splits.limits else sorted(set(splits.array("test", "condition")[:10, 0]))
    rows = {caption: draw([caption] * num_columns, (seed, 0)) for caption in shown}
    return pictures.labelled_rows(rows, splits.event_space)


def judged_captions(
    draw: Draw, splits: CaptionedSplits, split: str, *, num_samples: int, seed: int
) -> dict[str, float]:
    """Draws an image for each of many captions, and evaluates whether it matches the caption.

    Args:
        draw: function from captions and a seed to images in levels.
        splits: images and captions of `data.captioned`.
        split: the split whose captions are used, "test" or "zero_shot".
        num_samples: largest number of captions; the first ones are used.
        seed: seed of the samples.

    Returns:
        What `evaluation.caption_agreement` returns; where there are 100 or more real images of the captions, also
        "frechet_distance" and the like from them, as in `evaluation.sample_quality`; and the share of real images whose
        digit is recognised.
    """
    num = min(num_samples, splits.size(split))
    columns = splits.examples(split, num)
    captions = [caption.decode() for caption in columns["condition"].numpy()]
    parts = [captions[start : start + 500] for start in range(0, num, 500)]
    x = np.concatenate([np.asarray(draw(part, (seed, index))) for index, part in enumerate(parts)])
    real = columns["x"].numpy()
    of_real = evaluation.caption_agreement(real, captions, splits.limits, splits.levels)
    figures = {
        **evaluation.caption_agreement(x, captions, splits.limits, splits.levels),
        "digit recognised of real images": of_real["digit recognised"],
    }
    if num >= LEAST_IMAGES:
        extractor = None if splits.event_shape == (28, 28, 1) else evaluation.random_convolutions(1)
        data = evaluation.image_features(real, extractor, levels=splits.levels)
        figures.update(evaluation.sample_quality(x, data, levels=splits.levels))
    return figures
