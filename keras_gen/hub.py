"""Models at Hugging Face and Kaggle, through the libraries of these sites.

`hf://user/name`, optionally with a branch, tag or commit as in `hf://user/name@v1`, and
`kaggle://user/model/keras/variation`, optionally followed by a version number, can be used in place of the folder of a
trained model. The download consists of a card, figures and weights: `load_model` reads it like any other file, and no
code is run.
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

#: Name patterns of the files of a model. The other files of a run belong to the training.
PARTS = ("README.md", "SHA256SUMS", "*.json", "samples.png", "samples.wav", "model.keras", "model.tflite")


class HuggingFace:
    """Repositories of huggingface.co, by names such as "user/name" or "user/name@revision"."""

    library = "huggingface_hub"
    handle = "hf://user/name"

    @staticmethod
    def failures(library: types.ModuleType) -> tuple[type[Exception], ...]:
        """Returns the exceptions that the library raises if the site does not answer or refuses."""
        return (OSError, ValueError, library.errors.HTTPError)

    @staticmethod
    def download(library: types.ModuleType, handle: str) -> str:
        """Copies a model into the library's cache, unless it is already there, and returns its folder."""
        name, _, revision = handle.partition("@")
        return library.snapshot_download(name, revision=revision or None, allow_patterns=list(PARTS))

    @staticmethod
    def upload(library: types.ModuleType, folder: str, handle: str):
        """Adds a commit with all files of a folder; a repository that does not exist is created as a private one."""
        name, _, revision = handle.partition("@")
        library.create_repo(name, exist_ok=True, private=True)
        library.upload_folder(repo_id=name, folder_path=folder, revision=revision or None)


class Kaggle:
    """Models of kaggle.com, by names such as "user/model/keras/variation"."""

    library = "kagglehub"
    handle = "kaggle://user/model/keras/variation"

    @staticmethod
    def failures(library: types.ModuleType) -> tuple[type[Exception], ...]:
        """Returns the exceptions that the library raises if the site does not answer or refuses."""
        names = ("BackendError", "CredentialError", "DataCorruptionError", "NotFoundError", "UnauthenticatedError")
        return (OSError, ValueError, *(getattr(library.exceptions, name) for name in names))

    @staticmethod
    def download(library: types.ModuleType, handle: str) -> str:
        """Copies a model into the library's cache, unless it is already there, and returns its folder."""
        return library.model_download(handle)

    @staticmethod
    def upload(library: types.ModuleType, folder: str, handle: str):
        """Adds a version with all files of a folder; a model that does not exist is created as a private one."""
        library.model_upload(handle, folder)


SITES = {"hf": HuggingFace, "kaggle": Kaggle}


def is_address(name) -> bool:
    """Returns whether a name is the address of a model at one of the sites."""
    return str(name).split("://")[0] in SITES and "://" in str(name)


def opened(address: str) -> tuple[type, types.ModuleType, str]:
    """Returns the site of an address, its library, and the library's name of the model.

    Raises:
        ValueError: if it is not such an address, or the library is not installed.
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
    """Downloads a model once, into the cache of the site's library, and returns its folder.

    Raises:
        OSError: with one sentence, if the site has no such model, or does not answer and the cache lacks it.
        ValueError: if it is not such an address, or the library is not installed.
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
    """Uploads a trained model to your repository, where everybody with read access can load it.

    The upload contains everything a run made of the model: weights, exports, card, figures and picture. The site's
    library handles write access: `hf auth login`, or `kagglehub.login()`. A repository that does not exist yet is
    created as a private one; it can be made public on the site's pages.

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
        ValueError: if it is not such an address, or the library is not installed.
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
    """Copies the files of a model, without folders, to another folder; omits from them where its run was."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and any(fnmatch.fnmatch(path.name, pattern) for pattern in PARTS):
            shutil.copy(path, place / path.name)
    for path in filter(pathlib.Path.is_file, (place / "config.json", place / "metrics.json")):
        told = read_json(path)
        if "folder" in told.get("arguments", {}):
            files.write_json(path, {**told, "arguments": {**told["arguments"], "folder": None}})


def located(name: str | os.PathLike) -> str | os.PathLike:
    """Returns the folder of a model, given its name or address; returns a path, or anything else, unchanged."""
    return downloaded(str(name)) if is_address(name) else shipped.located(name)


def first_line(error: Exception) -> str:
    """Returns the first non-empty line of an error's message, or the type of the error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
