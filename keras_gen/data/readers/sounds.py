"""Sounds from WAV files and made here, as examples of one length."""

import pathlib

import numpy as np

from keras_gen import checks
from keras_gen.data import audio, columns
from keras_gen.spaces import Sound


def read_tones(audio_length: int | None) -> columns.Reading:
    """Returns the built-in tones: see `audio.tones`."""
    waveforms, labels = audio.tones()
    reading = of_one_length({"all": list(waveforms)}, audio.TONE_RATE, audio_length)
    return reading.labelled({"all": labels}, len(audio.PITCHES))


def read_sounds(paths: dict[str, list[pathlib.Path]], audio_length: int | None) -> columns.Reading:
    """Reads WAV files; those of another sample rate than the first are resampled.

    Args:
        paths: split to the paths of its sounds.
        audio_length: as in `data.load`.

    Raises:
        ValueError: if a file cannot be read.
    """
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
    """Makes examples of recordings: longer ones are cut, and behind the end of shorter ones samples are missing, NaN.

    Args:
        waveforms: split to recordings, each a float32 array of shape `(samples,)`.
        sample_rate: samples in a second.
        audio_length: samples of an example; None takes the longest recording's.

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
        examples = np.full((len(recordings), length), np.nan, np.float32)
        for example, waveform in zip(examples, recordings, strict=True):
            example[: len(waveform)] = waveform[:length]
        found[split] = {"x": examples}
    space = Sound((length,), sample_rate=sample_rate, missing=True)
    return columns.Reading(found, {"x": space}, options=("audio_length", "padding"))
