"""Runs: resuming is exact, finished things are safe, and divergence is told."""

import json

import keras
import numpy as np
import pytest

from keras_gen import autoregressive, data, training
from keras_gen.core import saving


def start(folder, *, epochs, config=(), options=training.Options(), learning_rate=0.01, patience=0, **fit):
    """Trains a tiny MADE on digits in `folder`, as a recipe does."""
    config = {"dataset": "digits", "seed": 0, "epochs": epochs, **dict(config)}
    run = training.Run("autoregressive.made", str(folder), config, options)
    splits = data.load("digits", batch_size=200, binarization="threshold")
    with run.scope():
        model = autoregressive.MADE(splits.event_shape, (16,), num_masks=2)
        model.compile(run.averaged(keras.optimizers.Adam(learning_rate)))
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience, **fit)
    return run, model, splits


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run, model, _ = start(folder, epochs=3)
    return folder, run, model


def test_a_run_in_two_parts_ends_with_the_same_bits(uninterrupted, tmp_path):
    _, run, model = uninterrupted
    start(tmp_path / "run", epochs=1)
    resumed_run, resumed, _ = start(tmp_path / "run", epochs=3)
    for a, b in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert resumed_run.training["epochs"] == run.training["epochs"] == 3


def test_the_log_has_one_row_an_epoch_and_the_loss_falls(uninterrupted):
    folder = uninterrupted[0]
    lines = (folder / "log.csv").read_text().splitlines()
    assert lines[0].split(",")[:2] == ["epoch", "seconds"]
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
    column = lines[0].split(",").index("val_loss")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    assert losses[2] < losses[0]
    assert list((folder / "tensorboard").rglob("events*"))
    assert (folder / "samples" / "epoch-00003.png").exists()


def test_the_best_epoch_is_the_result(tmp_path):
    # A learning rate this large makes the last epoch worse than the first.
    run, model, splits = start(tmp_path / "run", epochs=6, learning_rate=0.5, patience=2)
    history = json.loads((tmp_path / "run" / "checkpoints" / "state.json").read_text())["history"]
    losses = [row["val_loss"] for row in history]
    assert run.training["best_epoch"] == 1 + int(np.argmin(losses))
    assert len(losses) == min(6, run.training["best_epoch"] + 2)
    result = model.evaluate(splits.validation, verbose=0, return_dict=True)["loss"]
    assert result == pytest.approx(min(losses), rel=1e-5)
    # Stopped is stopped: the same command does not train any further.
    again, _, _ = start(tmp_path / "run", epochs=6, learning_rate=0.5, patience=2)
    assert again.training["epochs"] == len(losses)


def test_the_average_of_the_weights_is_the_result(tmp_path):
    _, model, _ = start(tmp_path / "run", epochs=2, options=training.Options(ema=0.9))
    averages = model.optimizer._model_variables_moving_average
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(weight, average)
    _, plain, _ = start(tmp_path / "plain", epochs=2)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(model.get_weights(), plain.get_weights(), strict=True))


def test_divergence_stops_with_step_checkpoint_and_hint(tmp_path, monkeypatch):
    with pytest.raises(
        ArithmeticError, match="became nan at step 2 of epoch 1; no checkpoint was saved; try a smaller"
    ):
        start(tmp_path / "new", epochs=1, learning_rate=np.nan)
    start(tmp_path / "run", epochs=1)
    exact = autoregressive.MADE.log_prob_of_mask
    monkeypatch.setattr(autoregressive.MADE, "log_prob_of_mask", lambda *a, **k: exact(*a, **k) * np.nan)
    expected = r"became nan at step 1 of epoch 2; the last good checkpoint is .*epoch-00001.weights.h5; try a smaller"
    with pytest.raises(ArithmeticError, match=expected):
        start(tmp_path / "run", epochs=9)


def test_a_damaged_checkpoint_gets_a_sentence(tmp_path):
    start(tmp_path / "run", epochs=1)
    checkpoint = tmp_path / "run" / "checkpoints" / "epoch-00001.weights.h5"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"epoch-00001.weights.h5 is damaged or of another model .*delete the folder"):
        start(tmp_path / "run", epochs=2)
    (checkpoint.parent / "state.json").write_text("{")
    with pytest.raises(ValueError, match=r"state.json is damaged; delete the folder"):
        start(tmp_path / "run", epochs=2)


