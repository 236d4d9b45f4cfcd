"""A run of a model of several columns: its figures, its picture and its card."""

import json

import numpy as np
import PIL.Image
import pytest
from eager import eager_steps

import keras_gen
from keras_gen import data, evaluation
from recipes.translation import pix2pix


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of the pairs, of a finished run on them, and what it reports."""
    root = tmp_path_factory.mktemp("runs")
    random = np.random.default_rng(0)
    (root / "pairs").mkdir()
    for index in range(20):
        source = random.integers(0, 256, (4, 4, 3), np.uint8)
        pair = np.concatenate([255 - source, source], axis=1)
        PIL.Image.fromarray(pair).save(root / "pairs" / f"{index:02}.png")
    sizes = {"image_size": 4, "filters": 2, "epochs": 1, "batch_size": 8}
    with eager_steps():
        report = pix2pix.main(dataset=str(root / "pairs"), folder=str(root / "run"), **sizes)
    return root, report


def test_figures_are_those_of_translations_without_noise(run):
    root, report = run
    assert json.loads((root / "run" / "metrics.json").read_text())["test"] == report["test"]
    pairs = data.load_pairs(root / "pairs", source="right")
    model = keras_gen.load_model(root / "run")
    source, target = (pairs.array("test", name) for name in ("source", "target"))
    np.testing.assert_array_equal(target, 255 - source)
    mean = np.broadcast_to(pairs.array("train", "target").mean(axis=0), target.shape)
    rows = {"": model.translate(source).numpy(), " mean target": mean}
    for name, figures in evaluation.translation_quality(target, rows, 256).items():
        for figure, value in figures.items():
            assert report["test"][f"{figure}{name}"] == pytest.approx(value, rel=1e-3), figure + name
    assert report["test"]["num_images"] == len(target) == 2


def test_the_card_says_what_each_column_holds(run):
    root, report = run
    columns = {name: {"event_shape": [4, 4, 3], "levels": 256} for name in ("source", "target")}
    assert report["dataset"]["columns"] == columns
    card = (root / "run" / "README.md").read_text()
    assert "pairs, source of shape (4, 4, 3), 256 levels, target of shape (4, 4, 3), 256 levels; " in card
    assert "| test | l1 mean target |" in card
    assert "model.translate(x)" in card
    for name in ("samples.png", "model.tflite", "saved_model/1/saved_model.pb", "samples/epoch-00001.png"):
        assert (root / "run" / name).exists()
