"""Corruptions, trivial baselines, and the quality of restored images."""

import math

import numpy as np
import pytest

from keras_gen.evaluation import restoration


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).integers(0, 256, (20, 16, 12, 3)).astype(np.uint8)


def test_the_psnr_is_that_of_a_known_error():
    clean = np.full((4, 12, 12, 1), 100.0)
    errors = np.array([1.0, 10.0, 10.0, 20.0])
    found = restoration.quality(clean, {"shifted": clean + errors[:, np.newaxis, np.newaxis, np.newaxis]}, 256)
    psnr = 20.0 * np.log10(255.0 / errors)
    assert found["shifted"]["psnr"] == pytest.approx(psnr.mean(), rel=1e-6)
    assert found["shifted"]["psnr_standard_error"] == pytest.approx(psnr.std(ddof=1) / 2.0, rel=1e-5)


def test_a_perfect_image_is_not_infinite(x):
    found = restoration.quality(x, {"itself": x}, 256)["itself"]
    assert found == {"psnr": 100.0, "psnr_standard_error": 0.0, "ssim": 1.0, "ssim_standard_error": 0.0}


def test_the_similarity_of_flat_images_is_that_of_their_means():
    # Without any variance, only the luminance term (2 a b + c) / (a² + b² + c) is left, with c = (0.01 · 255)².
    clean = np.full((2, 8, 8, 1), 50.0)
    c = 2.55**2
    expected = (2 * 50 * 80 + c) / (50**2 + 80**2 + c)
    found = restoration.quality(clean, {"brighter": clean + 30.0}, 256)["brighter"]
    assert found["ssim"] == pytest.approx(expected, rel=1e-4)


def test_all_batches_count(x, monkeypatch):
    noisy = restoration.gaussian_noise(x, 30.0, 256, seed=0)
    whole = restoration.quality(x, {"noisy": noisy}, 256)["noisy"]
    monkeypatch.setattr(restoration, "BATCH_SIZE", 7)
    parts = restoration.quality(x, {"noisy": noisy}, 256)["noisy"]
    assert parts == pytest.approx(whole, rel=1e-6)


def test_normal_noise_has_its_scale_and_stays_in_the_levels():
    middle = np.full((50, 16, 16, 1), 128, np.uint8)
    noisy = restoration.gaussian_noise(middle, 10.0, 256, seed=0)
    assert noisy.dtype == np.uint8
    error = noisy.astype(float) - 128
    assert error.mean() == pytest.approx(0.0, abs=4 * 10 / math.sqrt(error.size))
    # Rounding adds the variance of a uniform distribution over a level.
    assert error.var() == pytest.approx(100 + 1 / 12, rel=4 * math.sqrt(2 / error.size))
    dark = restoration.gaussian_noise(0 * middle, 10.0, 256, seed=0)
    assert dark.min() == 0
    assert (dark == 0).mean() == pytest.approx(0.52, abs=0.02)
    np.testing.assert_array_equal(noisy, restoration.gaussian_noise(middle, 10.0, 256, seed=0))
    assert np.any(noisy != restoration.gaussian_noise(middle, 10.0, 256, seed=1))


def test_salt_and_pepper_has_its_rate_in_all_channels_of_a_pixel():
    middle = np.full((50, 16, 16, 3), 4, np.uint8)
    noisy = restoration.salt_and_pepper(middle, 0.3, 10, seed=0)
    np.testing.assert_array_equal(noisy, noisy[..., :1].repeat(3, axis=-1))
    shares = np.bincount(noisy[..., 0].ravel(), minlength=10) / noisy[..., 0].size
    np.testing.assert_allclose(shares[[0, 4, 9]], [0.15, 0.7, 0.15], atol=4 * math.sqrt(0.2 / 12_800))
    assert shares[[0, 4, 9]].sum() == 1.0


