"""Folders of images or sounds, whose subfolders are splits and classes."""

import itertools
import os
import pathlib
import sys

import numpy as np

from keras_gen.console import counted
from keras_gen.data.columns import Reading
from keras_gen.data.readers.images import IMAGE_SUFFIXES, read_images
from keras_gen.data.readers.sounds import read_sounds

#: Maps each split to the names that its subfolder may have, in upper or lower case.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}

#: Files of sound and of images that are not read, by their extensions, in lower case.
OTHER_SOUNDS = (".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".au", ".caf")
OTHER_IMAGES = (
    *(".ppm", ".pgm", ".pbm", ".tga", ".jp2", ".jxl", ".svg", ".psd", ".ico", ".exr", ".hdr", ".dcm"),
    *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".rw2", ".orf"),
)

#: Largest number of files that a note names.
NAMED_FILES = 5


def split_folders(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the subfolders of a folder for each split that has any."""
    subfolders = [folder / name for name in sorted(os.listdir(folder)) if (folder / name).is_dir()]
    by_split = {
        split: [found for found in subfolders if found.name.lower() in names] for split, names in SPLIT_NAMES.items()
    }
    return {split: found for split, found in by_split.items() if found}


def split_names(folder: pathlib.Path) -> list[str]:
    """Returns the names of the subfolders of a folder that are splits."""
    return sorted(found.name for found in itertools.chain.from_iterable(split_folders(folder).values()))


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
        ValueError: if there are no files, or files of both kinds, or none of training where there are others.
    """
    found = files_by_split(folder, (".wav", *IMAGE_SUFFIXES, *OTHER_SOUNDS, *OTHER_IMAGES))
    sounds, images, other_sounds, other_images = (
        {split: kept for split, files in found.items() if (kept := of_kind(files, suffixes))}
        for suffixes in ((".wav",), IMAGE_SUFFIXES, OTHER_SOUNDS, OTHER_IMAGES)
    )
    if not sounds and not images:
        others = [path for by_split in (other_sounds, other_images) for files in by_split.values() for path in files]
        instead = f"; {named_files(others)} must be converted first" if others else ""
        raise ValueError(
            f"`name`: the folder {folder} holds no image ({', '.join(IMAGE_SUFFIXES)}) and no .wav file{instead}."
        )
    if sounds and images:
        raise ValueError(f"`name`: the folder {folder} holds both images and WAV files; one of them is expected.")
    check_that_some_train(folder, found)
    files, others = (sounds, other_sounds) if sounds else (images, other_images)
    left_out = [path for found in others.values() for path in found]
    if left_out:
        kinds = ".wav" if sounds else ", ".join(IMAGE_SUFFIXES)
        note(f"left out {named_files(left_out)}: only {kinds} are read.")
    if outside := files_outside(folder, files, (".wav",) if sounds else IMAGE_SUFFIXES):
        note(
            f"left out {named_files(outside)}, which {'is' if len(outside) == 1 else 'are'} in no subfolder of a split."
        )
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


def of_kind(files: dict[str, str], suffixes: tuple[str, ...]) -> dict[str, str]:
    """Returns the paths that end in one of the suffixes, with their values."""
    return {path: name for path, name in files.items() if path.lower().endswith(suffixes)}


def note(sentence: str) -> None:
    """Prints a sentence about what was read."""
    print(sentence, file=sys.stderr, flush=True)


def named_files(paths: list[str]) -> str:
    """Returns how many files there are and the names of the first ones."""
    shown = ", ".join(sorted(paths)[:NAMED_FILES]) + (", …" if len(paths) > NAMED_FILES else "")
    return f"{counted(len(paths), 'file')} ({shown})"


def check_that_some_train(folder: pathlib.Path, files: dict[str, dict[str, str]]) -> None:
    """Raises an error if all files of an undivided folder are in subfolders named like splits, none of it `train`.

    Args:
        folder: the folder.
        files: what `files_by_split` returns.

    Raises:
        ValueError: if they are.
    """
    if "all" not in files:
        return
    names = split_names(folder)
    if all(os.path.relpath(path, folder).split(os.sep)[0] in names for path in files["all"]):
        raise without_train(folder)


def without_train(folder: pathlib.Path) -> ValueError:
    """Returns the error about a folder whose subfolders are named like splits, none of them for training."""
    names = " and ".join(split_names(folder))
    return ValueError(
        f"`name`: the folder {folder} holds {names}, but no train; a subfolder train is expected beside "
        "them, or the path of one of them, which is then divided itself."
    )


def files_outside(folder: pathlib.Path, files: dict[str, dict[str, str]], suffixes: tuple[str, ...]) -> list[str]:
    """Returns the files of a divided folder that are in none of its splits."""
    if "all" in files:
        return []
    splits = split_names(folder)
    others = [name for name in os.listdir(folder) if is_shown(name) and name not in splits]
    subfolders = {name for name in others if (folder / name).is_dir()}
    beside = [os.path.join(folder, name) for name in others if name not in subfolders]
    found = [path for path in beside if path.lower().endswith(suffixes)]
    below = [files_below(folder / name, suffixes) for name in subfolders if not leads_up(folder, name)]
    return [*found, *itertools.chain.from_iterable(below)]


def files_by_split(folder: pathlib.Path, suffixes: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Finds the files with one of the suffixes, by split: path to the name of the subfolder that contains the file.

    For files directly in the folder, or in one of its subfolders `train`, `val` and `test`, this name is "".
    """
    roots = split_folders(folder)
    if "train" not in roots:
        roots = {"all": [folder]}
    files = {}
    for split, folders in roots.items():
        for root in folders:
            if found := files_below(root, suffixes):
                files[split] = found
    return files


def files_below(root: pathlib.Path, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Finds the files with one of the suffixes in a folder and its subfolders, in order.

    Paths are strings: for a hundred thousand files, `pathlib` would take seconds. Hidden files and folders and the
    metadata of macOS are left out; links are followed.

    Returns:
        Path to the name of the subfolder that contains the file, "" for none.
    """
    entries = []
    for place, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if is_shown(name) and not leads_up(place, name)]
        parts = pathlib.Path(place).relative_to(root).parts
        subfolder, start = "/".join(parts), os.path.join(place, "")
        # Sorts by the parts of paths in turn, like strings with the smallest character between the parts.
        first = "".join(part + "\0" for part in parts)
        entries += [
            (first + name, start + name, subfolder)
            for name in names
            if name.lower().endswith(suffixes) and is_shown(name)
        ]
    entries.sort()
    return {path: subfolder for _, path, subfolder in entries}


def is_shown(name: str) -> bool:
    """Returns whether a file or folder is neither hidden nor a folder of macOS metadata."""
    return not name.startswith(".") and name != "__MACOSX"


def leads_up(place: str, name: str) -> bool:
    """Returns whether an entry of a folder is a link to that folder or to one that contains it."""
    path = os.path.join(place, name)
    if not os.path.islink(path):
        return False
    here, there = os.path.realpath(place), os.path.realpath(path)
    return os.path.commonpath([here, there]) == there
