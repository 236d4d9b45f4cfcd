"""Pictures and files of sound."""

import numpy as np
from scipy.io import wavfile

from keras_gen import pictures
from keras_gen.spaces import Sound

SOUND = Sound((2000,), sample_rate=8000)


def test_a_wav_file_holds_the_sounds_and_gaps(tmp_path):
    x = np.array([[0.5, -1.0, 1.0], [0.25, 0.0, -2.0]])
    pictures.write_wav(tmp_path / "samples.wav", x, 8, gap_seconds=0.25)
    rate, samples = wavfile.read(tmp_path / "samples.wav")
    assert (rate, samples.dtype) == (8, np.int16)
    assert samples.tolist() == [16384, -32768, 32767, 0, 0, 8192, 0, -32768, 0, 0]


def test_a_picture_shows_where_the_sound_is():
    """A spectrogram, in the lower half, is dark but for the frequencies of the sound: a tone has fewer than noise."""
    seconds = np.arange(2000) / 8000
    tone = np.sin(2 * np.pi * 1000 * seconds)
    noise = np.random.default_rng(0).uniform(-1, 1, 2000)
    pixels = [np.asarray(pictures.picture(SOUND, x[np.newaxis])) for x in (0 * tone, tone, noise)]
    silent, clear, loud = (image[len(image) // 2 :].mean() for image in pixels)
    assert silent < clear < loud
    with_data = pictures.picture(SOUND, np.stack([tone] * 6), np.stack([noise] * 6))
    alone = pictures.picture(SOUND, np.stack([tone] * 6))
    assert with_data.height == 2 * alone.height
    assert with_data.width == alone.width


def test_a_very_short_sound_can_be_shown():
    assert pictures.picture(Sound((3,), sample_rate=8000), np.zeros((2, 3))).width > 100


def test_several_rows_of_sound_stand_below_each_other():
    rows = {name: (SOUND, np.zeros((1, 2000))) for name in ("input", "output", "target")}
    one = pictures.picture(SOUND, np.zeros((1, 2000)))
    image = pictures.preview(rows)
    assert (image.width, image.height) == (one.width, 3 * one.height)


def test_what_is_missing_behind_the_end_of_a_sound_is_drawn_as_silence():
    tone = 0.5 * np.sin(np.arange(2000))[np.newaxis]
    short = {end: np.where(np.arange(2000) < 1200, tone, end) for end in (0.0, np.nan)}
    first, second = (np.asarray(pictures.picture(SOUND, x)) for x in short.values())
    np.testing.assert_array_equal(first, second)
