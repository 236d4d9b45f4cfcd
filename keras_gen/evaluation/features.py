"""Feature extractors: functions from images to vectors for comparing sets of images."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import GenerativeModel, saving
from keras_gen.evaluation.classifier import SHIPPED, Classifier
from keras_gen.evaluation.feature_statistics import Moments
from keras_gen.layers.convolution import conv2d

#: The file in which `keras.applications` stores the weights of Inception-v3.
INCEPTION_WEIGHTS = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"

#: Side length of the images that Inception-v3 was trained on.
INCEPTION_SIZE = (299, 299)


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A function from images to features, with the form of its inputs.

    Example:

    ```python
    network = keras.Sequential([...])                       # from images with values in [0, 1] to vectors
    extractor = FeatureExtractor("mine", network, levels=2)
    evaluation.sample_quality(model, x_test, extractor, levels=256)
    ```

    Attributes:
        name: its name in tables.
        function: any callable, such as a Keras model, from float32 images of shape `(batch, height, width, channels)`
            to features of shape `(batch, ...)`, or to a pair of features and class probabilities.
        event_shape: shape of its input images; None for any.
        levels: images are scaled to 0..levels-1; None leaves images unchanged.
    """

    name: str
    function: Callable
    event_shape: tuple[int, ...] | None = None
    levels: int | None = None

    @classmethod
    def of(cls, extractor) -> "FeatureExtractor":
        """Returns an extractor from any of its forms.

        Args:
            extractor: an extractor; a `Classifier`; any other callable, which takes images unchanged; or None for the
                classifier of handwritten digits that comes with the package.

        Raises:
            TypeError: if it is something else.
        """
        if extractor is None:
            extractor = saving.load_model(SHIPPED)
        if isinstance(extractor, cls):
            return extractor
        if isinstance(extractor, Classifier):
            classifier = extractor

            @tf.function(autograph=False, reduce_retracing=True)
            def judge(x):
                # Without validation: levels that are scaled to other levels need not be integers.
                features = classifier.features(x)
                return features, classifier.label(features).probs_parameter()

            return cls("classifier", judge, classifier.event_shape, classifier.levels)
        if not callable(extractor):
            raise TypeError(f"`extractor` must be a callable from images to features, received {extractor!r}.")
        return cls(getattr(extractor, "name", type(extractor).__name__), extractor)

    def __call__(self, x: np.ndarray, levels: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Computes features of a batch.

        Args:
            x: examples of shape `(batch, ...)`.
            levels: number of levels of an entry of `x`; None for real numbers.

        Returns:
            float32 features of shape `(batch, size)`, and class probabilities or None.

        Raises:
            ValueError: if the extractor takes levels and `levels` is None, or examples are not of its shape.
        """
        x = np.asarray(x, np.float32)
        if self.levels is not None:
            if levels is None:
                raise ValueError(f"`levels` must be given: the extractor {self.name} takes levels, received None.")
            x = x * np.float32((self.levels - 1) / (levels - 1))
        if self.event_shape is not None and x.shape[1:] != self.event_shape:
            raise ValueError(
                f"`extractor` {self.name} takes images of shape {self.event_shape}, received {x.shape[1:]}."
            )
        found = self.function(tf.constant(x))
        features, probabilities = found if isinstance(found, (tuple, list)) else (found, None)
        features = np.asarray(features, np.float32).reshape(len(x), -1)
        return features, None if probabilities is None else np.asarray(probabilities)


def inception(weights: str | os.PathLike | None = None) -> FeatureExtractor:
    """Returns the last hidden layer and the class probabilities of Inception-v3 from `keras.applications`.

    Its weights are not those used for most published figures: figures can be compared with each other, but not with
    published ones. Grey images become colour images with three equal channels, and all images are enlarged to 299×299.

    Args:
        weights: path of the file of weights, `inception_v3_weights_tf_dim_ordering_tf_kernels.h5`; None uses the one
            that `keras.applications` has downloaded before. Nothing is downloaded.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    folder = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"), "models")
    path = folder / INCEPTION_WEIGHTS if weights is None else pathlib.Path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"`weights`: there is no file {path}; call keras.applications.InceptionV3() once where there is a network, "
            "or give the path of its weights."
        )
    network = keras.applications.InceptionV3(weights=str(path))
    both = keras.Model(network.input, [network.layers[-2].output, network.output])

    @tf.function(autograph=False, reduce_retracing=True)
    def judge(x):
        x = tf.image.resize(x, INCEPTION_SIZE, antialias=True)
        x = tf.broadcast_to(x, [*tf.unstack(tf.shape(x)[:3]), 3])
        return both(x / 127.5 - 1.0, training=False)

    return FeatureExtractor("inception_v3", judge, levels=256)


