"""Pairs of images: which half and which file is whose partner, and augmentation that both columns share."""

import dataclasses

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_gen import data
from keras_gen.data.augmentation import Augmentation
from keras_gen.spaces import Levels, Reals

SPLITS = ("train", "validation", "test")
RANDOM = np.random.default_rng(0)
#: Twelve sources, and targets that are theirs alone.
SOURCES = RANDOM.integers(0, 256, (12, 4, 6, 3), np.uint8)
TARGETS = 255 - SOURCES


def save(path, image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(image).save(path)


def columns_of(splits):
    """Returns all sources and all targets, split after split."""
    return [np.concatenate([splits.array(split, name) for split in SPLITS]) for name in ("source", "target")]


# Reading


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("memory_limit", [0, 2**30])
def test_files_hold_two_images_side_by_side(tmp_path, monkeypatch, side, memory_limit):
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", memory_limit)
    for index, pair in enumerate(zip(SOURCES, TARGETS, strict=True)):
        halves = pair if side == "left" else pair[::-1]
        save(tmp_path / f"{index:02}.png", np.concatenate(halves, axis=1))
    splits = data.load_pairs(tmp_path, source=side, batch_size=5)
    assert splits.spaces == {"source": Levels((4, 6, 3), 256), "target": Levels((4, 6, 3), 256)}
    assert {split: splits.size(split) for split in SPLITS} == {"train": 8, "validation": 2, "test": 2}
    seen = []
    for batch in (*splits.train_from(0).take(1), *splits.validation, *splits.test):
        np.testing.assert_array_equal(batch["target"], 255 - batch["source"])
        seen += list(map(bytes, batch["source"].numpy()))
    assert set(seen) <= set(map(bytes, SOURCES))
    assert len(set(seen)) == len(seen) == 9


def test_two_folders_hold_files_of_equal_names(tmp_path):
    """Whatever their endings, and also where these change the order of the files."""
    for index, name in enumerate(("train/a", "train/a.c", "train/b", "val/a", "test/a")):
        save(tmp_path / "sources" / f"{name}.png", SOURCES[index])
        save(tmp_path / "targets" / f"{name}.bmp", TARGETS[index])
    splits = data.load_pairs(tmp_path / "sources", tmp_path / "targets")
    assert {split: splits.size(split) for split in SPLITS} == {"train": 3, "validation": 1, "test": 1}
    source, target = columns_of(splits)
    np.testing.assert_array_equal(target, 255 - source)
    np.testing.assert_array_equal(splits.array("test", "source")[0], SOURCES[4])


def test_two_features_of_a_prepared_tfds_set(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    images = tfds.features.Image(shape=(None, None, 3))
    parts = {"train": slice(9), "test": slice(9, 12)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="twins",
        version="1.0.0",
        data_dir=tmp_path,
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices({"image": SOURCES[part], "mask": TARGETS[part]})
            for split, part in parts.items()
        },
        features=tfds.features.FeaturesDict({"image": images, "mask": images}),
        disable_shuffling=True,
    )
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    splits = data.load_pairs("twins", "mask", batch_size=2)
    assert splits.name == "twins"
    assert splits.spaces == {"source": Levels((4, 6, 3), 256), "target": Levels((4, 6, 3), 256)}
    # There is no validation split: the last sixth of the training examples serves.
    source, target = columns_of(splits)
    np.testing.assert_array_equal(source, SOURCES)
    np.testing.assert_array_equal(target, TARGETS)
    assert data.load_pairs("twins", "mask", image_size=(2, 3)).spaces["target"] == Levels((2, 3, 3), 256)
    with pytest.raises(ValueError, match="`target` 'musk' is unknown; did you mean mask"):
        data.load_pairs("twins", "musk")


def test_both_images_are_brought_to_a_size(tmp_path):
    for value in range(10):
        save(tmp_path / f"{value}.png", np.repeat([[value, 50 + value]], [4 + value] * 2, 1).repeat(5, 0).astype("u1"))
    with pytest.raises(ValueError, match="`image_size` must be given"):
        data.load_pairs(tmp_path)
    source, target = columns_of(data.load_pairs(tmp_path, image_size=(3, 2)))
    assert source.shape == target.shape == (10, 3, 2, 1)
    # Each half has one value, which stays.
    np.testing.assert_array_equal(target, source + 50)
    assert sorted(source[:, 0, 0, 0]) == list(range(10))


def test_a_missing_partner_is_named(tmp_path):
    for name in ("a", "b", "c"):
        save(tmp_path / "sources" / f"{name}.png", SOURCES[0])
        save(tmp_path / "targets" / f"{name}.png", SOURCES[0])
    (tmp_path / "targets" / "b.png").unlink()
    with pytest.raises(ValueError, match=r"`target` must hold .* in .*sources, .*; .*sources/b\.png has no partner"):
        data.load_pairs(tmp_path / "sources", tmp_path / "targets")
    save(tmp_path / "targets" / "b.png", SOURCES[0])
    save(tmp_path / "targets" / "d.png", SOURCES[0])
    with pytest.raises(ValueError, match=r"targets/d\.png has no partner"):
        data.load_pairs(tmp_path / "sources", tmp_path / "targets")
    save(tmp_path / "sources" / "a.bmp", SOURCES[0])
    with pytest.raises(ValueError, match=r"must hold one image of each name; there are .*a\.bmp and .*a\.png"):
        data.load_pairs(tmp_path / "sources", tmp_path / "targets")


def test_what_is_no_set_of_pairs_gets_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="`name`: there is no folder nowhere"):
        data.load_pairs("nowhere")
    with pytest.raises(ValueError, match=r"`name`: the folder .* holds no image"):
        data.load_pairs(tmp_path)
    for index in range(3):
        save(tmp_path / "images" / f"{index}.png", SOURCES[index])
    with pytest.raises(FileNotFoundError, match="`target`: there is no folder nowhere"):
        data.load_pairs(tmp_path / "images", "nowhere")
    with pytest.raises(ValueError, match="`source` 'top' is unknown"):
        data.load_pairs(tmp_path / "images", source="top")
    with pytest.raises(ValueError, match=r"`shard` must be \(index, count\)"):
        data.load_pairs(tmp_path / "images", shard=(2, 2))
    # The head of a file is enough to know its size, and not to read it.
    damaged = tmp_path / "images" / "1.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"`name`: .*images/1\.png is not a readable image"):
        data.load_pairs(tmp_path / "images")
    (tmp_path / "images" / "2.png").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"2 files are not readable images: .*images/1\.png .*images/2\.png"):
        data.load_pairs(tmp_path / "images")


