"""DALL-E's transformer: drawing codes with a cache against one pass per code, and the cost of reading captions.

    python benchmarks/dalle_sampling.py

prints, all measured in this run, for three blocks of width 96 and captions of 12 words,

- the time to draw codes of several sizes with cached keys and values, and with one whole pass for every code (one pass
  is timed, as a graph);
- the share of turning strings into token ids in the time of a training step, with a batch of 100 and 7×7 codes.

All are called in turn and the best of many repetitions counts, because other work can only slow a call down.
"""

import numpy as np
import tensorflow as tf
import tyro
from timing import best_seconds, train_step

from keras_gen.autoregressive.dalle import CodesGivenText

WORDS = tuple(f"word{index}" for index in range(60))


def make(side: int) -> CodesGivenText:
    return CodesGivenText((side, side, 1), WORDS, 64, num_tokens=12, num_layers=3, width=96)


def captions(num: int) -> tf.Tensor:
    rows = np.random.default_rng(0).integers(0, len(WORDS), (num, 8))
    return tf.constant([" ".join(WORDS[index] for index in row) for row in rows])


def main(num_samples: int = 16, sides: tuple[int, ...] = (7, 16, 32), repetitions: int = 5):
    """Prints the times.

    Args:
        num_samples: number of captions to draw codes for at once.
        sides: numbers of rows and columns of the codes.
        repetitions: number of calls of each that count.
    """
    for side in sides:
        model, condition = make(side), captions(num_samples)
        x = tf.zeros((num_samples, side, side, 1))
        one_pass = tf.function(model.parameters, autograph=False)
        cached, whole = best_seconds(
            [
                lambda model=model, condition=condition: model.sample(num_samples, condition=condition, seed=0),
                lambda one_pass=one_pass, x=x, condition=condition: one_pass(x, condition),
            ],
            repetitions,
        )
        print(
            f"{num_samples} images of {side}×{side} codes: {cached:.3f} s with the cache, {side * side} passes "
            f"{side * side * whole:.3f} s, ×{side * side * whole / cached:.1f}"
        )
    model, condition = make(7), captions(100)
    x = np.random.default_rng(1).integers(0, 64, (100, 7, 7, 1)).astype(np.float32)
    tokens = tf.function(model.tokens, autograph=False)
    step = train_step(model, 100, examples={"x": x, "condition": condition})
    reading, training = best_seconds([lambda: tokens(condition), step], 20)
    share = f"{reading / training:.1%} of a step of {1e3 * training:.0f} ms"
    print(f"token ids of 100 captions: {1e3 * reading:.2f} ms, {share}")


if __name__ == "__main__":
    tyro.cli(main)
