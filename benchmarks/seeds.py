"""Runs a recipe with several seeds: the mean and the standard deviation of each figure over them.

    python benchmarks/seeds.py adversarial.gan --seeds 0 1 2 --output results/adversarial/gan_digits.json
    python benchmarks/seeds.py adversarial.infogan --flags="--preset two_cores" --output infogan.json

The run of each seed has its own folder. Finished runs are not repeated, and killed ones are resumed.
"""

import json
import pathlib
import shlex
import statistics
import subprocess
import sys

import tyro

from keras_gen.console import markdown_table
from keras_gen.files import write_json

#: Entries of a run's report that hold figures.
SPLITS = ("validation", "test", "cross_validation")

#: Entries that are reported for all runs together, or are of no interest over several.
LEFT_OUT = ("arguments", "seed", *SPLITS, "training_seconds", "duration_seconds")


def over_seeds(runs: list[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """Returns the mean and the standard deviation of every figure that all runs have.

    Args:
        runs: contents of `metrics.json` of each run.

    Returns:
        Split to figure to "mean", "standard_deviation" and, over the runs, "values".
    """
    found = {}
    for split in SPLITS:
        figures = [run.get(split, {}) for run in runs]
        for name, value in figures[0].items():
            values = [each.get(name) for each in figures]
            if isinstance(value, int | float) and all(isinstance(each, int | float) for each in values):
                found.setdefault(split, {})[name] = {
                    "mean": statistics.fmean(values),
                    "standard_deviation": statistics.stdev(values),
                    "values": values,
                }
    return found


def report(runs: list[dict]) -> dict:
    """Returns one report of several runs that differ only in their seeds: what is the same in all, and the figures.

    Args:
        runs: contents of `metrics.json` of each run.

    Returns:
        "seeds", the mean "training_seconds", everything else that all runs have in common, and `over_seeds`.
    """
    same = {name: value for name, value in runs[0].items() if all(run.get(name) == value for run in runs)}
    return {
        **{name: value for name, value in same.items() if name not in LEFT_OUT},
        "arguments": {name: value for name, value in runs[0]["arguments"].items() if name not in ("seed", "folder")},
        "seeds": [run["seed"] for run in runs],
        "training_seconds": statistics.fmean(run["training_seconds"] for run in runs),
        **over_seeds(runs),
    }


def main(
    recipe: tyro.conf.Positional[str],
    *,
    seeds: tuple[int, ...] = (0, 1, 2),
    flags: str = "",
    folder: pathlib.Path = pathlib.Path("runs/seeds"),
    output: pathlib.Path | None = None,
) -> None:
    """Runs a recipe with each seed and writes its figures over all of them.

    Args:
        recipe: family and name, such as adversarial.gan.
        seeds: at least two seeds.
        flags: further flags of the recipe, as one word.
        folder: folder of the runs.
        output: JSON file for the results.
    """
    if len(seeds) < 2:
        raise ValueError(f"`seeds` must hold at least two seeds, received {seeds}.")
    runs = []
    for seed in seeds:
        place = folder / recipe / str(seed)
        if not (place / "metrics.json").exists():
            command = [sys.executable, "-m", f"recipes.{recipe}", *shlex.split(flags)]
            subprocess.run([*command, "--seed", str(seed), "--folder", str(place)], check=True)
        runs.append(json.loads((place / "metrics.json").read_text(encoding="utf-8")))
    found = report(runs)
    rows = {
        f"{split} {name}": {"mean": each["mean"], "standard deviation": each["standard_deviation"]}
        for split in SPLITS
        for name, each in found.get(split, {}).items()
    }
    print(markdown_table(rows))
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_json(output, found)


if __name__ == "__main__":
    tyro.cli(main)
