"""The command `keras-gen`."""

import contextlib
import importlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from contracts import randomise
from scipy.io import wavfile

import keras_gen
from keras_gen import cli, data, evaluation, files, pictures, shipped
from keras_gen.adversarial import GAN, TextToImageGAN
from keras_gen.autoregressive import MADE, RNADE, WaveNet
from keras_gen.core import saving
from keras_gen.flows import NICE
from keras_gen.latent import VAE
from keras_gen.training.recipe import config_of
from keras_gen.translation import Jigsaw, Pix2Pix, PuzzleGAN


def run(monkeypatch, capsys, *arguments):
    """Runs `keras-gen` in this process; returns exit status, output and errors."""
    monkeypatch.setattr(sys, "argv", ["keras-gen", *map(str, arguments)])
    status = 0
    try:
        cli.main()
    except SystemExit as error:
        status = error.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def finished(folder, recipe: str, model, **arguments):
    """Makes a folder as a finished run leaves it, with the model alone."""
    folder.mkdir()
    saving.save_model(model, folder / "model.keras")
    (folder / "config.json").write_text(json.dumps({"recipe": recipe, "arguments": arguments}))
    (folder / "metrics.json").write_text(json.dumps({"test": {"nll": 44.0}}))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "made"
    model = MADE((8, 8, 1), (4,))
    return finished(folder, "autoregressive.made", model, dataset="digits", binarization="threshold")


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["sample", "--help"], ["train", "made", "--help"]])
def test_help_does_not_load_tensorflow(arguments):
    code = (
        "import sys; from keras_gen import cli; sys.argv = ['keras-gen', *sys.argv[1:]]\n"
        "try:\n    cli.main()\nexcept SystemExit as error:\n    assert not error.code\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "made" in done.stdout or "usage: keras-gen" in done.stdout


def test_list_names_every_recipe_with_its_paper(monkeypatch, capsys):
    _, out, _ = run(monkeypatch, capsys, "list")
    for name in ("autoregressive.made", "latent.vae", "flows.real_nvp", "adversarial.dcgan"):
        (line,) = [line for line in out.splitlines() if line.split()[:1] == [name]]
        assert "http" in line
    for name, figure in {
        "made-digits": "NLL 17.38 ± 0.34 nats (exact)",
        "iwae-digits": "NLL ≤ 16.71 ± 0.28 nats (bound, 1,000 samples)",
        "wavenet-tones": "nats a sample of sound 2.32 (exact)",
        "probabilistic_pca-breast_cancer": "NLL 13.64 ± 2.33 nats (exact, of standardised entries)",
        "wgan_gp-digits": "Parzen window 16.2 ± 0.8 nats (no likelihood, 10,000 samples)",
        "deep_ebm-digits": "area under the curve against turned images 1.000 ± 0.000 (test images)",
        "super_resolution-digits": "signal-to-noise ratio 18.84 ± 0.17 dB (test images)",
    }.items():
        assert f"  {name}  {figure}" in re.sub(r" {3,}", "  ", "\n  ".join(out.splitlines()))


def test_sample_draws_what_the_model_draws(trained, tmp_path, monkeypatch, capsys):
    output = tmp_path / "x.npy"
    status, out, _ = run(monkeypatch, capsys, "sample", trained, "--num-samples", 5, "--seed", 3, "--output", output)
    assert status == 0
    assert "5 samples of shape (8, 8, 1)" in out
    np.testing.assert_array_equal(np.load(output), saving.load_model(trained).sample(5, seed=3))
    status, _, err = run(monkeypatch, capsys, "sample", trained, "--output", output)
    assert status == 1
    assert "exists; --overwrite replaces it" in err
    assert len(np.load(output)) == 5
    # A folder, too, in files of a few.
    flags = ("--num-samples", 5, "--shard-size", 3, "--output", tmp_path / "x")
    status, out, err = run(monkeypatch, capsys, "sample", trained, *flags)
    assert status == 0, err
    assert "5 samples of shape (8, 8, 1)" in out
    shards = [np.load(tmp_path / "x" / f"0000{number}-of-00002.npy") for number in range(2)]
    assert [(shard.shape, shard.dtype) for shard in shards] == [((n, 8, 8, 1), np.uint8) for n in (3, 2)]
    status, _, err = run(monkeypatch, capsys, "sample", trained, "--num-samples", 10_001, "--output", "y.npy")
    assert status == 1
    assert "--output must be a folder, such as y, for more than 10,000 examples" in err


def test_sample_says_whether_it_shows_means_or_draws(trained, tmp_path, monkeypatch, capsys):
    model = randomise(VAE((4, 4, 1), 2, hidden_units=(3,)))
    saving.save_model(model, tmp_path / "vae.keras")
    titles = []
    monkeypatch.setattr(pictures, "titled", lambda image, title: titles.append(title) or image)
    for mean in (True, False):
        flags = ("--num-samples", 3, "--seed", 5, "--overwrite", *(["--mean"] if mean else []))
        for name in ("x.npy", "x.png"):
            status, out, err = run(
                monkeypatch, capsys, "sample", tmp_path / "vae.keras", *flags, "--output", tmp_path / name
            )
            assert status == 0, err
        np.testing.assert_allclose(np.load(tmp_path / "x.npy"), model.sample(3, seed=5, mean=mean), atol=1e-6)
        assert f"3 {'means' if mean else 'samples'} of shape" in out
    assert titles == ["means", "draws"]
    status, _, err = run(monkeypatch, capsys, "sample", trained, "--mean", "--output", tmp_path / "y.png")
    assert status == 1
    assert "--mean is no option of MADE.sample" in err


def test_sample_draws_captions_in_turn(trained, tmp_path, monkeypatch, capsys):
    model = randomise(TextToImageGAN((8, 8, 1), 9, words=("a", "thin", "three"), filters=(3,), latent_size=2))
    folder = finished(tmp_path / "text_to_image", "adversarial.text_to_image_gan", model, dataset="digits")
    output = tmp_path / "x.npy"
    arguments = ("--num-samples", 3, "--caption", "a thin three", "--caption", "three", "--output", output)
    status, _, _ = run(monkeypatch, capsys, "sample", folder, *arguments)
    assert status == 0
    expected = model.sample(3, condition=["a thin three", "three", "a thin three"], seed=0)
    np.testing.assert_allclose(np.load(output), expected, atol=1.0)
    status, _, err = run(monkeypatch, capsys, "sample", trained, "--caption", "a", "--output", tmp_path / "y.npy")
    assert status == 1
    assert "--caption must be left out" in err
    assert "holds a MADE, which takes none" in err


def test_evaluate_uses_the_data_of_the_run(trained, monkeypatch, capsys):
    status, out, _ = run(monkeypatch, capsys, "evaluate", trained, "--split", "validation")
    assert status == 0
    splits = data.load("digits", binarization="threshold")
    expected = evaluation.likelihood(saving.load_model(trained), splits.validation)
    found = json.loads(out)
    assert found["likelihood"] == "exact"
    assert found["validation"]["nll"] == pytest.approx(expected["nll"], rel=1e-6)


def test_evaluate_says_that_a_bound_is_one(tmp_path, monkeypatch, capsys):
    """The mass that a flow gives to levels has a bound alone."""
    model = NICE((8, 8, 1), 2, (4,), levels=17)
    folder = finished(tmp_path / "nice", "flows.nice", model, dataset="digits", binarization="none")
    status, out, _ = run(monkeypatch, capsys, "evaluate", folder, "--num-samples", 3, "--seed", 5)
    assert status == 0
    found = json.loads(out)
    assert found["likelihood"] == "lower bound"
    expected = evaluation.likelihood(model, data.load("digits").test, num_samples=3, seed=5)
    assert set(found["test"]) == set(expected) >= {"nll_bound", "bits_per_dim_bound", "nll_bound_monte_carlo_error"}
    assert found["test"]["nll_bound"] == pytest.approx(expected["nll_bound"], rel=1e-6)


@pytest.fixture
def standardised(tmp_path):
    """A run whose recipe standardised a table, with a description of its data."""
    rows = np.random.default_rng(0).normal([10.0, 1000.0, 5.0], [2.0, 50.0, 0.1], (200, 3))
    table = tmp_path / "table.csv"
    np.savetxt(table, rows, delimiter=",", header="x,y,z", comments="")
    splits = data.load(table, standardize=True)
    model = randomise(RNADE((3,), 4, 2), 0.1)
    folder = finished(tmp_path / "run", "autoregressive.rnade", model, dataset=str(table))
    (folder / "metrics.json").write_text(json.dumps({"dataset": splits.description()}))
    return folder, model, splits


def test_evaluate_standardises_as_the_run_did(standardised, tmp_path, monkeypatch, capsys):
    folder, model, splits = standardised
    status, out, _ = run(monkeypatch, capsys, "evaluate", folder)
    assert status == 0
    found, expected = json.loads(out), -model.log_prob(splits.array("test")).numpy().mean()
    assert found["test"]["nll"] == pytest.approx(expected, rel=1e-5)
    assert found["unit"] == "of standardised entries"
    in_units = found["test, in the data's units"]["nll"]
    assert in_units == pytest.approx(expected + np.log(splits.scale[1]).sum(), rel=1e-5)
    # Other data are standardised by the means and deviations of the run, not by their own.
    other = np.random.default_rng(1).normal([12.0, 1100.0, 5.2], [1.0, 20.0, 0.2], (100, 3))
    np.save(tmp_path / "other.npy", other)
    status, out, _ = run(monkeypatch, capsys, "evaluate", folder, "--dataset", tmp_path / "other.npy")
    rows = data.load(tmp_path / "other.npy").array("test")
    expected = -model.log_prob((rows - splits.scale[0]) / splits.scale[1]).numpy().mean()
    assert json.loads(out)["test"]["nll"] == pytest.approx(expected, rel=1e-4)


def test_evaluate_finds_the_columns_of_a_table_by_name(standardised, tmp_path, monkeypatch, capsys):
    folder, model, splits = standardised
    frame = pd.read_csv(tmp_path / "table.csv")
    frame.assign(w=0.5)[["z", "w", "y", "x"]].to_csv(tmp_path / "other.csv", index=False)
    status, out, err = run(monkeypatch, capsys, "evaluate", folder, "--dataset", tmp_path / "other.csv")
    assert status == 0, err
    expected = -model.log_prob(splits.array("test")).numpy().mean()
    assert json.loads(out)["test"]["nll"] == pytest.approx(expected, rel=1e-5)
    frame.rename(columns={"x": "q"}).to_csv(tmp_path / "other.csv", index=False)
    status, _, err = run(monkeypatch, capsys, "evaluate", folder, "--dataset", tmp_path / "other.csv")
    assert status == 1
    assert "other.csv has no column x; expected x, y, z, received q, y, z." in err


def test_samples_come_in_the_units_and_with_the_names_of_the_data(standardised, tmp_path, monkeypatch, capsys):
    folder, model, splits = standardised
    expected = model.sample(50, seed=3).numpy() * splits.scale[1] + splits.scale[0]
    for name in ("x.npy", "x.csv"):
        flags = ("--num-samples", 50, "--seed", 3, "--output", tmp_path / name)
        assert run(monkeypatch, capsys, "sample", folder, *flags)[0] == 0
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), expected, rtol=1e-5)
    table = pd.read_csv(tmp_path / "x.csv")
    assert list(table.columns) == ["x", "y", "z"]
    np.testing.assert_allclose(table, expected, rtol=1e-5)


