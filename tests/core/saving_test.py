"""Tests of saving and loading: only models of the package, and only whole files."""

import contextlib
import copy
import io
import json
import os
import pickle
import re
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from contracts import assert_same_weights

import keras_gen
from keras_gen.adversarial import GAN
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
        keras.saving.register_keras_serializable("keras_gen")(module.MADE)


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
    again = saving.from_description(description)
    assert type(again) is MADE
    assert again.get_config() == model.get_config()
    with pytest.raises(ValueError, match=r"holds os\.path, which is not a model of keras_gen"):
        saving.from_description({"module": "os", "class_name": "path", "config": {}})


# Keras' own ways


def test_a_class_is_known_to_keras_and_a_users_is_not():
    assert keras.saving.get_registered_object("keras_gen>MADE") is MADE

    class MADEOfAUser(MADE):
        pass

    assert keras.saving.get_registered_name(MADEOfAUser) == "MADEOfAUser"


@pytest.mark.parametrize(
    "duplicate",
    [
        lambda model, path: keras.models.load_model(path),
        lambda model, path: pickle.loads(pickle.dumps(model)),
        lambda model, path: copy.deepcopy(model),
    ],
    ids=["load_model", "pickle", "deepcopy"],
)
def test_copies_have_the_weights_and_the_optimizers_state(model, content, tmp_path, duplicate):
    (tmp_path / "model.keras").write_bytes(content)
    again = duplicate(model, tmp_path / "model.keras")
    assert type(again) is MADE
    assert again.get_config() == model.get_config()
    assert_same_weights(again.weights, model.weights)
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations) == 1
    assert_same_weights(again.optimizer.variables, model.optimizer.variables)


def test_a_copy_without_optimizers(model, tmp_path):
    copied = saving.without_optimizers(model)
    assert not copied.compiled
    assert_same_weights(copied.weights, model.weights)
    saving.save_model(model, tmp_path / "whole.keras")
    saving.save_model(copied, tmp_path / "small.keras")
    saved = 4 * sum(variable.shape.num_elements() for variable in model.optimizer.variables)
    whole, small = ((tmp_path / f"{name}.keras").stat().st_size for name in ("whole", "small"))
    assert whole - small > saved
    assert saving.digest(saving.load_model(tmp_path / "small.keras")) == saving.digest(model)


def test_a_clone_has_new_weights_and_the_same_arguments(model):
    clone = keras.models.clone_model(model)
    assert type(clone) is MADE
    assert clone.get_config() == model.get_config()
    assert int(clone.optimizer.iterations) == 0
    assert any(np.any(ours != theirs) for ours, theirs in zip(clone.get_weights(), model.get_weights(), strict=True))


