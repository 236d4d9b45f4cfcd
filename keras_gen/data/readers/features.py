"""Values of features of records (`tf.train.Example`s in TFRecord and ArrayRecord files), read by position."""

import dataclasses
import io
import math

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from keras_gen.console import tracked
from keras_gen.data import audio
from keras_gen.data.readers.images import Expected, decoded, header_of, resized_image
from keras_gen.data.records import ArrayRecordFiles, RecordFiles, name_of_record, state_of
from keras_gen.files import cached

#: Number of records that one thread reads at once when loading into memory.
ROWS_AT_ONCE = 100

#: Name of the sample rate of sounds, alone or after the name of the sounds and a slash.
RATE_NAME = "sample_rate"

#: Maps each feature to how its values are parsed: a fixed number of a dtype, or any number, as `tf.io.RaggedFeature`.
Forms = dict[str, tf.io.FixedLenFeature | tf.io.RaggedFeature]


def numbers_of(feature: tf.train.Feature) -> tuple[type, list]:
    """Returns the dtype and the values of a feature of numbers; an empty list if it has no values."""
    if feature.WhichOneof("kind") == "float_list":
        return np.float32, list(feature.float_list.value)
    return np.int64, list(feature.int64_list.value)


def parsed(files: RecordFiles | ArrayRecordFiles, rows: np.ndarray, forms: Forms) -> dict[str, tf.Tensor]:
    """Returns features of records.

    Args:
        files: the records.
        rows: int64 indices of the records.
        forms: how each feature is parsed.

    Raises:
        ValueError: if a record does not have such a feature; the message names it.
    """
    contents = files.read(rows)
    try:
        with tf.device("CPU"):
            found = tf.io.parse_example(tf.constant(contents, tf.string), forms)
    except tf.errors.InvalidArgumentError:
        check_records(files, rows, contents, forms)
        raise
    for values in found.values():
        if isinstance(values, tf.RaggedTensor) and not np.all(values.row_lengths()):
            check_records(files, rows, contents, forms)
    return found


def check_records(files: RecordFiles | ArrayRecordFiles, rows: np.ndarray, contents: np.ndarray, forms: Forms) -> None:
    """Raises ValueError with the first record that does not have some features."""
    for row, content in zip(rows, contents, strict=True):
        for feature, form in forms.items():
            why = difference(content, feature, form)
            if why:
                raise ValueError(f"`name`: {name_of_record(files, int(row))} must {why}.")


def difference(content: bytes, feature: str, form: tf.io.FixedLenFeature | tf.io.RaggedFeature) -> str | None:
    """Returns the requirement on its contents that a record does not meet; None if it meets all."""
    try:
        features = tf.train.Example.FromString(content).features.feature
    except DecodeError:
        return "be a tf.train.Example"
    if feature not in features:
        return f"hold the feature {feature!r}; it holds {', '.join(sorted(features)) or 'none'}"
    values = features[feature]
    kinds = {tf.string: "bytes_list", tf.int64: "int64_list", tf.float32: "float_list"}
    kind = kinds[tf.as_dtype(form.dtype)]
    found = values.WhichOneof("kind") or kind
    num_found = len(getattr(values, found).value)
    if isinstance(form, tf.io.RaggedFeature):
        if found == kind and num_found:
            return None
        return f"hold values in the {kind} {feature!r}; it holds {num_found} in a {found}"
    num = math.prod(form.shape)
    if (found, num_found) == (kind, num):
        return None
    return f"hold {num} values in the {kind} {feature!r}; it holds {num_found} in a {found}"


def contents_of(files: RecordFiles | ArrayRecordFiles, rows: np.ndarray, feature: str) -> np.ndarray:
    """Returns a feature of some records that is one byte string."""
    return parsed(files, rows, {feature: tf.io.FixedLenFeature((), tf.string)})[feature].numpy()


@dataclasses.dataclass(frozen=True)
class FeatureRecords:
    """The values of features of records, row by row, in the form that `StoredRows` expects.

    Attributes:
        files: the records.
        shape: number of records, and the shape of the values of each.
    """

    files: RecordFiles | ArrayRecordFiles
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Number of bytes that a row needs while it is read."""
        return max(math.prod(self.shape[1:]) * self.dtype.itemsize, self.files.num_bytes // self.shape[0])


@dataclasses.dataclass(frozen=True)
class NumberRecords(FeatureRecords):
    """A feature of numbers.

    Attributes:
        feature: name of the feature.
        dtype: float32 or int64.
    """

    feature: str
    dtype: np.dtype

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows at an array of indices; raises what `parsed` raises."""
        form = tf.io.FixedLenFeature(self.shape[1:], self.dtype)
        return parsed(self.files, rows, {self.feature: form})[self.feature].numpy()


