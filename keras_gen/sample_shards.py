"""Many samples of a model, in files of some thousands each; a killed process resumes where it stopped."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_gen import checks, seeds
from keras_gen.core import GenerativeModel, saving
from keras_gen.devices import on_all_devices
from keras_gen.files import atomic_file, path_of, remove_folder
from keras_gen.spaces import ClassLabel, Levels, Space

#: Files beside the shards: the request, written first, and the index, written last.
REQUEST, INDEX = "request.json", "index.json"


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file of samples.

    Attributes:
        number: its number, from 0, which determines its seed.
        start: the number of its first sample.
        size: number of its samples.
    """

    number: int
    start: int
    size: int

    def batches(self, batch_size: int) -> Iterator[tuple[int, int, int, int]]:
        """Yields, for each batch, the numbers of the shard, of the batch and of its first sample, and its size."""
        for batch, start in enumerate(range(0, self.size, batch_size)):
            yield self.number, batch, self.start + start, min(batch_size, self.size - start)


def sample_to_folder(
    model: GenerativeModel,
    folder: str | os.PathLike,
    num_samples: int,
    *,
    seed: int = 0,
    condition: Sequence | None = None,
    batch_size: int = 100,
    shard_size: int = 10_000,
    overwrite: bool = False,
    progress: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
    devices: Sequence[str] | None = None,
    **options,
) -> list[pathlib.Path]:
    """Draws any number of examples into `.npy` files, in constant memory, on all GPUs.

    A shard appears when it is whole, and has its own seed, so the same call continues with the missing shards and ends
    with the same samples as an uninterrupted one. `index.json`, written last, lists the shards. Levels are integers, of
    one byte if there are 256 levels or fewer; other entries are float32.

    Args:
        model: the model.
        folder: new folder, or one that an identical call has begun.
        num_samples: number of examples.
        seed: the same seed draws the same examples on any number of devices.
        condition: conditions to draw in turn, for a conditional model: sample r has the condition at index r modulo
            their number. None means all classes, or the examples that the model's condition space makes.
        batch_size: examples drawn at once.
        shard_size: examples in a file.
        overwrite: replace what an earlier call has written to the folder.
        progress: function that shows progress over batches, given the batches and their number.
        devices: as in `on_all_devices`.
        **options: options that the model declares in `sampling_options`.

    Returns:
        The shards' files.

    Raises:
        ValueError: if the folder holds samples from a different call, or an argument is not positive.
        FileExistsError: if the folder holds other files, or is finished.
    """
    folder = path_of(folder)
    for name, value in {"num_samples": num_samples, "batch_size": batch_size, "shard_size": shard_size}.items():
        checks.positive_int(name, value)
    space = model.condition_space
    if condition is None and isinstance(space, ClassLabel):
        condition = range(space.num_classes)
    turns = None if condition is None else list(condition)
    if turns is not None:
        # A NumPy array of text would cut sentences to one length.
        turns = np.array(turns, object if isinstance(turns[0], str) else None)
    request = {
        "num_samples": num_samples,
        "event_shape": list(model.event_shape),
        "dtype": stored_dtype(model.event_space).name,
        "seed": seed,
        "condition": None if turns is None else turns.tolist(),
        "options": options,
        "batch_size": batch_size,
        "shard_size": shard_size,
        "model": type(model).__name__,
        "weights": saving.digest(model),
    }
    claim(folder, request, overwrite)
    starts = range(0, num_samples, shard_size)
    shards = [Shard(number, start, min(shard_size, num_samples - start)) for number, start in enumerate(starts)]
    files = [folder / f"{shard.number:05d}-of-{len(shards):05d}.npy" for shard in shards]
    missing = [(shard, file) for shard, file in zip(shards, files, strict=True) if not file.exists()]

    def draw(shard, batch, start, num):
        fold_in = tf.random.experimental.stateless_fold_in
        batch_seed = fold_in(fold_in(seeds.as_pair(seed), shard), batch)
        rows = None
        if turns is not None:
            rows = turns[(start + np.arange(num)) % len(turns)]
        elif space is not None:
            rows = space.examples(num, batch_seed)
        return model.sample(num, condition=rows, seed=batch_seed, **options).numpy()

    calls = [call for shard, _ in missing for call in shard.batches(batch_size)]
    drawn = iter(progress(on_all_devices(draw, calls, devices), len(calls)))
    header = {"descr": np.dtype(request["dtype"]).str, "fortran_order": False}
    for shard, file in missing:
        with atomic_file(file) as beside, beside.open("wb") as opened:
            np.lib.format.write_array_header_1_0(opened, {**header, "shape": (shard.size, *model.event_shape)})
            for _ in shard.batches(batch_size):
                opened.write(next(drawn).astype(request["dtype"]).tobytes())
    listed = [{"file": file.name, "num_samples": shard.size} for shard, file in zip(shards, files, strict=True)]
    write_exactly(folder / INDEX, {**request, "shards": listed})
    return files


def claim(folder: pathlib.Path, request: dict, overwrite: bool):
    """Makes a folder for samples, or checks that an existing one belongs to the same request.

    Raises:
        ValueError: if it belongs to a different request.
        FileExistsError: if it holds other files, or is finished.
    """
    earlier = None
    if (folder / REQUEST).is_file():
        earlier = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"`output` {folder} holds other files; an empty or a new folder is expected.")
    if earlier is not None and overwrite:
        remove_folder(folder)
    elif earlier is not None and (folder / INDEX).is_file():
        raise FileExistsError(f"`output` {folder} exists; --overwrite replaces it.")
    elif earlier is not None and earlier != request:
        changed = ", ".join(sorted(name for name in request if earlier.get(name) != request[name]))
        raise ValueError(
            f"`output` {folder} holds a part of samples of another request, which differs in {changed}; --overwrite "
            "replaces it."
        )
    write_exactly(folder / REQUEST, request)
    # Files that a killed process has begun to write.
    for begun in folder.glob(".*-of-*.npy-*"):
        remove_folder(begun)


def write_exactly(path: pathlib.Path, value: dict):
    """Writes what is later read and compared, including infinite options, which `files.write_json` would make null."""
    with atomic_file(path) as beside:
        beside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def stored_dtype(space: Space) -> np.dtype:
    """Returns the type that samples are stored in: for levels, the smallest integer type."""
    return np.min_scalar_type(space.num_levels - 1) if isinstance(space, Levels) else np.dtype(np.float32)
