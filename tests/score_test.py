"""Scores of new examples: figures, percentiles, and the files that the examples come from."""

import json
import re

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import tensorflow as tf
from cli_test import finished, gan, run
from contracts import randomise
from scipy.io import wavfile

from keras_gen import data, evaluation
from keras_gen.autoregressive import DALLE, MADE, RNADE, GatedPixelCNN, MarkovChain, WaveNet
from keras_gen.core import saving
from keras_gen.data import NewExamples
from keras_gen.energy import RBM, DeepEBM
from keras_gen.evaluation.likelihood import folded
from keras_gen.evaluation.scores import spread
from keras_gen.flows import NICE
from keras_gen.latent import VAE, VQVAE, ConditionalVAE
from keras_gen.mixtures import GaussianMixture

# Figures


def bound(model, x, **condition):
    return model.log_prob_bound(x, **condition, num_samples=20, seed=folded(3, 0))[0]


def energy_of_rbm(model, x, **condition):
    return model.free_energy(x)


NETWORK = {"name": "dense", "hidden_units": (3,)}
FIGURES = {
    "log_prob": lambda m, x, **condition: m.log_prob(x, **condition),
    "log_prob_bound": bound,
    "log_prob_upper_bound": bound,
    "energy": lambda m, x, **condition: m.energy(x, *condition.values()),
    "free_energy": energy_of_rbm,
    "reconstruction_error": lambda m, x, **condition: evaluation.reconstruction_error(m, x, *condition.values()),
    "entries_missing": lambda m, x, **condition: np.zeros(len(x)),
}
MODELS = {
    "made": (lambda: MADE((6,), (4,)), ["log_prob"]),
    "markov": (lambda: MarkovChain((6,)), ["log_prob"]),
    "mixture": (lambda: GaussianMixture((6,), 2), ["log_prob", "entries_missing"]),
    "vae": (lambda: VAE((6,), 2, hidden_units=(3,)), ["log_prob_bound", "reconstruction_error"]),
    "conditional": (
        lambda: ConditionalVAE((6,), 2, num_classes=3, hidden_units=(3,)),
        ["log_prob_bound", "reconstruction_error"],
    ),
    "rbm": (lambda: RBM((6,), 3), ["log_prob_upper_bound", "free_energy", "reconstruction_error"]),
    "energies": (lambda: DeepEBM((6,), 2, network=NETWORK, num_classes=3), ["energy"]),
}


@pytest.mark.parametrize("kind", MODELS)
def test_figures_are_what_the_verbs_compute(kind):
    make, names = MODELS[kind]
    model = randomise(make())
    x = np.random.default_rng(0).integers(0, 2, (5, 6)).astype(np.float32)
    condition = {} if model.condition_space is None else {"condition": np.arange(5) % 3}
    (found,) = evaluation.scores(model, [{"x": x, **condition}], num_samples=20, seed=3)
    assert list(found) == names
    for name, values in found.items():
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, FIGURES[name](model, x, **condition), rtol=1e-5, atol=1e-6)


def test_an_array_is_scored_in_batches_and_standardised_rows_in_the_units_of_the_data():
    model, x = randomise(GaussianMixture((2,), 2)), np.random.default_rng(0).normal(size=(7, 2))
    plain = evaluation.all_scores(evaluation.scores(model, x, batch_size=3))["log_prob"]
    np.testing.assert_allclose(plain, model.log_prob(x), rtol=1e-5)
    scale = (np.zeros(2), np.array([2.0, 8.0]))
    (scaled,) = evaluation.scores(model, x, scale=scale)
    np.testing.assert_allclose(scaled["log_prob"], plain - np.log(16.0), rtol=1e-6)
    # Of a row of which an entry is missing, the unit of the other one counts.
    x[0, 1] = np.nan
    (missing,) = evaluation.scores(model, x[:1], scale=scale)
    np.testing.assert_allclose(missing["log_prob"], model.log_prob(x[:1]).numpy() - np.log(2.0), rtol=1e-5)
    with pytest.raises(ValueError, match="a GAN has sample, generate"):
        evaluation.scores(gan(), x)


