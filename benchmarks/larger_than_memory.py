"""Trains on sets that are too large to be held in memory, one at a time, each made here and removed afterwards.

    python benchmarks/larger_than_memory.py

prints, for each kind of set, its size; the seconds from `data.load` to the first batch, and those in a second process,
which finds what the first one has converted or counted, with the processor seconds in brackets, which are not affected
by other programs; the training steps of a model per second; how much the peak memory of the process grew beyond that of
one that has read a small set; and the load of the machine.

The kinds: `array`, 12 GB of bytes in an `.npy` file, sparse on disks that support holes (MADE); `table`, a Parquet file
of 50 million rows (RealNVP), which is converted first; `images`, 200,000 files, hard links to a few (DCGAN); `shards`,
1,200,000 JPEG images in 100 TFRecord files (DCGAN), whose records are counted first; `tfds`, a TFDS set of more than
1 GiB (WaveNet on sounds).
"""

import os
import pathlib
import shutil
import tempfile
import time

import keras
import numpy as np
import tyro
from input import in_process, peak_megabytes

BATCH_SIZE = 100


def write_array(folder: pathlib.Path, scale: float) -> pathlib.Path:
    num, path = int(scale * 12e9) // 784, folder / "x.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (num, 28, 28, 1)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        # The first rows are bytes of all levels; the others are a hole, which reads as zeros.
        file.write(np.random.default_rng(0).integers(0, 256, 784 * 10_000, np.uint8).tobytes())
        file.truncate(start + 784 * num)
    return path


def write_table(folder: pathlib.Path, scale: float) -> pathlib.Path:
    import pyarrow
    from pyarrow import parquet

    random, path = np.random.default_rng(0), folder / "x.parquet"
    names = [f"column {index}" for index in range(6)]
    schema = pyarrow.schema([(name, pyarrow.float32()) for name in names])
    with parquet.ParquetWriter(path, schema) as file:
        for _ in range(max(1, round(scale * 50))):
            rows = random.normal(size=(6, 1_000_000)).astype(np.float32)
            file.write_table(pyarrow.table(dict(zip(names, rows, strict=True)), schema=schema))
    return path


def write_images(folder: pathlib.Path, scale: float) -> pathlib.Path:
    random, num_links = np.random.default_rng(0), 1000
    for index in range(max(1, round(scale * 200))):
        # A disk allows some ten thousand links to a file.
        first = folder / f"{index:04}-0000.jpg"
        smooth_image(random).save(first)
        for link in range(1, num_links):
            os.link(first, folder / f"{index:04}-{link:04}.jpg")
    return folder


def smooth_image(random: np.random.Generator):
    """Returns a Pillow image of 64×64 pixels."""
    import PIL.Image

    image = PIL.Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
    return image.resize((64, 64), PIL.Image.Resampling.BICUBIC)


def write_shards(folder: pathlib.Path, scale: float) -> pathlib.Path:
    import io

    import tensorflow as tf

    random, num = np.random.default_rng(0), max(1, round(scale * 100))
    for index in range(num):
        file = io.BytesIO()
        smooth_image(random).save(file, "JPEG")
        image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[file.getvalue()]))
        example = tf.train.Example(features=tf.train.Features(feature={"image": image})).SerializeToString()
        with tf.io.TFRecordWriter(str(folder / f"x-{index:05}-of-{num:05}.tfrecord")) as writer:
            for _ in range(12_000):
                writer.write(example)
    return folder


