"""What comes with the package in addition to its code: recipes and named trained models.

In a source tree they are in separate folders beside the package; an installed package contains them.
"""

import functools
import importlib.util
import pathlib


def folder(name: str) -> pathlib.Path:
    """Returns the folder "recipes" or "saved_models"."""
    package = pathlib.Path(__file__).parent
    return package / name if (package / name).is_dir() else package.parent / name


def recipe_package() -> str:
    """Returns the package that recipes are imported from: keras_gen.recipes if the package is installed."""
    return "keras_gen.recipes" if importlib.util.find_spec("keras_gen.recipes") else "recipes"


@functools.cache
def models() -> dict[str, pathlib.Path]:
    """Returns the folders of the trained models by name, such as "made-digits"."""
    return {config.parent.name: config.parent for config in sorted(folder("saved_models").glob("*/*/config.json"))}


def located(name: str | pathlib.Path) -> str | pathlib.Path:
    """Returns the folder of a trained model, given its name; returns a path, or anything else, unchanged."""
    is_path = "://" in str(name) or pathlib.Path(name).exists()
    return name if is_path else models().get(str(name), name)