def test_a_block_is_missing_and_the_rest_as_before(x):
    centred, mask = restoration.masked_block(x, 4, 6)
    assert mask.shape == x.shape
    np.testing.assert_array_equal(np.argwhere(mask[0, :, :, 0])[[0, -1]], [[6, 3], [9, 8]])
    assert np.all(centred[mask] == 0)
    np.testing.assert_array_equal(centred[~mask], x[~mask])

    _, masks = restoration.masked_block(np.repeat(x, 100, axis=0), 15, 11, seed=0)
    assert np.all(masks.sum(axis=(1, 2, 3)) == 15 * 11 * 3)
    # All four places that the block has room for are taken about equally often.
    places = masks[:, 0, 0, 0].astype(int) * 2 + masks[:, 0, -1, 0] + 3 * (masks[:, -1, 0, 0])
    assert len(np.unique(places)) == 4
    assert np.all(np.unique(places, return_counts=True)[1] > 400)


def test_downsampling_takes_means_and_keeps_the_mean(x):
    small = restoration.downsampled(x, 4, whole=False)
    assert small.shape == (20, 4, 3, 3)
    assert small[3, 1, 2, 0] == pytest.approx(x[3, 4:8, 8:12, 0].mean())
    np.testing.assert_allclose(small.mean(axis=(1, 2)), x.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(restoration.downsampled(x, 4), np.round(small).astype(np.uint8))


def test_the_mean_fills_the_hole_alone(x):
    corrupted, mask = restoration.masked_block(x, 5, 5, seed=0)
    filled = restoration.filled_with_mean(corrupted, mask, x[:10])
    np.testing.assert_array_equal(filled[~mask], x[~mask])
    mean = np.broadcast_to(x[:10].astype(float).mean(axis=0), x.shape)
    np.testing.assert_allclose(filled[mask], mean[mask], rtol=1e-6)


def test_bicubic_enlargement_continues_a_ramp():
    ramp = np.broadcast_to(10.0 * np.arange(16)[:, np.newaxis, np.newaxis], (1, 16, 16, 1))
    large = restoration.enlarged(ramp, 2, 256)
    assert large.shape == (1, 32, 32, 1)
    # Away from the borders, pixels lie a quarter of a pixel before and after the old centres.
    np.testing.assert_allclose(large[0, 6:-6, 7, 0], 10.0 * (np.arange(6, 26) / 2 - 0.25), atol=1e-3)
    steep = restoration.enlarged(np.where(ramp > 80, 255, 0), 2, 256)
    assert steep.min() == 0.0
    assert steep.max() == 255.0


def test_a_picture_has_a_row_for_each_name(x):
    small = restoration.downsampled(x, 4)
    rows = {"clean": x, "corrupted": small, "baseline": restoration.enlarged(small, 4, 256)}
    three = restoration.before_after(rows, 256, num=5)
    one = restoration.before_after({"clean": x}, 256, num=5)
    assert three.height > 2.5 * one.height
    assert np.asarray(three).std() > 0


def test_mistakes_get_a_sentence(x):
    with pytest.raises(ValueError, match=r"`restored` must have the shape of the clean images, \(20, 16, 12, 3\)"):
        restoration.quality(x, {"restored": x[:5]}, 256)
    with pytest.raises(ValueError, match=r"`factor` must divide height and width, \(16, 12\); received 5"):
        restoration.downsampled(x, 5)
    with pytest.raises(ValueError, match=r"`x` must have shape \(num, height, width, channels\), received \(20, 16\)"):
        restoration.salt_and_pepper(x[:, :, 0, 0], 0.1, 256, seed=0)
    with pytest.raises(ValueError, match=r"`rate` must be from 0 to 1, received 1\.5"):
        restoration.salt_and_pepper(x, 1.5, 256, seed=0)
    with pytest.raises(ValueError, match=r"`height` and `width` must be at most \(16, 12\), received \(17, 2\)"):
        restoration.masked_block(x, 17, 2)
