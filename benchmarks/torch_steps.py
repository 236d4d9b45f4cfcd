"""Functions that the PyTorch peers share: they time plain and compiled training steps, as requested by `timing.Peer`.

This file is imported in the peers' interpreter, which has PyTorch and not keras_gen.
"""

import functools
import sys
import time
from collections.abc import Callable, Sequence


def best_seconds(step: Callable, repetitions: int, warm_up: int = 2) -> float:
    """Returns the shortest time of a call.

    Args:
        step: function without arguments.
        repetitions: number of calls that count.
        warm_up: number of calls before them.
    """
    times = []
    for _ in range(warm_up + repetitions):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times[warm_up:])


def answer_lines(players: Sequence, examples: Callable[[int], tuple]) -> None:
    """Answers lines "batch_size repetitions" with the shortest time of a step of each in seconds until the input ends.

    Args:
        players: objects with a method `step`.
        examples: function from a number of examples to the arguments of `step`.
    """
    for line in sys.stdin:
        batch_size, repetitions = map(int, line.split())
        batch = examples(batch_size)
        print(*(best_seconds(functools.partial(each.step, *batch), repetitions) for each in players), flush=True)
