"""A training step of Pix2Pix against plain and compiled PyTorch, and memory over many steps.

    python benchmarks/pix2pix_step.py --peer ~/peers/bin/python

prints, all measured in this run, for images of 64×64 and the paper's widths (U-Net C64 … C512, patches of 34 pixels),

- the time of a training step of both players with batches of 1 and of 16 images (instance normalization, dropout,
  Adam), and that of the same nets and losses in PyTorch, plain and through `torch.compile`, in alternation; `--peer`
  names an interpreter with `pip install torch`;
- images that the generator translates per second;
- the memory of the process after 100 training steps and after 1,000 more, of narrow networks.

The best of many repetitions is taken, because other work on the machine can only slow a repetition down.
"""

import pathlib

import numpy as np
import tensorflow as tf
import tyro
from timing import Peer, best_seconds, compiled_step, print_beside_torch, print_memory

from keras_gen.translation import Pix2Pix

SHAPE, BATCH_SIZES = (64, 64, 3), (1, 16)


def pairs(batch_size: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.integers(0, 256, (batch_size, *SHAPE)).astype(np.float32) for name in ("source", "target")}


def train_step(model: Pix2Pix, batch_size: int, jit_compile: bool):
    """Returns the function that `fit` runs for each batch of a data set in memory."""
    model.compile(jit_compile=jit_compile)
    return compiled_step(model, pairs(batch_size))


def main(*, peer: pathlib.Path | None = None, rounds: int = 3, repetitions: int = 10, steps: int = 1000) -> None:
    """Prints the figures.

    Args:
        peer: Python interpreter with PyTorch; without it, only our steps are timed.
        rounds: number of turns of ours and theirs.
        repetitions: number of steps in a turn; the best counts.
        steps: number of training steps over which memory is measured.
    """
    other = Peer(peer, "pix2pix_peer.py")
    for batch_size in BATCH_SIZES:
        step = train_step(Pix2Pix(SHAPE, SHAPE, receptive_field=34), batch_size, False)
        label = f"Pix2Pix step, batch {batch_size}"
        print_beside_torch(label, step, other, [batch_size], rounds=rounds, repetitions=repetitions)
    other.close()

    model = Pix2Pix(SHAPE, SHAPE)
    images, translate = pairs(32)["source"], tf.function(model.translate)
    (seconds,) = best_seconds([lambda: translate(images)], repetitions)
    print(f"the generator translates {32 / seconds:,.0f} images in a second", flush=True)
    step = train_step(Pix2Pix(SHAPE, SHAPE, filters=4), 1, False)
    print_memory(step, steps)


if __name__ == "__main__":
    tyro.cli(main)
