"""An iteration of EM and a Parzen window, compared with scikit-learn's.

    python benchmarks/mixtures.py
    python benchmarks/mixtures.py --num-rows 1000000

The first prints, all measured in this run, the time of an iteration of EM on 20,000 rows of 32 entries, with 10
components of full covariance, and of the log-likelihood of 2,000 rows under 10,000 points in 784 dimensions. Both
libraries start from the same parameters, and their final log densities are compared as well; scikit-learn gets the
number of threads that is best for it. The second command runs only EM on the given number of rows, which a generator
makes batch by batch, and prints the growth of the process's memory.

Measured on two cores alongside other work: see `docs/mixtures.md`.
"""

import os
import resource
import time
import warnings

import numpy as np
import tensorflow as tf
import threadpoolctl
import tyro
from sklearn.mixture import GaussianMixture as PeerMixture
from sklearn.neighbors import KernelDensity
from timing import best_seconds

from keras_gen.evaluation.parzen import parzen_log_prob
from keras_gen.mixtures import GaussianMixture, ParzenWindow

NUM_COMPONENTS, SIZE = 10, 32


def clusters(num_rows: int, seed: int = 0) -> np.ndarray:
    """Returns rows from ten overlapping Gaussians."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(1).normal(size=(NUM_COMPONENTS, SIZE, SIZE)).astype(np.float32)
    centres = np.random.default_rng(2).normal(size=(NUM_COMPONENTS, SIZE)).astype(np.float32)
    labels = random.integers(0, NUM_COMPONENTS, num_rows)
    noise = random.standard_normal((num_rows, SIZE), np.float32)
    return centres[labels] + np.einsum("ni,nij->nj", noise, mixing[labels]) / SIZE**0.5


def expectation_maximisation(num_iterations: int, repetitions: int, batch_size: int) -> None:
    """Prints the time of an iteration of EM in both libraries."""
    x = clusters(20_000)
    identity = np.tile(np.eye(SIZE), (NUM_COMPONENTS, 1, 1))
    proportions, means = np.full(NUM_COMPONENTS, 1.0 / NUM_COMPONENTS), x[:NUM_COMPONENTS].astype(np.float64)
    model = GaussianMixture((SIZE,), NUM_COMPONENTS, min_scale=1e-6)
    model.compile()

    def ours():
        model.set_parameters(proportions, means, identity)
        # One iterator for all epochs, as in the recipes: making one takes longer than an iteration of EM.
        model.fit(batches, steps_per_epoch=steps, epochs=num_iterations, verbose=0)
        return model.means

    def peer(rows, num_threads):
        found = PeerMixture(
            NUM_COMPONENTS,
            weights_init=proportions,
            means_init=means,
            precisions_init=identity,
            max_iter=num_iterations,
            tol=0.0,
            reg_covar=0.0,
        )
        with threadpoolctl.threadpool_limits(num_threads):
            return found.fit(rows)

    batches = tf.data.Dataset.from_tensor_slices(x).batch(batch_size).cache().repeat()
    steps = -(-len(x) // batch_size)
    theirs = [lambda num=num: peer(x, num).means_ for num in range(1, os.cpu_count() + 1)]
    seconds = best_seconds([ours, *theirs], repetitions, warm_up=1) / num_iterations
    exact = x.astype(np.float64)
    truth = peer(exact, 1).score_samples(exact)
    errors = [np.abs(found - truth).max() for found in (model.log_prob(x).numpy(), peer(x, 1).score_samples(x))]
    print(
        f"EM iteration: keras_gen {seconds[0] * 1e3:.1f} ms, scikit-learn {seconds[1:].min() * 1e3:.1f} ms, "
        f"ratio {seconds[1:].min() / seconds[0]:.2f}; log densities differ from those of scikit-learn on float64 rows "
        f"by at most {errors[0]:.1e} and {errors[1]:.1e} nats"
    )


def parzen(repetitions: int) -> None:
    """Prints the time of the log-likelihood in both libraries."""
    random = np.random.default_rng(0)
    points, x = random.random((10_000, 784), np.float32), random.random((2000, 784), np.float32)
    model = ParzenWindow((784,))
    model.start_from(points, np.ones(len(points)))
    model.width.assign(0.3)
    log_prob = tf.function(model.log_prob)
    peer = KernelDensity(bandwidth=float(model.width.numpy())).fit(points)
    exact = parzen_log_prob(points.astype(np.float64), x[:100].astype(np.float64), np.array([0.3]))[0]
    errors = [np.abs(found - exact).max() for found in (log_prob(x[:100]).numpy(), peer.score_samples(x[:100]))]
    seconds = best_seconds([lambda: log_prob(x)], repetitions, warm_up=1)
    start = time.perf_counter()
    peer.score_samples(x)
    peer_seconds = time.perf_counter() - start
    print(
        f"Parzen window: keras_gen {seconds[0]:.3f} s, scikit-learn {peer_seconds:.3f} s, "
        f"ratio {peer_seconds / seconds[0]:.1f}; largest error against sums in float64 "
        f"{errors[0]:.1e} and {errors[1]:.1e} nats"
    )


def memory(num_rows: int, batch_size: int) -> None:
    """Prints the time of EM on rows that are never in memory together, and how much memory it takes."""

    def batches():
        for index in range(num_rows // batch_size):
            yield clusters(batch_size, seed=index)

    shape = tf.TensorSpec((batch_size, SIZE), tf.float32)
    data = tf.data.Dataset.from_generator(batches, output_signature=shape)
    data = data.apply(tf.data.experimental.assert_cardinality(num_rows // batch_size))
    model = GaussianMixture((SIZE,), NUM_COMPONENTS, num_starts=1)
    model.compile()
    before = 0
    for iteration in range(3):
        start = time.perf_counter()
        loss = model.fit(data, epochs=1, verbose=0).history["loss"][0]
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"iteration {iteration + 1} on {num_rows} rows: {time.perf_counter() - start:.1f} s, loss {loss:.3f}, "
            f"at most {highest:.0f} MB in the process, {highest - before:+.0f} MB",
            flush=True,
        )
        before = highest


def main(*, num_iterations: int = 20, repetitions: int = 5, batch_size: int = 5000, num_rows: int = 0) -> None:
    """Prints times and ratios or, if a number of rows is given, the memory that EM takes.

    Args:
        num_iterations: iterations of EM in a measurement.
        repetitions: number of measurements; the shortest counts.
        batch_size: rows in a batch.
        num_rows: number of rows for the measurement of memory; 0 to measure time.
    """
    warnings.simplefilter("ignore")
    if num_rows:
        memory(num_rows, batch_size)
        return
    expectation_maximisation(num_iterations, repetitions, batch_size)
    parzen(repetitions)


if __name__ == "__main__":
    tyro.cli(main)
