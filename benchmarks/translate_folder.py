"""Images of a folder that a trained model translates per second, and the memory that a longer folder costs.

    python benchmarks/translate_folder.py

prints, for JPEG photographs of 256×256 pixels made by the script and a Pix2Pix of 64×64 (the files are read, resized,
translated, and written under their names), all measured in this run,

- files per second, and images per second of the generator alone on batches of the same size in memory;
- the memory of the process after a folder of a few hundred files, and after one of several times as many.
"""

import pathlib
import tempfile
import time

import numpy as np
import PIL.Image
import tensorflow as tf
import tyro
from timing import best_seconds, megabytes

from keras_gen.translation import Pix2Pix, translate_folder

SHAPE, SIDE, BATCH_SIZE = (64, 64, 3), 256, 16


def write_photographs(folder: pathlib.Path, num: int) -> None:
    """Writes smooth random images with files about as large as those of photographs."""
    random = np.random.default_rng(0)
    for index in range(num):
        small = PIL.Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8))
        small.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC).save(folder / f"{index:05}.jpg")


def main(*, filters: int = 16, files: int = 320, times: int = 4) -> None:
    """Prints the figures.

    Args:
        filters: channels of the generator's first layer; the paper has 64.
        files: number of files of the first folder.
        times: factor by which the second folder has more files.
    """
    model = Pix2Pix(SHAPE, SHAPE, filters=filters)
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        for name, num in (("warm up", BATCH_SIZE), ("few", files), ("many", times * files)):
            source = root / name
            source.mkdir()
            write_photographs(source, num)
            start = time.perf_counter()
            translate_folder(model, source, root / f"{name} translated", batch_size=BATCH_SIZE)
            seconds = time.perf_counter() - start
            if name != "warm up":
                print(f"{num:,} files: {num / seconds:,.0f} in a second; then {megabytes():.0f} MB", flush=True)
    images = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, *SHAPE)).astype(np.float32)
    translate = tf.function(model.translate)
    (seconds,) = best_seconds([lambda: translate(images)], 20)
    print(f"the generator alone: {BATCH_SIZE / seconds:,.0f} images in a second")


if __name__ == "__main__":
    tyro.cli(main)
