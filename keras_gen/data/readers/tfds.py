"""Prepared sets of TensorFlow Datasets."""

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data import audio, columns
from keras_gen.data.readers.images import full_size, resized
from keras_gen.data.readers.sounds import of_one_length, reading_of
from keras_gen.data.records import Records, record_files
from keras_gen.files import local_copy
from keras_gen.spaces import ClassLabel, Levels


def read_tfds(name: str, built_in: Sequence[str], audio_length: int | None, image_size) -> columns.Reading:
    """Reads a prepared set of images or sound, never from the network.

    A set that is too large for memory stays in its files.

    Args:
        name: name of the set.
        built_in: names of the sets that need no TFDS, for errors.
        audio_length: as in `data.load`.
        image_size: as in `data.load`.

    Raises:
        FileNotFoundError: if the set is not prepared; the message says how to obtain it.
        ValueError: if the name is unknown, the set is of another kind, or `audio_length` is missing for sounds that are
            too large for memory.
    """
    builder, sets = prepared(name, built_in)
    features = builder.info.features
    if "image" not in features and "audio" not in features:
        raise ValueError(f"`name`: the TFDS set {name!r} has no feature `image` or `audio`; it has {list(features)}.")
    names = [split for split in ("train", "validation", "test") if split in sets]
    if "image" in features:
        shape = image_shape(features["image"].shape, image_size, name)
        num = sum(builder.info.splits[split].num_examples for split in names)
        if num * math.prod(shape) > columns.MEMORY_LIMIT:
            return stored_images(builder, names, shape)
        arrays = {split: images_in_memory(sets[split], image_size) for split in names}
        reading = columns.Reading(
            {split: {"x": images} for split, (images, _) in arrays.items()}, options=("image_size",)
        )
        labels = {split: labels for split, (_, labels) in arrays.items()}
    else:
        if builder.info.dataset_size > columns.MEMORY_LIMIT:
            return stored_sounds(builder, names, audio_length)
        examples = {split: list(sets[split].as_numpy_iterator()) for split in names}
        sounds = {split: [example["audio"] for example in found] for split, found in examples.items()}
        reading = read_sounds(sounds, features["audio"].sample_rate, name, audio_length)
        labels = {split: np.array([example.get("label") for example in found]) for split, found in examples.items()}
    if "label" not in features:
        return reading
    return reading.labelled(labels, getattr(features["label"], "num_classes", None))


def image_shape(shape: tuple[int | None, ...], image_size, name: str) -> tuple[int, int, int]:
    """Returns the shape that the images of a set have, or are resized to.

    Raises:
        ValueError: if they differ in size and no `image_size` is given.
    """
    if image_size is not None:
        return (*full_size(image_size), shape[-1])
    if None in shape:
        raise ValueError(f"`image_size` must be given: the images of {name} have several sizes.")
    return tuple(shape)


