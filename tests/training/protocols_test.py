"""What recipes report of samples: modes on the scale of the data, Parzen windows on that from 0 to 1."""

import csv

import numpy as np
import pytest

from keras_gen import adversarial, data, evaluation, training


class Copies:
    """A model that draws given examples, one after another."""

    def __init__(self, x):
        self.x = x
        self.sizes = []

    def sample_on_examples(self, num_samples, *, seed):
        start = sum(self.sizes)
        self.sizes.append(num_samples)
        return self.x[start : start + num_samples]


@pytest.mark.parametrize("standardize", [False, True])
def test_modes_are_counted_on_the_scale_of_the_data(standardize):
    splits = data.load("twenty_five_gaussians", standardize=standardize)
    assert (splits.scale is not None) == standardize
    model = Copies(splits.array("train"))
    found = training.judged_samples(model, splits, num_samples=2500, seed=0)
    assert sum(model.sizes) == 2500
    assert found["validation"] == {}
    assert found["test"]["modes"] == 25
    assert found["test"]["high_quality"] > 0.97


def test_windows_have_levels_from_0_to_1():
    splits = data.load("digits")
    x = splits.array("train")[:300]
    found = training.judged_samples(Copies(x), splits, num_samples=300, seed=0)
    expected = evaluation.parzen_log_likelihood(
        x / 16.0, splits.array("test") / 16.0, splits.array("validation") / 16.0
    )
    validation = {"parzen_log_likelihood": expected.pop("validation_log_likelihood")}
    assert found["validation"] == pytest.approx(validation, rel=1e-9)
    assert found["test"] == pytest.approx(expected, rel=1e-9)


def test_other_real_vectors_have_no_figure():
    splits = data.load("two_moons")
    found = training.judged_samples(Copies(np.zeros((5, 2))), splits, num_samples=5, seed=0)
    assert found == {"validation": {}, "test": {}}
    schedule = training.FixedSchedule(epochs=1, batch_size=5, learning_rate=0.1)
    with pytest.raises(ValueError, match="`parzen_every` must be 0: two_moons does not hold levels; received 2"):
        training.fit_to_best_parzen(None, None, splits, schedule, num_samples=5, every=2)


def test_the_epoch_with_the_best_windows_is_kept(tmp_path, monkeypatch):
    """Looked at every second epoch, of which the first looks are worse than the third; a look leaves the training."""
    splits = data.load("digits", batch_size=500)
    run = training.Run("adversarial.gan", tmp_path, {"dataset": "digits", "seed": 0}, training.Options())
    network = {"name": "dense", "hidden_units": [3]}
    model = adversarial.GAN(
        splits.event_shape, splits.levels, latent_size=2, generator_network=network, discriminator_network=network
    )
    run.compile(model, *model.default_optimizers().values(), xla=False)
    looks = iter([(0.2, -50.0), (0.2, -30.0), (0.2, -40.0)])
    weights = []

    def width(samples, validation):
        assert samples.shape == (40, 8, 8, 1)
        np.testing.assert_array_equal(validation, splits.array("validation")[:1000] / 16.0)
        weights.append(model.generator.get_weights())
        return next(looks)

    monkeypatch.setattr(evaluation, "parzen_width", width)
    schedule = training.FixedSchedule(epochs=6, batch_size=500, learning_rate=0.1)
    trained = training.fit_to_best_parzen(run, model, splits, schedule, num_samples=40, every=2)
    assert (run.training["epochs"], run.training["best_epoch"]) == (6, 4)
    rows = csv.DictReader((tmp_path / "log.csv").open())
    assert [float(row["val_parzen_nll"]) for row in rows] == [np.inf, 50.0, np.inf, 30.0, np.inf, 40.0]
    for kept, second, third in zip(trained.generator.get_weights(), *weights[1:], strict=True):
        np.testing.assert_array_equal(kept, second)
        assert np.any(kept != third)
