"""A training step of MADE against the machine's limit, the matrix product.

    python benchmarks/made_step.py

prints, all measured in this run, the rate of a large matrix product, and for each training step its time, its rate, and
the ratio of the two rates. A step of batch B, D entries and H units counts as 3 · 4BDH operations: the forward pass and
the gradients of inputs and weights, whether masked or not. A step that skips masked operations can therefore exceed
100 %. The best of many repetitions counts, because other work on the machine can only slow a call down.
"""

import tensorflow as tf
import tyro
from timing import best_seconds, train_step

from keras_gen.autoregressive import MADE


def gemm_rate(size: int, repetitions: int) -> float:
    """Returns the operations per second of a product of two square float32 matrices."""
    a = tf.random.stateless_normal((size, size), (0, 1))
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(a, a)[0]), autograph=False)
    return 2 * size**3 / best_seconds([product], repetitions)[0]


def main(*, hidden_units: tuple[int, ...] = (500, 2000), batch_size: int = 100, repetitions: int = 100) -> None:
    """Prints the table.

    Args:
        hidden_units: widths of the single hidden layer to measure.
        batch_size: number of examples in a step.
        repetitions: number of calls; the best counts.
    """
    peak = gemm_rate(2048, repetitions)
    print(f"matrix product 2048 x 2048 x 2048: {peak / 1e9:.0f} GFLOP/s")
    print(f"{'step':28}{'ms':>8}{'GFLOP/s':>10}{'of peak':>10}")
    for units in hidden_units:
        for jit_compile in (True, False):
            step = train_step(MADE((784,), (units,)), batch_size, jit_compile)
            (seconds,) = best_seconds([step], repetitions)
            rate = 12 * batch_size * 784 * units / seconds
            name = f"MADE-{units}, batch {batch_size}, {'XLA' if jit_compile else 'no XLA'}"
            print(f"{name:28}{seconds * 1e3:8.2f}{rate / 1e9:10.0f}{rate / peak:10.0%}")
    again = gemm_rate(2048, repetitions)
    print(f"matrix product, again: {again / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    tyro.cli(main)
