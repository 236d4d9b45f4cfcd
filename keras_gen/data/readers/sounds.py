"""Sounds from WAV files, and generated ones, as examples of one length, held in memory if they fit."""

import concurrent.futures
import dataclasses
import os

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data import audio, columns
from keras_gen.spaces import Sound


def read_tones(audio_length: int | None) -> columns.Reading:
    """Returns the built-in tones: see `audio.tones`."""
    waveforms, labels = audio.tones()
    reading = of_one_length({"all": list(waveforms)}, audio.TONE_RATE, audio_length)
    return reading.labelled({"all": labels}, len(audio.PITCHES))


@dataclasses.dataclass(frozen=True)
class SoundFiles:
    """Sounds that are read from WAV files whenever they are needed.

    Attributes:
        paths: paths of the files, an array of strings.
        sample_rate: samples per second that sounds are resampled to.
        length: number of samples of an example.
        behind: value after the end of a shorter sound: NaN, or 0 for silence.
    """

    paths: np.ndarray
    sample_rate: int
    length: int
    behind: float = np.nan

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, rows) -> "SoundFiles":
        return dataclasses.replace(self, paths=self.paths[rows])

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Returns the sounds at an array of indices, float32."""
        found = np.empty((len(indices), self.length), np.float32)
        for example, path in zip(found, self.paths[indices], strict=True):
            rate, waveform = audio.read_wav(path)
            waveform = audio.resampled(waveform, rate, self.sample_rate)
            example[:] = audio.of_length(waveform, self.length, self.behind)
        return found

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """Reads the sounds at an int64 tensor of indices."""
        found = tf.numpy_function(self.read, [indices], tf.float32, stateful=False)
        return tf.ensure_shape(found, (indices.shape[0], self.length))

    def silent(self) -> "SoundFiles":
        """Returns the same sounds with silence after their end."""
        return dataclasses.replace(self, behind=0.0)


def sound_files(paths: dict[str, list[str]], audio_length: int | None) -> columns.Reading:
    """Returns WAV files as examples that are read when they are needed; see `read_sounds`."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        sizes = list(pool.map(audio.size_of_wav, [path for files in paths.values() for path in files]))
    sample_rate = sizes[0][0]
    if audio_length is None:
        audio_length = max(-(-num * sample_rate // rate) for rate, num in sizes)
    length = checks.positive_int("audio_length", audio_length)
    found = {split: SoundFiles(np.array(files, str), sample_rate, length) for split, files in paths.items()}
    return reading_of({split: {"x": files} for split, files in found.items()}, length, sample_rate)


def reading_of(found: columns.Columns, length: int, sample_rate: int) -> columns.Reading:
    """Returns examples of one length as what a reader found."""
    space = Sound((length,), sample_rate=sample_rate, missing=True)
    return columns.Reading(found, {"x": space}, options=("audio_length", "padding"))


def read_sounds(paths: dict[str, list[str]], audio_length: int | None) -> columns.Reading:
    """Reads WAV files; those with a sample rate other than the first one's are resampled.

    If they are too large for memory, files are read when they are needed.

    Args:
        paths: split to the paths of its sounds.
        audio_length: as in `data.load`.

    Raises:
        ValueError: if a file cannot be read.
    """
    all_paths = [path for files in paths.values() for path in files]
    # Amplitudes take four bytes, samples in files two or more.
    if max(2 * sum(os.path.getsize(path) for path in all_paths), 4 * (audio_length or 0) * len(all_paths)) > (
        columns.MEMORY_LIMIT
    ):
        return sound_files(paths, audio_length)
    sample_rate, waveforms = None, {}
    for split, files in paths.items():
        waveforms[split] = []
        for path in files:
            rate, waveform = audio.read_wav(path)
            sample_rate = sample_rate or rate
            waveforms[split].append(audio.resampled(waveform, rate, sample_rate))
    return of_one_length(waveforms, sample_rate, audio_length)


def of_one_length(
    waveforms: dict[str, list[np.ndarray]], sample_rate: int, audio_length: int | None
) -> columns.Reading:
    """Makes examples from recordings: longer ones are cut; after the end of shorter ones, samples are missing (NaN).

    Args:
        waveforms: split to recordings, each a float32 array of shape `(samples,)`.
        sample_rate: samples per second.
        audio_length: number of samples of an example; None uses the longest recording's.

    Raises:
        ValueError: if all examples together do not fit in memory.
    """
    if audio_length is None:
        audio_length = max(len(waveform) for recordings in waveforms.values() for waveform in recordings)
    length = checks.positive_int("audio_length", audio_length)
    num_bytes = 4 * length * sum(map(len, waveforms.values()))
    if num_bytes > columns.MEMORY_LIMIT:
        raise ValueError(
            f"`audio_length` must be smaller: examples of {length} samples take {num_bytes >> 20} MiB, "
            f"more than the {columns.MEMORY_LIMIT >> 20} MiB that are held in memory."
        )
    found = {}
    for split, recordings in waveforms.items():
        examples = [audio.of_length(waveform, length, np.nan) for waveform in recordings]
        found[split] = {"x": np.stack(examples) if examples else np.zeros((0, length), np.float32)}
    return reading_of(found, length, sample_rate)
