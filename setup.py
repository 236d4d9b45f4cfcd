"""What setup.cfg cannot say: recipes/ and saved_models/ lie at the top of the repository, and within the package."""

from setuptools import find_packages, setup

recipes = [f"keras_gen.{name}" for name in find_packages(include=["recipes*"])]
setup(
    packages=[*find_packages(include=["keras_gen*"]), *recipes, "keras_gen.saved_models"],
    package_dir={"keras_gen.recipes": "recipes", "keras_gen.saved_models": "saved_models"},
)
