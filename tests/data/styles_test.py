"""Styled images: ink, background and strokes are what the attributes say."""

import numpy as np
import pytest

from keras_gen import data
from keras_gen.data.styles import in_style
from keras_gen.spaces import Attributes, ClassLabel, Levels


def test_ink_background_and_strokes_follow_the_attributes():
    ink = np.zeros((8, 28, 28, 1), np.float32)
    ink[:, 14, 5:20] = 1.0
    ink[:, 3, 3] = 0.5
    attributes = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    drawn = in_style(ink, attributes)
    assert drawn.shape == (8, 28, 28, 3)
    for image, (red, light, thick) in zip(drawn, attributes, strict=True):
        colour, background = ((20, 40, 140), (140, 20, 30))[red], ((160, 200, 170), (245, 240, 225))[light]
        np.testing.assert_array_equal(image[14, 10], colour)
        assert np.all(image[14, 10] < drawn[:, 25, 25])
        np.testing.assert_array_equal(image[25, 25], background)
        np.testing.assert_array_equal(image[3, 3], np.round((np.add(colour, background)) / 2))
        # A stroke of one pixel becomes one of three.
        coloured = [row for row in range(8, 28) if np.array_equal(image[row, 10], colour)]
        assert coloured == ([13, 14, 15] if thick else [14])


def test_styled_sets_have_the_same_images_whatever_their_condition():
    grey = data.load("digits", labels=True)
    by_attributes, by_domain, by_label = (data.styled(grey, name) for name in ("attributes", "domain", "label"))
    assert by_attributes.spaces == {"x": Levels((8, 8, 3), 256), "condition": Attributes(3)}
    assert by_domain.spaces["condition"] == ClassLabel(8)
    for split in ("train", "test"):
        x, attributes = by_attributes.array(split), by_attributes.labels(split)
        for other in (by_domain, by_label):
            np.testing.assert_array_equal(other.array(split), x)
        np.testing.assert_array_equal(by_domain.labels(split), attributes @ [4, 2, 1])
        np.testing.assert_array_equal(by_label.labels(split), grey.labels(split))
        np.testing.assert_array_equal(x, in_style(grey.array(split) / np.float32(16.0), attributes))
        # All styles are equally frequent, to four standard errors.
        share = np.bincount(by_domain.labels(split), minlength=8) / len(x)
        assert np.all(abs(share - 1 / 8) < 4.0 * (7 / 64 / len(x)) ** 0.5)
    assert np.any(data.styled(grey, seed=1).labels("train") != by_attributes.labels("train"))
    with pytest.raises(ValueError, match="`condition` 'label' is unknown"):
        data.styled(data.load("digits"), "label")
    with pytest.raises(ValueError, match="`splits` must hold grey images; two_moons has"):
        data.styled(data.load("two_moons"))
