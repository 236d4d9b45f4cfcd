"""The command `keras-gen`, for recipes and trained models.

TensorFlow is imported inside the functions that need it, so that help and lists appear at once.
"""

import ast
import hashlib
import importlib
import inspect
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Annotated, Literal

import tyro

from keras_gen import checks, hub, shipped
from keras_gen.console import (
    counted,
    flowing,
    load_tensorflow,
    markdown_table,
    number_rules,
    plain_exit,
    tracked,
    without_debug,
)
from keras_gen.figures import LIKELIHOODS, figures_of, headline, in_columns
from keras_gen.files import atomic_file, check_exists, check_folder, json_text, path_of
from keras_gen.finished_run import arguments_of_run, check_same_data, data_of_run, lacking, model_of_run, read_json

#: Largest number of examples drawn into one file.
MOST_IN_A_FILE = 10_000


def path_argument(metavar: str, located: Callable[[str], pathlib.Path]) -> tyro.constructors.PrimitiveConstructorSpec:
    """Returns the rule for reading a path from a word of the command line."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: located(words[0]),
        is_instance=lambda value: isinstance(value, pathlib.Path),
        str_from_instance=lambda path: [str(path)],
    )


#: A path on this machine or in a store.
Path = Annotated[pathlib.Path, path_argument("PATH", path_of)]
#: A run's folder, a .keras file, the name of a model that comes with the package, or an address of `hub`.
Folder = Annotated[pathlib.Path, tyro.conf.Positional, path_argument("FOLDER", lambda word: path_of(hub.located(word)))]


def recipe_files() -> dict[str, pathlib.Path]:
    """Returns the recipes by name, such as "autoregressive.made", with their files."""
    files = sorted(path for path in shipped.folder("recipes").glob("*/*.py") if path.stem != "__init__")
    return {f"{path.parent.name}.{path.stem}": path for path in files}


def list_recipes() -> None:
    """List the recipes, the trained models that come with the package, and those in ./runs."""
    print("Recipes (keras-gen train NAME):")
    recipes = recipe_files()
    width = max(map(len, recipes))
    for name, path in recipes.items():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        print(f"  {name:{width}}  {docstring.splitlines()[0] if docstring else ''}")
    print("\nTrained models (keras-gen sample NAME):")
    print_models(shipped.models())
    finished = sorted(file.parent for file in pathlib.Path("runs").rglob("metrics.json"))
    print("\nRuns (keras-gen sample FOLDER):")
    print_models({str(folder): folder for folder in finished})
    if not finished:
        print("  none in ./runs")


def print_models(folders: dict[str, pathlib.Path]) -> None:
    """Prints models by name, each with the figure that tells most."""
    width = max(map(len, folders), default=0)
    for name, folder in folders.items():
        print(f"  {name:{width}}  {headline(read_json(folder / 'metrics.json'))}".rstrip())


def train(recipe: Annotated[str, tyro.conf.Positional]) -> None:
    """Run a recipe; the flags after its name are the recipe's own (keras-gen train NAME --help).

    Args:
        recipe: name from `keras-gen list`, with or without its family.
    """
    run_recipe(recipe, [])


def run_recipe(name: str, flags: list[str]) -> None:
    """Imports a recipe and passes it its flags."""
    names = list(recipe_files())
    short = {full.split(".")[1]: full for full in names}
    wanted = name.removeprefix("keras_gen.").removeprefix("recipes.").removesuffix(".py").replace("/", ".")
    full = short.get(wanted, wanted)
    if full not in names:
        checks.choice("recipe", wanted, [*names, *short])
    importlib.import_module(f"{shipped.recipe_package()}.{full}").main.cli(flags, command=f"keras-gen train {name}")


def sample(
    folder: Folder,
    *,
    num_samples: int = 64,
    seed: int = 0,
    label: int | None = None,
    caption: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    option: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    mean: bool = False,
    output: Path | None = None,
    batch_size: int = 100,
    shard_size: int = 10_000,
    overwrite: bool = False,
) -> None:
    """Draw examples from a trained model, as a picture (.png), sound (.wav), array (.npy) or table (.csv).

    A folder can hold any number of examples, in .npy files written one after the other, drawn on all GPUs; after a
    kill, the same command resumes.

    Args:
        folder: folder of a finished run, a .keras file, or the name of a model that comes with the package.
        num_samples: number of examples.
        seed: the same seed draws the same examples.
        label: class to draw, for a class-conditional model; by default all classes in turn.
        caption: sentence to draw, for a model of captions; several sentences, each after a --caption, are drawn in
            turn.
        option: NAME=NUMBER, an option of the model's sampling, such as truncation=0.7; may be given several times.
        mean: return the means around which draws lie, in place of draws: the decoded codes of a VAE or the like, or the
            means of the drawn components of a mixture.
        output: file to write, whose extension selects the format, or folder, whose name has no extension; by default
            samples.png, samples.wav for sound, or the folder samples for more than 10,000 examples. A picture of
            sound shows four, so no more are drawn for it.
        batch_size: examples drawn at once for a folder.
        shard_size: examples in each file of a folder.
        overwrite: replace what exists.
    """
    checks.positive_int("num_samples", num_samples)
    if output is not None and output.suffix not in (".png", ".wav", ".npy", ".csv", ""):
        raise ValueError(
            f"`output` must be a .png, .wav, .npy or .csv file, or a folder, whose name has no extension; received "
            f"{output}."
        )
    hub.model_file(folder)
    if output is None:
        kind = ".wav" if data_of_run(folder).get("sample_rate") else ".png"
        output = pathlib.Path("samples" + kind * (num_samples <= MOST_IN_A_FILE))
    if output.suffix:
        refuse_existing(output, overwrite)
        if num_samples > MOST_IN_A_FILE:
            raise ValueError(
                f"`output` must be a folder, such as {output.with_suffix('')}, for more than {MOST_IN_A_FILE:,} "
                f"examples; received {output} for {num_samples:,}."
            )
    load_tensorflow()
    import numpy as np
    import pandas as pd

    from keras_gen import pictures, spaces

    model = model_of_run(folder)
    if "sample" not in model.signatures():
        raise lacking(folder, model, "draws no examples")
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
    if mean:
        options["mean"] = True
    if caption and not isinstance(model.condition_space, spaces.Text):
        raise ValueError(f"`caption` must be left out: {folder} holds a {type(model).__name__}, which takes none.")
    what = "mean" if options.get("mean") else "sample"
    is_picture_of_sound = output.suffix == ".png" and pictures.is_audible(space)
    if is_picture_of_sound:
        num_samples = min(num_samples, pictures.MOST_SOUNDS)
    if not output.suffix:
        from keras_gen.sample_shards import sample_to_folder

        files = sample_to_folder(
            model,
            output,
            num_samples,
            seed=seed,
            condition=caption or (None if label is None else [label]),
            batch_size=batch_size,
            shard_size=shard_size,
            overwrite=overwrite,
            progress=lambda batches, total: tracked(batches, "sampling", total),
            **options,
        )
        shape = tuple(model.event_shape)
        of_them = counted(num_samples, what)
        print(f"{output}: {of_them} of shape {shape} from {folder}, in {counted(len(files), 'file')} and index.json")
        return
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
            image = pictures.picture(space, x, names=data_of_run(folder).get("column_names", ()))
            if "mean" in model.sampling_options():
                image = pictures.titled(image, "means" if options.get("mean") else "draws")
            image.save(path)
    how = ", one after the other" if output.suffix == ".wav" else ""
    if is_picture_of_sound:
        how = f"; --output {output.with_suffix('.wav')} writes sounds to listen to"
    print(f"{output}: {counted(num_samples, what)} of shape {tuple(model.event_shape)} from {folder}{how}")


def translate(
    folder: Folder,
    *,
    input: Path,
    output: Path,
    domain: tuple[int, ...] = (),
    back: bool = False,
    batch_size: int = 16,
    overwrite: bool = False,
) -> None:
    """Translate all images of a folder with a trained model, into files of the same names.

    Args:
        folder: folder of a finished run, a .keras file, or the name of a model that comes with the package.
        input: folder of images, which may be in subfolders; images of a size other than the model's are resized.
        output: folder of the translations.
        domain: target of the translation, for a model with several targets: a class, or 0 or 1 for each attribute.
        back: translate in the other direction, if the model can.
        batch_size: images translated at once.
        overwrite: replace files that exist.
    """
    hub.model_file(folder)
    check_folder(input, "input")
    load_tensorflow()

    import keras_gen
    from keras_gen.translation import TranslationModel, translate_folder

    model = keras_gen.load_model(folder)
    if not isinstance(model, TranslationModel):
        raise lacking(folder, model, "translates no images")
    chosen = None
    if domain:
        chosen = domain[0] if model.domain_space is not None and model.domain_space.shape == () else domain
    report = translate_folder(
        model,
        input,
        output,
        domain=chosen,
        back=back,
        batch_size=batch_size,
        overwrite=overwrite,
        progress=lambda batches: tracked(batches, "translating"),
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
    input: Path,
    num_images: int = 10,
    seed: int = 0,
    output: Path = pathlib.Path("completed.png"),
    overwrite: bool = False,
) -> None:
    """Take images apart, complete the parts with a trained model, and draw the parts and both images.

    Args:
        folder: folder of a finished run of Puzzle-GAN or of the jigsaw puzzle, or a .keras file.
        input: folder of images, which may be in subfolders; images of a size other than the model's are resized.
        num_images: number of images to use, the first ones by name.
        seed: the same seed draws the same completions or shuffles pieces in the same way.
        output: picture to write.
        overwrite: replace the file if it exists.
    """
    checks.choice("output", output.suffix, (".png",))
    checks.positive_int("num_images", num_images)
    hub.model_file(folder)
    check_folder(input, "input")
    refuse_existing(output, overwrite)
    load_tensorflow()
    import keras_gen
    from keras_gen import pictures
    from keras_gen.translation import Jigsaw, PuzzleGAN, first_images

    model = keras_gen.load_model(folder)
    if not isinstance(model, (Jigsaw, PuzzleGAN)):
        raise lacking(folder, model, "completes no parts")
    x = first_images(input, model.spaces["x"], num_images)
    rows = model.preview(model.puzzles(x), seed=seed)
    with atomic_file(output) as path:
        pictures.preview(rows, num_columns=num_images).save(path)
    print(f"{output}: {len(x)} images of {input}, completed by the {type(model).__name__} from {folder}")


def numbered(text: str, defaults: dict[str, int | float]) -> tuple[str, int | float]:
    """Returns the name and the number of NAME=NUMBER; the number is an integer if the default is."""
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
    """Evaluate the likelihood of a trained model, exactly or by an estimate, and say which of the two it is.

    The data are prepared as in the run (columns, size, bits, means and deviations), so for the run's own data this is
    the figure that the run printed. All GPUs take part. An evaluation that takes longer than a minute keeps its figures
    in the run's folder: after a kill, the same command resumes.

    A table goes to standard error, and the figures with all digits, as JSON, to standard output.

    Args:
        folder: folder of a finished run, or the name of a model that comes with the package.
        dataset: name or path of a data set; by default the one the model was trained on.
        split: part of the data set.
        image_size: height and width that the images of a folder are resized to; by default as in the run.
        batch_size: examples evaluated at once; by default as in the run.
        num_samples: samples for each example, for a model whose likelihood is a bound or an estimate; by default as in
            the run.
        seed: seed of these samples.
    """
    for name, value in {"batch_size": batch_size, "num_samples": num_samples}.items():
        if value is not None:
            checks.positive_int(name, value)
    arguments, reading = arguments_of_run(folder)
    check_exists(dataset or arguments["dataset"], "dataset")
    load_tensorflow()

    from keras_gen import data, evaluation
    from keras_gen.core import saving
    from keras_gen.data.captioned_folders import load_conditioned
    from keras_gen.data.new_examples import check_column_names
    from keras_gen.data.readers.tables import TABLE_SUFFIXES, suffix_of

    model = model_of_run(folder, standardized=True)
    if model.likelihood_kind is None:
        raise lacking(folder, model, "has no likelihood to evaluate")
    if image_size is not None:
        reading["image_size"] = image_size
    reading |= {
        "batch_size": batch_size or arguments.get("batch_size", 100),
        "labels": model.condition_space is not None,
    }
    if dataset is None:
        check_same_data(folder, arguments, f"--dataset {arguments['dataset']} evaluates on what it is now")
    source, column_names = dataset or arguments["dataset"], data_of_run(folder).get("column_names", ())
    if column_names and suffix_of(pathlib.Path(source)) in TABLE_SUFFIXES:
        # In any order, and among other columns.
        reading["columns"] = tuple(column_names)
    splits = load_conditioned(source, model.condition_space, **reading)
    check_column_names(source, splits.column_names, column_names)
    if arguments.get("dequantize"):
        splits = data.dequantized(splits)
    if arguments.get("size"):
        splits = splits.cropped(arguments["size"], arguments["size"])
    num_samples = num_samples or arguments.get("num_samples") or 100
    # A file for this evaluation only; an evaluation shorter than a minute does not write it.
    request = [saving.digest(model), dataset, split, image_size, splits.batch_size, num_samples, seed]
    name = hashlib.sha256(json.dumps(request).encode()).hexdigest()[:16]
    kept = evaluation.Kept(folder / f".evaluation-{name}.json")
    figures = evaluation.likelihood(model, getattr(splits, split), num_samples=num_samples, seed=seed, kept=kept)
    kept.remove()
    found = {"likelihood": model.likelihood_kind, split: figures}
    if splits.scale is not None:
        found["unit"] = evaluation.STANDARDISED
        found[f"{split}, in the data's units"] = evaluation.in_data_units(figures, splits, split)
    examples = f"{counted(splits.size(split), 'example')} of {source} ({split})"
    table = markdown_table(in_columns(figures_of(found)))
    facts = facts_text({"Likelihood": LIKELIHOODS[model.likelihood_kind], **unit_of(found)})
    shown = f"{examples}, by the {type(model).__name__} from {folder}\n\n{table}\n{facts}"
    print(shown, file=sys.stderr, flush=True)
    print(json_text(found))


def unit_of(report: dict) -> dict[str, str]:
    """Returns the unit of figures, if a run has standardised its data, as a fact to print."""
    return {"Unit": f"{report['unit']}, except where it says otherwise"} if "unit" in report else {}


def facts_text(facts: dict[str, str]) -> str:
    """Returns facts in two columns: what they are about, and what is said of it."""
    width = max(map(len, facts), default=0)
    return "".join(f"{name:{width}}  {fact}\n" for name, fact in facts.items())


def score(
    folder: Folder,
    *,
    input: str,
    output: Path,
    reference: str | None = None,
    label: int | None = None,
    captions: str | None = None,
    bad_files: Literal["refuse", "skip"] = "refuse",
    bad_rows: Literal["refuse", "skip"] = "refuse",
    batch_size: int = 100,
    num_samples: int = 100,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Score new examples with a trained model: by likelihood, energy and reconstruction error, whichever it has.

    New examples are prepared as in the run (columns, size, bits, means and deviations). Each figure has a percentile,
    the share of training examples whose figure is at most as large: a likelihood with a low percentile is unusual, as
    is an energy or an error with a high one. A row that lacks entries is ranked among the same entries of training
    examples. Figures are in nats, likelihoods in the data's units.

    Args:
        folder: folder of a finished run, a .keras file, or the name of a model that comes with the package.
        input: table, .npy or .npz file, or folder of images or of WAV files; it is read a few examples at a time.
        output: table to write (.csv): a row for each example, identified by its number or the name of its file.
        reference: examples to compute percentiles against, in the same formats; by default 10,000 training examples of
            the run, or all of them if there are fewer; none for no percentiles.
        label: class of all examples, for a class-conditional model; by default the labels that they come with.
        captions: for a model of captions, the file with the captions of a folder of images, given by a path inside the
            folder or any other path; by default the one that the run has read, or captions.jsonl. Each caption of an
            image has a row.
        bad_files: what to do with files that cannot be read: name them in an error, or leave them out.
        bad_rows: what to do with rows of a table that the model does not accept: name the first one in an error, or
            leave them out.
        batch_size: examples scored at once.
        num_samples: samples for each example, for a model whose likelihood is a bound or an estimate.
        seed: seed of these samples.
        overwrite: replace the file if it exists.
    """
    checks.choice("output", output.suffix, (".csv",))
    checks.positive_int("batch_size", batch_size)
    checks.positive_int("num_samples", num_samples)
    hub.model_file(folder)
    check_exists(input, "input")
    if reference is not None:
        check_exists(reference, "reference")
    refuse_existing(output, overwrite)
    load_tensorflow()
    from keras_gen.score_files import score_files

    given = {"label": label, "captions": captions, "bad_files": bad_files, "bad_rows": bad_rows}
    settings = {"batch_size": batch_size, "num_samples": num_samples, "seed": seed}
    score_files(folder, input, output, reference=reference, **given, **settings)


