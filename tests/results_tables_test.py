"""Tables of figures in the README and in docs are what the files of results say."""

import json
import re

import pytest

from benchmarks import seeds, tables
from keras_gen import figures


def test_no_table_differs_from_the_results():
    assert tables.differing() == []


def test_tables_stand_where_figures_are():
    names = {name for page in tables.pages() for name in tables.tables_of(page.read_text(encoding="utf-8"))}
    assert names >= {f"results_{family}" for family in tables.results("models")}
    assert names >= {f"models_{family}" for family in tables.results("models")}
    assert names >= {path.stem for path in (tables.RESULTS / "tables").glob("*.md")}
    assert names >= set(tables.results("printed_tables"))


def test_every_file_of_results_is_in_a_table():
    used = {row.get("run") for models in tables.results("models").values() for model in models for row in model["rows"]}
    for path in (tables.RESULTS / "tables").glob("*.md"):
        used |= set(re.findall(r"\{([\w/]+): ", path.read_text(encoding="utf-8")))
    assert None not in used
    files = {str(path.relative_to(tables.RESULTS).with_suffix("")) for path in tables.RESULTS.glob("*/*.json")}
    assert files - used == set()
    assert set(tables.results("papers")) <= used


def test_every_class_of_the_families_is_in_a_table():
    named = {name for models in tables.results("models").values() for model in models for name in model["classes"]}
    source = {path: path.read_text(encoding="utf-8") for path in (tables.ROOT / "keras_gen").rglob("*.py")}
    for models in tables.results("models").values():
        for model in models:
            for name in model["classes"]:
                assert re.search(rf"^class {name}\(", source[tables.ROOT / model["file"]], re.MULTILINE)
            for recipe in model["recipes"]:
                assert (tables.ROOT / "recipes" / f"{recipe}.py").is_file()
    assert {"MADE", "VAE", "RealNVP", "DCGAN", "Pix2Pix", "RBM", "GaussianMixture"} <= named


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (88.333, ".2f", "88.33"),
        (-9.69, ".2f", "−9.69"),
        (9.69, "-.2f", "−9.69"),
        (0.9988, ".1%", "99.9 %"),
        (88.156, "≥ .2f", "≥ 88.16"),
        (14835.97, ",.0f", "14,836"),
    ],
)
def test_numbers_are_written_as_tables_have_them(value, form, expected):
    assert figures.written(value, form) == expected


def test_several_seeds_are_told_by_their_mean_and_deviation(monkeypatch):
    runs = [
        {
            "dataset": {"name": "digits", "levels": 2},
            "arguments": {"epochs": 3, "seed": seed, "folder": f"runs/{seed}"},
            "seed": seed,
            "training_seconds": 60.0 * seed,
            "num_weights": 7,
            "test": {"nll": 10.0 + seed, "nll_standard_error": 0.5},
        }
        for seed in (1, 2, 3)
    ]
    report = seeds.report(runs)
    assert report["arguments"] == {"epochs": 3}
    assert report["test"]["nll"] == {"mean": 12.0, "standard_deviation": 1.0, "values": [11.0, 12.0, 13.0]}
    monkeypatch.setattr(tables, "results", lambda name: report)
    told = tables.entry({"run": "family/name", "value": "test/nll"})
    assert (told["ours"], told["value"]) == ("12.00 ± 1.00 (± 0.50)", 12.0)
    assert (told["seeds"], told["minutes"], told["weights"], told["data"]) == (3, 2.0, 7, "digits, bits")


def test_the_headline_of_a_shipped_model_is_the_figure_of_the_tables():
    rows = [row for models in tables.results("models").values() for model in models for row in model["rows"]]
    shipped = [row for row in rows if row["run"].startswith("saved_models/")]
    assert len(shipped) > 25
    for row in shipped:
        told = figures.headline(tables.results(row["run"]))
        # Tables compare toy densities with the truth, and classifiers by their accuracy.
        name = row["value"].split("/")[-1]
        others = {"gap_to_truth": "nll", "accuracy": "error"}
        if name in others:
            value = tables.results(row["run"])["test"][others[name]]
            assert figures.written(value, figures.FIGURES[others[name]][2]) in told
        else:
            assert tables.entry(row)["ours"] in told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nll", "NLL, nats"),
        ("nll_gaussian", "NLL, nats, gaussian"),
        ("nll_bound", "NLL, nats, at most"),
        ("nll_lower_bound_monte_carlo_error", "NLL, nats, at least, monte carlo error"),
        ("bits_per_dim_bound_independent_logistics", "bits/dim, at most, independent logistics"),
        ("parzen_log_likelihood", "parzen log likelihood"),
    ],
)
def test_a_figure_has_a_name_in_words(name, expected):
    assert figures.plain_name(name) == expected


def test_figures_become_rows_with_their_errors_beside_them():
    sections = {"validation": {"nll": 2.0}, "test": {"nll": 3.0, "nll_standard_error": 0.5, "psnr_standard_error": 1.0}}
    assert figures.in_columns(sections) == {
        "NLL, nats": {"validation": 2.0, "test": 3.0, "test_standard_error": 0.5},
        "psnr standard error": {"test": 1.0},
    }


def test_an_entry_of_a_list_is_found_by_what_it_has():
    (wanted,) = (
        entry
        for entry in json.loads((tables.RESULTS / "binary_sets.json").read_text())["results"]
        if (entry["set"], entry["model"]) == ("dna", "NADE")
    )
    assert tables.figure("binary_sets", "results/set=dna&model=NADE/dimensions") == wanted["dimensions"]


def test_a_table_that_was_changed_by_hand_is_found(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    (tmp_path / "docs").mkdir()
    page.write_text("<!-- table: cycle_gan -->\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    assert tables.main([]) == 0
    assert tables.main(["--check"]) == 0
    page.write_text(page.read_text(encoding="utf-8").replace("73.3 %", "83.3 %"), encoding="utf-8")
    assert tables.differing() == ["README.md: cycle_gan"]
    assert tables.main(["--check"]) == 1
