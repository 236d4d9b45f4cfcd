"""Training steps and draws of flows against zuko and nflows, the memory of many points, and how draws of MAF scale.

    python benchmarks/flows_step.py --peer ~/peers/bin/python

prints, all measured in this run,

- the time of a training step with Adam on 256 rows: of MAF, RealNVP and neural spline flows on 8 dimensions with nets
  64-64, and on 43 dimensions with nets 512-512; and that of the same nets in zuko and nflows with PyTorch's fused Adam,
  in turn; `--peer` names an interpreter with `pip install torch zuko nflows`;
- the time of drawing points of MAF on 43 dimensions, likewise;
- the largest memory of a process that evaluates, and that draws, more and more points;
- the time per drawn point of MAF in more and more dimensions D.

The best of many repetitions is taken, since other work on the machine only ever slows one down. Splines of zuko have
no linear maps between them, which ours and those of nflows have.
"""

import multiprocessing
import pathlib
import re
import subprocess
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tyro
from timing import best_seconds, train_step

from keras_gen.flows import MAF, MaskedSplineFlow, NeuralSplineFlow, RealNVP
from keras_gen.flows.base import FlowModel

LIBRARIES = ("zuko", "nflows")

#: Steps that run at once.
TOGETHER = 10

#: Points that are evaluated or drawn at once.
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
    """Returns the largest memory of this process after it evaluated or drew points, a chunk at a time."""
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
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


class Peer:
    """The process of the other side; without an interpreter, nothing.

    Args:
        interpreter: Python with PyTorch, zuko and nflows, or None.
    """

    def __init__(self, interpreter: pathlib.Path | None):
        script = pathlib.Path(__file__).with_name("flows_peer.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = None if interpreter is None else subprocess.Popen([interpreter.expanduser(), script], **pipes)

    def seconds(self, *words) -> list[float]:
        """Returns the shortest times of both libraries."""
        if self.process is None:
            return []
        found = []
        for library in LIBRARIES:
            print(library, *words, file=self.process.stdin, flush=True)
            found.append(float(self.process.stdout.readline()))
        return found


def compare(label: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Prints the best of each, and how many times the faster of the two others takes ours.

    Args:
        label: what was timed.
        ours: seconds with XLA, without, and of one of several steps at once, of shape `(rounds, 2 or 3)`.
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


def draws(model: FlowModel, num: int, jit_compile: bool):
    """Returns the drawing of points, as a function without arguments."""
    draw = tf.function(lambda seed: model.generate(model.noise(num, seed)), jit_compile=jit_compile, autograph=False)
    seed = tf.constant([0, 1])
    return lambda: draw(seed)


def main(
    *,
    peer: pathlib.Path | None = None,
    rounds: int = 5,
    repetitions: int = 20,
    small: tuple[str, ...] = ("MAF", "RealNVP", "NSF", "MaskedNSF"),
    large: tuple[str, ...] = ("MAF", "RealNVP", "NSF"),
    num_draws: int = 1000,
    num_points: tuple[int, ...] = (10_000, 100_000, 1_000_000),
    sizes: tuple[int, ...] = (8, 16, 32, 64, 128),
) -> None:
    """Prints the tables.

    Args:
        peer: Python interpreter that has PyTorch, zuko and nflows; without one, our side alone is timed.
        rounds: turns of ours and theirs.
        repetitions: steps in a turn, of which the best counts.
        small: flows on 8 dimensions.
        large: flows on 43 dimensions.
        num_draws: points that are drawn of MAF on 43 dimensions at once; 0 for none.
        num_points: points of the processes whose memory is measured.
        sizes: dimensions of the flows whose draws are timed alone.
    """
    other = Peer(peer)
    for name, size, units in [*((name, 8, 64) for name in small), *((name, 43, 512) for name in large)]:
        x = normal(256, size)
        ways = ((True, 1), (False, 1), (True, TOGETHER))
        steps = [train_step(make(name, size, units), 256, compiled, count, x) for compiled, count in ways]
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(best_seconds(steps, repetitions) / [1, 1, TOGETHER])
            theirs.append(other.seconds("train", name, size, units, 256, repetitions))
        compare(f"{name}-{size}, nets {units}-{units}, step", np.array(ours), np.array(theirs))

    if num_draws:
        model, ours, theirs = make("MAF", 43, 512), [], []
        ways = [draws(model, num_draws, compiled) for compiled in (True, False)]
        for _ in range(2):
            ours.append(best_seconds(ways, 3))
            theirs.append(other.seconds("sample", "MAF", 43, 512, num_draws, 1))
        compare(f"MAF-43, {num_draws} draws", np.array(ours), np.array(theirs))
    if other.process is not None:
        other.process.communicate()

    # A process for each figure, since memory once used is not given back.
    tasks = [(verb, count) for verb in ("evaluate", "draw") for count in num_points]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for (verb, count), peak in zip(tasks, pool.imap(peak_megabytes, tasks, chunksize=1), strict=True):
            print(f"{verb} {count:,} points: {peak:.0f} MB", flush=True)

    for size in sizes:
        (seconds,) = best_seconds([draws(make("MAF", size, 512), 1000, False)], 5)
        print(f"MAF-{size}, nets 512-512: {1e3 * seconds:.1f} µs for each of 1,000 draws", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
