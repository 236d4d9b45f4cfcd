"""Runs recipes as one worker and leaves their trained weights in files, for `recipes_test.py`.

Called as `worker.py FOLDER RUN:RECIPE...`; TF_CONFIG says which worker this is. A run is in FOLDER/RUN, and the weights
that it ends with in FOLDER/RUN-INDEX.npz.
"""

import functools
import importlib
import json
import os
import pathlib
import sys

import numpy as np

#: Flags of each recipe.
FLAGS = {
    "autoregressive.made": ["--epochs", "4", "--batch-size", "128", "--hidden-units", "16", "--xla", "False"],
    "adversarial.dcgan": ["--epochs", "2", "--batch-size", "128", "--filters", "4", "8", "--latent-size", "4"],
}
#: On a busy machine a worker can be silent for longer than the ten seconds after which TensorFlow takes it for dead.
SILENCE_MILLISECONDS = 300_000


class Trained(Exception):
    """Leaves a recipe once its model is trained: judging and exporting it take long, and are tested elsewhere."""


def trained_weights(recipe: str, folder: pathlib.Path) -> list[np.ndarray]:
    """Returns the weights that a recipe's model has after training."""
    from keras_gen import shipped
    from keras_gen.training.run import Run

    fit = Run.fit

    def fit_and_leave(*args, **kwargs):
        raise Trained(fit(*args, **kwargs).get_weights())

    Run.fit = fit_and_leave
    try:
        importlib.import_module(f"{shipped.recipe_package()}.{recipe}").main.cli(
            [*FLAGS[recipe], "--folder", str(folder)]
        )
    except Trained as trained:
        return trained.args[0]
    finally:
        Run.fit = fit


def main(folder: str, *runs: str) -> None:
    import cheaper_tracing  # noqa: F401
    from tensorflow.python.eager import context

    from keras_gen.training import run

    # TensorFlow has no public way to say so.
    context.Context.configure_coordination_service = functools.partialmethod(
        context.Context.configure_coordination_service, heartbeat_timeout_in_ms=SILENCE_MILLISECONDS
    )
    # A second strategy would number its collective operations like the first.
    run.choose_strategy = functools.cache(run.choose_strategy)
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    for run_and_recipe in runs:
        name, recipe = run_and_recipe.split(":")
        np.savez(pathlib.Path(folder, f"{name}-{index}.npz"), *trained_weights(recipe, pathlib.Path(folder, name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