def test_files_from_before_classes_were_registered(content, model, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(renamed(content, registered_name="MADE"))
    for loaded in (keras_gen.load_model(path), keras.saving.load_model(path, custom_objects={"MADE": MADE})):
        assert type(loaded) is MADE
        assert_same_weights(loaded.optimizer.variables, model.optimizer.variables)


class Gentle(MADE):
    """A class of a user's, who does not register it."""

    def __init__(self, event_shape, *, gamma=1.0, **kwargs):
        super().__init__(event_shape, **kwargs)
        self.gamma = gamma


@keras.saving.register_keras_serializable("saving_test")
class Registered(Gentle):
    pass


def test_a_class_of_ones_own(tmp_path):
    path = tmp_path / "model.keras"
    Gentle((4,), gamma=2.0, hidden_units=(3,), seed=5).save(path)
    loaded = keras_gen.load_model(path, custom_objects={"Gentle": Gentle})
    assert type(loaded) is Gentle
    assert (loaded.gamma, loaded.hidden_units, loaded.seed) == (2.0, (3,), 5)
    assert "can be loaded only with 'Gentle' in `custom_objects`" in load_error(path)
    with keras.saving.custom_object_scope({"Gentle": Gentle}):
        assert keras_gen.load_model(path).gamma == 2.0
    assert pickle.loads(pickle.dumps(loaded)).gamma == 2.0
    Registered((4,), gamma=3.0).save(path)
    assert type(keras_gen.load_model(path)) is Registered


class Forgetful(MADE):
    """A user's class, which keeps its arguments under other names or not at all."""

    def __init__(self, size, scale=1.0, **kwargs):
        super().__init__((size,), **kwargs)
        self.factor = scale


def test_arguments_that_a_class_of_ones_own_does_not_keep(tmp_path):
    path, scope = tmp_path / "model.keras", {"Forgetful": Forgetful}
    model = Forgetful(4, scale=3.0, hidden_units=(3,), seed=5)
    x = np.zeros((2, 4))
    expected = model.log_prob(x)
    model.save(path)
    loaded = keras_gen.load_model(path, custom_objects=scope)
    assert (loaded.event_shape, loaded.factor, loaded.hidden_units, loaded.seed) == ((4,), 3.0, (3,), 5)
    np.testing.assert_array_equal(loaded.log_prob(x), expected)
    assert "scale" not in Forgetful(4).get_config()


@pytest.mark.parametrize(
    "save",
    [
        lambda model, path: model.save(path),
        lambda model, path: keras.saving.save_model(model, path),
        lambda model, path: model.save_weights(path),
    ],
    ids=["save", "save_model", "save_weights"],
)
@pytest.mark.parametrize("name", ["model.h5", "model.hdf5"])
def test_hdf5_files_are_refused_and_harm_nothing(save, name, tmp_path):
    network = {"generator_network": {"name": "dense", "hidden_units": (3,)}}
    model = GAN((2, 2, 1), 2, latent_size=2, **network)
    model.compile(keras.optimizers.SGD(0.5), keras.optimizers.RMSprop(0.25))
    before = model.get_compile_config()
    with pytest.raises(ValueError, match=r"\.weights\.h5"):
        save(model, tmp_path / name)
    assert model.get_compile_config() == before
    model.save(tmp_path / "model.keras")
    loaded = keras_gen.load_model(tmp_path / "model.keras")
    assert [type(each) for each in loaded.optimizers] == [keras.optimizers.SGD, keras.optimizers.RMSprop]


def test_a_refused_file_is_not_touched(model, tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"^A model is saved to a \.keras file, .* received '.*model\.h5'\.$"):
        model.save(path)
    assert path.read_bytes() == b"mine"


def test_weights_alone(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    other = MADE((4,), hidden_units=(5,), seed=3)
    other.compile(keras.optimizers.RMSprop(0.01))
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same_weights(other.weights, model.weights)
    assert_same_weights(other.optimizer.variables, model.optimizer.variables)


def test_export_names_what_exports(model, tmp_path):
    with pytest.raises(NotImplementedError, match=r"^`keras_gen\.export\.saved_model\(model, folder\)` exports all"):
        model.export(tmp_path / "folder")
    assert not os.listdir(tmp_path)


# Files made to misbehave


@pytest.fixture
def unbuilt(monkeypatch):
    """A file whose checks all pass is not built."""
    monkeypatch.setattr(keras.saving, "load_model", lambda path, custom_objects: "built")


def test_files_cut_short_anywhere(content, tmp_path, unbuilt):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    for size in reversed(range(0, len(content), 10)):
        os.truncate(path, size)
        load_error(path)


def test_a_wrong_byte_anywhere_in_the_directory(content, tmp_path, unbuilt):
    path = tmp_path / "model.keras"
    start = content.rindex(b"model.weights.h5") - 200
    errors = 0
    for position in range(start, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        # Dates and attributes may be anything.
        with contextlib.suppress(ValueError):
            assert keras_gen.load_model(path) == "built"
            continue
        load_error(path)
        errors += 1
    assert errors > 100


def with_config(content: bytes, path, config: dict) -> None:
    old = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("config.json"))
    path.write_bytes(renamed(content, config={**old["config"], **config}))


def lambda_layer() -> dict:
    return keras.saving.serialize_keras_object(keras.layers.Lambda(lambda x: x))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"event_shape": [1 << 40]}, r"has the event_shape \[1099511627776\], of more than 67,108,864 entries\.$"),
        ({"event_shape": [100_000, 100_000]}, r"has the event_shape \[100000, 100000\], of more than"),
        ({"event_shape": [1 << 22]}, r"it asks for [0-9,]+ bytes of weights or more, and does not hold them\.$"),
        ({"hidden_units": [1 << 40]}, "does not fit MADE of this version"),
        ({"hidden_units": [30_000, 30_000]}, "it asks for [0-9,]+ bytes of weights or more"),
        ({"event_shape": "abc"}, "does not fit MADE of this version"),
        ({"event_shape": {"a": 1}}, "does not fit MADE of this version"),
        ({"event_shape": [4.5]}, "does not fit MADE of this version"),
        ({"hidden_units": {"a": None}}, "does not fit MADE of this version"),
        ({"seed": [[]]}, "does not fit MADE of this version"),
        ({"dtype": "../../float"}, "does not fit MADE of this version"),
        ({"frozen_parts": [1]}, "does not fit MADE of this version"),
        ({"activation": {"module": "os", "class_name": "system", "config": {}}}, "holds os.system, which is neither"),
        ({"activation": {"class_name": "__lambda__", "config": {"value": "4w=="}}}, "holds a Lambda, which is code"),
        (
            {
                "a": [
                    {
                        "b": {
                            "module": "posix",
                            "class_name": "function",
                            "config": "system",
                            "registered_name": "system",
                        }
                    }
                ]
            },
            "holds posix.function, which is neither of Keras nor of keras_gen",
        ),
    ],
)
def test_configurations_made_to_misbehave(content, tmp_path, config, sentence):
    path = tmp_path / "model.keras"
    with_config(content, path, config)
    assert re.search(sentence, load_error(path))


