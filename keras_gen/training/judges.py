"""Classifiers of images and sounds: how they are trained and tested, alone or with a model that they evaluate."""

import dataclasses

import keras
import numpy as np

from keras_gen import evaluation
from keras_gen.core import saving
from keras_gen.data import Splits
from keras_gen.spaces import Sound
from keras_gen.training.run import Run


def trained_judge(run: Run, name: str, splits: Splits, *, epochs: int) -> evaluation.Classifier:
    """Trains a classifier as a stage of the run.

    Args:
        run: the run.
        name: name of the stage.
        splits: images, or sounds, with labels.
        epochs: passes over the training examples.
    """
    splits = dataclasses.replace(splits, batch_size=100, seed=run.seed)
    stage = run.stage(name)
    with stage.scope():
        num_classes = splits.spaces["condition"].num_classes
        if isinstance(splits.event_space, Sound):
            judge = evaluation.SoundClassifier(
                splits.event_shape, num_classes, sample_rate=splits.sample_rate, seed=run.seed
            )
        else:
            judge = evaluation.Classifier(splits.event_shape, num_classes, splits.levels, seed=run.seed)
        rate = keras.optimizers.schedules.CosineDecay(0.003, epochs * splits.steps_per_epoch)
        stage.compile(judge, keras.optimizers.Adam(rate), xla=False)
    return stage.fit(judge, splits, epochs=epochs)


def label_accuracy(judge: evaluation.Classifier, x: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of examples whose most probable class, according to a classifier, is their label."""
    return float(np.mean(judge.predict(x, batch_size=500, verbose=0).argmax(axis=-1) == labels))


def fit_classifier(run: Run, model: evaluation.Classifier, splits: Splits, *, epochs: int) -> dict:
    """Trains a classifier, evaluates its accuracy, and finishes the run; `judge.keras` is for evaluating samples.

    Args:
        run: the run.
        model: compiled classifier, built in the run's scope.
        splits: examples with labels.
        epochs: passes over the training examples.

    Returns:
        The contents of `metrics.json`.
    """
    model = run.fit(model, splits, epochs=epochs)
    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    accuracy = metrics["test"]["accuracy"]
    metrics["test"]["accuracy_standard_error"] = (accuracy * (1.0 - accuracy) / splits.size("test")) ** 0.5
    if run.is_chief:
        saving.save_model(saving.without_optimizers(model), run.folder / "judge.keras")
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Negative log-likelihood of the label in nats, and share of labels that are the most probable class.",
    )
