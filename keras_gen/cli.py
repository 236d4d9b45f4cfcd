"""The command `keras-gen`: over recipes and trained models.

TensorFlow is imported inside the functions that need it, so that help and lists come at once.
"""

import ast
import importlib
import json
import pathlib
import sys
from typing import Annotated, Literal

import tyro

from keras_gen import checks
from keras_gen.console import load_tensorflow, plain_exit, without_debug
from keras_gen.files import atomic_file, json_text

#: Arguments of a run that say how data are read.
READING = (
    "binarization",
    "levels",
    "image_size",
    "channels",
    "bad_files",
    "audio_length",
    "padding",
    "columns",
    "text",
    "missing",
    "standardize",
)

Folder = Annotated[pathlib.Path, tyro.conf.Positional]


def recipe_files() -> dict[str, pathlib.Path]:
    """Returns the recipes by name, such as "autoregressive.made", with their files."""
    import recipes

    root = pathlib.Path(recipes.__file__).parent
    files = sorted(path for path in root.glob("*/*.py") if path.stem != "__init__")
    return {f"{path.parent.name}.{path.stem}": path for path in files}


def list_recipes() -> None:
    """List the recipes, and the trained models in ./saved_models and ./runs."""
    print("Recipes (keras-gen train NAME):")
    recipes = recipe_files()
    width = max(map(len, recipes))
    for name, path in recipes.items():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        print(f"  {name:{width}}  {docstring.splitlines()[0] if docstring else ''}")
    finished = sorted(
        file.parent for place in ("saved_models", "runs") for file in pathlib.Path(place).rglob("metrics.json")
    )
    print("\nTrained models (keras-gen sample FOLDER):")
    width = max((len(str(folder)) for folder in finished), default=0)
    for folder in finished:
        results = ", ".join(
            f"{name} {value:.4g}" for name, value in read_json(folder / "metrics.json").get("test", {}).items()
        )
        print(f"  {folder!s:{width}}  {results}")
    if not finished:
        print("  none in ./saved_models or ./runs")


def train(recipe: Annotated[str, tyro.conf.Positional]) -> None:
    """Run a recipe; the flags after its name are the recipe's own (keras-gen train NAME --help).

    Args:
        recipe: name from `keras-gen list`, with or without its family.
    """
    run_recipe(recipe, [])


def run_recipe(name: str, flags: list[str]) -> None:
    """Imports a recipe and hands it its flags."""
    names = list(recipe_files())
    short = {full.split(".")[1]: full for full in names}
    wanted = name.removeprefix("recipes.").removesuffix(".py").replace("/", ".")
    full = short.get(wanted, wanted)
    if full not in names:
        checks.choice("recipe", wanted, [*names, *short])
    importlib.import_module(f"recipes.{full}").main.cli(flags)


