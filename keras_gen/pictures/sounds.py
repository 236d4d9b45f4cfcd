"""Sound to look at and listen to."""

import pathlib
from collections.abc import Mapping

import numpy as np
import PIL.Image
from scipy import signal
from scipy.io import wavfile

from keras_gen.pictures.figures import new_figure, rendered

#: Level of sound at full volume above the darkest colour of a spectrogram, in decibels.
DYNAMIC_RANGE = 80.0


#: Largest number of sounds that a picture shows by default.
MOST_SOUNDS = 4


def sound_picture(
    rows: Mapping[str, np.ndarray], sample_rate: int, *, num_sounds: int = MOST_SOUNDS
) -> PIL.Image.Image:
    """Draws the first few sounds of each row: the waveform of each, and its spectrogram below.

    Args:
        rows: name to amplitudes from -1 to 1, of shape `(num, samples)`; missing ones (NaN) are drawn as silence.
        sample_rate: samples per second.
        num_sounds: number of sounds of each row.
    """
    rows = {name: sounds[:num_sounds] for name, sounds in rows.items()}
    columns = max(map(len, rows.values()))
    figure, axes = new_figure(2 * len(rows), columns, 2.4)
    axes = np.array(axes).reshape(len(rows), 2, columns)
    for (name, sounds), (waveforms, spectrograms) in zip(rows.items(), axes, strict=True):
        for axis in (*waveforms[len(sounds) :], *spectrograms[len(sounds) :]):
            axis.set_axis_off()
        for index, sound in enumerate(sounds):
            draw_sound(waveforms[index], spectrograms[index], np.nan_to_num(np.asarray(sound, np.float64)), sample_rate)
            waveforms[index].set_title(f"{name} {index}", fontsize=8)
    return rendered(figure)


def draw_sound(waveform, spectrogram, sound: np.ndarray, sample_rate: int) -> None:
    """Draws a waveform and the power of its frequencies over time, in decibels below a full-scale sine."""
    seconds = len(sound) / sample_rate
    waveform.plot(np.arange(len(sound)) / sample_rate, sound, linewidth=0.5)
    waveform.set(xlim=(0.0, seconds), ylim=(-1.0, 1.0))
    # About 30 ms resolve the harmonics of a voice.
    window = min(len(sound), 2 ** max(2, round(np.log2(0.03 * sample_rate))))
    power = signal.spectrogram(
        sound, sample_rate, window="hann", nperseg=window, noverlap=window * 3 // 4, scaling="spectrum", detrend=False
    )[2]
    decibels = 10.0 * np.log10(np.maximum(2.0 * power, 1e-12))
    spectrogram.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        extent=(0.0, seconds, 0.0, sample_rate / 2000.0),
        vmin=-DYNAMIC_RANGE,
        vmax=0.0,
        cmap="magma",
    )
    spectrogram.set_xlabel("seconds", fontsize=7)
    spectrogram.set_ylabel("kHz", fontsize=7)
    for axis in (waveform, spectrogram):
        axis.tick_params(labelsize=6)


def write_wav(path: pathlib.Path, values: np.ndarray, sample_rate: int, *, gap_seconds: float = 0.25) -> None:
    """Writes sounds, one after the other with silence between them, as a WAV file of 16 bits.

    Args:
        path: the file.
        values: amplitudes from -1 to 1, of shape `(num, samples)`; those beyond are clipped.
        sample_rate: samples per second.
        gap_seconds: length of the silence after each sound.
    """
    gap = np.zeros((len(values), round(gap_seconds * sample_rate)))
    sound = np.concatenate([np.asarray(values, np.float64), gap], axis=1).ravel()
    wavfile.write(path, sample_rate, np.clip(np.round(32768.0 * sound), -32768, 32767).astype(np.int16))
