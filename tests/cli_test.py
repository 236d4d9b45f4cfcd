"""The command `keras-gen` and the flags of recipes."""

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.io import wavfile

from keras_gen import cli, training
from keras_gen.autoregressive import MADE, WaveNet
from keras_gen.core import saving


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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder as a finished run leaves it, with the model alone."""
    folder = tmp_path_factory.mktemp("cli") / "made"
    folder.mkdir()
    saving.save_model(MADE((8, 8, 1), (4,)), folder / "model.keras")
    config = {"recipe": "autoregressive.made", "arguments": {"dataset": "digits", "binarization": "threshold"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.json").write_text(json.dumps({"test": {"nll": 44.0}}))
    return folder


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
    from keras_gen import data, evaluation

    status, out, _ = run(monkeypatch, capsys, "evaluate", trained, "--split", "validation")
    assert status == 0
    splits = data.load("digits", binarization="threshold")
    expected = evaluation.likelihood(saving.load_model(trained), splits.validation)
    assert json.loads(out)["validation"]["nll"] == pytest.approx(expected["nll"], rel=1e-6)


def test_info_shows_arguments_and_figures(trained, monkeypatch, capsys):
    _, out, _ = run(monkeypatch, capsys, "info", trained)
    assert json.loads(out.split("\n", 1)[1])["test"]["nll"] == 44.0


def test_sound_is_written_where_there_is_a_rate(tmp_path, monkeypatch, capsys):
    saving.save_model(WaveNet((20,), filters=2, skip_filters=2, dilations=(1,)), tmp_path / "model.keras")
    output = tmp_path / "samples.wav"
    status, *_ = run(monkeypatch, capsys, "sample", tmp_path, "--num-samples", 2, "--output", output)
    assert status == 1
    assert not output.exists()
    (tmp_path / "metrics.json").write_text('{"dataset": {"sample_rate": 100}}')
    run(monkeypatch, capsys, "sample", tmp_path, "--num-samples", 2, "--output", output)
    rate, samples = wavfile.read(output)
    assert rate == 100
    assert len(samples) == 2 * (20 + 25)
    assert np.any(samples[:20])
    assert not np.any(samples[20:45])


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


def test_the_paper_fills_in_what_no_flag_gives():
    received = []

    @training.recipe(dataset="mnist", epochs=300, hidden_units=(8000,))
    def main(*, dataset: str = "digits", epochs: int = 3, hidden_units: tuple[int, ...] = (5,), width: float = 1.0):
        """Records its arguments.

        Args:
            dataset: a name.
            epochs: a number.
            hidden_units: numbers.
            width: a number.
        """
        received.append((dataset, epochs, hidden_units, width))

    main.cli([])
    main.cli(["--paper", "--epochs", "7"])
    main(paper=True, width=2.0)
    assert received == [
        ("digits", 3, (5,), 1.0),
        ("mnist", 7, (8000,), 1.0),
        ("mnist", 300, (8000,), 2.0),
    ]
    with pytest.raises(TypeError, match="`paper` must name arguments of main, received size"):
        training.recipe(size=1)(lambda *, width=1: None)
