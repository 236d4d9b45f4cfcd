"""The share of reading captions in a training step of the text-to-image GAN.

    python benchmarks/text_step.py

prints, measured in turn in this run, the time of a training step on 28×28 images with batches of 64, for the widths of
the recipe and DCGAN's own, and that of turning the captions of a batch into token ids, which each step does once. The
best of many repetitions is taken, because other work on the machine can only slow a repetition down.
"""

import random

import numpy as np
import tensorflow as tf
import tyro
from timing import best_seconds, compiled_step

from keras_gen.adversarial import TextToImageGAN
from keras_gen.data.captions import DIGITS, PHRASES, sentence
from keras_gen.networks import vocabulary

BATCH_SIZE = 64


def captions() -> np.ndarray:
    """Returns the captions of a batch; they mention every property and are the longest possible."""
    choose = random.Random(0)
    facts = [[(name, choose.choice(list(PHRASES[name]))) for name in PHRASES] for _ in range(BATCH_SIZE)]
    return np.array([sentence(choose, choose.choice(choose.choice(DIGITS)), each) for each in facts], object)


def main(*, repetitions: int = 20) -> None:
    """Prints the figures.

    Args:
        repetitions: number of steps; the best counts.
    """
    texts = captions()
    images = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, 28, 28, 1)).astype(np.float32)
    batch = {"x": images, "condition": texts, "label": np.arange(BATCH_SIZE, dtype=np.int32) % 10}
    read, strings = tf.function(model_of(texts, (1,)).tokenizer), tf.constant(texts)
    for filters in ((16, 32, 64), (64, 128, 256)):
        model = model_of(texts, filters)
        model.compile()
        of_step, reading = best_seconds([compiled_step(model, batch), lambda: read(strings)], repetitions)
        print(
            f"filters {filters}: step {1e3 * of_step:.1f} ms, captions {1e3 * reading:.2f} ms, {reading / of_step:.2%}"
        )


def model_of(texts: np.ndarray, filters: tuple[int, ...]) -> TextToImageGAN:
    return TextToImageGAN((28, 28, 1), words=vocabulary(texts), num_classes=10, filters=filters)


if __name__ == "__main__":
    tyro.cli(main)
