"""The matrix: every exported class × shapes × precisions, each cell in a result or in one sentence.

A cell builds a model, fits it with a short last batch, evaluates it, calls all its verbs, saves it and loads it again.
`tests/core/matrix_test.py` takes a covering part of the matrix. All of it, a process for each class, whose crash is
seen and costs one cell:

    PYTHONPATH=.:tests python -m contracts.matrix matrix.jsonl [--classes MADE VAE] [--policies float32]

goes on where an earlier run with the same file has ended, prints what failed, and ends with 1 if anything did. A cell
that is neither a result nor a sentence ends its process, and the next one goes on behind it.
"""

import argparse
import inspect
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback

import keras
import numpy as np
import tensorflow as tf

import keras_gen
from contracts.exports import call_verb
from keras_gen import adversarial, autoregressive, energy, flows, latent, mixtures, translation
from keras_gen.core import Phases
from keras_gen.translation import TranslationModel

FAMILIES = (autoregressive, latent, flows, adversarial, energy, mixtures, translation)
SHAPES = ((1,), (2,), (3,), (1, 1, 1), (2, 2, 1), (5, 3, 1), (8, 8, 1), (8, 8, 3))
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")

#: All exported classes, by name.
CLASSES = {
    name: kind
    for family in FAMILIES
    for name, kind in vars(family).items()
    if inspect.isclass(kind) and issubclass(kind, keras.Model) and kind is not TranslationModel
}

DENSE = {"hidden_units": (6,)}
AUTOENCODER = {"latent_size": 2, **DENSE}
MATCHED = {**AUTOENCODER, "discriminator_units": (6,)}
PLAYERS = {
    "latent_size": 3,
    "generator_network": {"name": "dense", **DENSE},
    "discriminator_network": {"name": "dense", **DENSE},
}
CONVOLUTIONAL = {"name": "convolutional", "filters": (4,)}
IMAGES = {"latent_size": 3, "generator_network": CONVOLUTIONAL, "discriminator_network": CONVOLUTIONAL}
BOLTZMANN = {"num_temperatures": 5, "num_sweeps": 3}

