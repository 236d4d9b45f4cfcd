"""Runs: resuming is exact, finished things are safe, and divergence is told."""

import json
import re
import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from eager import eager_steps

from keras_gen import autoregressive, data, files, training
from keras_gen.core import saving
from keras_gen.training import callbacks
from keras_gen.training import run as run_module
from keras_gen.training.profile import Profile

CONFIG = {"dataset": "digits", "seed": 0}


def start(folder, *, epochs, options=training.Options(), learning_rate=0.01, patience=0, steps_per_epoch=None):
    """Trains a tiny MADE on digits in `folder`, as a recipe does."""
    run = training.Run("autoregressive.made", folder, {**CONFIG, "epochs": epochs}, options)
    dataset = training.Images("digits", binarization="threshold", steps_per_epoch=steps_per_epoch)
    splits = dataset.load(batch_size=200)
    with run.scope():
        model = autoregressive.MADE(splits.event_shape, (16,), num_masks=2)
        run.compile(model, keras.optimizers.Adam(learning_rate), xla=False)
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)
    return run, model, splits


def assert_same_bits(model, other):
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def history(folder):
    return json.loads((folder / "checkpoints" / "state.json").read_text())["history"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A run of three epochs; beside it, what a kill after the first epoch would have left of it."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    save = callbacks.Checkpoints.save

    def save_and_copy(checkpoints):
        save(checkpoints)
        if checkpoints.state["epoch"] == 1:
            shutil.copytree(folder, folder.with_name("killed"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.Checkpoints, "save", save_and_copy)
        run, model, _ = start(folder, epochs=3)
    return folder, run, model


@pytest.fixture
def steps_run_eagerly():
    """What a test says of a whole run does not depend on graphs."""
    with eager_steps():
        yield


@pytest.fixture
def killed(uninterrupted, tmp_path):
    """The folder of a run that was killed after its first epoch."""
    return shutil.copytree(uninterrupted[0].with_name("killed"), tmp_path / "killed")


def test_a_killed_run_ends_with_the_same_bits(uninterrupted, killed, capsys):
    folder, run, model = uninterrupted
    resumed_run, resumed, _ = start(killed, epochs=3)
    assert "Going on after epoch 1" in capsys.readouterr().out
    assert_same_bits(model, resumed)
    assert resumed_run.training["epochs"] == run.training["epochs"] == 3
    for row, expected in zip(history(killed), history(folder), strict=True):
        assert {**row, "seconds": None} == {**expected, "seconds": None}


def test_a_killed_run_in_a_store_ends_with_the_same_bits(uninterrupted, killed, capsys):
    pytest.importorskip("upath")
    whole, _, model = uninterrupted
    folder = files.path_of("memory://runs/killed")
    files.upload(killed, folder)
    try:
        _, resumed, _ = start(str(folder), epochs=3)
        assert "Going on after epoch 1 of the run in memory://runs/killed" in capsys.readouterr().out
        assert_same_bits(model, resumed)
        here, there = (
            {file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file()}
            for place in (whole, folder)
        )
        timely = {name for name in here | there if name.startswith(("tensorboard", "samples"))}
        assert here - timely == there - timely >= {"config.json", "log.csv", "checkpoints/state.json"}
        # Those of both trainings.
        assert len([name for name in there if name.startswith("tensorboard/train/")]) == 2
        with pytest.raises(ValueError, match="holds an unfinished run with other arguments"):
            training.Run("autoregressive.made", str(folder), {**CONFIG, "seed": 1}, training.Options())
        training.Run("autoregressive.made", str(folder), CONFIG, training.Options(overwrite=True))
        assert [path.name for path in folder.iterdir()] == ["config.json"]
    finally:
        files.remove_folder(folder)


def test_several_steps_at_once_end_with_the_same_bits(uninterrupted, killed, monkeypatch):
    folder, _, model = uninterrupted
    steps = []
    fit = autoregressive.MADE.fit
    monkeypatch.setattr(
        autoregressive.MADE,
        "fit",
        lambda model, *a, **k: steps.append(model.steps_per_execution) or fit(model, *a, **k),
    )
    # The first epoch took seven steps at once, all that it has; the others take one after another.
    monkeypatch.setattr(run_module, "MOST_STEPS", 1)
    _, one_by_one, _ = start(killed, epochs=3)
    assert steps == [1]
    assert_same_bits(model, one_by_one)
    assert [row["val_loss"] for row in history(killed)] == [row["val_loss"] for row in history(folder)]
    assert model.steps_per_execution == one_by_one.steps_per_execution == 1


def test_a_profile_tells_what_steps_wait_for_and_changes_no_bit(uninterrupted, tmp_path, monkeypatch, capsys):
    for name, number in (("WARM_UP", 8), ("MEASURED", 4), ("TRACED", 2)):
        monkeypatch.setattr(Profile, name, number)
    _, model, _ = start(tmp_path / "run", epochs=3, options=training.Options(profile=True))
    assert_same_bits(model, uninterrupted[2])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("profile: ")]
    shares = dict(re.findall(r"(input|step|callbacks) (\d+)%", line))
    assert sum(map(int, shares.values())) == pytest.approx(100, abs=1)
    assert line.endswith(f"Trace in {tmp_path / 'run' / 'tensorboard'} (pip install tensorboard-plugin-profile).")
    assert list((tmp_path / "run" / "tensorboard").rglob("*.xplane.pb"))


def test_a_profile_adds_up_the_times_of_measured_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(Profile, "WARM_UP", 1)
    monkeypatch.setattr(Profile, "MEASURED", 3)
    now = [0.0]

    def passes(seconds, result=None):
        now[0] += seconds
        return result

    profile = Profile(tmp_path, tmp_path, clock=lambda: now[0])

    def step(batches):
        (batch,) = batches
        return passes(0.25, {"loss": batch})

    profile.set_model(types.SimpleNamespace(train_function=step))
    profile.on_train_begin()
    batches = (passes(3.0, number) for number in range(10))
    for number in range(5):
        if number in (0, 2):
            profile.on_epoch_begin(number)
        assert profile.model.train_function(batches) == {"loss": number}
        passes(0.5)
    # Between the second and the third step lies an epoch's end.
    assert profile.seconds == {"input": 9.0, "step": 0.75, "callbacks": 1.0}
    assert profile.sentence().startswith(
        "profile: 3.58e+03 ms a step, of which input 84%, step 7%, callbacks 9%; the run waits for input: more cores"
    )


def test_a_run_killed_within_an_epoch_ends_with_the_same_bits(tmp_path, monkeypatch, capsys):
    """Of seven steps, checkpoints come after the third and the sixth one; an average of the weights goes on, too."""
    monkeypatch.setattr(run_module, "MOST_STEPS", 1)
    options = training.Options(checkpoint_every="3", ema=0.9)
    save = callbacks.Checkpoints.save

    def save_and_copy(checkpoints):
        save(checkpoints)
        state = checkpoints.state
        if (state["epoch"], state["step"]) in ((0, 3), (1, 6)):
            shutil.copytree(tmp_path / "whole", tmp_path / f"killed {state['step']}")

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Checkpoints, "save", save_and_copy)
        _, model, _ = start(tmp_path / "whole", epochs=3, options=options)
    for epoch, step in ((1, 3), (2, 6)):
        _, resumed, _ = start(tmp_path / f"killed {step}", epochs=3, options=options)
        assert f"Going on after step {step} of epoch {epoch} of" in capsys.readouterr().out
        assert_same_bits(model, resumed)
        for row, expected in zip(history(tmp_path / f"killed {step}"), history(tmp_path / "whole"), strict=True):
            assert {**row, "seconds": None} == {**expected, "seconds": None}
    # What an epoch needed within is gone at its end.
    assert not list((tmp_path / "whole" / "checkpoints").glob("*step*"))


