"""Unpaired sets: passes of several lengths, exact on resume, and where the images come from."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen import data
from keras_gen.data import UnpairedSplits
from keras_gen.data.splits import Source, Splits
from keras_gen.spaces import Levels


def numbers(name, num, first=0):
    """A set whose examples are whole numbers."""
    sources = {
        split: Source.from_columns({"x": (first + np.arange(size, dtype=np.int32))[:, np.newaxis]})
        for split, size in (("train", num), ("validation", 3), ("test", num // 2))
    }
    return Splits(name, {"x": Levels((1,), 100)}, "none", 1, 0, sources)


@pytest.fixture(scope="module")
def splits():
    return UnpairedSplits.of({"a": numbers("long", 11), "b": numbers("short", 4, first=50)}, batch_size=3, seed=1)


def drawn(splits, epoch, num):
    """Returns what the columns hold in some batches from the start of an epoch on."""
    batches = list(splits.train_from(epoch).take(num).as_numpy_iterator())
    return {name: np.concatenate([batch[name][:, 0] for batch in batches]) for name in ("a", "b")}


def test_each_column_is_shuffled_in_passes_of_its_own(splits):
    """An epoch is a pass over the longer set; what it leaves out comes at once in the next one."""
    assert splits.steps_per_epoch == 3
    assert splits.spaces == {"a": Levels((1,), 100), "b": Levels((1,), 100)}
    found = drawn(splits, 0, 44)
    for name, size, first in (("a", 11, 0), ("b", 4, 50)):
        passes = found[name].reshape(-1, size)
        np.testing.assert_array_equal(np.sort(passes), np.tile(first + np.arange(size), (len(passes), 1)))
        assert len(np.unique(passes, axis=0)) > len(passes) // 2
    # All pairs occur: nothing of one column tells what stands beside it.
    pairs = drawn(splits, 0, 400)
    assert len(set(zip(pairs["a"], pairs["b"], strict=True))) == 44


def test_batches_follow_the_seed_and_resume_exactly(splits):
    found = drawn(splits, 0, 12)
    for epoch in (1, 3):
        resumed = drawn(splits, epoch, 3)
        for name in ("a", "b"):
            np.testing.assert_array_equal(resumed[name], found[name][9 * epoch : 9 * epoch + 9])
    other = UnpairedSplits.of(splits.parts, batch_size=3, seed=2)
    assert np.any(drawn(other, 0, 12)["a"] != found["a"])


def test_held_out_examples_come_in_order(splits):
    batches = [
        {name: column[:, 0].tolist() for name, column in batch.items()} for batch in splits.test.as_numpy_iterator()
    ]
    assert batches == [{"a": [0, 1, 2], "b": [50, 51, 50]}, {"a": [3, 4], "b": [51, 50]}]
    np.testing.assert_array_equal(splits.array("test", "b")[:, 0], [50, 51])
    assert splits.description()["num_examples_of_columns"]["train"] == {"a": 11, "b": 4}


def test_shards_hold_different_examples():
    array = np.arange(40, dtype=np.uint8).reshape(10, 2, 2, 1)
    shards = [data.load_unpaired(array, array[:5], shard=(index, 2)) for index in range(2)]
    assert [len(splits.array("train", "a")) for splits in shards] == [4, 4]
    assert not set(shards[0].array("train", "a").ravel()) & set(shards[1].array("train", "a").ravel())


def test_sets_of_every_kind(tmp_path):
    """A built-in set, an array, a file and a folder, all brought to one size."""
    red = np.zeros((6, 5, 6, 3), np.uint8)
    red[..., 0] = 200
    np.savez(tmp_path / "red.npz", train=red)
    (tmp_path / "folder").mkdir()
    for number, image in enumerate(red):
        tf.io.write_file(str(tmp_path / "folder" / f"{number}.png"), tf.io.encode_png(image))
    for given in (red, tmp_path / "red.npz", tmp_path / "folder"):
        splits = data.load_unpaired("digits", given, image_size=8, batch_size=2)
        assert splits.spaces == {"a": Levels((8, 8, 1), 17), "b": Levels((8, 8, 3), 256)}
        batch = next(iter(splits.train))
        np.testing.assert_array_equal(batch["b"], np.broadcast_to([200, 0, 0], (2, 8, 8, 3)))
        assert batch["a"].shape == (2, 8, 8, 1)
    labelled = data.load_unpaired("digits", "digits", labels=True).parts["b"]
    np.testing.assert_array_equal(labelled.labels("test"), data.load("digits", labels=True).labels("test"))
    with pytest.raises(ValueError, match=r"`b` must hold images; two_moons has examples of shape \(2,\)"):
        data.load_unpaired("digits", "two_moons")


def test_a_prepared_tfds_set_of_two_kinds(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), np.uint8)
    parts = {"trainA": images[:4], "trainB": images[4:7], "testA": images[7:8], "testB": images[8:]}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="two_kinds",
        version="1.0.0",
        data_dir=tmp_path,
        split_datasets={split: tf.data.Dataset.from_tensor_slices({"image": part}) for split, part in parts.items()},
        features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(4, 4, 3))}),
        disable_shuffling=True,
    )
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    splits = data.load_unpaired("two_kinds")
    np.testing.assert_array_equal(splits.array("test", "a"), parts["testA"])
    np.testing.assert_array_equal(splits.array("train", "b"), parts["trainB"][:2])
    assert data.load_unpaired("two_kinds", image_size=8).spaces["a"] == Levels((8, 8, 3), 256)
