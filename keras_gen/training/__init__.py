"""What recipes share: flags, strategies, and the run folder with its checkpoints, logs and results."""

import importlib

from keras_gen.training.recipe import Options as Options
from keras_gen.training.recipe import part as part
from keras_gen.training.recipe import recipe as recipe

_PLACES = {
    "Run": "run",
    **dict.fromkeys(("EXACT", "compiled", "fit_vectors", "true_log_density"), "vectors"),
    **dict.fromkeys(("fit_levels", "fit_logits"), "levels"),
    **dict.fromkeys(("JUDGED", "judged_samples"), "samples"),
}


def __getattr__(name: str):
    # The flags of a recipe are parsed before TensorFlow is loaded.
    if name in _PLACES:
        return getattr(importlib.import_module(f"keras_gen.training.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'keras_gen.training' has no attribute {name!r}")
