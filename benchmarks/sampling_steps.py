"""Quality of samples against the number of sampling steps, for models that come with the package.

python -m benchmarks.sampling_steps    results/sampling_steps.json and docs/images/quality_by_steps.png

A deep energy-based model takes steps of Langevin dynamics, a Boltzmann machine sweeps of Gibbs sampling. Images are
evaluated like those of benchmarks.families.
"""

import pathlib

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt

import keras_gen
from benchmarks import families
from keras_gen import files

ROOT = pathlib.Path(__file__).parents[1]

#: Models, and the option of `sample` for the number of steps.
STEPS = {"rbm-digits": "num_sweeps", "deep_ebm-digits": "num_steps"}
COUNTS = (1, 3, 10, 30, 100, 300, 1000)


def plot(found: dict, path: pathlib.Path) -> None:
    """Plots the distances of each model against its number of steps."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, distances in found["models"].items():
        steps = {"num_sweeps": "sweeps of Gibbs sampling", "num_steps": "steps of Langevin dynamics"}[STEPS[name]]
        counts = [int(count) for count in distances]
        axes.plot(counts, [it["frechet_distance"] for it in distances.values()], "o-", label=f"{name}, {steps}")
    axes.axhline(found["training digits"]["frechet_distance"], color="grey", linestyle=":", label="training digits")
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="Fréchet distance from held-out digits")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    digits = families.Digits.prepared()
    found = {
        "machine": families.machine(),
        "training digits": digits.quality(digits.splits.array("train")),
        "models": {},
    }
    for name, option in STEPS.items():
        model = keras_gen.load_model(name)
        found["models"][name] = {
            str(count): digits.quality(families.drawn(model, digits.num, **{option: count})) for count in COUNTS
        }
        print(name, {count: it["frechet_distance"] for count, it in found["models"][name].items()}, flush=True)
    files.write_json(ROOT / "results" / "sampling_steps.json", found)
    plot(found, ROOT / "docs" / "images" / "quality_by_steps.png")


if __name__ == "__main__":
    main()
