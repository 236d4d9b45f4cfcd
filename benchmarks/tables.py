"""Writes every table of figures in the README and in docs from the files of results.

python -m benchmarks.tables            writes them
python -m benchmarks.tables --check    says which differ, and ends with status 1 if any does

A table is between the lines `<!-- table: NAME -->` and `<!-- end -->`. It is made from these files:

- results/FAMILY/*.json and saved_models/*/*/metrics.json, written by runs, or by benchmarks/seeds.py for several runs;
- results/models.json, the classes of each family, their papers and recipes, and which figures of which run count;
- results/papers.json, the figures of papers, and of which network they are;
- results/families.json, the figures of shipped models on the same data (python -m benchmarks.families);
- results/signatures.json, the signatures of exports of each class (python -m benchmarks.signatures);
- results/printed_tables.json, tables of figures for which no file was kept, and where they were printed;
- results/tables/NAME.md, a table without its figures: `{FILE: PATH: FORMAT}` is a figure in results/FILE.json.
"""

import functools
import json
import pathlib
import re
import sys

from keras_gen.figures import FIGURES, written

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "results"
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

#: Sets with a table of all families, and the figure that it compares.
SETS = {"binarized_mnist": ("binarized MNIST", "NLL, nats"), "mnist_samples": ("MNIST", "Fréchet distance")}

#: Times in results/families.json, in the order of its table.
TIMES = ("alone", "in a batch", "LiteRT")


@functools.cache
def results(name: str) -> dict:
    """Returns the contents of results/NAME.json, or of the metrics of a shipped model."""
    path = ROOT / name / "metrics.json" if name.startswith("saved_models/") else RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def figure(name: str, path: str):
    """Returns a figure: `path` names keys, indices of entries or, as in `set=dna&model=NADE`, values of an entry."""
    found = results(name)
    for key in path.split("/"):
        if isinstance(found, list) and "=" in key:
            wanted = dict(part.split("=") for part in key.split("&"))
            (found,) = (entry for entry in found if wanted.items() <= entry.items())
        else:
            found = found[int(key) if isinstance(found, list) else key]
    return found


def over_seeds(value) -> tuple[float, float | None]:
    """Returns the mean of a figure and its standard deviation over seeds, None if a single seed was run."""
    return (value["mean"], value["standard_deviation"]) if isinstance(value, dict) else (value, None)


def filled(template: str) -> str:
    """Returns a table template filled with its figures; for several seeds, with their means."""

    def found(match: re.Match) -> str:
        name, path, form = match.group(1).split(": ")
        return written(over_seeds(figure(name, path))[0], form)

    return re.sub(r"\{([^{}]+: [^{}]+: [^{}]+)\}", found, template)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Returns a table in Markdown; a column without an entry is left out."""
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line[index] for index in kept) + " |\n" for line in lines)


def data_of(report: dict) -> str:
    """Returns a run's data in words."""
    data = report["dataset"]
    name = {"binarized_mnist": "binarized MNIST", "mnist": "MNIST", "breast_cancer": "breast cancer"}.get(
        data["name"], data["name"].replace("_", " ").replace("mnist", "MNIST").replace("-", ", ")
    )
    if data["name"] != "binarized_mnist" and data.get("levels") == 2:
        name += ", bits"
    elif data["name"] == "digits" and data.get("levels"):
        name += f", {data['levels']} levels"
    return name


def entry(row: dict) -> dict:
    """Returns a table's entries for a run: data, settings, protocol, seeds, minutes, weights and figure."""
    report, path = results(row["run"]), row["value"]
    name, protocol, form, error = FIGURES[path.split("/")[-1]]
    value, spread = over_seeds(figure(row["run"], path))
    near = figure(row["run"], path.rpartition("/")[0])
    ours = written(value, form)
    if spread is not None:
        ours += f" ± {written(spread, form[-3:])}"
    deviation = near.get(error, near.get("standard_error") if error == "log_likelihood_standard_error" else None)
    if deviation is not None:
        told = f"± {written(over_seeds(deviation)[0], form[-3:])}"
        ours += f" {told}" if spread is None else f" ({told})"
    num_samples = round(over_seeds(near.get("num_samples", 1))[0])
    if protocol in ("bound", "samples") and num_samples > 1:
        protocol = f"{'bound, ' if protocol == 'bound' else ''}{num_samples:,} samples"
    seconds = report.get("training_seconds")
    return {
        "data": row.get("data") or data_of(report),
        "settings": row.get("settings", ""),
        "protocol": protocol,
        "seeds": len(report.get("seeds", [0])),
        "minutes": None if seconds is None else seconds / 60.0,
        "weights": weights_of(report, near),
        "figure": name,
        "ours": ours,
        "value": value,
    }


