"""Folders of images, translated file by file."""

import concurrent.futures
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable

import numpy as np
import PIL.Image
import tensorflow as tf

from keras_gen import checks
from keras_gen.data.readers.folders import files_below
from keras_gen.data.readers.images import IMAGE_SUFFIXES, ImageFiles, header_of, unreadable
from keras_gen.export.graphs import as_graph
from keras_gen.files import atomic_file, check_folder, is_local, local_copy, path_of, read_ahead
from keras_gen.spaces import Levels
from keras_gen.translation.base import TranslationModel

#: Quality of JPEG files, out of 100.
JPEG_QUALITY = 95


@dataclasses.dataclass
class FolderReport:
    """The outcome for the files of a folder.

    Attributes:
        translated: number of images that were translated.
        resized: number of translated images whose size differed from that of the model's images.
        unreadable: path of each skipped file to the reason.
    """

    translated: int = 0
    resized: int = 0
    unreadable: dict[pathlib.Path, str] = dataclasses.field(default_factory=dict)


def translate_folder(
    model: TranslationModel,
    source: pathlib.Path,
    output: pathlib.Path,
    *,
    domain=None,
    back: bool = False,
    batch_size: int = 16,
    overwrite: bool = False,
    progress: Callable[[list], Iterable] = iter,
) -> FolderReport:
    """Translates all images of a folder, a few at a time, into files with the same names in another folder.

    Images of another size are resized, and their translations have the model's size. A file that cannot be read is
    skipped. A file is first written beside its destination, so that it appears only once it is complete.

    Args:
        model: trained model of grey or colour images in levels.
        source: folder of images, which may lie in subfolders.
        output: folder of the translations, which need not exist.
        domain: what to translate into, one value for all images, for a model with a `domain_space`.
        back: whether to translate the other way, by the model's `translate_back`.
        batch_size: number of images translated at once.
        overwrite: whether to replace existing files.
        progress: function that passes on the batches of a list and may show the progress.

    Raises:
        FileNotFoundError: if there is no such folder.
        FileExistsError: if a file already exists and is not to be replaced.
        ValueError: if the folder contains no readable image, `output` lies in `source`, or the model is of another
            kind.
        NotADirectoryError: if `output` is a file.
        OSError: if a translation cannot be written.
    """
    verb = Verb.of(model, back, domain)
    source, output = local_copy(source), path_of(output)
    paths = image_paths(source)
    if is_local(output) and output.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"`output` must lie outside of the folder {source}, received {output}.")
    if output.is_file():
        raise NotADirectoryError(f"`output` {output} is a file; a folder is expected.")
    targets = [output / path.relative_to(source) for path in paths]
    existing = [path for path in targets if path.exists()]
    if existing and not overwrite:
        raise FileExistsError(f"`output` {existing[0]} exists, one of {len(existing)}; --overwrite replaces them.")

    report = FolderReport()
    checks.positive_int("batch_size", batch_size)
    batches = [slice(start, start + batch_size) for start in range(0, len(paths), batch_size)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        read = read_ahead(list(pool.map(verb.read, paths[batch])) for batch in batches)
        for batch, images_read in zip(progress(batches), read, strict=False):
            images, places = [], []
            for path, target, found in zip(paths[batch], targets[batch], images_read, strict=True):
                if isinstance(found, str):
                    report.unreadable[path] = found
                else:
                    image, resized = found
                    images.append(image)
                    places.append(target)
                    report.resized += resized
            if images:
                # All files are written, and any error is raised, before the next batch is translated.
                list(pool.map(write_image, places, verb(np.stack(images))))
                report.translated += len(images)
    if not report.translated:
        path, reason = next(iter(report.unreadable.items()))
        raise ValueError(f"`input`: no image of the folder {source} can be read; of {path}: {reason}.")
    return report


@dataclasses.dataclass(frozen=True)
class Verb:
    """A translation by a model, from bytes to bytes.

    Attributes:
        function: function from images of `source`, in its levels, to images of `target`.
        source: space of source images.
        target: space of translations.
    """

    function: Callable[[np.ndarray], tf.Tensor]
    source: Levels
    target: Levels

    @classmethod
    def of(cls, model: TranslationModel, back: bool, domain) -> "Verb":
        """Returns a model's translation, in the other direction if `back` is true.

        Raises:
            ValueError: if the model does not have it, or does not have it for grey or colour images in levels, or if
                the domain is not one of the model's.
        """
        name = "translate_back" if back else "translate"
        signatures = model.signatures()
        if name not in signatures:
            raise ValueError(f"`model` must have the signature {name}; {type(model).__name__} has {list(signatures)}.")
        columns = (model.source_column, model.target_column)
        given, made = columns[::-1] if back else columns
        for space in (model.spaces[given], model.spaces[made]):
            if not isinstance(space, Levels) or space.shape[-1] not in (1, 3):
                raise ValueError(f"`model` must translate grey or colour images in levels; it has {space}.")
        domain = model.validated_domain(None if domain is None else np.asarray(domain)[np.newaxis])
        graph = as_graph(signatures[name])

        def function(images):
            more = {} if domain is None else {"domain": tf.repeat(domain, len(images), axis=0)}
            return graph(**{given: tf.constant(images)}, **more)[made]

        return cls(function, model.spaces[given], model.spaces[made])

    @functools.cached_property
    def files(self) -> ImageFiles:
        """How files are read: like those that models are trained on."""
        return ImageFiles(np.array([], str), self.source.shape, resized=True)

    def read(self, path: pathlib.Path) -> tuple[np.ndarray, bool] | str:
        """Returns an image and whether it had another size, or the reason why it cannot be read."""
        header = header_of(path)
        if isinstance(header, str):
            return header
        if path.suffix.lower() not in writable_suffixes():
            return f"its translation, which would have the same name, cannot be written as {path.suffix}"
        image = self.files.read(str(path))
        return image if isinstance(image, str) else (image, header.size != self.source.shape[:2])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Translates images of bytes into images of bytes, which are scaled to the levels of the spaces."""
        levels = np.round(images * ((self.source.num_levels - 1) / 255.0)).astype(np.float32)
        translations = self.function(levels).numpy() * (255.0 / (self.target.num_levels - 1))
        return np.round(translations).astype(np.uint8)


def first_images(folder: pathlib.Path, space: Levels, num: int) -> np.ndarray:
    """Returns the first images of a folder and its subfolders, ordered by name and resized if necessary.

    Args:
        folder: the folder.
        space: space of the images, to whose levels the bytes of the files are scaled.
        num: maximum number of images.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it contains no image, one cannot be read, or the space is not one of grey or colour images in
            levels.
    """
    if not isinstance(space, Levels) or space.shape[-1] not in (1, 3):
        raise ValueError(f"`model` must take grey or colour images in levels; it takes {space}.")
    paths = image_paths(local_copy(folder))[: checks.positive_int("num", num)]
    images, bad = ImageFiles(np.array(list(map(str, paths))), space.shape, resized=True).read_all()
    if bad:
        raise ValueError(unreadable(bad))
    return np.round(images * ((space.num_levels - 1) / 255.0)).astype(np.float32)


def image_paths(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the paths of the images in a folder and its subfolders, in order.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no image.
    """
    folder = folder.expanduser()
    check_folder(folder, "input")
    paths = list(map(pathlib.Path, files_below(folder, IMAGE_SUFFIXES)))
    if not paths:
        raise ValueError(f"`input`: the folder {folder} holds no image ({', '.join(IMAGE_SUFFIXES)}).")
    return paths


@functools.cache
def writable_suffixes() -> set[str]:
    """Returns the extensions of the formats that Pillow writes."""
    return {suffix for suffix, kind in PIL.Image.registered_extensions().items() if kind in PIL.Image.SAVE}


def write_image(path: pathlib.Path, image: np.ndarray) -> None:
    """Writes an image of bytes, in the format given by the file name's extension."""
    with atomic_file(path) as beside:
        PIL.Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(beside, quality=JPEG_QUALITY)
