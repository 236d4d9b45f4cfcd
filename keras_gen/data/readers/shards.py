"""Shards of records: TFRecord and ArrayRecord files of `tf.train.Example`s, of images, or of vectors of numbers."""

import concurrent.futures
import dataclasses
import gzip
import io
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
from keras_gen.data import columns
from keras_gen.data.columns import Reading
from keras_gen.data.readers.folders import SPLIT_NAMES
from keras_gen.data.readers.images import Expected, Header, common_shape, decoded, full_size, header_of, resized
from keras_gen.data.records import ArrayRecordFiles, RecordFiles, name_of_record, record_files, state_of
from keras_gen.data.stored import StoredRows
from keras_gen.files import cached
from keras_gen.spaces import Levels

#: What the name of a shard ends in: `a.tfrecord`, `a-00000-of-00010.tfrecord.gz`, `a.array_record-00000-of-00010`.
ENDING = re.compile(r"\.(tfrecords?(\.gz)?|array_record)(-\d+-of-\d+)?$")

#: The number of a shard, and how many there are.
NUMBER = re.compile(r"-(\d+)-of-(\d+)")

#: Images of a set whose headers are looked at before training.
FIRST_HEADERS = 1000

#: Records that are read at once by one thread, on the way into the memory.
ROWS_AT_ONCE = 100

#: Labels of images under these names are taken where there are several whole numbers.
LABEL_NAMES = ("label", "image/class/label")


def is_shard(name: str) -> bool:
    """Returns whether a file's name is that of a shard."""
    return ENDING.search(name) is not None and not name.startswith(".")


def shards_at(path: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the shards that a path names, in order, by split; none for a path of something else.

    Args:
        path: a shard; a pattern such as `data/train-*.tfrecord`; or a folder, in which there are shards, or subfolders
            `train`, `val` and `test` of shards. Names such as `train-00000-of-00010.tfrecord` tell the split, too.

    Raises:
        FileNotFoundError: if one of several shards is missing.
        ValueError: if some names tell a split and others do not, or files are of two formats.
    """
    if path.is_dir():
        folders = {split: [path / name for name in names] for split, names in SPLIT_NAMES.items()}
        by_folder = {
            split: [file for folder in found if folder.is_dir() for file in shards_in(folder)]
            for split, found in folders.items()
        }
        found = {split: files for split, files in by_folder.items() if files}
        if "train" not in found:
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


def shards_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the shards right in a folder, in order."""
    return [folder / name for name in sorted(filter(is_shard, os.listdir(folder)))]


def by_name(paths: list[pathlib.Path]) -> dict[str, list[pathlib.Path]]:
    """Returns shards by the split that their names tell, if they do; otherwise all of them as "all"."""
    splits = {}
    for path in paths:
        words = re.split(r"\W|_", path.name.lower())
        split = next((split for split, names in SPLIT_NAMES.items() if set(names) & set(words)), "all")
        splits.setdefault(split, []).append(path)
    if "train" in splits and "all" in splits:
        raise ValueError(f"`name`: the name of {splits['all'][0]} must tell its split, as that of others does.")
    return splits if "train" in splits or not paths else {"all": paths}


def check_complete(paths: list[pathlib.Path]) -> None:
    """Raises FileNotFoundError if shards that others count are missing."""
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
    image_size,
    channels: int | None,
) -> Reading:
    """Reads shards of examples; those that do not fit in memory are read whenever they are needed.

    Args:
        paths: split to its shards.
        feature: as in `data.load`.
        label_feature: as in `data.load`.
        labels: whether labels are wanted.
        image_size: as in `data.load`.
        channels: as in `data.load`.

    Raises:
        FileNotFoundError: if a shard is missing.
        ValueError: if a shard is cut short, or records hold nothing that can be taken as examples.
    """
    files = {split: record_files([unpacked(path) for path in shards]) for split, shards in paths.items()}
    files = {split: found for split, found in files.items() if len(found)}
    if not files:
        raise ValueError(f"`name`: {next(iter(paths.values()))[0]} must hold examples; it holds no record.")
    first = next(iter(files.values()))
    features = features_of(first)
    feature = chosen(features, feature, first)
    if kind_of(features[feature]) == "image":
        found, space = images_of(files, feature, image_size, channels)
        reading = Reading(found, {"x": space}, options=("feature", "label_feature", "image_size", "channels"))
    else:
        kind, values = numbers_of(features[feature])
        found = {
            split: {"x": StoredRows(NumberRecords(records, feature, (len(records), len(values)), np.dtype(kind)))}
            for split, records in files.items()
        }
        reading = Reading(found, options=("feature", "label_feature"))
    num_bytes = sum(math.prod(by["x"].shape) * by["x"].dtype.itemsize for by in reading.columns.values())
    if num_bytes <= columns.MEMORY_LIMIT:
        found = {split: {"x": in_memory(by["x"])} for split, by in reading.columns.items()}
        reading = dataclasses.replace(reading, columns=found)
    if not labels:
        return reading
    label = chosen_label(features, label_feature, feature, first)
    return reading.labelled({split: labels_of(records, label) for split, records in files.items()}, None)