#: Arguments that make the models of a class small, or that it cannot do without; all else has its default.
SMALL = {
    "DALLE": {"words": ("a", "b"), "num_layers": 1, "width": 8, "num_heads": 2, "num_tokens": 4},
    "GatedPixelCNN": {"filters": 4, "num_layers": 2, "head_filters": 4},
    "TransformerAR": {"num_layers": 1, "width": 8, "num_heads": 2},
    "MADE": DENSE,
    "NADE": {"hidden_units": 6},
    "OrderlessNADE": DENSE,
    "PixelCNN": {"filters": 4, "num_blocks": 1, "head_filters": 4},
    "PixelCNNPlusPlus": {"filters": 4, "num_blocks": 1},
    "DiagonalBiLSTM": {"units": 4, "num_layers": 1, "head_units": 4},
    "RowLSTM": {"units": 4, "num_layers": 1, "head_units": 4},
    "RecurrentAR": {"hidden_units": (4,)},
    "RNADE": {"hidden_units": 6},
    "WaveNet": {"filters": 4, "skip_filters": 4, "dilations": (1, 2)},
    "AdversarialAutoencoder": MATCHED,
    "Autoencoder": AUTOENCODER,
    "DenoisingAutoencoder": AUTOENCODER,
    "ConditionalVAE": {**AUTOENCODER, "num_classes": 2},
    "HierarchicalVAE": {"latent_sizes": (2, 1), "units": (5, 4), **DENSE},
    "IWAE": {**AUTOENCODER, "num_samples": 3},
    "ClusteringAAE": {**MATCHED, "num_clusters": 3},
    "SemiSupervisedAAE": {**MATCHED, "num_classes": 3},
    "VAE": AUTOENCODER,
    "VQVAE": {"num_codes": 4, "code_size": 3, "filters": (4, 4), "residual_blocks": 1},
    "ContinuousFlow": {"hidden_units": (4,), "num_steps": 2},
    "Glow": {"num_steps": 1, "filters": 4},
    "IAF": {"num_layers": 1, **DENSE},
    "MAF": {"num_layers": 2, **DENSE},
    "MixtureMAF": {"num_layers": 1, "num_components": 2, **DENSE},
    "NICE": {"num_layers": 2, **DENSE},
    "PlanarFlow": {"num_layers": 2},
    "RadialFlow": {"num_layers": 2},
    "RealNVP": {"num_layers": 2, **DENSE},
    "MultiScaleRealNVP": {"filters": 4, "num_blocks": 1},
    "MaskedSplineFlow": {"num_layers": 1, "num_bins": 4, **DENSE},
    "NeuralSplineFlow": {"num_layers": 1, "units": 6, "num_blocks": 1, "num_bins": 4},
    "SylvesterFlow": {"num_layers": 1, "num_reflections": 2},
    "ConditionalGAN": PLAYERS,
    "DCGAN": {"latent_size": 3},
    "GAN": PLAYERS,
    "InfoGAN": {**PLAYERS, "code_units": 4},
    "LSGAN": IMAGES,
    "ProgressiveGAN": {"latent_size": 4, "base_filters": 16, "max_filters": 4, "stable_images": 4, "fade_images": 4},
    "SNGAN": {"latent_size": 3, "generator_network": CONVOLUTIONAL},
    "TextToImageGAN": {"words": ("a", "b"), "num_tokens": 4, "filters": (4,), "latent_size": 3},
    "WaveGAN": {"base_filters": 1, "latent_size": 3},
    "WGAN": IMAGES,
    "WGANGP": {"latent_size": 3, "generator_network": CONVOLUTIONAL},
    "DBM": {"hidden_units": (4, 3), "num_chains": 4, "mean_field_steps": 2, **BOLTZMANN},
    "DeepEBM": {"num_steps": 2, "objective": {"name": "maximum_likelihood", "num_steps": 2, "buffer_size": 20}},
    "JointEBM": {"num_steps": 2, "objective": {"name": "maximum_likelihood", "num_steps": 2, "buffer_size": 20}},
    "MultiPredictionDBM": {"hidden_units": (4, 3), "mean_field_steps": 2, "num_sweeps": 3},
    "MultimodalDBM": {
        "num_classes": 2,
        "hidden_units": (4,),
        "condition_units": (3,),
        "joint_units": 3,
        "mean_field_steps": 2,
        "num_sweeps": 3,
    },
    "RBM": {"hidden_units": 4, **BOLTZMANN},
    "BernoulliMixture": {"num_components": 2},
    "CategoricalMixture": {"num_components": 2},
    "GaussianMixture": {"num_components": 2},
    "ParzenWindow": {"num_points": 4},
    "CycleGAN": {"filters": 2, "num_blocks": 1},
    "Jigsaw": {"grid": (2, 2), "filters": (2,), "hidden_units": 4, "num_sinkhorn_steps": 2},
    "Pix2Pix": {"filters": 2},
    "PuzzleGAN": {"num_parts": 2, "filters": (2,), "code_size": 3, "latent_size": 3},
    "StarGAN": {"num_domains": 2, "filters": 2, "num_blocks": 1},
}

#: Examples, and how many are in a batch: the last one is short, and has a single example.
NUM_EXAMPLES, BATCH_SIZE = 3, 2


def make(name: str, shape: tuple[int, ...], policy: str) -> keras_gen.core.Model:
    """Returns a small model of a class, for examples of a shape."""
    kind, options = CLASSES[name], {**SMALL.get(name, {}), "dtype": policy}
    if name == "DALLE":
        return kind(latent.VQVAE(shape, **SMALL["VQVAE"]), **options)
    # Two kinds of images, of one shape.
    twice = "event_shape" not in inspect.signature(kind.__init__).parameters
    return kind(*(shape,) * (1 + twice), **options)


def outcome(name: str, shape: tuple[int, ...], policy: str, *, eager: bool) -> str:
    """Runs one cell.

    Args:
        name: name of the class.
        shape: shape of an example.
        policy: precision.
        eager: whether training steps run operation by operation.

    Returns:
        "result", or the sentence by which the model has refused to be built.

    Raises:
        AssertionError: if a figure is not finite, or a loaded model differs from the one that was saved.
    """
    try:
        model = make(name, shape, policy)
    except (TypeError, ValueError) as error:
        return refusal(error)
    use(model, eager)
    return "result"


def refusal(error: Exception) -> str:
    """Returns the sentence of an error, if it is one, of a check of this package, that names an argument."""
    place = traceback.extract_tb(error.__traceback__)[-1].filename
    sentence = str(error)
    assert "keras_gen" in pathlib.Path(place).parts, f"{place} says: {sentence}"
    assert re.fullmatch(r"`\w+`.* received .*\.|`\w+` .*\.", sentence), sentence
    return sentence


