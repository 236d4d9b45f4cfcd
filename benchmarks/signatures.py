"""Writes results/signatures.json: the signatures of an export of each class, with their inputs.

PYTHONPATH=.:tests python -m benchmarks.signatures    about a minute; docs/serving.md has the table
"""

import json
import pathlib

from contracts import matrix

ROOT = pathlib.Path(__file__).parents[1]


def small(name: str):
    """Returns a small model of a class, for the first shape that it accepts."""
    for shape in ((8, 8, 1), (4,), (64, 1), (16,)):
        try:
            return matrix.make(name, shape, "float32")
        except (TypeError, ValueError):
            continue
    raise ValueError(f"`{name}` takes none of the shapes.")


if __name__ == "__main__":
    found = {
        name: {
            verb: {"inputs": list(signature.inputs), "deterministic": signature.deterministic}
            for verb, signature in small(name).signatures().items()
        }
        for name in sorted(matrix.CLASSES)
    }
    (ROOT / "results" / "signatures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