def sample(
    folder: Folder,
    *,
    num_samples: int = 64,
    seed: int = 0,
    label: int | None = None,
    caption: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    option: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    output: pathlib.Path = pathlib.Path("samples.png"),
    overwrite: bool = False,
) -> None:
    """Draw examples from a trained model, as a picture (.png), as sound (.wav), as an array (.npy) or a table (.csv).

    Args:
        folder: folder of a finished run, or a .keras file.
        num_samples: number of examples.
        seed: the same seed draws the same examples.
        label: class to draw, for a class-conditional model; by default all in turn.
        caption: sentence to draw, for a model of captions; several ones, each after a --caption, are drawn in turn.
        option: NAME=NUMBER, something that the model lets one choose about its draws, such as truncation=0.7; may be
            given several times.
        output: file to write; its ending chooses the format.
        overwrite: replace the file if it exists.
    """
    checks.choice("output", output.suffix, (".png", ".wav", ".npy", ".csv"))
    refuse_existing(output, overwrite)
    checks.positive_int("num_samples", num_samples)
    load_tensorflow()
    import numpy as np
    import pandas as pd

    from keras_gen import pictures, spaces

    model = model_of_run(folder)
    if "sample" not in model.signatures():
        raise ValueError(f"`folder` {folder} holds a {type(model).__name__}, which draws no examples.")
    space = model.event_space
    if output.suffix == ".wav" and (not isinstance(space, spaces.Sound) or space.sample_rate is None):
        raise ValueError(
            f"`output` must end in .png or .npy: {folder} holds a {type(model).__name__}, whose samples are no sound "
            "of a known sample rate."
        )
    if output.suffix == ".csv" and len(model.event_shape) != 1:
        raise ValueError(
            f"`output` must end in .png or .npy: {folder} holds a {type(model).__name__}, whose samples are no vectors."
        )
    options = dict(numbered(text, model.sampling_options()) for text in option)
    if caption and not isinstance(model.condition_space, spaces.Text):
        raise ValueError(f"`caption` must be left out: {folder} holds a {type(model).__name__}, which takes none.")
    if caption:
        captions = np.resize(np.array(caption, object), num_samples)
        x = model.sample(num_samples, condition=captions, seed=seed, **options).numpy()
    elif label is None:
        x = model.sample_on_examples(num_samples, seed=seed, **options).numpy()
    else:
        x = model.sample(num_samples, condition=np.full(num_samples, label), seed=seed, **options).numpy()
    with atomic_file(output) as path:
        if output.suffix == ".npy":
            np.save(path, x)
        elif output.suffix == ".csv":
            names = data_of_run(folder).get("column_names", [f"column {index}" for index in range(x.shape[1])])
            pd.DataFrame(x, columns=names).to_csv(path, index=False)
        elif output.suffix == ".wav":
            pictures.write_wav(path, x, space.sample_rate)
        else:
            pictures.picture(space, x).save(path)
    print(f"{output}: {num_samples} samples of shape {tuple(model.event_shape)} from {folder}")


def translate(
    folder: Folder,
    *,
    input: pathlib.Path,
    output: pathlib.Path,
    domain: tuple[int, ...] = (),
    back: bool = False,
    batch_size: int = 16,
    overwrite: bool = False,
) -> None:
    """Translate all images of a folder by a trained model, into files of the same names.

    Args:
        folder: folder of a finished run, or a .keras file.
        input: folder of images, which may lie in subfolders; those of other sizes than the model's are resized.
        output: folder of the translations.
        domain: what to translate into, for a model with several targets: a class, or 0 or 1 for each attribute.
        back: translate the other way, by a model that can.
        batch_size: images translated at once.
        overwrite: replace files that exist.
    """
    load_tensorflow()
    import rich.console
    import rich.progress

    import keras_gen
    from keras_gen.translation import TranslationModel, translate_folder

    model = keras_gen.load_model(folder)
    if not isinstance(model, TranslationModel):
        raise ValueError(f"`folder` {folder} holds a {type(model).__name__}, which translates no images.")
    chosen = None
    if domain:
        chosen = domain[0] if model.domain_space is not None and model.domain_space.shape == () else domain
    console = rich.console.Console(stderr=True)
    report = translate_folder(
        model,
        input,
        output,
        domain=chosen,
        back=back,
        batch_size=batch_size,
        overwrite=overwrite,
        progress=lambda batches: rich.progress.track(batches, "translating", console=console),
    )
    print(f"{output}: {report.translated} images, translated by the {type(model).__name__} from {folder}")
    if report.resized:
        height, width, _ = (model.target_space if back else model.source_space).shape
        print(f"{report.resized} of them had other sizes than {height}×{width} and were resized.")
    for path, reason in report.unreadable.items():
        print(f"skipped {path}: {reason}", file=sys.stderr)


