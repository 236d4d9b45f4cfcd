"""Models of Hugging Face and Kaggle: the libraries' own functions, with stand-ins for the network."""

import json
import shutil
import sys
from unittest import mock

import pytest
from contracts import randomise

import keras_gen
from keras_gen import cli, files, hub
from keras_gen.autoregressive import MADE
from keras_gen.core import saving

SITES = [
    ("huggingface_hub", "hf://user/made@v1", "snapshot_download", "upload_folder"),
    ("kagglehub", "kaggle://user/made/keras/small", "model_download", "model_upload"),
]


@pytest.fixture
def run(tmp_path):
    """A folder as a run leaves it, with what belongs to the training beside what belongs to the model."""
    folder = tmp_path / "run"
    for name in ("saved_model/1/saved_model.pb", "checkpoints/last.h5", "README.md", "judge.keras"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for name in ("config.json", "metrics.json"):
        files.write_json(folder / name, {"arguments": {"folder": "/home/ada/secret", "seed": 1}})
    model = MADE((3,), (4,))
    randomise(model)
    saving.save_model(model, folder / "model.keras")
    return folder


@pytest.mark.parametrize(("library", "address", "download", "upload"), SITES)
def test_what_is_pushed_is_loaded_again(library, address, download, upload, run, tmp_path, monkeypatch, capsys):
    module = pytest.importorskip(library)
    there = tmp_path / "there"

    def uploaded(*arguments, **named):
        shutil.copytree(named.get("folder_path") or arguments[1], there)

    calls = {
        name: mock.create_autospec(getattr(module, name), side_effect=effect)
        for name, effect in {download: lambda *_, **__: str(there), upload: uploaded}.items()
    }
    for name, call in calls.items():
        monkeypatch.setattr(module, name, call)
    if library == "huggingface_hub":
        monkeypatch.setattr(module, "create_repo", mock.create_autospec(module.create_repo))

    model = keras_gen.load_model(run)
    monkeypatch.setattr(sys, "argv", ["keras-gen", "push", str(run), address])
    cli.main()
    assert capsys.readouterr().out == f"{address}: {run}\n"
    found = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert found == {"README.md", "config.json", "metrics.json", "model.keras", "saved_model/1/saved_model.pb"}
    # Where the run was is left out.
    for name in ("config.json", "metrics.json"):
        assert json.loads((there / name).read_text()) == {"arguments": {"folder": None, "seed": 1}}
    assert saving.digest(keras_gen.load_model(address)) == saving.digest(model)

    if library == "huggingface_hub":
        assert module.create_repo.call_args == mock.call("user/made", exist_ok=True, private=True)
        assert calls[upload].call_args.kwargs["repo_id"] == "user/made"
        assert calls[upload].call_args.kwargs["revision"] == calls[download].call_args.kwargs["revision"] == "v1"
        # Nothing that runs, and nothing that unpickles.
        patterns = calls[download].call_args.kwargs["allow_patterns"]
        assert not any(pattern.endswith((".py", ".pkl", "*")) for pattern in patterns)
    else:
        assert calls[upload].call_args.args[0] == calls[download].call_args.args[0] == "user/made/keras/small"


@pytest.mark.parametrize(("library", "address", "download", "upload"), SITES)
def test_a_site_that_does_not_answer(library, address, download, upload, run, monkeypatch):
    module = pytest.importorskip(library)
    if library == "huggingface_hub":
        error = module.errors.HTTPError("no route to host")
        monkeypatch.setattr(module, "create_repo", mock.create_autospec(module.create_repo))
    else:
        error = module.exceptions.BackendError("\nno route to host\nand so on")
    for name in (download, upload):
        monkeypatch.setattr(module, name, mock.create_autospec(getattr(module, name), side_effect=error))
    with pytest.raises(OSError, match=f"^`{address}` could not be fetched: no route to host$"):
        keras_gen.load_model(address)
    with pytest.raises(OSError, match=f"^`{address}` could not be written: no route to host$"):
        keras_gen.push(run, address)


@pytest.mark.parametrize(("library", "address", "download", "upload"), SITES)
def test_without_the_library(library, address, download, upload, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=f"^`{address}` needs `pip install {library}`"):
        keras_gen.load_model(address)


def test_what_is_no_address_and_no_model(run, tmp_path, monkeypatch):
    for address in ("user/made", "hf://", "s3://bucket/made", "hf"):
        with pytest.raises(ValueError, match=f"^`address` must be like hf://user/name or .*, received '{address}'"):
            keras_gen.push(run, address)
    assert not hub.is_address("memory://folder")
    assert not hub.is_address(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", mock.Mock())
    (run / "README.md").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no finished run: there is no README\.md"):
        keras_gen.push(run, "hf://user/made")


def test_figures_without_arguments_are_copied_as_they_are(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "copy").mkdir()
    text = '{"test": {"nll": 1.5}}'
    (tmp_path / "run" / "metrics.json").write_text(text)
    hub.copy_parts(tmp_path / "run", tmp_path / "copy")
    assert (tmp_path / "copy" / "metrics.json").read_text() == text
