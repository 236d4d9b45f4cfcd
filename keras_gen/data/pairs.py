"""`load_pairs`: loads folders of images as `Splits` of sources and targets."""

import os
import pathlib
from typing import Literal

from keras_gen import checks
from keras_gen.data.columns import three_splits
from keras_gen.data.readers.folders import check_that_some_train, files_by_split
from keras_gen.data.readers.images import IMAGE_SUFFIXES, image_column
from keras_gen.data.readers.tfds import read_tfds_pairs
from keras_gen.data.splits import Source, Splits
from keras_gen.files import check_folder, local_copy


def load_pairs(
    name: str | os.PathLike,
    target: str | os.PathLike | None = None,
    *,
    source: Literal["left", "right"] = "left",
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 1,
    seed: int = 0,
    shard: tuple[int, int] = (0, 1),
) -> Splits:
    """Loads pairs of images, as columns "source" and "target".

    Folders are divided as in `data.load`: by subfolders `train`, `val` and `test`, or 80/10/10.

    Args:
        name: a folder of images. Without `target`, each of its files holds two images side by side; with `target`, the
            files are the sources. Or the name of a prepared TFDS set whose feature "image" holds the sources; `target`
            then names the feature that holds the targets, such as "segmentation_mask".
        target: folder of the targets, whose files have the same names apart from their extensions; or a feature.
        source: which half of a file that holds two images is the source.
        image_size: (height, width) that all images are resized to, or one number for a square. None expects images of
            one size.
        batch_size: examples in a batch, over all replicas and workers together.
        seed: seed of the order of the training examples and of their random changes.
        shard: (index, count): keep the examples whose position is `index` modulo `count`.

    Raises:
        FileNotFoundError: if there is no such folder or set.
        ValueError: if a folder holds no images, an image has no partner, or images differ in size.
    """
    checks.positive_int("batch_size", batch_size)
    checks.choice("source", source, ("left", "right"))
    folder, name = local_copy(name), str(name)
    if target is not None and not folder.is_dir():
        found, spaces = read_tfds_pairs(name, str(target), image_size)
    else:
        check_folder(folder, "name")
        name = folder.name
        paths = image_files(folder)
        if target is None:
            other = {"left": "right", "right": "left"}[source]
            read = {"source": (paths, source), "target": (paths, other)}
        else:
            partners = local_copy(target)
            check_folder(partners, "target")
            read = {
                "source": (paths, None),
                "target": (partners_of(paths, image_files(partners), folder, partners), None),
            }
        columns = {column: image_column(files, image_size, half) for column, (files, half) in read.items()}
        spaces = {column: space for column, (_, space, _) in columns.items()}
        found = {split: {column: files[split] for column, (files, *_) in columns.items()} for split in paths}
    found = three_splits(found, name)
    sources = {split: Source.from_columns(by_name) for split, by_name in found.items()}
    return Splits(name, spaces, "none", batch_size, seed, sources, shard)


def image_files(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the paths of the images in a folder, by split.

    Raises:
        ValueError: if there are none.
    """
    found = files_by_split(folder, IMAGE_SUFFIXES)
    files = {split: list(map(pathlib.Path, paths)) for split, paths in found.items()}
    if not files:
        raise ValueError(f"`name`: the folder {folder} holds no image ({', '.join(IMAGE_SUFFIXES)}).")
    check_that_some_train(folder, found)
    return files


def partners_of(
    sources: dict[str, list[pathlib.Path]],
    targets: dict[str, list[pathlib.Path]],
    source_folder: pathlib.Path,
    target_folder: pathlib.Path,
) -> dict[str, list[pathlib.Path]]:
    """Returns, in the order of the sources, the targets with the same names apart from their extensions.

    Raises:
        ValueError: if a file of either folder has no partner, or two have the same name.
    """

    def by_name(files: dict[str, list[pathlib.Path]], folder: pathlib.Path) -> dict[pathlib.Path, pathlib.Path]:
        found = {}
        for path in (path for paths in files.values() for path in paths):
            other = found.setdefault(path.relative_to(folder).with_suffix(""), path)
            if other != path:
                raise ValueError(f"`name` and `target` must hold one image of each name; there are {other} and {path}.")
        return found

    ours, theirs = by_name(sources, source_folder), by_name(targets, target_folder)
    alone = sorted(ours.keys() ^ theirs.keys())
    if alone:
        raise ValueError(
            f"`target` must hold an image for each one in {source_folder}, with the same name, and no other one; "
            f"{(ours | theirs)[alone[0]]} has no partner."
        )
    return {
        split: [theirs[path.relative_to(source_folder).with_suffix("")] for path in paths]
        for split, paths in sources.items()
    }
