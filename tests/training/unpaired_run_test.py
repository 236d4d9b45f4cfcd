"""A run on unpaired sets of different lengths: what its figures are shares of."""

import numpy as np
from eager import eager_steps

import keras_gen
from keras_gen import data, training
from recipes.translation import cycle_gan


def test_figures_are_shares_of_translations_that_keep_their_class(tmp_path):
    digits = data.load("digits", labels=True)
    for name, num in (("a", 60), ("b", 40)):
        sets = {f"x_{split}": digits.array(split)[:num] for split in ("train", "test")}
        np.savez(
            tmp_path / f"{name}.npz",
            **sets,
            **{f"y_{split}": digits.labels(split)[:num] for split in ("train", "test")},
        )
    sizes = {"image_size": 8, "filters": 2, "num_blocks": 1, "epochs": 1, "batch_size": 16, "judge_epochs": 1}
    names = {"dataset": str(tmp_path / "a.npz"), "dataset_b": str(tmp_path / "b.npz")}
    with eager_steps():
        report = cycle_gan.main(folder=str(tmp_path / "run"), **names, **sizes)
    assert report["dataset"]["num_examples_of_columns"]["test"] == {"a": 60, "b": 40}
    model = keras_gen.load_model(tmp_path / "run")
    found = report["test, b to a"]
    x, labels = digits.array("test")[:40], digits.labels("test")[:40]
    assert set(found) == {"class kept", "class kept without translation", "judge's accuracy"}
    assert all(
        abs(share * num - round(share * num)) < 1e-6 for share, num in zip(found.values(), (40, 40, 60), strict=True)
    )
    # A judge that takes an image for the label that it has keeps everything.
    judge = type("Judge", (), {"predict": lambda self, x, **_: np.eye(10)[labels]})()
    assert training.label_accuracy(judge, x, labels) == 1.0
    assert training.label_accuracy(judge, x, (labels + 1) % 10) == 0.0
    assert model.translate_back(x).shape == (40, 8, 8, 1)
    for name in ("samples.png", "model.tflite", "judge-a-to-b/checkpoints", "samples/epoch-00001.png"):
        assert (tmp_path / "run" / name).exists()
