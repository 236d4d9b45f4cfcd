"""What recipes of captioned images share: the data, and the judgement of what was drawn."""

import numpy as np
import pytest

from keras_gen import training
from keras_gen.training.captions import SENTENCES


@pytest.fixture(scope="module")
def splits():
    return training.CaptionedImages("digits", held_out=("a thick three",)).load(batch_size=50, seed=0)


def test_real_images_are_all_as_asked(splits):
    """Drawing each caption's own image: nothing but the classifier can be wrong, and the distance is that of a copy."""
    num = splits.size("test")
    columns = splits.examples("test", num)
    captions = [caption.decode() for caption in columns["condition"].numpy()]
    asked = []

    def draw(given, seed):
        asked.extend(given)
        return columns["x"].numpy()

    found = training.judged_captions(draw, splits, "test", num_samples=10_000, seed=3)
    assert asked == captions
    assert found["num_captions"] == num > 100
    for name in splits.limits:
        assert found.get(f"{name} as asked", 1.0) == 1.0
    assert found["digit recognised"] == found["digit recognised of real images"] == found["all as asked"] > 0.5
    assert abs(found["frechet_distance"]) < 1e-3


def test_few_images_have_no_distances(splits):
    num = splits.size("zero_shot")
    assert 0 < num < 100
    x = splits.examples("zero_shot", num)["x"].numpy()
    found = training.judged_captions(lambda captions, seed: x, splits, "zero_shot", num_samples=100, seed=0)
    assert found["thickness as asked"] == 1.0
    assert "frechet_distance" not in found


def test_the_picture_shows_each_sentence(splits):
    drawn = []

    def draw(captions, seed):
        drawn.append(captions)
        return np.zeros((len(captions), 8, 8, 1), np.float32)

    training.sentences_picture(draw, splits, seed=0, num_columns=3)
    assert drawn == [[sentence] * 3 for sentence in SENTENCES]