def unpacked(path: pathlib.Path) -> pathlib.Path:
    """Returns a shard that is not packed: the shard itself, or one in the cache, which is written once.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is packed, and damaged.
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
        ValueError: if it is no `tf.train.Example`.
    """
    try:
        features = dict(tf.train.Example.FromString(files.read(np.array([0]))[0]).features.feature)
    except DecodeError:
        features = {}
    if not features:
        raise ValueError(f"`name`: {name_of_record(files, 0)} must be a tf.train.Example with features.")
    return features


def kind_of(feature: tf.train.Feature) -> str:
    """Returns what a feature holds: "image", "numbers", "label" (one whole number) or "other"."""
    kind = feature.WhichOneof("kind")
    if kind == "bytes_list":
        values = feature.bytes_list.value
        encoded = len(values) == 1 and isinstance(header_of(io.BytesIO(values[0])), Header)
        return "image" if encoded else "other"
    if kind == "int64_list" and len(feature.int64_list.value) == 1:
        return "label"
    return "numbers" if kind in ("float_list", "int64_list") and numbers_of(feature)[1] else "other"


def numbers_of(feature: tf.train.Feature) -> tuple[type, list]:
    """Returns the dtype and the values of a feature of numbers."""
    if feature.WhichOneof("kind") == "float_list":
        return np.float32, list(feature.float_list.value)
    return np.int64, list(feature.int64_list.value)


def chosen(features: dict[str, tf.train.Feature], feature: str | None, files: RecordFiles | ArrayRecordFiles) -> str:
    """Returns the name of the feature that examples are: the only image, or the only list of numbers.

    Raises:
        ValueError: if there are several and none is named, or the named one cannot be taken.
    """
    kinds = {name: kind_of(features[name]) for name in sorted(features)}
    if feature is not None:
        checks.choice("feature", feature, kinds)
        if kinds[feature] == "other":
            raise ValueError(
                f"`feature` {feature!r} of {files.paths[0]} holds neither an encoded image, such as a PNG file, nor "
                "numbers."
            )
        return feature
    for kind in ("image", "numbers"):
        found = [name for name, other in kinds.items() if other == kind]
        if len(found) == 1:
            return found[0]
        if found:
            break
    what = " or ".join(found) or "an encoded image or numbers; there is none among " + ", ".join(kinds)
    raise ValueError(f"`feature` must name what examples of {files.paths[0]} are: {what}; received None.")


def chosen_label(
    features: dict[str, tf.train.Feature], label: str | None, feature: str, files: RecordFiles | ArrayRecordFiles
) -> str:
    """Returns the name of the feature that holds labels.

    Args:
        features: the features of a record.
        label: its name, if it is given; None takes the only whole number, or one with a usual name.
        feature: what examples are.
        files: the records, for errors.

    Raises:
        ValueError: if there is none, or there are several and none is named.
    """
    found = [name for name in sorted(features) if name != feature and kind_of(features[name]) == "label"]
    if label is not None:
        return checks.choice("label_feature", label, found)
    usual = [name for name in LABEL_NAMES if name in found]
    if len(found) == 1 or usual:
        return (usual or found)[0]
    if not found:
        raise ValueError(f"`labels` must be False: {files.paths[0]} has none.")
    raise ValueError(f"`label_feature` must name the labels of {files.paths[0]}: {' or '.join(found)}; received None.")


# Values


def parsed(files: RecordFiles | ArrayRecordFiles, rows: np.ndarray, feature: str, shape, dtype) -> np.ndarray:
    """Returns a feature of records.

    Args:
        files: the records.
        rows: int64 indices of the records.
        feature: name of the feature.
        shape: shape of its values.
        dtype: `tf.string`, or dtype of the numbers.

    Raises:
        ValueError: if a record does not have such a feature; the sentence names it.
    """
    contents = files.read(rows)
    form = {feature: tf.io.FixedLenFeature(shape, dtype)}
    try:
        with tf.device("CPU"):
            return tf.io.parse_example(tf.constant(contents, tf.string), form)[feature].numpy()
    except tf.errors.InvalidArgumentError as error:
        for row, content in zip(rows, contents, strict=True):
            why = difference(content, feature, shape, dtype)
            if why:
                raise ValueError(f"`name`: {name_of_record(files, int(row))} must {why}.") from None
        raise error


