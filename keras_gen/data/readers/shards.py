"""Shards of records: TFRecord and ArrayRecord files of `tf.train.Example`s with images, sounds or numbers."""

import concurrent.futures
import dataclasses
import gzip
import io
import itertools
import math
import os
import pathlib
import re
import shutil

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from keras_gen import checks
from keras_gen.console import tracked
from keras_gen.data import columns as data_columns
from keras_gen.data.columns import Reading
from keras_gen.data.readers.features import (
    RATE_NAME,
    ROWS_AT_ONCE,
    ImageRecords,
    NumberRecords,
    SoundFeature,
    SoundRecords,
    TableRecords,
    contents_of,
    numbers_of,
)
from keras_gen.data.readers.folders import SPLIT_NAMES, split_folders, without_train
from keras_gen.data.readers.images import Header, common_shape, full_size, header_of
from keras_gen.data.readers.sounds import reading_of
from keras_gen.data.readers.tables import chosen_columns
from keras_gen.data.records import ArrayRecordFiles, RecordFiles, name_of_record, record_files, state_of
from keras_gen.data.stored import StoredRows
from keras_gen.files import cached
from keras_gen.spaces import Levels

#: Ending of the name of a shard: `a.tfrecord`, `a-00000-of-00010.tfrecord.gz`, `a.array_record-00000-of-00010`.
ENDING = re.compile(r"\.(tfrecords?(\.gz)?|array_record)(-\d+-of-\d+)?$")

#: The number of a shard, and the number of shards.
NUMBER = re.compile(r"-(\d+)-of-(\d+)")

#: Number of images of a set whose headers are read before training.
FIRST_HEADERS = 1000

#: Features with these names are taken as labels of images if there are several integers.
LABEL_NAMES = ("label", "image/class/label")

#: Lists of numbers with these names, alone or after a slash, are sounds.
SOUND_NAMES = ("audio", "waveform", "sound")

#: The first bytes of a WAV file, and the bytes from the eighth on.
WAV_FILES, WAVE = (b"RIFF", b"RIFX", b"RF64"), b"WAVE"


def is_shard(name: str) -> bool:
    """Returns whether a file name is that of a shard."""
    return ENDING.search(name) is not None and not name.startswith(".")