def test_percentiles_count_reference_values_that_are_at_most_as_large():
    random = np.random.default_rng(0)
    # Ties, infinite figures, and values outside of the reference.
    reference = np.append(random.integers(0, 20, 99), -np.inf).astype(float)
    values = np.array([-np.inf, -1.0, *range(20), 25.0, np.inf])
    expected = [100.0 * np.mean(reference <= value) for value in values]
    np.testing.assert_allclose(evaluation.percentiles(values, reference), expected)
    assert np.isnan(evaluation.percentiles([np.nan], reference)[0])
    with pytest.raises(ValueError, match="`reference` must hold numbers"):
        evaluation.percentiles(values, [])


def test_a_row_that_lacks_entries_is_ranked_among_the_same_entries_of_others():
    model, random = randomise(GaussianMixture((3,), 2)), np.random.default_rng(0)
    known = random.normal(size=(400, 3)).astype(np.float32)
    known[random.random(known.shape) < 0.2] = np.nan
    x = random.normal(size=(60, 3)).astype(np.float32)
    x[random.random(x.shape) < 0.4] = np.nan
    x[0] = np.nan
    figures = evaluation.all_scores(evaluation.scores(model, known))
    reference = evaluation.Reference(model, figures, lambda: [{"x": known[:150]}, {"x": known[150:]}], batch_size=64)
    assert reference.num_examples == 400
    found = reference.percentiles(x, evaluation.all_scores(evaluation.scores(model, x)))
    assert list(found) == ["log_prob"]
    expected = []
    for row in x:
        there = ~np.isnan(row)
        # Others that have these entries, without the rest of theirs.
        others = known[~np.isnan(known[:, there]).any(axis=1)]
        others[:, ~there] = np.nan
        value = model.log_prob(row[np.newaxis]).numpy()
        expected.append(100.0 * np.mean(model.log_prob(others).numpy() <= value + 1e-5))
    np.testing.assert_allclose(found["log_prob"], expected, atol=0.7)
    assert np.isnan(x).any(axis=1).sum() > 20
    # Nor does the unit of the data change a rank.
    scale = (np.zeros(3), np.array([2.0, 0.1, 30.0]))
    figures, more = (evaluation.all_scores(evaluation.scores(model, rows, scale=scale)) for rows in (known, x))
    scaled = evaluation.Reference(model, figures, lambda: [{"x": known}], scale=scale).percentiles(x, more)
    np.testing.assert_allclose(scaled["log_prob"], expected, atol=0.7)
    # Entries that no reference example has.
    alone = evaluation.Reference(model, figures, lambda: [{"x": np.where([True, False, False], np.nan, known)}])
    row = np.array([[0.5, np.nan, np.nan]], np.float32)
    assert np.isnan(alone.percentiles(row, {"log_prob": model.log_prob(row).numpy()})["log_prob"])


def test_examples_are_kept_evenly_spread():
    parts = [{"x": np.arange(start, start + 7)} for start in range(0, 70, 7)]
    np.testing.assert_array_equal(spread(parts, 100)["x"], np.arange(70))
    np.testing.assert_array_equal(spread(parts, 10)["x"], np.arange(0, 70, 4))


# Files


