"""Agreement of images and captions: real images have all of it, and wrong captions tell."""

import numpy as np
import pytest

from keras_gen import data, evaluation
from keras_gen.data.strokes import measured

LIMITS = {"thickness": (3.0, 5.0), "slant": (-8.0, 8.0), "horizontal": (-3.0, 3.0)}


class EveryImageIsAFour:
    """In place of a trained classifier."""

    def predict(self, x, **options):
        assert x.shape[1:] == (28, 28, 1)
        assert x.dtype == np.uint8
        return np.eye(10)[np.full(len(x), 4)]


def bars(widths, left):
    x = np.zeros((len(widths), 20, 24, 1), np.uint8)
    for image, width, start in zip(x, widths, left, strict=True):
        image[3:17, start : start + width] = 16
    return x


def agreement(x, captions, limits=LIMITS):
    return evaluation.caption_agreement(x, captions, limits, 17, classifier=EveryImageIsAFour())


def test_figures_are_shares_of_the_captions_that_ask():
    # A thin bar on the left, a thick one on the right, a thin one in the middle, and nothing at all.
    x = bars([2, 6, 2, 0], [1, 16, 11, 0])
    captions = ["a thin four on the left", "a thick upright 4 on the left", "the thick digit five", "four, upright"]
    assert agreement(x, captions) == {
        "digit recognised": 3 / 4,
        "thickness as asked": 2 / 3,
        "slant as asked": 1 / 2,
        "horizontal as asked": 1 / 2,
        "all as asked": 1 / 4,
        "num_captions": 4,
    }


def test_what_no_caption_asks_for_has_no_figure():
    assert agreement(bars([2], [1]), ["a four"]) == {"digit recognised": 1.0, "all as asked": 1.0, "num_captions": 1}


def test_real_images_are_as_their_captions_ask():
    splits = data.captioned(data.load("digits", labels=True))
    captions = splits.array("test", "condition")[:, 0]
    found = agreement(splits.array("test"), captions, splits.limits)
    assert all(value == 1.0 for name, value in found.items() if name.endswith("as asked") and name != "all as asked")
    assert len([name for name in found if name.endswith("as asked")]) == 6
    wrong = agreement(splits.array("test"), np.roll(captions, 1), splits.limits)
    assert wrong["thickness as asked"] < 0.8


def test_the_classifier_of_the_package_recognises_digits_anywhere():
    """Digits of 8×8 pixels, enlarged and then placed at random."""
    splits = data.load("digits", labels=True).resized(28, 28, 256)
    placed = data.captioned(splits)
    x, captions = placed.array("test"), placed.array("test", "condition")[:, 0]
    assert np.ptp(measured(x[..., 0] / 255.0)["horizontal"]) > 8.0
    found = evaluation.caption_agreement(x, captions, placed.limits)
    assert found["digit recognised"] > 0.75


def test_wrong_images():
    with pytest.raises(
        ValueError, match=r"`x` must hold a grey image .* for each of 2 captions, received shape \(1, 20"
    ):
        agreement(bars([2], [1]), ["four", "five"])
