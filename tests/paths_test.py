"""Paths of a store: models, exports, samples and data are there as they are in a folder."""

import contextlib
import json
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import keras_gen
from keras_gen import autoregressive, cli, data, export, files
from keras_gen.data import columns

upath = pytest.importorskip("upath")


@pytest.fixture
def store():
    """A folder of a store that is held in memory."""
    folder = files.path_of("memory://bucket/folder")
    yield folder
    folder.fs.store.clear()
    folder.fs.pseudo_dirs[:] = [""]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_file_of_a_store_appears_when_it_is_whole(store):
    with contextlib.suppress(KeyboardInterrupt), files.atomic_file(store / "a.txt") as path:
        path.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt
    assert not (store / "a.txt").exists()
    with files.atomic_file(store / "a.txt") as path:
        path.write_text("whole", encoding="utf-8")
        assert not (store / "a.txt").exists()
    with files.local_file(store / "a.txt") as path:
        assert files.is_local(path)
        assert path.read_text(encoding="utf-8") == (store / "a.txt").read_text() == "whole"


def test_files_right_in_a_folder_come_last(store, tmp_path, monkeypatch):
    put = []
    monkeypatch.setattr(type(store.fs), "put_file", lambda fs, source, target: put.append(target))
    with files.atomic_folder(store / "1") as folder:
        (folder / "variables").mkdir()
        for name in ("saved_model.pb", "variables/index", "fingerprint.pb"):
            (folder / name).touch()
    names = ["variables/index", "fingerprint.pb", "saved_model.pb"]
    assert put == [f"/bucket/folder/1/{name}" for name in names]


def test_models_exports_and_samples_of_a_store(store, tmp_path, monkeypatch, capsys):
    model = autoregressive.MADE((6,), (4,))
    keras_gen.save_model(model, store / "made" / "model.keras")
    loaded = keras_gen.load_model("memory://bucket/folder/made")
    expected = model.sample(3, seed=1)
    np.testing.assert_array_equal(loaded.sample(3, seed=1), expected)
    with pytest.raises(FileNotFoundError, match=r"`memory://bucket/folder/none` does not exist"):
        keras_gen.load_model("memory://bucket/folder/none")

    assert [export.saved_model(model, store / "served").name for _ in range(2)] == ["1", "2"]
    (store / "served" / "2").fs.get("/bucket/folder/served/2", str(tmp_path / "2"), recursive=True)
    served = tf.saved_model.load(str(tmp_path / "2"))
    np.testing.assert_array_equal(served.sample(num_samples=3, seed=1)["x"], expected)

    flags = ["--num-samples", "5", "--shard-size", "3", "--output", "memory://bucket/folder/samples"]
    monkeypatch.setattr(sys, "argv", ["keras-gen", "sample", "memory://bucket/folder/made", *flags])
    cli.main()
    assert "memory://bucket/folder/samples: 5 samples of shape (6,)" in capsys.readouterr().out
    index = json.loads((store / "samples" / "index.json").read_text())
    with (store / "samples" / index["shards"][1]["file"]).open("rb") as file:
        assert np.load(file).shape == (2, 6)


def test_data_of_a_store_are_copied_once_for_each_state(store, cache, tmp_path, monkeypatch, capsys):
    rows = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", rows)
    store.fs.put_file(str(tmp_path / "x.npy"), (store / "x.npy").path)
    # Large ones stay in the copy.
    monkeypatch.setattr(columns, "MEMORY_LIMIT", 0)
    expected, found = (data.load(place / "x.npy", batch_size=8) for place in (tmp_path, store))
    np.testing.assert_array_equal(next(iter(found.train_from(1))), next(iter(expected.train_from(1))))
    assert "copying memory://bucket/folder/x.npy (1 files, 728 bytes)" in capsys.readouterr().err
    data.load("memory://bucket/folder/x.npy")
    assert not capsys.readouterr().err
    np.save(tmp_path / "x.npy", rows[:40])
    store.fs.put_file(str(tmp_path / "x.npy"), (store / "x.npy").path)
    assert data.load("memory://bucket/folder/x.npy").size("train") == 32
    assert len(list(cache.rglob("x.npy"))) == 1
    with pytest.raises(FileNotFoundError, match=r"there is nothing at memory://bucket/folder/y.npy"):
        data.load("memory://bucket/folder/y.npy")


def test_folders_of_a_store_keep_their_subfolders(store, tmp_path):
    for name in ("a/0.png", "a/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        PIL.Image.new("L", (4, 4), int(name[2])).save(tmp_path / name)
        store.fs.put_file(str(tmp_path / name), (store / "images" / name).path)
    splits = data.load("memory://bucket/folder/images", labels=True)
    found = {int(x[0, 0, 0]): int(y) for split in splits.sources for x, y in zip(
        splits.array(split), splits.labels(split), strict=True)}  # fmt: skip
    assert found == {0: 0, 1: 0, 2: 1}
    assert splits.class_names == ("a", "b")


def test_a_store_without_its_library_is_a_sentence():
    with pytest.raises(ValueError, match=r"`nothing://x/y` cannot be reached \(.*\); stores need `pip install"):
        files.path_of("nothing://x/y")
