"""The model card: what a model is, how it was trained, its results, and how to use it."""

import inspect
import shlex
from typing import TYPE_CHECKING

from keras_gen.console import counted
from keras_gen.figures import LIKELIHOODS

if TYPE_CHECKING:
    from keras_gen.core import Model

#: What a card says about a run's exports.
SERVED = "`saved_model/` is for TF Serving, `model.tflite` for LiteRT."


def model_card(recipe: str, config: dict, defaults: dict, model: "Model", report: dict, metrics: dict) -> str:
    """Returns the card in Markdown.

    Args:
        recipe: family and model, such as "autoregressive.made".
        config: arguments of the recipe.
        defaults: their default values; the command also leaves out arguments that are None by default.
        model: the trained model.
        report: contents of `metrics.json`.
        metrics: the part of the report that holds figures, by split.
    """
    data = report["dataset"]
    paper = inspect.getdoc(inspect.getmodule(type(model))) or ""
    figures = "\n".join(
        f"| {split} | {name} | {value if isinstance(value, int) else format(value, '.4f')} |"
        for split, results in metrics.items()
        for name, value in results.items()
    )
    facts = "\n".join(f"- {name}: {fact}." for name, fact in facts_of(report).items())
    return f"""# {type(model).__name__} on {data["name"]}

{paper}

![samples](samples.png)

| split | figure | value |
|---|---|---|
{figures}

{report["protocol"]}

{facts}

Made by

```
{command_of(recipe, config, defaults)}
```

## Use

```python
import keras_gen

model = keras_gen.load_model("model.keras")
{model.usage}
```

{SERVED}
"""


def facts_of(report: dict) -> dict[str, str]:
    """Returns what is told about a run besides its figures, by what it is about.

    Args:
        report: contents of `metrics.json`; what it lacks is left out.
    """
    facts = {}
    if "likelihood" in report:
        facts["Likelihood"] = LIKELIHOODS[report["likelihood"]]
    if "dataset" in report:
        data = report["dataset"]
        columns = data.get("columns", {"examples": data})
        examples = ", ".join(f"{name} of {values_of(column)}" for name, column in columns.items())
        bits = "" if data["binarization"] == "none" else f", binarization {data['binarization']}"
        sizes = ", ".join(f"{count:,} {split}" for split, count in data["num_examples"].items())
        facts["Data"] = f"{data['name']}, {examples}{bits}; {sizes}"
    if "training_seconds" in report:
        # A model without gradients has parameters of a different kind.
        weights = f"{report['num_weights']:,} weights; " if report["num_weights"] else ""
        epochs, best = counted(report["epochs"], "epoch"), report["best_epoch"]
        kept = (
            f", of which epoch {best} was the best on validation data and is kept"
            if 0 < best < report["epochs"]
            else ""
        )
        facts["Model"] = f"{weights}{epochs}{kept}"
        facts["Training"] = (
            f"{seconds_in_words(report['training_seconds'])} of {seconds_in_words(report['duration_seconds'])} for the "
            f"whole run, on {report['machine']}; seed {report['seed']}"
        )
    if "versions" in report:
        facts["Versions"] = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
        facts["Date"] = report["date"]
    return facts


def seconds_in_words(seconds: float) -> str:
    """Returns a duration: tenths of a second below ten seconds, minutes above ten of them."""
    if seconds < 10.0:
        return f"{seconds:.1f} seconds"
    return f"{seconds:,.0f} seconds" if seconds < 600.0 else f"{seconds / 60.0:,.0f} minutes"


def command_of(recipe: str, config: dict, defaults: dict) -> str:
    """Returns the command that repeats a run, without arguments that are None in both `config` and `defaults`."""
    left_out = {"options", "folder"} | {
        name for name, value in config.items() if value is None and defaults.get(name, "given") is None
    }
    return f"keras-gen train {recipe} " + " ".join(
        flag(name, value) for name, value in config.items() if name not in left_out
    )


def values_of(column: dict) -> str:
    """Returns a description in words of what a column holds."""
    values = "real numbers" if column["levels"] is None else f"{column['levels']} levels"
    if "sample_rate" in column:
        values = f"sound of {column['sample_rate']:,} samples in a second (to listen to: [samples.wav](samples.wav))"
    return f"shape {tuple(column['event_shape'])}, {values}"


def flag(name: str, value) -> str:
    """Returns an argument as it is typed on the command line."""
    name = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    if isinstance(value, (list, tuple)):
        return f"--{name} {shlex.join(map(str, value))}"
    return f"--{name} {shlex.quote(str(value))}"
