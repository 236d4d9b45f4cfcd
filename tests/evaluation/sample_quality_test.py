"""One table for all models: features of samples and of data, modes, and classifiers trained on samples."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen import autoregressive, data, evaluation, flows, latent
from keras_gen.data import toy
from keras_gen.evaluation import feature_statistics
from keras_gen.evaluation.batches import batches_of
from keras_gen.evaluation.features import FeatureExtractor, Features


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", labels=True)


def pixels(x):
    """Features that are the pixels themselves."""
    return tf.reshape(x, (len(x), -1))


def figures_of(vectors, others):
    """The figures of `sample_quality`, of two sets of vectors at once."""
    distance, error = feature_statistics.kernel_distance(others, vectors)
    precision, recall = feature_statistics.precision_recall(others, vectors)
    density, coverage = feature_statistics.density_coverage(others, vectors)
    return {
        "frechet_distance": feature_statistics.frechet_distance(
            *(feature_statistics.Moments.of(x) for x in (vectors, others))
        ),
        "kernel_distance": distance,
        "kernel_distance_standard_error": error,
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "num_samples": len(vectors),
    }


# Features


def test_batches_give_what_the_whole_gives(digits):
    x, real = digits.array("test"), digits.array("validation")
    found = evaluation.sample_quality(x, real, pixels, batch_size=37)
    expected = figures_of(x.reshape(len(x), -1), real.reshape(len(real), -1))
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    # And as data sets, whose labels are left out.
    assert evaluation.sample_quality(digits.test, digits.validation, pixels) == pytest.approx(found, rel=1e-9)


def test_only_some_vectors_are_kept_but_all_count(digits):
    x = digits.array("train")
    found = evaluation.image_features(x, pixels, batch_size=100, keep=150)
    np.testing.assert_array_equal(found.vectors, x[:150].reshape(150, -1))
    assert found.moments.num == len(x)
    np.testing.assert_allclose(found.moments.mean, x.reshape(len(x), -1).mean(axis=0), rtol=1e-9)


def test_shipped_classifier_knows_handwritten_digits(digits):
    """Digits of another set, enlarged, which it was not trained on."""
    splits = digits.resized(20, 20, 256)
    x = np.pad(splits.array("test"), ((0, 0), (4, 4), (4, 4), (0, 0)))
    found = Features.of(batches_of(x, 500), levels=256)
    assert found.vectors.shape == (len(x), 64)
    np.testing.assert_allclose(found.probabilities.sum(axis=-1), 1.0, rtol=1e-5)
    assert np.mean(found.probabilities.argmax(axis=-1) == splits.labels("test")) > 0.75


def test_levels_are_spread_over_those_of_the_extractor():
    shipped = FeatureExtractor.of(None)
    bits = np.random.default_rng(0).integers(2, size=(5, 28, 28, 1))
    for ours, theirs in zip(shipped(bits, 2), shipped(255 * bits, 256), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_keras_model_extracts_features():
    network = keras.Sequential([keras.Input((3, 3, 1)), keras.layers.Flatten(), keras.layers.Dense(4)], name="mine")
    x = np.random.default_rng(0).random((8, 3, 3, 1), np.float32)
    extractor = FeatureExtractor.of(network)
    vectors, probabilities = extractor(x)
    assert extractor.name == "mine"
    assert probabilities is None
    np.testing.assert_allclose(vectors, network(x), rtol=1e-6)


@pytest.fixture
def functions_run_eagerly():
    """Tracing so large a network takes longer than running it."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_inception_reads_its_weights_from_a_file(tmp_path, functions_run_eagerly):
    keras.utils.set_random_seed(0)
    network = keras.applications.InceptionV3(weights=None)
    path = tmp_path / "inception.weights.h5"
    network.save_weights(path)
    grey = np.random.default_rng(0).integers(256, size=(2, 40, 30, 1))
    vectors, probabilities = evaluation.inception(path)(grey, 256)
    assert vectors.shape == (2, 2048)
    large = tf.image.resize(np.repeat(grey, 3, axis=-1), (299, 299), antialias=True) / 127.5 - 1.0
    np.testing.assert_allclose(probabilities, network(large), rtol=1e-3, atol=1e-7)
    kernel, bias = network.layers[-1].get_weights()
    np.testing.assert_allclose(probabilities, tf.nn.softmax(vectors @ kernel + bias), rtol=1e-3, atol=1e-7)


