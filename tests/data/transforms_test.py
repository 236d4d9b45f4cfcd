"""Few labels: which examples keep theirs, and where a batch has them; and noise for rounded numbers."""

import dataclasses

import numpy as np
import pytest

from keras_gen import data
from keras_gen.data.splits import Source
from keras_gen.spaces import ClassLabel, Levels, Reals


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", batch_size=50, seed=3, labels=True)


def test_batches_have_as_many_labelled_examples_as_asked_for(digits):
    few = data.few_labels(digits, 30, 20)
    of = {
        image.tobytes(): int(label) for image, label in zip(digits.array("train"), digits.labels("train"), strict=True)
    }
    labelled, unlabelled = {}, set()
    for images, labels in few.train.as_numpy_iterator():
        assert images.shape == (50, 8, 8, 1)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels >= 0, np.arange(50) < 20)
        np.testing.assert_array_equal(labels[20:], -1)
        for image, label in zip(images[:20], labels, strict=False):
            labelled[image.tobytes()] = label
        unlabelled.update(image.tobytes() for image in images[20:])
    assert all(of[image] == label for image, label in labelled.items())
    assert np.unique(list(labelled.values()), return_counts=True)[1].tolist() == [3] * 10
    assert len(unlabelled) > 15 * len(labelled)
    # The labels are as one array, too.
    assert np.sum(few.labels("train") >= 0) == 30
    assert {few.array("train")[place].tobytes() for place in np.flatnonzero(few.labels("train") >= 0)} == set(labelled)
    assert few.spaces == {"x": Levels((8, 8, 1), 17), "condition": ClassLabel(10, unknown=True)}


def test_an_epoch_goes_through_every_example_without_a_label_once():
    """And through the labelled ones evenly, in an order that changes."""
    x = np.arange(60)[:, np.newaxis].astype(np.float32)
    whole = data.load("digits", batch_size=12, seed=3, labels=True)
    labels = (np.arange(60) % 10).astype(np.int32)
    sources = {"train": Source.from_columns({"x": x, "condition": labels})}
    spaces = {"x": Reals((1,)), "condition": whole.spaces["condition"]}
    few = data.few_labels(dataclasses.replace(whole, spaces=spaces, sources=sources), 10, 4)
    assert few.steps_per_epoch == 60 // 8
    epochs = few.train_from(0).take(3 * few.steps_per_epoch).as_numpy_iterator()
    rows = [batch[0][:, 0].astype(int) for batch in epochs]
    unlabelled = np.reshape([row[4:] for row in rows], (3, -1))
    assert all(len(set(epoch)) == few.steps_per_epoch * 8 for epoch in unlabelled)
    assert not np.array_equal(unlabelled[0], unlabelled[1])
    labelled = np.concatenate([row[:4] for row in rows])
    passes = labelled[: len(labelled) // 10 * 10].reshape(-1, 10)
    assert all(set(each) == set(few.kept) for each in passes)
    assert len({tuple(each) for each in passes}) == len(passes)


def test_the_seed_chooses_the_examples_and_resuming_finds_the_same_batches(digits):
    few = [data.few_labels(digits, 10, 20), data.few_labels(digits, 10, 20)]
    for ours, theirs in zip(*(splits.train_from(2).take(2).as_numpy_iterator() for splits in few), strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    other = data.few_labels(data.load("digits", batch_size=50, seed=4, labels=True), 10, 20)
    chosen = [{x.tobytes() for x in next(iter(splits.train_from(0)))[0].numpy()[:20]} for splits in (few[0], other)]
    assert chosen[0] != chosen[1]


def test_test_data_keep_their_labels(digits):
    few = data.few_labels(digits, 10, 20)
    for (ours, labels), (theirs, same) in zip(
        few.test.as_numpy_iterator(), digits.test.as_numpy_iterator(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(labels, same)
        assert np.all(labels >= 0)


@pytest.mark.parametrize(
    ("num_labels", "per_batch", "sentence"),
    [
        (15, 20, "`num_labels` must be a multiple of the 10 classes, received 15"),
        (10_000, 20, "`num_labels` must leave each class enough examples, received 10000"),
        (10, 50, "`per_batch` must be below the batch size 50, received 50"),
        (10, 0, "`per_batch` must be at least 1, received 0"),
    ],
)
def test_wrong_numbers(digits, num_labels, per_batch, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.few_labels(digits, num_labels, per_batch)


def test_labels_are_needed():
    with pytest.raises(ValueError, match="`splits` must have labels: load digits with `labels=True`"):
        data.few_labels(data.load("digits"), 10, 5)


def test_noise_is_as_wide_as_the_smallest_step_of_a_column(tmp_path):
    random = np.random.default_rng(0)
    values = np.stack([random.integers(0, 5, 2000) / 4.0, 100.0 * random.integers(0, 2, 2000)], axis=1)
    np.savetxt(tmp_path / "set.csv", values, delimiter=",")
    splits = data.load(str(tmp_path / "set.csv"), batch_size=50)
    noisy = data.dequantized(splits)
    assert noisy.name == f"{splits.name}-dequantized"
    for split in ("train", "validation", "test"):
        noise = (noisy.array(split) - splits.array(split)) / (0.25, 100.0)
        assert 0.0 <= noise.min() < 0.01
        assert 0.99 < noise.max() < 1.0 + 1e-5
        np.testing.assert_allclose(noise.mean(axis=0), 0.5, atol=4.0 / np.sqrt(12 * len(noise)))
    np.testing.assert_array_equal(data.dequantized(splits).array("train"), noisy.array("train"))
    with pytest.raises(ValueError, match=r"^`splits` must hold levels or real vectors in memory; tones does not\.$"):
        data.dequantized(data.load("tones"))