def test_pairs_are_made_of_any_set():
    digits = data.load("digits", labels=True, shard=(1, 3))
    pairs = data.paired(digits, lambda x: x[:, ::2, ::2], Levels((4, 4, 1), 17))
    assert pairs.spaces == {"source": Levels((4, 4, 1), 17), "target": Levels((8, 8, 1), 17)}
    np.testing.assert_array_equal(pairs.array("test", "target"), digits.array("test"))
    np.testing.assert_array_equal(pairs.array("test", "source"), digits.array("test")[:, ::2, ::2])


# Augmentation


def places(height: int, width: int) -> np.ndarray:
    """Returns an image whose two channels say how far down and how far right a pixel's centre is, from 0 to 1."""
    axes = ((np.arange(side) + 0.5) / side for side in (height, width))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)


def corners(images: np.ndarray, room: tuple[int, int]) -> np.ndarray:
    """Returns row and column of the corner at which enlarged images of places were cut."""
    _, height, width, _ = images.shape
    # Pixels at the border have no neighbour to interpolate with; the second one of each side has.
    return images[:, 1, 1] * (height + room[0], width + room[1]) - 1.5


def test_all_columns_are_cut_at_the_same_place_which_is_any():
    shapes = {"source": (4, 6, 2), "target": (8, 12, 2)}
    augmentation = Augmentation.of({name: Reals(shape) for name, shape in shapes.items()}, 1.5, flip=False)
    assert augmentation.room == (2, 3)
    images = {name: np.repeat(places(*shape[:2])[np.newaxis], 600, 0) for name, shape in shapes.items()}
    found = augmentation.apply({**images, "other": images["source"]}, tf.constant([1, 2]))
    np.testing.assert_array_equal(found["other"], images["source"])
    assert {name: x.shape[1:] for name, x in found.items() if name in shapes} == shapes
    source, target = corners(found["source"].numpy(), (2, 3)), corners(found["target"].numpy(), (4, 6))
    np.testing.assert_allclose(source, np.round(source), atol=1e-4)
    np.testing.assert_allclose(target, 2.0 * source, atol=1e-3)
    counts = np.zeros((3, 4))
    np.add.at(counts, tuple(np.round(source).astype(int).T), 1)
    assert np.all(np.abs(counts - 50.0) < 5.0 * np.sqrt(50.0))