def test_inception_without_weights_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"^`weights`: there is no file .*models/inception_v3.*; call keras"):
        evaluation.inception()


# Models


def test_models_of_all_kinds_stand_in_one_table(digits):
    """Of levels, of bits, conditional, and a flow of vectors: each of the numbers of its own samples."""
    x = digits.array("test")
    classifier = evaluation.Classifier((8, 8, 1), 10, 17, filters=(4,), num_features=5)
    real = evaluation.image_features(x, classifier, levels=17)
    models = {
        "levels": latent.VAE((8, 8, 1), 2, 17, hidden_units=(8,)),
        "bits": autoregressive.MADE((8, 8, 1), (8,), 2),
        "conditional": latent.ConditionalVAE((8, 8, 1), 2, 17, num_classes=10, hidden_units=(8,)),
        "vectors": flows.RealNVP((64,), 2, (8,)),
    }
    for name, model in models.items():
        found = evaluation.sample_quality(model, real, levels=17, num_samples=50, batch_size=30)
        samples = [model.sample_on_examples(num, seed=(0, index)).numpy() for index, num in enumerate((30, 20))]
        samples = np.concatenate(samples).reshape(50, 8, 8, 1)
        if name == "bits":
            samples = 16 * samples
        elif name == "vectors":
            samples = np.clip(np.floor(samples), 0, 16)
        expected, probabilities = classifier.judge(samples)
        for figure, value in figures_of(expected.numpy(), real.vectors).items():
            assert found[figure] == pytest.approx(value, rel=1e-3, abs=1e-6), (name, figure)
        assert found["score"] == pytest.approx(feature_statistics.score(probabilities)[0], rel=1e-4)


def test_bits_are_spread_over_the_levels_of_data_whatever_the_extractor(digits):
    x = digits.array("test")
    model = autoregressive.MADE((8, 8, 1), (8,), 2)
    found = evaluation.sample_quality(model, x, pixels, levels=17, num_samples=40)
    assert found == pytest.approx(evaluation.sample_quality(16 * model.sample(40, seed=(0, 0)), x, pixels))


