"""A training step of CycleGAN against plain and compiled PyTorch, and memory over many steps.

    python benchmarks/cycle_gan_step.py --peer ~/peers/bin/python

prints, all measured in this run, for images of 64×64 and the paper's widths (six residual blocks, patches of 34
pixels, a pool of 50 images, cycle and identity losses),

- the time of a training step of all four networks with batches of 1 and of 4 images (Adam), and that of the same nets
  and losses in PyTorch, plain and through `torch.compile`, in alternation; `--peer` names an interpreter with
  `pip install torch`;
- the memory of the process after 100 training steps and after 1,000 more, of narrow networks.

The best of many repetitions is taken, because other work on the machine can only slow a repetition down.
"""

import pathlib

import numpy as np
import tyro
from timing import Peer, compiled_step, print_beside_torch, print_memory

from keras_gen.translation import CycleGAN

SHAPE, BATCH_SIZES = (64, 64, 3), (1, 4)


def train_step(model: CycleGAN, batch_size: int):
    """Returns the function that `fit` runs for each batch of a data set in memory."""
    model.compile()
    random = np.random.default_rng(0)
    images = {name: random.integers(0, 256, (batch_size, *SHAPE)).astype(np.float32) for name in ("a", "b")}
    return compiled_step(model, images)


def main(*, peer: pathlib.Path | None = None, rounds: int = 3, repetitions: int = 6, steps: int = 1000) -> None:
    """Prints the figures.

    Args:
        peer: Python interpreter with PyTorch; without it, only our steps are timed.
        rounds: number of turns of ours and theirs.
        repetitions: number of steps in a turn; the best counts.
        steps: number of training steps over which memory is measured.
    """
    other = Peer(peer, "cycle_gan_peer.py")
    for batch_size in BATCH_SIZES:
        step = train_step(CycleGAN(SHAPE, SHAPE, receptive_field=34), batch_size)
        label = f"CycleGAN step, batch {batch_size}"
        print_beside_torch(label, step, other, [batch_size], rounds=rounds, repetitions=repetitions)
    other.close()
    print_memory(train_step(CycleGAN(SHAPE, SHAPE, filters=4, num_blocks=1), 1), steps)


if __name__ == "__main__":
    tyro.cli(main)
