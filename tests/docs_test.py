"""Examples of the README and of the documentation run, in the order of the page; commands can be typed."""

import contextlib
import functools
import re
import shlex
import sys

import pytest

from benchmarks import tables
from keras_gen import cli
from keras_gen.training.recipe import Recipe

PAGES = {str(page.relative_to(tables.ROOT)): page.read_text(encoding="utf-8") for page in tables.pages()}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.filterwarnings("ignore:the Parzen width")
@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if blocks(text, "python")])
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for example in blocks(PAGES[page], "python"):
        code = compile(example, page, "exec")
        # No server is at hand in a test.
        if "tensorflow_serving" not in example:
            exec(code, names)


def commands() -> set[tuple[str, ...]]:
    """Returns the commands of `keras-gen` that pages show, as words."""
    found = set()
    for text in PAGES.values():
        for block in blocks(text, ""):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("keras-gen "):
                    found.add(tuple(shlex.split(line, comments=True)[1:]))
    return found


def test_commands_that_are_shown_can_be_typed(monkeypatch):
    """Each is parsed as it stands; what it would run is put aside."""
    called = []

    def put_aside(function):
        return functools.wraps(function)(lambda *values, **arguments: called.append(function.__name__))

    for name in ("list_recipes", "sample", "translate", "complete", "evaluate", "score", "export", "info"):
        monkeypatch.setattr(cli, name, put_aside(getattr(cli, name)))
    monkeypatch.setattr(Recipe, "cli", lambda recipe, flags: called.append(recipe.parsed(flags)))
    shown = sorted(commands())
    assert {words[0] for words in shown} >= {
        "list",
        "train",
        "sample",
        "evaluate",
        "score",
        "export",
        "translate",
        "info",
    }
    helps = 0
    for number, words in enumerate(shown, 1):
        helps += "--help" in words
        monkeypatch.setattr(sys, "argv", ["keras-gen", *words])
        with pytest.raises(SystemExit, match="0") if "--help" in words else contextlib.nullcontext():
            cli.main()
        assert len(called) == number - helps, words