def a_run(folder, model, splits, **arguments):
    """A finished run with a description of its data."""
    finished(folder, "tests.model", model, **arguments)
    (folder / "metrics.json").write_text(json.dumps({"dataset": splits.description()}))
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A run of a standardised table with a column of text, and the table."""
    place = tmp_path_factory.mktemp("people")
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"height": random.normal(170.0, 9.0, 120), "city": random.choice(["Paris", "Rome"], 120)})
    frame["income"] = random.normal(1e4, 2e3, 120)
    frame.to_csv(place / "people.csv", index=False)
    arguments = {"text": "one_hot", "standardize": True}
    splits = data.load(place / "people.csv", **arguments)
    model = randomise(RNADE((4,), 4, 2), 0.1)
    folder = a_run(place / "run", model, splits, dataset=str(place / "people.csv"), **arguments)
    return folder, model, splits, frame


def in_units(model, splits, frame):
    """The log density of rows of the table of people, in its units, by the model itself."""
    rows = np.stack(
        [frame["height"], frame["city"] == "Paris", frame["city"] == "Rome", frame["income"]], axis=1
    ).astype(float)
    mean, deviation = splits.scale
    return model.log_prob((rows - mean) / deviation).numpy() - np.log(deviation).sum()


def test_rows_of_a_table_are_scored_as_the_run_read_its_own(people, tmp_path, monkeypatch, capsys):
    folder, model, splits, frame = people
    # Other columns among them, in another order, some values above and below.
    new = frame[:25].assign(income=lambda f: f["income"] + 500.0, name="somebody")[["name", "income", "city", "height"]]
    new.to_csv(tmp_path / "new.csv", index=False, sep=";", decimal=",")
    flags = ("score", folder, "--input", tmp_path / "new.csv", "--output", tmp_path / "scores.csv")
    status, out, err = run(monkeypatch, capsys, *flags, "--batch-size", 10)
    assert status == 0, err
    assert "25 examples of" in out
    assert "  log_prob: log-likelihood, in nats\n" in out
    assert "  log_prob_percentile: share of 96 training examples whose log_prob is at most as large, in percent" in out
    # As many digits as the model computes with.
    figures = (tmp_path / "scores.csv").read_text().splitlines()[1].split(",")
    assert figures[0] == "1"
    assert all(len(figure.lstrip("-0.").replace(".", "")) <= 7 for figure in figures[1:])
    found = pd.read_csv(tmp_path / "scores.csv")
    assert list(found) == ["row", "log_prob", "log_prob_percentile"]
    assert list(found["row"]) == list(range(1, 26))
    np.testing.assert_allclose(found["log_prob"], in_units(model, splits, new), rtol=1e-5)
    training = model.log_prob(splits.array("train")).numpy() - np.log(splits.scale[1]).sum()
    expected = [100.0 * np.mean(training <= value) for value in in_units(model, splits, new)]
    np.testing.assert_allclose(found["log_prob_percentile"], expected, atol=1.5)
    assert len(set(expected)) > 10
    # Nothing is written into the folder, which may be one of the package.
    assert {path.name for path in folder.iterdir()} == {"config.json", "metrics.json", "model.keras"}
    # The same again from what was kept, though the training data are gone, and from another model not.
    moved = (folder.parent / "people.csv").rename(folder.parent / "moved.csv")
    status, _, err = run(monkeypatch, capsys, *flags)
    assert (status, "--overwrite replaces it" in err) == (1, True)
    assert run(monkeypatch, capsys, *flags, "--overwrite", "--batch-size", 7)[0] == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "scores.csv"), found, rtol=1e-5)
    kept = (folder / "model.keras").read_bytes()
    saving.save_model(randomise(RNADE((4,), 4, 2), 0.2), folder / "model.keras")
    status, _, err = run(monkeypatch, capsys, *flags, "--overwrite")
    assert status == 1
    assert "--reference must be given, or none: the training data cannot be scored (there is no file" in err
    assert run(monkeypatch, capsys, *flags, "--overwrite", "--reference", "none")[0] == 0
    assert list(pd.read_csv(tmp_path / "scores.csv")) == ["row", "log_prob"]
    (folder / "model.keras").write_bytes(kept)
    moved.rename(folder.parent / "people.csv")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"height": np.nan}, "lacks a value in row 8 of column height."),
        ({"income": "much"}, "row 8 of column income of .*rows.csv holds 'much', where a number is expected."),
        ({"income": np.inf}, "row 8 of column income of .*rows.csv is infinite."),
        ({"income": 1e300}, r"row 8 of column income of .*rows.csv holds 1e\+300; expected finite real numbers."),
        ({"city": "Oslo"}, "row 8 of column city of .*rows.csv holds 'Oslo'; expected one of Paris, Rome."),
        ({"city": np.nan}, "lacks a value in row 8 of column city."),
        (None, "rows.csv has no column income; expected height, city=Paris, city=Rome, income, received height, city."),
    ],
    ids=["missing", "text", "infinite", "too large", "unknown", "missing text", "no column"],
)
def test_a_bad_row_is_named_and_leaves_no_file(people, tmp_path, monkeypatch, capsys, change, sentence):
    new = people[3][:12].astype(object)
    new = new.drop(columns="income") if change is None else new
    for name, value in (change or {}).items():
        new.loc[7, name] = value
    new.to_csv(tmp_path / "rows.csv", index=False)
    flags = ("--input", tmp_path / "rows.csv", "--output", tmp_path / "scores.csv", "--reference", "none")
    status, _, err = run(monkeypatch, capsys, "score", people[0], *flags, "--batch-size", 3)
    assert status == 1
    (line,) = [line for line in err.splitlines() if line.startswith("error: --input: ")]
    assert pd.Series([line]).str.contains(sentence).all(), line
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_bad_rows_are_left_out_where_that_is_asked_for(people, tmp_path, monkeypatch, capsys):
    new = people[3][:12].astype(object)
    new.loc[[2, 7], "city"] = "Oslo"
    new.loc[11, "height"] = np.nan
    new.to_csv(tmp_path / "rows.csv", index=False)
    flags = ("score", people[0], "--input", tmp_path / "rows.csv", "--output", tmp_path / "scores.csv")
    flags = (*flags, "--reference", "none", "--batch-size", 4)
    status, _, err = run(monkeypatch, capsys, *flags)
    assert status == 1
    assert (
        "holds 'Oslo'; expected one of Paris, Rome; `bad_rows=\"skip\"` (--bad-rows skip) leaves out such rows." in err
    )
    status, out, err = run(monkeypatch, capsys, *flags, "--bad-rows", "skip")
    assert status == 0, err
    assert "9 examples of" in out
    assert re.findall(r"^skipped row (\d+): ", err, re.MULTILINE) == ["3", "8", "12"]
    found = pd.read_csv(tmp_path / "scores.csv")
    assert list(found["row"]) == [1, 2, 4, 5, 6, 7, 9, 10, 11]
    good = new.drop(index=[2, 7, 11])
    np.testing.assert_allclose(found["log_prob"], in_units(people[1], people[2], good), rtol=1e-5)
    # A table of which no row can be read has something else wrong with it.
    new.assign(city="Oslo").to_csv(tmp_path / "rows.csv", index=False)
    status, _, err = run(monkeypatch, capsys, *flags, "--bad-rows", "skip", "--overwrite")
    assert (status, "row 1 of column city" in err, "--bad-rows" in err) == (1, True, False)


def test_a_row_of_text_makes_no_text_of_the_others(people, tmp_path, monkeypatch, capsys):
    new = people[3][:12].assign(income=lambda f: f["income"] + 0.25)
    rows = new.astype(object)
    rows["income"] = [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in new["income"]]
    rows["height"] = [f"{value:.6f}".replace(".", ",") for value in new["height"]]
    rows.loc[0, "income"] = "unknown"
    rows.to_csv(tmp_path / "rows.csv", index=False, sep=";")
    flags = ("--input", tmp_path / "rows.csv", "--output", tmp_path / "scores.csv", "--reference", "none")
    status, _, err = run(monkeypatch, capsys, "score", people[0], *flags, "--bad-rows", "skip")
    assert status == 0, err
    assert re.findall(r"^skipped row (\d+): ", err, re.MULTILINE) == ["1"]
    found = pd.read_csv(tmp_path / "scores.csv")
    assert list(found["row"]) == list(range(2, 13))
    np.testing.assert_allclose(found["log_prob"], in_units(people[1], people[2], new[1:]), rtol=1e-4)


def test_a_file_is_read_a_few_rows_at_a_time(tmp_path, monkeypatch):
    """No more than a part is asked for before it is wanted, and none is larger, packed or not."""
    x = np.random.default_rng(0).normal(size=(50, 2))
    frame = pd.DataFrame(x, columns=["a", "b"])
    frame.to_csv(tmp_path / "x.csv.gz", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    np.save(tmp_path / "x.npy", x)
    space = {"x": GaussianMixture((2,), 2).event_space}
    read = []
    contains = type(space["x"]).contains
    monkeypatch.setattr(type(space["x"]), "contains", lambda s, v: read.append(len(v)) or contains(s, v))
    for name in ("x.csv.gz", "x.parquet", "x.npy"):
        read.clear()
        examples = iter(NewExamples(tmp_path / name, space, rows_at_once=8))
        parts = [next(examples), next(examples)]
        assert read == [8, 8]
        parts += examples
        assert read == [8] * 6 + [2]
        np.testing.assert_allclose(np.concatenate([part.columns["x"] for part in parts]), x, rtol=1e-6)
        assert [row for part in parts for row in part.identity["row"]] == list(range(1, 51))


def test_levels_come_from_tables_and_arrays_and_bits_as_in_the_run(tmp_path):
    x = np.random.default_rng(0).integers(0, 3, (9, 4))
    np.savetxt(tmp_path / "x.csv", x, fmt="%d", delimiter=",")
    spaces = MarkovChain((4,), levels=3).spaces
    (part,) = NewExamples(tmp_path / "x.csv", spaces)
    np.testing.assert_array_equal(part.columns["x"], x)
    np.save(tmp_path / "x.npy", [[0, 1, 2, 0], [0, 7, 2, 0]])
    with pytest.raises(ValueError, match=r"row 2 of column 1 of .* holds 7; expected whole levels from 0 to 2\."):
        list(NewExamples(tmp_path / "x.npy", spaces))
    # Bytes become bits as in the run; what is bits already stays.
    grey = np.array([[0, 127, 128, 255]], np.uint8)
    bits = MarkovChain((4,)).spaces
    np.save(tmp_path / "grey.npy", grey)
    np.save(tmp_path / "bits.npy", grey > 100)
    for name, expected in (("grey", [[0, 0, 1, 1]]), ("bits", [[0, 1, 1, 1]])):
        (part,) = NewExamples(tmp_path / f"{name}.npy", bits, reading={"binarization": "threshold"})
        np.testing.assert_array_equal(part.columns["x"], expected)
    with pytest.raises(ValueError, match=r"has examples of shape \(4,\); the model takes \(5,\)\."):
        list(NewExamples(tmp_path / "grey.npy", MarkovChain((5,)).spaces))


@pytest.fixture
def pictures(tmp_path):
    """A folder of images of two classes; one is of another size, one is damaged."""
    random = np.random.default_rng(0)
    found = {}
    for name, shape in {"cat/a.png": (4, 4), "dog/b.png": (4, 4), "dog/c.png": (8, 6), "cat/d.png": (4, 4)}.items():
        found[name] = random.integers(0, 256, shape, np.uint8)
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(found[name]).save(tmp_path / "in" / name)
    (tmp_path / "in" / "cat" / "d.png").write_bytes((tmp_path / "in" / "cat" / "d.png").read_bytes()[:60])
    return tmp_path / "in", found


def test_all_images_of_a_folder_are_scored(tmp_path, monkeypatch, capsys):
    model = randomise(GatedPixelCNN((4, 4, 1), 3, filters=4, num_layers=1))
    saving.save_model(model, tmp_path / "model.keras")
    levels = {}
    for number, name in enumerate(("train/a.png", "train/cat/b.png", "test/c.png", "other/d.png", "e.png")):
        image = np.random.default_rng(number).integers(0, 256, (4, 4), np.uint8)
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(tmp_path / "in" / name)
        levels[name] = np.round(image * (2 / 255))[..., np.newaxis]
    flags = ("score", tmp_path / "model.keras", "--input", tmp_path / "in", "--output", tmp_path / "s.csv")
    status, _, err = run(monkeypatch, capsys, *flags)
    assert status == 0, err
    found = pd.read_csv(tmp_path / "s.csv").set_index("file")["log_prob"]
    assert sorted(found.index) == sorted(levels)
    expected = model.log_prob(np.stack([levels[name] for name in found.index]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("which", ["input", "reference"])
def test_what_is_scored_is_never_overwritten(people, tmp_path, monkeypatch, capsys, which):
    rows, link = tmp_path / "rows.csv", tmp_path / "link.csv"
    rows.write_text("a,b\n1,2\n")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    link.symlink_to(rows)
    files = {"input": tmp_path / "other.csv", "reference": tmp_path / "other.csv", which: rows}
    flags = [part for name, file in files.items() for part in (f"--{name}", file)]
    status, _, err = run(monkeypatch, capsys, "score", people[0], *flags, "--output", link, "--overwrite")
    assert status == 1
    assert f"--output must not be the file of the {which}, received {link}." in err
    assert rows.read_text() == "a,b\n1,2\n"


def test_images_are_scored_by_class_resized_and_skipped(pictures, tmp_path, monkeypatch, capsys):
    folder, images = pictures
    model = randomise(GatedPixelCNN((4, 4, 1), 3, filters=4, num_layers=1, num_classes=2))
    saving.save_model(model, tmp_path / "model.keras")
    flags = ("score", tmp_path / "model.keras", "--input", folder, "--output", tmp_path / "s.csv", "--batch-size", 2)
    status, _, err = run(monkeypatch, capsys, *flags)
    assert status == 1
    assert "cat/d.png is not a readable image" in err
    assert "--bad-files skip" in err
    status, _, err = run(monkeypatch, capsys, *flags, "--bad-files", "skip")
    assert "the subfolder cat of" in err
    assert status == 1
    assert not (tmp_path / "s.csv").exists()
    status, out, err = run(monkeypatch, capsys, *flags, "--bad-files", "skip", "--label", 1)
    assert status == 0, err
    assert "3 examples of" in out
    assert "1 images had other sizes than 4×4 and were resized." in err
    assert "skipped" in err
    found = pd.read_csv(tmp_path / "s.csv")
    assert list(found["file"]) == ["cat/a.png", "dog/b.png", "dog/c.png"]
    levels = np.stack([np.round(images[name] * (2 / 255)) for name in ("cat/a.png", "dog/b.png")])[..., np.newaxis]
    np.testing.assert_allclose(found["log_prob"][:2], model.log_prob(levels, np.array([1, 1])), rtol=1e-5)
    # A run that knows the names of its classes takes them from the subfolders.
    (folder / "cat" / "d.png").unlink()
    splits = data.load(folder, image_size=4, labels=True)
    assert splits.description()["class_names"] == ["cat", "dog"]
    in_run = a_run(tmp_path / "run", model, splits, dataset=str(folder), image_size=4)
    status, _, err = run(monkeypatch, capsys, "score", in_run, *flags[2:], "--reference", "none", "--overwrite")
    assert status == 0, err
    found = pd.read_csv(tmp_path / "s.csv")
    np.testing.assert_allclose(found["log_prob"][:2], model.log_prob(levels, np.array([0, 1])), rtol=1e-5)


@pytest.fixture
def functions_run_eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_each_caption_of_an_image_is_scored(functions_run_eagerly, pictures, tmp_path, monkeypatch, capsys):
    folder, images = pictures
    lines = [
        {"file": "dog/b.png", "captions": ["a dog", "it"]},
        {"file": "cat/a.png", "captions": ["a cat"]},
        {"file": "cat/d.png", "captions": ["a bad cat"]},
    ]
    (folder / "told.jsonl").write_text("\n".join(map(json.dumps, lines)))
    autoencoder = VQVAE((4, 4, 1), 3, 256, code_size=2, filters=(4,), prior={"filters": 2, "num_layers": 1})
    model = randomise(DALLE(autoencoder, ("a", "cat", "dog"), num_tokens=3, num_layers=1, width=6, num_heads=2))
    arguments = {
        "dataset": str(folder),
        "captions": "told.jsonl",
        "placed": True,
        "held_out": ["a thick three"],
        "seed": 2,
    }
    finished(tmp_path / "run", "autoregressive.dalle", model, **arguments)
    command = ("score", tmp_path / "run", "--input", folder, "--output", tmp_path / "s.csv", "--batch-size", 2)
    status, out, err = run(monkeypatch, capsys, *command, "--bad-files", "skip", "--reference", "none")
    assert status == 0, err
    found = pd.read_csv(tmp_path / "s.csv")
    assert list(found["file"]) == ["dog/b.png", "dog/b.png", "cat/a.png"]
    assert list(found["caption"]) == ["a dog", "it", "a cat"]
    x = np.stack([images[name][..., np.newaxis] for name in found["file"]]).astype(np.float32)
    bound, _ = model.log_prob_bound(x, found["caption"].to_numpy(object))
    np.testing.assert_allclose(found["log_prob_bound"], bound, rtol=1e-5)
    assert bound[0] != bound[1]

    # The run's own images, and another file of captions.
    PIL.Image.fromarray(images["dog/c.png"][:4, :4]).save(folder / "dog" / "c.png")
    (folder / "cat" / "d.png").unlink()
    lines[2] = {"file": "dog/c.png", "captions": ["x"]}
    (folder / "told.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "more.jsonl").write_text(json.dumps(lines[1]))
    status, out, err = run(monkeypatch, capsys, *command, "--captions", tmp_path / "more.jsonl", "--overwrite")
    assert status == 0, err
    assert "share of 1 training example whose" in out
    assert list(pd.read_csv(tmp_path / "s.csv")["caption"]) == ["a cat"]
    status, out, err = run(monkeypatch, capsys, "evaluate", tmp_path / "run")
    assert status == 0, err
    splits = data.load_captioned(folder, "told.jsonl", seed=2).without_labels()
    ((x, caption),) = splits.test
    nll = -float(model.log_prob_bound(x, caption)[0][0])
    assert json.loads(out)["test"]["nll_bound"] == pytest.approx(nll, rel=1e-5)
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4, 1), np.uint8))
    status, _, err = run(
        monkeypatch, capsys, "score", tmp_path / "run", "--input", tmp_path / "x.npy", *command[4:], "--overwrite"
    )
    assert status == 1
    assert (
        "x.npy holds nothing of what the model is conditioned on; captions are read beside a folder of images." in err
    )


def test_sounds_are_resampled_cut_and_filled_up(tmp_path, monkeypatch, capsys):
    model = randomise(WaveNet((20,), sample_rate=100, filters=2, skip_filters=2, dilations=(1,)))
    saving.save_model(model, tmp_path / "model.keras")
    (tmp_path / "in").mkdir()
    random = np.random.default_rng(0)
    sounds = {name: random.uniform(-0.5, 0.5, length).astype(np.float32) for name, length in {"a": 20, "b": 8}.items()}
    for name, sound in sounds.items():
        wavfile.write(tmp_path / "in" / f"{name}.wav", 100, sound)
    (tmp_path / "in" / "c.wav").write_bytes(b"none")
    flags = ("score", tmp_path / "model.keras", "--input", tmp_path / "in", "--output", tmp_path / "s.csv")
    status, _, err = run(monkeypatch, capsys, *flags)
    assert status == 1
    assert "c.wav is not a readable WAV file" in err
    status, _, err = run(monkeypatch, capsys, *flags, "--bad-files", "skip")
    assert status == 0, err
    x = np.full((2, 20), np.nan, np.float32)
    x[0], x[1, :8] = sounds["a"], sounds["b"]
    found = pd.read_csv(tmp_path / "s.csv")
    assert list(found["file"]) == ["a.wav", "b.wav"]
    np.testing.assert_allclose(found["log_prob"], model.log_prob(x), rtol=1e-5)


def test_what_cannot_be_scored_gets_a_sentence(people, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "x.npy", np.zeros((0, 4)))
    saving.save_model(gan(), tmp_path / "gan.keras")
    saving.save_model(MADE((4,), (3,)), tmp_path / "made.keras")
    saving.save_model(NICE((4,), 1, condition_size=3), tmp_path / "vectors.keras")
    np.save(tmp_path / "rows.npy", np.zeros((2, 4)))
    (tmp_path / "header.csv").write_text("a,b,c,d\n")
    for model, given, more, sentence in [
        ("gan.keras", "x.npy", (), "`model` must have a likelihood, an energy of examples, or reconstruct them"),
        ("made.keras", "x.npy", (), "x.npy holds no examples; at least one is expected."),
        ("made.keras", "header.csv", (), "header.csv holds no rows."),
        ("made.keras", "none.csv", (), "--input: there is no file"),
        ("made.keras", "x.npy", ("--label", 1), "--label must be None: the model is not conditioned on a class"),
        (
            "made.keras",
            "x.npy",
            ("--captions", "c.jsonl"),
            "--captions must be None: the model is not conditioned on text",
        ),
        (
            "vectors.keras",
            "rows.npy",
            (),
            "rows.npy holds nothing of what the model is conditioned on; finite real numbers, of shape (3,), are taken "
            "by `evaluation.scores` alone, as a column of arrays.",
        ),
        ("made.keras", "x.npy", ("--reference", "r.csv"), "--reference: there is no file or folder r.csv."),
    ]:
        flags = ("--input", tmp_path / given, "--output", tmp_path / "s.csv", *more)
        status, _, err = run(monkeypatch, capsys, "score", tmp_path / model, *flags)
        assert status == 1
        assert sentence in err
    assert not (tmp_path / "s.csv").exists()
