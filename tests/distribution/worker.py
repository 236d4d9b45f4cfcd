"""Runs a recipe as one worker and leaves its trained weights in a file, for `recipes_test.py`.

Called as `worker.py RECIPE WEIGHTS_FILE FLAG...`; TF_CONFIG says which worker this is.
"""

import functools
import importlib
import sys

import numpy as np
from tensorflow.python.eager import context

#: On a busy machine a worker can be silent for longer than the ten seconds after which TensorFlow takes it for dead.
SILENCE_MILLISECONDS = 300_000


def main(recipe: str, weights_file: str, *flags: str) -> None:
    from keras_gen.training.run import Run

    def keep_weights(self, model, splits, metrics, *, protocol):
        np.savez(weights_file, *model.get_weights())

    # TensorFlow has no public way to say so.
    context.Context.configure_coordination_service = functools.partialmethod(
        context.Context.configure_coordination_service, heartbeat_timeout_in_ms=SILENCE_MILLISECONDS
    )
    # Exporting takes longer than training here, and is tested elsewhere.
    Run.finish = keep_weights
    importlib.import_module(f"recipes.{recipe}").main.cli(list(flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
