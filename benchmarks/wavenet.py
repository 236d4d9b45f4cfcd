"""WaveNet: sampling with a queue for each layer, and with one pass over the receptive field for every sample.

    python benchmarks/wavenet.py

prints, all measured in this run, for two cycles of dilations 1, 2, …, 512 with 32 features,

- the time to draw 4,096 samples of sound with the queues, and with a pass over the receptive field of 2,048 samples
  for each. The latter follows from the time of one pass, compiled by XLA or not, whichever is faster, that computes
  only the parameters of the last sample; the first 2,048 samples, which have fewer before them, count as half a pass;
- the time per sample, with the queues, for sounds of growing length.

All are called in turn and the best of several repetitions counts, because other work can only slow a call down.
"""

from collections.abc import Callable

import tensorflow as tf
import tyro
from timing import best_seconds

from keras_gen.autoregressive import WaveNet

DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) * 2


def make(length: int) -> WaveNet:
    return WaveNet((length,), filters=32, skip_filters=128, dilations=DILATIONS)


def sampling(length: int, num_samples: int) -> Callable:
    model = make(length)
    return lambda: model.sample(num_samples, seed=0)


def whole_pass(num_samples: int, jit_compile: bool) -> Callable:
    """Returns a pass over the receptive field that computes the parameters of the next sample."""
    model = make(2 + sum(DILATIONS))
    # A position sees the samples before it; one more sample, of any value, takes the place of the next one.
    x = tf.random.stateless_uniform((num_samples, model.event_size + 1), (0, 0), -1.0, 1.0)

    def parameters():
        outputs = model.dilated_layers(model.input_layer(model.samples(x)))
        return model.parameters_of(outputs[:, -1])

    return tf.function(parameters, autograph=False, jit_compile=jit_compile)


def main(
    *,
    repetitions: int = 10,
    length: int = 4096,
    num_samples: tuple[int, ...] = (1, 16),
    lengths: tuple[int, ...] = (1024, 2048, 4096, 8192, 16_384),
) -> None:
    """Prints the tables.

    Args:
        repetitions: number of calls; the best counts.
        length: number of samples of the sounds that are drawn both ways.
        num_samples: numbers of sounds to draw.
        lengths: numbers of samples of the sounds that are only drawn with queues.
    """
    field = 2 + sum(DILATIONS)
    passes = length - min(length, field) ** 2 / (2 * field)
    for number in num_samples:
        functions = [sampling(length, number), *(whole_pass(number, jit_compile) for jit_compile in (False, True))]
        cached, *naive = best_seconds(functions, repetitions)
        naive = passes * min(naive)
        print(f"{number} of {length:,} samples: queues {cached:.3f} s, passes {naive:.1f} s (×{naive / cached:.0f})")

    functions = [sampling(size, 1) for size in lengths]
    for size, seconds in zip(lengths, best_seconds(functions, repetitions), strict=True):
        print(f"queues, 1 of {size:,}: {seconds:.3f} s, {seconds / size * 1e6:.1f} µs per sample")


if __name__ == "__main__":
    tyro.cli(main)