def run_on_table(folder, name: str, rows, **arguments) -> tuple:
    """Runs a recipe on rows of two columns, without its exports; returns the run's folder, report and output."""
    pd.DataFrame(rows, columns=["height", "width"]).to_csv(folder / "table.csv", index=False)
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        for export in ("Graphs", "saved_model", "litert"):
            patch.setattr(keras_gen.export, export, lambda *arguments: None)
        recipe = importlib.import_module(f"recipes.{name}").main
        report = recipe(
            dataset=str(folder / "table.csv"), standardize=True, folder=str(folder / "run"), xla=False, **arguments
        )
    return folder / "run", report, printed.getvalue()


def rows_of_a_table() -> np.ndarray:
    """Rows of two columns that depend on each other, in units that differ."""
    random = np.random.default_rng(0)
    return (random.normal(size=(200, 2)) @ [[1.0, 0.7], [0.0, 1.0]] * [1e4, 1e-3] + [3e4, 2e-3]).astype(np.float32)


@pytest.fixture(scope="module")
def run_of_a_table(tmp_path_factory):
    """A run of a recipe with `--standardize`, what it printed, and the rows."""
    settings = {"hidden_units": (4,), "num_components": 2, "epochs": 2, "batch_size": 40}
    rows = rows_of_a_table()
    return *run_on_table(tmp_path_factory.mktemp("standardized"), "autoregressive.made", rows, **settings), rows


