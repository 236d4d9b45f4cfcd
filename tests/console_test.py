"""Tables of figures, and errors in one sentence."""

import os
import re
import subprocess
import sys

import pytest
import tensorflow as tf

from keras_gen.console import (
    flowing,
    markdown_table,
    numbers_expected,
    plain_exit,
    sentence_of,
    with_flags,
    without_debug,
)
from keras_gen.spaces import Levels


def test_a_table_has_a_row_for_each_model_and_errors_behind_their_figures():
    rows = {
        "a VAE": {"distance": 12.3456, "distance_standard_error": 0.25, "num_samples": 10_000},
        "[data]": {"num_samples": 7, "score": 1e-7},
    }
    lines = markdown_table(rows).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["", "distance", "num samples", "score"]
    assert all(set(cell) <= set("-:") for cell in cells[1])
    assert cells[2:] == [["a VAE", "12.35 ± 0.25", "10,000", ""], ["[data]", "", "7", "1e-07"]]
    # All columns stand below each other.
    assert len({len(line) for line in lines}) == 1
    # A figure may also be text.
    assert "| a | by eye |" in re.sub(" +", " ", markdown_table({"a": {"compared": "by eye"}}))
    # However long a line becomes.
    wide = markdown_table({"x" * 300: {f"figure {number}": number for number in range(50)}})
    assert len(wide.splitlines()) == 3


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (int, "a whole number"),
        (float | None, "a number or None"),
        (None | int, "a whole number or None"),
        (tuple[float, ...], "a list of numbers"),
        (int | tuple[int, int] | None, "a whole number or a pair of whole numbers or None"),
        (str | None, None),
        (bool, None),
        (tuple[str, ...], None),
    ],
)
def test_flags_of_numbers_are_told_from_others(kind, expected):
    assert numbers_expected(kind) == expected


def graph_error(call):
    with pytest.raises(tf.errors.OpError) as raised:
        call()
    return raised.value


def test_a_check_within_a_graph_says_its_sentence():
    guard = tf.function(lambda x: Levels((1,), 2).guard(x, "x"), autograph=False)
    error = graph_error(lambda: guard(tf.constant([[7.0]])))
    assert "\n" in str(error)
    assert sentence_of(error) == "`x` holds the value 7; expected whole levels from 0 to 1."
    data = tf.data.Dataset.from_tensors(tf.constant([[7.0]])).map(guard)
    assert sentence_of(graph_error(lambda: list(data))) == sentence_of(error)


def test_an_error_of_tensorflow_is_one_line():
    multiply = tf.function(tf.matmul, autograph=False, input_signature=[tf.TensorSpec((None, None))] * 2)
    sentence = sentence_of(graph_error(lambda: multiply(tf.ones((2, 3)), tf.ones((2, 3)))))
    assert sentence.startswith("TensorFlow stopped: ")
    assert "[2,3]" in sentence
    assert "\n" not in sentence
    assert "{{" not in sentence
    assert sentence.endswith(". --debug shows where.")


def test_errors_end_with_a_sentence_and_the_flag_shows_where(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_GEN_TRACEBACK", "")
    for flags, traces in ((["a", "--b"], 0), (["--debug", "a"], 1)):
        assert without_debug(flags) == [flag for flag in flags if flag != "--debug"]
        with pytest.raises(SystemExit) as stopped, plain_exit():
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\n\t [[{{node x}}]]")
        assert stopped.value.code == 1
        err = capsys.readouterr().err
        assert "error: TensorFlow stopped: OOM when allocating tensor. --debug shows where.\n" in err
        assert err.count("Traceback") == traces
    # What is nobody's fault but ours keeps its trace.
    with pytest.raises(KeyError), plain_exit():
        raise KeyError("x")


def test_a_console_that_lacks_a_letter_shows_another():
    code = "from keras_gen.console import plain_exit\nwith plain_exit():\n    print('12 \\xb1 3, \\xf8')"
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"12 ? 3, ?\n"), done.stderr


def test_arguments_of_a_docstring_have_a_line_each():
    text = """Does it.

    And more,
    in two lines.

    Args:
        first: one
            and two.
        second: three.

    Raises:
        ValueError: if
            not.
    """
    expected = "Does it.\n\nAnd more,\nin two lines.\n\nArgs:\n    first: one and two.\n    second: three.\n\n"
    assert flowing(text) == expected + "Raises:\n    ValueError: if not."


@pytest.mark.parametrize(
    ("sentence", "arguments", "expected"),
    [
        ("`batch_size` must be at least 1.", ["epochs", "batch_size"], "--batch-size must be at least 1."),
        ("`batch_size` must be at least 1.", ["epochs"], "`batch_size` must be at least 1."),
        ("`name`: there is no file tabel.csv.", ["dataset"], "--dataset: there is no file tabel.csv."),
        ("`name`: there is no file tabel.csv.", ["input"], "`name`: there is no file tabel.csv."),
        ("`x` holds the value 7.", ["dataset"], "`x` holds the value 7."),
    ],
)
def test_an_argument_is_called_by_the_flag_that_the_command_has(sentence, arguments, expected):
    assert with_flags(sentence, arguments) == expected


def test_a_reader_that_ends_early_gets_what_it_read_and_no_error():
    lines = (
        "from keras_gen.console import plain_exit\nwith plain_exit():\n    [print('line', n) for n in range(100_000)]"
    )
    command = [sys.executable, "-c", lines]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