@dataclasses.dataclass(frozen=True)
class TableRecords(FeatureRecords):
    """Features of one number each, as the columns of a table.

    Attributes:
        features: name to dtype, float32 or int64, of each column.
    """

    features: dict[str, np.dtype]

    @property
    def dtype(self) -> np.dtype:
        """Type of an entry."""
        return np.dtype(np.float64)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows at an array of indices; raises what `parsed` raises."""
        forms = {name: tf.io.FixedLenFeature((), dtype) for name, dtype in self.features.items()}
        found = parsed(self.files, rows, forms)
        return np.stack([found[name].numpy().astype(self.dtype) for name in self.features], axis=1)


@dataclasses.dataclass(frozen=True)
class SoundFeature:
    """A feature of sounds of any length: WAV files, or lists of amplitudes, whose rate may be in another feature.

    Attributes:
        name: name of the feature.
        dtype: `tf.string` for WAV files; `tf.float32` for amplitudes from -1 to 1; `tf.int64` for 16-bit amplitudes.
        rate: name of the feature that holds the sample rate; None if there is none, or the files contain it.
    """

    name: str
    dtype: tf.DType
    rate: str | None

    @classmethod
    def of(cls, name: str, features: dict[str, tf.train.Feature]) -> "SoundFeature":
        """Returns the feature with a given name among those of a record."""
        if features[name].WhichOneof("kind") == "bytes_list":
            return cls(name, tf.string, None)
        folder = name.rpartition("/")[0]
        names = (f"{name}/{RATE_NAME}", f"{folder}/{RATE_NAME}", RATE_NAME)
        return cls(
            name, tf.as_dtype(numbers_of(features[name])[0]), next((rate for rate in names if rate in features), None)
        )

    def read(self, files: RecordFiles | ArrayRecordFiles, rows: np.ndarray) -> list[tuple[int | None, np.ndarray]]:
        """Returns the sample rate and the float32 amplitudes of the records at an array of indices.

        Raises:
            ValueError: if one holds no sound; the message names it.
        """
        if self.dtype == tf.string:
            contents = zip(rows, contents_of(files, rows, self.name), strict=True)
            return [audio.decode_wav(content, name_of_record(files, int(row))) for row, content in contents]
        forms = {self.name: tf.io.RaggedFeature(self.dtype)}
        if self.rate is not None:
            forms[self.rate] = tf.io.FixedLenFeature((), tf.int64)
        found = parsed(files, rows, forms)
        rates = [None] * len(rows) if self.rate is None else found[self.rate].numpy().tolist()
        sounds = np.split(found[self.name].values.numpy(), found[self.name].row_splits.numpy()[1:-1])
        for row, rate, sound in zip(rows, rates, sounds, strict=True):
            if rate is not None and rate < 1:
                raise ValueError(
                    f"`name`: {name_of_record(files, int(row))} must hold a rate of at least 1 in {self.rate!r}; it "
                    f"holds {rate}."
                )
            if sound.dtype.kind == "i" and (sound.min() < -(2**15) or sound.max() >= 2**15):
                raise ValueError(
                    f"`name`: {name_of_record(files, int(row))} must hold floats, or whole numbers of 16 bits, in "
                    f"{self.name!r}; it holds numbers from {sound.min()} to {sound.max()}."
                )
        return [
            (rate, audio.amplitudes(sound.astype(np.int16) if sound.dtype.kind == "i" else sound))
            for rate, sound in zip(rates, sounds, strict=True)
        ]

    def sizes(self, files: RecordFiles | ArrayRecordFiles) -> np.ndarray:
        """Returns the sample rate (1 if unknown) and the number of samples of each record, determined once."""

        def write(folder):
            starts = range(0, len(files), ROWS_AT_ONCE)
            title = f"measuring the sounds of {len(files.paths):,} files"
            found = []
            for start in tracked(starts, title, total=len(starts), transient=True):
                rows = np.arange(start, min(start + ROWS_AT_ONCE, len(files)))
                found += [(rate or 1, len(waveform)) for rate, waveform in self.read(files, rows)]
            np.save(folder / "sizes.npy", np.array(found, np.int64))

        return np.load(cached(f"sizes of {self} of {files.paths}", state_of(files.paths), write) / "sizes.npy")


@dataclasses.dataclass(frozen=True)
class SoundRecords(FeatureRecords):
    """Sounds converted to one length and one sample rate.

    Attributes:
        feature: feature that holds the sounds.
        sample_rate: samples per second; None if unknown.
        behind: value after the end of a shorter sound: NaN, or 0 for silence.
    """

    feature: SoundFeature
    sample_rate: int | None
    behind: float = np.nan

    @property
    def dtype(self) -> np.dtype:
        """Type of an amplitude."""
        return np.dtype(np.float32)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the sounds at an array of indices; raises what `SoundFeature.read` raises."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        if len(rows):
            for example, (rate, waveform) in zip(found, self.feature.read(self.files, rows), strict=True):
                waveform = audio.resampled(waveform, rate, self.sample_rate)
                example[:] = audio.of_length(waveform, len(example), self.behind)
        return found

    def silent(self) -> "SoundRecords":
        """Returns the same sounds with silence after their end."""
        return dataclasses.replace(self, behind=0.0)


@dataclasses.dataclass(frozen=True)
class ImageRecords(FeatureRecords):
    """A feature of encoded images, with the shape of the decoded images.

    Attributes:
        feature: name of the feature.
        expected: requirements on the headers of all images.
    """

    feature: str
    expected: Expected

    @property
    def dtype(self) -> np.dtype:
        """Type of a level."""
        return np.dtype(np.uint16 if self.expected.header.deep else np.uint8)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the images at an array of indices.

        Raises:
            ValueError: if one cannot be read, or is not of the set's kind of images; the message names it.
        """
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for index, content in enumerate(contents_of(self.files, rows, self.feature)):
            image = self.image(content)
            if isinstance(image, str):
                name = name_of_record(self.files, int(rows[index]))
                raise ValueError(f"`name`: {name} holds no image of the set ({image}).")
            found[index] = image
        return found

    def image(self, content: bytes) -> np.ndarray | str:
        """Returns an image, or the reason why it does not belong to the set."""
        header = header_of(io.BytesIO(content))
        why = header if isinstance(header, str) else self.expected.difference(header)
        image = why or decoded(io.BytesIO(content), self.shape[-1], self.expected.header.deep)
        if isinstance(image, str) or image.shape == self.shape[1:]:
            return image
        return resized_image(image, self.shape[1:3])