def test_data_are_better_than_noise(digits):
    x = digits.array("train")
    classifier = evaluation.Classifier((8, 8, 1), 10, 17, filters=(8,), num_features=16)
    classifier.compile(keras.optimizers.Adam(0.01))
    classifier.fit(digits.train, epochs=5, verbose=0)
    real = evaluation.image_features(digits.array("test"), classifier, levels=17)
    good = evaluation.sample_quality(x[:180], real, levels=17)
    noise = np.random.default_rng(0).integers(17, size=(180, 8, 8, 1))
    bad = evaluation.sample_quality(noise, real, levels=17)
    assert bad["frechet_distance"] > 10.0 * good["frechet_distance"]
    assert bad["kernel_distance"] > 5.0 * bad["kernel_distance_standard_error"]
    assert abs(good["kernel_distance"]) < 4.0 * good["kernel_distance_standard_error"]
    for figure in ("precision", "recall", "density", "coverage", "score"):
        assert good[figure] > 1.5 * bad[figure], figure
    # One class of ten is as precise, but covers little.
    ones = x[digits.labels("train") == 1]
    narrow = evaluation.sample_quality(ones, real, levels=17)
    assert narrow["precision"] > 0.8 * good["precision"]
    assert narrow["recall"] < 0.5 * good["recall"]
    assert narrow["coverage"] < 0.5 * good["coverage"]
    assert narrow["score"] < 2.0 < 5.0 < good["score"]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"source": evaluation.Classifier((8, 8, 1))}, TypeError, "`source` must be a model that draws samples"),
        ({"extractor": 3}, TypeError, "`extractor` must be a callable from images to features, received 3"),
        ({"extractor": None}, ValueError, "`levels` must be given: the extractor classifier takes levels"),
        (
            {"extractor": None, "levels": 17},
            ValueError,
            r"`extractor` classifier takes images of shape \(28, 28, 1\), received \(8, 8, 1\)",
        ),
        ({"data": np.zeros((0, 8, 8, 1))}, ValueError, "`batches` holds no images"),
        ({"source": np.zeros((2, 8, 8, 1))}, ValueError, "`samples` must hold at least 3 vectors"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1, received 0"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    x = np.zeros((30, 8, 8, 1))
    with pytest.raises(error, match=f"^{sentence}"):
        evaluation.sample_quality(**{"source": x, "data": x, "extractor": pixels, **arguments})


# Modes


@pytest.mark.parametrize(("name", "num"), [("eight_gaussians", 8), ("twenty_five_gaussians", 25)])
def test_the_distribution_itself_has_all_modes(name, num):
    density = toy.get(name)
    found = evaluation.mode_count(density.sample(20_000, seed=1), density.centres, density.noise)
    assert found["modes"] == num
    # A Gaussian in the plane is within r standard deviations with probability 1 - exp(-r² / 2).
    assert found["high_quality"] == pytest.approx(1.0 - math.exp(-4.5), abs=0.003)
    # The expected divergence of counts is (num - 1) / 2n.
    assert found["mode_divergence"] < 3.0 * (num - 1) / 40_000
    near = evaluation.mode_count(density.sample(20_000, seed=1), density.centres, density.noise, within=1.0)
    assert near["high_quality"] == pytest.approx(1.0 - math.exp(-0.5), abs=0.01)


def test_modes_by_hand():
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    samples = np.array([[0.0, 0.2], [0.1, 0.0], [9.9, 0.0], [5.0, 5.0], [0.0, 9.6]])
    found = evaluation.mode_count(samples, centres, 0.1)
    assert found["modes"] == 2
    assert found["high_quality"] == pytest.approx(0.6)
    expected = 2 / 3 * math.log(2 / 3 * 4) + 1 / 3 * math.log(1 / 3 * 4)
    assert found["mode_divergence"] == pytest.approx(expected)
    nothing = evaluation.mode_count(samples + 1000.0, centres, 0.1)
    assert nothing == {"modes": 0, "high_quality": 0.0, "mode_divergence": math.inf}


def test_wrong_samples_and_centres():
    with pytest.raises(ValueError, match=r"vectors of one length, received shapes \(5, 3\) and \(8, 2\)"):
        evaluation.mode_count(np.zeros((5, 3)), toy.get("eight_gaussians").centres, 0.1)
    with pytest.raises(ValueError, match="`samples` holds a value that is not finite"):
        evaluation.mode_count(np.full((5, 2), np.nan), np.zeros((1, 2)), 0.1)
    with pytest.raises(ValueError, match=r"`scale` must be greater than 0, received 0.0"):
        evaluation.mode_count(np.zeros((5, 2)), np.zeros((1, 2)), 0.0)


def test_stacked_digits_have_a_grey_image_in_each_channel(digits):
    splits = data.stacked(digits, num_examples=400, seed=1)
    x, labels = splits.array("train"), splits.labels("train")
    assert splits.event_shape == x.shape[1:] == (8, 8, 3)
    assert labels.shape == (400, 3)
    grey = {image.tobytes(): label for image, label in zip(digits.array("train"), digits.labels("train"), strict=True)}
    for channel in range(3):
        assert [grey[image.tobytes()] for image in x[..., channel]] == list(labels[:, channel])
    assert len(np.unique(labels @ (100, 10, 1))) > 300
    assert np.any(data.stacked(digits, num_examples=400, seed=2).array("train") != x)
    with pytest.raises(ValueError, match=r"`splits` must hold grey images; .* of shape \(8, 8, 3\)"):
        data.stacked(splits)


def test_modes_of_stacked_digits(digits):
    """An extractor that reads the class from the first pixel."""

    def read(x):
        return x[:, :1, 0, 0], tf.one_hot(tf.cast(x[:, 0, 0, 0], tf.int32), 10)

    x = np.zeros((1500, 2, 2, 3))
    for number in range(1500):
        x[number, 0, 0] = [int(digit) for digit in f"{number % 1000:03}"]
    found = evaluation.stacked_mode_count(x, read, levels=None, batch_size=400)
    assert found["modes"] == 1000
    assert found["mode_divergence"] == pytest.approx(2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3))
    assert evaluation.stacked_mode_count(x[7:8], read, levels=None) == {
        "modes": 1,
        "mode_divergence": pytest.approx(math.log(1000)),
    }
    with pytest.raises(ValueError, match="`extractor` must give class probabilities; function gives features alone"):
        evaluation.stacked_mode_count(x, pixels, levels=None)


# Classifiers trained on samples


