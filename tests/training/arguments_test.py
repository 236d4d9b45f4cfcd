"""Arguments in groups: the same by flag, in calls from Python and in `config.json`; and every command that is shown."""

import dataclasses
import importlib
import json
import pathlib
import re
import shlex

import keras
import numpy as np
import PIL.Image
import pytest

from keras_gen import cli, data, training
from keras_gen.training.arguments import Dataset, flat
from recipes.latent import vae

ROOT = pathlib.Path(__file__).parents[2]


@training.recipe(
    options=training.Options(ema=0.5),
    paper=dict(dataset="mnist", epochs=300, hidden_units=(8000,), ema=0.9),
    two_cores=dict(epochs=30, width=3.0),
)
def main(
    run,
    *,
    data: training.Images = training.Images("digits", binarization="threshold"),
    schedule: training.Schedule = training.Schedule(epochs=3, batch_size=100, learning_rate=0.1),
    hidden_units: tuple[int, ...] = (5,),
    width: float = 1.0,
):
    """Returns its arguments.

    Args:
        hidden_units: numbers.
        width: a number.
    """
    return run, data, schedule, hidden_units, width


def test_fields_of_groups_are_arguments(tmp_path):
    run, data, schedule, hidden_units, width = main(epochs=7, width=2.0, seed=5, folder=tmp_path / "run", xla=True)
    assert data == training.Images("digits", binarization="threshold")
    assert schedule == training.Schedule(epochs=7, batch_size=100, learning_rate=0.1)
    assert (hidden_units, width, run.seed, run.folder) == ((5,), 2.0, 5, tmp_path / "run")
    assert run.options == training.Options(ema=0.5, xla=True)
    written = json.loads((tmp_path / "run" / "config.json").read_text())["arguments"]
    assert written == run.config
    assert written["dataset"] == "digits"
    assert written["image_size"] is None
    assert (written["epochs"], written["hidden_units"], written["seed"]) == (7, [5], 5)
    assert written["options"]["ema"] == 0.5
    assert not {"data", "schedule", "paper", "preset"} & set(written)


def test_whole_groups_are_arguments_too(tmp_path):
    schedule = training.Schedule(epochs=9, batch_size=4, learning_rate=0.2, patience=1)
    found = main(schedule=schedule, batch_size=6, folder=tmp_path / "run", options=training.Options(ema=0.1))
    assert found[2] == dataclasses.replace(schedule, batch_size=6)
    assert found[0].options == training.Options(ema=0.1)


def test_a_preset_fills_in_what_is_not_given(tmp_path):
    run, data, schedule, hidden_units, _ = main(preset="paper", epochs=2, folder=tmp_path / "run")
    assert (data.dataset, data.binarization, schedule.epochs, schedule.batch_size) == ("mnist", "threshold", 2, 100)
    assert (hidden_units, run.options.ema) == ((8000,), 0.9)
    for name in (["--paper"], ["--preset", "paper"], ["--preset=paper"], ["--paper", "--preset", "paper"]):
        flags = main.parsed([*name, "--epochs", "7", "--image-size", "20", "30"])
        assert flags["preset"] == "paper"
        assert flags["schedule"] == dataclasses.replace(schedule, epochs=7)
        assert flags["data"] == training.Images("mnist", binarization="threshold", image_size=(20, 30))
        assert flags["options"].ema == 0.9
    assert main.parsed([])["schedule"].epochs == 3


def test_the_preset_of_two_cores_changes_that_of_the_paper(tmp_path):
    flags = main.parsed(["--width", "5", "--preset", "two_cores"])
    assert (flags["schedule"].epochs, flags["width"], flags["hidden_units"]) == (30, 5.0, (8000,))
    assert flags["data"].dataset == "mnist"
    found = main(preset="two_cores", folder=tmp_path / "run")
    assert (found[2].epochs, found[4], found[3]) == (30, 3.0, (8000,))


