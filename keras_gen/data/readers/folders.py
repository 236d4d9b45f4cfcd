"""Folders of images or sounds, whose subfolders are splits and classes."""

import os
import pathlib

import numpy as np

from keras_gen.data.columns import Reading
from keras_gen.data.readers.images import IMAGE_SUFFIXES, read_images
from keras_gen.data.readers.sounds import read_sounds

#: Maps each split to the names that its subfolder may have.
SPLIT_NAMES = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}


def read_folder(
    folder: pathlib.Path, *, image_size, audio_length: int | None, channels: int | None, bad_files: str
) -> Reading:
    """Reads a folder of images or WAV files; if every file is in a subfolder, the subfolders are the classes.

    Args:
        folder: the folder.
        image_size: as in `data.load`.
        audio_length: as in `data.load`.
        channels: as in `data.load`.
        bad_files: as in `data.load`.

    Raises:
        ValueError: if there are no files, or files of both kinds.
    """
    found = files_by_split(folder, (".wav", *IMAGE_SUFFIXES))
    sounds, images = (
        {split: kept for split, files in found.items() if (kept := of_kind(files, is_sound))}
        for is_sound in (True, False)
    )
    if not sounds and not images:
        raise ValueError(f"`name`: the folder {folder} holds no image ({', '.join(IMAGE_SUFFIXES)}) and no .wav file.")
    if sounds and images:
        raise ValueError(f"`name`: the folder {folder} holds both images and WAV files; one of them is expected.")
    files = sounds or images
    paths = {split: list(found) for split, found in files.items()}
    if sounds:
        reading = read_sounds(paths, audio_length)
    else:
        reading, paths = read_images(paths, image_size, channels, bad_files)
    classes = sorted({name for found in files.values() for name in found.values()})
    if "" in classes:
        return reading
    index = {name: number for number, name in enumerate(classes)}
    labels = {split: np.array([index[files[split][path]] for path in kept]) for split, kept in paths.items()}
    return reading.labelled(labels, len(classes), tuple(classes))


def of_kind(files: dict[str, str], is_sound: bool) -> dict[str, str]:
    """Returns the paths that are sounds, or those that are not, with their values."""
    return {path: name for path, name in files.items() if (path[-4:].lower() == ".wav") == is_sound}


def files_by_split(folder: pathlib.Path, suffixes: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Finds the files with one of the suffixes, by split: path to the name of the subfolder that contains the file.

    For files directly in the folder, or in one of its subfolders `train`, `val` and `test`, this name is "". Paths are
    strings: for a hundred thousand files, `pathlib` would take seconds.
    """
    roots = {split: [folder / name for name in names] for split, names in SPLIT_NAMES.items()}
    if not (folder / "train").is_dir():
        roots = {"all": [folder]}
    files = {}
    for split, folders in roots.items():
        for root in folders:
            entries = []
            for place, _, names in os.walk(root):
                parts = pathlib.Path(place).relative_to(root).parts
                subfolder, start = "/".join(parts), os.path.join(place, "")
                # Sorts by the parts of paths in turn, like strings with the smallest character between the parts.
                first = "".join(part + "\0" for part in parts)
                # macOS stores metadata in files whose names begin with `._`.
                entries += [
                    (first + name, start + name, subfolder)
                    for name in names
                    if name.lower().endswith(suffixes) and not name.startswith("._")
                ]
            if entries:
                entries.sort()
                files[split] = {path: subfolder for _, path, subfolder in entries}
    return files
