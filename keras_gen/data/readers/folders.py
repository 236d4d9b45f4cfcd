"""Folders of images or of sounds, whose subfolders are splits and classes."""

import os
import pathlib

import numpy as np

from keras_gen.data.columns import Reading
from keras_gen.data.readers.images import IMAGE_SUFFIXES, read_images
from keras_gen.data.readers.sounds import read_sounds

#: Split to the names that its subfolder may have.
SPLIT_NAMES = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}


def read_folder(
    folder: pathlib.Path, *, image_size, audio_length: int | None, channels: int | None, bad_files: str
) -> Reading:
    """Reads a folder of images or of WAV files; where every file lies in a subfolder, these are the classes.

    Args:
        folder: the folder.
        image_size: as in `data.load`.
        audio_length: as in `data.load`.
        channels: as in `data.load`.
        bad_files: as in `data.load`.

    Raises:
        ValueError: if there are no files, or of both kinds.
    """
    found = files_by_split(folder, (".wav", *IMAGE_SUFFIXES))
    sounds, images = {}, {}
    for split, files in found.items():
        for path, name in files.items():
            kind = sounds if path.suffix.lower() == ".wav" else images
            kind.setdefault(split, {})[path] = name
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


def files_by_split(folder: pathlib.Path, suffixes: tuple[str, ...]) -> dict[str, dict[pathlib.Path, str]]:
    """Finds the files with one of the suffixes, and for each the name of the subfolder that it lies in.

    Files right in the folder, or in one of its subfolders `train`, `val` and `test`, lie in none, which is "".
    """
    roots = {split: [folder / name for name in names] for split, names in SPLIT_NAMES.items()}
    if not (folder / "train").is_dir():
        roots = {"all": [folder]}
    files = {}
    for split, folders in roots.items():
        for root in folders:
            # Quicker than `rglob` and than comparing paths, by which a hundred thousand files take seconds.
            entries = []
            for place, _, names in os.walk(root):
                parts = pathlib.Path(place).relative_to(root).parts
                # macOS keeps notes in files whose names begin with `._`.
                entries += [
                    ((*parts, name), os.path.join(place, name))
                    for name in names
                    if os.path.splitext(name)[1].lower() in suffixes and not name.startswith("._")
                ]
            for parts, path in sorted(entries):
                files.setdefault(split, {})[pathlib.Path(path)] = "/".join(parts[:-1])
    return files
