"""Shards of records: TFRecord and ArrayRecord files, in memory and read when they are needed."""

import gzip
import io
import os
import re

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import tensorflow as tf
from scipy.io import wavfile

from keras_gen import data
from keras_gen.data import columns, records
from keras_gen.data.readers import shards
from keras_gen.spaces import ClassLabel, Levels, Reals, Sound

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


def test_shards_of_no_training_split_get_a_sentence(tmp_path):
    examples = [example(v=np.arange(2.0)) for _ in range(20)]
    (tmp_path / "names").mkdir()
    for split in ("test", "val"):
        (tmp_path / "folders" / split).mkdir(parents=True)
        write(tmp_path / "folders" / split / "a.tfrecord", examples)
        write(tmp_path / "names" / f"{split}-00000-of-00001.tfrecord", examples)
    with pytest.raises(ValueError, match="folders holds test and val, but no train; a subfolder train is expected"):
        data.load(tmp_path / "folders")
    with pytest.raises(ValueError, match="names holds shards of validation and test, but none of train"):
        data.load(tmp_path / "names")
    splits = data.load(str(tmp_path / "names" / "test-*.tfrecord"))
    assert sum(splits.size(split) for split in ("train", "validation", "test")) == 20


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
    with pytest.raises(ValueError, match="an encoded image, a WAV file or numbers; there is none among name"):
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


def test_new_examples_of_a_folder_look_at_its_names_up_to_the_first_shard(tmp_path, monkeypatch):
    write_shards(tmp_path, "x-{}.tfrecord", [example(x=x) for x in VECTORS], num=7)
    looked_at, known = [], shards.is_shard
    monkeypatch.setattr(shards, "is_shard", lambda name: looked_at.append(name) or known(name))
    data.NewExamples(tmp_path, {"x": Reals((3,))})
    # One name tells that there are shards; the list of them is made once.
    assert len(looked_at) == 1 + 7


# Sounds

#: Sounds of 16 bits, of 3 to 14 samples.
SOUNDS = [RANDOM.integers(-(2**15), 2**15, 3 + index) for index in range(12)]


def wav(sound: np.ndarray, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, rate, sound.astype(np.int16))
    return file.getvalue()


@pytest.mark.parametrize("form", ["files", "floats", "16 bits"])
@pytest.mark.parametrize("arguments", [{}, {"audio_length": 6}, {"padding": "missing"}])
def test_sounds_are_those_of_a_folder(form, arguments, tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    for index, sound in enumerate(SOUNDS):
        wavfile.write(tmp_path / "folder" / f"{index:02}.wav", 8000, sound.astype(np.int16))
    expected = data.load(tmp_path / "folder", batch_size=4, **arguments)
    examples = {
        "files": [example(recording=wav(sound), speaker=7) for sound in SOUNDS],
        "floats": [example(audio=sound / 2.0**15, sample_rate=8000, speaker=7) for sound in SOUNDS],
        "16 bits": [example(**{"clip/voice": sound, "clip/voice/sample_rate": 8000}) for sound in SOUNDS],
    }
    write_shards(tmp_path, "x-{}.tfrecord", examples[form])
    for limit in (columns.MEMORY_LIMIT, 0):
        monkeypatch.setattr(columns, "MEMORY_LIMIT", limit)
        splits = data.load(tmp_path, batch_size=4, **arguments)
        assert splits.in_memory == (limit > 0)
        assert splits.spaces == expected.spaces
        np.testing.assert_array_equal(rows_of(splits, "train", 1)[0], rows_of(expected, "train", 1)[0])
        np.testing.assert_array_equal(rows_of(splits, "test")[0], rows_of(expected, "test")[0])


def test_sounds_have_labels_and_a_rate_only_where_records_tell_it(tmp_path):
    sounds = [example(audio=sound, speaker=index % 3) for index, sound in enumerate(SOUNDS)]
    write(tmp_path / "x.tfrecord", sounds)
    splits = data.load(tmp_path, labels=True, padding="missing")
    assert splits.spaces == {"x": Sound((14,), sample_rate=None, missing=True), "condition": ClassLabel(3)}
    for split in ("train", "validation", "test"):
        lengths = np.isfinite(splits.array(split)).sum(axis=1)
        np.testing.assert_array_equal(splits.labels(split), (lengths - 3) % 3)


def test_sounds_of_another_rate_are_resampled(tmp_path):
    sound = 0.5 * np.sin(np.linspace(0.0, 9.0, 40))
    first, second = example(audio=sound, sample_rate=8000), example(audio=sound, sample_rate=4000)
    write(tmp_path / "x.tfrecord", [second, *[first] * 11])
    (tmp_path / "folder").mkdir()
    for index in range(12):
        rate = 8000 if index else 4000
        wavfile.write(tmp_path / "folder" / f"{index:02}.wav", rate, sound.astype(np.float32))
    splits, expected = data.load(tmp_path / "x.tfrecord"), data.load(tmp_path / "folder")
    assert splits.spaces == expected.spaces == {"x": Sound((40,), sample_rate=4000)}
    np.testing.assert_array_equal(splits.array("train"), expected.array("train"))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (example(audio=[70_000], sample_rate=8000), "whole numbers of 16 bits, in 'audio'; it holds .* to 70000"),
        (example(audio=[1, 2], sample_rate=0), "must hold a rate of at least 1 in 'sample_rate'; it holds 0"),
        (example(audio=[1, 2]), "must hold the feature 'sample_rate'; it holds audio"),
        (example(audio=[], sample_rate=8000), "must hold values in the int64_list 'audio'; it holds 0 in a float_list"),
        (example(audio=[0.5], sample_rate=8000), "in the int64_list 'audio'; it holds 1 in a float_list"),
    ],
    ids=lambda value: "record" if isinstance(value, bytes) else None,
)
def test_a_record_of_another_sound_is_named(wrong, sentence, tmp_path):
    write(tmp_path / "x.tfrecord", [*[example(audio=SOUNDS[0], sample_rate=8000)] * 3, wrong])
    with pytest.raises(ValueError, match=rf"`name`: record 4 of .*x\.tfrecord .*{sentence}"):
        data.load(tmp_path)


