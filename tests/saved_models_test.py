"""The models that ship reach the figures that ship with them."""

import json

import numpy as np
import pytest
from PIL import Image

import keras_gen
from benchmarks import tables
from keras_gen import data, evaluation, pictures, shipped, spaces
from keras_gen.evaluation import restoration

FAMILIES = {"autoregressive", "latent", "flows", "mixtures", "adversarial", "translation", "energy"}


def test_each_family_has_a_model_with_a_name():
    assert {folder.parent.name for folder in shipped.models().values()} == FAMILIES
    assert {"made-digits", "vae-digits", "real_nvp-breast_cancer", "rbm-digits"} <= set(shipped.models())
    with pytest.raises(FileNotFoundError, match=r"`mad-digits` does not exist; .* one of the names .*made-digits"):
        keras_gen.load_model("mad-digits")


def test_a_folder_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped.located("made-digits") == shipped.folder("saved_models") / "autoregressive" / "made-digits"
    (tmp_path / "made-digits").mkdir()
    assert shipped.located("made-digits") == "made-digits"


def test_a_shipped_translation_reaches_its_figure():
    folder = shipped.models()["super_resolution-digits"]
    report = json.loads((folder / "metrics.json").read_text())
    pairs = data.paired(
        data.load("digits", batch_size=20), lambda x: restoration.downsampled(x, 2), spaces.Levels((4, 4, 1), 17)
    )
    x, y = pairs.array("test", "source"), pairs.array("test", "target")
    found = evaluation.translation_quality(y, {"": keras_gen.load_model(folder).translate(x)}, levels=17)[""]
    assert found["psnr"] == pytest.approx(report["test"]["psnr"], rel=1e-3)


@pytest.mark.parametrize("name", sorted(set(shipped.models()) - {"super_resolution-digits"}))
def test_a_shipped_model_is_small_and_reaches_its_figures(name):
    folder = shipped.models()[name]
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not {"checkpoints", "samples", "tensorboard"} & {*path.parts}
    ]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    report = json.loads((folder / "metrics.json").read_text())
    arguments = json.loads((folder / "config.json").read_text())["arguments"]
    splits = data.load(
        arguments["dataset"],
        batch_size=arguments["batch_size"],
        binarization=report["dataset"]["binarization"],
    )
    assert splits.description() == report["dataset"]

    model = keras_gen.load_model(name)
    # The table of docs/serving.md.
    assert set(model.signatures()) == set(tables.results("signatures")[type(model).__name__])
    if model.likelihood_kind == "upper bound":
        # Its log Z takes annealing; the free energies are what it is about.
        gap = np.mean(model.free_energy(splits.array("validation"))) - np.mean(model.free_energy(splits.array("train")))
        assert gap == pytest.approx(report["validation"]["free_energy_gap"], abs=1e-3)
        return
    figures = (
        model.evaluate(splits.test, verbose=0, return_dict=True)
        if model.likelihood_kind is None
        else evaluation.likelihood(model, splits.test, num_samples=1)
    )
    expected = report["test"]
    if model.likelihood_kind == "lower bound":
        expected = {"nll_bound": -expected["elbo"]}
    (figure,) = {"nll", "nll_bound", "discriminator_loss"} & set(figures) & set(expected)
    assert figures[figure] == pytest.approx(expected[figure], rel=1e-3)

    # The picture beside it shows its own samples.
    drawn = pictures.picture(model.event_space, model.sample(100, seed=arguments["seed"]), splits.array("test"))
    beside = np.asarray(Image.open(folder / "samples.png").convert("L"), float)
    assert np.mean(np.abs(np.asarray(drawn.convert("L"), float) - beside)) < 2.0
