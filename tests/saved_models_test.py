"""The models that ship are whole, and reach the figures that ship with them."""

import importlib
import json
import re
import shlex

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_gen
from benchmarks import ship, tables
from keras_gen import data, evaluation, pictures, shipped, spaces
from keras_gen.evaluation import restoration
from keras_gen.training.arguments import flat
from keras_gen.training.run import example_batch

FAMILIES = {"autoregressive", "latent", "flows", "mixtures", "adversarial", "translation", "energy"}


@pytest.fixture(autouse=True)
def step_by_step():
    """A function that runs once takes longer to trace than to run."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_each_family_has_models_with_names():
    families = [folder.parent.name for folder in shipped.models().values()]
    assert set(families) == FAMILIES
    assert min(families.count(family) for family in FAMILIES) >= 2
    assert {"made-digits", "vae-digits", "real_nvp-breast_cancer", "rbm-digits"} <= set(shipped.models())
    with pytest.raises(FileNotFoundError, match=r"`mad-digits` does not exist; .* one of the names .*made-digits"):
        keras_gen.load_model("mad-digits")


def test_a_folder_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped.located("made-digits") == shipped.folder("saved_models") / "autoregressive" / "made-digits"
    (tmp_path / "made-digits").mkdir()
    assert shipped.located("made-digits") == "made-digits"


@pytest.mark.parametrize("name", sorted(shipped.models()))
def test_a_shipped_folder_is_whole_and_small_and_tells_its_command(name):
    folder = shipped.models()[name]
    # Where the run was says nothing.
    for report in ("config.json", "metrics.json"):
        assert json.loads((folder / report).read_text(encoding="utf-8"))["arguments"]["folder"] is None
    assert (folder / "SHA256SUMS").read_text(encoding="utf-8") == ship.checksums(folder)
    assert ship.num_bytes(folder) < ship.MOST_BYTES
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^keras-gen train (.*)$", card, re.MULTILINE)
    recipe, *flags = shlex.split(command)
    assert recipe == config["recipe"]
    chosen = flat(importlib.import_module(f"{shipped.recipe_package()}.{recipe}").main.parsed(flags))
    arguments = json.loads(json.dumps(chosen))
    assert {key: arguments[key] for key in config["arguments"] if key not in ("folder", "options")} == {
        key: value for key, value in config["arguments"].items() if key not in ("folder", "options")
    }
    # What the card says of serving is so.
    assert ("`saved_model/` is for TF Serving" in card) == (folder / "saved_model" / "1").is_dir()


def test_all_of_them_are_small_together():
    assert sum(ship.num_bytes(folder) for folder in shipped.models().values()) < 25_000_000


def splits_of(report: dict, arguments: dict, labels: bool) -> data.Splits:
    """Returns the data of a run."""
    how = {"labels": labels, "binarization": report["dataset"]["binarization"]}
    splits = data.load(arguments["dataset"], batch_size=10_000, **how)
    if arguments.get("factor") is not None:
        small = spaces.Levels((4, 4, 1), 17)
        return data.paired(splits, lambda x: restoration.downsampled(x, arguments["factor"]), small)
    return splits


@pytest.mark.parametrize("name", sorted(shipped.models()))
def test_a_shipped_model_reaches_its_figures(name):
    folder = shipped.models()[name]
    report = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    arguments = json.loads((folder / "config.json").read_text(encoding="utf-8"))["arguments"]
    model = keras_gen.load_model(name)
    # The table of docs/serving.md, whose flows are those of real numbers.
    signatures = {verb.removesuffix("_bound") for verb in model.signatures()}
    assert signatures == {verb.removesuffix("_bound") for verb in tables.results("signatures")[type(model).__name__]}
    splits = splits_of(report, arguments, "condition" in model.spaces)
    # A model takes rows as they are, where its run standardised them, too.
    figures = report.get("test, in the data's units", report["test"])
    if model.likelihood_kind == "exact":
        found = evaluation.likelihood(model, splits.test, num_samples=1, verbose=False)
        assert found["nll"] == pytest.approx(figures["nll"], rel=1e-3)
    elif model.likelihood_kind == "lower bound":
        found = evaluation.likelihood(model, splits.test, num_samples=1, verbose=False)
        # One sample for each example gives a looser bound than many.
        looser = -figures.get("elbo", -1.02 * figures["nll_bound"])
        assert figures["nll_bound"] * 0.999 < found["nll_bound"] < looser * 1.01
    elif model.likelihood_kind == "upper bound":
        # Its log Z takes annealing; the free energies are what it is about.
        gap = np.mean(model.free_energy(splits.array("validation"))) - np.mean(model.free_energy(splits.array("train")))
        assert gap == pytest.approx(report["validation"]["free_energy_gap"], abs=1e-3)
    elif "energy" in figures:
        # Those of the card are of examples with a little noise.
        energies = model.energy(splits.array("test")).numpy()
        assert np.mean(energies) == pytest.approx(figures["energy"], rel=0.01, abs=2e-4)
        noise = np.random.default_rng(0).integers(0, model.levels, (180, *model.event_shape))
        assert model.energy(noise).numpy().min() > energies.max()
    else:
        # The picture beside it shows what it draws: of a machine of layers, after a thousand sweeps.
        tf.config.run_functions_eagerly(model.likelihood_kind != "estimate")
        rows = model.preview(example_batch(model, splits, "test", 100), seed=arguments["seed"])
        drawn = pictures.preview(rows, data=splits.sources["test"].arrays.get("x"))
        beside = np.asarray(Image.open(folder / "samples.png").convert("L"), float)
        assert np.mean(np.abs(np.asarray(drawn.convert("L"), float) - beside)) < 2.0