def export(
    folder: Folder,
    *,
    output: Path,
    format: Literal["saved_model", "litert"] | None = None,
    quantize: Literal["none", "float16", "int8"] = "none",
    batch_size: int | None = 1,
    max_num_samples: int = 1024,
    overwrite: bool = False,
) -> None:
    """Export a trained model for TF Serving (saved_model) or for phones (litert).

    Args:
        folder: folder of a finished run, a .keras file, or the name of a model that comes with the package.
        output: folder to add the next numbered version to, or .tflite file to write.
        format: saved_model or litert; by default determined by the extension of the output.
        quantize: number format of the weights of a .tflite file.
        batch_size: number of examples that a .tflite file takes per call; None for any number, which some runtimes
            refuse.
        max_num_samples: the largest number of samples that one request to a SavedModel may ask for.
        overwrite: replace the .tflite file if it exists.
    """
    file_format = "litert" if output.suffix == ".tflite" else "saved_model"
    if format not in (None, file_format):
        expected = "a file, whose name ends in .tflite" if format == "litert" else "a folder"
        raise ValueError(f"`output` must be {expected}, for {format}; received {output}.")
    format = file_format
    if format == "saved_model" and quantize != "none":
        raise ValueError(f"`quantize` must be none for a SavedModel, received {quantize!r}.")
    checks.positive_int("max_num_samples", max_num_samples)
    if batch_size is not None:
        checks.positive_int("batch_size", batch_size)
    hub.model_file(folder)
    if format == "litert":
        refuse_existing(output, overwrite)
    load_tensorflow()
    from keras_gen import export as exports
    from keras_gen.export.litert import NUM_EXAMPLES

    model = model_of_run(folder)
    if format == "saved_model":
        print(f"{exports.saved_model(model, output, max_num_samples=max_num_samples)}: for TF Serving")
    else:
        quantize = None if quantize == "none" else quantize
        report = exports.litert(model, output, batch_size=batch_size, quantize=quantize)
        print(f"{output}: for LiteRT, {output.stat().st_size:,} bytes. Compared with Keras on {NUM_EXAMPLES} examples:")
        differences = {
            f"{name} of {signature}": {
                "compared by": found["measure"],
                "found": found["value"],
                "at most allowed": found["bound"],
            }
            for signature, outputs in report.items()
            for name, found in outputs.items()
        }
        print(markdown_table(differences), end="")