def test_epochs_of_some_steps_see_the_same_batches(uninterrupted, tmp_path, monkeypatch):
    """Three epochs of seven steps, as five of four and the first step of a sixth one; the fifth is killed."""
    monkeypatch.setattr(run_module, "MOST_STEPS", 1)
    save = callbacks.Checkpoints.save

    def save_and_die(checkpoints):
        save(checkpoints)
        if (checkpoints.state["epoch"], checkpoints.state["step"]) == (4, 2):
            raise KeyboardInterrupt

    options = training.Options(checkpoint_every="2")
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Checkpoints, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "run", epochs=6, options=options, steps_per_epoch=4)
    seen = []
    patched = callbacks.Checkpoints.on_train_batch_end

    def at_the_end_of_the_third_pass(checkpoints, batch, logs=None):
        patched(checkpoints, batch, logs)
        if (checkpoints.epoch, checkpoints.steps_seen) == (5, 1):
            seen.append(checkpoints.model.get_weights())

    monkeypatch.setattr(callbacks.Checkpoints, "on_train_batch_end", at_the_end_of_the_third_pass)
    start(tmp_path / "run", epochs=6, options=options, steps_per_epoch=4)
    (weights,) = seen
    for a, b in zip(weights, uninterrupted[2].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoints_within_an_epoch_come_by_steps_or_by_minutes():
    by_steps, by_minutes, never = map(callbacks.Interval, ("10", "2m", None))
    assert [by_steps.passes(*steps, 1e9) for steps in ((0, 9), (9, 10), (5, 30), (30, 31))] == [
        False,
        True,
        True,
        False,
    ]
    assert [by_minutes.passes(0, 1000, seconds) for seconds in (119.0, 120.0)] == [False, True]
    assert not never.passes(0, 10**6, 1e9)
    for wrong in ("0", "-5", "ten", "5h", "1.5"):
        with pytest.raises(ValueError, match=f"`checkpoint_every` must be a number of steps, .* received '{wrong}'"):
            callbacks.Interval(wrong)


@pytest.mark.parametrize(("steps_per_epoch", "expected"), [(7, 7), (500, 25), (44, 22), (89, 1), (1, 1)])
def test_steps_at_once_divide_an_epoch(uninterrupted, steps_per_epoch, expected):
    _, run, model = uninterrupted
    with run.several_steps(model, steps_per_epoch):
        assert model.steps_per_execution == expected
    assert model.steps_per_execution == 1


def test_the_log_has_one_row_an_epoch_and_the_loss_falls(uninterrupted):
    folder = uninterrupted[0]
    lines = (folder / "log.csv").read_text().splitlines()
    assert lines[0].split(",")[:2] == ["epoch", "seconds"]
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
    column = lines[0].split(",").index("val_loss")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    assert losses[2] < losses[0]
    assert list((folder / "tensorboard").rglob("events*"))
    assert (folder / "samples" / "epoch-00001.png").exists()


def test_the_best_epoch_is_the_result(tmp_path, steps_run_eagerly):
    # A learning rate this large makes an epoch worse than the one before it.
    run, model, splits = start(tmp_path / "run", epochs=6, learning_rate=0.5, patience=1)
    losses = [row["val_loss"] for row in history(tmp_path / "run")]
    assert run.training["best_epoch"] == 1 + int(np.argmin(losses))
    assert run.training["best_epoch"] + 1 == len(losses) < 6
    result = model.evaluate(splits.validation, verbose=0, return_dict=True)["loss"]
    assert result == pytest.approx(min(losses), rel=1e-5)
    # Stopped is stopped: the same command does not train any further.
    again, _, _ = start(tmp_path / "run", epochs=6, learning_rate=0.5, patience=1)
    assert again.training["epochs"] == len(losses)


def test_the_average_of_the_weights_is_the_result(uninterrupted, tmp_path, steps_run_eagerly):
    _, model, _ = start(tmp_path / "run", epochs=3, options=training.Options(ema=0.9))
    averages = model.optimizer._model_variables_moving_average
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(weight, average)
    plain = uninterrupted[2]
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(model.get_weights(), plain.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("xla", "faster", "expected"), [(None, True, True), (None, False, False), (False, True, False)]
)
def test_the_step_is_compiled_where_that_is_faster_or_asked_for(tmp_path, xla, faster, expected):
    run = training.Run("a.b", tmp_path / "run", CONFIG, training.Options(xla=xla, ema=0.25))
    model = run.compile(autoregressive.MADE((2,), (3,)), keras.optimizers.SGD(), xla=faster)
    assert model.jit_compile == expected
    assert (model.optimizer.use_ema, model.optimizer.ema_momentum) == (True, 0.25)


@pytest.mark.parametrize(("most_steps", "step"), [(1, "at step 2"), (25, "in steps 1 to 7")])
def test_divergence_stops_with_step_and_hint(tmp_path, monkeypatch, most_steps, step):
    monkeypatch.setattr(run_module, "MOST_STEPS", most_steps)
    sentence = f"became nan {step} of epoch 1; no checkpoint was saved; try a smaller"
    with pytest.raises(ArithmeticError, match=sentence):
        start(tmp_path / "new", epochs=1, learning_rate=np.nan)


def test_divergence_names_the_last_good_checkpoint(killed, monkeypatch):
    exact = autoregressive.MADE.log_prob_of_mask
    monkeypatch.setattr(autoregressive.MADE, "log_prob_of_mask", lambda *a, **k: exact(*a, **k) * np.nan)
    monkeypatch.setattr(run_module, "MOST_STEPS", 1)
    expected = r"became nan at step 1 of epoch 2; the last good checkpoint is .*epoch-00001.weights.h5; try a smaller"
    with pytest.raises(ArithmeticError, match=expected):
        start(killed, epochs=9)


def test_a_damaged_checkpoint_gets_a_sentence(killed):
    checkpoint = killed / "checkpoints" / "epoch-00001.weights.h5"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"epoch-00001.weights.h5 is damaged or of another model .*delete the folder"):
        start(killed, epochs=2)
    (checkpoint.parent / "state.json").write_text("{")
    with pytest.raises(ValueError, match=r"state.json is damaged; delete the folder"):
        start(killed, epochs=2)