def difference(content: bytes, feature: str, shape, dtype) -> str | None:
    """Returns what a record must be or hold, and is not or does not; None where all is well."""
    try:
        features = tf.train.Example.FromString(content).features.feature
    except DecodeError:
        return "be a tf.train.Example"
    if feature not in features:
        return f"hold the feature {feature!r}; it holds {', '.join(sorted(features)) or 'none'}"
    values = features[feature]
    num = math.prod(shape)
    kinds = {tf.string: "bytes_list", tf.int64: "int64_list", tf.float32: "float_list"}
    kind = kinds[tf.as_dtype(dtype)]
    found = values.WhichOneof("kind") or kind
    num_found = len(getattr(values, found).value)
    if (found, num_found) == (kind, num):
        return None
    return f"hold {num} values in the {kind} {feature!r}; it holds {num_found} in a {found}"


@dataclasses.dataclass(frozen=True)
class FeatureRecords:
    """A feature of records, row after row, as `StoredRows` takes it.

    Attributes:
        files: the records.
        feature: name of the feature.
        shape: number of records, and the shape of each record's values.
    """

    files: RecordFiles | ArrayRecordFiles
    feature: str
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes that a row takes while it is read."""
        return max(math.prod(self.shape[1:]) * self.dtype.itemsize, self.files.num_bytes // self.shape[0])


@dataclasses.dataclass(frozen=True)
class NumberRecords(FeatureRecords):
    """A feature of numbers.

    Attributes:
        dtype: float32 or int64.
    """

    dtype: np.dtype

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows at an array of indices; raises what `parsed` does."""
        return parsed(self.files, rows, self.feature, self.shape[1:], self.dtype)


@dataclasses.dataclass(frozen=True)
class ImageRecords(FeatureRecords):
    """A feature of encoded images, whose shape is that of the decoded ones.

    Attributes:
        expected: what the headers of all images must be like.
    """

    expected: Expected

    @property
    def dtype(self) -> np.dtype:
        """Type of a level."""
        return np.dtype(np.uint16 if self.expected.header.deep else np.uint8)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the images at an array of indices.

        Raises:
            ValueError: if one cannot be read, or is another kind of image than the set's; the sentence names it.
        """
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for index, content in enumerate(parsed(self.files, rows, self.feature, (), tf.string)):
            image = self.image(content)
            if isinstance(image, str):
                name = name_of_record(self.files, int(rows[index]))
                raise ValueError(f"`name`: {name} holds no image of the set ({image}).")
            found[index] = image
        return found

    def image(self, content: bytes) -> np.ndarray | str:
        """Returns an image, or why it is none of the set."""
        header = header_of(io.BytesIO(content))
        why = header if isinstance(header, str) else self.expected.difference(header)
        image = why or decoded(io.BytesIO(content), self.shape[-1], self.expected.header.deep)
        if isinstance(image, str) or image.shape == self.shape[1:]:
            return image
        return resized(tf.constant(image), self.shape[1:3]).numpy()


def images_of(
    files: dict[str, RecordFiles | ArrayRecordFiles], feature: str, image_size, channels: int | None
) -> tuple[columns.Columns, Levels]:
    """Returns images by split, as the column "x", and their space, which the headers of some of them tell."""
    size = None if image_size is None else full_size(image_size)
    headers = {}
    for records in files.values():
        rows = np.arange(0, len(records), -(-len(records) // FIRST_HEADERS))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            for row, content in zip(some, parsed(records, some, feature, (), tf.string), strict=True):
                name, header = name_of_record(records, int(row)), header_of(io.BytesIO(content))
                if isinstance(header, str):
                    raise ValueError(f"`name`: {name} holds no readable image ({header}).")
                headers[name] = header
    shape, expected = common_shape(headers, size, channels)
    found = {
        split: {"x": StoredRows(ImageRecords(records, feature, (len(records), *shape), expected))}
        for split, records in files.items()
    }
    return found, Levels(shape, 65_536 if expected.header.deep else 256)


def in_memory(column: StoredRows) -> np.ndarray:
    """Returns all rows of a column, which several threads read."""
    rows = np.arange(len(column))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = pool.map(column.file.read, np.array_split(rows, -(-len(rows) // ROWS_AT_ONCE)))
        return np.concatenate(list(parts))


def labels_of(files: RecordFiles | ArrayRecordFiles, feature: str) -> np.ndarray:
    """Returns the labels of all records, int64, which are looked for once, and kept in the cache."""

    def write(folder):
        column = StoredRows(NumberRecords(files, feature, (len(files),), np.dtype(np.int64)))
        labels = tracked(column.parts(), f"reading labels of {len(files.paths):,} files", transient=True)
        np.save(folder / "labels.npy", np.concatenate(list(labels)))

    return np.load(cached(f"{feature} of {files.paths}", state_of(files.paths), write) / "labels.npy")