def paper_of(row: dict) -> str:
    """Returns the paper's figure that a run is compared with, and its network."""
    found = results("papers").get(row.get("run"), {})
    # A run may have several figures, of which the paper has the first.
    if not found or row["value"].endswith("classification_accuracy_score"):
        return ""
    return found["figure"].replace("-", "−") + (f" ({found['net']})" if found["net"] else "")


def minutes(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 9.5 else f"{value:.1f}"


def weights_of(report: dict, figures: dict) -> int | None:
    """Returns the number of weights of a run's model; for one without gradients, that of its free parameters."""
    return report.get("num_weights") or figures.get("num_free_parameters")


def counted(number: int | None) -> str:
    return f"{number:,}" if number else ""


def results_table(family: str) -> str:
    """Returns the table of all figures of a family."""
    head = ["Model", "Data", "Settings", "Protocol", "Seeds", "Minutes", "Weights", "Figure", "Ours", "Paper"]
    lines = []
    for model in results("models")[family]:
        for row in model["rows"]:
            it = entry(row)
            weights = counted(it["weights"])
            time = minutes(it["minutes"]) + (" more" if row.get("continues") else "")
            cells = [it["data"], it["settings"], it["protocol"], str(it["seeds"]), time, weights]
            names = ", ".join(f"`{name}`" for name in model["classes"])
            ours = it["ours"].replace("-", "−")
            lines.append([names, *cells, it["figure"], ours, paper_of(row)])
    return table(head, lines)


def models_table(family: str) -> str:
    """Returns the classes of a family with one figure of each, by default the last, and the paper's figure."""
    lines = []
    for model in results("models")[family]:
        names = ", ".join(f"[`{name}`](../{model['file']})" for name in model["classes"])
        papers = ", ".join(f"[{title}]({address})" for title, address in model["papers"])
        recipes = ", ".join(f"[{name.split('/')[1]}](../recipes/{name}.py)" for name in model["recipes"])
        row = next((row for row in model["rows"] if row.get("best")), model["rows"][-1])
        it = entry(row)
        what, _, unit = it["figure"].partition(", ")
        best = f"{it['data']}: {what} {it['ours'].replace('-', '−')} {unit}".rstrip()
        lines.append([names, papers, recipes, model["likelihood"], best, paper_of(row)])
    return table(["Model", "Paper", "Recipe", "Log-likelihood", "Figure", "Paper's"], lines)


def one_set(data: str, name: str) -> str:
    """Returns one kind of figure of all families on one set, the best ones first."""
    found = []
    for family, models in results("models").items():
        for model in models:
            for row in model["rows"]:
                it = entry(row)
                if it["data"] == data and it["figure"] == name and "value" in it:
                    found.append((it, family, model, row))
    lines = []
    for it, family, model, row in sorted(found, key=lambda line: line[0]["value"]):
        weights = counted(it["weights"])
        time = minutes(it["minutes"]) + (" more" if row.get("continues") else "")
        cells = [it["settings"], it["protocol"], time, weights, it["ours"], paper_of(row)]
        lines.append([f"`{model['classes'][0]}`", family, *cells])
    return table(["Model", "Family", "Settings", "Protocol", "Minutes", "Weights", name, "Paper"], lines)


def families_table() -> str:
    """Returns the measurements of benchmarks.families for the models of digits that come with the package."""
    found = results("families")
    head = ["Model", "Family", "Data", "NLL, nats", "Fréchet distance", "Kernel distance", "Minutes", "Weights"]
    head += ["ms, alone", "ms, in a batch", "ms, LiteRT", "LiteRT, kB"]

    def distances(it: dict) -> list[str]:
        kernel = f"{it['kernel_distance']:.0f} ± {it['kernel_distance_standard_error']:.0f}"
        return [f"{it['frechet_distance']:.1f}", kernel.replace("-", "−")]

    lines = [[name, "", "", "", *distances(found[name]), *[""] * 6] for name in ("training digits", "shuffled pixels")]
    for name, it in sorted(found["models"].items(), key=lambda item: item[1]["frechet_distance"]):
        (folder,) = (ROOT / "saved_models").glob(f"*/{name}")
        report = results(str(folder.relative_to(ROOT)))
        likelihoods = [key for key in FIGURES if FIGURES[key][0] == "NLL, nats" and key in report["test"]]
        likelihood = written(report["test"][likelihoods[0]], FIGURES[likelihoods[0]][2]) if likelihoods else ""
        times = [f"{it['milliseconds'][key]:.3g}" if key in it["milliseconds"] else "" for key in TIMES]
        described = [f"`{name}`", folder.parent.name, data_of(report), likelihood]
        costs = [minutes(report["training_seconds"] / 60), counted(weights_of(report, report["test"]))]
        lines.append([*described, *distances(it), *costs, *times, f"{it['litert_bytes'] / 1000:.0f}"])
    protocol = (
        f"{next(iter(found['models'].values()))['num_samples']:,} images of each model, as bits, against "
        f"{found['num_reference']} held-out digits, by the features of a classifier with a test accuracy of "
        f"{found['classifier_accuracy']:.1%}; batches of {found['batch_size']}; {found['machine']}."
    )
    return f"{table(head, lines)}\n{protocol.replace('%', ' %')}\n"


def shipped_table() -> str:
    """Returns the models that come with the package, with the sizes of their LiteRT files."""
    lines = []
    for family, models in results("models").items():
        for model in models:
            for row in model["rows"]:
                if not row.get("run", "").startswith("saved_models/"):
                    continue
                it, name = entry(row), row["run"].split("/")[-1]
                size = f"{(ROOT / row['run'] / 'model.tflite').stat().st_size / 1000:.0f}"
                what, _, unit = it["figure"].partition(", ")
                told = f"{what} {it['ours']} {unit}".rstrip()
                figures = [told, counted(it["weights"]), minutes(it["minutes"]), size]
                lines.append([f"`{name}`", family, it["data"], it["protocol"], *figures])
    return table(["Name", "Family", "Data", "Protocol", "Figure", "Weights", "Minutes", "LiteRT, kB"], lines)


def signatures_table() -> str:
    """Returns the signatures of exports of each class; classes with the same signatures share a row."""
    together = {}
    for name, verbs in results("signatures").items():
        told = (
            f"`{verb}({', '.join(it['inputs'])})`" + (" ✓" if it["deterministic"] else "") for verb, it in verbs.items()
        )
        together.setdefault(", ".join(told), []).append(f"`{name}`")
    return table(["Models", "Signatures"], [[", ".join(names), told] for told, names in together.items()])


def made(name: str) -> str:
    """Returns a table by name."""
    whole = {"signatures": signatures_table, "shipped": shipped_table, "families_on_digits": families_table}
    if name in whole:
        return whole[name]()
    if name.startswith("results_"):
        return results_table(name.removeprefix("results_"))
    if name.startswith("models_"):
        return models_table(name.removeprefix("models_"))
    if name in results("printed_tables"):
        return table(results("printed_tables")[name]["head"], results("printed_tables")[name]["rows"])
    if name in SETS:
        return one_set(*SETS[name])
    return filled((RESULTS / "tables" / f"{name}.md").read_text(encoding="utf-8"))


def pages() -> list[pathlib.Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def tables_of(text: str) -> dict[str, str]:
    """Returns the present tables of a page by name."""
    return {match.group(2): match.group(0) for match in TABLE.finditer(text)}


def written_anew(text: str) -> str:
    """Returns a page with its tables regenerated."""
    return TABLE.sub(lambda match: f"{match.group(1)}\n{made(match.group(2))}\n{match.group(3)}", text)


def differing() -> list[str]:
    """Returns the page and the name of each table that differs from the results."""
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        anew = tables_of(written_anew(text))
        found += [f"{page.relative_to(ROOT)}: {name}" for name, old in tables_of(text).items() if old != anew[name]]
    return found


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    found = differing()
    if arguments:
        for line in found:
            print(f"{line} differs; python -m benchmarks.tables writes it")
        return int(bool(found))
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (anew := written_anew(text)) != text:
            page.write_text(anew, encoding="utf-8")
    print("\n".join(found) or "nothing differed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
