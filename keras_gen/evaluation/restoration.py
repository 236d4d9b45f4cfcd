"""Restoration of images: corruptions, trivial baselines, and how close a restored image is to the clean one.

Images have shape `(num, height, width, channels)` and levels `0..levels-1`; restored ones need not be integers.

```python
noisy = restoration.gaussian_noise(x_test, 60.0, 256, seed=0)
restored = model.reconstruct(noisy).numpy()
restoration.quality(x_test, {"corrupted": noisy, "restored": restored}, 256)
restoration.before_after({"clean": x_test, "corrupted": noisy, "restored": restored}, 256).save("denoised.png")
```
"""

import math
from collections.abc import Mapping

import numpy as np
import PIL.Image
import tensorflow as tf

from keras_gen import checks
from keras_gen.evaluation.likelihood import standard_error
from keras_gen.pictures import labelled_rows
from keras_gen.spaces import Levels

#: Peak signal-to-noise ratio, in decibels, assigned to an image restored without any error.
MAX_PSNR = 100.0

#: Number of images that are compared at once.
BATCH_SIZE = 500


# Corruptions


def gaussian_noise(x, scale: float, levels: int, *, seed: int) -> np.ndarray:
    """Adds normal noise to each entry and rounds to the nearest level.

    Args:
        x: images in levels.
        scale: standard deviation of the noise, in levels.
        levels: number of levels of an entry.
        seed: integer; the same seed gives the same noise.

    Returns:
        Integer levels, of the shape and dtype of `x`.
    """
    x = images("x", x)
    checks.not_negative("scale", scale)
    noisy = x + scale * np.random.default_rng(seed).standard_normal(x.shape)
    return np.clip(np.round(noisy), 0, checks.levels(levels) - 1).astype(x.dtype)


def salt_and_pepper(x, rate: float, levels: int, *, seed: int) -> np.ndarray:
    """Makes some pixels black or white in all their channels.

    Args:
        x: images in levels.
        rate: probability that a pixel becomes black or white, both equally likely.
        levels: number of levels of an entry.
        seed: integer; the same seed changes the same pixels.

    Returns:
        Array of the shape and dtype of `x`.
    """
    x = images("x", x)
    checks.share("rate", rate)
    u = np.random.default_rng(seed).random((*x.shape[:3], 1))
    ends = np.where(u < rate / 2.0, 0, checks.levels(levels) - 1)
    return np.where(u < rate, ends, x).astype(x.dtype)


