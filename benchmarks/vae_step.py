"""Training steps of VAE and IWAE against pythae, and the memory of a bound with very many samples.

    python benchmarks/vae_step.py --peer ~/peers/bin/python

prints, all measured in this run, for nets 784-200-200-50 and back on examples of 784 bits,

- the time of a training step with Adam of VAE (batch 100) and of IWAE with 50 samples (batch 20), separately and as one
  of ten that `compile(steps_per_execution=10)` runs at once, and that of the same nets in pythae with PyTorch's fused
  Adam, in alternation; `--peer` names an interpreter with `pip install torch pythae`;
- the peak memory of a process that bounds the likelihood of one example with increasing numbers of samples.

The best of many repetitions counts, because other work on the machine can only slow a repetition down.
"""

import multiprocessing
import pathlib
import re

import numpy as np
import tyro
from timing import Peer, best_seconds, bits, train_step

from keras_gen.latent import IWAE, VAE

SIZE = 784

#: Number of steps that run at once.
TOGETHER = 10


def make(num_samples: int) -> VAE:
    if num_samples == 1:
        return VAE((SIZE,), 50, hidden_units=(200, 200))
    return IWAE((SIZE,), 50, hidden_units=(200, 200), num_samples=num_samples)


def peak_megabytes(num_samples: int) -> float:
    """Returns the peak memory of this process after computing a bound."""
    make(1).log_prob_bound(bits(1, (SIZE,)), num_samples=num_samples, seed=0)
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def main(
    *,
    peer: pathlib.Path | None = None,
    rounds: int = 5,
    repetitions: int = 30,
    num_samples: tuple[int, ...] = (1_000, 100_000, 1_000_000),
) -> None:
    """Prints the tables.

    Args:
        peer: Python interpreter with PyTorch and pythae; without it, only our steps are timed.
        rounds: number of turns of ours and theirs.
        repetitions: number of steps in a turn; the best counts.
        num_samples: numbers of importance samples of the bounds whose memory is measured.
    """
    other = Peer(peer, "pythae_peer.py")
    for name, samples, batch_size in (("VAE", 1, 100), ("IWAE-50", 50, 20)):
        steps = [train_step(make(samples), batch_size, jit_compile) for jit_compile in (True, False)]
        steps.append(train_step(make(samples), batch_size, True, TOGETHER))
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(best_seconds(steps, repetitions) / [1, 1, TOGETHER])
            theirs.extend(other.seconds(samples, batch_size, repetitions))
        compiled, plain, together = 1e3 * np.min(ours, axis=0)
        print(f"{name}, batch {batch_size}: {compiled:.2f} ms with XLA, {plain:.2f} without", end="")
        print(f", {together:.2f} as one of {TOGETHER} with XLA", end="")
        if theirs:
            peer_time = 1e3 * min(theirs)
            ratios = peer_time / min(compiled, plain), peer_time / together
            print(f"; pythae {peer_time:.2f} ms (×{ratios[0]:.2f}, ×{ratios[1]:.2f})", end="")
        print(flush=True)
    other.close()

    # A process for each figure, because memory once used is not returned.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for count, peak in zip(num_samples, pool.imap(peak_megabytes, num_samples, chunksize=1), strict=True):
            print(f"bound with {count:,} samples: {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
