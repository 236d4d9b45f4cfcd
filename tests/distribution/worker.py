"""Runs a recipe as one worker and leaves its trained weights in a file, for `recipes_test.py`.

Called as `worker.py RECIPE WEIGHTS_FILE FLAG...`; TF_CONFIG says which worker this is.
"""

import importlib
import sys

import numpy as np


def main(recipe: str, weights_file: str, *flags: str) -> None:
    from keras_gen.training.run import Run

    def keep_weights(self, model, splits, metrics, *, protocol):
        np.savez(weights_file, *model.get_weights())

    # Exporting takes longer than training here, and is tested elsewhere.
    Run.finish = keep_weights
    importlib.import_module(f"recipes.{recipe}").main.cli(list(flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
