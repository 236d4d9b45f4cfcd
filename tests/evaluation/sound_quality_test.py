"""Generated sounds: faults that anybody would hear, and what a classifier hears."""

import numpy as np
import pytest

from keras_gen import adversarial, evaluation


def test_silent_and_clipped_sounds_are_counted():
    sine = 0.5 * np.sin(np.arange(2000.0))
    sounds = {
        "sound": sine,
        "nothing": 0.0 * sine,
        "nearly nothing": 0.009 * sine,
        "two loud samples": np.where(np.isin(np.arange(2000), (7, 8)), 1.0, sine),
        "cut off": np.clip(4.0 * sine, -1.0, 1.0),
        "soft": 0.02 * sine,
    }
    for name, sound in sounds.items():
        expected = {"silent": float("nothing" in name), "clipped": float(name == "cut off")}
        assert evaluation.sound_faults(sound[np.newaxis]) == expected, name
    found = evaluation.sound_faults(np.stack(list(sounds.values())))
    assert found == {"silent": pytest.approx(2 / 6), "clipped": pytest.approx(1 / 6)}
    with pytest.raises(
        ValueError, match=r"`sounds` must hold amplitudes of shape \(num, samples\), received shape \(3,\)"
    ):
        evaluation.sound_faults(np.zeros(3))


@pytest.fixture(scope="module")
def judge():
    return evaluation.SoundClassifier((40,), 3, window=16, hop=8, filters=(2,), num_features=4)


def test_figures_of_real_sounds_stand_beside_those_of_samples(judge):
    random = np.random.default_rng(0)
    real, samples = random.uniform(-0.5, 0.5, (60, 40)), np.clip(random.uniform(-8.0, 8.0, (60, 40)), -1.0, 1.0)
    found = evaluation.sound_quality(samples, real, judge)
    quality = evaluation.sample_quality(samples, real, judge)
    assert {name: found[name] for name in quality} == pytest.approx(quality)
    assert (found["silent"], found["clipped"]) == (0.0, 1.0)
    assert (found["silent_of_data"], found["clipped_of_data"]) == (0.0, 0.0)
    probabilities = judge.judge(real)[1].numpy()
    assert found["score_of_data"] == pytest.approx(evaluation.score(probabilities)[0])


def test_a_model_draws_as_many_sounds_as_there_are_real_ones(judge):
    model = adversarial.WaveGAN((40,), base_filters=2, latent_size=3)
    real = np.random.default_rng(0).uniform(-0.5, 0.5, (25, 40))
    found = evaluation.sound_quality(model, real, judge, seed=3)
    assert found["num_samples"] == 25
    assert found == evaluation.sound_quality(model, real, judge, seed=3)
    assert evaluation.sound_quality(model, real, judge, num_samples=40)["num_samples"] == 40
