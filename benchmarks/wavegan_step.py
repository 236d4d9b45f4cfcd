"""A training step of WaveGAN against plain and compiled PyTorch, sounds per second, and memory over many steps.

    python benchmarks/wavegan_step.py --peer ~/peers/bin/python

prints, all measured in this run, for sounds of 4,096 samples, d = 16 and phase shuffle by up to two samples,

- the time of a training step with batches of 16 and of 64 sounds, five steps of the critic with its gradient penalty
  and one of the generator, with Adam; and that of the same nets and losses in PyTorch, plain and through
  `torch.compile`, in alternation; `--peer` names an interpreter with `pip install torch`;
- sounds that the generator makes per second;
- the memory of the process after 100 training steps and after 1,000 more, of narrow networks.

The best of many repetitions is taken, because other work on the machine can only slow a repetition down.
"""

import pathlib

import numpy as np
import tyro
from timing import Peer, best_seconds, compiled_step, print_beside_torch, print_memory

from keras_gen.adversarial import WaveGAN

SAMPLES, FILTERS, BATCH_SIZES = 4096, 16, (16, 64)


def train_step(model: WaveGAN, batch_size: int):
    """Returns the function that `fit` runs for each batch in memory, in which each critic step has its own batch."""
    model.compile()
    shape = (model.discriminator_steps * batch_size, *model.event_shape)
    sounds = np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)
    return compiled_step(model, sounds)


def main(*, peer: pathlib.Path | None = None, rounds: int = 3, repetitions: int = 5, steps: int = 1000) -> None:
    """Prints the figures.

    Args:
        peer: Python interpreter with PyTorch; without it, only our steps are timed.
        rounds: number of turns of ours and theirs.
        repetitions: number of steps in a turn; the best counts.
        steps: number of training steps over which memory is measured.
    """
    other = Peer(peer, "wavegan_peer.py")
    for batch_size in BATCH_SIZES:
        step = train_step(WaveGAN((SAMPLES,), base_filters=FILTERS), batch_size)
        label = f"WaveGAN step, batch {batch_size}"
        print_beside_torch(label, step, other, [batch_size], rounds=rounds, repetitions=repetitions)
    other.close()

    model = WaveGAN((SAMPLES,), base_filters=FILTERS)
    (seconds,) = best_seconds([lambda: model.sample(100, seed=0)], repetitions)
    print(f"the generator makes {100 / seconds:,.0f} sounds in a second", flush=True)
    print_memory(train_step(WaveGAN((256,), base_filters=4), 4), steps)


if __name__ == "__main__":
    tyro.cli(main)
