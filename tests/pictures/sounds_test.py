"""Baselines, pictures and files of sound."""

import numpy as np
import pytest
from scipy.io import wavfile

from keras_gen import cli, data, evaluation
from keras_gen.autoregressive import WaveNet


def test_markov_chain_has_the_smoothed_frequencies_of_pairs():
    """By hand: of four entries one is a 0; 0 is followed by a 1 once; 1 by a 1 once."""
    train, test = np.array([[0, 1], [1, 1]]), np.array([[1, 0], [0, 2]])
    first = [np.log(4 / 7), np.log(2 / 7)]
    following = [np.log(1 / 4), np.log(1 / 4)]
    expected = -(sum(first) + sum(following)) / 2
    assert evaluation.markov_chain(train, test, 3) == pytest.approx(expected)
    assert evaluation.markov_chain(train, np.array([[1, 1]]), 3) == pytest.approx(-np.log(4 / 7 * 2 / 4))
    assert evaluation.markov_chain(train[:, :1], test[:, :1], 3) == pytest.approx(-np.mean([np.log(2 / 5)] * 2))


def test_markov_chain_of_many_levels_knows_what_repeats():
    """Sequences that count up, of 65,536 levels: what always follows costs little, anything else about ln 65,536."""
    train = np.tile(np.arange(1000) % 10, (400, 1)) + 60_000
    good = evaluation.markov_chain(train, train[:1], 65_536) / 1000
    assert good == pytest.approx(-np.log((40_000 + 1) / (40_000 + 65_536)), rel=0.01)
    other = evaluation.markov_chain(train, np.zeros((1, 1000), int), 65_536) / 1000
    assert other == pytest.approx(np.log(65_536), rel=0.01)


def test_markov_chain_of_an_independent_process_is_its_entropy():
    random = np.random.default_rng(0)
    masses = np.array([0.5, 0.3, 0.2])
    x = random.choice(3, p=masses, size=(600, 500))
    found = evaluation.markov_chain(x[:300], x[300:], 3) / 500
    assert found == pytest.approx(-np.sum(masses * np.log(masses)), rel=5e-3)


def test_sound_has_no_baseline_over_amplitudes():
    assert evaluation.baselines(data.load("tones")) == {}


def test_a_wav_file_holds_the_sounds_and_gaps(tmp_path):
    x = np.array([[0.5, -1.0, 1.0], [0.25, 0.0, -2.0]])
    evaluation.write_wav(tmp_path / "samples.wav", x, 8, gap_seconds=0.25)
    rate, samples = wavfile.read(tmp_path / "samples.wav")
    assert (rate, samples.dtype) == (8, np.int16)
    assert samples.tolist() == [16384, -32768, 32767, 0, 0, 8192, 0, -32768, 0, 0]


def test_a_picture_shows_where_the_sound_is():
    """A spectrogram, in the lower half, is dark but for the frequencies of the sound: a tone has fewer than noise."""
    seconds = np.arange(2000) / 8000
    tone = np.sin(2 * np.pi * 1000 * seconds)
    noise = np.random.default_rng(0).uniform(-1, 1, 2000)
    pixels = [np.asarray(evaluation.picture(x[np.newaxis], sample_rate=8000)) for x in (0 * tone, tone, noise)]
    silent, clear, loud = (picture[len(picture) // 2 :].mean() for picture in pixels)
    assert silent < clear < loud
    with_data = evaluation.picture(np.stack([tone] * 6), sample_rate=8000, data=np.stack([noise] * 6))
    alone = evaluation.picture(np.stack([tone] * 6), sample_rate=8000)
    assert with_data.height == 2 * alone.height
    assert with_data.width == alone.width


def test_a_very_short_sound_can_be_shown():
    assert evaluation.picture(np.zeros((2, 3)), sample_rate=8000).width > 100


def test_the_command_writes_sound_where_there_is_a_rate(tmp_path, monkeypatch):
    WaveNet((20,), filters=2, skip_filters=2, dilations=(1,)).save(tmp_path / "model.keras")
    arguments = ["keras-gen", "sample", str(tmp_path), "--num-samples", "2", "--output", str(tmp_path / "samples.wav")]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit):
        cli.main()
    assert not (tmp_path / "samples.wav").exists()
    (tmp_path / "metrics.json").write_text('{"dataset": {"sample_rate": 100}}')
    cli.main()
    rate, samples = wavfile.read(tmp_path / "samples.wav")
    assert rate == 100
    assert len(samples) == 2 * (20 + 25)
    assert np.any(samples[:20])
    assert not np.any(samples[20:45])