def use(model: keras_gen.core.Model, eager: bool) -> None:
    """Fits, evaluates, calls, saves and loads a model.

    Raises:
        AssertionError: if a figure is not finite, or a loaded model differs from the one that was saved.
    """
    model.compile(run_eagerly=eager)
    batch = {name: np.asarray(space.examples(NUM_EXAMPLES, (0, 1))) for name, space in model.spaces.items()}
    history = model.fit(batch, batch_size=BATCH_SIZE, verbose=0).history
    assert_finite("fit", [series[-1] for series in history.values()])
    figures = model.evaluate(batch, batch_size=BATCH_SIZE, verbose=0, return_dict=True)
    assert_finite("evaluate", list(figures.values()))
    assert_finite("weights", [weight for weight in model.get_weights() if weight.dtype.kind == "f"])

    for name, signature in model.signatures().items():
        # A model's own examples of x are draws, which take long.
        inputs = {
            key: tf.constant(batch[key], spec.dtype)
            if key in batch
            else model.example_input(key, spec, NUM_EXAMPLES, 5)
            for key, spec in signature.inputs.items()
        }
        outputs = call_verb(model, name, inputs)
        assert_finite(name, outputs)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.keras"
        keras_gen.save_model(model, file)
        copy = keras_gen.load_model(file)
    assert isinstance(model, Phases) or copy.optimizer is not None
    # The last verb once more.
    for found, expected in zip(call_verb(copy, name, inputs), outputs, strict=True):
        np.testing.assert_array_equal(found, expected)


def assert_finite(name: str, arrays: list) -> None:
    """Raises an error if a number is not finite."""
    for array in arrays:
        array = np.asarray(array)
        assert array.dtype.kind not in "f" or np.all(np.isfinite(array.astype(float))), f"{name} gives {array}"


# All of it


#: What the log has of a cell that was begun, until it ends.
BEGUN = "FAILURE: the process ended"


def write(log: pathlib.Path, cell: tuple, found: str, **more) -> None:
    """Adds the outcome of a cell, and more that is known of it, to a log, a line of JSON."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"class": cell[0], "shape": cell[1], "policy": cell[2], "outcome": found, **more}) + "\n")


def run_cells(cells: list[tuple], log: pathlib.Path) -> None:
    """Runs cells, and writes a line of JSON before and after each; an error in one of them ends the process.

    Steps of single precision are traced, as those of users are; the others are sooner taken than traced.
    """
    for cell in cells:
        write(log, cell, BEGUN)
        start = time.perf_counter()
        found = outcome(*cell, eager=cell[2] != POLICIES[0])
        write(log, cell, found, seconds=round(time.perf_counter() - start, 2))
        keras.backend.clear_session()


def run_class(name: str, policies: list[str], log: pathlib.Path) -> None:
    """Runs the cells of a class that a log lacks, in a new process whenever one ends within a cell.

    Raises:
        RuntimeError: if a process ends before it begins a cell.
    """
    own = set(itertools.product((name,), SHAPES, policies))
    command = [sys.executable, "-m", "contracts.matrix", str(log), "--here", "--classes", name, "--policies", *policies]
    while not own <= (done := set(read(log))):
        process = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", check=False)
        if process.returncode == 0:
            continue
        last_words = process.stderr.strip()[-600:]
        begun = [cell for cell, found in read(log).items() if cell not in done and found == BEGUN]
        if not begun:
            raise RuntimeError(f"{command} ended with {process.returncode}: {last_words}")
        write(log, begun[0], f"{BEGUN} with {process.returncode}: {last_words}")


def read(path: pathlib.Path) -> dict[tuple, str]:
    """Returns the outcome of each cell that a log has; the last line of a cell counts."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    return {(line["class"], tuple(line["shape"]), line["policy"]): line["outcome"] for line in lines}


def main() -> int:
    """Runs the matrix; see the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=pathlib.Path)
    parser.add_argument("--classes", nargs="+", choices=CLASSES, default=list(CLASSES))
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    parser.add_argument("--here", action="store_true", help="run in this process")
    arguments = parser.parse_args()
    cells = list(itertools.product(arguments.classes, SHAPES, arguments.policies))
    if arguments.here:
        done = read(arguments.log)
        run_cells([cell for cell in cells if cell not in done], arguments.log)
        return 0
    for name in arguments.classes:
        run_class(name, arguments.policies, arguments.log)
    outcomes = read(arguments.log)
    found = {cell: outcomes[cell] for cell in cells}
    failures = {cell: text for cell, text in found.items() if text.startswith(BEGUN)}
    for cell, text in failures.items():
        print(*cell, text)
    failed = len(failures)
    results = sum(text == "result" for text in found.values())
    print(f"{len(found)} cells: {results} results, {len(found) - results - failed} sentences, {failed} failures")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
