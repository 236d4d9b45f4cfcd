"""Sizes of LiteRT files and their differences from Keras, for one model of each family.

    python benchmarks/litert_sizes.py [--models made vae ...]

prints a table: the size of the weights in float32, and those of the files in float32, float16 and int8; then how much
the files in float16 and int8 differ from Keras: the largest difference of a real number, relative to the largest
magnitude of its output, or the mean difference if the output follows from discrete codes of examples; and the smallest
share of equal entries, for outputs in levels. The models have their default sizes and initial weights, moved away from
where they start, because some start as constants. They take one example at a time, and are compared on 8 examples, in
both of LiteRT's runtimes.
"""

import os
import pathlib
import tempfile

import numpy as np
import tyro

from keras_gen import adversarial, autoregressive, checks, energy, export, flows, latent, mixtures, translation
from keras_gen.console import markdown_table

IMAGE, VECTOR = (28, 28, 1), (64,)

MODELS = {
    "made": lambda: autoregressive.MADE(IMAGE),
    "nade": lambda: autoregressive.NADE(IMAGE),
    "pixel_cnn": lambda: autoregressive.GatedPixelCNN((8, 8, 1)),
    "image_gpt": lambda: autoregressive.TransformerAR((8, 8, 1)),
    "wavenet": lambda: autoregressive.WaveNet((64,)),
    "maf": lambda: flows.MAF(VECTOR),
    "real_nvp": lambda: flows.RealNVP(VECTOR),
    "glow": lambda: flows.Glow((8, 8, 3)),
    "neural_spline_flow": lambda: flows.NeuralSplineFlow(VECTOR),
    "vae": lambda: latent.VAE(IMAGE),
    "vq_vae": lambda: latent.VQVAE(IMAGE),
    "aae": lambda: latent.AdversarialAutoencoder(IMAGE),
    "gan": lambda: adversarial.GAN(IMAGE),
    "dcgan": lambda: adversarial.DCGAN((32, 32, 3)),
    "pix2pix": lambda: translation.Pix2Pix((64, 64, 3), (64, 64, 3), filters=32),
    "rbm": lambda: energy.RBM(IMAGE),
    "dbm": lambda: energy.DBM(IMAGE),
    "deep_ebm": lambda: energy.DeepEBM((32, 32, 3)),
    "gaussian_mixture": lambda: mixtures.GaussianMixture(VECTOR, 50),
}


def moved(model, seed: int):
    """Moves every trainable weight away from where it starts."""
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        inputs = int(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 100
        weight.assign_add(0.3 * random.standard_normal(weight.shape) / inputs**0.5)
    return model


def figures(model, folder: pathlib.Path) -> dict[str, float]:
    """Returns the table's row for a model."""
    graphs, row = export.Graphs(model), {}
    used = {id(v): v for name in graphs.deterministic for v in graphs.functions[name].variables}
    row["weights, kB"] = round(sum(int(np.prod(v.shape)) * 4 for v in used.values()) / 1000)
    differences, of_numbers = {}, ("largest difference, relative", "mean difference, relative")
    for kind in ("none", "float16", "int8"):
        report = export.litert(graphs, folder / "model.tflite", quantize=kind)
        row[f"{'float32' if kind == 'none' else kind}, kB"] = round(os.path.getsize(folder / "model.tflite") / 1000)
        found = [output for outputs in report.values() for output in outputs.values()]
        real = [each["value"] for each in found if each["measure"] in of_numbers]
        levels = [each["equal_share"] for each in found if each["measure"] not in of_numbers]
        if kind != "none":
            differences[f"{kind}: difference"] = max(real, default=None)
            differences[f"{kind}: equal levels"] = min(levels, default=None)
    return {**row, **differences}


def main(*, models: tuple[str, ...] = tuple(MODELS), seed: int = 0) -> None:
    """Prints the table.

    Args:
        models: names of the models.
        seed: seed of the changes of the weights.
    """
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in models:
            model = moved(MODELS[checks.choice("models", name, MODELS)](), seed)
            rows[type(model).__name__] = figures(model, pathlib.Path(folder))
    print(markdown_table(rows))


if __name__ == "__main__":
    tyro.cli(main)