def test_a_wav_file_that_is_cut_short_is_named(tmp_path):
    write(tmp_path / "x.tfrecord", [*[example(x=wav(SOUNDS[0]))] * 3, example(x=wav(SOUNDS[0])[:30])])
    with pytest.raises(ValueError, match=r"`name`: record 4 of .*x\.tfrecord is not a readable WAV file"):
        data.load(tmp_path)


def test_new_sounds_have_the_models_length_and_rate(tmp_path):
    write(tmp_path / "x.tfrecord", [example(audio=sound, sample_rate=8000) for sound in SOUNDS])
    parts = data.NewExamples(tmp_path, {"x": Sound((5,), sample_rate=8000)})
    found = np.concatenate([part.columns["x"] for part in parts])
    expected = [np.pad(sound, (0, 2))[:5] / 2.0**15 for sound in SOUNDS]
    np.testing.assert_array_equal(found[np.argsort(found[:, 0])], sorted(expected, key=lambda sound: sound[0]))
    with pytest.raises(ValueError, match="sounds of 8000 samples in a second, the model takes 4000"):
        data.NewExamples(tmp_path, {"x": Sound((5,), sample_rate=4000)})


# A feature for each column

#: Real numbers that float32 holds, and whole ones.
COLUMNS = {"height": RANDOM.normal(170.0, 9.0, 21).astype(np.float32), "age": np.arange(21) + 30, "label": LABELS}


def table_examples(**more) -> list[bytes]:
    return [example(**dict(zip(COLUMNS, row, strict=True)), **more) for row in zip(*COLUMNS.values(), strict=True)]


def test_single_numbers_are_the_columns_of_a_table(tmp_path, monkeypatch):
    pd.DataFrame(COLUMNS)[["age", "height"]].to_csv(tmp_path / "x.csv", index=False)
    expected = data.load(tmp_path / "x.csv", batch_size=4, standardize=True)
    write_shards(tmp_path, "x-{}.tfrecord", table_examples())
    for limit in (columns.MEMORY_LIMIT, 0):
        monkeypatch.setattr(columns, "MEMORY_LIMIT", limit)
        splits = data.load(tmp_path, batch_size=4, labels=True, standardize=True)
        assert splits.in_memory == (limit > 0)
        assert splits.column_names == expected.column_names == ("age", "height")
        assert splits.spaces == {**expected.spaces, "condition": ClassLabel(4)}
        np.testing.assert_allclose(splits.scale, expected.scale, rtol=1e-6)
        for split in ("train", "test"):
            x, labels = rows_of(splits, split)
            np.testing.assert_allclose(x, rows_of(expected, split)[0], atol=1e-5)
            np.testing.assert_array_equal(np.round(splits.in_data_units(x)[:, 0] - 30) % 4, labels)


def test_columns_of_shards_are_chosen(tmp_path):
    path = tmp_path / "x.tfrecord"
    write(path, table_examples(city=b"Paris"))
    with pytest.raises(
        ValueError, match=r"`columns` must choose some of .* age, height of .*: its feature 'city' holds"
    ):
        data.load(path)
    splits = data.load(path, columns="height")
    assert (splits.column_names, splits.spaces) == (("height",), {"x": Reals((1,))})
    assert data.load(path, columns="0", levels=60).spaces == {"x": Levels((1,), 60)}
    with pytest.raises(ValueError, match=r"`columns` must be places .* or names out of age, height; received 'city'"):
        data.load(path, columns="city")
    assert data.load(path, columns="0:2", label_feature="age").column_names == ("height", "label")


def test_new_rows_of_shards_have_the_models_columns(tmp_path):
    write(tmp_path / "x.tfrecord", table_examples())
    spaces = {"x": Reals((2,))}
    (part,) = data.NewExamples(tmp_path, spaces, column_names=("age", "height"), split="train")
    np.testing.assert_array_equal(np.sort(part.columns["x"], axis=0)[[0, -1], 0].astype(int) // 10, [3, 5])
    with pytest.raises(ValueError, match="has the columns age, height; the model takes height, age"):
        data.NewExamples(tmp_path, spaces, column_names=("height", "age"))
