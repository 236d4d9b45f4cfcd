"""Sound: recordings of different lengths, from files or made here, as examples of one length."""

import dataclasses
import math
import pathlib
import struct
import warnings

import numpy as np
from scipy import signal
from scipy.io import wavfile

from keras_gen import checks

#: Pitches of the tones, in Hz: a major scale from A on.
PITCHES = tuple(220.0 * 2.0 ** (semitones / 12.0) for semitones in (0, 2, 4, 5, 7, 9, 11, 12))


@dataclasses.dataclass(frozen=True)
class Recordings:
    """Sounds of any lengths.

    Attributes:
        columns: split to a list of waveforms, float32 amplitudes from -1 to 1 of shape `(samples,)`, and, where there
            are some, an array of their labels.
        sample_rate: samples in a second.
    """

    columns: dict[str, tuple]
    sample_rate: int

    def cut(self, length: int | None, memory_limit: int) -> dict[str, tuple[np.ndarray, ...]]:
        """Returns examples of one length: longer recordings are cut, and silence follows shorter ones.

        Args:
            length: samples of an example; None takes the longest recording's.
            memory_limit: how many bytes all examples together may take.

        Raises:
            ValueError: if they take more.
        """
        if length is None:
            length = max(len(waveform) for waveforms, *_ in self.columns.values() for waveform in waveforms)
        length = checks.positive_int("audio_length", length)
        num_bytes = 4 * length * sum(len(waveforms) for waveforms, *_ in self.columns.values())
        if num_bytes > memory_limit:
            raise ValueError(
                f"`audio_length` must be smaller: examples of {length} samples take {num_bytes >> 20} MiB, "
                f"more than the {memory_limit >> 20} MiB that are held in memory."
            )
        arrays = {}
        for split, (waveforms, *labels) in self.columns.items():
            examples = np.zeros((len(waveforms), length), np.float32)
            for example, waveform in zip(examples, waveforms, strict=True):
                example[: len(waveform)] = waveform[:length]
            arrays[split] = (examples, *labels)
        return arrays


def tones(num_examples: int = 640, samples: int = 1024, sample_rate: int = 4000) -> Recordings:
    """Makes notes of eight pitches, as of a plucked string: each label has its pitch.

    A note is a sum of up to five harmonics that fade, the higher the sooner, with random volume, phases and colour, a
    pitch up to 1 % off, and a little noise. They are the same at every call.

    Args:
        num_examples: number of notes.
        samples: samples of a note.
        sample_rate: samples in a second.
    """
    random = np.random.default_rng(0)
    labels = np.arange(num_examples) % len(PITCHES)
    pitch = np.asarray(PITCHES)[labels] * random.uniform(0.99, 1.01, num_examples)
    seconds = np.arange(samples) / sample_rate
    waveforms = 0.002 * random.standard_normal((num_examples, samples))
    volume = random.uniform(0.3, 0.7, num_examples)
    for harmonic in range(1, 6):
        weight = volume * random.uniform(0.5, 1.0, num_examples) / harmonic**1.5
        phase = 2.0 * np.pi * (harmonic * pitch[:, np.newaxis] * seconds + random.random((num_examples, 1)))
        # What lies beyond half the sample rate would come back as another pitch.
        weight *= harmonic * pitch < sample_rate / 2
        waveforms += weight[:, np.newaxis] * np.sin(phase) * np.exp(-6.0 * harmonic * seconds)
    waveforms *= np.minimum(1.0, seconds / 0.005)
    waveforms = np.clip(waveforms, -1.0, 1.0).astype(np.float32)
    return Recordings({"all": (list(waveforms), labels)}, sample_rate)


def read_files(files: dict[str, dict[pathlib.Path, str]]) -> Recordings:
    """Reads WAV files; those of another sample rate than the first are resampled.

    Args:
        files: split to files, and for each the name of its class, or "" for none. Classes are counted in the order of
            their names.

    Raises:
        ValueError: if a file cannot be read.
    """
    classes = sorted({name for found in files.values() for name in found.values()})
    columns, sample_rate = {}, None
    for split, found in files.items():
        waveforms = []
        for path in found:
            rate, waveform = read_wav(path)
            sample_rate = sample_rate or rate
            waveforms.append(resampled(waveform, rate, sample_rate))
        labels = () if "" in classes else (np.array([classes.index(name) for name in found.values()]),)
        columns[split] = (waveforms, *labels)
    return Recordings(columns, sample_rate)


def from_examples(sets: dict, sample_rate: int | None, name: str) -> Recordings:
    """Reads the splits of a TFDS set with a feature `audio`.

    Args:
        sets: split to a `tf.data.Dataset` of dicts with `audio` and, perhaps, `label`.
        sample_rate: samples in a second.
        name: name of the set, for errors.

    Raises:
        ValueError: if the set does not say its sample rate, or its sounds have several channels.
    """
    if not sample_rate:
        raise ValueError(f"`name`: the TFDS set {name!r} does not say its sample rate; give a folder of WAV files.")
    columns = {}
    for split in ("train", "validation", "test"):
        if split in sets:
            examples = list(sets[split].as_numpy_iterator())
            sounds = [narrowed(example["audio"]) for example in examples]
            if any(sound.ndim != 1 for sound in sounds):
                raise ValueError(f"`name`: the TFDS set {name!r} must hold sounds of one channel.")
            labels = [np.array([example["label"] for example in examples])] if "label" in examples[0] else []
            columns[split] = ([amplitudes(sound) for sound in sounds], *labels)
    return Recordings(columns, sample_rate)


def narrowed(sound: np.ndarray) -> np.ndarray:
    """Returns samples in the dtype of their file: TFDS widens whole numbers of 16 bits, or of 32, to 64."""
    if sound.dtype.kind != "i":
        return sound
    low, high = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    fits = sound.size == 0 or (low <= sound.min() and sound.max() <= high)
    return sound.astype(np.int16 if fits else np.int32)


def read_wav(path: pathlib.Path) -> tuple[int, np.ndarray]:
    """Reads a WAV file.

    Returns:
        The sample rate, and float32 amplitudes of shape `(samples,)`: the mean of all channels.

    Raises:
        ValueError: if the file is damaged, empty or of a kind that is not known.
    """
    try:
        with warnings.catch_warnings():
            # Chunks that are not sound, such as the names of a piece and its player, do no harm.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, sound = wavfile.read(path)
    except (ValueError, EOFError, OSError, struct.error) as error:
        raise ValueError(f"`name`: {path} is not a readable WAV file ({error}).") from None
    if sound.size == 0:
        raise ValueError(f"`name`: {path} holds no sound; at least one sample is expected.")
    sound = amplitudes(sound)
    return rate, sound.mean(axis=1) if sound.ndim == 2 else sound


def amplitudes(sound: np.ndarray) -> np.ndarray:
    """Returns samples of any dtype as float32 from -1 to 1: whole numbers by their range, bytes around 128."""
    if sound.dtype == np.uint8:
        return (sound.astype(np.float32) - 128.0) / 128.0
    if sound.dtype.kind == "i":
        return (sound / -float(np.iinfo(sound.dtype).min)).astype(np.float32)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def resampled(waveform: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Returns a waveform at another sample rate."""
    if rate == wanted:
        return waveform
    divisor = math.gcd(rate, wanted)
    return np.clip(signal.resample_poly(waveform, wanted // divisor, rate // divisor), -1.0, 1.0).astype(np.float32)
