"""Classifiers that are trained beside a model, on real images alone, to judge its images."""

import dataclasses

import keras
import numpy as np

from keras_gen import evaluation
from keras_gen.data import Splits
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