def complete(
    folder: Folder,
    *,
    input: pathlib.Path,
    num_images: int = 10,
    seed: int = 0,
    output: pathlib.Path = pathlib.Path("completed.png"),
    overwrite: bool = False,
) -> None:
    """Take images apart, have a trained model make whole images of the parts, and draw the parts and both images.

    Args:
        folder: folder of a finished run of Puzzle-GAN or of the jigsaw puzzle, or a .keras file.
        input: folder of images, which may lie in subfolders; those of other sizes than the model's are resized.
        num_images: images to take, the first ones by name.
        seed: the same seed draws the same completions, or shuffles pieces in the same way.
        output: picture to write.
        overwrite: replace the file if it exists.
    """
    checks.choice("output", output.suffix, (".png",))
    refuse_existing(output, overwrite)
    checks.positive_int("num_images", num_images)
    load_tensorflow()
    import keras_gen
    from keras_gen import pictures
    from keras_gen.translation import Jigsaw, PuzzleGAN, first_images

    model = keras_gen.load_model(folder)
    if not isinstance(model, (Jigsaw, PuzzleGAN)):
        raise ValueError(f"`folder` {folder} holds a {type(model).__name__}, which completes no parts.")
    x = first_images(input, model.spaces["x"], num_images)
    rows = model.preview(model.puzzles(x), seed=seed)
    with atomic_file(output) as path:
        pictures.preview(rows, num_columns=num_images).save(path)
    print(f"{output}: {len(x)} images of {input}, completed by the {type(model).__name__} from {folder}")


def numbered(text: str, defaults: dict[str, int | float]) -> tuple[str, int | float]:
    """Returns the name and the number of NAME=NUMBER, which is whole where the default is."""
    name, _, value = text.partition("=")
    whole = isinstance(defaults.get(name), int)
    try:
        return name, int(value) if whole else float(value)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"`option` must be NAME=NUMBER with {kind}, received {text!r}.") from None


def evaluate(
    folder: Folder,
    *,
    dataset: str | None = None,
    split: Literal["train", "validation", "test"] = "test",
    image_size: tuple[int, int] | None = None,
    batch_size: int | None = None,
    num_samples: int | None = None,
    seed: int = 0,
) -> None:
    """Evaluate the likelihood of a trained model, exactly or by an estimate, and say which of them it is.

    What the run did to its data (columns, size, bits, means and deviations) is done to these, too: of its own data it
    is the figure that the run printed.

    Args:
        folder: folder of a finished run.
        dataset: name or path of a data set; by default the one the model was trained on.
        split: part of the data set.
        image_size: height and width that the images of a folder are brought to; by default as in the run.
        batch_size: examples evaluated at once; by default as in the run.
        num_samples: samples for each example, for a model whose likelihood is a bound or an estimate; by default as in
            the run.
        seed: seed of these samples.
    """
    arguments = read_json(folder / "config.json")["arguments"]
    load_tensorflow()

    from keras_gen import data, evaluation

    model = model_of_run(folder, standardized=True)
    if model.likelihood_kind is None:
        raise ValueError(f"`folder` {folder} holds a {type(model).__name__}, which has no likelihood to evaluate.")
    reading = {name: arguments[name] for name in READING if arguments.get(name) is not None}
    described = data_of_run(folder)
    reading |= {name: described[name] for name in ("binarization",) if name in described}
    if described.get("standardized"):
        scale = described.get("scale")
        reading["standardize"] = True if scale is None else (scale["mean"], scale["deviation"])
    if image_size is not None:
        reading["image_size"] = image_size
    splits = data.load(
        dataset or arguments["dataset"],
        batch_size=batch_size or arguments.get("batch_size", 100),
        seed=arguments.get("seed", 0),
        labels=model.condition_space is not None,
        **reading,
    )
    if arguments.get("dequantize"):
        splits = data.dequantized(splits)
    if arguments.get("size"):
        splits = splits.cropped(arguments["size"], arguments["size"])
    num_samples = num_samples or arguments.get("num_samples") or 100
    figures = evaluation.likelihood(model, getattr(splits, split), num_samples=num_samples, seed=seed)
    found = {"likelihood": model.likelihood_kind, split: figures}
    if splits.scale is not None:
        found["unit"] = evaluation.STANDARDISED
        found[f"{split}, in the data's units"] = evaluation.in_data_units(figures, splits, split)
    print(json_text(found))


