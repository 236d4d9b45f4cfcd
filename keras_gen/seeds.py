"""Seeds, an int or a pair of ints for each stream of random numbers, and the numbers that a seed determines."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def as_pair(seed) -> tf.Tensor:
    """Returns `seed` as the int32 tensor of shape (2,) that TFP's samplers take.

    Args:
        seed: an int, a pair of ints, or an integer tensor of shape () or (2,).

    Raises:
        TypeError: if `seed` is anything else.
    """
    if tf.is_tensor(seed):
        if not seed.dtype.is_integer or seed.shape not in ((), (2,)):
            raise TypeError(f"`seed` must be an integer or a pair of integers, received {seed!r}.")
        seed = tf.cast(seed, tf.int32)
        return tf.stack([0, seed]) if seed.shape.rank == 0 else seed
    pair = seed if isinstance(seed, (tuple, list, np.ndarray)) and np.shape(seed) == (2,) else (0, seed)
    if not all(isinstance(part, (int, np.integer)) and not isinstance(part, bool) for part in pair):
        raise TypeError(f"`seed` must be an integer or a pair of integers, received {seed!r}.")
    # Any Python int is a seed: only its lowest 32 bits count.
    return tf.constant(np.array([int(part) & 0xFFFFFFFF for part in pair], np.uint32).view(np.int32))


def draws(sources: dict[str, tfd.Distribution], num, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Draws from each of several named distributions.

    Args:
        sources: distributions by name.
        num: number of draws of each.
        seed: int32 tensor of shape (2,).

    Returns:
        Name to tensor of shape `(num, ...)`.
    """
    parts = tfp.random.split_seed(seed, n=len(sources))
    return {name: source.sample(num, seed=part) for (name, source), part in zip(sources.items(), parts, strict=True)}


#: Number of values that Philox draws at once.
DRAWN_AT_ONCE = 4


def uniform(shape, seed: tf.Tensor) -> tf.Tensor:
    """Returns uniform float32 numbers from 0 to 1.

    Args:
        shape: shape of the result.
        seed: int32 tensor of shape (2,).
    """
    # XLA's default algorithm is ten times slower on a CPU.
    return tf.random.stateless_uniform(shape, seed, alg="philox")


def uniform_rows(shape, seed: tf.Tensor, start) -> tf.Tensor:
    """Returns some of the rows that `uniform` returns for a larger shape, without drawing the others; on the CPU.

    Args:
        shape: shape of the result, an int32 tensor.
        seed: int32 tensor of shape (2,).
        start: number of rows before these, an int64 scalar.
    """
    sizes = tf.cast(shape, tf.int64)
    before = tf.cast(start, tf.int64) * tf.reduce_prod(sizes[1:])
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    # The counter, whose lower half starts at 0, grows by one with each draw.
    counter += tf.cast(tf.stack([before // DRAWN_AT_ONCE, 0]), tf.uint64)
    behind = before % DRAWN_AT_ONCE
    num = behind + tf.reduce_prod(sizes)
    drawn = tf.raw_ops.StatelessRandomUniformV2(
        shape=[num], key=key, counter=counter, alg=tf.random.Algorithm.PHILOX.value
    )
    return tf.reshape(drawn[behind:], shape)


def normal(shape, seed: tf.Tensor) -> tf.Tensor:
    """Returns float32 standard normal numbers: see `uniform`."""
    return tf.random.stateless_normal(shape, seed, alg="philox")


def replica_context() -> tf.distribute.ReplicaContext | None:
    """Returns the context of one of several replicas; None if there is only one, or outside a step."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def replica_rows(draw: Callable[[tf.Tensor], tf.Tensor], batch_size: tf.Tensor):
    """Draws for the global batch of a strategy and returns the rows of this replica.

    Replicas may hold different numbers of rows, as in the last batch of an epoch, or none.

    Args:
        draw: function from a number of rows to a tensor, or a structure of tensors, with that many rows.
        batch_size: number of rows of this replica.
    """
    if replica_context() is None:
        return draw(batch_size)
    start, total = replica_place(batch_size)
    return tf.nest.map_structure(lambda rows: rows[start : start + batch_size], draw(total))


def replica_place(batch_size: tf.Tensor) -> tuple[tf.Tensor | int, tf.Tensor]:
    """Returns how many rows of the global batch precede those of this replica, and how many there are in total.

    Args:
        batch_size: number of rows of this replica.
    """
    context = replica_context()
    if context is None:
        return 0, batch_size
    sizes = context.all_gather(tf.reshape(batch_size, (1,)), axis=0)
    return tf.reduce_sum(sizes[: context.replica_id_in_sync_group]), tf.reduce_sum(sizes)
