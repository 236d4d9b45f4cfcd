"""`load`: from a name or a path to `Splits`."""

import difflib
import math
import os
import pathlib
import re
import zipfile

import numpy as np
import tensorflow as tf

from keras_gen import checks
from keras_gen.data import audio
from keras_gen.data.splits import Source, Splits

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
# Beyond this many bytes images are read from their files in every epoch.
MEMORY_LIMIT = 2**30


def load(
    name: str | os.PathLike,
    *,
    batch_size: int = 100,
    seed: int = 0,
    binarization: str = "none",
    levels: int | None = None,
    labels: bool = False,
    image_size: tuple[int, int] | None = None,
    audio_length: int | None = None,
    columns: str | None = None,
    standardize: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> Splits:
    """Loads a data set as train, validation and test pipelines.

    Args:
        name: one of

            - "digits": 1,797 handwritten digits of 8×8 pixels and 17 levels, which come with scikit-learn;
            - "breast_cancer": 569 rows of 30 measurements of cell nuclei, which come with scikit-learn, too;
            - a two-dimensional toy density: see `keras_gen.data.toy`;
            - "tones": 640 notes of eight pitches, made here;
            - the name of a TFDS set of images or of sound, such as "mnist" or "spoken_digit", prepared in
              `$TFDS_DATA_DIR` or `~/tensorflow_datasets`;
            - a path to an `.npz` file (arrays `train`, `valid`, `test` or `x_train`, `x_test`), an `.npy` or
              `.csv` file (one example a row; split 80/10/10), or a folder of images or of WAV files (likewise, or
              with subfolders `train`, `val` and `test`). The labels of sounds are their subfolders, in
              alphabetical order.
        batch_size: examples in a batch, of all replicas and workers together.
        seed: seed of the order of the training examples.
        binarization: "none", "threshold", "static" or "dynamic"; see `Splits.binarized`.
        levels: number of levels of an entry; None finds it: 2 for bits, 256 for bytes, the largest value plus one
            for other integers; floats are real numbers.
        labels: whether to yield `(x, label)` instead of `x`.
        image_size: (height, width) to which the images of a folder are resized.
        audio_length: samples of an example of sound: longer recordings are cut, and silence follows shorter ones.
            None takes the length of the longest.
        columns: columns of a table to keep, such as "0:11" or "0,2,5".
        standardize: whether to subtract the training mean of real vectors and divide by their standard deviation.
        shard: (index, count): keep the examples whose position is `index` modulo `count`.

    Raises:
        FileNotFoundError: if the path does not exist, or the TFDS set is not prepared; the message says how to
            get it.
        ValueError: if the name is unknown or the file does not hold what it should.
    """
    checks.positive_int("batch_size", batch_size)
    if not (0 <= shard[0] < shard[1]):
        raise ValueError(f"`shard` must be (index, count) with 0 <= index < count, received {shard}.")
    arrays, name = read(str(name), image_size=image_size, columns=columns)
    sample_rate = None
    if isinstance(arrays, audio.Recordings):
        sample_rate, arrays = arrays.sample_rate, arrays.cut(audio_length, MEMORY_LIMIT)
        if standardize:
            raise ValueError(f"`standardize` must be False: {name} holds sound, whose amplitudes go from -1 to 1.")
    elif audio_length is not None:
        raise ValueError(f"`audio_length` must be None: {name} holds no sound; received {audio_length}.")
    if isinstance(arrays, dict):
        arrays = complete(arrays, name)
        event_shape, found_levels, sources, scale = from_arrays(arrays, labels, standardize, name)
    else:
        event_shape, found_levels, sources, scale = (*arrays, None)
    splits = Splits(
        name=name,
        event_shape=event_shape,
        levels=found_levels if levels is None else checks.levels(levels),
        binarization="none",
        batch_size=batch_size,
        seed=seed,
        sources=sources,
        shard=shard,
        scale=scale,
        sample_rate=sample_rate,
    )
    return splits.binarized(binarization)


def read(name: str, *, image_size, columns):
    """Finds the reader for a name or path and returns what it read, and the set's name."""
    from keras_gen.data import toy

    path = pathlib.Path(name).expanduser()
    if name == "digits":
        return read_digits(), name
    if name == "breast_cancer":
        return read_breast_cancer(), name
    if name in toy.NAMES:
        return read_toy(name), name
    if name == "tones":
        return audio.tones(), name
    if path.is_dir():
        return read_folder(path, image_size), path.name
    if path.suffix in (".npz", ".npy", ".csv", ".data", ".txt"):
        if not path.is_file():
            raise FileNotFoundError(f"`name`: there is no file {name}.")
        readers = {".npz": read_npz, ".npy": lambda path: {"all": (np.load(path),)}}
        reader = readers.get(path.suffix, lambda path: read_table(path, columns))
        return reader(path), path.name
    return read_tfds(name, ("digits", "breast_cancer", "tones", *toy.NAMES)), name


def read_digits() -> dict[str, tuple[np.ndarray, ...]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {"all": (digits.images[..., np.newaxis].astype(np.uint8), digits.target)}


def read_breast_cancer() -> dict[str, tuple[np.ndarray, ...]]:
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    return {"all": (table.data, table.target)}


def read_toy(name: str) -> dict[str, tuple[np.ndarray, ...]]:
    from keras_gen.data import toy

    sizes = {"train": 20_000, "validation": 2_000, "test": 10_000}
    return {
        split: (toy.get(name).sample(size, seed=number).astype(np.float32),)
        for number, (split, size) in enumerate(sizes.items())
    }


def read_npz(path: pathlib.Path) -> dict[str, tuple[np.ndarray, ...]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`name`: {path} is not a readable .npz file ({error}).") from None
    splits = {}
    for split, names in {
        "train": ("train", "x_train"),
        "validation": ("valid", "validation", "x_valid", "x_validation"),
        "test": ("test", "x_test"),
    }.items():
        for array_name in names:
            if array_name in arrays:
                labels = arrays.get(array_name.replace("x_", "y_")) if array_name.startswith("x_") else None
                splits[split] = (arrays[array_name],) if labels is None else (arrays[array_name], labels)
    if "train" not in splits:
        raise ValueError(f"`name`: {path} must hold an array `train` or `x_train`; it holds {', '.join(arrays)}.")
    return splits


def read_table(path: pathlib.Path, columns: str | None) -> dict[str, tuple[np.ndarray, ...]]:
    """Reads numbers separated by commas or white space, under an optional line of names."""
    with open(path, encoding="utf-8") as file:
        first = file.readline()
    delimiter = "," if "," in first else None
    fields = first.strip().split(delimiter)
    header = not any(is_number(field) for field in fields)
    indices = range(len(fields)) if columns is None else parse_columns(columns, len(fields))
    try:
        table = np.loadtxt(
            path, dtype=np.float32, delimiter=delimiter, skiprows=int(header), usecols=tuple(indices), ndmin=2
        )
    except ValueError as error:
        raise ValueError(f"`name`: {path} must hold numbers in every row and column ({error}).") from None
    return {"all": (table,)}


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_columns(columns: str, count: int) -> list[int]:
    """Returns the indices that "0:11", "0,2,5" or "0:4,6" names, out of `count` columns."""
    indices = []
    try:
        for part in columns.split(","):
            bounds = [int(bound) if bound else None for bound in part.split(":")]
            indices += range(count)[slice(*bounds)] if len(bounds) > 1 else [range(count)[bounds[0]]]
    except (ValueError, TypeError, IndexError):
        raise ValueError(
            f"`columns` must be indices such as '0:11' or '0,2,5' out of {count} columns, received {columns!r}."
        ) from None
    return indices


def read_folder(folder: pathlib.Path, image_size):
    """Reads a folder of images or of sounds."""
    sounds, images = (files_by_split(folder, suffixes) for suffixes in ((".wav",), IMAGE_SUFFIXES))
    if not sounds and not images:
        raise ValueError(f"`name`: the folder {folder} holds no image ({', '.join(IMAGE_SUFFIXES)}) and no .wav file.")
    if sounds and images:
        raise ValueError(f"`name`: the folder {folder} holds both images and WAV files; one of them is expected.")
    return audio.read_files(sounds) if sounds else read_images(folder, images, image_size)


def files_by_split(folder: pathlib.Path, suffixes: tuple[str, ...]) -> dict[str, dict[pathlib.Path, str]]:
    """Finds the files with one of the suffixes, and for each the name of the subfolder that it lies in.

    Files right in the folder, or in one of its subfolders `train`, `val` and `test`, lie in none, which is "".
    """
    names = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}
    roots = {split: [folder / name for name in found] for split, found in names.items()}
    if not (folder / "train").is_dir():
        roots = {"all": [folder]}
    files = {}
    for split, found in roots.items():
        for root in found:
            for path in sorted(root.rglob("*")):
                if path.suffix.lower() in suffixes:
                    subfolder = path.parent.relative_to(root)
                    files.setdefault(split, {})[path] = "/".join(subfolder.parts)
    return files


def read_images(folder: pathlib.Path, files: dict[str, dict[pathlib.Path, str]], image_size):
    """Reads images, into memory where they fit."""
    first = decode(tf.constant(str(next(iter(next(iter(files.values())))))), None)
    event_shape = (*(image_size or first.shape[:2]), first.shape[-1])
    paths = {split: np.array([str(path) for path in found]) for split, found in files.items()}

    def gather(split_paths):
        def images(indices):
            decoded = tf.map_fn(
                lambda path: decode(path, image_size, event_shape[-1]),
                tf.gather(split_paths, indices),
                fn_output_signature=tf.TensorSpec(event_shape, tf.uint8),
            )
            return (decoded,)

        return images

    num_bytes = math.prod(event_shape) * sum(map(len, paths.values()))
    if num_bytes > MEMORY_LIMIT:
        paths = {split: values[0] for split, values in complete({s: (p,) for s, p in paths.items()}, folder).items()}
        sources = {split: Source(len(values), gather(tf.constant(values))) for split, values in paths.items()}
        return event_shape, 256, sources
    arrays = {}
    for split, values in paths.items():
        images = []
        for path in values:
            image = decode(tf.constant(path), image_size, event_shape[-1]).numpy()
            if image.shape != event_shape:
                raise ValueError(
                    f"`image_size` must be given: {path} has shape {image.shape}, but the first image {event_shape}."
                )
            images.append(image)
        arrays[split] = (np.stack(images),)
    return arrays


def decode(path: tf.Tensor, image_size, channels: int = 0) -> tf.Tensor:
    image = tf.io.decode_image(tf.io.read_file(path), channels=channels, expand_animations=False)
    if image_size is not None:
        image = tf.cast(tf.round(tf.image.resize(image, image_size, antialias=True)), tf.uint8)
    return image


def read_tfds(name: str, built_in: tuple[str, ...]):
    """Reads a prepared TFDS set, never from the network."""
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        near = difflib.get_close_matches(name, built_in, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the built-in sets are {', '.join(built_in)};"
        raise ValueError(f"`name` {name!r} is unknown; {hint} TFDS sets need `pip install keras_gen[tfds]`.") from None
    if not re.fullmatch(r"\w+(/[\w.-]+)?(:[\w.*]+)?", name):
        raise FileNotFoundError(f"`name`: there is no file or folder {name}.")
    # The variable is read now, not when TFDS was imported.
    data_dir = os.environ.get("TFDS_DATA_DIR", os.path.expanduser("~/tensorflow_datasets"))
    try:
        builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
        sets = builder.as_dataset()
    except (AssertionError, FileNotFoundError, tfds.core.DatasetNotFoundError):
        known = tfds.list_builders(with_community_datasets=False)
        base_name = name.split("/")[0].split(":")[0]
        if base_name not in known:
            checks.choice("name", base_name, (*built_in, *known))
        raise FileNotFoundError(
            f"`name`: the TFDS set {name!r} is not prepared in {data_dir}; "
            f"run `tfds build {base_name} --data_dir {data_dir}` where there is a network, or set TFDS_DATA_DIR."
        ) from None
    if "train" not in sets:
        raise ValueError(f"`name`: the TFDS set {name!r} has no split `train`; it has {', '.join(sets)}.")
    features = builder.info.features
    keys = [key for key in ("image", "audio", "label") if key in features]
    if not {"image", "audio"} & set(keys):
        raise ValueError(f"`name`: the TFDS set {name!r} has no feature `image` or `audio`; it has {list(features)}.")
    if builder.info.dataset_size > MEMORY_LIMIT:
        raise ValueError(
            f"`name`: the TFDS set {name!r} is larger than the {MEMORY_LIMIT >> 30} GiB that are held in memory; "
            "export its examples to a folder and give the path."
        )
    if keys[0] == "audio":
        return audio.from_examples(sets, features["audio"].sample_rate, name)
    arrays = {}
    for split in ("train", "validation", "test"):
        if split in sets:
            whole = next(iter(sets[split].batch(builder.info.splits[split].num_examples)))
            arrays[split] = tuple(whole[key].numpy() for key in keys)
    return arrays


def complete(arrays: dict[str, tuple[np.ndarray, ...]], name) -> dict[str, tuple[np.ndarray, ...]]:
    """Returns all three splits, taking those that are missing from the rest, the same ones at every call.

    A set without any splits is divided 80/10/10 in a shuffled order; a missing test or validation split is the
    last sixth (at most 10,000 examples) of the training examples.
    """
    shares = {"test": 6, "validation": 6}
    if "all" in arrays:
        order = np.random.default_rng(0).permutation(len(arrays["all"][0]))
        arrays = {"train": tuple(column[order] for column in arrays["all"])}
        shares = {"test": 10, "validation": 9}
    for split, share in shares.items():
        if split not in arrays:
            count = len(arrays["train"][0])
            held_out = min(10_000, -(-count // share))
            arrays[split] = tuple(column[count - held_out :] for column in arrays["train"])
            arrays["train"] = tuple(column[: count - held_out] for column in arrays["train"])
    for split, columns in arrays.items():
        if len(columns[0]) == 0:
            raise ValueError(f"`name`: the {split} split of {name} holds no examples; at least one is expected.")
    return arrays


def from_arrays(arrays, labels: bool, standardize: bool, name: str):
    """Returns event shape, levels, sources and scale of arrays."""
    x = arrays["train"][0]
    if x.dtype.kind not in "buif":
        raise ValueError(f"`name`: {name} must hold numbers, received dtype {x.dtype}.")
    if labels and any(len(columns) < 2 for columns in arrays.values()):
        raise ValueError(f"`labels` must be False: {name} has none.")
    levels = scale = None
    if x.dtype.kind in "bui":
        largest = max(int(columns[0].max()) for columns in arrays.values())
        levels = 2 if largest <= 1 else 256 if x.dtype == np.uint8 and name != "digits" else largest + 1
    elif not np.isfinite(x).all():
        raise ValueError(f"`name`: {name} holds NaN or infinity; finite numbers are expected.")
    if standardize:
        if levels is not None:
            raise ValueError(f"`standardize` must be False: {name} holds whole levels.")
        scale = x.mean(axis=0), x.std(axis=0)
        if not (scale[1] > 0).all():
            constant = np.flatnonzero(scale[1] == 0).tolist()
            raise ValueError(f"`standardize` needs columns that vary; columns {constant} of {name} are constant.")
    sources = {}
    for split in ("train", "validation", "test"):
        rows, *rest = arrays[split]
        if levels is None:
            rows = rows.astype(np.float32)
            rows = rows if scale is None else ((rows - scale[0]) / scale[1]).astype(np.float32)
        elif levels <= 256:
            rows = rows.astype(np.uint8)
        if rows.ndim == 3 and levels is not None:
            rows = rows[..., np.newaxis]
        if rows.ndim == 1:
            rows = rows[:, np.newaxis]
        sources[split] = Source.from_arrays(rows, *(rest if labels else ()))
    return sources["train"].array.shape[1:], levels, sources, scale
