"""Data sets made of others: some of the classes, other examples, other sizes."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import data, seeds
from keras_gen.data.splits import Source, Splits
from keras_gen.spaces import ClassLabel, Levels, Reals


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


def test_spaces_follow_the_examples(digits):
    label = {"condition": ClassLabel(10)}
    assert digits.binarized("static").spaces == {"x": Levels((8, 8, 1), 2), **label}
    assert digits.binarized("dynamic").spaces == {"x": Levels((8, 8, 1), 2), **label}
    assert digits.cropped(4, 6).spaces == {"x": Levels((4, 6, 1), 17), **label}
    assert digits.resized(4, 4, 300).spaces == {"x": Levels((4, 4, 1), 300), **label}
    assert data.dequantized(digits).spaces == {"x": Reals((64,)), **label}
    assert digits.unlabelled().spaces == digits.selected(lambda labels: labels < 3).spaces == {"x": digits.event_space}


@pytest.fixture
def pairs():
    """A set of sources and targets that are their negatives, and two numbers that tell which pair it is."""
    spaces = {"source": Reals((3,)), "target": Reals((3,)), "numbers": Levels((2,), 100)}
    sources = {}
    for split, first, num in (("train", 0, 20), ("validation", 20, 5), ("test", 25, 7)):
        numbers = np.arange(first, first + num)
        source = np.random.default_rng(first).normal(size=(num, 3)).astype(np.float32)
        sources[split] = Source.from_columns(
            {"source": source, "target": -source, "numbers": np.stack([numbers, 99 - numbers], axis=1)}
        )
    return Splits("pairs", spaces, "none", batch_size=4, seed=1, sources=sources)


def test_columns_of_other_names_come_as_dicts(pairs):
    seen = []
    for batch in pairs.train_from(0).take(pairs.steps_per_epoch):
        assert batch.keys() == {"source", "target", "numbers"}
        np.testing.assert_array_equal(batch["target"], -batch["source"])
        np.testing.assert_array_equal(batch["source"], pairs.array("train", "source")[batch["numbers"][:, 0]])
        seen.extend(batch["numbers"][:, 0].numpy())
    assert sorted(seen) == list(range(20))
    last = list(pairs.test)[-1]
    assert last["source"].shape == (3, 3)
    np.testing.assert_array_equal(last["numbers"], [[29, 70], [30, 69], [31, 68]])
    assert pairs.labels("test") is None
    with pytest.raises(ValueError, match="pairs has no column `x`; it has source, target, numbers"):
        _ = pairs.event_shape
    assert pairs.description()["columns"]["numbers"] == {"event_shape": [2], "levels": 100}


def test_examples_are_columns_by_name_and_start_again(digits, pairs):
    found = pairs.examples("validation", 7)
    np.testing.assert_array_equal(found["numbers"][:, 0], [20, 21, 22, 23, 24, 20, 21])
    np.testing.assert_array_equal(found["target"][5:], found["target"][:2])
    found = digits.examples("test", 3)
    np.testing.assert_array_equal(found["x"], digits.array("test")[:3])
    np.testing.assert_array_equal(found["condition"], digits.labels("test")[:3])
    assert digits.unlabelled().examples("test", 3).keys() == {"x"}


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
    dynamic = digits.binarized("dynamic")
    for x, (same, _) in zip(dynamic.unlabelled().test, dynamic.test, strict=True):
        np.testing.assert_array_equal(x, same)


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
    real = data.dequantized(digits, seed=1)
    assert (real.levels, real.event_shape) == (None, (64,))
    levels = digits.array("train").reshape(-1, 64)
    noise = real.array("train") - levels
    np.testing.assert_array_equal(np.floor(real.array("train")), levels)
    assert noise.mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / noise.size))
    assert noise.var() == pytest.approx(1 / 12, rel=0.02)
    np.testing.assert_array_equal(real.array("train"), data.dequantized(digits, seed=1).array("train"))
    assert np.any(real.array("train") != data.dequantized(digits, seed=2).array("train"))


@pytest.mark.parametrize(("steps", "error"), [(0, ValueError), (-3, ValueError), (1.5, TypeError)])
def test_epochs_have_at_least_one_step(digits, steps, error):
    assert digits.in_epochs_of(None).steps_per_epoch == digits.steps_per_pass
    assert digits.in_epochs_of(3).steps_per_epoch == 3
    with pytest.raises(error, match="`steps_per_epoch` must be"):
        digits.in_epochs_of(steps)


def test_rows_are_drawn_without_those_before_them():
    seed = tf.constant([5, -7])
    whole = seeds.uniform((11, 3, 5), seed)
    for start in range(11):
        found = seeds.uniform_rows((11 - start, 3, 5), seed, start)
        np.testing.assert_array_equal(found, whole[start:])


def set_of(kind: str, digits):
    """Returns a set whose batches depend on random numbers, in the order of its rows."""
    if kind == "augmented":
        return data.augmented(digits, "x", enlargement=1.5)
    if kind == "few labels":
        return data.few_labels(digits, 20, 3)
    if kind == "captions":
        return data.captioned(digits, placed=False)
    parts = {"a": digits.unlabelled(), "b": digits.selected(lambda labels: labels < 2)}
    return data.augmented(data.UnpairedSplits.of(parts, batch_size=7, seed=2), "a", enlargement=1.5)


@pytest.mark.parametrize("kind", ["augmented", "few labels", "captions", "unpaired"])
def test_shares_of_replicas_are_the_rows_of_a_batch(kind):
    splits = set_of(kind, data.load("digits", labels=True, batch_size=7, seed=2))
    contexts = [tf.distribute.InputContext(3, worker, 3) for worker in range(3)]
    for whole, shares in (
        (splits.train_from(1, 2), [splits.train_shares(1, 2, context) for context in contexts]),
        (splits.test, [splits.shares("test", context) for context in contexts]),
    ):
        batches = [list(dataset.take(3).as_numpy_iterator()) for dataset in (whole, *shares)]
        for batch, *parts in zip(*batches, strict=True):
            columns = zip(*map(tf.nest.flatten, parts), strict=True)
            for column, of_replicas in zip(tf.nest.flatten(batch), columns, strict=True):
                assert [len(rows) for rows in of_replicas] == [2, 2, 3]
                np.testing.assert_array_equal(np.concatenate(of_replicas), column)
