"""Examples that data pipelines deliver per second, the time to the first batch, and the memory that a set takes.

    python benchmarks/input.py

prints, for each kind of set, made by the script and read without holding it in memory (and held there, for comparison),

- the seconds from `data.load` to the first batch;
- the examples per second in batches in random order;
- how much the peak memory of a separate process grows beyond that of one that has loaded TensorFlow.

For comparison, it also prints the examples per second that a training step of MADE (500 hidden units) consumes.
"""

import multiprocessing
import pathlib
import tempfile
import time

import numpy as np
import tyro

BATCH_SIZE = 100


def write_array(folder: pathlib.Path, num: int) -> pathlib.Path:
    np.save(folder / "x.npy", np.random.default_rng(0).integers(0, 256, (num, 28, 28, 1), np.uint8))
    return folder / "x.npy"


def write_table(folder: pathlib.Path, num: int) -> pathlib.Path:
    import pandas as pd

    rows = np.random.default_rng(0).normal(size=(num, 10))
    pd.DataFrame(rows, columns=[f"column {index}" for index in range(10)]).to_parquet(folder / "x.parquet")
    return folder / "x.parquet"


def write_images(folder: pathlib.Path, num: int) -> pathlib.Path:
    import PIL.Image

    random = np.random.default_rng(0)
    for index in range(num):
        image = PIL.Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
        image.resize((64, 64), PIL.Image.Resampling.BICUBIC).save(folder / f"{index:06}.jpg")
    return folder


def write_sounds(folder: pathlib.Path, num: int) -> pathlib.Path:
    from scipy.io import wavfile

    random = np.random.default_rng(0)
    for index in range(num):
        wavfile.write(folder / f"{index:06}.wav", 8000, random.integers(-1000, 1000, 8000).astype(np.int16))
    return folder


#: Maps each kind of set to the function that writes one, its examples per thousand, and arguments of `data.load`.
SETS = {
    "array, 28×28 bytes": (write_array, 100, {"levels": 256}),
    "table, 10 columns (Parquet)": (write_table, 100, {}),
    "images, 64×64 JPEG": (write_images, 4, {}),
    "sounds, 8,000 samples (WAV)": (write_sounds, 4, {}),
}


def peak_megabytes() -> float:
    """Returns the peak memory of this process, as reported by Linux.

    `resource.getrusage` also counts that of the process that started this one.
    """
    lines = pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure(path: pathlib.Path, arguments: dict, in_memory: bool, steps: int, results) -> None:
    """Puts the seconds to the first batch, the examples per second, and the growth of the peak into a queue."""
    from keras_gen import data
    from keras_gen.data import columns

    if not in_memory:
        columns.MEMORY_LIMIT = 0
    next(iter(data.load("digits").train_from(0)))
    before, start = peak_megabytes(), time.perf_counter()
    batches = iter(data.load(path, batch_size=BATCH_SIZE, **arguments).train_from(0))
    next(batches)
    first = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(steps):
        next(batches)
    results.put((first, steps * BATCH_SIZE / (time.perf_counter() - start), peak_megabytes() - before))


def consumed(steps: int, results) -> None:
    """Puts the examples per second that a training step of MADE consumes into a queue."""
    from timing import best_seconds, train_step

    from keras_gen.autoregressive import MADE

    (seconds,) = best_seconds([train_step(MADE((28, 28, 1), (500,)), BATCH_SIZE)], steps)
    results.put(BATCH_SIZE / seconds)


def in_process(function, *arguments):
    """Runs a function in a separate process and returns what it puts into a queue."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=function, args=(*arguments, results))
    process.start()
    # The items are small, so the process need not wait until they are taken.
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__} failed; what it said stands above.")
    return results.get()


def main(*, thousands: int = 1, steps: int = 200) -> None:
    """Prints the figures.

    Args:
        thousands: size of sets: thousands of images and of sounds, hundreds of thousands of rows.
        steps: number of batches to time.
    """
    for name, (write, factor, arguments) in SETS.items():
        with tempfile.TemporaryDirectory() as root:
            path = write(pathlib.Path(root), 1000 * factor * thousands)
            for in_memory in (False, True):
                first, rate, memory = in_process(measure, path, arguments, in_memory, steps)
                place = "in memory" if in_memory else "in its files"
                print(
                    f"{name}, {place}: first batch after {first:.1f} s, {rate:,.0f} a second, {memory:,.0f} MB",
                    flush=True,
                )
    print(f"MADE consumes {in_process(consumed, 50):,.0f} examples in a second")


if __name__ == "__main__":
    tyro.cli(main)
