"""Shards of records: TFRecord and ArrayRecord files, in memory and read when they are needed."""

import gzip
import io
import os
import re

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_gen import data
from keras_gen.data import columns, records
from keras_gen.data.readers import shards
from keras_gen.spaces import ClassLabel, Levels, Reals

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (21, 4, 5, 3), np.uint8)
VECTORS = RANDOM.normal(3.0, 2.0, (21, 3)).astype(np.float32)
LEVELS = RANDOM.integers(0, 700, (21, 4))
LABELS = np.arange(21) % 4


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def example(**features) -> bytes:
    """Returns a serialized `tf.train.Example`."""
    found = {}
    for name, value in features.items():
        if isinstance(value, bytes):
            found[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        elif np.asarray(value).dtype.kind == "f":
            found[name] = tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))
        else:
            found[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=np.ravel(value)))
    return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()


def write(path, examples, options=None):
    if ".array_record" in path.name:
        module = pytest.importorskip("array_record.python.array_record_module")
        writer = module.ArrayRecordWriter(str(path), "group_size:1")
    else:
        writer = tf.io.TFRecordWriter(str(path), options)
    for content in examples:
        writer.write(content)
    writer.close()


def write_shards(folder, pattern, examples, num=3):
    """Writes examples into shards, one part after the other, and returns the paths."""
    paths = [folder / pattern.format(f"{index:05}-of-{num:05}") for index in range(num)]
    for path, some in zip(paths, np.array_split(np.array(examples, object), num), strict=True):
        write(path, some, "GZIP" if path.name.endswith(".gz") else None)
    return paths


IMAGE_EXAMPLES = [example(image=png(x), label=y, weight=[0.5]) for x, y in zip(IMAGES, LABELS, strict=True)]


def rows_of(splits, split, epoch=0):
    batches = splits.train_from(epoch).take(splits.steps_per_epoch) if split == "train" else splits.in_order(split)
    parts = [batch if isinstance(batch, tuple) else (batch,) for batch in batches]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


