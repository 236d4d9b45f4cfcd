"""Sound: what is read from WAV files and TFDS sets, and what the built-in tones are."""

import numpy as np
import PIL.Image
import pytest
from scipy.io import wavfile

from keras_gen import data
from keras_gen.data import audio
from keras_gen.data.readers.sounds import read_sounds
from keras_gen.spaces import ClassLabel, Sound


def sounds(splits) -> np.ndarray:
    return np.concatenate([splits.array(split) for split in ("train", "validation", "test")])


@pytest.fixture
def recordings(tmp_path):
    """A folder of 12 recordings of 16 bits, of 5 to 16 samples that are all alike, in two classes."""
    for index in range(12):
        folder = tmp_path / ("low" if index % 2 else "high")
        folder.mkdir(exist_ok=True)
        wavfile.write(folder / f"{index:02}.wav", 8000, np.full(5 + index, 100 * (index + 1), np.int16))
    return tmp_path


def test_a_folder_of_recordings_is_cut_or_filled_with_silence(recordings):
    splits = data.load(recordings, audio_length=10, batch_size=4)
    assert splits.spaces == {"x": Sound((10,), sample_rate=8000)}
    assert (splits.event_shape, splits.levels, splits.sample_rate) == ((10,), None, 8000)
    assert splits.description()["sample_rate"] == 8000
    found = sounds(splits)
    assert found.dtype == np.float32
    found = found[np.argsort(found[:, 0])]
    for index, sound in enumerate(found):
        length = min(10, 5 + index)
        np.testing.assert_array_equal(sound[:length], np.float32(100 * (index + 1) / 32768))
        np.testing.assert_array_equal(sound[length:], 0.0)
    assert data.load(recordings).event_shape == (16,)


def test_samples_behind_the_end_of_a_recording_can_be_missing(recordings):
    splits = data.load(recordings, audio_length=10, padding="missing", batch_size=4)
    assert splits.spaces == {"x": Sound((10,), sample_rate=8000, missing=True)}
    silent = data.load(recordings, audio_length=10, batch_size=4)
    for split in ("train", "validation", "test"):
        found = splits.array(split)
        # A recording of n samples has the amplitude (n - 4) · 100 / 32768.
        lengths = np.minimum(10, np.round(found[:, 0] * 32768 / 100).astype(int) + 4)
        np.testing.assert_array_equal(np.isnan(found), np.arange(10) >= lengths[:, np.newaxis])
        np.testing.assert_array_equal(np.nan_to_num(found), silent.array(split))
    assert np.isnan(sounds(splits)).any()


def test_subfolders_are_the_labels(recordings):
    splits = data.load(recordings, audio_length=5, labels=True, batch_size=12)
    assert splits.spaces["condition"] == ClassLabel(2)
    for split in (splits.train, splits.validation, splits.test):
        for x, labels in split:
            number = np.round(x[:, 0] * 32768 / 100).astype(int) - 1
            np.testing.assert_array_equal(labels, number % 2)
    wavfile.write(recordings / "none.wav", 8000, np.zeros(5, np.int16))
    with pytest.raises(ValueError, match=r"`labels` must be False: .* has none"):
        data.load(recordings, labels=True)


def test_subfolders_can_be_splits_with_classes_inside(tmp_path):
    for split, value in (("train", 1), ("val", 2), ("test", 3)):
        for label, name in enumerate(("a", "b")):
            (tmp_path / split / name).mkdir(parents=True)
            wavfile.write(tmp_path / split / name / "0.wav", 8000, np.array([value, label], np.int16))
    splits = data.load(tmp_path, labels=True)
    for number, split in enumerate(("train", "validation", "test"), start=1):
        np.testing.assert_array_equal(splits.array(split) * 32768, [[number, 0], [number, 1]])
    assert next(iter(splits.test))[1].numpy().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("samples", "amplitudes"),
    [
        (np.array([0, 128, 255], np.uint8), [-1, 0, 127 / 128]),
        (np.array([-32768, 0, 32767], np.int16), [-1, 0, 32767 / 32768]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([-0.5, 0.25, 2.0], np.float32), [-0.5, 0.25, 1.0]),
        (np.array([[-32768, 0], [0, 16384]], np.int16), [-0.5, 0.25]),
    ],
)
def test_samples_of_any_dtype_become_amplitudes(tmp_path, samples, amplitudes):
    wavfile.write(tmp_path / "sound.wav", 8000, samples)
    rate, sound = audio.read_wav(tmp_path / "sound.wav")
    assert (rate, sound.dtype) == (8000, np.float32)
    np.testing.assert_array_equal(sound, np.float32(amplitudes))


