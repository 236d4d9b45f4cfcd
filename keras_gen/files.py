"""Files and folders, local or in a store, which appear whole or not at all.

A path that begins with a protocol, such as `s3://bucket/run`, is in a store. Libraries that write files know nothing of
stores: they write or read a local file, which is copied to or from the store.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import math
import os
import pathlib
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator

#: Number of bytes read at once, and of those of a file, about, that a fingerprint depends on.
BLOCK, MOST_HASHED = 2**20, 2**28


def json_text(value) -> str:
    """Returns figures as JSON that every reader accepts: numbers that are not finite, which JSON lacks, become null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value):
    """Returns nested dicts and lists with None for floats that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def path_of(path: str | os.PathLike) -> pathlib.Path:
    """Returns a local path or, if it begins with a protocol, a path in a store, which has the same methods.

    Raises:
        ValueError: if there is no such protocol, or its library is not installed.
    """
    if "://" not in str(path):
        return pathlib.Path(path)
    try:
        import upath

        found = upath.UPath(path)
        # By now the store's library is loaded, or missing.
        _ = found.fs
    except (ImportError, ValueError) as error:
        raise ValueError(
            f"`{path}` cannot be reached ({error}); stores need `pip install keras_gen[stores]` and a library of "
            "their own, such as s3fs or gcsfs."
        ) from None
    return found


def check_exists(name: str | os.PathLike, argument: str = "name") -> None:
    """Raises an error if a name that can only be a path, not a data set or a pattern, leads to nothing.

    Args:
        name: name of the data.
        argument: name of the argument in the error.

    Raises:
        FileNotFoundError: if it can only be a local path, and that path does not exist.
    """
    text = str(name)
    could_be_other = "://" in text or "*" in text or re.fullmatch(r"\w+(/[\w.-]+)?(:[\w.*]+)?", text)
    if not could_be_other and not pathlib.Path(text).expanduser().exists():
        raise FileNotFoundError(f"`{argument}`: there is no file or folder {text}.")


def check_folder(path, argument: str) -> None:
    """Raises FileNotFoundError, which names an argument, if a path from `path_of` is not a folder."""
    if not (path.expanduser() if is_local(path) else path).is_dir():
        raise FileNotFoundError(f"`{argument}`: there is no folder {path}.")


def is_local(path) -> bool:
    """Returns whether a path from `path_of` is on this machine."""
    return isinstance(path, pathlib.PurePath)


@contextlib.contextmanager
def local_file(path) -> Iterator[pathlib.Path]:
    """Yields a local file to read: the file itself, or a copy of one in a store.

    Raises:
        FileNotFoundError: if the store has no such file.
    """
    if is_local(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, path.name)
        path.fs.get_file(path.path, str(copy))
        yield copy


def local_copy(path: str | os.PathLike) -> pathlib.Path:
    """Returns a local file or folder of data; one in a store is copied, once for each state of it.

    Raises:
        FileNotFoundError: if the store has nothing under that name.
    """
    path = path_of(path)
    if is_local(path):
        return path.expanduser()
    found = path.fs.find(path.path, detail=True)
    if not found:
        raise FileNotFoundError(f"there is nothing at {path}.")

    def copy_into(folder):
        num_bytes = sum(info["size"] or 0 for info in found.values())
        print(f"copying {path} ({len(found):,} files, {num_bytes:,} bytes)", file=sys.stderr, flush=True)
        targets = [str(folder / path.name / pathlib.PurePosixPath(name).relative_to(path.path)) for name in found]
        for target in targets:
            pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
        # All in parallel: stores answer many requests at the same time.
        path.fs.get(list(found), targets)

    return cached(str(path), found, copy_into) / path.name


def cached(name: str, state, write: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """Returns a folder with what was made from some data, and makes it if there is none for their present state.

    It is in `$KERAS_GEN_CACHE`, by default `~/.cache/keras_gen`. Folders made from another state are removed.

    Args:
        name: what was made, and from which data.
        state: a value, representable as JSON, that changes when the data do.
        write: function that fills an empty folder.

    Raises:
        OSError: with one sentence, if the folder cannot be written to.
    """
    cache = pathlib.Path(os.environ.get("KERAS_GEN_CACHE", "~/.cache/keras_gen")).expanduser()
    place = cache / short_hash(name)
    folder = place / short_hash(json.dumps(state, sort_keys=True, default=str))
    if not folder.exists():
        make_once(folder, write)
        for old in place.iterdir():
            # Names that begin with a dot are still being written.
            if old != folder and not old.name.startswith("."):
                shutil.rmtree(old, ignore_errors=True)
    return folder


def make_once(folder: pathlib.Path, write: Callable[[pathlib.Path], None]) -> None:
    """Makes a folder that does not exist; if several processes make it at the same time, the first one's stays.

    Removes what killed processes of this machine have left beside it.

    Args:
        folder: the folder.
        write: function that fills an empty folder, with the same files in each process.

    Raises:
        OSError: with one sentence, if the folder cannot be written to.
    """
    for left in folder.parent.glob(f".*-{_machine()}-*-*"):
        if not _is_running(int(left.name.split("-")[-2])):
            shutil.rmtree(left, ignore_errors=True)
    try:
        with atomic_folder(folder) as beside:
            write(beside)
    except OSError:
        # Another process has made it in the meantime.
        if not folder.exists():
            raise


def _machine() -> str:
    """Returns the identifier of this machine in the names of folders."""
    return short_hash(platform.node())


def _is_running(process: int) -> bool:
    """Returns whether a process of this machine may still be running; true if that cannot be determined."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It belongs to another user.
        pass
    return True


