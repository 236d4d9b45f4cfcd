"""`load`: loads a data set, by name or path, as `Splits`."""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from keras_gen import checks
from keras_gen.data import toy
from keras_gen.data.columns import (
    Reading,
    as_examples,
    check_resolution,
    example_space,
    given_scale,
    label_space,
    padded_with_silence,
    standard_scale,
    three_splits,
    with_levels,
    with_plain_labels,
)
from keras_gen.data.readers.arrays import read_npy, read_npz
from keras_gen.data.readers.digits import read_breast_cancer, read_digits, read_photos
from keras_gen.data.readers.folders import read_folder
from keras_gen.data.readers.large_tables import is_large, read_large_table
from keras_gen.data.readers.shards import read_shards, shards_at
from keras_gen.data.readers.sounds import read_tones
from keras_gen.data.readers.tables import TABLE_SUFFIXES, read_frame, read_table, suffix_of
from keras_gen.data.readers.tfds import read_tfds
from keras_gen.data.splits import Source, Splits
from keras_gen.files import local_copy
from keras_gen.spaces import Reals

#: Reasons why a set does not accept an argument for sets of another kind.
REASONS = {
    "image_size": "is no folder, no TFDS set and no shards of images",
    "audio_length": "holds no sound",
    "padding": "holds no sound",
    "channels": "is no folder and no shards of images",
    "bad_files": "is no folder of images",
    "columns": "is no table and no shards of single numbers",
    "text": "is no table",
    "missing": "is no table",
    "feature": "holds no shards of records",
    "label_feature": "holds no shards of records",
}

#: Extensions of files that hold examples, in addition to those of shards.
FILE_SUFFIXES = (".npz", ".npy", *TABLE_SUFFIXES)

#: The arguments among these whose default is not None.
DEFAULTS = {"padding": "silence", "bad_files": "refuse", "text": "refuse", "missing": "refuse"}


