"""Tests of saving and loading: only models of the package, and only whole files."""

import io
import json
import os
import sys
import zipfile

import keras
import numpy as np
import pytest
from contracts import assert_same_weights

import keras_gen
from keras_gen.autoregressive import MADE
from keras_gen.core import saving


@pytest.fixture(scope="module")
def model():
    model = MADE((4,), hidden_units=(5,), seed=2, name="saved")
    model.compile(keras.optimizers.RMSprop(0.01))
    model.train_on_batch(np.ones((3, 4)))
    return model


@pytest.fixture(scope="module")
def content(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    saving.save_model(model, path)
    assert os.listdir(path.parent) == ["model.keras"]
    return path.read_bytes()


def replaced(content: bytes, name: str, data: bytes | None) -> bytes:
    """A .keras file in which one member holds something else, or is missing."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
            elif data is not None:
                new.writestr(member, data)
    return buffer.getvalue()


def renamed(content: bytes, **changes) -> bytes:
    config = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("config.json"))
    return replaced(content, "config.json", json.dumps({**config, **changes}).encode())


def load_error(path, error=ValueError) -> str:
    with pytest.raises(error) as raised:
        keras_gen.load_model(path)
    sentence = str(raised.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


def test_a_file_or_the_folder_of_a_run(model, content, tmp_path):
    (tmp_path / "model.keras").write_bytes(content)
    for path in (tmp_path, str(tmp_path / "model.keras")):
        loaded = keras_gen.load_model(path)
        assert loaded.get_config() == model.get_config()
        assert_same_weights(loaded.weights, model.weights)
        assert isinstance(loaded.optimizer, keras.optimizers.RMSprop)


def test_the_class_needs_not_be_imported(content, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    module = sys.modules.pop("keras_gen.autoregressive.made")
    try:
        loaded = keras_gen.load_model(path)
        assert type(loaded) is sys.modules["keras_gen.autoregressive.made"].MADE
    finally:
        sys.modules["keras_gen.autoregressive.made"] = module


def test_missing_files(tmp_path):
    assert "does not exist" in load_error(tmp_path / "model.keras", FileNotFoundError)
    with pytest.raises(FileNotFoundError, match=r"model\.keras` does not exist; expected a \.keras file or a folder"):
        keras_gen.load_model(tmp_path)


@pytest.mark.parametrize("data", [b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_other_files(tmp_path, data):
    path = tmp_path / "model.keras"
    path.write_bytes(data)
    assert load_error(path).endswith("is not a .keras file.")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_files_cut_short(content, tmp_path, share):
    path = tmp_path / "model.keras"
    path.write_bytes(content[: int(share * len(content))])
    assert "is damaged or cut short" in load_error(path)


def test_a_wrong_bit_anywhere_in_the_weights(content, tmp_path):
    start = zipfile.ZipFile(io.BytesIO(content)).getinfo("model.weights.h5").header_offset
    path = tmp_path / "model.keras"
    for position in range(start + 100, start + 10_000, 1_000):
        damaged = bytearray(content)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        assert "the checksum of model.weights.h5 inside it is wrong" in load_error(path)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("keras", "Sequential"),
        ("keras_gen_evil", "MADE"),
        ("keras_gen.nowhere", "MADE"),
        ("keras_gen.core.base", "tf"),
        ("keras_gen.core", "Signature"),
        ("keras_gen.autoregressive.made", "Made"),
        (None, None),
    ],
)
def test_unknown_classes(content, tmp_path, module, name):
    path = tmp_path / "model.keras"
    path.write_bytes(renamed(content, module=module, class_name=name))
    assert load_error(path).endswith(f"holds {module}.{name}, which is not a model of keras_gen.")


def test_modules_outside_the_package_are_not_imported(content, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "model.keras"
    path.write_bytes(renamed(content, module="evil_module"))
    load_error(path)
    evil = {"module": "evil_module", "class_name": "Optimizer", "config": {}, "registered_name": "Optimizer"}
    path.write_bytes(renamed(content, compile_config={"optimizer": evil}))
    load_error(path)
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize(
    ("member", "data", "sentence"),
    [
        ("config.json", b"{", "it has no readable config.json"),
        ("config.json", None, "it has no readable config.json"),
        ("config.json", b"[1]", "is not a model of keras_gen"),
        ("model.weights.h5", None, "does not fit MADE of this version"),
    ],
)
def test_archives_without_a_model(content, tmp_path, member, data, sentence):
    path = tmp_path / "model.keras"
    path.write_bytes(replaced(content, member, data))
    assert sentence in load_error(path)


@pytest.mark.parametrize("change", [{"hidden_units": [6]}, {"unheard_of": 1}, {"levels": 1}])
def test_weights_or_arguments_of_another_version(content, model, tmp_path, change):
    path = tmp_path / "model.keras"
    path.write_bytes(renamed(content, config={**model.get_config(), "dtype": "float32", **change}))
    assert "does not fit MADE of this version" in load_error(path)


def test_a_failure_keeps_the_file_before(model, content, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_bytes(content)

    def fail(model, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.saving, "save_model", fail)
    with pytest.raises(OSError, match=r"^cannot write .*model\.keras: No space left on device\.$"):
        saving.save_model(model, path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["model.keras"]


def test_where_a_model_cannot_be_saved(model, tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.keras, received 'model\.h5'\."):
        saving.save_model(model, "model.h5")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OSError, match=r"cannot write .*: (File exists|Not a directory)\.$"):
        saving.save_model(model, tmp_path / "file" / "model.keras")


def test_a_description_makes_the_same_model(model):
    description = json.loads(json.dumps(saving.described(model)))
    copy = saving.from_description(description)
    assert type(copy) is MADE
    assert copy.get_config() == model.get_config()
    with pytest.raises(ValueError, match=r"holds os\.path, which is not a model of keras_gen"):
        saving.from_description({"module": "os", "class_name": "path", "config": {}})