def test_what_is_in_the_folder_is_safe(tmp_path):
    start(tmp_path / "run", epochs=1)
    with pytest.raises(ValueError, match=r"unfinished run with other arguments \(dataset 'digits' not 'mnist'\)"):
        training.Run("a.b", str(tmp_path / "run"), {"dataset": "mnist", "seed": 0}, training.Options())
    (tmp_path / "run" / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a finished run; --overwrite replaces it"):
        start(tmp_path / "run", epochs=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="holds other files"):
        start(tmp_path / "other", epochs=1, options=training.Options(overwrite=True))
    assert (tmp_path / "other" / "thesis.tex").read_text() == "precious"
    start(tmp_path / "run", epochs=1, options=training.Options(overwrite=True))
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_strategy_names():
    from keras_gen.training.strategy import choose_strategy

    with pytest.raises(ValueError, match="`strategy` 'mirorred' is unknown; did you mean mirrored"):
        choose_strategy("mirorred")
    with pytest.raises(ValueError, match="needs the variable TF_CONFIG"):
        choose_strategy("multi_worker")


def test_a_part_of_a_run_has_checkpoints_of_its_own_and_goes_on_from_them(tmp_path):
    run, model, splits = start(tmp_path / "run", epochs=1)
    part = run.part("background")

    def fit_part():
        with part.scope():
            other = autoregressive.MADE(splits.event_shape, (16,), seed=1)
            other.compile(keras.optimizers.Adam(0.01))
        return part.fit(other, splits, epochs=2, monitor="val_loss")

    before, trained = model.get_weights(), fit_part().get_weights()
    assert (run.training["epochs"], part.training["epochs"]) == (1, 2)
    assert (tmp_path / "run" / "background" / "checkpoints" / "state.json").exists()
    # Nothing is left to train, and the weights are those on disk.
    for a, b in zip(trained, fit_part().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_that_evaluates_models_writes_a_table(tmp_path, capsys):
    splits = data.load("digits")
    config = {"dataset": "digits", "seed": 3}
    run = training.Run("tasks.sample_quality", str(tmp_path / "run"), config, training.Options())
    rows = {"VAE": {"precision": 0.25, "precision_standard_error": 0.125}, "DCGAN": {"precision": 0.5}}
    report = run.finish_table(splits, rows, protocol="By hand.")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == report
    assert (report["VAE"], report["DCGAN"], report["seed"]) == (rows["VAE"], rows["DCGAN"], 3)
    assert report["dataset"]["name"] == "digits"
    written = (tmp_path / "run" / "README.md").read_text()
    assert "0.25 ± 0.125" in written
    assert written.endswith("By hand.\n")
    assert "0.25 ± 0.125" in capsys.readouterr().out
    with pytest.raises(ValueError, match="holds a finished run; --overwrite replaces it"):
        training.Run("tasks.sample_quality", str(tmp_path / "run"), config, training.Options())


def test_training_starts_from_the_weights_of_another_model(uninterrupted, tmp_path):
    _, _, model = uninterrupted
    path = tmp_path / "trained.keras"
    saving.save_model(model, path)
    _, continued, splits = start(
        tmp_path / "run", epochs=1, options=training.Options(start_from=str(path)), learning_rate=1e-9
    )
    x = splits.array("test")
    np.testing.assert_allclose(continued.log_prob(x), model.log_prob(x), rtol=1e-5)

    # Once there is a checkpoint, the other model is not needed any more; and it is nothing to a part of the run.
    path.unlink()
    run, _, _ = start(tmp_path / "run", epochs=1, options=training.Options(start_from=str(path)))
    assert run.part("other").options.start_from is None

    saving.save_model(autoregressive.MADE((8, 8, 1), (15,), num_masks=2), path)
    with pytest.raises(ValueError, match="`start_from` must name a model with weights of the shapes"):
        start(tmp_path / "other", epochs=1, options=training.Options(start_from=str(path)))
