"""Figures of a finished run in words: their names, units and kinds, and the one that tells most.

Nothing here needs TensorFlow, so that lists appear at once.
"""

import re

#: Name of a figure of a run, its kind, its format, and the entry of its standard error; what tells most comes first.
FIGURES = {
    "nats_per_sample": ("nats a sample of sound", "exact", ".2f", None),
    "nll": ("NLL, nats", "exact", ".2f", "nll_standard_error"),
    "nll_bound": ("NLL, nats", "bound", "≤ .2f", "nll_bound_standard_error"),
    "nll_lower_bound": ("NLL, nats", "estimate, which flatters", "≥ .2f", "nll_lower_bound_monte_carlo_error"),
    "nll_estimate": ("NLL, nats", "estimate", "≈ .2f", "nll_estimate_monte_carlo_error"),
    "bits_per_dim": ("bits/dim", "exact", ".3f", None),
    "bits_per_dim_bound": ("bits/dim", "bound", "≤ .3f", None),
    "log_likelihood": ("log-likelihood, nats", "exact, ten folds", ".2f", "log_likelihood_standard_error"),
    "test_log_likelihood": ("log-likelihood, nats", "exact, ten folds", ".2f", "standard_error"),
    "logit_log_likelihood": ("log density of logits, nats", "exact", ".1f", "logit_standard_error"),
    "parzen_log_likelihood": ("Parzen window, nats", "10,000 samples, no likelihood", ".1f", "parzen_standard_error"),
    "error": ("test error", "test images", ".1%", None),
    "psnr_denoised": ("signal-to-noise ratio, dB, denoised", "test images", ".2f", "psnr_standard_error_denoised"),
    "psnr": ("signal-to-noise ratio, dB", "test images", ".2f", "psnr_standard_error"),
    "ssim": ("structural similarity", "test images", ".3f", "ssim_standard_error"),
    "frechet_distance": ("Fréchet distance", "samples", ".1f", None),
    "score": ("score", "samples", ".2f", "score_standard_error"),
    "modes": ("modes found", "samples", "d", None),
    "classification_accuracy_score": ("classification accuracy score", "samples", ".1%", None),
    "digit recognised": ("digit recognised", "samples", ".1%", None),
    "tags_precision_first": ("tags right", "test images", ".1%", None),
    "gap_to_truth": ("gap to the truth, nats", "exact", ".3f", None),
    "kl_from_truth": ("divergence from the truth, nats", "quadrature", ".3f", None),
    "error_of_draws": ("error of classes drawn given an image", "test images", ".1%", None),
    "energy": ("area under the curve against turned digits", "test images", ".3f", "standard_error"),
    "class_agreement": ("asked digit recognised", "samples", ".1%", "class_agreement_standard_error"),
    "accuracy": ("test accuracy", "test images", ".1%", None),
    "class kept": ("class found in translations", "test images", ".1%", None),
    "style recognised": ("style found", "test images", ".1%", None),
    "digit preserved": ("digit preserved", "test images", ".1%", None),
    "positions": ("right positions", "test images", ".1%", None),
    "fake_probability": ("mean D(G(z))", "tells little", ".2f", None),
}

#: What a likelihood of each kind is. The NLL is its negative: a lower bound of one is an upper bound of the other.
LIKELIHOODS = {
    "exact": "exact",
    "lower bound": "a lower bound on the log-likelihood, so the NLL is at most the figure given",
    "upper bound": "an upper bound on the log-likelihood, so the NLL is at least the figure given",
    "estimate": "an estimate, above or below the likelihood",
    None: "none",
}

#: Ending of the name of a likelihood to what it says of the exact NLL.
SIDES = {"_bound": "at most", "_lower_bound": "at least", "_estimate": "estimate", "": ""}


def written(value, form: str) -> str:
    """Returns a number as it appears in tables.

    Args:
        value: the number.
        form: Python format, preceded by the text before the number, and by a minus sign for its negative.
    """
    before, sign, form = re.fullmatch(r"((?:[≤≥≈] )?)(-?)([,.\d]*[a-z%]?)", form).groups()
    value = -value if sign else value
    return before + format(value, form).replace("-", "−").replace("%", " %")


def headline(report: dict) -> str:
    """Returns the figure of a run that tells most, with its error, unit and kind.

    Args:
        report: contents of `metrics.json`.

    Returns:
        Such as "NLL 17.38 ± 0.34 nats (exact)": a likelihood or its bound, or what takes its place in a model without
        one; an empty string for a run without a figure of test data, such as a comparison of several models.
    """
    for name, (title, kind, form, error) in FIGURES.items():
        # A model of energies has the mean energy of test data under the same name as how well it tells them apart.
        figures = report.get("auroc against turned" if name == "energy" else "test", {})
        if figures.get(name) is None:
            continue
        what, _, unit = title.replace("turned digits", "turned images").partition(", ")
        spread = "" if figures.get(error) is None else f" ± {written(figures[error], form[-3:])}"
        num_samples = figures.get("num_samples", figures.get("parzen_samples", 1))
        kinds = [kind.removeprefix("10,000 samples, ")]
        if num_samples > 1 and kind != "exact":
            kinds.append(f"{num_samples:,} samples")
        if name.startswith("nll") and "unit" in report:
            kinds.append(report["unit"])
        return f"{what} {written(figures[name], form)}{spread} {unit}".rstrip() + f" ({', '.join(kinds)})"
    return ""


def figures_of(report: dict) -> dict[str, dict]:
    """Returns the sections of `metrics.json` that hold figures, by name, such as "validation" and "test"."""
    others = ("arguments", "dataset", "versions")
    return {
        name: section
        for name, section in report.items()
        if isinstance(section, dict)
        and name not in others
        and all(isinstance(value, (int, float)) or value is None for value in section.values())
    }


def plain_name(figure: str) -> str:
    """Returns the name of a figure in words, with the unit and the side of a likelihood.

    Args:
        figure: its name in `metrics.json`, such as "nll_bound_independent_logistics".
    """
    found = re.fullmatch(r"(nll|bits_per_dim)(_lower_bound|_bound|_estimate|)(?:_(.*))?", figure)
    if found is None:
        return figure.replace("_", " ")
    of, side, rest = found.groups()
    parts = [FIGURES[of][0], SIDES[side], (rest or "").replace("_", " ")]
    return ", ".join(part for part in parts if part)


def in_columns(sections: dict[str, dict]) -> dict[str, dict]:
    """Returns figures as rows of a table with one column for each section, for `console.markdown_table`.

    Args:
        sections: figures of each section by name. Errors stand behind their figures.
    """
    rows, suffix = {}, "_standard_error"
    for section, figures in sections.items():
        for name, value in figures.items():
            figure = name.removesuffix(suffix)
            is_error = name.endswith(suffix) and figure in figures
            rows.setdefault(plain_name(figure if is_error else name), {})[section + suffix * is_error] = value
    return rows
