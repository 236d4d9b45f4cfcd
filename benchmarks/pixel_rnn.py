"""A training step of PixelRNN against the numbers of rows, diagonals and pixels of its images.

    python benchmarks/pixel_rnn.py

prints, all measured in this run, the time of a training step and the size of the images for several sizes, each also as
a multiple of the first. The steps of a Row LSTM are the rows, those of a Diagonal BiLSTM the diagonals. With the
default narrow network and one image in a batch, the number of steps determines the time, as on a device whose
arithmetic units are not all busy; with `--batch-size 16 --units 16` the arithmetic of two cores does, which grows with
the number of pixels. Finally, it prints the time to draw 100 images with the cache, against one whole pass for every
pixel (one pass is timed). All are called in turn and the best of many repetitions counts, because other work can only
slow a call down.
"""

import tensorflow as tf
import tyro
from timing import best_seconds, train_step

from keras_gen.autoregressive import DiagonalBiLSTM, RowLSTM

SIZES = ((8, 8), (16, 16), (32, 32), (16, 32), (32, 16))


def sampling(model_class, num_samples: int, repetitions: int) -> tuple[float, float]:
    """Returns the seconds to draw images of 28×28 pixels, with the cache and with one pass per pixel."""
    model = model_class((28, 28, 1), units=16, num_layers=1)
    x = model.sample(num_samples, seed=0)
    whole_pass = tf.function(lambda: model.parameters(x), autograph=False, jit_compile=True)
    cached, one_pass = best_seconds([lambda: model.sample(num_samples, seed=0), whole_pass], repetitions)
    return cached, one_pass * model.num_positions


def main(*, units: int = 4, batch_size: int = 1, repetitions: int = 50) -> None:
    """Prints the tables.

    Args:
        units: number of units of the LSTM, which has one layer.
        batch_size: number of images in a step.
        repetitions: number of calls; the best counts.
    """
    for model_class, name in ((RowLSTM, "rows"), (DiagonalBiLSTM, "diagonals")):
        for jit_compile in (False, True):
            models = [model_class((*size, 1), units=units, num_layers=1, head_units=units) for size in SIZES]
            functions = [train_step(model, batch_size, jit_compile) for model in models]
            milliseconds = best_seconds(functions, repetitions) * 1e3
            print(f"{model_class.__name__}, {'XLA' if jit_compile else 'no XLA'}")
            print(f"{'image':>9}{name:>18}{'pixels':>18}{'ms':>18}")
            for size, taken in zip(SIZES, milliseconds, strict=True):
                steps = [rows if name == "rows" else rows + columns for rows, columns in (size, SIZES[0])]
                pixels = [rows * columns for rows, columns in (size, SIZES[0])]
                cells = [f"{now:.4g} (×{now / first:.1f})" for now, first in (steps, pixels, (taken, milliseconds[0]))]
                print(f"{size[0]:>5}×{size[1]:<3}" + "".join(f"{cell:>18}" for cell in cells))
        cached, naive = sampling(model_class, 100, 5)
        print(f"100 images of 28×28: cached {cached:.2f} s, a pass per pixel {naive:.0f} s (×{naive / cached:.0f})\n")


if __name__ == "__main__":
    tyro.cli(main)
