"""The classifier that samples are judged by, and the one that is shipped."""

import numpy as np
import pytest
import tensorflow as tf
from contracts import TrainingContract

from keras_gen import evaluation
from keras_gen.core import Step


class TestContract(TrainingContract):
    def make_model(self, **changes):
        arguments = {"num_classes": 3, "levels": 4, "filters": (3, 5), "num_features": 7, "seed": 1, **changes}
        return evaluation.Classifier((6, 5, 2), **arguments)

    def make_data(self):
        """The class of an example, which goes through all in turn, is where it is bright."""
        x = np.zeros((48, 6, 5, 2), np.float32)
        for label in range(3):
            x[label::3, 2 * label : 2 * label + 2] = 3.0
        return x

    def outputs(self, model, seed):
        return tf.concat(model.judge(np.random.default_rng(seed).integers(4, size=(3, *model.event_shape))), axis=-1)

    def test_a_class_is_learnt(self, training, data):
        model, _, history = training
        assert history["accuracy"][-1] == 1.0
        np.testing.assert_array_equal(np.argmax(model.predict(data, verbose=0), axis=-1), np.arange(48) % 3)

    def test_probabilities_are_those_of_the_loss(self, model, data):
        labels = np.arange(48, dtype=np.int32) % 3
        _, probabilities = model.judge(data)
        np.testing.assert_allclose(np.sum(probabilities, axis=-1), 1.0, rtol=1e-5)
        batch = {"x": tf.constant(data), "condition": tf.constant(labels)}
        terms = model.loss_terms(batch, Step(tf.constant([0, 0]), training=False))
        np.testing.assert_allclose(terms["loss"], -np.log(probabilities.numpy()[np.arange(48), labels]), rtol=1e-4)

    def test_a_preview_shows_examples_by_the_class_that_they_are_taken_for(self, training, data):
        model, _, _ = training
        ((space, shown),) = model.preview({"x": tf.constant(data)}, seed=0).values()
        assert space == model.event_space
        np.testing.assert_array_equal(shown, np.concatenate([data[label::3] for label in range(3)]))

    def test_levels_are_spread_over_the_unit_interval(self, model, data):
        real = self.make_model(levels=None)
        for ours, weight in zip(real.trainable_weights, model.trainable_weights, strict=True):
            ours.assign(weight)
        np.testing.assert_allclose(real.judge(data / 3.0)[0], model.judge(data)[0], rtol=1e-5)


class TestSounds(TrainingContract):
    """The class of a sound is its pitch."""

    def make_model(self, **changes):
        arguments = {"num_classes": 3, "window": 16, "hop": 8, "sample_rate": 8000, "filters": (6,), "num_features": 9}
        return evaluation.SoundClassifier((48,), **{**arguments, "seed": 1, **changes})

    def make_data(self):
        random = np.random.default_rng(0)
        pitch, phase = 0.5 + np.arange(48) % 3, random.uniform(0.0, 6.0, 48)
        x = 0.5 * np.sin(pitch[:, np.newaxis] * np.arange(48) + phase[:, np.newaxis])
        return {"x": x.astype(np.float32), "condition": np.arange(48) % 3}

    def outputs(self, model, seed):
        sounds = np.random.default_rng(seed).uniform(-1.0, 1.0, (3, *model.event_shape))
        return tf.concat(model.judge(sounds), axis=-1)

    def test_a_pitch_is_learnt(self, training):
        _, _, history = training
        assert history["accuracy"][-1] == 1.0

    def test_a_spectrogram_is_the_logarithm_of_the_power(self, model, data):
        """By NumPy's transform: a full sine is 1 at its frequency, and 80 decibels below it are 0."""
        x = np.stack([*data["x"][:2], np.sin(2.0 * np.pi * 3.0 * np.arange(48) / 16.0), np.zeros(48)])
        hann = np.hanning(17)[:-1]
        frames = np.stack([x[:, start : start + 16] for start in range(0, 33, 8)], axis=1)
        power = np.abs(2.0 / hann.sum() * np.fft.rfft(hann * frames)) ** 2
        expected = np.maximum(0.0, 1.0 + 10.0 * np.log10(power + 1e-30) / 80.0)
        found = model.images(tf.constant(x, tf.float32))
        assert found.shape == (4, *model.image_shape) == (4, 5, 9, 1)
        np.testing.assert_allclose(found[..., 0], expected, atol=2e-3)
        np.testing.assert_allclose(found[2, :, 3, 0], 1.0, atol=1e-4)
        np.testing.assert_allclose(found[3], 0.0, atol=1e-5)


@pytest.mark.parametrize("event_shape", [(200,), (64, 64, 1)])
def test_wrong_shape_of_sounds(event_shape):
    with pytest.raises(ValueError, match=r"`event_shape` must be \(samples,\), at least the window's 256; received \("):
        evaluation.SoundClassifier(event_shape)


def test_wrong_event_shape():
    with pytest.raises(ValueError, match=r"`event_shape` must be \(height, width, channels\), received \(784,\)."):
        evaluation.Classifier((784,))


def test_seed_chooses_the_initial_weights():
    first, same, other = (evaluation.Classifier((4, 4, 1), seed=seed).get_weights() for seed in (1, 1, 2))
    kernels = [index for index, weight in enumerate(first) if weight.ndim > 1]
    assert len(kernels) == 4
    for index in kernels:
        np.testing.assert_array_equal(first[index], same[index])
        assert np.all(first[index] != other[index])