def test_a_run_hands_what_it_did_to_rows_to_the_model(run_of_a_table, tmp_path, monkeypatch, capsys):
    folder, report, printed, rows = run_of_a_table
    assert printed.startswith("table.csv: 2 columns of real numbers, standardised; examples: 160 train, 20 validation")
    model, splits = saving.load_model(folder), data.load(folder.parent / "table.csv")
    in_units, standardised = report["test, in the data's units"], report["test"]
    assert report["unit"] == "of standardised entries"
    nll = -model.log_prob(splits.array("test")).numpy().mean()
    assert in_units["nll"] == pytest.approx(nll, abs=1e-3)
    log_volume = np.log(report["dataset"]["scale"]["deviation"]).sum()
    assert in_units["nll"] == pytest.approx(standardised["nll"] + log_volume, rel=1e-6)
    assert in_units["nll_gaussian"] == pytest.approx(standardised["nll_gaussian"] + log_volume, rel=1e-6)
    # Of real numbers, it would depend on the unit.
    assert "bits_per_dim" not in {*standardised, *in_units}
    assert in_units["nll_standard_error"] == standardised["nll_standard_error"]
    card = (folder / "README.md").read_text()
    assert f"| test, in the data's units | nll | {in_units['nll']:.4f} |" in card

    # All verbs agree.
    status, out, _ = run(monkeypatch, capsys, "evaluate", folder)
    assert status == 0
    found = json.loads(out)
    for key in ("test", "test, in the data's units"):
        assert found[key]["nll"] == pytest.approx(report[key]["nll"], abs=1e-4)
    flags = ("--num-samples", 300, "--output", tmp_path / "x.csv")
    assert run(monkeypatch, capsys, "sample", folder, *flags)[0] == 0
    table = pd.read_csv(tmp_path / "x.csv")
    assert list(table.columns) == ["height", "width"]
    np.testing.assert_allclose(table, model.sample(300, seed=0), rtol=1e-4)
    np.testing.assert_allclose(table.mean() / rows.mean(axis=0), 1.0, atol=0.3)


