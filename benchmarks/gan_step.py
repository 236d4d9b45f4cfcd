"""Training steps of DCGAN and of the critic of WGAN-GP against plain PyTorch, throughput, and memory over many steps.

    python benchmarks/gan_step.py --peer ~/peers/bin/python

prints, all measured in this run, for images of 28×28 and batch 64,

- the time of a training step of DCGAN (both players, filters 64 and 128, batch normalization, Adam), and of one step of
  the critic of WGAN-GP (the same nets without batch normalization in the critic), and that of the same nets in PyTorch,
  in alternation; `--peer` names an interpreter with `pip install torch`;
- images that DCGAN generates per second;
- the memory of the process after 100 training steps and after 1,000 more.

The best of many repetitions is taken, because other work on the machine can only slow a repetition down.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf
import tyro
from timing import Peer, best_seconds, print_memory

from keras_gen.adversarial import DCGAN, WGANGP
from keras_gen.core import Step

SHAPE, BATCH, FILTERS = (28, 28, 1), 64, (64, 128)


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (BATCH, *SHAPE)).astype(np.float32)


def train_step(model, jit_compile: bool):
    """Returns the function that `fit` runs for each batch of a data set in memory."""
    model.compile(keras.optimizers.Adam(2e-4), keras.optimizers.Adam(2e-4), jit_compile=jit_compile)
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(images()).repeat())
    return lambda: model.train_function(batches)["loss"]


def critic_step(model, jit_compile: bool):
    """Returns one step of the critic, with newly generated images."""
    model.compile(keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4))
    x = tf.constant(images())

    @tf.function(jit_compile=jit_compile, autograph=False)
    def critic():
        step = Step(model.next_seed(), training=True)
        return tf.reduce_mean(model.take_discriminator_step({"x": x}, step)["discriminator_loss"])

    return critic


def dcgan() -> DCGAN:
    return DCGAN(SHAPE, filters=FILTERS)


def wgan_gp() -> WGANGP:
    generator = {"name": "convolutional", "filters": FILTERS}
    return WGANGP(SHAPE, generator_network=generator, discriminator_network={**generator, "batch_norm": False})


def main(*, peer: pathlib.Path | None = None, rounds: int = 3, repetitions: int = 15, steps: int = 1000) -> None:
    """Prints the figures.

    Args:
        peer: Python interpreter with PyTorch; without it, only our steps are timed.
        rounds: number of turns of ours and theirs.
        repetitions: number of steps in a turn; the best counts.
        steps: number of training steps over which memory is measured.
    """
    other = Peer(peer, "gan_peer.py")
    for name, make, step_of in (("DCGAN step", dcgan, train_step), ("WGAN-GP critic step", wgan_gp, critic_step)):
        functions = [step_of(make(), jit_compile) for jit_compile in (False, True)]
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(best_seconds(functions, repetitions))
            theirs.extend(other.seconds(make.__name__, repetitions))
        plain, compiled = 1e3 * np.min(ours, axis=0)
        print(f"{name}, batch {BATCH}: {plain:.1f} ms without XLA, {compiled:.1f} with", end="")
        if theirs:
            print(f"; PyTorch {1e3 * min(theirs):.1f} ms (×{1e3 * min(theirs) / min(plain, compiled):.2f})", end="")
        print(flush=True)
    other.close()

    model = dcgan()
    (seconds,) = best_seconds([lambda: model.sample(1000, seed=0)], repetitions)
    print(f"DCGAN generates {1000 / seconds:,.0f} images in a second", flush=True)
    step = train_step(model, False)
    print_memory(step, steps)


if __name__ == "__main__":
    tyro.cli(main)