def short_hash(text: str) -> str:
    """Returns 16 hexadecimal digits that identify a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(name: str | os.PathLike) -> str | None:
    """Returns 16 hexadecimal digits that identify the contents of a local file, or the files of a folder.

    Of files larger than `MOST_HASHED` only evenly spaced blocks count, and of those in a folder names and sizes.

    Args:
        name: path of the file or folder; None is returned for anything else, such as a path in a store.
    """
    path, found = path_of(name), hashlib.sha256()
    if not is_local(path):
        return None
    path = path.expanduser()
    if path.is_file():
        size = path.stat().st_size
        with path.open("rb") as file:
            for start in range(0, size, BLOCK * max(1, size // MOST_HASHED)):
                file.seek(start)
                found.update(file.read(BLOCK))
        found.update(str(size).encode())
    elif path.is_dir():
        # One question to the system for each file: there may be a million.
        sizes, folders, start = {}, [path], len(os.path.join(path, ""))
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file():
                        sizes[entry.path[start:]] = entry.stat().st_size
        found.update(json.dumps(sorted(sizes.items())).encode())
    else:
        return None
    return found.hexdigest()[:16]


def read_ahead(parts: Iterator) -> Iterator:
    """Yields the parts of an iterator; a thread reads the next part while the previous one is processed."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = thread.submit(next, parts, None)
            yield part


def upload(folder: pathlib.Path, path) -> None:
    """Copies all files of a folder to a folder in a store; files directly in the folder come last."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    files.sort(key=lambda file: (file.parent == folder, file))
    for file in files:
        path.fs.put_file(str(file), (path / file.relative_to(folder).as_posix()).path)


def remove_folder(path) -> None:
    """Removes a folder and everything in it."""
    if is_local(path):
        shutil.rmtree(path)
    else:
        path.fs.rm(path.path, recursive=True)


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a path to write to, which becomes `path` when the block ends without an error.

    The file is written beside `path`, with the same suffix; after an error nothing is left of it, and `path` is
    unchanged. A file in a store is written locally, then copied: an object store shows it only when it is whole.

    Raises:
        OSError: with one sentence, if the folder cannot be written to.
    """
    path = path_of(path)
    with _written_beside(path) as folder:
        temporary = folder / path.name
        yield temporary
        if is_local(path):
            os.replace(temporary, path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.fs.put_file(str(temporary), path.path)


def write_json(path: str | os.PathLike, value) -> None:
    """Writes figures, formatted by `json_text`, to a JSON file, which appears whole."""
    with atomic_file(path) as beside:
        beside.write_text(json_text(value) + "\n", encoding="utf-8")


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty folder to fill, which becomes the new folder `path` when the block ends without an error.

    In a store, its files appear one after the other, subfolders first.
    """
    path = path_of(path)
    with _written_beside(path) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        if is_local(path):
            os.rename(temporary, path)
        else:
            upload(temporary, path)


@contextlib.contextmanager
def _written_beside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a hidden folder on the same disk as `path`, or any folder for a store, and removes it at the end.

    Its name contains the machine and the process, by which `make_once` recognises what a killed process has left.
    """
    # Random characters may hold an underscore, but no hyphen. The start of a long name is enough.
    prefix = f".{path.name[:40]}-{_machine()}-{os.getpid()}-"
    try:
        if is_local(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent if is_local(path) else None))
    except OSError as error:
        raise type(error)(f"cannot write {path}: {error.strerror or error}.") from None
    try:
        yield folder
    except OSError as error:
        raise type(error)(f"cannot write {path}: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