def masked_block(x, height: int, width: int, *, seed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Makes a block of each image black.

    Args:
        x: images in levels.
        height: rows of the block.
        width: columns of the block.
        seed: integer that determines the position of the block in each image; None puts it in the centre.

    Returns:
        The images, of the shape and dtype of `x`, and a mask of the same shape: True where an entry is missing, as
        expected by `impute`.
    """
    x = images("x", x)
    room = np.array(x.shape[1:3]) - (checks.positive_int("height", height), checks.positive_int("width", width))
    if np.any(room < 0):
        raise ValueError(f"`height` and `width` must be at most {x.shape[1:3]}, received {(height, width)}.")
    corner = np.tile(room // 2, (len(x), 1))
    if seed is not None:
        corner = np.random.default_rng(seed).integers(0, room + 1, (len(x), 2))
    top, left = corner.T[:, :, np.newaxis, np.newaxis]
    row, column = np.arange(x.shape[1])[:, np.newaxis], np.arange(x.shape[2])
    hole = (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
    mask = np.broadcast_to(hole[..., np.newaxis], x.shape)
    return np.where(mask, 0, x).astype(x.dtype), mask.copy()


def downsampled(x, factor: int, *, whole: bool = True) -> np.ndarray:
    """Makes images smaller: each pixel is the mean of a square of pixels.

    Args:
        x: images in levels.
        factor: side of the square; it divides height and width.
        whole: whether to round to the nearest level and return the dtype of `x`; otherwise float32.

    Returns:
        Array of shape `(num, height / factor, width / factor, channels)`.
    """
    x = images("x", x)
    num, height, width, channels = x.shape
    if height % checks.positive_int("factor", factor) or width % factor:
        raise ValueError(f"`factor` must divide height and width, {(height, width)}; received {factor}.")
    squares = x.reshape(num, height // factor, factor, width // factor, factor, channels)
    means = squares.mean(axis=(2, 4), dtype=np.float64)
    return np.round(means).astype(x.dtype) if whole else means.astype(np.float32)


# Baselines


def filled_with_mean(corrupted, mask, train) -> np.ndarray:
    """Fills the hole in each image with the mean of the training images there.

    Args:
        corrupted: images in levels, of shape `(num, height, width, channels)`.
        mask: True where an entry is missing, of the same shape.
        train: training images.

    Returns:
        float32 array of the shape of `corrupted`.
    """
    mean = images("train", train).mean(axis=0, dtype=np.float64)
    return np.where(mask, mean, images("corrupted", corrupted)).astype(np.float32)


def enlarged(x, factor: int, levels: int) -> np.ndarray:
    """Enlarges images by bicubic interpolation.

    Args:
        x: images in levels.
        factor: factor by which height and width become larger.
        levels: number of levels of an entry.

    Returns:
        float32 array of shape `(num, height · factor, width · factor, channels)`, from 0 to `levels - 1`.
    """
    x = images("x", x)
    size = np.array(x.shape[1:3]) * checks.positive_int("factor", factor)
    large = tf.image.resize(x, size, method="bicubic")
    return np.clip(large.numpy(), 0.0, checks.levels(levels) - 1.0)


# Quality


def quality(clean, restored: Mapping[str, np.ndarray], levels: int) -> dict[str, dict[str, float]]:
    """Compares restored images, and baselines such as the corrupted images themselves, with clean ones.

    Args:
        clean: images in levels, of shape `(num, height, width, channels)`.
        restored: images of the same shape, by name.
        levels: number of levels of an entry.

    Returns:
        For each name: the mean over images of "psnr", the peak signal-to-noise ratio in decibels, of "ssim", the
        structural similarity, at most 1, and the "psnr_standard_error" and "ssim_standard_error" of these means. An
        image without any error counts as 100 dB. Windows of the similarity have 11×11 pixels or, in smaller images, the
        size of the shorter side.

    Raises:
        ValueError: if the images are not as described.
    """
    clean = images("clean", clean)
    found = {}
    for name, x in restored.items():
        x = images(name, x)
        if x.shape != clean.shape:
            raise ValueError(f"`{name}` must have the shape of the clean images, {clean.shape}, received {x.shape}.")
        psnr, ssim = compared(clean, x, checks.levels(levels) - 1.0)
        found[name] = {
            "psnr": float(psnr.mean()),
            "psnr_standard_error": standard_error(psnr),
            "ssim": float(ssim.mean()),
            "ssim_standard_error": standard_error(ssim),
        }
    return found


def compared(clean: np.ndarray, x: np.ndarray, highest: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the peak signal-to-noise ratio and the structural similarity of each image, as float64."""
    window = min(11, *clean.shape[1:3])
    parts = []
    for start in range(0, len(clean), BATCH_SIZE):
        pair = [tf.cast(part[start : start + BATCH_SIZE], tf.float32) for part in (clean, x)]
        psnr = tf.minimum(tf.image.psnr(*pair, max_val=highest), MAX_PSNR)
        parts.append((psnr, tf.image.ssim(*pair, max_val=highest, filter_size=window)))
    psnr, ssim = (np.concatenate(values).astype(np.float64) for values in zip(*parts, strict=True))
    return psnr, ssim


def before_after(rows: Mapping[str, np.ndarray], levels: int, *, num: int = 10) -> PIL.Image.Image:
    """Draws the first few images before and after corruption, restored, and by a baseline.

    Args:
        rows: name to images, from top to bottom; smaller ones are enlarged to the size of the first row, with each
            pixel as a square.
        levels: number of levels of an entry.
        num: number of images.

    Returns:
        A picture with one row per name.
    """
    rows = {name: images(name, x)[:num] for name, x in rows.items()}
    height = next(iter(rows.values())).shape[1]
    same_size = {}
    for name, x in rows.items():
        factor = math.ceil(height / x.shape[1])
        same_size[name] = x.repeat(factor, axis=1).repeat(factor, axis=2)
    return labelled_rows(same_size, Levels(next(iter(same_size.values())).shape[1:], levels))


def images(name: str, x) -> np.ndarray:
    """Returns images as an array, or raises ValueError if they do not have the shape of images."""
    x = np.asarray(x)
    if x.ndim != 4 or not len(x):
        raise ValueError(f"`{name}` must have shape (num, height, width, channels), received {x.shape}.")
    return x
