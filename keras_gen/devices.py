"""Shares the calls of a function among several devices of one machine."""

import collections
import concurrent.futures
import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import tensorflow as tf

T = TypeVar("T")


def on_all_devices(
    function: Callable[..., T], calls: Iterable[tuple], devices: Sequence[str] | None = None
) -> Iterator[T]:
    """Yields the results of many calls of a function, in order; devices take the next call in turn.

    At most as many calls as there are devices run or wait to be yielded, so memory does not grow with their number.

    Args:
        function: function without side effects; its result must not depend on the device.
        calls: positional arguments of each call.
        devices: names of devices; None for all GPUs, or for the default device if there are fewer than two.
    """
    if devices is None:
        devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    if len(devices) < 2:
        yield from itertools.starmap(function, calls)
        return

    def call(device, arguments):
        with tf.device(device):
            return function(*arguments)

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(devices)))
        # A caller that stops asking for results waits only for the calls that are already running.
        stack.callback(pool.shutdown, cancel_futures=True)
        waiting = collections.deque()
        for device, arguments in zip(itertools.cycle(devices), calls, strict=False):
            if len(waiting) == len(devices):
                yield waiting.popleft().result()
            waiting.append(pool.submit(call, device, arguments))
        while waiting:
            yield waiting.popleft().result()
