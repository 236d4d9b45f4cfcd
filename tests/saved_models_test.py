"""The models that ship reach the figures that ship with them."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

import keras_gen
from keras_gen import data, evaluation, pictures

FOLDERS = sorted(path.parent for path in (pathlib.Path(__file__).parents[1] / "saved_models").rglob("metrics.json"))


def test_one_of_each_kind_ships():
    assert {folder.name for folder in FOLDERS} >= {"made", "vae", "real_nvp", "dcgan"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_shipped_model_is_small_and_reaches_its_figures(folder):
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
        binarization=arguments.get("binarization", "none"),
    )
    assert splits.description() == report["dataset"]

    model = keras_gen.load_model(folder)
    figures = (
        model.evaluate(splits.test, verbose=0, return_dict=True)
        if model.likelihood_kind is None
        else evaluation.likelihood(model, splits.test, num_samples=1)
    )
    expected = report["test"]
    if model.likelihood_kind == "lower bound":
        expected = {"nll_bound": -expected["elbo"]}
    (name,) = {"nll", "nll_bound", "discriminator_loss"} & set(figures) & set(expected)
    assert figures[name] == pytest.approx(expected[name], rel=1e-3)

    # The picture beside it shows its own samples.
    drawn = pictures.picture(model.event_space, model.sample(100, seed=arguments["seed"]), splits.array("test"))
    shipped = np.asarray(Image.open(folder / "samples.png").convert("L"), float)
    assert np.mean(np.abs(np.asarray(drawn.convert("L"), float) - shipped)) < 2.0