def test_data_that_have_changed_since_are_told(run_of_a_table, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    shutil.copytree(run_of_a_table[0], folder)
    table = pathlib.Path(json.loads((folder / "config.json").read_text())["arguments"]["dataset"])
    state = json.loads((folder / "checkpoints" / "state.json").read_text())
    assert state["data"] == {"dataset": files.fingerprint(table)}
    score = ("score", folder, "--input", table, "--output", tmp_path / "s.csv", "--overwrite")
    assert run(monkeypatch, capsys, "evaluate", folder)[0] == 0
    (folder / "checkpoints" / "state.json").write_text(json.dumps({**state, "data": {"dataset": "0123456789abcdef"}}))
    for command, name, otherwise in (
        (("evaluate", folder), "--dataset", f"--dataset {table} evaluates on what it is now."),
        (score, "`dataset`", "--reference names other examples, or none."),
    ):
        status, _, err = run(monkeypatch, capsys, *command)
        assert status == 1
        assert f"{name} {table} has changed since the run in {folder} was trained on it; {otherwise}" in err
    assert run(monkeypatch, capsys, "evaluate", folder, "--dataset", table)[0] == 0
    assert run(monkeypatch, capsys, *score, "--reference", "none")[0] == 0


def test_a_mixture_is_fitted_to_a_table_with_missing_values(tmp_path):
    rows = rows_of_a_table().astype(float)
    rows[np.random.default_rng(1).random(rows.shape) < 0.1] = np.nan
    settings = {"missing": "keep", "folds": 2, "epochs": 10, "num_components": (1,), "min_scale": (0.1,)}
    folder, report, printed = run_on_table(tmp_path, "mixtures.gaussian_mixture", rows, **settings)
    assert printed.startswith("table.csv: 2 columns of real numbers, standardised; ")
    # A Gaussian knows one entry by the other, which the baseline of independent ones does not.
    for of in ("test", "test, in the data's units"):
        assert report[of]["nll"] < report[of]["nll_independent_gaussians"] - 0.05
    assert -3.0 < report["cross_validation"]["log_likelihood"] < -1.5
    model, splits = saving.load_model(folder), data.load(tmp_path / "table.csv", missing="keep")
    nll = -model.log_prob(splits.array("test")).numpy()
    in_units = report["test, in the data's units"]
    assert in_units["nll"] == pytest.approx(nll.mean(), abs=1e-3)
    # Rows differ in the entries that they have: an error of standardised rows is none of rows in the data's units.
    assert "nll_standard_error" in report["test"]
    assert not [name for name in in_units if name.endswith("_error")]


@pytest.mark.parametrize("how", ["run", "flag"])
def test_evaluate_reads_images_in_the_size_of_the_run_or_in_another(tmp_path, monkeypatch, capsys, how):
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(12):
        shape = (10 + number, 9)
        PIL.Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(tmp_path / "images" / f"{number:02}.png")
    dataset = str(tmp_path / "images")
    in_run = {"image_size": [4, 6]} if how == "run" else {}
    folder = finished(tmp_path / "made", "autoregressive.made", MADE((4, 6, 1), (3,), 256), dataset=dataset, **in_run)
    flags = ("--image-size", 4, 6) if how == "flag" else ()
    status, out, _ = run(monkeypatch, capsys, "evaluate", folder, *flags)
    assert status == 0
    expected = evaluation.likelihood(saving.load_model(folder), data.load(dataset, image_size=(4, 6)).test)
    assert json.loads(out)["test"]["nll"] == pytest.approx(expected["nll"], rel=1e-6)


def test_evaluate_takes_the_batches_the_seed_and_the_samples_of_the_run(tmp_path, monkeypatch, capsys):
    model = NICE((8, 8, 1), 2, (4,), levels=2)
    made = {"dataset": "digits", "binarization": "dynamic", "batch_size": 60, "num_samples": 2, "seed": 3}
    folder = finished(tmp_path / "nice", "flows.nice", model, **made)
    status, out, _ = run(monkeypatch, capsys, "evaluate", folder)
    assert status == 0
    splits = data.load("digits", binarization="dynamic", batch_size=60, seed=3)
    expected = evaluation.likelihood(model, splits.test, num_samples=2)
    assert json.loads(out)["test"]["nll_bound"] == pytest.approx(expected["nll_bound"], rel=1e-6)


def test_evaluate_refuses_a_model_without_a_likelihood(tmp_path, monkeypatch, capsys):
    folder = finished(tmp_path / "gan", "adversarial.gan", gan(), dataset="eight_gaussians")
    status, _, err = run(monkeypatch, capsys, "evaluate", folder)
    assert status == 1
    assert "holds a GAN, which has no likelihood to evaluate. It has sample, generate" in err


def gan():
    networks = {"name": "dense", "hidden_units": (3,)}
    return GAN((2,), None, latent_size=4, generator_network=networks, discriminator_network=networks)


def test_options_of_sampling_are_those_of_the_model(tmp_path, monkeypatch, capsys):
    model, output = gan(), tmp_path / "x.npy"
    saving.save_model(model, tmp_path / "model.keras")
    sample = ("sample", tmp_path, "--num-samples", 5, "--seed", 3, "--output", output)
    assert run(monkeypatch, capsys, *sample, "--option", "truncation=0.1")[0] == 0
    np.testing.assert_array_equal(np.load(output), model.sample(5, seed=3, truncation=0.1))
    assert np.any(np.load(output) != model.sample(5, seed=3))
    for option, sentence in {
        "truncation": "--option must be NAME=NUMBER with a number, received 'truncation'.",
        "truncation=much": "--option must be NAME=NUMBER with a number, received 'truncation=much'.",
        "heat=2": "`heat` is no option of GAN.sample; it takes truncation.",
    }.items():
        status, _, err = run(monkeypatch, capsys, *sample, "--overwrite", "--option", option)
        assert status == 1
        assert sentence in err


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    """A Pix2Pix from 4×6 colour pixels to 4×6 grey ones, with few levels, and the folder that it is in."""
    model = randomise(Pix2Pix((4, 6, 3), (4, 6, 1), 11, filters=2))
    folder = tmp_path_factory.mktemp("cli") / "pix2pix"
    return model, finished(folder, "translation.pix2pix", model, dataset="pairs")


def image_folder(folder, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Writes images of bytes, by name, and returns them."""
    random = np.random.default_rng(0)
    images = {name: random.integers(0, 256, shape, np.uint8) for name, shape in shapes.items()}
    for name, image in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(folder / name)
    return images


def test_translate_keeps_names_and_translates_each_image(translator, tmp_path, monkeypatch, capsys):
    model, folder = translator
    shapes = {f"{number}.png": (4, 6, 3) for number in range(4)}
    images = image_folder(tmp_path / "in", {**shapes, "deep/er/a.b.bmp": (4, 6, 3)})
    (tmp_path / "in" / "notes.txt").write_text("no image")
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out", "--batch-size", 2)
    status, out, err = run(monkeypatch, capsys, "translate", folder, *flags)
    assert status == 0, err
    assert "5 images, translated by the Pix2Pix" in out
    assert "resized" not in out
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "out")) for path in written} == set(images)
    for path in written:
        image = images[str(path.relative_to(tmp_path / "out"))]
        levels = np.round(image[np.newaxis] * (10.0 / 255.0)).astype(np.float32)
        expected = model.translate(levels).numpy()[0, ..., 0]
        np.testing.assert_array_equal(np.asarray(PIL.Image.open(path)), np.round(expected * 25.5))


def test_translate_never_overwrites_unless_asked(translator, tmp_path, monkeypatch, capsys):
    _, folder = translator
    image_folder(tmp_path / "in", {"a.png": (4, 6, 3), "b.png": (4, 6, 3)})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_text("mine")
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    status, _, err = run(monkeypatch, capsys, "translate", folder, *flags)
    assert status == 1
    assert "out/b.png exists, one of 1; --overwrite replaces them." in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]
    assert (tmp_path / "out" / "b.png").read_text() == "mine"
    assert run(monkeypatch, capsys, "translate", folder, *flags, "--overwrite")[0] == 0
    assert PIL.Image.open(tmp_path / "out" / "b.png").size == (6, 4)
    # Not the images themselves.
    status, _, err = run(monkeypatch, capsys, "translate", folder, *flags[:3], tmp_path / "in" / ".", "--overwrite")
    assert status == 1
    assert "--output must lie outside of the folder" in err


def test_translate_resizes_and_reports_what_it_cannot_read(translator, tmp_path, monkeypatch, capsys):
    _, folder = translator
    image_folder(
        tmp_path / "in", {"a.png": (4, 6, 3), "grey.png": (8, 12), "tall.jpg": (9, 5, 3), "cut.png": (4, 6, 3)}
    )
    damaged = tmp_path / "in" / "cut.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    (tmp_path / "in" / "none.png").write_bytes(b"none")
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    status, out, err = run(monkeypatch, capsys, "translate", folder, *flags)
    assert status == 0
    assert "3 images" in out
    assert "2 of them had other sizes than 4×6 and were resized." in out
    skipped = [line for line in err.splitlines() if line.startswith("skipped ")]
    assert [line.split(": ")[0] for line in skipped] == [
        f"skipped {tmp_path / 'in' / name}" for name in ("cut.png", "none.png")
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.png", "grey.png", "tall.jpg"}
    assert {PIL.Image.open(path).size for path in (tmp_path / "out").iterdir()} == {(6, 4)}
    for name in ("a.png", "grey.png", "tall.jpg"):
        (tmp_path / "in" / name).unlink()
    status, _, err = run(monkeypatch, capsys, "translate", folder, *flags)
    assert status == 1
    assert "can be read; of " in err


def test_translate_sees_the_images_that_training_sees(translator, tmp_path, monkeypatch, capsys):
    _, folder = translator
    hidden = (".hidden.png", ".ipynb_checkpoints/a.png", "__MACOSX/a.png")
    image_folder(tmp_path / "in", dict.fromkeys(("a.png", "dir.png/b.png", *hidden), (4, 6, 3)))
    image_folder(tmp_path / "elsewhere", {"c.png": (4, 6, 3)})
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    # Pillow reads it by its first bytes, and would write it by its name.
    (tmp_path / "elsewhere" / "phone.heic").write_bytes((tmp_path / "elsewhere" / "c.png").read_bytes())
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    status, out, err = run(monkeypatch, capsys, "translate", folder, *flags)
    assert (status, "3 images" in out) == (0, True)
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*g"))
    assert [name for name in written if name != "dir.png"] == ["a.png", "dir.png/b.png", "linked/c.png"]
    sentence = "phone.heic: its translation, which would have the same name, cannot be written as .heic"
    assert [line.endswith(sentence) for line in err.splitlines() if line.startswith("skipped ")] == [True]
    (tmp_path / "file").write_text("mine")
    status, _, err = run(monkeypatch, capsys, "translate", folder, *flags[:3], tmp_path / "file")
    assert (status, f"--output {tmp_path / 'file'} is a file; a folder is expected." in err) == (1, True)


def test_translate_says_what_it_needs(trained, translator, tmp_path, monkeypatch, capsys):
    image_folder(tmp_path / "in", {"a.png": (4, 6, 3)})
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    for arguments, sentence in {
        (trained, *flags): "holds a MADE, which translates no images.",
        (translator[1], *flags, "--domain", 1): "--domain must be None: this Pix2Pix has one target only.",
        (translator[1], *flags, "--back"): "`model` must have the signature translate_back; Pix2Pix has",
        (translator[1], "--input", tmp_path / "no", *flags[2:]): "--input: there is no folder",
        (translator[1], "--input", trained, *flags[2:]): "holds no image (.png",
    }.items():
        status, _, err = run(monkeypatch, capsys, "translate", *arguments)
        assert status == 1
        assert sentence in err
    assert not (tmp_path / "out").exists()


def test_complete_draws_parts_of_the_images_of_a_folder(trained, tmp_path, monkeypatch, capsys):
    images = image_folder(tmp_path / "in", {"b.png": (6, 8), "a.png": (8, 8), "c.png": (8, 8)})
    models = {
        "puzzle": PuzzleGAN((8, 8, 1), 17, filters=(2,), code_size=3, latent_size=2),
        "jigsaw": Jigsaw((8, 8, 1), grid=(2, 2), filters=(2,), hidden_units=3),
    }
    output, shown = tmp_path / "out.png", {}
    monkeypatch.setattr(pictures, "preview", lambda rows, **_: shown.update(rows) or PIL.Image.new("L", (1, 1)))
    for name, model in models.items():
        saving.save_model(model, tmp_path / f"{name}.keras")
        flags = ("complete", tmp_path / f"{name}.keras", "--input", tmp_path / "in", "--num-images", 2, "--seed", 3)
        status, out, err = run(monkeypatch, capsys, *flags, "--output", output, "--overwrite")
        assert status == 0, err
        assert f"2 images of {tmp_path / 'in'}, completed by the {type(model).__name__}" in out
        assert output.exists()
        x = np.array(shown["target"][1])
        np.testing.assert_array_equal(x[0, ..., 0], np.round(images["a.png"] * ((model.levels - 1) / 255.0)))
        for row, (_, values) in model.preview(model.puzzles(x), seed=3).items():
            np.testing.assert_array_equal(shown[row][1], values)
    for arguments, sentence in {
        (trained, tmp_path / "in", "new.png"): "holds a MADE, which completes no parts.",
        (tmp_path / "puzzle.keras", tmp_path / "no", "new.png"): "--input: there is no folder",
        (tmp_path / "puzzle.keras", tmp_path / "in", "out.png"): "out.png exists; --overwrite replaces it.",
    }.items():
        folder, given, name = arguments
        status, _, err = run(monkeypatch, capsys, "complete", folder, "--input", given, "--output", tmp_path / name)
        assert status == 1
        assert sentence in err
    assert not (tmp_path / "new.png").exists()


def test_info_shows_arguments_and_figures(trained, monkeypatch, capsys):
    _, out, _ = run(monkeypatch, capsys, "info", trained, "--json")
    found = json.loads(out)
    assert (found["test"]["nll"], found["arguments"]["dataset"]) == (44.0, "digits")
    _, out, _ = run(monkeypatch, capsys, "info", trained)
    assert cells(out)["NLL, nats"] == ["44"]
    assert "Made by  keras-gen train autoregressive.made --dataset digits --binarization threshold" in out
    # A card's facts, and figures of several splits with their errors.
    _, out, _ = run(monkeypatch, capsys, "info", "vae-digits")
    assert "vae-digits: NLL ≤ 17.07 ± 0.29 nats (bound, 1,000 samples)" in out
    report = json.loads((shipped.models()["vae-digits"] / "metrics.json").read_text())
    expected = f"{report['test']['nll_bound']:.4g} ± {report['test']['nll_bound_standard_error']:.4g}"
    assert cells(out)["NLL, nats, at most"] == ["", expected]
    assert "100 epochs, of which epoch 95 was the best on validation data and is kept" in out
    assert "a lower bound on the log-likelihood, so the NLL is at most the figure given" in out


def cells(out: str) -> dict[str, list[str]]:
    """Returns the rows of the tables of an output by their first cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if line.startswith("|")]
    return {name: values for name, *values in rows}


def test_evaluate_prints_a_table_beside_the_figures(trained, monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, "evaluate", trained, "--split", "validation")
    assert status == 0, err
    # Programs read only the figures.
    assert json.loads(out).keys() == {"likelihood", "validation"}
    found = evaluation.likelihood(saving.load_model(trained), data.load("digits", binarization="threshold").validation)
    assert cells(err)["NLL, nats"] == [f"{found['nll']:.4g} ± {found['nll_standard_error']:.4g}"]
    assert cells(err)["bits/dim"] == [f"{found['bits_per_dim']:.4g}"]
    assert "180 examples of digits (validation), by the MADE from" in err
    assert "Likelihood  exact" in err


def test_an_export_says_how_it_was_compared(trained, tmp_path, monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, "export", trained, "--output", tmp_path / "made.tflite")
    assert status == 0, err
    found = cells(out)
    assert found[""] == ["compared by", "found", "at most allowed"]
    assert found["x of generate"] == ["share of examples that diverge", "0", "0.1"]
    measure, value, allowed = found["log_prob of log_prob"]
    assert (measure, allowed) == ("largest difference, relative", "0.0001")
    assert float(value) < 1e-4


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["made", "--epochs", "twenty"], "Error parsing --epochs: a whole number is expected, received 'twenty'."),
        (["maf", "--learning-rate", "fast"], "Error parsing --learning-rate: a number is expected, received 'fast'."),
        (
            ["gaussian_mixture", "--num-components", "2", "b"],
            "Error parsing --num-components: a list of whole numbers is expected, received '2 b'.",
        ),
    ],
)
def test_a_flag_that_takes_numbers_says_so(flags, sentence, monkeypatch, capsys):
    status, _, err = run(monkeypatch, capsys, "train", *flags)
    assert status == 2
    words = " ".join(line.strip("│ ") for line in err.splitlines())
    assert sentence in words
    # The command that was typed, not the module behind it.
    assert f"see keras-gen train {flags[0]} --help" in words


