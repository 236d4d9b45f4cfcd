"""Models of Hugging Face and of Kaggle, through the libraries of these sites.

`hf://user/name`, also with a branch, tag or commit as in `hf://user/name@v1`, and
`kaggle://user/model/keras/variation`, also with the number of a version behind it, may stand wherever the folder of a
trained model does. What comes from there is a card, figures and weights: `load_model` reads it as any other file, and
none of it is run.
"""

import fnmatch
import importlib
import os
import pathlib
import shutil
import tempfile
import types

from keras_gen import files, shipped
from keras_gen.finished_run import read_json

#: Files of a model, as patterns of their names. The rest of a run is about the training.
PARTS = ("README.md", "SHA256SUMS", "*.json", "samples.png", "samples.wav", "model.keras", "model.tflite")


class HuggingFace:
    """Repositories of huggingface.co, by names such as "user/name" or "user/name@revision"."""

    library = "huggingface_hub"
    handle = "hf://user/name"

    @staticmethod
    def failures(library: types.ModuleType) -> tuple[type[Exception], ...]:
        """Returns what the library raises where the site does not answer, or refuses."""
        return (OSError, ValueError, library.errors.HTTPError)

    @staticmethod
    def download(library: types.ModuleType, handle: str) -> str:
        """Copies a model into the library's cache, unless it is there, and returns its folder."""
        name, _, revision = handle.partition("@")
        return library.snapshot_download(name, revision=revision or None, allow_patterns=list(PARTS))

    @staticmethod
    def upload(library: types.ModuleType, folder: str, handle: str):
        """Adds a commit with all files of a folder; a repository that is not there is made, and is private."""
        name, _, revision = handle.partition("@")
        library.create_repo(name, exist_ok=True, private=True)
        library.upload_folder(repo_id=name, folder_path=folder, revision=revision or None)


class Kaggle:
    """Models of kaggle.com, by names such as "user/model/keras/variation"."""

    library = "kagglehub"
    handle = "kaggle://user/model/keras/variation"

    @staticmethod
    def failures(library: types.ModuleType) -> tuple[type[Exception], ...]:
        """Returns what the library raises where the site does not answer, or refuses."""
        names = ("BackendError", "CredentialError", "DataCorruptionError", "NotFoundError", "UnauthenticatedError")
        return (OSError, ValueError, *(getattr(library.exceptions, name) for name in names))

    @staticmethod
    def download(library: types.ModuleType, handle: str) -> str:
        """Copies a model into the library's cache, unless it is there, and returns its folder."""
        return library.model_download(handle)

    @staticmethod
    def upload(library: types.ModuleType, folder: str, handle: str):
        """Adds a version with all files of a folder; a model that is not there is made, and is private."""
        library.model_upload(handle, folder)


SITES = {"hf": HuggingFace, "kaggle": Kaggle}


def is_address(name) -> bool:
    """Returns whether a name is an address of a model of one of the sites."""
    return str(name).split("://")[0] in SITES and "://" in str(name)


def opened(address: str) -> tuple[type, types.ModuleType, str]:
    """Returns the site of an address, its library, and what the library calls the model.

    Raises:
        ValueError: if it is no such address, or the library is not installed.
    """
    protocol, _, handle = str(address).partition("://")
    if not is_address(address) or not handle.strip("/"):
        forms = " or ".join(site.handle for site in SITES.values())
        raise ValueError(f"`address` must be like {forms}, received {str(address)!r}.")
    site = SITES[protocol]
    try:
        return site, importlib.import_module(site.library), handle.strip("/")
    except ImportError as error:
        raise ValueError(f"`{address}` needs `pip install {site.library}` ({error}).") from None


def downloaded(address: str) -> pathlib.Path:
    """Returns the folder that a model of a site was copied to: into the cache of the site's library, once.

    Raises:
        OSError: with one sentence, if the site has no such model, or does not answer and the cache lacks it.
        ValueError: if it is no such address, or the library is not installed.
    """
    site, library, handle = opened(address)
    try:
        return pathlib.Path(site.download(library, handle))
    except site.failures(library) as error:
        raise OSError(f"`{address}` could not be fetched: {first_line(error)}") from error


def model_file(path: str | os.PathLike) -> pathlib.Path:
    """Returns the `.keras` file of a model.

    Args:
        path: that file, a folder that holds `model.keras`, the name of a model that comes with the package, or an
            address of one.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    path = files.path_of(located(path))
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise FileNotFoundError(
            f"`{path}` does not exist; expected a .keras file or a folder with a model.keras, or one of the names "
            f"{', '.join(shipped.models())}."
        )
    return path


def push(folder: str | os.PathLike, address: str) -> None:
    """Uploads a trained model to a repository of one's own, where everybody who may read it can load it.

    All that a run made of the model goes there: weights, exports, card, figures and picture. Who may write is up to the
    library of the site: `hf auth login`, or `kagglehub.login()`. A repository that is not there yet is made, and is
    private; the site's pages make it public.

    Example:

    ```python
    keras_gen.push("runs/mine", "hf://user/name")
    keras_gen.load_model("hf://user/name")
    ```

    Args:
        folder: folder of a finished run, or the name of a model that comes with the package.
        address: `hf://user/name` or `kaggle://user/model/keras/variation`.

    Raises:
        FileNotFoundError: if the folder holds no finished run.
        OSError: with one sentence, if the site does not answer, or refuses.
        ValueError: if it is no such address, or the library is not installed.
    """
    site, library, handle = opened(address)
    folder = files.local_copy(shipped.located(folder))
    for name in ("model.keras", "README.md"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"`folder` {folder} holds no finished run: there is no {name}.")
    with tempfile.TemporaryDirectory() as copy:
        copy_parts(folder, pathlib.Path(copy))
        if (folder / "saved_model").is_dir():
            shutil.copytree(folder / "saved_model", pathlib.Path(copy, "saved_model"))
        try:
            site.upload(library, copy, handle)
        except site.failures(library) as error:
            raise OSError(f"`{address}` could not be written: {first_line(error)}") from error


def copy_parts(folder: pathlib.Path, place: pathlib.Path) -> None:
    """Copies the files of a model, but no folders, into another folder; where its run was is left out of them."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and any(fnmatch.fnmatch(path.name, pattern) for pattern in PARTS):
            shutil.copy(path, place / path.name)
    for path in filter(pathlib.Path.is_file, (place / "config.json", place / "metrics.json")):
        told = read_json(path)
        if "folder" in told.get("arguments", {}):
            files.write_json(path, {**told, "arguments": {**told["arguments"], "folder": None}})


def located(name: str | os.PathLike) -> str | os.PathLike:
    """Returns the folder of a model, given its name or its address; and a path, or anything else, as it is."""
    return downloaded(str(name)) if is_address(name) else shipped.located(name)


def first_line(error: Exception) -> str:
    """Returns the first line of an error that says something, or what kind of error it is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
