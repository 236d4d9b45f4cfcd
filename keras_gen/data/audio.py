"""Sound: generated tones, and samples of any dtype and rate as amplitudes."""

import io
import math
import os
import pathlib
import struct
import warnings

import numpy as np
from scipy import signal
from scipy.io import wavfile

#: Pitches of the tones, in Hz: a major scale starting at A.
PITCHES = tuple(220.0 * 2.0 ** (semitones / 12.0) for semitones in (0, 2, 4, 5, 7, 9, 11, 12))

#: Samples per second of the tones.
TONE_RATE = 4000

#: Largest magnitude of real samples: decoders overshoot, so magnitudes between 1 and this are clipped.
MOST_OVERSHOOT = 2.0

#: Smallest size in the header of a WAV file that means that the size is unknown.
UNKNOWN_SIZE = 0xFFFFFF00


def tones(num_examples: int = 640, samples: int = 1024, sample_rate: int = TONE_RATE) -> tuple[np.ndarray, np.ndarray]:
    """Makes notes of eight pitches, like those of a plucked string: each label has its pitch.

    A note is a sum of up to five fading harmonics, of which higher ones fade sooner, with random volume, phases and
    colour, a pitch up to 1 % off, and a little noise. Every call returns the same notes.

    Args:
        num_examples: number of notes.
        samples: number of samples of a note.
        sample_rate: samples per second.

    Returns:
        float32 amplitudes of shape `(num_examples, samples)`, and the label of each.
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
        # Frequencies beyond half the sample rate would alias to another pitch.
        weight *= harmonic * pitch < sample_rate / 2
        waveforms += weight[:, np.newaxis] * np.sin(phase) * np.exp(-6.0 * harmonic * seconds)
    waveforms *= np.minimum(1.0, seconds / 0.005)
    return np.clip(waveforms, -1.0, 1.0).astype(np.float32), labels


def read_wav(path: pathlib.Path | str) -> tuple[int, np.ndarray]:
    """Reads a WAV file.

    Returns:
        The sample rate, and float32 amplitudes of shape `(samples,)`: the mean of all channels.

    Raises:
        ValueError: if the file is damaged, empty or of an unknown kind.
    """
    return waveform_of(*samples_of(path), path)


def decode_wav(contents: bytes, name: str) -> tuple[int, np.ndarray]:
    """Like `read_wav`, for the contents of a file; errors refer to it by `name`."""
    return waveform_of(*samples_of(io.BytesIO(contents), name), name)


def waveform_of(rate: int, sound: np.ndarray, name) -> tuple[int, np.ndarray]:
    """Returns samples of one or several channels as amplitudes, with their rate.

    Raises:
        ValueError: if real samples are not finite, or are far beyond 1.
    """
    largest = np.abs(sound).max() if sound.dtype.kind == "f" else 0.0
    if not largest <= MOST_OVERSHOOT:
        raise ValueError(
            f"`name`: {name} holds the amplitude {largest:g}; real numbers from -1 to 1 are expected in a WAV file."
        )
    sound = amplitudes(sound)
    return rate, sound.mean(axis=1) if sound.ndim == 2 else sound


def size_of_wav(path: pathlib.Path | str) -> tuple[int, int]:
    """Returns the sample rate and the number of samples of a WAV file, if possible without reading its sound.

    Raises:
        ValueError: as in `read_wav`.
    """
    try:
        rate, sound = samples_of(path, mmap=True)
    except ValueError:
        # 24-bit samples cannot be memory-mapped; the reader reports any other error.
        rate, sound = samples_of(path)
    return rate, len(sound)


def samples_of(file: pathlib.Path | str | io.BytesIO, name: str | None = None, **options) -> tuple[int, np.ndarray]:
    """Returns the sample rate of a WAV file and its samples, unconverted.

    Args:
        file: the file, or its contents.
        name: name of the file in errors; its path by default.
        **options: as in `scipy.io.wavfile.read`.

    Raises:
        ValueError: as in `read_wav`.
    """
    try:
        with warnings.catch_warnings():
            # Chunks that are not sound, such as the names of a piece and its player, are harmless.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, sound = wavfile.read(file, **options)
    except (ValueError, EOFError, OSError, struct.error) as error:
        raise ValueError(f"`name`: {name or file} is not a readable WAV file ({error}).") from None
    if sound.size == 0:
        raise ValueError(f"`name`: {name or file} holds no sound; at least one sample is expected.")
    told, held = sizes_of(file)
    if told > held:
        raise ValueError(f"`name`: {name or file} is not a readable WAV file (it ends after {held} of {told} bytes).")
    return rate, sound


def sizes_of(file: pathlib.Path | str | io.BytesIO) -> tuple[int, int]:
    """Returns the number of bytes that a WAV file declares, 0 if that is unknown, and the number that it has."""
    if isinstance(file, io.BytesIO):
        start, held = file.getvalue()[:8], len(file.getvalue())
    else:
        held = os.path.getsize(file)
        with open(file, "rb") as opened:
            start = opened.read(8)
    told = int.from_bytes(start[4:], "big" if start[:4] == b"RIFX" else "little")
    # A streamed file declares the largest number. After an odd number of bytes, the padding byte may be missing.
    return (0 if told >= UNKNOWN_SIZE or start[:4] == b"RF64" else told + 7), held


def amplitudes(sound: np.ndarray) -> np.ndarray:
    """Returns samples of any dtype as float32 from -1 to 1: integers are scaled by their range, bytes around 128."""
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


def of_length(waveform: np.ndarray, length: int, behind: float) -> np.ndarray:
    """Returns the first samples of a waveform as float32, padded after its end with `behind`."""
    example = np.full(length, behind, np.float32)
    example[: len(waveform)] = waveform[:length]
    return example


def normalized(waveforms: np.ndarray) -> np.ndarray:
    """Returns waveforms of shape `(num, samples)`, each scaled to a largest amplitude of 1; silence is unchanged."""
    peaks = np.abs(waveforms).max(axis=1, keepdims=True)
    return waveforms / np.where(peaks > 0.0, peaks, 1.0)
