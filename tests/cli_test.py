"""The command `keras-gen`."""

import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from scipy.io import wavfile

import keras_gen
from keras_gen import cli, data, evaluation
from keras_gen.adversarial import GAN
from keras_gen.autoregressive import MADE, WaveNet
from keras_gen.core import saving
from keras_gen.flows import NICE


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


def test_evaluate_refuses_a_model_without_a_likelihood(tmp_path, monkeypatch, capsys):
    folder = finished(tmp_path / "gan", "adversarial.gan", gan(), dataset="eight_gaussians")
    status, _, err = run(monkeypatch, capsys, "evaluate", folder)
    assert status == 1
    assert "holds a GAN, which has no likelihood to evaluate." in err


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
        "truncation": "`option` must be NAME=NUMBER with a number, received 'truncation'.",
        "truncation=much": "`option` must be NAME=NUMBER with a number, received 'truncation=much'.",
        "heat=2": "`heat` is no option of GAN.sample; it takes truncation.",
    }.items():
        status, _, err = run(monkeypatch, capsys, *sample, "--overwrite", "--option", option)
        assert status == 1
        assert sentence in err


def test_info_shows_arguments_and_figures(trained, monkeypatch, capsys):
    _, out, _ = run(monkeypatch, capsys, "info", trained)
    assert json.loads(out.split("\n", 1)[1])["test"]["nll"] == 44.0


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
    for name in ("with", "without"):
        flags = ("--num-samples", 30, "--output", tmp_path / f"{name}.png")
        assert run(monkeypatch, capsys, "sample", tmp_path / f"{name}.keras", *flags)[0] == 0
    # Waveforms and spectrograms of four sounds, and a histogram of each of 16 entries.
    assert len({PIL.Image.open(tmp_path / f"{name}.png").size for name in ("with", "without")}) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "mode"], "`recipe` 'mode' is unknown; did you mean made"),
        (["train", "made", "--dataset", "digitz"], "`name` 'digitz' is unknown; did you mean digits"),
        (["sample", "nowhere"], "does not exist"),
        (["sample", "nowhere", "--num-samples", "0"], "`num_samples` must be at least 1, received 0"),
        (["sample", "nowhere", "--num-samples", "-1"], "`num_samples` must be at least 1, received -1"),
        (["sample", "nowhere", "--output", "x.gif"], "`output` '.gif' is unknown"),
        (["info", "nowhere"], "holds no finished run"),
        (["export", "nowhere", "--output", "x", "--quantize", "int8"], "`quantize` must be none for a SavedModel"),
    ],
)
def test_a_mistake_gets_one_sentence_and_a_status(arguments, sentence, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(monkeypatch, capsys, *arguments)
    assert status == 1
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert sentence in line
