"""`load`: from a name or a path to `Splits`."""

import functools
import os
import pathlib

from keras_gen import checks
from keras_gen.data import toy
from keras_gen.data.columns import (
    Reading,
    as_examples,
    example_space,
    label_space,
    padded_with_silence,
    standard_scale,
    three_splits,
)
from keras_gen.data.readers.digits import read_breast_cancer, read_digits, read_photos
from keras_gen.data.readers.folders import read_folder
from keras_gen.data.readers.sounds import read_tones
from keras_gen.data.readers.tables import read_npy, read_npz, read_text
from keras_gen.data.readers.tfds import read_tfds
from keras_gen.data.splits import Source, Splits
from keras_gen.spaces import Levels

#: Why a set does not take an argument that is for sets of another kind.
REASONS = {
    "image_size": "is no folder of images",
    "audio_length": "holds no sound",
    "padding": "holds no sound",
    "columns": "is no table in a text file",
}

#: Those of these arguments whose default is not None.
DEFAULTS = {"padding": "silence"}


def load(
    name: str | os.PathLike,
    *,
    batch_size: int = 100,
    seed: int = 0,
    binarization: str = "none",
    levels: int | None = None,
    labels: bool = False,
    image_size: int | tuple[int, int] | None = None,
    audio_length: int | None = None,
    padding: str = "silence",
    columns: str | None = None,
    standardize: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> Splits:
    """Loads a data set as train, validation and test pipelines.

    Args:
        name: one of

            - "digits": 1,797 handwritten digits of 8×8 pixels and 17 levels, which come with scikit-learn;
            - "photos": 299 squares of 32×32 pixels of two colour photographs, which come with scikit-learn, too;
            - "breast_cancer": 569 rows of 30 measurements of cell nuclei, which come with scikit-learn, too;
            - a two-dimensional toy density: see `keras_gen.data.toy`;
            - "tones": 640 notes of eight pitches, made here;
            - the name of a TFDS set of images or of sound, such as "mnist" or "spoken_digit", prepared in
              `$TFDS_DATA_DIR` or `~/tensorflow_datasets`;
            - a path to an `.npz` file (arrays `train`, `valid`, `test`; or `x_train`, `x_valid`, `x_test` with labels
              `y_train`, `y_valid`, `y_test`), an `.npy` or `.csv` file (one example a row; split 80/10/10), or a folder
              of images or of WAV files (likewise, or with subfolders `train`, `val` and `test`). The labels of a
              folder are the subfolders that its files lie in, in alphabetical order.
        batch_size: examples in a batch, of all replicas and workers together.
        seed: seed of the order of the training examples.
        binarization: "none", "threshold", "static" or "dynamic"; see `Splits.binarized`.
        levels: number of levels of an entry; None finds it: 2 for bits, 256 for bytes, the largest value plus one
            for other integers; floats are real numbers.
        labels: whether to yield `(x, label)` instead of `x`.
        image_size: (height, width) to which the images of a folder are resized, or one number for a square. None
            expects images of one size.
        audio_length: samples of an example of sound: longer recordings are cut, shorter ones filled up.
            None takes the length of the longest.
        padding: what follows recordings of sound that are shorter: "silence"; or "missing", NaN, for a model that
            counts none of it, such as WaveNet.
        columns: columns of a table to keep, such as "0:11" or "0,2,5".
        standardize: whether to subtract the training mean of real vectors and divide by their standard deviation.
        shard: (index, count): keep the examples whose position is `index` modulo `count`.

    Raises:
        FileNotFoundError: if the path does not exist, or the TFDS set is not prepared; the message says how to
            get it.
        ValueError: if the name is unknown or the file does not hold what it should.
    """
    checks.positive_int("batch_size", batch_size)
    options = {"image_size": image_size, "audio_length": audio_length, "columns": columns}
    checks.choice("padding", padding, ("silence", "missing"))
    reading, name = read(str(name), **options)
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
    scale = standard_scale(found["train"]["x"], space, name) if standardize else None
    splits = Splits(
        name=name,
        spaces={"x": space if levels is None else Levels(space.shape, checks.levels(levels)), **condition},
        binarization="none",
        batch_size=batch_size,
        seed=seed,
        sources={
            split: Source.from_columns({**by_name, "x": as_examples(by_name["x"], space, scale)})
            for split, by_name in found.items()
        },
        shard=shard,
        scale=scale,
    )
    return splits.binarized(binarization)


def read_toy(name: str) -> Reading:
    """Draws points of a toy density, the same ones at every call."""
    sizes = {"train": 20_000, "validation": 2_000, "test": 10_000}
    points = {split: toy.get(name).sample(size, seed=number) for number, (split, size) in enumerate(sizes.items())}
    return Reading({split: {"x": x} for split, x in points.items()})


def read(name: str, *, image_size, audio_length: int | None, columns: str | None) -> tuple[Reading, str]:
    """Finds the reader for a name or a path, and returns what it reads, and the set's name."""
    built_in = {
        "digits": read_digits,
        "photos": read_photos,
        "breast_cancer": read_breast_cancer,
        "tones": lambda: read_tones(audio_length),
        **{density: functools.partial(read_toy, density) for density in toy.NAMES},
    }
    path = pathlib.Path(name).expanduser()
    if name in built_in:
        return built_in[name](), name
    if path.is_dir():
        return read_folder(path, image_size=image_size, audio_length=audio_length), path.name
    if path.suffix not in (".npz", ".npy", ".csv", ".data", ".txt"):
        return read_tfds(name, tuple(built_in), audio_length), name
    if not path.is_file():
        raise FileNotFoundError(f"`name`: there is no file {name}.")
    readers = {".npz": read_npz, ".npy": read_npy}
    return readers[path.suffix](path) if path.suffix in readers else read_text(path, columns), path.name