def test_help_keeps_the_lines_of_the_docstring(capsys):
    with pytest.raises(SystemExit):
        vae.main.parsed(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert sum("python -m recipes.latent.vae" in line for line in vae.__doc__.splitlines()) == 3
    for line in vae.__doc__.strip().splitlines():
        assert line.rstrip() in lines
    assert any("--latent-size" in line for line in lines)


def test_help_fills_its_width_with_what_a_field_says(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    # Twice, since the docstrings stay as the first one leaves them.
    for _ in range(2):
        with pytest.raises(SystemExit):
            vae.main.parsed(["--help"])
        out = capsys.readouterr().out
        assert "by default a pass through all examples. Examples come in the same order. (default: None)" in out
        assert out.count("Training steps after which an epoch ends") == 1
        assert "Name or path of a data set. (default: digits)" in out


def test_help_says_what_a_preset_changes(capsys):
    with pytest.raises(SystemExit):
        main.parsed(["--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--preset paper: dataset mnist, epochs 300, hidden_units (8000,), ema 0.9" in told
    assert "--preset two_cores: dataset mnist, epochs 30, hidden_units (8000,), ema 0.9, width 3.0" in told


def test_a_wrong_preset_gets_a_sentence(tmp_path, capsys):
    with pytest.raises(ValueError, match='`preset` must be "paper" or "two_cores"; received "laptop"'):
        main(preset="laptop", folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="`--paper` is the same as `--preset paper`; received `--preset two_cores`"):
        main.parsed(["--paper", "--preset", "two_cores"])
    with pytest.raises(SystemExit):
        main.parsed(["--preset", "laptop"])
    assert "laptop" in capsys.readouterr().err
    bare = training.recipe()(lambda run, *, width=1: None)
    with pytest.raises(ValueError, match='`preset` must be none, as this recipe has no presets; received "paper"'):
        bare(preset="paper")


def test_unknown_names_get_a_sentence():
    with pytest.raises(TypeError, match="`paper` must name arguments of main, received size"):
        training.recipe(paper=dict(size=1))(lambda run, *, width=1: None)
    known = "dataset, steps_per_epoch, feature, label_feature, binarization, .*epochs"
    with pytest.raises(TypeError, match=f"`epoch` is no argument; expected one of {known}"):
        main(epoch=1)


def test_a_schedule_falls_to_zero_along_a_cosine():
    rate = training.Schedule(epochs=5, batch_size=1, learning_rate=0.2).rate(4)
    steps = np.arange(21)
    np.testing.assert_allclose([rate(step) for step in steps], 0.1 * (1.0 + np.cos(np.pi * steps / 20)), atol=1e-7)
    assert float(training.Schedule(5, 1, 0.2).rate(4, 0.6)(0)) == pytest.approx(0.6)
    optimizer = training.VectorSchedule(5, 1, 0.2, weight_decay=0.3).adamw(4, max_norm=2.0)
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert (optimizer.weight_decay, optimizer.global_clipnorm) == (0.3, 2.0)
    assert float(optimizer.learning_rate) == pytest.approx(0.2)


def test_a_linear_schedule_is_constant_and_then_falls_to_zero():
    """The stairs follow the line, and end one stair above 0."""
    rate = training.LinearSchedule(epochs=2, batch_size=1, learning_rate=0.2).rate(1000)
    assert float(rate(0)) == float(rate(1000)) == pytest.approx(0.2)
    steps = np.arange(1001, 2000, 37)
    np.testing.assert_allclose([rate(step) for step in steps], 0.2 * (2000 - steps) / 1000, atol=0.2 / 100)
    assert 0.0 < float(rate(1999)) < 0.2 / 100
    assert float(training.LinearSchedule(1, 1, 0.2).rate(3, 0.6)(0)) == pytest.approx(0.6)


def test_only_sets_that_are_known_as_bits_become_bits(tmp_path):
    for index in range(10):
        pixels = np.random.default_rng(index).integers(0, 256, (4, 4), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    grey = training.Examples(str(tmp_path), binarization="by_set").load()
    assert (grey.levels, grey.binarization) == (256, "none")
    assert grey.summary() == "levels 0 to 255 of shape (4, 4, 1); examples: 8 train, 1 validation, 1 test"
    bits = training.Examples("digits", binarization="by_set").load()
    assert (bits.levels, bits.binarization) == (2, "threshold")
    assert bits.summary().startswith("levels 0 to 1 of shape (8, 8, 1), by binarization threshold; ")
    # Whoever asks for bits gets them.
    assert training.Examples(str(tmp_path), binarization="threshold").load().levels == 2
    training.check_bits(bits)
    with pytest.raises(ValueError, match="`binarization` must be threshold, static or dynamic for a model of bits: "):
        training.check_bits(grey)


def test_no_recipe_makes_bits_unless_it_is_asked():
    for name in cli.recipe_files():
        recipe = importlib.import_module(f"recipes.{name}").main
        assert flat(recipe.defaults).get("binarization", "none") in ("none", "by_set"), name


def test_unpaired_sets_are_read_as_their_arguments_say():
    splits = training.Unpaired("digits", "digits", image_size=8).load(batch_size=7, seed=3, labels=True)
    assert (splits.batch_size, splits.seed, splits.augmentations) == (7, 3, ())
    assert splits.parts["b"].labels("test") is not None
    # Each column is augmented by itself.
    changed = training.Unpaired("digits", "digits", flip=True, enlargement=1.25).load(batch_size=7)
    assert [list(each.spaces) for each in changed.augmentations] == [["a"], ["b"]]
    assert next(iter(changed.train))["a"].shape == (7, 8, 8, 1)


@pytest.mark.parametrize("group", [training.Images, training.Vectors, training.Examples, training.Sounds])
def test_data_are_read_as_their_arguments_say(group, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name, **arguments: (name, arguments))
    name, arguments = group("digits").load(batch_size=7, seed=3)
    assert issubclass(group, Dataset)
    not_read = ("dataset", "steps_per_epoch")
    own = {field.name: field.default for field in dataclasses.fields(group) if field.name not in not_read}
    assert (name, arguments) == ("digits", {**own, "batch_size": 7, "seed": 3})


def recipe_of(name: str) -> training.recipe:
    return importlib.import_module(f"recipes.{name}").main


@pytest.mark.parametrize("name", cli.recipe_files())
def test_recipes_take_the_shared_flags(name):
    groups = recipe_of(name).parsed([])
    assert {"seed", "folder", "options", "data"} <= set(groups)
    images = not isinstance(groups["data"], training.Sounds) and type(groups["data"]) is not training.Vectors
    assert hasattr(groups["data"], "image_size") == images


@pytest.mark.parametrize("name", cli.recipe_files())
def test_presets_can_be_typed_and_stand_in_the_docstring(name, capsys):
    recipe = recipe_of(name)
    docstring = importlib.import_module(f"recipes.{name}").__doc__
    assert set(recipe.presets) == set(re.findall(rf"python -m recipes\.{name} .*--preset (\w+)", docstring))
    for preset in recipe.presets:
        assert recipe.parsed(["--preset", preset]) == {**recipe.defaults_of(preset), "preset": preset}
        with pytest.raises(SystemExit, match="0"):
            recipe.parsed(["--preset", preset, "--help"])
        assert f"--preset {preset}: " in capsys.readouterr().out
    if len(recipe.presets) == 2:
        assert recipe.defaults_of("paper") != recipe.defaults_of("two_cores")


def shown_commands() -> list[tuple[str, str]]:
    """Returns the name and the flags of each command that a recipe's docstring, the README or a page of docs shows."""
    commands = set()
    texts = [path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    for name, path in cli.recipe_files().items():
        text = path.read_text()
        # A command goes on in lines that begin with flags.
        texts.append(re.sub(r" ?\\*\n +(?=--)", " ", text[: text.index('"""', 3)]))
        assert f"python -m recipes.{name}" in text
    for text in texts:
        for command in re.findall(r"python -m recipes\.([a-z]\w*\.\w+(?: [^\n`#]*)?)", text):
            # Behind two spaces it says what the command does.
            name, *flags = re.split(r" {2,}", command.strip())[0].split(" ", 1)
            commands.add((name, flags[0] if flags else ""))
    return sorted(commands)


@pytest.mark.parametrize(("name", "flags"), shown_commands())
def test_commands_that_are_shown_can_be_typed(name, flags):
    flags = re.sub(r"…|\[.*?\]|\(.*?\)", "", flags)
    recipe_of(name).parsed(shlex.split(flags))