def random_convolutions(
    num_channels: int, *, filters: tuple[int, ...] = (16, 16, 32), seed: int = 0
) -> FeatureExtractor:
    """Returns an untrained convolutional network, for kinds of images without a suitable trained network.

    Naeem et al. (2020, https://arxiv.org/abs/2002.09797, section 4) find that such features distinguish sets of images
    for which a network trained on ImageNet is unsuitable. They capture colours and textures at several scales, not what
    a picture shows.

    Features are the means over all positions of each channel, layer by layer, of 4×4 convolutions with stride 2 and
    ReLU. Weights are normal with variance 2 / inputs (He et al., 2015); images have levels 0..255. The same seed gives
    the same network.

    Args:
        num_channels: channels of the images, which may have any size of at least 4×4.
        filters: channels of each convolution.
        seed: seed of the weights.
    """
    sizes = [checks.positive_int("num_channels", num_channels), *checks.positive_ints("filters", filters)]
    kernels = [
        (2.0 / (16 * inputs)) ** 0.5 * seeds.normal((4, 4, inputs, outputs), seeds.as_pair((seed, layer)))
        for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
    ]

    @tf.function(autograph=False, reduce_retracing=True)
    def judge(x):
        means = []
        for kernel in kernels:
            x = tf.nn.relu(conv2d(x, kernel, 2, "SAME"))
            means.append(tf.reduce_mean(x, axis=(1, 2)))
        return tf.concat(means, axis=-1)

    return FeatureExtractor("random_convolutions", judge, levels=256)


@dataclasses.dataclass(frozen=True)
class Features:
    """The stored features of a set of images: the moments of all features, and a number of the vectors themselves.

    Attributes:
        moments: moments of all features.
        vectors: the first features, float32 of shape `(kept, size)`.
        probabilities: class probabilities of all images, or None.
        extractor: extractor that computed them.
    """

    moments: Moments
    vectors: np.ndarray
    probabilities: np.ndarray | None
    extractor: FeatureExtractor

    @classmethod
    def of(cls, batches: Iterable[np.ndarray], extractor=None, *, levels: int | None = None, keep: int = 10_000):
        """Computes the features of batches of images, one after another.

        Args:
            batches: batches of images.
            extractor: as in `FeatureExtractor.of`.
            levels: number of levels of the images; None for real numbers.
            keep: number of vectors to keep.

        Raises:
            ValueError: if there are no images.
        """
        extractor = FeatureExtractor.of(extractor)
        keep = checks.positive_int("keep", keep)
        moments, vectors, probabilities = None, [], []
        for batch in batches:
            features, classes = extractor(batch, levels)
            new = Moments.of(features)
            moments = new if moments is None else moments + new
            vectors.append(features[: max(0, keep - sum(map(len, vectors)))])
            probabilities.append(classes)
        if moments is None:
            raise ValueError("`batches` holds no images; at least one batch is expected.")
        classes = None if probabilities[0] is None else np.concatenate(probabilities)
        return cls(moments, np.concatenate(vectors), classes, extractor)


def sample_batches(model: GenerativeModel, num_samples: int, batch_size: int, seed: int) -> Iterable[np.ndarray]:
    """Yields batches of samples of a model; a conditional one is given examples of its condition.

    Raises:
        TypeError: if the model cannot draw samples.
    """
    if "sample" not in model.signatures():
        raise TypeError(f"`source` must be a model that draws samples, received a {type(model).__name__}.")
    num_samples = checks.positive_int("num_samples", num_samples)
    for index, start in enumerate(range(0, num_samples, checks.positive_int("batch_size", batch_size))):
        yield model.sample_on_examples(min(batch_size, num_samples - start), seed=(seed, index)).numpy()


def as_data(x: np.ndarray, own_levels: int | None, levels: int | None, event_shape: tuple[int, ...]) -> np.ndarray:
    """Returns samples of a model in the shape and with the levels of data.

    Other levels are scaled to those of the data. Real vectors from a model that was trained on levels with added noise
    in [0, 1) lose that noise.

    Args:
        x: samples of shape `(batch, ...)`.
        own_levels: number of levels of the model; None for real numbers.
        levels: number of levels of the data; None leaves the numbers unchanged.
        event_shape: shape of an example of the data.
    """
    x = np.reshape(x, (len(x), *event_shape))
    if levels is None:
        return x
    if own_levels is None:
        return np.clip(np.floor(x), 0.0, levels - 1.0)
    return x * ((levels - 1) / (own_levels - 1))