def push(folder: Folder, address: Annotated[str, tyro.conf.Positional]) -> None:
    """Upload a trained model to your repository at Hugging Face or Kaggle.

    Log in with the site's library first. A repository that does not exist yet is created as a private one.

    Args:
        folder: folder of a finished run, or the name of a model that comes with the package.
        address: hf://user/name or kaggle://user/model/keras/variation.
    """
    hub.push(folder, address)
    print(f"{address}: {folder}")


def info(folder: Folder, *, as_json: Annotated[bool, tyro.conf.arg(name="json")] = False) -> None:
    """Show how a trained model was made and the figures it reaches.

    Args:
        folder: folder of a finished run, or the name of a model that comes with the package.
        as_json: print JSON with all digits and all arguments in place of a summary.
    """
    config, metrics = read_json(folder / "config.json"), read_json(folder / "metrics.json")
    if as_json:
        print(json_text({**config, **metrics}))
        return
    from keras_gen.training.card import command_of, facts_of

    print(f"{folder}: {headline(metrics) or config['recipe']}\n")
    sections = figures_of(metrics)
    splits = {name: sections.pop(name) for name in list(sections) if name.startswith(("train", "validation", "test"))}
    for table in (in_columns(splits), sections):
        if table:
            print(markdown_table(table))
    if "protocol" in metrics:
        print(metrics["protocol"])
    command = command_of(config["recipe"], config["arguments"], dict.fromkeys(config["arguments"]))
    print("\n" + facts_text({**facts_of(metrics), **unit_of(metrics), "Made by": command}), end="")


def refuse_existing(path: pathlib.Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise FileExistsError(f"`output` {path} exists; --overwrite replaces it.")


VERBS = {
    "list": list_recipes,
    "train": train,
    "sample": sample,
    "translate": translate,
    "complete": complete,
    "evaluate": evaluate,
    "score": score,
    "export": export,
    "info": info,
    "push": push,
}
for verb in VERBS.values():
    verb.__doc__ = flowing(verb.__doc__)


def main() -> None:
    """Entry point of `keras-gen`."""
    flags = without_debug(sys.argv[1:])
    verb, *rest = flags or [""]
    parameters = inspect.signature(VERBS[verb]).parameters.values() if verb in VERBS else ()
    with plain_exit(each.name for each in parameters if each.kind is each.KEYWORD_ONLY):
        if verb == "train" and rest and not rest[0].startswith("-"):
            # A recipe has its own flags, which only its module knows.
            run_recipe(rest[0], rest[1:])
            return
        tyro.extras.subcommand_cli_from_dict(
            VERBS,
            prog="keras-gen",
            args=flags,
            description="Generative models for Keras 3: train, sample, translate, complete, evaluate, score, export. "
            "An error is one sentence; --debug shows where it came from.",
            registry=number_rules(),
        )
