"""How images are judged: by classifiers that are trained beside a model, on real images alone, and by captions."""

import dataclasses

import keras
import numpy as np

from keras_gen import evaluation
from keras_gen.core import GenerativeModel
from keras_gen.data import CaptionedSplits, Splits
from keras_gen.training.run import Run


def trained_judge(run: Run, name: str, splits: Splits, *, epochs: int) -> evaluation.Classifier:
    """Trains a classifier, a stage of the run.

    Args:
        run: the run.
        name: name of the stage.
        splits: images with labels.
        epochs: passes over the training images.
    """
    splits = dataclasses.replace(splits, batch_size=100, seed=run.seed)
    stage = run.stage(name)
    with stage.scope():
        num_classes = splits.spaces["condition"].num_classes
        judge = evaluation.Classifier(splits.event_shape, num_classes, splits.levels, seed=run.seed)
        rate = keras.optimizers.schedules.CosineDecay(0.003, epochs * splits.steps_per_epoch)
        stage.compile(judge, keras.optimizers.Adam(rate), xla=False)
    return stage.fit(judge, splits, epochs=epochs)


def label_accuracy(judge: evaluation.Classifier, x: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of images whose most probable class, as a classifier judges, is their label."""
    return float(np.mean(judge.predict(x, batch_size=500, verbose=0).argmax(axis=-1) == labels))


def judged_captions(
    model: GenerativeModel, splits: CaptionedSplits, split: str, *, num_samples: int, seed: int
) -> dict[str, float]:
    """Draws an image for each of many captions, and judges whether it is what the caption asks for.

    Args:
        model: trained model, whose condition is a caption.
        splits: images and captions of `data.captioned`.
        split: the split whose captions are taken, "test" or "zero_shot".
        num_samples: number of captions, at most; the first ones.
        seed: seed of the samples.

    Returns:
        What `evaluation.caption_agreement` returns, and what share of the real images has its digit recognised; and, of
        at least 100 images, what `evaluation.sample_quality` returns of them and the real images.
    """
    num = min(num_samples, splits.size(split))
    columns = splits.examples(split, num)
    captions = [caption.decode() for caption in columns["condition"].numpy()]
    parts = [captions[start : start + 500] for start in range(0, num, 500)]
    drawn = [model.sample(len(part), condition=part, seed=(seed, index)).numpy() for index, part in enumerate(parts)]
    x, real = np.concatenate(drawn), columns["x"].numpy()
    of_real = evaluation.caption_agreement(real, captions, splits.limits, splits.levels)
    figures = {
        **evaluation.caption_agreement(x, captions, splits.limits, splits.levels),
        "digit recognised of real images": of_real["digit recognised"],
    }
    # Fewer images tell nothing of a distribution.
    if num >= 100:
        extractor = None if splits.event_shape == (28, 28, 1) else evaluation.random_convolutions(1)
        data = evaluation.image_features(real, extractor, levels=splits.levels)
        figures.update(evaluation.sample_quality(x, data, levels=splits.levels))
    return figures