def test_what_is_in_the_folder_is_safe(tmp_path):
    def open_run(folder, config=CONFIG, **options):
        return training.Run("a.b", folder, config, training.Options(**options))

    folder = tmp_path / "run"
    open_run(folder, {"dataset": "mistyped", "seed": 0})
    # A run that stopped before it trained has nothing to lose.
    open_run(folder)
    assert json.loads((folder / "config.json").read_text())["arguments"] == CONFIG
    (folder / "checkpoints").mkdir()
    with pytest.raises(ValueError, match=r"unfinished run with other arguments \(dataset 'digits' not 'mnist'\)"):
        open_run(folder, {"dataset": "mnist", "seed": 0})
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a finished run: --overwrite replaces it"):
        open_run(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="holds other files"):
        open_run(tmp_path / "other", overwrite=True)
    assert (tmp_path / "other" / "thesis.tex").read_text() == "precious"
    open_run(folder, overwrite=True)
    assert not (folder / "metrics.json").exists()


def test_only_the_chief_of_several_workers_minds_the_folder(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    # The chief is about to write: its file is not there yet, but beside its place.
    (folder / ".config.json-1").mkdir(parents=True)
    monkeypatch.setattr(run_module, "is_chief", lambda strategy: False)
    training.Run("a.b", folder, CONFIG, training.Options())
    assert not (folder / "config.json").exists()
    # Or about to replace a finished run.
    for name in ("config.json", "metrics.json"):
        (folder / name).write_text("{}")
    training.Run("a.b", folder, CONFIG, training.Options(overwrite=True))
    assert (folder / "metrics.json").exists()


def test_runs_of_several_models_of_a_recipe_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for config, expected in (({}, "runs/flows/maf/mnist"), ({"model": "iaf"}, "runs/flows/maf/iaf/mnist")):
        run = training.Run("flows.maf", None, {"dataset": "/data/mnist.npz", "seed": 0, **config}, training.Options())
        assert run.folder.as_posix() == expected


def test_strategy_names():
    from keras_gen.training.strategy import choose_strategy

    with pytest.raises(ValueError, match="`strategy` 'mirorred' is unknown; did you mean mirrored"):
        choose_strategy("mirorred")
    with pytest.raises(ValueError, match="needs the variable TF_CONFIG"):
        choose_strategy("multi_worker")


def test_tasks_of_slurm_are_workers(monkeypatch):
    from keras_gen.training.strategy import choose_strategy

    with pytest.raises(ValueError, match="`strategy` 'slurm' needs a command that srun starts"):
        choose_strategy("slurm")
    surroundings = {
        "SLURM_PROCID": "1",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "node[07,12]",
        "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
        "SLURM_JOB_ID": "5",
    }
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    resolvers = []
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda **given: resolvers.append(given))
    choose_strategy("slurm")
    resolver = resolvers[0]["cluster_resolver"]
    assert resolver.cluster_spec().as_dict() == {"worker": ["node07:8888", "node12:8888"]}
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)


