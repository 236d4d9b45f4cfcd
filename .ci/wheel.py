"""Looks into a wheel: recipes, models and the marker of types are in it, and one top-level name.

python .ci/wheel.py FILE
"""

import pathlib
import sys
import zipfile

root = pathlib.Path(__file__).parents[1]
names = zipfile.ZipFile(sys.argv[1]).namelist()
tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
assert tops == {"keras_gen"}, tops
wanted = [
    *(f"keras_gen/{path.relative_to(root)}" for path in root.glob("recipes/*/*.py")),
    *(str(path.relative_to(root)) for path in root.glob("keras_gen/**/*.py")),
    *(f"keras_gen/{path.relative_to(root)}" for path in root.glob("saved_models/**/*") if path.is_file()),
    "keras_gen/py.typed",
    "keras_gen/evaluation/classifier/mnist_classifier.keras",
]
missing = sorted(set(wanted) - set(names))
assert not missing, missing
print(f"{sys.argv[1]}: {len(names)} files, {len(wanted)} of them looked for")