def test_other_sample_rates_become_that_of_the_first_file(tmp_path):
    for number, rate in enumerate((8000, 12_000)):
        seconds = np.arange(rate) / rate
        wavfile.write(tmp_path / f"{number}.wav", rate, (0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32))
    reading = read_sounds({"all": sorted(tmp_path.iterdir())}, None)
    first, second = reading.columns["all"]["x"]
    assert reading.spaces["x"] == Sound((8000,), sample_rate=8000, missing=True)
    # The ends miss what would follow.
    np.testing.assert_allclose(first[100:-100], second[100:-100], atol=2e-3)


@pytest.mark.parametrize("arguments", [{}, {"audio_length": 700}, {"padding": "missing"}])
def test_files_that_stay_where_they_are_give_the_same_sounds(arguments, recordings, monkeypatch):
    in_memory = data.load(recordings, batch_size=2, labels=True, **arguments)
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", 0)
    in_files = data.load(recordings, batch_size=2, labels=True, **arguments)
    assert in_memory.in_memory
    assert not in_files.in_memory
    assert in_files.spaces == in_memory.spaces
    for (x, label), (same, same_label) in zip(in_files.train_from(0).take(6), in_memory.train_from(0), strict=False):
        np.testing.assert_array_equal(x, same)
        np.testing.assert_array_equal(label, same_label)


def test_a_prepared_tfds_set_of_sound(tmp_path, monkeypatch):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def examples(first, count):
        for index in range(first, first + count):
            yield {"audio": np.full(3 + index, 1000 * (index + 1), np.int64), "label": index}

    spec = {"audio": tf.TensorSpec((None,), tf.int64), "label": tf.TensorSpec((), tf.int64)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny_sound",
        version="1.0.0",
        data_dir=tmp_path,
        split_datasets={
            split: tf.data.Dataset.from_generator(lambda numbers=numbers: examples(*numbers), output_signature=spec)
            for split, numbers in (("train", (0, 6)), ("test", (6, 3)))
        },
        features=tfds.features.FeaturesDict(
            {"audio": tfds.features.Audio(sample_rate=8000), "label": tfds.features.ClassLabel(num_classes=9)}
        ),
        disable_shuffling=True,
    )
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    splits = data.load("tiny_sound", batch_size=4, labels=True, audio_length=4)
    assert splits.spaces == {"x": Sound((4,), sample_rate=8000), "condition": ClassLabel(9)}
    np.testing.assert_array_equal(splits.array("train")[0], np.float32([1000 / 32768] * 3 + [0.0]))
    np.testing.assert_array_equal(splits.array("test")[:, -1], np.float32([7000, 8000, 9000]) / 32768)
    np.testing.assert_array_equal(next(iter(splits.test))[1], [6, 7, 8])
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", 0)
    for padding in ("silence", "missing"):
        arguments = {"batch_size": 4, "labels": True, "audio_length": 4, "padding": padding}
        stored = data.load("tiny_sound", **arguments)
        assert not stored.in_memory
        assert stored.spaces["x"] == Sound((4,), sample_rate=8000, missing=padding == "missing")
        (x, labels), *_ = stored.test
        np.testing.assert_array_equal(x, splits.array("test"))
        np.testing.assert_array_equal(labels, [6, 7, 8])
        (first, _), *_ = stored.in_order("train")
        behind = np.nan if padding == "missing" else 0.0
        np.testing.assert_array_equal(first[0], np.float32([1000 / 32768] * 3 + [behind]))
    with pytest.raises(ValueError, match="`audio_length` must be given: the sounds of tiny_sound are too many"):
        data.load("tiny_sound")


