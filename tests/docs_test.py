"""Examples of the documentation run, in the order of the page."""

import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"


@pytest.mark.filterwarnings("ignore:the Parzen width")
@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("adversarial_networks.md", 6),
        ("mixtures.md", 2),
        ("energy.md", 4),
        ("translation.md", 5),
        ("text.md", 4),
        ("data.md", 3),
        ("own_networks.md", 2),
    ],
)
def test_examples_run(page, least, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= least
    names = {}
    for example in examples:
        exec(compile(example, page, "exec"), names)
