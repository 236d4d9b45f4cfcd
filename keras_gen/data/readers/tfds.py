"""Prepared sets of TensorFlow Datasets."""

import difflib
import os
import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data import audio, columns
from keras_gen.data.readers.images import full_size, resized
from keras_gen.data.readers.sounds import of_one_length
from keras_gen.spaces import Levels


def read_tfds(name: str, built_in: Sequence[str], audio_length: int | None) -> columns.Reading:
    """Reads a prepared set of images or of sound, never from the network.

    Args:
        name: name of the set.
        built_in: names of the sets that need no TFDS, for errors.
        audio_length: as in `data.load`.

    Raises:
        FileNotFoundError: if the set is not prepared; the message says how to get it.
        ValueError: if the name is unknown, or the set is of another kind or too large.
    """
    builder, sets = prepared(name, built_in)
    features = builder.info.features
    if "image" not in features and "audio" not in features:
        raise ValueError(f"`name`: the TFDS set {name!r} has no feature `image` or `audio`; it has {list(features)}.")
    check_size(builder, name)
    sets = {split: sets[split] for split in ("train", "validation", "test") if split in sets}
    if "image" in features:
        sizes = {split: builder.info.splits[split].num_examples for split in sets}
        arrays = {split: next(iter(examples.batch(sizes[split]))) for split, examples in sets.items()}
        reading = columns.Reading({split: {"x": found["image"].numpy()} for split, found in arrays.items()})
        labels = {split: found["label"].numpy() for split, found in arrays.items() if "label" in found}
    else:
        examples = {split: list(sets[split].as_numpy_iterator()) for split in sets}
        sounds = {split: [example["audio"] for example in found] for split, found in examples.items()}
        reading = read_sounds(sounds, features["audio"].sample_rate, name, audio_length)
        labels = {split: np.array([example.get("label") for example in found]) for split, found in examples.items()}
    if "label" not in features:
        return reading
    return reading.labelled(labels, getattr(features["label"], "num_classes", None))


def prepared(name: str, built_in: Sequence[str]):
    """Opens a prepared set, never from the network.

    Args:
        name: name of the set.
        built_in: names of the sets that need no TFDS, for errors.

    Returns:
        Its builder, and split to `tf.data.Dataset`.

    Raises:
        FileNotFoundError: if the set is not prepared; the message says how to get it.
        ValueError: if the name is unknown, or the set has no split `train`.
    """
    builder, sets = opened(name, built_in)
    if "train" not in sets:
        raise ValueError(f"`name`: the TFDS set {name!r} has no split `train`; it has {', '.join(sets)}.")
    return builder, sets


def opened(name: str, built_in: Sequence[str]):
    """As `prepared`, whatever splits the set has."""
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
        sets = builder.as_dataset()
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
        "a" and "b" to what is found of each.

    Raises:
        FileNotFoundError: if the set is not prepared; the message says how to get it.
        ValueError: if the name is unknown, the set has other splits, or images have several sizes.
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
    """Returns an image of bytes at a size, as in `data.load`; None leaves it as it is."""
    if image_size is None:
        return image
    return resized(image, full_size(image_size))


def stacked(images: list[np.ndarray], name: str) -> np.ndarray:
    """Returns images of the set of a name as one array, or raises ValueError if they have several sizes."""
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
        FileNotFoundError: if the set is not prepared; the message says how to get it.
        ValueError: if the name is unknown, a feature is none of the set's, or images have several sizes.
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
        sample_rate: samples in a second.
        name: name of the set, for errors.
        audio_length: as in `data.load`.

    Raises:
        ValueError: if the set does not say its sample rate, or its sounds have several channels.
    """
    if not sample_rate:
        raise ValueError(f"`name`: the TFDS set {name!r} does not say its sample rate; give a folder of WAV files.")
    if any(sound.ndim != 1 for found in sounds.values() for sound in found):
        raise ValueError(f"`name`: the TFDS set {name!r} must hold sounds of one channel.")
    waveforms = {split: [audio.amplitudes(narrowed(sound)) for sound in found] for split, found in sounds.items()}
    return of_one_length(waveforms, sample_rate, audio_length)


def narrowed(sound: np.ndarray) -> np.ndarray:
    """Returns samples in the dtype of their file: TFDS widens whole numbers of 16 bits, or of 32, to 64."""
    if sound.dtype.kind != "i":
        return sound
    low, high = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    fits = sound.size == 0 or (low <= sound.min() and sound.max() <= high)
    return sound.astype(np.int16 if fits else np.int32)
