"""The model card: what a model is, how it was trained, its results, and how to use it."""

import inspect
import shlex

from keras_gen.core import Model

#: What a card says about a run's exports.
SERVED = "`saved_model/` is for TF Serving, `model.tflite` for LiteRT."


def model_card(recipe: str, config: dict, defaults: dict, model: Model, report: dict, metrics: dict) -> str:
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
    left_out = {"options", "folder"} | {
        name for name, value in config.items() if value is None and defaults.get(name, "given") is None
    }
    flags = " ".join(flag(name, value) for name, value in config.items() if name not in left_out)
    columns = data.get("columns", {"examples": data})
    examples = ", ".join(f"{name} of {values_of(column)}" for name, column in columns.items())
    # A model without gradients has parameters of a different kind.
    weights = f"{report['num_weights']:,} weights; " if report["num_weights"] else ""
    figures = "\n".join(
        f"| {split} | {name} | {value:.4f} |" for split, results in metrics.items() for name, value in results.items()
    )
    return f"""# {type(model).__name__} on {data["name"]}

{paper}

![samples](samples.png)

| split | figure | value |
|---|---|---|
{figures}

{report["protocol"]}

- Likelihood: {report["likelihood"] or "none"}.
- Data: {data["name"]}, {examples}, binarization {data["binarization"]},
  {", ".join(f"{count:,} {split}" for split, count in data["num_examples"].items())}.
- Model: {weights}epoch {report["best_epoch"] or report["epochs"]} of {report["epochs"]};
  {report["training_seconds"]:,.0f} seconds of training on {report["machine"]}; seed {report["seed"]}.
- Versions: {", ".join(f"{name} {version}" for name, version in report["versions"].items())}. Date: {report["date"]}.

Made by

```
keras-gen train {recipe} {flags}
```

## Use

```python
import keras_gen

model = keras_gen.load_model("model.keras")
{model.usage}
```

{SERVED}
"""


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