@pytest.mark.parametrize(
    "pattern", ["x-{}.tfrecord", "x.tfrecord-{}", "x-{}.tfrecord.gz", "x.array_record-{}", "x-{}.array_record"]
)
def test_images_and_labels_are_those_of_an_array_in_any_format(pattern, tmp_path, monkeypatch):
    np.savez(tmp_path / "x.npz", x_train=IMAGES, y_train=LABELS)
    expected = data.load(tmp_path / "x.npz", batch_size=4, labels=True, seed=3)
    (tmp_path / "train").mkdir()
    write_shards(tmp_path / "train", pattern, IMAGE_EXAMPLES)
    in_memory = data.load(tmp_path, batch_size=4, labels=True, seed=3)
    monkeypatch.setattr(columns, "MEMORY_LIMIT", 0)
    in_files = data.load(tmp_path, batch_size=4, labels=True, seed=3)
    assert in_memory.in_memory
    assert not in_files.in_memory
    for splits in (in_memory, in_files):
        assert splits.spaces == expected.spaces == {"x": Levels((4, 5, 3), 256), "condition": ClassLabel(4)}
        for split in ("train", "test"):
            for ours, theirs in zip(rows_of(splits, split), rows_of(expected, split), strict=True):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("name", "values", "arguments", "space"),
    [
        ("reals", VECTORS, {"standardize": True}, Reals((3,))),
        ("levels", LEVELS, {}, Levels((4,), LEVELS.max() + 1)),
        ("levels", LEVELS, {"levels": 800}, Levels((4,), 800)),
    ],
)
def test_numbers_are_those_of_an_array(name, values, arguments, space, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", values)
    expected = data.load(tmp_path / "x.npy", batch_size=4, **arguments)
    write_shards(tmp_path, name + "-{}.tfrecord", [example(x=x, label=y) for x, y in zip(values, LABELS, strict=True)])
    for limit in (columns.MEMORY_LIMIT, 0):
        monkeypatch.setattr(columns, "MEMORY_LIMIT", limit)
        splits = data.load(tmp_path / f"{name}-*.tfrecord", batch_size=4, **arguments)
        assert splits.in_memory == (limit > 0)
        assert splits.spaces == {"x": space}
        np.testing.assert_allclose(rows_of(splits, "train", 2)[0], rows_of(expected, "train", 2)[0], atol=1e-6)


def test_names_tell_splits(tmp_path):
    for split, first in (("train", 0), ("val", 9), ("test", 15)):
        examples = [example(x=x) for x in VECTORS[first : first + 6]]
        write_shards(tmp_path, f"set-{split}.tfrecord-" + "{}", examples, num=2)
    splits = data.load(tmp_path)
    for split, first in (("train", 0), ("validation", 9), ("test", 15)):
        np.testing.assert_array_equal(splits.array(split), VECTORS[first : first + 6])
    write(tmp_path / "more.tfrecord", [example(x=VECTORS[0])])
    with pytest.raises(ValueError, match=r"the name of .*more\.tfrecord must tell its split, as that of others does"):
        data.load(tmp_path)


def test_records_are_looked_for_once_and_anew_when_a_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "x.tfrecord"
    write(path, [example(x=x) for x in VECTORS])
    found, find = [], records.places_of_records
    monkeypatch.setattr(records, "places_of_records", lambda path: found.append(path) or find(path))
    assert [data.load(path).size("train") for _ in range(2)] == [16, 16]
    assert found == [path]
    write(path, [example(x=x) for x in VECTORS[:10]])
    assert data.load(path).size("train") == 8
    assert len(found) == 2


def test_records_are_found_however_they_lie_in_blocks(tmp_path, monkeypatch):
    contents = [RANDOM.bytes(num) for num in RANDOM.integers(0, 40, 60)]
    write(tmp_path / "x.tfrecord", contents)
    for block in (13, 50, 10_000):
        monkeypatch.setattr(records, "BLOCK", block)
        places = records.places_of_records(tmp_path / "x.tfrecord")
        whole = (tmp_path / "x.tfrecord").read_bytes()
        assert [whole[start : start + num] for start, num in places] == contents


@pytest.mark.parametrize("pattern", ["x-{}.tfrecord", "x-{}.array_record"])
def test_a_shard_that_is_missing_or_cut_short_is_named_before_training(pattern, tmp_path):
    paths = write_shards(tmp_path, pattern, [example(x=x) for x in VECTORS])
    os.truncate(paths[2], paths[2].stat().st_size - 10)
    with pytest.raises(ValueError, match=re.escape(f"`name`: the shard {paths[2]} is cut short")):
        data.load(tmp_path)
    paths[1].unlink()
    for path in (tmp_path, tmp_path / pattern.format("*")):
        with pytest.raises(FileNotFoundError, match=re.escape(f"the shard {paths[1]} is missing")):
            data.load(path)
    # A file that is named by itself is a set of its own.
    assert data.load(paths[0]).size("train") == 5


def test_a_packed_shard_that_is_cut_short_is_named(tmp_path):
    path = tmp_path / "x.tfrecord.gz"
    path.write_bytes(gzip.compress(b"nothing" * 50)[:-6])
    with pytest.raises(ValueError, match=re.escape(f"the shard {path} is cut short or damaged")):
        data.load(path)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (example(x=VECTORS[0, :2]), "must hold 3 values in the float_list 'x'; it holds 2 in a float_list"),
        (example(x=[1, 2, 3]), "must hold 3 values in the float_list 'x'; it holds 3 in a int64_list"),
        (example(y=VECTORS[0]), "must hold the feature 'x'; it holds y"),
        (b"nothing", "must be a tf.train.Example"),
    ],
)
def test_a_record_of_another_shape_is_named(wrong, sentence, tmp_path, monkeypatch):
    paths = write_shards(tmp_path, "x-{}.tfrecord", [example(x=x) for x in VECTORS[:7]], num=2)
    write(paths[1], [example(x=VECTORS[0]), wrong])
    name = f"`name`: record 2 of {paths[1]}"
    with pytest.raises(ValueError, match=re.escape(f"{name} {sentence}")):
        data.load(tmp_path)
    monkeypatch.setattr(columns, "MEMORY_LIMIT", 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(f"{name} {sentence}")):
        rows_of(data.load(tmp_path, batch_size=1), "train")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (png(np.zeros((4, 6, 3), np.uint8)), r"it has the size (4, 6), others (4, 5); `image_size` brings all to one"),
        (b"\x89PNG", "cannot identify image file"),
    ],
)
def test_an_image_of_another_kind_is_named(wrong, sentence, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FIRST_HEADERS", 1)
    write(tmp_path / "x.tfrecord", [*IMAGE_EXAMPLES[:5], example(image=wrong)])
    with pytest.raises(ValueError, match=rf"record 6 of .* holds no image of the set \({re.escape(sentence)}"):
        data.load(tmp_path)


def test_images_are_brought_to_a_size_and_to_channels(tmp_path):
    write(tmp_path / "x.tfrecord", [example(image=png(np.full((4 + i, 5), 99, np.uint8))) for i in range(6)])
    with pytest.raises(ValueError, match=r"`image_size` must be given.*: record 2 of .* has \(5, 5\), but record 1"):
        data.load(tmp_path)
    assert data.load(tmp_path, image_size=3).event_shape == (3, 3, 1)
    np.testing.assert_array_equal(
        data.load(tmp_path, image_size=3, channels=3).array("test"), np.full((1, 3, 3, 3), 99)
    )


def test_features_are_named_where_the_file_does_not_say(tmp_path):
    path = tmp_path / "x.tfrecord"
    write(path, [example(a=x, b=2 * x, one=y, two=y + 1) for x, y in zip(VECTORS, LABELS, strict=True)])
    with pytest.raises(ValueError, match=r"`feature` must name what examples of .* are: a or b; received None"):
        data.load(path)
    with pytest.raises(ValueError, match="`feature` 'c' is unknown; expected one of a, b, one, two"):
        data.load(path, feature="c")
    with pytest.raises(ValueError, match=r"`label_feature` must name the labels of .*: one or two; received None"):
        data.load(path, feature="a", labels=True)
    splits = data.load(path, feature="b", label_feature="two", labels=True)
    in_order = data.load(path, feature="a").array("test")
    np.testing.assert_array_equal(splits.array("test"), 2 * in_order)
    rows = {tuple(2 * x): y + 1 for x, y in zip(VECTORS, LABELS, strict=True)}
    assert splits.labels("test").tolist() == [rows[tuple(x)] for x in splits.array("test")]
    with pytest.raises(ValueError, match=r"`feature` must be None: digits holds no shards of records; received a"):
        data.load("digits", feature="a")


def test_what_holds_nothing_to_train_on_gets_a_sentence(tmp_path):
    path = tmp_path / "x.tfrecord"
    write(path, [])
    with pytest.raises(ValueError, match=r"must hold examples; it holds no record"):
        data.load(path)
    write(path, [example(name=b"text")])
    with pytest.raises(ValueError, match="an encoded image or numbers; there is none among name"):
        data.load(path)
    with pytest.raises(ValueError, match=r"`feature` 'name' of .* holds neither an encoded image"):
        data.load(path, feature="name")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none-\*\.tfrecord"):
        data.load(tmp_path / "none-*.tfrecord")
    with pytest.raises(FileNotFoundError, match=r"the shard .*none\.tfrecord is missing"):
        data.load(tmp_path / "none.tfrecord")


def test_new_examples_are_read_from_shards(tmp_path):
    write(tmp_path / "x.tfrecord", [example(x=x) for x in VECTORS])
    parts = list(data.NewExamples(tmp_path, {"x": Reals((3,))}, rows_at_once=5))
    found = np.concatenate([part.columns["x"] for part in parts])
    assert sorted(map(tuple, found)) == sorted(map(tuple, VECTORS))