def write_tfds(folder: pathlib.Path, scale: float) -> str:
    import tensorflow_datasets as tfds

    num = max(10, int(scale * 70_000))

    class Noise(tfds.core.GeneratorBasedBuilder):
        """Sounds of 8,000 samples with 16 bits."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"audio": tfds.features.Audio(sample_rate=8000, dtype=np.int16)})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, manager):
            return {"train": self._generate_examples(0, num), "test": self._generate_examples(num, num // 10)}

        def _generate_examples(self, first, num):
            for index in range(first, first + num):
                yield index, {"audio": np.random.default_rng(index).integers(-9000, 9000, 8000, np.int16)}

    Noise(data_dir=folder).download_and_prepare()
    os.environ["TFDS_DATA_DIR"] = str(folder)
    return "noise"


def made(splits):
    from keras_gen.autoregressive import MADE

    return MADE(splits.event_shape, (500,))


def real_nvp(splits):
    from keras_gen.flows import RealNVP

    return RealNVP(splits.event_shape, 4, (64,))


def dcgan(splits):
    from keras_gen.adversarial import DCGAN

    return DCGAN(splits.event_shape, filters=(16, 32, 64))


def wavenet(splits):
    from keras_gen.autoregressive import WaveNet

    return WaveNet(splits.event_shape, filters=4, skip_filters=8, dilations=(1, 2, 4, 8))


#: Maps each kind to the function that writes a set, arguments of `data.load`, the function that makes a model of it,
#: and the number of examples in a batch.
KINDS = {
    "array": (write_array, {"levels": 256, "binarization": "dynamic"}, made, BATCH_SIZE),
    "table": (write_table, {}, real_nvp, BATCH_SIZE),
    "images": (write_images, {}, dcgan, BATCH_SIZE),
    "shards": (write_shards, {}, dcgan, BATCH_SIZE),
    "tfds": (write_tfds, {"audio_length": 2000}, wavenet, 10),
}


def first_batch(kind: str, path):
    """Returns the set, its training batches, elapsed and processor seconds to the first one, and the previous peak."""
    from keras_gen import data

    _, arguments, make, batch_size = KINDS[kind]
    # The memory of the libraries themselves does not count.
    small = written(np.zeros((100, 6), np.float32)) if kind == "table" else "photos" if make is dcgan else "digits"
    next(iter(data.load(small, batch_size=batch_size).train_from(0)))
    before, start, worked = peak_megabytes(), time.perf_counter(), time.process_time()
    splits = data.load(path, batch_size=batch_size, **arguments)
    batches = splits.train_from(0)
    next(iter(batches))
    seconds = (time.perf_counter() - start, time.process_time() - worked)
    return splits, batches, seconds, before


def train(kind: str, path, steps: int, results) -> None:
    """Puts the examples, the seconds to the first batch, steps per second, and the growth of the peak into a queue."""
    splits, batches, first, before = first_batch(kind, path)
    make = KINDS[kind][2]
    model = make(splits)
    model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(2 if make is dcgan else 1)))
    model.fit(batches, steps_per_epoch=2, verbose=0)
    start = time.perf_counter()
    model.fit(batches, steps_per_epoch=steps, verbose=0)
    rate = steps / (time.perf_counter() - start)
    results.put((splits.size("train"), first, rate, peak_megabytes() - before))


def begin_again(kind: str, path, results) -> None:
    """Puts the seconds to the first batch into a queue."""
    results.put(first_batch(kind, path)[2])


def shown(seconds: tuple[float, float]) -> str:
    """Returns elapsed seconds and processor seconds as text."""
    return f"{seconds[0]:.1f} s ({seconds[1]:.1f})"


def written(rows: np.ndarray) -> pathlib.Path:
    """Writes rows to a file."""
    path = pathlib.Path(tempfile.mkdtemp(), "small.npy")
    np.save(path, rows + np.random.default_rng(0).normal(size=rows.shape))
    return path


def main(
    *, kinds: tuple[str, ...] = tuple(KINDS), scale: float = 1.0, steps: int = 200, folder: pathlib.Path | None = None
) -> None:
    """Prints the figures.

    Args:
        kinds: kinds of sets.
        scale: share of the sizes above to use.
        steps: training steps.
        folder: folder where sets are made; by default the system's temporary folder.
    """
    for kind in kinds:
        root = pathlib.Path(tempfile.mkdtemp(dir=folder))
        os.environ["KERAS_GEN_CACHE"] = str(root / "cache")
        try:
            path = KINDS[kind][0](root, scale)
            files = [file.stat() for file in root.rglob("*") if file.is_file()]
            size = sum(state.st_size for state in files)
            num, first, rate, memory = in_process(train, kind, path, steps)
            again = in_process(begin_again, kind, path)
        finally:
            shutil.rmtree(root)
        print(
            f"{kind}: {num:,} training examples in {len(files):,} files of {size / 1e9:.2f} GB; first batch after "
            f"{shown(first)}, and again after {shown(again)}, {rate:.1f} steps a second, {memory:,.0f} MB more at the "
            f"peak; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors",
            flush=True,
        )


if __name__ == "__main__":
    tyro.cli(main)
