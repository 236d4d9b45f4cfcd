"""Training steps of an RBM against scikit-learn and plain PyTorch.

    python benchmarks/rbm_step.py --peer ~/peers/bin/python

prints, measured in this run, the time of an update of an RBM with 784 visible and 500 hidden bits on a batch of 100, by
contrastive divergence with one step: ours by `fit`'s training function with plain SGD, `BernoulliRBM.partial_fit` of
scikit-learn, which computes in the dtype of the data, and PyTorch, plain and compiled (`torch.compile`); `--peer` names
an interpreter with `pip install torch`.

Each figure is the best of many repetitions, because other work on the machine can only slow a repetition down.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf
import tyro
from sklearn.neural_network import BernoulliRBM
from timing import Peer, best_seconds, bits

from keras_gen.energy import RBM

BATCH, HIDDEN_UNITS, LEARNING_RATE = 100, 500, 0.05


def our_step(jit_compile: bool, steps: int):
    """Returns the function that `fit` runs for each batch of a data set in memory, or for several batches at once."""
    model = RBM((784,), HIDDEN_UNITS)
    model.compile(keras.optimizers.SGD(LEARNING_RATE), jit_compile=jit_compile, steps_per_execution=steps)
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(bits(BATCH, (784,))).repeat())
    return lambda: model.train_function(batches)["loss"]


def their_step(dtype):
    """Returns an update by scikit-learn."""
    model = BernoulliRBM(HIDDEN_UNITS, learning_rate=LEARNING_RATE, batch_size=BATCH, random_state=0)
    x = bits(BATCH, (784,)).astype(dtype)

    def step():
        model.partial_fit(x)
        return model.intercept_hidden_

    return step


def main(*, peer: pathlib.Path | None = None, rounds: int = 3, repetitions: int = 30) -> None:
    """Prints the figures.

    Args:
        peer: Python interpreter with PyTorch; without it, PyTorch is left out.
        rounds: number of turns of each side.
        repetitions: number of calls in a turn; the best counts.
    """
    ours = {
        "ours": (our_step(False, 1), 1),
        "ours, XLA": (our_step(True, 1), 1),
        "ours, ten steps at once": (our_step(False, 10), 10),
        "ours, XLA, ten steps at once": (our_step(True, 10), 10),
    }
    theirs = {
        "scikit-learn, float32": (their_step(np.float32), 1),
        "scikit-learn, float64": (their_step(np.float64), 1),
    }
    times = {}

    def note(name, seconds):
        times[name] = min(times.get(name, np.inf), 1e3 * seconds)

    other = Peer(peer, "rbm_peer.py")
    for _ in range(rounds):
        for name, (function, steps) in {**ours, **theirs}.items():
            (seconds,) = best_seconds([function], max(3, repetitions // steps))
            note(name, seconds / steps)
        for name in ("plain", "compiled"):
            for seconds in other.seconds(name, repetitions):
                note(f"PyTorch, {name}", seconds)
    other.close()
    best = min(times[name] for name in ours)
    for name, milliseconds in times.items():
        print(f"{name}: {milliseconds:.2f} ms (×{milliseconds / best:.2f} of our best)")


if __name__ == "__main__":
    tyro.cli(main)
