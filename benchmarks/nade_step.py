"""NADE's training step against the cumulative sum over a whole tensor, and cached sampling against whole passes.

    python benchmarks/nade_step.py

prints, all measured in this run on binary examples of 784 entries and models with 500 hidden units:

- the time of a training step (loss, gradients, Adam) of `NADE`, and of the same step if the hidden units of all
  positions are one tensor of batch × 784 × 500 numbers, a cumulative sum; both with and without XLA;
- the peak memory of a process that trains, for three batch sizes;
- the time to draw 100 examples with NADE and MADE, and 784 times the time of one pass over 100 examples.

The best of many repetitions counts, because other work on the machine can only slow a call down.
"""

import multiprocessing
import pathlib
import re

import tensorflow as tf
import tyro
from timing import best_seconds, bits, train_step

from keras_gen.autoregressive import MADE, NADE
from keras_gen.core import DensityModel

SIZE, HIDDEN_UNITS = 784, 500


class WholeTensorNADE(NADE):
    """NADE exactly as in its equations: a is one tensor of shape (batch, positions, hidden units)."""

    def logits(self, x, block_positions):
        weights = (self.kernel, self.hidden_bias, self.output_kernel, self.output_bias)
        kernel, hidden_bias, output_kernel, output_bias = map(tf.convert_to_tensor, weights)
        x = tf.reshape(x, (-1, self.event_size, 1))
        a = hidden_bias + tf.cumsum(x * kernel, axis=1, exclusive=True)
        y = tf.reduce_sum(self.activation_function(a) * output_kernel[..., 0], axis=-1)
        return y[..., tf.newaxis] + output_bias


def step_seconds(model: DensityModel, batch_size: int, jit_compile: bool, repetitions: int) -> float:
    """Returns the time of one step of `fit`."""
    return best_seconds([train_step(model, batch_size, jit_compile)], repetitions)[0]


def peak_bytes(whole_tensor: bool, batch_size: int) -> int:
    """Returns the peak memory of this process after some training steps."""
    step_seconds((WholeTensorNADE if whole_tensor else NADE)((SIZE,), HIDDEN_UNITS), batch_size, True, 3)
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def pass_seconds(model: DensityModel, num_samples: int, repetitions: int) -> float:
    """Returns the time of one pass that computes the parameters of all conditionals."""
    x = tf.constant(bits(num_samples, (SIZE,)))
    parameters = tf.function(model.parameters, autograph=False)
    return best_seconds([lambda: parameters(x)], repetitions)[0]


def main(
    *,
    batch_size: int = 100,
    num_samples: int = 100,
    repetitions: int = 30,
    batch_sizes: tuple[int, ...] = (100, 200, 400),
) -> None:
    """Prints the tables.

    Args:
        batch_size: number of examples in a training step.
        num_samples: number of examples to draw.
        repetitions: number of calls; the best counts.
        batch_sizes: numbers of examples in the steps whose memory is measured.
    """
    print(f"{'training step, batch ' + str(batch_size):44}{'ms':>8}{'ratio':>8}")
    seconds = {}
    for name, model in (("whole tensor", WholeTensorNADE), ("NADE", NADE)):
        for jit_compile in (False, True):
            found = step_seconds(model((SIZE,), HIDDEN_UNITS), batch_size, jit_compile, repetitions)
            seconds[name, jit_compile] = found
            ratio = seconds["whole tensor", jit_compile] / found
            print(f"{name + (', XLA' if jit_compile else ', no XLA'):44}{found * 1e3:8.1f}{ratio:8.1f}", flush=True)
    best = {name: min(seconds[name, True], seconds[name, False]) for name in ("whole tensor", "NADE")}
    print(f"{'best of each':44}{'':8}{best['whole tensor'] / best['NADE']:8.1f}")

    print(f"\n{'memory of a process that trains, MB, batch':44}" + "".join(f"{size:8}" for size in batch_sizes))
    # One process for each figure, because a process does not return memory.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for whole_tensor in (True, False):
            peaks = pool.starmap(peak_bytes, [(whole_tensor, size) for size in batch_sizes], chunksize=1)
            name = "whole tensor, XLA" if whole_tensor else "NADE, XLA"
            print(f"{name:44}" + "".join(f"{peak / 1e6:8.0f}" for peak in peaks), flush=True)

    print(f"\n{'drawing ' + str(num_samples) + ' examples':44}{'ms':>8}{'ratio':>8}")
    for model in (NADE((SIZE,), HIDDEN_UNITS), MADE((SIZE,), (HIDDEN_UNITS,))):
        name = type(model).__name__
        naive = SIZE * pass_seconds(model, num_samples, repetitions)
        (cached,) = best_seconds([lambda model=model: model.sample(num_samples, seed=0)], repetitions)
        print(f"{name + f', {SIZE} passes':44}{naive * 1e3:8.0f}")
        print(f"{name + ', cached':44}{cached * 1e3:8.0f}{naive / cached:8.1f}", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