def test_tones_have_the_pitch_of_their_label():
    splits = data.load("tones", labels=True, batch_size=64)
    assert splits.spaces == {"x": Sound((1024,), sample_rate=4000), "condition": ClassLabel(8)}
    x, labels = next(iter(splits.test))
    assert np.abs(x).max() <= 1.0
    spectrum = np.abs(np.fft.rfft(x.numpy() * np.hanning(1024), 2**15))
    loudest = np.argmax(spectrum, axis=1) * 4000 / 2**15
    assert set(labels.numpy()) == set(range(8))
    np.testing.assert_allclose(loudest, np.array(audio.PITCHES)[labels], rtol=0.015)
    np.testing.assert_array_equal(data.load("tones").array("train"), data.load("tones", seed=5).array("train"))


def test_sounds_that_are_not_read_are_counted(recordings, capsys):
    for name in ("high/song.mp3", "low/song.FLAC"):
        (recordings / name).write_bytes(b"ID3")
    data.load(recordings)
    assert (
        f"left out 2 files ({recordings / 'high/song.mp3'}, {recordings / 'low/song.FLAC'}): only .wav are read."
        in (capsys.readouterr().err)
    )
    for path in recordings.rglob("*.wav"):
        path.unlink()
    with pytest.raises(
        ValueError, match=r"no \.wav file; 2 files \(.*song\.mp3, .*song\.FLAC\) must be converted first"
    ):
        data.load(recordings)


def test_wrong_sound_gets_a_sentence(recordings, tmp_path, monkeypatch):
    for arguments, sentence in (
        ({"standardize": True}, "`standardize` must be False: .* holds sound"),
        ({"padding": "noise"}, "`padding` 'noise' is unknown"),
        ({"audio_length": 0}, "`audio_length` must be at least 1, received 0"),
        ({"binarization": "threshold"}, "`binarization` must be 'none' for the real-valued set"),
    ):
        with pytest.raises(ValueError, match=sentence):
            data.load(recordings, **arguments)
    PIL.Image.new("L", (4, 4)).save(recordings / "image.png")
    with pytest.raises(ValueError, match="holds both images and WAV files"):
        data.load(recordings)


def test_a_wrong_file_gets_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"holds no image \(.*\) and no \.wav file"):
        data.load(tmp_path)
    wavfile.write(tmp_path / "sound.wav", 8000, np.ones(1000, np.int16))
    whole = (tmp_path / "sound.wav").read_bytes()
    for content in (b"no sound at all", whole[:20], b""):
        (tmp_path / "sound.wav").write_bytes(content)
        with pytest.raises(ValueError, match="is not a readable WAV file"):
            data.load(tmp_path)
    wavfile.write(tmp_path / "sound.wav", 8000, np.zeros(0, np.int16))
    with pytest.raises(ValueError, match="holds no sound; at least one sample is expected"):
        data.load(tmp_path)


def test_normalized_sounds_are_equally_loud():
    x = np.array([[0.1, -0.2], [0.0, 0.0], [1.0, 0.5]], np.float32)
    np.testing.assert_allclose(audio.normalized(x), [[0.5, -1.0], [0.0, 0.0], [1.0, 0.5]])


def test_a_file_that_is_cut_short_is_named(recordings):
    path = recordings / "low" / "11.wav"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"11\.wav is not a readable WAV file \(it ends after 56 of 75 bytes\)"):
        data.load(recordings)


def test_a_file_that_does_not_know_its_length_is_read(recordings):
    path = recordings / "low" / "11.wav"
    contents = path.read_bytes()
    path.write_bytes(contents[:4] + b"\xff\xff\xff\xff" + contents[8:40] + b"\xff\xff\xff\xff" + contents[44:])
    np.testing.assert_array_equal(audio.read_wav(path)[1], np.full(16, np.float32(1200 / 32768)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -16000.0])
def test_real_numbers_that_are_no_amplitudes_are_not_cut_in_silence(recordings, value):
    wavfile.write(recordings / "low" / "11.wav", 8000, np.array([0.5, value, 0.5], np.float32))
    with pytest.raises(ValueError, match=rf"11\.wav holds the amplitude {abs(value):g}; real numbers from -1 to 1"):
        data.load(recordings)


def test_a_decoders_overshoot_is_cut(tmp_path):
    wavfile.write(tmp_path / "loud.wav", 8000, np.array([0.5, 1.2, -1.5], np.float32))
    np.testing.assert_array_equal(audio.read_wav(tmp_path / "loud.wav")[1], [0.5, 1.0, -1.0])