def test_half_of_the_images_are_mirrored_in_all_columns():
    images = RANDOM.integers(0, 256, (600, 2, 3, 1), np.uint8)
    space = Levels((2, 3, 1), 256)
    augmentation = Augmentation.of({"source": space, "target": space}, 1.0, flip=True)
    found = augmentation.apply({"source": images, "target": 255 - images}, tf.constant([3, 4]))
    source, target = (found[name].numpy() for name in ("source", "target"))
    np.testing.assert_array_equal(target, 255 - source)
    same, mirrored = (np.all(source == other, axis=(1, 2, 3)) for other in (images, images[:, :, ::-1]))
    assert np.all(same | mirrored)
    assert abs(np.mean(mirrored & ~same) - 0.5) < 5.0 * 0.5 / np.sqrt(600)


@pytest.fixture
def pairs(tmp_path):
    """Sources, each of which is its target, too."""
    for index, image in enumerate(SOURCES):
        save(tmp_path / f"{index:02}.png", np.concatenate([image, image], axis=1))
    return data.load_pairs(tmp_path, batch_size=4, seed=7)


def batches(splits, epoch: int, num: int):
    """Returns the columns of training batches from the start of an epoch."""
    return [{name: x.numpy() for name, x in batch.items()} for batch in splits.train_from(epoch).take(num)]


def test_training_images_change_with_seed_and_epoch_and_a_resumed_run_sees_the_same(pairs):
    splits = data.augmented(pairs, "source", "target", enlargement=1.5)
    assert splits.steps_per_epoch == 2
    found = batches(splits, 0, 6)
    for batch in found:
        np.testing.assert_array_equal(batch["source"], batch["target"])
        assert batch["source"].dtype == np.uint8
    for batch, expected in zip(batches(splits, 2, 2), found[4:], strict=True):
        np.testing.assert_array_equal(batch["source"], expected["source"])
    # The second epoch shows the same examples, in another order and changed in other ways.
    seen = [
        set(map(bytes, np.concatenate([batch["source"] for batch in found[start : start + 2]]))) for start in (0, 2)
    ]
    assert len(seen[0] & seen[1]) < 4
    other = data.augmented(dataclasses.replace(pairs, seed=8), "source", "target", enlargement=1.5)
    assert np.any(batches(other, 0, 1)[0]["source"] != found[0]["source"])
    # Called twice, columns change independently.
    apart = data.augmented(data.augmented(pairs, "source"), "target")
    assert any(np.any(batch["source"] != batch["target"]) for batch in batches(apart, 0, 4))
    for split in ("validation", "test"):
        for batch, expected in zip(getattr(splits, split), getattr(pairs, split), strict=True):
            np.testing.assert_array_equal(batch["source"], expected["source"])


def test_without_enlargement_and_mirrors_nothing_changes(pairs):
    splits = data.augmented(pairs, "source", "target", enlargement=1.0, flip=False)
    for batch, expected in zip(batches(splits, 0, 2), batches(pairs, 0, 2), strict=True):
        np.testing.assert_array_equal(batch["source"], expected["source"])


def test_what_cannot_be_augmented(pairs):
    with pytest.raises(ValueError, match="`columns` 'x' is unknown"):
        data.augmented(pairs, "x")
    with pytest.raises(ValueError, match=r"`columns` must hold images; condition has examples of shape \(\)"):
        data.augmented(data.load("digits", labels=True), "condition")
    with pytest.raises(ValueError, match=r"`enlargement` must be at least 1, received 0\.5"):
        data.augmented(pairs, "source", enlargement=0.5)
    spaces = {"source": Levels((4, 6, 3), 256), "target": Levels((6, 6, 3), 256)}
    with pytest.raises(ValueError, match=r"sides that are whole multiples of \(4, 6\); target has \(6, 6\)"):
        Augmentation.of(spaces, 1.0, flip=True)
