"""How good the samples of any model are."""

import itertools
import math

import keras
import numpy as np

from keras_gen import checks
from keras_gen.core import Model
from keras_gen.evaluation import feature_statistics
from keras_gen.evaluation.batches import batches_of
from keras_gen.evaluation.classifier import Classifier
from keras_gen.evaluation.features import FeatureExtractor, Features, as_data, sample_batches
from keras_gen.spaces import ClassLabel, levels_or_reals


def sample_quality(
    source,
    data,
    extractor=None,
    *,
    levels: int | None = None,
    num_samples: int = 10_000,
    batch_size: int = 500,
    seed: int = 0,
) -> dict[str, float]:
    """Compares samples with data by their features, with all the usual measures.

    Figures are comparable only if the extractor, the number of samples and the number of real examples are the same:
    the Fréchet distance falls with both numbers, and precision and recall change.

    Example:

    ```python
    data = evaluation.image_features(x_test, levels=256)           # once for all models
    for name, model in models.items():
        print(name, evaluation.sample_quality(model, data, levels=256))
    ```

    Args:
        source: a model that draws samples, with examples of its condition if it is conditional; or samples as an array
            or a `tf.data.Dataset` of batches.
        data: real examples as an array, a `tf.data.Dataset` of batches, or the result of `image_features`. In batches
            (examples, labels), the labels are ignored.
        extractor: function from images to features, as in `FeatureExtractor.of`. None uses the extractor of `data` if
            `data` holds features, and otherwise the classifier of handwritten digits that comes with the package.
        levels: number of levels of an entry of `data`, and of samples given as data; None for real numbers. Other
            levels of a model are scaled to the same range, and samples of a model of real vectors are rounded down to
            levels.
        num_samples: number of samples that a model draws.
        batch_size: number of examples whose features are computed at once.
        seed: seed of the samples.

    Returns:
        "frechet_distance"; "kernel_distance", which is unbiased, and its "kernel_distance_standard_error"; "precision",
        "recall", "density" and "coverage" (`feature_statistics` defines them); the "score" and its
        "score_standard_error", if the extractor returns class probabilities; and "num_samples".

    Raises:
        TypeError: if `source` is a model that cannot draw samples.
        ValueError: if there are too few samples or examples, or the extractor does not accept them.
    """
    if not isinstance(data, Features):
        data = image_features(data, extractor, levels=levels, batch_size=batch_size)
    elif extractor is not None and FeatureExtractor.of(extractor).name != data.extractor.name:
        raise ValueError(f"`extractor` must be that of `data`, {data.extractor.name}; received another.")
    extractor = data.extractor
    if isinstance(source, Model):
        samples = sample_batches(source, num_samples, batch_size, seed)
        shape = source.event_shape if extractor.event_shape is None else extractor.event_shape
        samples = (as_data(batch, source.levels, levels, shape) for batch in samples)
        found = Features.of(samples, extractor, levels=levels or source.levels)
    else:
        found = Features.of(batches_of(source, batch_size), extractor, levels=levels)
    return compared(found, data)


def image_features(
    examples, extractor=None, *, levels: int | None = None, batch_size: int = 500, keep: int = 10_000
) -> Features:
    """Computes the features of real examples, for comparison with samples by `sample_quality`.

    Args:
        examples: as `data` of `sample_quality`.
        extractor: as in `FeatureExtractor.of`.
        levels: number of levels of an entry; None for real numbers.
        batch_size: number of examples whose features are computed at once.
        keep: number of examples whose vectors are kept, the first ones; all examples count in the moments.

    Raises:
        ValueError: if there are no examples, or the extractor does not accept them.
    """
    return Features.of(batches_of(examples, batch_size), extractor, levels=levels, keep=keep)


def compared(samples: Features, data: Features) -> dict[str, float]:
    """Returns the figures of `sample_quality` for two sets of features."""
    distance, error = feature_statistics.kernel_distance(data.vectors, samples.vectors)
    figures = {
        "frechet_distance": feature_statistics.frechet_distance(data.moments, samples.moments),
        "kernel_distance": distance,
        "kernel_distance_standard_error": error,
        **feature_statistics.neighbourhoods(data.vectors, samples.vectors),
    }
    if samples.probabilities is not None:
        figures["score"], figures["score_standard_error"] = feature_statistics.score(samples.probabilities)
    return {**figures, "num_samples": samples.moments.num}


