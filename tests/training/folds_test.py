"""Grids whose settings are chosen by the validation rows of each fold, without tracing a graph again."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import data, evaluation, training
from keras_gen.core import DensityModel
from keras_gen.training.card import model_card

tfd = tfp.distributions

SCHEDULE = training.GridSchedule(
    num_steps=40, batch_size=20, learning_rates=(0.05,), weight_decays=(0.0,), steps_per_check=10, folds=3
)


class Normals(DensityModel):
    """Independent normal entries of deviation 1, whose means are learned and start at `start`."""

    def __init__(self, event_shape, start=0.0, **kwargs):
        super().__init__(event_shape, levels=None, **kwargs)
        self.start = start
        self.mean = self.add_weight(self.event_shape, keras.initializers.Constant(start), name="mean")
        self.num_traces = 0

    def distribution(self):
        return tfd.MultivariateNormalDiag(tf.convert_to_tensor(self.mean), tf.ones(self.event_shape))

    def log_prob(self, x, condition=None):
        return self.distribution().log_prob(self.validated(x))

    def loss_terms(self, batch, step):
        self.num_traces += 1
        return super().loss_terms(batch, step)

    def noise_distributions(self):
        return {"normal": tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)}

    def generate(self, noise, condition=None):
        return tf.convert_to_tensor(self.mean) + noise["normal"]


def build(learning_rate, start=0.0):
    model = Normals((2,), start)
    model.compile(keras.optimizers.SGD(SCHEDULE.rate(learning_rate)))
    return model


def rows(num, seed, mean=1.0):
    return (mean + np.random.default_rng(seed).standard_normal((num, 2))).astype(np.float32)


def test_each_fold_starts_anew_and_chooses_on_its_own_validation_rows():
    settings = [{"learning_rate": 0.0}, {"learning_rate": 0.05}]
    grid = training.Grid(build, settings, SCHEDULE, seed=0)
    first = [rows(60, 0), rows(20, 1)]
    found = grid.fit(*first).log_prob(first[1]).numpy()
    assert grid.choices[0].setting == {"learning_rate": 0.05}
    assert grid.choices[0].log_likelihood == pytest.approx(found.mean(), rel=1e-5)
    traces = [model.num_traces for model in grid.models]
    # Validation rows of another kind choose the weights that have not moved.
    away = rows(20, 1, mean=-1.0)
    still = grid.fit(rows(60, 0), away)
    assert grid.choices[1].setting == {"learning_rate": 0.0}
    np.testing.assert_array_equal(still.mean, [0.0, 0.0])
    # What another fold chose changes nothing, and no graph is traced again.
    np.testing.assert_array_equal(grid.fit(*first).log_prob(first[1]), found)
    assert [model.num_traces for model in grid.models] == traces


def test_the_weights_are_those_of_the_best_look_at_the_validation_rows():
    """The mean moves from 0 to 1 and past 0.3, where the validation rows lie."""
    grid = training.Grid(build, [{"learning_rate": 0.1}], SCHEDULE, seed=0)
    valid = rows(2000, 1, mean=0.3)
    model = grid.fit(rows(60, 0), valid)
    looks = model.history.history["val_loss"]
    assert len(looks) == 4
    assert min(looks) < looks[-1] - 0.01
    assert -grid.choices[0].log_likelihood == pytest.approx(min(looks))
    assert -model.log_prob(valid).numpy().mean() == pytest.approx(min(looks), rel=1e-5)


def test_a_setting_that_diverges_is_never_chosen():
    settings = [{"learning_rate": np.inf}, {"learning_rate": 0.0}]
    grid = training.Grid(build, settings, SCHEDULE, seed=0)
    grid.fit(rows(60, 0), rows(20, 1))
    assert grid.choices[0].setting == {"learning_rate": 0.0}
    grid = training.Grid(build, settings[:1], SCHEDULE, seed=0)
    with pytest.raises(ValueError, match=r"^`settings` must hold one whose training does not diverge, received \[\{"):
        grid.fit(rows(60, 0), rows(20, 1))


def test_a_run_reports_the_folds_beside_their_baselines(tmp_path):
    np.savetxt(tmp_path / "set.csv", rows(90, 0), delimiter=",", fmt="%.2f")
    splits = data.load(str(tmp_path / "set.csv"), batch_size=20, seed=0, standardize=True)
    run = training.Run("autoregressive.rnade", tmp_path / "run", {"dataset": "set", "seed": 0}, training.Options())
    grid = {"learning_rate": (0.05, 0.1), "start": (0.5,)}
    schedule = dataclasses.replace(SCHEDULE, num_steps=6, steps_per_check=3)
    model, metrics, folds = training.fit_chosen(run, splits, build, grid, schedule)
    assert len(folds) == 3
    assert all(fold["learning_rate"] in (0.05, 0.1) and fold["start"] == 0.5 for fold in folds)
    figures = metrics["cross_validation"]
    for name in ("log_likelihood", "validation_log_likelihood"):
        assert figures[name] == pytest.approx(np.mean([fold[name] for fold in folds]))
    x = np.concatenate([splits.array(split) for split in ("train", "validation", "test")])
    for name, baseline in {"gaussian": evaluation.Gaussian, "spiked_columns": evaluation.SpikedColumns}.items():
        expected = evaluation.cross_validate(lambda *xs, b=baseline: b(np.concatenate(xs)), x, num_folds=3, seed=0)
        assert figures[f"log_likelihood_{name}"] == pytest.approx(expected.mean)
        assert figures[f"log_likelihood_{name}_standard_error"] == pytest.approx(expected.standard_error)
    validation = splits.array("validation")
    assert metrics["validation"]["nll"] == pytest.approx(-model.log_prob(validation).numpy().mean(), rel=1e-5)
    # The card of a model of a table can be written, and the report names its columns.
    report = run.report(splits, metrics, protocol="", likelihood="exact", num_weights=1, **run.training)
    assert report["dataset"]["column_names"] == [str(place) for place in range(splits.event_shape[0])]
    assert report["dataset"]["scale"]["mean"] == pytest.approx(splits.scale[0])
    assert "set.csv" in model_card(run.name, run.config, {}, model, report, {"test": metrics["test"]})
    with pytest.raises(ValueError, match="`dataset` must hold real vectors; digits holds 17 levels"):
        training.fit_chosen(run, data.load("digits"), build, grid, SCHEDULE)


def test_epochs_are_counted_in_steps():
    assert SCHEDULE.counted(7) == SCHEDULE
    counted = dataclasses.replace(SCHEDULE, epochs=3).counted(7)
    assert counted == dataclasses.replace(SCHEDULE, num_steps=21)


def test_a_rate_falls_to_zero_as_on_a_line():
    rate = SCHEDULE.rate(0.4)
    np.testing.assert_allclose([rate(step) for step in (0, 10, 40)], [0.4, 0.3, 0.0], rtol=1e-6)