def load(
    name: str | os.PathLike | pd.DataFrame,
    *,
    batch_size: int = 100,
    seed: int = 0,
    binarization: str = "none",
    levels: int | None = None,
    labels: bool = False,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    bad_files: str = "refuse",
    audio_length: int | None = None,
    padding: str = "silence",
    columns: str | Sequence[str] | None = None,
    text: str = "refuse",
    missing: str = "refuse",
    feature: str | None = None,
    label_feature: str | None = None,
    standardize: bool | tuple[np.ndarray, np.ndarray] = False,
    shard: tuple[int, int] = (0, 1),
) -> Splits:
    """Loads a data set as train, validation and test pipelines.

    Args:
        name: one of

            - "digits": 1,797 handwritten digits of 8×8 pixels and 17 levels, which come with scikit-learn;
            - "photos": 299 squares of 32×32 pixels from two colour photographs, which also come with scikit-learn;
            - "breast_cancer": 569 rows of 30 measurements of cell nuclei, which also come with scikit-learn;
            - a two-dimensional toy density: see `keras_gen.data.toy`;
            - "tones": 640 generated notes of eight pitches;
            - the name of a TFDS set of images or sound, such as "mnist" or "spoken_digit", prepared in `$TFDS_DATA_DIR`
              or `~/tensorflow_datasets`;
            - a path to an `.npz` file (arrays `train`, `valid`, `test`; or `x_train`, `x_valid`, `x_test` with labels
              `y_train`, `y_valid`, `y_test`), an `.npy` file or a table (one example a row; split 80/10/10), or a
              folder of images or of WAV files (likewise, or with subfolders `train`, `val` and `test`). The labels of a
              folder are the subfolders that contain its files, in alphabetical order. Tables are text with any usual
              delimiter, decimal mark and encoding (`.csv`, `.tsv`, `.data`, `.txt`, also compressed as `.gz`, `.bz2`,
              `.xz` or `.zip`), or `.parquet`; their columns are real numbers, whole or not, unless `levels` is given;
            - a path to shards of `tf.train.Example`s: a `.tfrecord` (or `.tfrecord.gz`) or `.array_record` file, a
              pattern such as "data/*.tfrecord", or a folder of such files, whose names or subfolders may indicate
              splits;
            - a pandas DataFrame.
        batch_size: examples in a batch, over all replicas and workers together.
        seed: seed of the order of the training examples.
        binarization: "none", "threshold", "static" or "dynamic"; see `Splits.binarized`.
        levels: number of levels of an entry; None determines it: 2 for bits, 256 for bytes, the largest value plus one
            for other integers. Floats, and all numbers of a table, are then real numbers, whole or not; if a number of
            levels is given, whole ones are levels.
        labels: whether to yield `(x, label)` instead of `x`.
        image_size: (height, width) to which the images of a folder, of a TFDS set or of shards are resized, or one
            number for a square. None expects images of one size.
        channels: channels of the images of a folder or of shards: 1 for grey, 3 for colour, 4 for colour and opacity.
            None uses 1 if all are grey, else 3, with white behind transparent pixels.
        bad_files: "refuse" names all files of a folder that cannot be read in one error; "skip" leaves them out.
        audio_length: number of samples of an example of sound: longer recordings are cut, shorter ones padded. None
            uses the length of the longest.
        padding: what follows shorter recordings of sound: "silence"; or "missing", NaN, for a model that ignores it,
            such as WaveNet.
        columns: columns to keep of a table, or of shards of single numbers, by position, such as "0:11" or "0,2,5", or
            by name, such as "age,height". For a table, also a sequence of the names that another table's columns have
            after reading, such as `splits.column_names`, including the columns of zeros and ones for values of text;
            they are selected in its order.
        text: what a table's columns of text become: "refuse" names the first one in an error; "one_hot" makes a column
            of zeros and ones for each value, in alphabetical order; "drop" leaves them out.
        missing: what a table's missing values become: "refuse" names the first one in an error; "keep" leaves them as
            NaN, for a model that accepts them, such as a mixture.
        feature: name of the feature of shards that holds the examples: encoded images, sounds or numbers. None takes
            the only image, else the only sound, else the only list of numbers; otherwise each number becomes a column.
        label_feature: name of the feature of shards that holds labels; None takes one called "label" or
            "image/class/label", else the only integer, unless numbers are columns.
        standardize: whether to subtract the training mean of real vectors and divide by their standard deviation; or
            the mean and deviation of other data, such as `splits.scale` of the data a model was trained on.
        shard: (index, count): keep the examples whose position is `index` modulo `count`.

    Raises:
        FileNotFoundError: if the path does not exist, or the TFDS set is not prepared; the message says how to obtain
            it.
        TypeError: if the name is not a string, a path or a data frame.
        ValueError: if the name is unknown or the contents of the file are invalid.
    """
    checks.positive_int("batch_size", batch_size)
    options = {
        "image_size": image_size,
        "channels": channels,
        "bad_files": checks.choice("bad_files", bad_files, ("refuse", "skip")),
        "audio_length": audio_length,
        "columns": columns,
        "text": checks.choice("text", text, ("refuse", "one_hot", "drop")),
        "missing": checks.choice("missing", missing, ("refuse", "keep")),
        "feature": feature,
        "label_feature": label_feature,
    }
    checks.choice("padding", padding, ("silence", "missing"))
    reading, name = read(name, labels=labels, **options)
    reading = with_plain_labels(reading) if labels else reading
    for option, value in {**options, "padding": padding}.items():
        default = DEFAULTS.get(option)
        if value != default and option not in reading.options:
            raise ValueError(f"`{option}` must be {default}: {name} {REASONS[option]}; received {value}.")
    condition = {"condition": label_space(reading.columns, reading.spaces.get("condition"), name)} if labels else {}
    kept = ("x", *condition)
    found = {split: {name: by_name[name] for name in kept} for split, by_name in reading.columns.items()}
    found = three_splits(found, name)
    space = reading.spaces.get("x") or example_space(found, name)
    if "padding" in reading.options and padding == "silence":
        found, space = padded_with_silence(found, space)
    if levels is not None:
        found, space = with_levels(found, space, checks.levels(levels), name)
    if isinstance(standardize, bool):
        scale = standard_scale(found["train"]["x"], space, name, reading.names) if standardize else None
    else:
        scale = given_scale(standardize, space, name)
    if isinstance(space, Reals) and scale is None:
        for by_name in found.values():
            check_resolution(by_name["x"], name, reading.names)
    splits = Splits(
        name=name,
        spaces={"x": space, **condition},
        binarization="none",
        batch_size=batch_size,
        seed=seed,
        sources={
            split: Source.from_columns({**by_name, "x": as_examples(by_name["x"], space, scale)})
            for split, by_name in found.items()
        },
        shard=shard,
        scale=scale,
        column_names=reading.names,
        class_names=reading.class_names if labels else (),
    )
    return splits.binarized(binarization)