def classification_accuracy_score(
    source,
    test,
    *,
    real=None,
    levels: int | None = None,
    num_samples: int = 10_000,
    epochs: int = 5,
    seed: int = 0,
    **classifier,
) -> dict[str, float]:
    """Trains a classifier on samples of each class and tests it on real examples.

    Suman Ravuri, Oriol Vinyals (2019), Classification accuracy score for conditional generative models,
    https://arxiv.org/abs/1905.10887: samples of the wrong class, of too few kinds or of poor quality all lower it, and
    so does anything else that distinguishes samples from real examples, such as grain. `class_agreement` shows whether
    samples belong to their class.

    Example:

    ```python
    evaluation.classification_accuracy_score(model, (x_test, y_test), real=(x_train, y_train), levels=256)
    ```

    Args:
        source: a model that is conditioned on classes; or a pair of samples and labels.
        test: real images of shape `(num, height, width, channels)` and the label of each.
        real: real images for training and the label of each, for the ceiling: the result of a classifier trained in the
            same way on as many of them as there are samples. None omits the ceiling.
        levels: number of levels of an entry of `test`, and of samples given as data, as in `sample_quality`.
        num_samples: number of samples that a model draws, of all classes in turn.
        epochs: number of passes of the classifier over the samples.
        seed: seed of the samples and the classifier.
        **classifier: further arguments of `Classifier`, such as `filters`.

    Returns:
        The "classification_accuracy_score", which is the share of test examples that get their label, its
        "classification_accuracy_score_standard_error" over these, and "num_samples"; with `real`, also the
        "classification_accuracy_score_ceiling".

    Raises:
        TypeError: if the model cannot draw samples.
        ValueError: if the model is not conditioned on classes, there is not one label for each image, or there are
            fewer real images than samples.
    """
    x_test, y_test = labelled_images("test", test)
    shape = x_test.shape[1:]
    if isinstance(source, Model):
        x, y = conditional_samples(source, num_samples, levels, shape, seed)
        num_classes = source.condition_space.num_classes
        x = in_unit_interval(x, levels or source.levels)
    else:
        x, y = labelled_images("source", source)
        num_classes = int(max(y.max(), y_test.max())) + 1
        x = in_unit_interval(x, levels)
    network = Classifier(shape, num_classes, None, seed=seed, **classifier)
    steps = checks.positive_int("epochs", epochs) * math.ceil(len(x) / 100)
    network.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, steps)))
    order = np.random.default_rng(seed).permutation(len(x))
    network.fit(x[order], y[order], batch_size=100, epochs=epochs, shuffle=False, verbose=0)
    predicted = network.predict(in_unit_interval(x_test, levels), batch_size=500, verbose=0)
    figures = {**share("classification_accuracy_score", np.argmax(predicted, axis=-1) == y_test), "num_samples": len(x)}
    if real is not None:
        x_real, y_real = labelled_images("real", real)
        if len(x_real) < len(x):
            raise ValueError(f"`real` must hold as many images as there are samples, {len(x)}; received {len(x_real)}.")
        rows = np.random.default_rng(seed).permutation(len(x_real))[: len(x)]
        arguments = {"levels": levels, "epochs": epochs, "seed": seed, **classifier}
        ceiling = classification_accuracy_score((x_real[rows], y_real[rows]), test, **arguments)
        figures["classification_accuracy_score_ceiling"] = ceiling["classification_accuracy_score"]
    return figures


def class_agreement(
    source, extractor=None, *, levels: int | None = None, num_samples: int = 10_000, seed: int = 0
) -> dict[str, float]:
    """Computes how often a classifier of real examples predicts the class that was requested.

    Together with `classification_accuracy_score`, it shows why that score is low: if the classifier nearly always
    predicts the class, samples belong to their class, but look different from real examples or are of too few kinds.

    Args:
        source: a model that is conditioned on classes; or a pair of images and labels, for the accuracy of the
            classifier itself.
        extractor: extractor with class probabilities, as in `FeatureExtractor.of`.
        levels: number of levels of an entry of real examples, as in `sample_quality`.
        num_samples: number of samples that a model draws, of all classes in turn.
        seed: seed of the samples.

    Returns:
        The "class_agreement", a share, and its "class_agreement_standard_error" over samples.

    Raises:
        TypeError: if the model cannot draw samples.
        ValueError: if the model is not conditioned on classes, there is not one label for each image, or the extractor
            returns no class probabilities.
    """
    extractor = FeatureExtractor.of(extractor)
    if isinstance(source, Model):
        shape = source.event_shape if extractor.event_shape is None else extractor.event_shape
        x, y = conditional_samples(source, num_samples, levels, shape, seed)
        levels = levels or source.levels
    else:
        x, y = labelled_images("source", source)
    agrees = []
    for start in range(0, len(x), 500):
        _, probabilities = extractor(x[start : start + 500], levels)
        if probabilities is None:
            raise ValueError(f"`extractor` must give class probabilities; {extractor.name} gives features alone.")
        agrees.append(np.argmax(probabilities, axis=-1) == y[start : start + 500])
    return share("class_agreement", np.concatenate(agrees))


def conditional_samples(
    model: Model, num_samples: int, levels: int | None, shape: tuple[int, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns samples of all classes in turn, in the shape and with the levels of data, and their classes.

    Raises:
        TypeError: if the model cannot draw samples.
        ValueError: if it is not conditioned on classes.
    """
    if not isinstance(model.condition_space, ClassLabel):
        raise ValueError(f"`source` must be a model conditioned on classes; this {type(model).__name__} is not.")
    num_classes = model.condition_space.num_classes
    # A batch of all classes in turn always begins with the first class.
    batch_size = num_classes * max(1, 500 // num_classes)
    labels = itertools.islice(itertools.cycle(range(num_classes)), num_samples)
    samples = sample_batches(model, num_samples, batch_size, seed)
    x = np.concatenate([as_data(batch, model.levels, levels, shape) for batch in samples])
    return x, np.fromiter(labels, np.int32)


def share(name: str, hits: np.ndarray) -> dict[str, float]:
    """Returns the share of hits, under a name, and its standard error."""
    hits = hits.astype(np.float64)
    return {name: float(hits.mean()), f"{name}_standard_error": feature_statistics.standard_error(hits)}


def labelled_images(name: str, examples) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and labels, or raises an error that says what is wrong with them."""
    x, y = (np.asarray(column) for column in examples)
    if x.ndim != 4 or y.shape != x.shape[:1]:
        raise ValueError(
            f"`{name}` must hold images (num, height, width, channels) and a label for each, received shapes "
            f"{x.shape} and {y.shape}."
        )
    return x, y.astype(np.int32)


def in_unit_interval(x: np.ndarray, levels: int | None) -> np.ndarray:
    """Returns levels scaled to [0, 1], and real numbers unchanged, in float32."""
    x = np.asarray(x, np.float32)
    return levels_or_reals(x.shape[1:], levels).scaled(x, 0.0, 1.0)