def export(
    folder: Folder,
    *,
    output: pathlib.Path,
    format: Literal["saved_model", "litert"] = "saved_model",
    quantize: Literal["none", "float16", "int8"] = "none",
    overwrite: bool = False,
) -> None:
    """Export a trained model for TF Serving (saved_model) or for phones (litert).

    Args:
        folder: folder of a finished run, or a .keras file.
        output: folder that gets the next numbered version, or the .tflite file to write.
        format: saved_model or litert.
        quantize: numbers of a .tflite file.
        overwrite: replace the .tflite file if it exists.
    """
    if format == "saved_model" and quantize != "none":
        raise ValueError(f"`quantize` must be none for a SavedModel, received {quantize!r}.")
    if format == "litert":
        refuse_existing(output, overwrite)
    load_tensorflow()
    from keras_gen import export as exports

    model = model_of_run(folder)
    if format == "saved_model":
        print(f"{exports.saved_model(model, output)}: for TF Serving")
    else:
        report = exports.litert(model, output, quantize=None if quantize == "none" else quantize)
        print(f"{output}: for LiteRT\n{json_text(report)}")


def info(folder: Folder) -> None:
    """Show how a trained model was made and what it reaches.

    Args:
        folder: folder of a finished run.
    """
    config, metrics = read_json(folder / "config.json"), read_json(folder / "metrics.json")
    print(f"recipe: {config['recipe']}")
    print(json_text({"arguments": config["arguments"], **metrics}))


def model_of_run(folder: pathlib.Path, *, standardized: bool = False):
    """Returns the model of a run, or of a `.keras` file, in the data's units.

    Args:
        folder: folder of the run, or the file.
        standardized: whether it is to be one of standardised rows instead, where the run standardised them.
    """
    import numpy as np

    import keras_gen

    model, scale = keras_gen.load_model(folder), data_of_run(folder).get("scale")
    if scale is None:
        return model
    mean, deviation = (np.array(scale[part]) for part in ("mean", "deviation"))
    # Only a run that names the unit of its figures has handed its means and deviations to the model.
    absorbed = "unit" in read_json(folder / "metrics.json")
    if absorbed and standardized:
        model.standardization.absorb(-mean / deviation, 1.0 / deviation)
    elif not absorbed and not standardized:
        model.standardization.absorb(mean, deviation)
    return model


def data_of_run(folder: pathlib.Path) -> dict:
    """Returns what a finished run says of its data; nothing of a `.keras` file."""
    file = folder / "metrics.json"
    return read_json(file).get("dataset", {}) if file.is_file() else {}


def read_json(path: pathlib.Path) -> dict:
    """Reads a file of a finished run."""
    if not path.is_file():
        raise FileNotFoundError(f"`folder` {path.parent} holds no finished run: there is no {path.name}.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"`folder`: {path} is damaged ({error}).") from None


def refuse_existing(path: pathlib.Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise FileExistsError(f"`output` {path} exists; --overwrite replaces it.")


def main() -> None:
    """Entry point of `keras-gen`."""
    with plain_exit():
        flags = without_debug(sys.argv[1:])
        if flags[:1] == ["train"] and len(flags) > 1 and not flags[1].startswith("-"):
            # A recipe has flags of its own, which only its module knows.
            run_recipe(flags[1], flags[2:])
            return
        tyro.extras.subcommand_cli_from_dict(
            {
                "list": list_recipes,
                "train": train,
                "sample": sample,
                "translate": translate,
                "complete": complete,
                "evaluate": evaluate,
                "export": export,
                "info": info,
            },
            prog="keras-gen",
            args=flags,
            description="Generative models for Keras 3: train, sample, translate, complete, evaluate and export. An "
            "error is one sentence; --debug shows where it came from.",
        )