def read_toy(name: str) -> Reading:
    """Draws points from a toy density, the same ones at every call."""
    sizes = {"train": 20_000, "validation": 2_000, "test": 10_000}
    points = {split: toy.get(name).sample(size, seed=number) for number, (split, size) in enumerate(sizes.items())}
    return Reading({split: {"x": x} for split, x in points.items()})


def check_kind_of_file(path: pathlib.Path) -> None:
    """Raises ValueError if a path is a file with an extension that is not supported."""
    if path.is_file():
        raise ValueError(
            f"`name`: {path} is a file of a kind that is not read; expected one that ends in "
            f"{', '.join(FILE_SUFFIXES)}, .tfrecord or .array_record, or a folder of images or of WAV files."
        )


def built_in_readers(audio_length: int | None = None) -> dict[str, Callable[[], Reading]]:
    """Returns the readers of the sets that need no file, by name; such a name is never that of a file.

    Args:
        audio_length: number of samples of a sound, as in `load`.
    """
    return {
        "digits": read_digits,
        "photos": read_photos,
        "breast_cancer": read_breast_cancer,
        "tones": lambda: read_tones(audio_length),
        **{density: functools.partial(read_toy, density) for density in toy.NAMES},
    }


def read(
    name,
    *,
    labels: bool,
    image_size,
    channels: int | None,
    bad_files: str,
    audio_length: int | None,
    columns: str | Sequence[str] | None,
    text: str,
    missing: str,
    feature: str | None,
    label_feature: str | None,
) -> tuple[Reading, str]:
    """Finds the reader for a name, path or table, and returns what it reads and the name of the set."""
    if isinstance(name, pd.DataFrame):
        return read_frame(name, "the table", columns=columns, text=text, missing=missing), "table"
    # A path in an object store is not an `os.PathLike`: it has a file system of its own.
    if not isinstance(name, (str, os.PathLike)) and not hasattr(name, "fs"):
        raise TypeError(f"`name` must be a name, a path or a pandas DataFrame, received a {type(name).__name__}.")
    name = str(name)
    built_in = built_in_readers(audio_length)
    path = local_copy(name)
    if name in built_in:
        return built_in[name](), name
    if shards := shards_at(path):
        features = {"feature": feature, "label_feature": label_feature, "labels": labels, "columns": columns}
        images = {"image_size": image_size, "channels": channels}
        return read_shards(shards, audio_length=audio_length, **images, **features), path.name
    if path.is_dir():
        images = {"image_size": image_size, "channels": channels, "bad_files": bad_files}
        return read_folder(path, audio_length=audio_length, **images), path.name
    suffix = suffix_of(path)
    if suffix not in FILE_SUFFIXES:
        check_kind_of_file(path)
        return read_tfds(name, tuple(built_in), audio_length, image_size), name
    if not path.is_file():
        raise FileNotFoundError(f"`name`: there is no file {name}.")
    readers = {".npz": read_npz, ".npy": read_npy}
    if suffix in readers:
        return readers[suffix](path), path.name
    reader = read_large_table if is_large(path) else read_table
    return reader(path, columns=columns, text=text, missing=missing), path.name