def images_in_memory(examples: tf.data.Dataset, image_size) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the images of a split, and the labels if there are any."""
    kept = examples.map(
        lambda example: {
            key: brought(example[key], image_size) if key == "image" else example[key]
            for key in ("image", "label")
            if key in example
        }
    )
    found = next(iter(kept.batch(len(examples))))
    return found["image"].numpy(), found["label"].numpy() if "label" in found else None


def stored_images(builder, names: list[str], shape: tuple[int, int, int]) -> columns.Reading:
    """Returns images that are read from the files of a set when they are needed, and the labels if there are any.

    Args:
        builder: the set.
        names: names of its splits.
        shape: shape that the images have, or are resized to.

    Raises:
        ValueError: if a file is damaged, or the set's files have another format.
    """
    spec = tf.TensorSpec(shape, tf.uint8)
    found = stored(builder, names, "image", lambda image: brought(image, shape[:2]), spec)
    return columns.Reading(found, {"x": Levels(shape, 256), **label_spaces(builder)}, options=("image_size",))


def stored_sounds(builder, names: list[str], audio_length: int | None) -> columns.Reading:
    """Returns sounds that are read from the files of a set when they are needed, like images in `stored_images`."""
    name, sample_rate = builder.name, builder.info.features["audio"].sample_rate
    check_rate(sample_rate, name)
    if audio_length is None:
        raise ValueError(
            f"`audio_length` must be given: the sounds of {name} are too many to look for the longest one."
        )
    length = checks.positive_int("audio_length", audio_length)

    def example(sound):
        check_channels([sound], name)
        return audio.of_length(audio.amplitudes(narrowed(sound)), length, np.nan)

    def decode(sound):
        return tf.ensure_shape(tf.numpy_function(example, [sound], tf.float32, stateful=False), (length,))

    found = stored(builder, names, "audio", decode, tf.TensorSpec((length,), tf.float32))
    reading = reading_of(found, length, sample_rate)
    return dataclasses.replace(reading, spaces={**reading.spaces, **label_spaces(builder)})


def stored(builder, names: list[str], feature: str, decode, spec: tf.TensorSpec) -> columns.Columns:
    """Returns a feature as the column "x", and labels, read from the files of a set when they are needed.

    Args:
        builder: the set.
        names: names of its splits.
        feature: the feature.
        decode: function from the feature's tensor to a value.
        spec: shape and dtype of a value.
    """
    form = builder.info.file_format.value
    if form not in ("tfrecord", "array_record"):
        raise ValueError(
            f"`name`: the TFDS set {builder.name!r} must have files of the format tfrecord or array_record, not {form}."
        )
    features = builder.info.features

    def value_of(contents):
        return decode(features.deserialize_example(contents)[feature])

    def label_of(contents):
        return features.deserialize_example(contents)["label"]

    found = {}
    for split in names:
        info = builder.info.splits[split]
        files = record_files([local_copy(str(path)) for path in info.filepaths])
        for path, num, expected in zip(files.paths, files.lengths, info.shard_lengths, strict=True):
            if num != expected:
                raise ValueError(f"`name`: the shard {path} must hold {expected} records; it holds {num}.")
        rows = np.arange(len(files))
        found[split] = {"x": Records(files, value_of, spec, rows)}
        if label_spaces(builder):
            found[split]["condition"] = Records(files, label_of, tf.TensorSpec((), tf.int64), rows)
    return found


def label_spaces(builder) -> dict[str, ClassLabel]:
    """Returns the space of the labels, if a set has labels with known classes."""
    features = builder.info.features
    num_classes = getattr(features["label"], "num_classes", None) if "label" in features else None
    return {} if num_classes is None else {"condition": ClassLabel(num_classes)}


def prepared(name: str, built_in: Sequence[str]):
    """Opens a prepared set, never from the network.

    Args:
        name: name of the set.
        built_in: names of the sets that need no TFDS, for errors.

    Returns:
        Its builder, and split to `tf.data.Dataset`.

    Raises:
        FileNotFoundError: if the set is not prepared; the message says how to obtain it.
        ValueError: if the name is unknown, or the set has no split `train`.
    """
    builder, sets = opened(name, built_in)
    if "train" not in sets:
        raise ValueError(f"`name`: the TFDS set {name!r} has no split `train`; it has {', '.join(sets)}.")
    return builder, sets


def opened(name: str, built_in: Sequence[str]):
    """Like `prepared`, with any splits."""
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        near = difflib.get_close_matches(name, built_in, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the built-in sets are {', '.join(built_in)};"
        raise ValueError(f"`name` {name!r} is unknown; {hint} TFDS sets need `pip install keras_gen[tfds]`.") from None
    if not re.fullmatch(r"\w+(/[\w.-]+)?(:[\w.*]+)?", name):
        raise FileNotFoundError(f"`name`: there is no file or folder {name}.")
    # The variable is read now, not when TFDS was imported.
    data_dir = os.environ.get("TFDS_DATA_DIR", os.path.expanduser("~/tensorflow_datasets"))
    try:
        builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
        # Shard by shard, in the order in which records are numbered.
        sets = builder.as_dataset(read_config=tfds.ReadConfig(interleave_cycle_length=1))
    except (AssertionError, FileNotFoundError, tfds.core.DatasetNotFoundError):
        known = tfds.list_builders(with_community_datasets=False)
        base_name = name.split("/")[0].split(":")[0]
        if base_name not in known:
            checks.choice("name", base_name, (*built_in, *known))
        raise FileNotFoundError(
            f"`name`: the TFDS set {name!r} is not prepared in {data_dir}; "
            f"run `tfds build {base_name} --data_dir {data_dir}` where there is a network, or set TFDS_DATA_DIR."
        ) from None
    return builder, sets


def check_size(builder, name: str) -> None:
    """Raises ValueError if a set is too large to be held in memory."""
    if builder.info.dataset_size > columns.MEMORY_LIMIT:
        raise ValueError(
            f"`name`: the TFDS set {name!r} is larger than the {columns.MEMORY_LIMIT >> 30} GiB that are held in "
            "memory; export its examples to a folder and give the path."
        )


def read_tfds_domains(name: str, image_size) -> dict[str, columns.Reading]:
    """Reads a prepared set of images of two kinds, whose splits are `trainA`, `trainB`, `testA` and `testB`.

    Args:
        name: name of the set.
        image_size: as in `data.load_unpaired`.

    Returns:
        "a" and "b" to what was found for each.

    Raises:
        FileNotFoundError: if the set is not prepared; the message says how to obtain it.
        ValueError: if the name is unknown, the set has other splits, or images differ in size.
    """
    builder, sets = opened(name, ())
    for split in ("trainA", "trainB"):
        if split not in sets:
            raise ValueError(
                f"`b` must be given: the TFDS set {name} has no split {split!r}; it has {', '.join(sets)}."
            )
    check_size(builder, name)

    def found(split):
        examples = sets[split].map(lambda example: brought(example["image"], image_size))
        return {"x": stacked(list(examples.as_numpy_iterator()), name)}

    readings = {}
    for column, letter in (("a", "A"), ("b", "B")):
        splits = {split: found(split + letter) for split in ("train", "test") if split + letter in sets}
        readings[column] = columns.Reading(splits, {"x": Levels(splits["train"]["x"].shape[1:], 256)})
    return readings


def brought(image: tf.Tensor, image_size) -> tf.Tensor:
    """Returns an image of bytes resized as in `data.load`; None leaves it unchanged."""
    if image_size is None:
        return image
    return resized(image, full_size(image_size))


def stacked(images: list[np.ndarray], name: str) -> np.ndarray:
    """Returns images of a named set as one array, or raises ValueError if they differ in size."""
    if len({image.shape for image in images}) > 1:
        raise ValueError(f"`image_size` must be given: the images of {name} have several sizes.")
    return np.stack(images)


def read_tfds_pairs(name: str, target: str, image_size) -> tuple[columns.Columns, dict[str, Levels]]:
    """Reads a prepared set whose examples hold two images.

    Args:
        name: name of the set.
        target: the feature that holds targets; sources are the feature "image".
        image_size: as in `data.load_pairs`.

    Returns:
        Columns by split, and their spaces.

    Raises:
        FileNotFoundError: if the set is not prepared; the message says how to obtain it.
        ValueError: if the name is unknown, a feature is not in the set, or images differ in size.
    """
    builder, sets = prepared(name, ())
    for feature in ("image", target):
        checks.choice("target", feature, builder.info.features)
    check_size(builder, name)
    found = {}
    for split in ("train", "validation", "test"):
        if split in sets:
            pairs = sets[split].map(lambda example: {"source": example["image"], "target": example[target]})
            pairs = pairs.map(lambda pair: {column: brought(image, image_size) for column, image in pair.items()})
            examples = list(pairs.as_numpy_iterator())
            found[split] = {
                column: stacked([example[column] for example in examples], name) for column in ("source", "target")
            }
    return found, {column: Levels(array.shape[1:], 256) for column, array in found["train"].items()}


def read_sounds(
    sounds: dict[str, list[np.ndarray]], sample_rate: int | None, name: str, audio_length: int | None
) -> columns.Reading:
    """Returns sounds as examples of one length.

    Args:
        sounds: split to samples of any dtype, of shape `(samples,)`.
        sample_rate: samples per second.
        name: name of the set, for errors.
        audio_length: as in `data.load`.

    Raises:
        ValueError: if the set does not state its sample rate, or its sounds have several channels.
    """
    check_rate(sample_rate, name)
    check_channels((sound for found in sounds.values() for sound in found), name)
    waveforms = {split: [audio.amplitudes(narrowed(sound)) for sound in found] for split, found in sounds.items()}
    return of_one_length(waveforms, sample_rate, audio_length)


def check_rate(sample_rate: int | None, name: str):
    """Raises ValueError if a set does not state its sample rate."""
    if not sample_rate:
        raise ValueError(f"`name`: the TFDS set {name!r} does not say its sample rate; give a folder of WAV files.")


def check_channels(sounds: Iterable[np.ndarray], name: str):
    """Raises ValueError if a sound of a set has several channels."""
    if any(sound.ndim != 1 for sound in sounds):
        raise ValueError(f"`name`: the TFDS set {name!r} must hold sounds of one channel.")


def narrowed(sound: np.ndarray) -> np.ndarray:
    """Returns samples in the dtype of their file: TFDS widens integers of 16 or 32 bits to 64."""
    if sound.dtype.kind != "i":
        return sound
    low, high = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    fits = sound.size == 0 or (low <= sound.min() and sound.max() <= high)
    return sound.astype(np.int16 if fits else np.int32)