def test_classification_accuracy_score_falls_where_classes_are_wrong_or_missing(digits):
    x, y = digits.array("train"), digits.labels("train")
    test = digits.array("test"), digits.labels("test")
    options = {"levels": 17, "epochs": 8, "filters": (8,), "num_features": 16}
    good = evaluation.classification_accuracy_score((x, y), test, **options)
    accuracy = good["classification_accuracy_score"]
    assert accuracy > 0.85
    error = math.sqrt(accuracy * (1.0 - accuracy) / (len(test[0]) - 1))
    assert good["classification_accuracy_score_standard_error"] == pytest.approx(error)
    half = evaluation.classification_accuracy_score((x[y < 5], y[y < 5]), test, **options)
    assert 0.3 < half["classification_accuracy_score"] <= np.mean(test[1] < 5)
    wrong = evaluation.classification_accuracy_score((x, (y + 1) % 10), test, **options)
    assert wrong["classification_accuracy_score"] < 0.1


def test_the_ceiling_is_the_score_of_as_many_real_images(digits):
    x, y = digits.array("train"), digits.labels("train")
    test = digits.array("test"), digits.labels("test")
    options = {"levels": 17, "epochs": 1, "filters": (4,), "num_features": 8}
    found = evaluation.classification_accuracy_score((x[:300], y[:300]), test, real=(x, y), **options)
    rows = np.random.default_rng(0).permutation(len(x))[:300]
    alone = evaluation.classification_accuracy_score((x[rows], y[rows]), test, **options)
    assert found["classification_accuracy_score_ceiling"] == alone["classification_accuracy_score"]
    with pytest.raises(ValueError, match=r"^`real` must hold as many images as there are samples, 300; received 20\.$"):
        evaluation.classification_accuracy_score((x[:300], y[:300]), test, real=(x[:20], y[:20]), **options)


def test_class_agreement_is_the_share_of_samples_that_the_judge_finds_in_their_class():
    """A judge that reads the class from the first pixel, and images of which every fourth shows the next class."""
    x, y = np.zeros((1200, 2, 2, 1)), np.arange(1200) % 10
    x[:, 0, 0, 0] = np.where(np.arange(1200) % 4 == 0, (y + 1) % 10, y)

    def read(x):
        return x[:, :1, 0, 0], tf.one_hot(tf.cast(x[:, 0, 0, 0], tf.int32), 10)

    found = evaluation.class_agreement((x, y), read)
    assert found["class_agreement"] == 0.75
    assert found["class_agreement_standard_error"] == pytest.approx(math.sqrt(0.75 * 0.25 / 1199))
    with pytest.raises(ValueError, match="`extractor` must give class probabilities; function gives features alone"):
        evaluation.class_agreement((x, y), pixels)


def test_class_agreement_of_a_model_asks_for_all_classes_in_turn():
    model = latent.ConditionalVAE((2, 2, 1), 2, 17, num_classes=10, hidden_units=(4,))

    def read(x):
        return x[:, :1, 0, 0], tf.one_hot(tf.cast(x[:, 0, 0, 0], tf.int32) % 10, 10)

    found = evaluation.class_agreement(model, read, levels=17, num_samples=503)
    labels = np.arange(503) % 10
    parts = [model.sample(num, condition=labels[:num], seed=(0, index)) for index, num in enumerate((500, 3))]
    assert found["class_agreement"] == np.mean(np.concatenate(parts)[:, 0, 0, 0] % 10 == labels)
    with pytest.raises(ValueError, match="`source` must be a model conditioned on classes; this VAE is not"):
        evaluation.class_agreement(latent.VAE((2, 2, 1), 2, 17), read)


def test_classification_accuracy_score_of_a_model(digits):
    test = digits.array("test"), digits.labels("test")
    model = latent.ConditionalVAE((8, 8, 1), 2, 17, num_classes=10, hidden_units=(16,))
    found = evaluation.classification_accuracy_score(model, test, levels=17, num_samples=523, epochs=1)
    assert found["num_samples"] == 523
    labels = np.arange(523) % 10
    parts = [model.sample(num, condition=labels[:num], seed=(0, index)) for index, num in enumerate((500, 23))]
    same = evaluation.classification_accuracy_score((np.concatenate(parts), labels), test, levels=17, epochs=1)
    assert found == same
    with pytest.raises(ValueError, match="`source` must be a model conditioned on classes; this VAE is not"):
        evaluation.classification_accuracy_score(latent.VAE((8, 8, 1), 2, 17), test, levels=17)
    with pytest.raises(ValueError, match=r"`test` must hold images .*, received shapes .* and \(3,\)"):
        evaluation.classification_accuracy_score(model, (test[0], test[1][:3]), levels=17)
