"""Files and folders that appear whole or not at all, and what is written to them."""

import contextlib
import json
import math
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator


def json_text(value) -> str:
    """Returns figures as JSON that every reader accepts: a number that is not finite, which JSON lacks, is null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value):
    """Returns nested dicts and lists with None for floats that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a path to write to, which becomes `path` when the block ends without an error.

    The file is written beside `path`, with the same suffix; an error leaves nothing behind, and `path` as it was.

    Raises:
        OSError: with one sentence, if the folder cannot be written to.
    """
    path = pathlib.Path(path)
    with _written_beside(path) as folder:
        temporary = folder / path.name
        yield temporary
        os.replace(temporary, path)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty folder to fill, which becomes `path`, not there before, when the block ends without an error."""
    path = pathlib.Path(path)
    with _written_beside(path) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        os.rename(temporary, path)


@contextlib.contextmanager
def _written_beside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a hidden folder on the same disk as `path`, and removes it at the end."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise type(error)(f"cannot write {path}: {error.strerror or error}.") from None
    try:
        yield folder
    except OSError as error:
        raise type(error)(f"cannot write {path}: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
