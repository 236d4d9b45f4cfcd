"""Training steps and sampling of flows against zuko and nflows, memory for many points, and how sampling of MAF scales.

    python benchmarks/flows_step.py --peer ~/peers/bin/python

prints, all measured in this run,

- the time of a training step with Adam on 256 rows, of MAF, RealNVP and neural spline flows on 8 dimensions with
  networks of 64 and 64 units, and on 43 dimensions with 512 and 512; in alternation with the same networks in zuko and
  nflows, trained by PyTorch's fused Adam. `--peer` names an interpreter with `pip install torch zuko nflows`;
- the time of sampling from MAF on 43 dimensions, likewise;
- the peak memory of a process that evaluates, and of one that samples, increasing numbers of points;
- the time for each sample of MAF in increasing numbers of dimensions.

The best of many repetitions counts, because other work on the machine can only slow a repetition down. Splines of zuko
have no linear maps between them; ours and those of nflows do.
"""

import multiprocessing
import pathlib
import re
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
import tyro
from timing import Peer, best_seconds, train_step

from keras_gen.flows import MAF, MaskedSplineFlow, NeuralSplineFlow, RealNVP
from keras_gen.flows.base import FlowModel

LIBRARIES = ("zuko", "nflows")

#: Number of steps that run at once.
TOGETHER = 10

#: Number of points that are evaluated or sampled at once.
CHUNK = 10_000


def make(name: str, size: int, units: int) -> FlowModel:
    if name == "RealNVP":
        return RealNVP((size,), 8, (units, units))
    if name == "NSF":
        return NeuralSplineFlow((size,), 5, units, num_blocks=1)
    return {"MAF": MAF, "MaskedNSF": MaskedSplineFlow}[name]((size,), 5, (units, units))


def normal(num: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((num, size)).astype(np.float32)


def peak_megabytes(task: tuple[str, int]) -> float:
    """Returns the peak memory of this process after evaluating or sampling points, a chunk at a time."""
    verb, num = task
    model = make("MAF", 8, 64)
    if verb == "evaluate":
        specification = tf.TensorSpec((None, 8), tf.float32)

        def chunks() -> Iterator[np.ndarray]:
            for _ in range(num // CHUNK):
                yield normal(CHUNK, 8)

        points = tf.data.Dataset.from_generator(chunks, output_signature=specification)
        model.predict(points.apply(tf.data.experimental.assert_cardinality(num // CHUNK)), verbose=0)
    else:
        for seed in range(num // CHUNK):
            model.sample(CHUNK, seed=seed)
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def seconds_of_peers(peer: Peer, *words) -> list[float]:
    """Returns the shortest times of both libraries, if an interpreter for them is given."""
    return [seconds for library in LIBRARIES for seconds in peer.seconds(library, *words)]


def compare(label: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Prints the best time of each, and the ratio of the faster of the two libraries to each of ours.

    Args:
        label: what was timed.
        ours: seconds with XLA, without XLA, and for one of several steps at once, of shape `(rounds, 2 or 3)`.
        theirs: seconds of the libraries, of shape `(rounds, 2 or 0)`.
    """
    names = ("with XLA", "without", f"as one of {TOGETHER} with XLA")
    best = 1e3 * ours.min(axis=0)
    line = ", ".join(f"{time:.2f} ms {name}" for name, time in zip(names, best, strict=False))
    if theirs.size:
        peers = 1e3 * theirs.min(axis=0)
        line += "; " + ", ".join(f"{library} {time:.2f}" for library, time in zip(LIBRARIES, peers, strict=True))
        line += (
            f" (×{peers.min() / best[:2].min():.2f}"
            + "".join(f", ×{peers.min() / time:.2f}" for time in best[2:])
            + ")"
        )
    print(f"{label}: {line}", flush=True)


def sampler(model: FlowModel, num: int, jit_compile: bool) -> Callable:
    """Returns a function without arguments that samples points."""
    sample = tf.function(lambda seed: model.generate(model.noise(num, seed)), jit_compile=jit_compile, autograph=False)
    seed = tf.constant([0, 1])
    return lambda: sample(seed)


def main(
    *,
    peer: pathlib.Path | None = None,
    rounds: int = 5,
    repetitions: int = 20,
    small: tuple[str, ...] = ("MAF", "RealNVP", "NSF", "MaskedNSF"),
    large: tuple[str, ...] = ("MAF", "RealNVP", "NSF"),
    num_samples: int = 1000,
    num_points: tuple[int, ...] = (10_000, 100_000, 1_000_000),
    sizes: tuple[int, ...] = (8, 16, 32, 64, 128),
) -> None:
    """Prints the tables.

    Args:
        peer: Python interpreter with PyTorch, zuko and nflows; without it, only our flows are timed.
        rounds: number of turns of ours and theirs.
        repetitions: number of steps in a turn; the best counts.
        small: flows on 8 dimensions.
        large: flows on 43 dimensions.
        num_samples: number of points to sample at once from MAF on 43 dimensions; 0 for none.
        num_points: numbers of points in the processes whose memory is measured.
        sizes: numbers of dimensions in which sampling from MAF is timed.
    """
    other = Peer(peer, "flows_peer.py")
    for name, size, units in [*((name, 8, 64) for name in small), *((name, 43, 512) for name in large)]:
        x = normal(256, size)
        ways = ((True, 1), (False, 1), (True, TOGETHER))
        steps = [train_step(make(name, size, units), 256, compiled, count, x) for compiled, count in ways]
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(best_seconds(steps, repetitions) / [1, 1, TOGETHER])
            theirs.append(seconds_of_peers(other, "train", name, size, units, 256, repetitions))
        compare(f"{name}-{size}, networks {units}-{units}, step", np.array(ours), np.array(theirs))

    if num_samples:
        model, ours, theirs = make("MAF", 43, 512), [], []
        ways = [sampler(model, num_samples, compiled) for compiled in (True, False)]
        for _ in range(2):
            ours.append(best_seconds(ways, 3))
            theirs.append(seconds_of_peers(other, "sample", "MAF", 43, 512, num_samples, 1))
        compare(f"MAF-43, {num_samples} samples", np.array(ours), np.array(theirs))
    other.close()

    # A process for each figure, because a process does not return memory.
    tasks = [(verb, count) for verb in ("evaluate", "sample") for count in num_points]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for (verb, count), peak in zip(tasks, pool.imap(peak_megabytes, tasks, chunksize=1), strict=True):
            print(f"{verb} {count:,} points: {peak:.0f} MB", flush=True)

    for size in sizes:
        (seconds,) = best_seconds([sampler(make("MAF", size, 512), 1000, False)], 5)
        print(f"MAF-{size}, networks 512-512: {1e3 * seconds:.1f} µs for each of 1,000 samples", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