def test_a_stage_has_checkpoints_curve_and_pictures_of_its_own_and_goes_on_from_them(uninterrupted, steps_run_eagerly):
    folder, run, model = uninterrupted
    stage = run.stage("background")
    splits = data.load("digits", batch_size=200, binarization="threshold")

    def fit_stage():
        with stage.scope():
            other = autoregressive.MADE(splits.event_shape, (16,), seed=1)
            stage.compile(other, keras.optimizers.Adam(0.01), xla=False)
        return stage.fit(other, splits, epochs=2, monitor="val_loss")

    before, trained = model.get_weights(), fit_stage().get_weights()
    assert (run.training["epochs"], stage.training["epochs"]) == (3, 2)
    assert len(history(folder)) == 3
    assert len(history(folder / "background")) == 2
    for name in ("log.csv", "tensorboard", "samples/epoch-00001.png"):
        assert (folder / "background" / name).exists()
    # Nothing is left to train, and the weights are those on disk.
    for a, b in zip(trained, fit_stage().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_that_evaluates_models_writes_a_table(tmp_path, capsys):
    splits = data.load("digits")
    config = {"dataset": "digits", "seed": 3}
    run = training.Run("tasks.sample_quality", tmp_path / "run", config, training.Options())
    rows = {"VAE": {"precision": 0.25, "precision_standard_error": 0.125}, "DCGAN": {"precision": 0.5}}
    report = run.finish_table(splits, rows, protocol="By hand.")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == report
    assert (report["VAE"], report["DCGAN"], report["seed"]) == (rows["VAE"], rows["DCGAN"], 3)
    assert report["dataset"]["name"] == "digits"
    written = (tmp_path / "run" / "README.md").read_text()
    assert "0.25 ± 0.125" in written
    assert written.endswith("By hand.\n")
    assert "0.25 ± 0.125" in capsys.readouterr().out
    with pytest.raises(ValueError, match="holds a finished run: --overwrite replaces it"):
        training.Run("tasks.sample_quality", tmp_path / "run", config, training.Options())


@pytest.fixture
def finished(killed):
    """The folder of a run that had one epoch, as a finished one leaves it."""
    config = json.loads((killed / "config.json").read_text())
    config["arguments"]["epochs"] = 1
    (killed / "config.json").write_text(json.dumps(config))
    (killed / "metrics.json").write_text("{}")
    return killed


def test_a_finished_run_that_is_trained_longer_ends_with_the_same_bits(uninterrupted, finished):
    folder, _, model = uninterrupted
    with pytest.raises(ValueError, match=r"holds a finished run: .*, --epochs above 1 trains it longer, and"):
        start(finished, epochs=1)
    shutil.copytree(finished / "checkpoints", finished / "judge" / "checkpoints")
    longer, found, _ = start(finished, epochs=3)
    assert_same_bits(model, found)
    assert [row["val_loss"] for row in history(finished)] == [row["val_loss"] for row in history(folder)]
    # It is no finished run from then on, and what has learned from it begins again.
    assert not (finished / "metrics.json").exists()
    assert json.loads((finished / "config.json").read_text())["arguments"]["epochs"] == 3
    assert longer.stage("judge").checkpoints_for(found, 5).state["epoch"] == 0
    assert longer.checkpoints_for(found, 3).state["epoch"] == 3


@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_run_does_not_go_on_with_data_that_have_changed(finished, tmp_path, monkeypatch, is_finished, kind):
    if not is_finished:
        (finished / "metrics.json").unlink()
    table = tmp_path / "data" / "t.csv"
    table.parent.mkdir()
    table.write_text("a,b\n1,2\n")
    dataset = str(table if kind == "file" else table.parent)
    monkeypatch.setitem(CONFIG, "dataset", dataset)
    for name, found in (("config.json", {"arguments": {**CONFIG, "epochs": 1}}), ("checkpoints/state.json", {})):
        before = json.loads((finished / name).read_text())
        more = {"data": {"dataset": files.fingerprint(files.path_of(dataset))}} if "state" in name else found
        (finished / name).write_text(json.dumps({**before, **more}))
    table.write_text("a,b\n1,20\n")
    with pytest.raises(
        ValueError, match=f"`dataset` {dataset} has changed since the run in {finished} began; --overwrite"
    ):
        start(finished, epochs=3)
    assert len(history(finished)) == 1
    assert (finished / "metrics.json").exists() == is_finished
    # What it was.
    table.write_text("a,b\n1,2\n")
    start(finished, epochs=2)
    assert len(history(finished)) == 2
    state = json.loads((finished / "checkpoints" / "state.json").read_text())
    assert state["data"] == {"dataset": files.fingerprint(files.path_of(dataset))}


def test_a_folder_of_the_name_of_a_built_in_set_is_not_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, found in (("digits", []), ("mine", ["dataset"])):
        (tmp_path / name).mkdir()
        run = training.Run("a.b", tmp_path / "runs" / name, {**CONFIG, "dataset": name}, training.Options())
        assert list(run.fingerprints()) == found


def test_a_finished_run_whose_learning_rate_falls_stays_as_it_is(finished):
    sentence = r"`epochs` must stay 1: the learning rate, or something else, depends on it\. .*killed from its weights"
    with pytest.raises(ValueError, match=sentence):
        start(finished, epochs=3, learning_rate=keras.optimizers.schedules.CosineDecay(0.01, 21))
    assert json.loads((finished / "config.json").read_text())["arguments"]["epochs"] == 1
    assert (finished / "metrics.json").exists()
    assert len(history(finished)) == 1


def test_training_starts_from_the_weights_of_another_model(
    uninterrupted, tmp_path, steps_run_eagerly, monkeypatch, capsys
):
    _, _, model = uninterrupted
    path = tmp_path / "trained.keras"
    saving.save_model(model, path)
    _, continued, splits = start(
        tmp_path / "run", epochs=1, options=training.Options(start_from=str(path)), learning_rate=1e-9
    )
    x = splits.array("test")
    np.testing.assert_allclose(continued.log_prob(x), model.log_prob(x), rtol=1e-5)

    # Once there is a checkpoint, the other model is not needed any more; and it is nothing to a stage of the run.
    path.unlink()
    run, _, _ = start(tmp_path / "run", epochs=1, options=training.Options(start_from=str(path)))
    assert run.stage("other").options.start_from is None

    saving.save_model(autoregressive.MADE((8, 8, 1), (15,), num_masks=2), path)
    with pytest.raises(
        ValueError,
        match=r"`start_from` must name a model with the weights of this MADE; weight 1 of the MADE in .*keras has the "
        r"shape \(64, 15\), where \(64, 16\) is expected\.$",
    ):
        start(tmp_path / "other", epochs=1, options=training.Options(start_from=str(path)))
    # A model of another class with weights of the same shapes is taken, and told.
    model.__class__ = type("Relative", (autoregressive.MADE,), {})
    again = autoregressive.MADE((8, 8, 1), (16,), num_masks=2, seed=5)
    monkeypatch.setattr(saving, "load_model", lambda path: model)
    run_module.take_weights(again, "relative.keras")
    model.__class__ = autoregressive.MADE
    for found, given in zip(again.trainable_weights, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(found, given)
    sentence = "Starting from the weights of a Relative, in relative.keras, which have the shapes of a MADE's."
    assert sentence in capsys.readouterr().out
