"""Data sets made of others: some of the classes, other examples, other sizes."""

import numpy as np
import pytest

from keras_gen import data


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", labels=True)


def test_labels_belong_to_their_examples(digits):
    from sklearn.datasets import load_digits

    found = dict(zip(map(bytes, load_digits().images.astype(np.uint8)), load_digits().target, strict=True))
    for splits in (digits, data.load("digits", labels=True, shard=(1, 3)), digits.binarized("none")):
        expected = [found[bytes(image)] for image in splits.array("test")[..., 0]]
        assert splits.labels("test").tolist() == expected
    assert data.load("digits").labels("test") is None


def test_some_classes_are_selected(digits):
    rest = digits.selected(lambda labels: labels != 3)
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(rest.array(split), digits.array(split)[digits.labels(split) != 3])
    assert rest.labels("train") is None
    assert next(iter(rest.train)).shape == (100, 8, 8, 1)
    with pytest.raises(ValueError, match="`keep` must leave an example of the train split of digits"):
        digits.selected(lambda labels: labels == 11)
    with pytest.raises(ValueError, match="`selected` needs labels"):
        rest.selected(lambda labels: labels == 1)


def test_a_set_without_labels_has_the_same_examples(digits):
    np.testing.assert_array_equal(digits.unlabelled().array("test"), digits.array("test"))
    shard = data.load("digits", labels=True, shard=(1, 3))
    assert shard.unlabelled().size("test") == shard.size("test")
    np.testing.assert_array_equal(shard.unlabelled().array("test"), digits.array("test")[1::3])


def test_examples_change_and_labels_stay(digits):
    numbers = []

    def invert(x, number):
        numbers.append(number)
        return 16 - x

    changed = digits.changed(invert)
    assert numbers == [0, 1, 2]
    np.testing.assert_array_equal(changed.array("validation"), 16 - digits.array("validation"))
    np.testing.assert_array_equal(changed.labels("validation"), digits.labels("validation"))
    with pytest.raises(ValueError, match="cannot be had as one array"):
        digits.binarized("dynamic").changed(invert)


def test_images_change_their_size_and_levels(digits):
    large = digits.resized(16, 24, 256)
    assert large.event_shape == (16, 24, 1)
    assert large.levels == 256
    assert next(iter(large.test))[0].shape == (100, 16, 24, 1)
    x, y = digits.array("test") / 16, large.array("test") / 255
    # Interpolation keeps the range, and about the mean.
    assert y.max() == 1.0
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), x.mean(axis=(1, 2, 3)), atol=0.03)
    np.testing.assert_array_equal(digits.resized(8, 8, 17).array("test"), digits.array("test"))
    with pytest.raises(ValueError, match="`resized` needs images in levels"):
        data.load("two_moons").resized(2, 2, 4)


def test_dequantized_levels_lie_above_their_level_by_uniform_noise(digits):
    real = digits.dequantized(seed=1)
    assert (real.levels, real.event_shape) == (None, (64,))
    levels = digits.array("train").reshape(-1, 64)
    noise = real.array("train") - levels
    np.testing.assert_array_equal(np.floor(real.array("train")), levels)
    assert noise.mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / noise.size))
    assert noise.var() == pytest.approx(1 / 12, rel=0.02)
    np.testing.assert_array_equal(real.array("train"), digits.dequantized(seed=1).array("train"))
    assert np.any(real.array("train") != digits.dequantized(seed=2).array("train"))
    with pytest.raises(ValueError, match="`dequantized` needs levels"):
        real.dequantized()
