"""Figures of translations: distances by hand, and features that nobody trained."""

import numpy as np
import pytest

from keras_gen import evaluation
from keras_gen.evaluation import restoration
from keras_gen.evaluation.feature_statistics import Moments, frechet_distance


@pytest.fixture(scope="module")
def photos():
    return evaluation_set(60)


def evaluation_set(num):
    """Images of smooth colours with noise."""
    random = np.random.default_rng(0)
    base = random.integers(40, 200, (num, 2, 2, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(base + random.normal(0.0, 10.0, base.shape), 0, 255).round().astype(np.uint8)


def test_figures_of_images_that_are_off_by_a_number(photos):
    shifted = np.minimum(photos, 250) + 5
    target = np.minimum(photos, 250)
    found = evaluation.translation_quality(target, {"shifted": shifted, "same": target}, 256)
    assert found["same"] == {
        "l1": 0.0,
        "psnr": 100.0,
        "psnr_standard_error": 0.0,
        "ssim": 1.0,
        "ssim_standard_error": 0.0,
        "frechet_distance": pytest.approx(0.0, abs=1e-3),
    }
    # The scale is that of the model: levels from -1 to 1.
    assert found["shifted"]["l1"] == pytest.approx(2.0 * 5.0 / 255.0)
    quality = restoration.quality(target, {"shifted": shifted}, 256)["shifted"]
    assert {name: found["shifted"][name] for name in quality} == quality
    assert found["shifted"]["frechet_distance"] > 1.0


def test_the_frechet_distance_is_that_of_the_features_in_all_batches(photos):
    extractor = evaluation.random_convolutions(3)
    features = [extractor(x, 256)[0] for x in (photos[:30], photos[30:])]
    assert features[0].shape == (30, 64)
    expected = frechet_distance(*map(Moments.of, features))
    for batch_size in (100, 7):
        found = evaluation.translation_quality(photos[:30], {"": photos[30:]}, 256, batch_size=batch_size)[""]
        assert found["frechet_distance"] == pytest.approx(expected, rel=1e-4)


def test_features_that_nobody_trained_follow_their_seed_and_tell_textures_apart(photos):
    first, again, other = (evaluation.random_convolutions(3, seed=seed) for seed in (0, 0, 1))
    x = photos[:4]
    np.testing.assert_array_equal(first(x, 256)[0], again(x, 256)[0])
    assert np.any(first(x, 256)[0] != other(x, 256)[0])
    # ReLU and no bias: features grow as the levels do, whose number does not matter.
    np.testing.assert_allclose(first(x // 2, 256)[0] * 2.0, first(x // 2 * 2, 256)[0], rtol=1e-4)
    np.testing.assert_allclose(first(x // 17, 16)[0], first(x // 17 * 17, 256)[0], rtol=1e-4)
    # Two halves of one set are nearer to each other than to images of the same pixels in another order.
    order = np.random.default_rng(1).permutation(256)
    shuffled = photos[30:].reshape(30, 256, 3)[:, order].reshape(30, 16, 16, 3)
    found = evaluation.translation_quality(photos[:30], {"half": photos[30:], "shuffled": shuffled}, 256)
    assert found["shuffled"]["frechet_distance"] > 1.5 * found["half"]["frechet_distance"]


def test_translations_have_the_shape_of_their_targets(photos):
    with pytest.raises(ValueError, match=r"`wrong` must have the shape of the clean images"):
        evaluation.translation_quality(photos, {"wrong": photos[:3]}, 256)
