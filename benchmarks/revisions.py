"""Training steps of this checkout against those of another one, in one run.

    python benchmarks/revisions.py ../other

Both checkouts train the same models on the same batches in processes that take turns, so that other work on the machine
affects both equally. It prints the shortest time of a step in each, and their ratio: above 1, this checkout is faster.
"""

import json
import os
import pathlib
import subprocess
import sys
from typing import Annotated

import tyro

#: Measures the models of the checkout in which it runs; it uses only what no revision may change.
MEASURE = """
import json, sys, time
import keras, numpy as np, tensorflow as tf
from keras_gen import adversarial, autoregressive, flows, latent

random = np.random.default_rng(0)
bits = (random.random((100, 784)) < 0.13).astype(np.float32)
images = bits.reshape(-1, 28, 28, 1)
reals = random.standard_normal((100, 8)).astype(np.float32)
grey = random.integers(0, 256, (100, 28, 28, 1)).astype(np.float32)
make = {
    "MADE": (lambda: autoregressive.MADE((784,), (500,)), bits, True),
    "NADE": (lambda: autoregressive.NADE((784,), 500), bits, True),
    "PixelCNN": (lambda: autoregressive.PixelCNN((28, 28, 1)), images, False),
    "MAF": (lambda: flows.MAF((8,)), reals, True),
    "VAE": (lambda: latent.VAE((28, 28, 1)), images, True),
    "DCGAN": (lambda: adversarial.DCGAN((28, 28, 1), filters=(32, 64, 128)), grey, False),
}
found = {}
for name in sys.argv[2:]:
    build, examples, xla = make[name]
    model = build()
    model.compile(jit_compile=xla)
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(examples).repeat())
    times = []
    for _ in range(5 + int(sys.argv[1])):
        start = time.perf_counter()
        float(np.ravel(model.train_function(batches)["loss"])[0])
        times.append(time.perf_counter() - start)
    found[name] = min(times[5:])
print(json.dumps(found))
"""


def measured(checkout: pathlib.Path, repetitions: int, models: tuple[str, ...]) -> dict[str, float]:
    """Returns the seconds of a step of each model of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", MEASURE, str(repetitions), *models]
    run = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"`other`: the models of {checkout} could not be measured: {run.stderr[-2000:]}")
    return json.loads(run.stdout.splitlines()[-1])


def main(
    other: Annotated[pathlib.Path, tyro.conf.Positional],
    *,
    models: tuple[str, ...] = ("MADE", "NADE", "PixelCNN", "MAF", "VAE", "DCGAN"),
    repetitions: int = 60,
    rounds: int = 3,
) -> None:
    """Prints the table.

    Args:
        other: folder of the other checkout.
        models: models to measure.
        repetitions: number of steps in each process.
        rounds: number of processes of each checkout, in turn.
    """
    checkouts = {"here": pathlib.Path(__file__).resolve().parent.parent, "other": other}
    seconds = {where: {} for where in checkouts}
    for _ in range(rounds):
        for where, folder in checkouts.items():
            for model, time in measured(folder, repetitions, models).items():
                seconds[where][model] = min(time, seconds[where].get(model, time))
    print(f"{'model':12}{'here, ms':>10}{'other, ms':>11}{'ratio':>8}")
    for model in models:
        here, there = seconds["here"][model], seconds["other"][model]
        print(f"{model:12}{here * 1e3:10.2f}{there * 1e3:11.2f}{there / here:8.2f}")


if __name__ == "__main__":
    tyro.cli(main)
