"""Runs on sound, by recipes of WaveNet and WaveGAN: what they report, and leave to look at and to listen to."""

import json
import math

import numpy as np
import PIL.Image
import pytest
from eager import eager_steps
from scipy.io import wavfile

import keras_gen
from keras_gen import cli, data, evaluation, pictures, training
from recipes.adversarial import wavegan
from recipes.autoregressive import wavenet


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "wavenet"
    with eager_steps():
        wavenet.main(
            folder=str(folder),
            audio_length=40,
            num_codes=16,
            epochs=1,
            batch_size=64,
            filters=3,
            skip_filters=4,
            dilations=(1, 2),
            options=training.Options(xla=False),
        )
    return folder


def test_nats_per_sample_stand_beside_two_baselines(finished, monkeypatch, capsys):
    report = json.loads((finished / "metrics.json").read_text())
    splits = data.load("tones", audio_length=40, labels=True)
    assert report["dataset"] == splits.description()
    assert report["dataset"]["sample_rate"] == 4000
    model, test = keras_gen.load_model(finished), report["test"]
    expected = evaluation.likelihood(model, splits.test)["nll"]
    assert test["nll"] == pytest.approx(expected, rel=1e-5)
    assert test["nats_per_sample"] == pytest.approx(expected / 40, rel=1e-5)
    assert test["nats_per_sample_uniform"] == math.log(16)
    codes = [model.codes.encode(splits.array(split)).numpy() for split in ("train", "test")]
    assert test["nats_per_sample_first_order"] == evaluation.markov_chain(*codes, 16) / 40

    monkeypatch.setattr("sys.argv", ["keras-gen", "evaluate", str(finished)])
    cli.main()
    assert json.loads(capsys.readouterr().out)["test"]["nll"] == pytest.approx(expected, rel=1e-5)


def test_samples_can_be_heard_and_seen(finished):
    rate, samples = wavfile.read(finished / "samples.wav")
    model = keras_gen.load_model(finished)
    model_samples = model.sample_on_examples(10, seed=0).numpy()
    assert rate == 4000
    # A quarter of a second of silence follows each.
    sounds = samples.reshape(10, 40 + 1000)
    np.testing.assert_allclose(sounds[:, :40] / 32768, model_samples, atol=1e-4)
    assert not np.any(sounds[:, 40:])
    tones = data.load("tones", audio_length=40)
    expected = pictures.picture(tones.event_space, model_samples, tones.array("test"))
    assert PIL.Image.open(finished / "samples.png").size == expected.size
    assert (finished / "samples" / "epoch-00001.png").exists()
    assert "4,000 samples in a second" in (finished / "README.md").read_text()


def test_sounds_of_two_players_are_judged_by_a_stage_of_the_run(tmp_path):
    with eager_steps():
        report = wavegan.main(
            folder=str(tmp_path / "run"),
            audio_length=256,
            epochs=1,
            batch_size=256,
            base_filters=1,
            latent_size=2,
            discriminator_steps=1,
            judge_epochs=1,
        )
    test = report["test"]
    # As many samples as there are test sounds, all normalized to amplitudes up to 1.
    assert test["num_samples"] == report["dataset"]["num_examples"]["test"] == 64
    assert (test["silent_of_data"], test["clipped_of_data"]) == (0.0, 0.0)
    assert 1.0 <= test["score"] <= 8.0
    assert 1.0 <= test["score_of_data"] <= 8.0
    assert 0.0 <= test["judge_accuracy"] <= 1.0
    model = keras_gen.load_model(tmp_path / "run")
    assert model.sample(2, seed=0).shape == (2, 256)
    for name in ("judge/checkpoints", "samples.wav", "samples.png", "model.tflite"):
        assert (tmp_path / "run" / name).exists()