def test_lambda_layers_are_refused_wherever_they_are(content, tmp_path):
    path = tmp_path / "model.keras"
    with_config(content, path, {"network": {"name": "keras", "layer": lambda_layer()}})
    assert "holds a Lambda, which is code" in load_error(path)


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "assets/../../evil.txt", "..\\evil.txt"])
def test_members_outside_of_the_file(content, tmp_path, name):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"evil")
    assert "a path outside of it" in load_error(path)
    assert sorted(os.listdir(tmp_path)) == ["model.keras"]


def test_members_that_expand_beyond_reason(content, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(replaced(content, "model.weights.h5", None))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("model.weights.h5", "w") as member:
        for _ in range(257):
            member.write(bytes(1 << 20))
    assert "model.weights.h5 expands to 269,484,032 bytes" in load_error(path)


def test_weights_that_are_elsewhere(content, tmp_path):
    """HDF5 can refer to other files, whose content would become weights."""
    (tmp_path / "secret").write_bytes(bytes(range(80)))
    weights = tmp_path / "weights.h5"
    weights.write_bytes(zipfile.ZipFile(io.BytesIO(content)).read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        name = next(name for name in names if file[name].ndim == 2 and "optimizer" not in name)
        value = np.asarray(file[name])
    path = tmp_path / "model.keras"
    for elsewhere in ({"data": value}, {"external": [(str(tmp_path / "secret"), 0, value.nbytes)]}):
        with h5py.File(weights, "r+") as file:
            del file[name]
            file.create_dataset(name, value.shape, "float32", **elsewhere)
        path.write_bytes(replaced(content, "model.weights.h5", weights.read_bytes()))
        if "data" in elsewhere:
            keras_gen.load_model(path)
    assert "does not fit MADE of this version" in load_error(path)


def test_a_configuration_nested_too_deeply(content, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(replaced(content, "config.json", b'{"a":' * 100_000))
    load_error(path)
    path.write_bytes(renamed(content, config=json.loads("[" * 900 + "]" * 900)))
    load_error(path)