def shards_at(path: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the shards that a path refers to, in order, by split; none if the path is something else.

    Args:
        path: a shard; a pattern such as `data/train-*.tfrecord`; or a folder with shards, or with subfolders `train`,
            `val` and `test` of shards. Names such as `train-00000-of-00010.tfrecord` also indicate the split.

    Raises:
        FileNotFoundError: if one of several shards is missing.
        ValueError: if some names indicate a split and others do not, or files have two formats.
    """
    if path.is_dir():
        by_folder = {
            split: [file for folder in folders for file in shards_in(folder)]
            for split, folders in split_folders(path).items()
        }
        found = {split: files for split, files in by_folder.items() if files}
        if "train" not in found:
            if found and not shards_in(path):
                raise without_train(path)
            found = by_name(shards_in(path))
    elif "*" in path.name and (".tfrecord" in path.name or ".array_record" in path.name):
        found = by_name(sorted(file for file in path.parent.glob(path.name) if is_shard(file.name)))
        if not found:
            raise FileNotFoundError(f"`name`: there is no file {path}.")
    else:
        return {"all": [path]} if is_shard(path.name) else {}
    files = [file for shards in found.values() for file in shards]
    check_complete(files)
    if len({".array_record" in file.name for file in files}) > 1:
        raise ValueError(f"`name`: {path} must hold shards of one format; it holds TFRecord and ArrayRecord files.")
    return found


def holds_shards(folder: pathlib.Path) -> bool:
    """Returns whether a folder, or its subfolder for a split, holds a shard; listing stops at the first one."""
    for place in (folder, *itertools.chain.from_iterable(split_folders(folder).values())):
        with os.scandir(place) as entries:
            if any(is_shard(entry.name) for entry in entries):
                return True
    return False


def shards_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the shards directly in a folder, in order."""
    return [folder / name for name in sorted(filter(is_shard, os.listdir(folder)))]


def by_name(paths: list[pathlib.Path]) -> dict[str, list[pathlib.Path]]:
    """Returns shards by the split that their names indicate; if names indicate none, all of them as "all"."""
    splits = {}
    for path in paths:
        words = re.split(r"\W|_", path.name.lower())
        split = next((split for split, names in SPLIT_NAMES.items() if set(names) & set(words)), "all")
        splits.setdefault(split, []).append(path)
    if "train" in splits and "all" in splits:
        raise ValueError(f"`name`: the name of {splits['all'][0]} must tell its split, as that of others does.")
    if splits.keys() == {"validation", "test"}:
        raise ValueError(
            f"`name`: {paths[0].parent} holds shards of validation and test, but none of train; shards of train are "
            "expected beside them, or a pattern that names those of one split, which is then divided itself."
        )
    return splits if "train" in splits or not paths else {"all": paths}


def check_complete(paths: list[pathlib.Path]) -> None:
    """Raises FileNotFoundError if shards are missing, according to the numbers in the names of others."""
    counted = {}
    for path in paths:
        number = NUMBER.search(path.name)
        if number is not None:
            before, behind = path.name[: number.start()], path.name[number.end(1) :]
            counted.setdefault((path.parent, before, behind), {})[int(number[1])] = number
    for (folder, before, behind), found in counted.items():
        number = next(iter(found.values()))
        for index in range(int(number[2])):
            if index not in found:
                path = folder / f"{before}-{index:0{len(number[1])}}{behind}"
                raise FileNotFoundError(f"`name`: the shard {path} is missing.")


def read_shards(
    paths: dict[str, list[pathlib.Path]],
    *,
    feature: str | None,
    label_feature: str | None,
    labels: bool,
    columns: str | None,
    image_size,
    channels: int | None,
    audio_length: int | None,
) -> Reading:
    """Reads shards of examples; those that do not fit in memory are read whenever they are needed.

    Args:
        paths: split to its shards.
        feature: as in `data.load`.
        label_feature: as in `data.load`.
        labels: whether to read labels.
        columns: as in `data.load`.
        image_size: as in `data.load`.
        channels: as in `data.load`.
        audio_length: as in `data.load`.

    Raises:
        FileNotFoundError: if a shard is missing.
        ValueError: if a shard is truncated, or records hold nothing that can serve as examples.
    """
    files = {split: record_files([unpacked(path) for path in shards]) for split, shards in paths.items()}
    files = {split: found for split, found in files.items() if len(found)}
    if not files:
        raise ValueError(f"`name`: {next(iter(paths.values()))[0]} must hold examples; it holds no record.")
    first = next(iter(files.values()))
    features = features_of(first)
    feature = chosen(features, feature, label_feature, first)
    if feature is None:
        reading = table_of(files, features, label_feature, columns)
    elif kind_of(feature, features) == "image":
        reading = images_of(files, feature, image_size, channels)
    elif kind_of(feature, features) == "sound":
        reading = sounds_of(files, SoundFeature.of(feature, features), audio_length)
    else:
        kind, values = numbers_of(features[feature])
        reading = Reading(
            {
                split: {"x": StoredRows(NumberRecords(records, (len(records), len(values)), feature, np.dtype(kind)))}
                for split, records in files.items()
            }
        )
    reading = dataclasses.replace(reading, options=(*reading.options, "feature", "label_feature"))
    num_bytes = sum(math.prod(by["x"].shape) * by["x"].dtype.itemsize for by in reading.columns.values())
    if num_bytes <= data_columns.MEMORY_LIMIT:
        found = {split: {"x": in_memory(by["x"])} for split, by in reading.columns.items()}
        reading = dataclasses.replace(reading, columns=found)
    if not labels:
        return reading
    label = chosen_label(features, label_feature, feature, first)
    return reading.labelled({split: labels_of(records, label) for split, records in files.items()}, None)


def unpacked(path: pathlib.Path) -> pathlib.Path:
    """Returns an uncompressed shard: the shard itself, or one in the cache, which is written once.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is compressed and damaged.
    """
    if not ENDING.search(path.name)[2]:
        return path

    def write(folder):
        try:
            with gzip.open(path) as packed, (folder / path.name).open("wb") as file:
                shutil.copyfileobj(packed, file)
        except (EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"`name`: the shard {path} is cut short or damaged ({error}).") from None

    return cached(f"unpacked {path}", state_of([path]), write) / path.name


# Features


def features_of(files: RecordFiles | ArrayRecordFiles) -> dict[str, tf.train.Feature]:
    """Returns the features of the first record, by name.

    Raises:
        ValueError: if it is not a `tf.train.Example`.
    """
    try:
        features = dict(tf.train.Example.FromString(files.read(np.array([0]))[0]).features.feature)
    except DecodeError:
        features = {}
    if not features:
        raise ValueError(f"`name`: {name_of_record(files, 0)} must be a tf.train.Example with features.")
    return features


def kind_of(name: str, features: dict[str, tf.train.Feature]) -> str:
    """Returns the kind of a feature: "image", "sound", "list" (of numbers), "number" or "other"."""
    feature = features[name]
    if feature.WhichOneof("kind") == "bytes_list":
        (content, *more) = feature.bytes_list.value or [b""]
        if more:
            return "other"
        if content[:4] in WAV_FILES and content[8:12] == WAVE:
            return "sound"
        return "image" if isinstance(header_of(io.BytesIO(content)), Header) else "other"
    num = len(numbers_of(feature)[1])
    if num < 2:
        return "number" if num else "other"
    is_sound = name.split("/")[-1] in SOUND_NAMES or f"{name}/{RATE_NAME}" in features
    return "sound" if is_sound else "list"


def chosen(
    features: dict[str, tf.train.Feature],
    feature: str | None,
    label: str | None,
    files: RecordFiles | ArrayRecordFiles,
) -> str | None:
    """Returns the name of the feature that holds examples: the only image, sound or list; None for a column of each.

    Args:
        features: the features of a record.
        feature: its name, if it is given.
        label: name of the feature of labels, if it is given.
        files: the records, for errors.

    Raises:
        ValueError: if there are several and none is named, or the named one cannot be used.
    """
    kinds = {name: kind_of(name, features) for name in sorted(features)}
    if feature is not None:
        checks.choice("feature", feature, kinds)
        if kinds[feature] == "other":
            raise ValueError(
                f"`feature` {feature!r} of {files.paths[0]} holds neither an encoded image, such as a PNG file, nor a "
                "WAV file, nor numbers."
            )
        return feature
    found = []
    for kind in ("image", "sound", "list"):
        found = [name for name, other in kinds.items() if other == kind]
        if len(found) == 1:
            return found[0]
        if found:
            break
    if not found and single_numbers(features, label):
        return None
    what = " or ".join(found) or "an encoded image, a WAV file or numbers; there is none among " + ", ".join(kinds)
    raise ValueError(f"`feature` must name what examples of {files.paths[0]} are: {what}; received None.")


def single_numbers(features: dict[str, tf.train.Feature], label: str | None) -> list[str]:
    """Returns the names of the features of one number each, in alphabetical order, without the labels."""
    labels = LABEL_NAMES if label is None else (label,)
    return [name for name in sorted(features) if kind_of(name, features) == "number" and name not in labels]


def chosen_label(
    features: dict[str, tf.train.Feature],
    label: str | None,
    feature: str | None,
    files: RecordFiles | ArrayRecordFiles,
) -> str:
    """Returns the name of the feature that holds labels.

    Args:
        features: the features of a record.
        label: its name, if it is given; None takes the only integer, or one with a usual name.
        feature: feature that holds the examples; None for a column of each other number.
        files: the records, for errors.

    Raises:
        ValueError: if there is none, or there are several and none is named.
    """
    taken = single_numbers(features, label) if feature is None else [feature]
    found = [
        name
        for name in sorted(features)
        if features[name].WhichOneof("kind") == "int64_list"
        and kind_of(name, features) == "number"
        and name not in taken
        and name.split("/")[-1] != RATE_NAME
    ]
    if label is not None:
        return checks.choice("label_feature", label, found)
    usual = [name for name in LABEL_NAMES if name in found]
    if len(found) == 1 or usual:
        return (usual or found)[0]
    if not found:
        raise ValueError(f"`labels` must be False: {files.paths[0]} has none.")
    raise ValueError(f"`label_feature` must name the labels of {files.paths[0]}: {' or '.join(found)}; received None.")


# Values


def images_of(
    files: dict[str, RecordFiles | ArrayRecordFiles], feature: str, image_size, channels: int | None
) -> Reading:
    """Returns images; the headers of some of them determine the shape of all."""
    size = None if image_size is None else full_size(image_size)
    headers = {}
    for records in files.values():
        rows = np.arange(0, len(records), -(-len(records) // FIRST_HEADERS))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            for row, content in zip(some, contents_of(records, some, feature), strict=True):
                name, header = name_of_record(records, int(row)), header_of(io.BytesIO(content))
                if isinstance(header, str):
                    raise ValueError(f"`name`: {name} holds no readable image ({header}).")
                headers[name] = header
    shape, expected = common_shape(headers, size, channels)
    found = {
        split: {"x": StoredRows(ImageRecords(records, (len(records), *shape), feature, expected))}
        for split, records in files.items()
    }
    space = Levels(shape, 65_536 if expected.header.deep else 256)
    return Reading(found, {"x": space}, options=("image_size", "channels"))


def sounds_of(
    files: dict[str, RecordFiles | ArrayRecordFiles], feature: SoundFeature, audio_length: int | None
) -> Reading:
    """Returns sounds of one length, that of the longest by default, at the sample rate of the first one."""
    ((sample_rate, _),) = feature.read(next(iter(files.values())), np.array([0]))
    if audio_length is None:
        rates, nums = np.concatenate([feature.sizes(records) for records in files.values()]).T
        audio_length = int(np.max(-(-nums * (sample_rate or 1) // rates)))
    length = checks.positive_int("audio_length", audio_length)
    found = {
        split: {"x": StoredRows(SoundRecords(records, (len(records), length), feature, sample_rate))}
        for split, records in files.items()
    }
    return reading_of(found, length, sample_rate)


def table_of(
    files: dict[str, RecordFiles | ArrayRecordFiles],
    features: dict[str, tf.train.Feature],
    label: str | None,
    columns: str | None,
) -> Reading:
    """Returns the features of one number each as columns in alphabetical order, or those chosen by `columns`.

    Raises:
        ValueError: if `columns` chooses something else, or is not given and a feature is not a number.
    """
    names = single_numbers(features, label)
    others = [name for name in sorted(features) if kind_of(name, features) == "other"]
    if columns is None and others:
        first = next(iter(files.values())).paths[0]
        raise ValueError(
            f"`columns` must choose some of the features {', '.join(names)} of {first}: its feature {others[0]!r} "
            "holds no number."
        )
    names = [names[place] for place in chosen_columns(columns, names)]
    dtypes = {name: np.dtype(numbers_of(features[name])[0]) for name in names}
    found = {
        split: {"x": StoredRows(TableRecords(records, (len(records), len(names)), dtypes))}
        for split, records in files.items()
    }
    return Reading(found, options=("columns",), names=tuple(names))


def in_memory(column: StoredRows) -> np.ndarray:
    """Returns all rows of a column, read by several threads."""
    rows = np.arange(len(column))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = pool.map(column.file.read, np.array_split(rows, -(-len(rows) // ROWS_AT_ONCE)))
        return np.concatenate(list(parts))


def labels_of(files: RecordFiles | ArrayRecordFiles, feature: str) -> np.ndarray:
    """Returns the labels of all records, int64, which are read once and kept in the cache."""

    def write(folder):
        column = StoredRows(NumberRecords(files, (len(files),), feature, np.dtype(np.int64)))
        labels = tracked(column.parts(), f"reading labels of {len(files.paths):,} files", transient=True)
        np.save(folder / "labels.npy", np.concatenate(list(labels)))

    return np.load(cached(f"{feature} of {files.paths}", state_of(files.paths), write) / "labels.npy")