def test_a_finished_run_is_refused_before_anything_is_loaded(tmp_path):
    code = (
        "import sys; from keras_gen import cli; sys.argv = ['keras-gen', *sys.argv[1:]]\n"
        "try:\n    cli.main()\nexcept SystemExit as error:\n    assert error.code == 1\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    (tmp_path / "run").mkdir()
    recipe = importlib.import_module("recipes.autoregressive.made").main
    arguments = config_of(recipe.defaults)
    (tmp_path / "run" / "config.json").write_text(json.dumps({"arguments": arguments}))
    (tmp_path / "run" / "metrics.json").write_text("{}")
    for folder, sentence in {
        "run": "error: --folder run holds a finished run: --overwrite replaces it, --epochs above 150 trains it longer",
        "other": "error: --folder other holds other files; an empty or a new folder is expected.",
    }.items():
        command = [sys.executable, "-c", code, "train", "made", "--folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        assert sentence in done.stderr
    with pytest.raises(ValueError, match="holds a finished run"):
        recipe.check_folder(folder=str(tmp_path / "run"), epochs=150)
    # More epochs train it longer, and it may be replaced.
    recipe.check_folder(folder=str(tmp_path / "run"), epochs=151)
    recipe.check_folder(folder=str(tmp_path / "run"), overwrite=True)
    with pytest.raises(ValueError, match="replaces it, and another --folder starts a new one"):
        recipe.check_folder(folder=str(tmp_path / "run"), epochs=151, hidden_units=(7,))


def test_a_file_alone_tells_the_rate_of_its_sound(tmp_path, monkeypatch, capsys):
    """Of a model that does not know its rate, samples are arrays or pictures of vectors."""
    for name, sample_rate in (("with", 100), ("without", None)):
        model = WaveNet((20,), sample_rate=sample_rate, filters=2, skip_filters=2, dilations=(1,))
        saving.save_model(model, tmp_path / f"{name}.keras")
    output = tmp_path / "samples.wav"
    status, _, err = run(monkeypatch, capsys, "sample", tmp_path / "without.keras", "--output", output)
    assert status == 1
    assert "holds a WaveNet, whose samples are no sound of a known sample rate." in err
    assert not output.exists()
    run(monkeypatch, capsys, "sample", tmp_path / "with.keras", "--num-samples", 2, "--output", output)
    rate, samples = wavfile.read(output)
    assert rate == 100
    # A quarter of a second of silence follows each of two sounds.
    sounds = samples.reshape(2, 20 + 25)
    expected = keras_gen.load_model(tmp_path / "with.keras").sample(2, seed=0)
    np.testing.assert_allclose(sounds[:, :20] / 32768, expected, atol=1e-4)
    assert not np.any(sounds[:, 20:])
    for name, told in {"with": "4 samples", "without": "30 samples"}.items():
        flags = ("--num-samples", 30, "--output", tmp_path / f"{name}.png")
        status, out, _ = run(monkeypatch, capsys, "sample", tmp_path / f"{name}.keras", *flags)
        assert status == 0
        # As many as the picture shows.
        assert f": {told} of shape" in out
        assert ("with.wav writes sounds to listen to" in out) == (name == "with")
    # Waveforms and spectrograms of four sounds, and a histogram of each of 16 entries.
    assert len({PIL.Image.open(tmp_path / f"{name}.png").size for name in ("with", "without")}) == 2


def test_samples_of_sound_are_sounds_unless_a_picture_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = WaveNet((20,), sample_rate=100, filters=2, skip_filters=2, dilations=(1,))
    folder = finished(tmp_path / "run", "autoregressive.wavenet", model, dataset="tones")
    (folder / "metrics.json").write_text(json.dumps({"dataset": {"sample_rate": 100}}))
    status, out, err = run(monkeypatch, capsys, "sample", folder, "--num-samples", 6)
    assert status == 0, err
    assert out == f"samples.wav: 6 samples of shape (20,) from {folder}, one after the other\n"
    _, samples = wavfile.read("samples.wav")
    sounds = samples.reshape(6, 20 + 25)
    np.testing.assert_allclose(sounds[:, :20] / 32768, saving.load_model(folder).sample(6, seed=0), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "mode"], "`recipe` 'mode' is unknown; did you mean made"),
        (["train", "made", "--dataset", "digitz"], "--dataset 'digitz' is unknown; did you mean digits"),
        (["train", "made", "--dataset", "no.csv"], "--dataset: there is no file or folder no.csv"),
        (["train", "made", "--dataset", __file__], "cli_test.py is a file of a kind that is not read; expected one"),
        (["train", "made", "--epochs", "0"], "--epochs must be at least 1, received 0"),
        (["train", "made", "--learning-rate", "-1"], "--learning-rate must be greater than 0, received -1"),
        (["train", "made", "--batch-size", "-3"], "--batch-size must be at least 1, received -3"),
        (["train", "maf", "--weight-decay", "-1"], "--weight-decay must be at least 0, received -1"),
        (["sample", "nowhere"], "does not exist"),
        (["score", "nowhere", "--input", "x.csv", "--output", "y.csv"], "does not exist"),
        (
            ["score", "made-digits", "--input", "x.csv", "--output", "y.csv"],
            "--input: there is no file or folder x.csv",
        ),
        (["evaluate", "made-digits", "--dataset", "x.csv"], "--dataset: there is no file or folder x.csv"),
        (["export", "made-digits", "--output", "x", "--format", "litert"], "--output must be a file, whose name ends"),
        (["export", "made-digits", "--output", "x.tflite", "--format", "saved_model"], "--output must be a folder"),
        (["sample", "nowhere", "--num-samples", "0"], "--num-samples must be at least 1, received 0"),
        (["evaluate", "nowhere", "--num-samples", "0"], "--num-samples must be at least 1, received 0"),
        (["evaluate", "nowhere", "--batch-size", "0"], "--batch-size must be at least 1, received 0"),
        (["sample", "nowhere", "--num-samples", "-1"], "--num-samples must be at least 1, received -1"),
        (["sample", "nowhere", "--output", "x.gif"], "--output must be a .png, .wav, .npy or .csv file, or a folder"),
        (["info", "nowhere"], "holds no finished run"),
        (["export", "nowhere", "--output", "x", "--quantize", "int8"], "--quantize must be none for a SavedModel"),
        (["export", "nowhere", "--output", "x", "--batch-size", "0"], "--batch-size must be at least 1, received 0."),
        (["export", "nowhere", "--output", "x", "--max-num-samples", "-1"], "--max-num-samples must be at least 1"),
    ],
)
def test_a_mistake_gets_one_sentence_and_a_status(arguments, sentence, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(monkeypatch, capsys, *arguments)
    assert status == 1
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert sentence in line
