"""`load_captioned`: loads a folder of images and a file of captions as `CaptionedSplits`."""

import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_gen import checks
from keras_gen.data.captions import CaptionedSplits, captioned
from keras_gen.data.columns import three_splits
from keras_gen.data.loading import load
from keras_gen.data.readers.folders import SPLIT_NAMES, split_folders
from keras_gen.data.readers.images import IMAGE_SUFFIXES, image_column
from keras_gen.data.splits import Source, Splits
from keras_gen.files import check_folder, local_copy
from keras_gen.spaces import ClassLabel, Space, Text


def load_captioned(
    name: str | os.PathLike,
    captions: str | os.PathLike = "captions.jsonl",
    *,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 64,
    seed: int = 0,
    shard: tuple[int, int] = (0, 1),
) -> CaptionedSplits:
    """Loads a folder of images with captions, as columns "x", "condition" and, if there are classes, "label".

    Each line of the file of captions is a JSON object such as

    ```json
    {"file": "train/red_bird.png", "captions": ["a red bird", "a bird with red wings"], "label": 3}
    ```

    with the path of an image inside the folder and one or several captions. A batch holds one of them, as described in
    `CaptionedSplits`. The label, an integer from 0 on, may be omitted, in all lines. Images without a line are not
    used. If files are in subfolders `train`, `val` and `test`, these are the splits; otherwise the files are divided
    80/10/10.

    Args:
        name: folder of the images.
        captions: file of the captions, in UTF-8; a path inside the folder, or any other path.
        image_size: (height, width) that all images are resized to, or one number for a square. None expects images of
            one size.
        batch_size: examples in a batch, over all replicas and workers together.
        seed: seed of the order of the training examples, and of the captions.
        shard: (index, count): keep the examples whose position is `index` modulo `count`.

    Raises:
        FileNotFoundError: if there is no such folder or file of captions, or an image is missing.
        ValueError: if a line is not as described; the message names the file and the line.
    """
    checks.positive_int("batch_size", batch_size)
    folder = local_copy(name)
    check_folder(folder, "name")
    file = captions_file(folder, captions)
    entries = captions_of(file, folder)
    by_split = {}
    for path, entry in entries.items():
        by_split.setdefault(split_of(path, folder, file), {})[path] = entry
    images, space, _ = image_column({split: list(found) for split, found in by_split.items()}, image_size)
    most = max(len(texts) for texts, _ in entries.values())
    has_labels = next(iter(entries.values()))[1] is not None
    found = {}
    for split, lines in by_split.items():
        texts = np.full((len(lines), most), "", object)
        for row, (own, _) in enumerate(lines.values()):
            texts[row, : len(own)] = own
        labels = {"label": np.array([label for _, label in lines.values()], np.int32)} if has_labels else {}
        found[split] = {"x": images[split], "condition": texts, **labels}
    found = three_splits(found, folder.name)
    spaces = {"x": space, "condition": Text(max(len(text) for texts, _ in entries.values() for text in texts))}
    if has_labels:
        spaces["label"] = ClassLabel(1 + max(label for _, label in entries.values()))
    sources = {split: Source.from_columns(columns) for split, columns in found.items()}
    return CaptionedSplits(folder.name, spaces, "none", batch_size, seed, sources, shard)


def load_captions(
    name: str | os.PathLike,
    captions: str | os.PathLike | None = None,
    *,
    placed: bool = True,
    held_out: Sequence[str] = (),
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    **arguments,
) -> CaptionedSplits:
    """Loads images with captions: a folder and its file of captions, or digits with generated captions.

    Args:
        name: folder of the images; without a file of captions, a set of digits known to `load`.
        captions: as in `load_captioned`; None for captions written by `captioned`.
        placed: as in `captioned`.
        held_out: as in `captioned`.
        image_size: as in `load` and `load_captioned`.
        seed: seed of the order of the training examples, and of the captions.
        **arguments: `batch_size` and `shard`, as in `load`.

    Raises:
        FileNotFoundError: as in `load` and `load_captioned`.
        ValueError: as in these and `captioned`.
    """
    if captions is not None:
        return load_captioned(name, captions, image_size=image_size, seed=seed, **arguments)
    digits = load(name, labels=True, image_size=image_size, seed=seed, **arguments)
    return captioned(digits, placed=placed, held_out=held_out, seed=seed)


def load_conditioned(name: str | os.PathLike, condition_space: Space | None, *, labels: bool, **arguments) -> Splits:
    """Loads a set with a model's conditions: with captions by `load_captions`, otherwise by `load`.

    Args:
        name: as in these functions.
        condition_space: what the model is conditioned on; None for nothing.
        labels: whether to load labels if the conditions are not captions.
        **arguments: further arguments of these functions.

    Raises:
        FileNotFoundError: as in these functions.
        ValueError: as in these functions.
    """
    if isinstance(condition_space, Text):
        return load_captions(name, **arguments).without_labels()
    return load(name, labels=labels, **arguments)


def captions_file(folder: pathlib.Path, captions: str | os.PathLike) -> pathlib.Path:
    """Returns the file of captions of a folder: a path inside it, or any other path.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    file = folder / pathlib.Path(captions).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"`captions`: there is no file {file}.")
    return file


def captions_of(file: pathlib.Path, folder: pathlib.Path) -> dict[pathlib.Path, tuple[list[str], int | None]]:
    """Reads the captions and the label (or None) of each image.

    Raises:
        FileNotFoundError: if an image is missing.
        ValueError: if a line is not as described in `load_captioned`.
    """
    entries = {}
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"`captions`: {file} is not in UTF-8 ({error}).") from None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"`captions`: line {number} of {file}"
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{place} is not JSON ({error}).") from None
        if not isinstance(found, dict) or not isinstance(found.get("file"), str):
            raise ValueError(f'{place} must be an object with the path of an image as "file", received {line.strip()}.')
        texts, label = found.get("captions"), found.get("label")
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t.strip() for t in texts):
            raise ValueError(
                f'{place} must have a list of texts, none of them empty, as "captions", received {texts!r}.'
            )
        if label is not None and (isinstance(label, bool) or not isinstance(label, int) or label < 0):
            raise ValueError(f'{place} must have a whole number from 0 on as "label", or none, received {label!r}.')
        path = folder / found["file"]
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            raise ValueError(f"{place} names {found['file']}, which is no image ({', '.join(IMAGE_SUFFIXES)}).")
        if not path.is_file():
            raise FileNotFoundError(f"{place} names {found['file']}, which is not in {folder}.")
        if path in entries:
            raise ValueError(f"{place} names {found['file']}, which an earlier line names, too.")
        if entries and (label is None) != (next(iter(entries.values()))[1] is None):
            raise ValueError(f'{place} has {"no" if label is None else "a"} "label", unlike the lines before it.')
        entries[path] = texts, label
    if not entries:
        raise ValueError(f"`captions`: {file} holds no line; at least one is expected.")
    return entries


def split_of(path: pathlib.Path, folder: pathlib.Path, file: pathlib.Path) -> str:
    """Returns the split that an image belongs to, or "all" in an undivided folder."""
    if "train" not in split_folders(folder):
        return "all"
    first = path.relative_to(folder).parts[0]
    for split, names in SPLIT_NAMES.items():
        if first.lower() in names:
            return split
    raise ValueError(f"`captions`: {file} names {path.relative_to(folder)}, which is in none of train, val and test.")
