"""Images from files, held in memory if they fit.

Pillow decodes them. An image is rotated according to its EXIF orientation; of an animation, the first frame is used;
transparent pixels are put on white, unless four channels are requested. Grey images of 16 bits keep all of their
levels.
"""

import concurrent.futures
import dataclasses
import functools
import io
import itertools
import math
import pathlib
import sys
import threading
from collections.abc import Callable

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

from keras_gen import checks
from keras_gen.data import columns
from keras_gen.spaces import Levels

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".heic", ".heif")

#: Pillow's modes of grey images of 16 bits.
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I")

#: Pillow's modes that are grey.
GREY_MODES = ("1", "L", "LA", "La", *DEEP_MODES)

#: Maps the number of channels to Pillow's mode of byte images.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}

#: If a folder has more than twice this many files, about this many headers are read before the first batch.
FIRST_HEADERS = 10_000

#: Headers that a thread reads at once: handing over each one separately would take as long as reading it.
HEADERS_AT_ONCE = 100

#: Largest number of files that an error names.
NAMED_FILES = 10

#: What an error adds about unreadable files, if there is a choice.
SKIP_HINT = ' `bad_files="skip"` (--bad-files skip) leaves such files out.'


@dataclasses.dataclass(frozen=True)
class Header:
    """The information at the beginning of an image file.

    Attributes:
        size: height and width of the upright image.
        grey: whether the image is grey.
        deep: whether its levels have 16 bits.
    """

    size: tuple[int, int]
    grey: bool
    deep: bool


def header_of(path: pathlib.Path | str | io.BytesIO) -> Header | str:
    """Returns the header of an image file, or of its contents, or the reason why it cannot be read."""
    try:
        with PIL.Image.open(path) as image:
            upright = image.getexif().get(0x0112, 1) < 5
            size = (image.height, image.width) if upright else (image.width, image.height)
            return Header(size, image.mode in GREY_MODES, image.mode in DEEP_MODES)
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        return reason(error, path)


def headers_of(paths: list[pathlib.Path | str]) -> dict[pathlib.Path | str, Header | str]:
    """Returns the result of `header_of` for each path, using several threads."""
    parts = [paths[start : start + HEADERS_AT_ONCE] for start in range(0, len(paths), HEADERS_AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = pool.map(lambda part: [header_of(path) for path in part], parts)
        return dict(zip(paths, itertools.chain.from_iterable(found), strict=True))


def decoded(path: pathlib.Path | str | io.BytesIO, channels: int, deep: bool = False) -> np.ndarray | str:
    """Returns an image of shape (height, width, channels), or the reason why it cannot be read.

    Args:
        path: path of its file, or the file's contents.
        channels: 1 for grey, 3 for colour, 4 for colour and opacity.
        deep: whether levels have 16 bits; 8 otherwise.
    """
    try:
        with PIL.Image.open(path) as image:
            image.load()
            image = PIL.ImageOps.exif_transpose(image)
            if image.mode in DEEP_MODES:
                levels = np.asarray(image).astype(np.int64)
                if levels.min() < 0 or levels.max() > 65_535:
                    return f"its levels are from {levels.min()} to {levels.max()}, which are no 16 bits"
                if deep:
                    return levels.astype(np.uint16)[..., np.newaxis]
                image = PIL.Image.fromarray((levels >> 8).astype(np.uint8))
            if image.mode == "F":
                return "it holds real numbers, not levels"
            if channels < 4 and image.has_transparency_data:
                image = image.convert("RGBA")
                white = PIL.Image.new("RGBA", image.size, "white")
                image = PIL.Image.alpha_composite(white, image)
            pixels = np.asarray(image.convert(MODES[channels]))
            return pixels.reshape(*pixels.shape[:2], channels)
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        return reason(error, path)


def reason(error: Exception, path: pathlib.Path | str | io.BytesIO) -> str:
    """Returns the message of an error, without the file's name."""
    shown = path if isinstance(path, io.BytesIO) else str(path)
    return str(error).replace(f" {shown!r}", "") or type(error).__name__


@dataclasses.dataclass(frozen=True)
class Expected:
    """Requirements on all images of a set, derived from the headers of some of them.

    Attributes:
        header: common header of these images.
        any_size: whether images may have other sizes.
        any_colour: whether images may have colours if the others have none.
    """

    header: Header
    any_size: bool
    any_colour: bool

    def difference(self, header: Header) -> str | None:
        """Returns how a header differs from what is expected, or None."""
        if not self.any_size and header.size != self.header.size:
            return f"it has the size {header.size}, others {self.header.size}; `image_size` brings all to one"
        if not self.any_colour and header.grey < self.header.grey:
            return "it has colours, others have none; `channels=3` keeps them"
        if header.deep != self.header.deep and (self.header.deep or self.header.grey):
            return "it has another depth than others, 8 bits or 16"
        return None


class HeaderCheck:
    """Reads the headers of files in the background once training has begun, and keeps the message about wrong ones.

    Args:
        paths: the files.
        expected: requirements from the headers of other files.
    """

    def __init__(self, paths: list[pathlib.Path | str], expected: Expected):
        self.sentence = None
        self.expected = expected
        self.thread = threading.Thread(target=self.run, args=(paths,), daemon=True)
        self.begun, self.lock = False, threading.Lock()

    def begin(self):
        """Begins to read, unless it has already begun."""
        with self.lock:
            if not self.begun:
                self.begun = True
                self.thread.start()

    def run(self, paths: list[pathlib.Path | str]):
        bad = {}
        for path in paths:
            found = header_of(path)
            why = found if isinstance(found, str) else self.expected.difference(found)
            if why:
                bad[str(path)] = why
                self.sentence = unreadable(bad)
                if len(bad) == NAMED_FILES:
                    return


class ImageFiles:
    """Images that are read from their files whenever they are needed.

    Args:
        paths: paths of the files, an array of strings.
        shape: height, width and channels of the images.
        resized: whether to resize the images to that size; otherwise they must have it.
        half: which half of each file is the image, "left" or "right"; None for the whole file.
        deep: whether levels have 16 bits; 8 otherwise.
        check: check that still reads the headers of the files.
    """

    def __init__(
        self,
        paths: np.ndarray,
        shape: tuple[int, int, int],
        *,
        resized: bool,
        half: str | None = None,
        deep: bool = False,
        check: HeaderCheck | None = None,
    ):
        self.paths = paths
        self.shape = shape
        self.resized = resized
        self.half = half
        self.deep = deep
        self.check = check

    @property
    def dtype(self) -> np.dtype:
        """Type of a level."""
        return np.dtype(np.uint16 if self.deep else np.uint8)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, rows):
        arguments = {"resized": self.resized, "half": self.half, "deep": self.deep, "check": self.check}
        return ImageFiles(self.paths[rows], self.shape, **arguments)

    def gather(self, indices):
        """Reads the images at an int64 tensor of indices."""
        found = tf.numpy_function(self.read_rows, [indices], self.dtype, stateful=False)
        return tf.ensure_shape(found, (indices.shape[0], *self.shape))

    def read_rows(self, indices: np.ndarray) -> np.ndarray:
        """Reads the images at an array of indices.

        Raises:
            ValueError: if one cannot be read, or an image of the set is already known not to fit it.
        """
        if self.check is not None and self.check.sentence is not None:
            raise ValueError(self.check.sentence)
        paths = self.paths[indices]
        images = [self.read(path) for path in paths]
        for path, image in zip(paths, images, strict=True):
            if isinstance(image, str):
                raise ValueError(unreadable({path: image}))
        if self.check is not None:
            self.check.begin()
        return np.stack(images) if images else np.zeros((0, *self.shape), self.dtype)

    def read(self, path: str) -> np.ndarray | str:
        """Reads one image; returns the reason if it cannot be read."""
        image = decoded(path, self.shape[-1], self.deep)
        if isinstance(image, str):
            return image
        if self.half is not None:
            width = image.shape[1] // 2
            image = image[:, :width] if self.half == "left" else image[:, width : 2 * width]
        if self.resized and image.shape != self.shape:
            image = resized_image(image, self.shape[:2])
        return image

    def read_all(self) -> tuple[np.ndarray, dict[str, str]]:
        """Returns all readable images as one array, and the reasons why others cannot be read, by path."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = list(pool.map(self.read, self.paths))
        images = [image for image in found if not isinstance(image, str)]
        bad = {path: image for path, image in zip(self.paths, found, strict=True) if isinstance(image, str)}
        return np.stack(images) if images else np.zeros((0, *self.shape), self.dtype), bad


def resized(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns an image of levels, resized to a height and width by bilinear interpolation."""
    return tf.cast(tf.round(tf.image.resize(image, size, antialias=True)), image.dtype)


def resized_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the result of `resized` for an image read from a file of any size."""
    return resizing(tuple(size), image.shape[-1], image.dtype.name)(tf.constant(image)).numpy()


@functools.cache
def resizing(size: tuple[int, int], channels: int, dtype: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns `resized` as a graph for images of any size, which takes a third of the time of eager operations."""
    images = tf.TensorSpec((None, None, channels), dtype)
    return tf.function(functools.partial(resized, size=size), input_signature=[images]).get_concrete_function()


def unreadable(bad: dict[str, str], kind: str = "image") -> str:
    """Returns the message that says which files are not readable images, or files of another kind, and why."""
    if len(bad) == 1:
        ((path, why),) = bad.items()
        return f"`name`: {path} is not a readable {kind} ({why})."
    named = "; ".join(f"{path} ({why})" for path, why in list(bad.items())[:NAMED_FILES])
    more = f"; and {len(bad) - NAMED_FILES} more" if len(bad) > NAMED_FILES else ""
    return f"`name`: {len(bad)} files are not readable {kind}s: {named}{more}."


class Rule:
    """The treatment of files that cannot be read.

    Args:
        bad_files: "refuse" raises an error that names them; "skip" leaves them out, and says how many there are. None
            refuses them without a choice.
    """

    def __init__(self, bad_files: str | None):
        self.skip = bad_files == "skip"
        self.hint = SKIP_HINT if bad_files == "refuse" else ""

    def apply(self, bad: dict[str, str], num_files: int):
        """Continues, or raises an error.

        Args:
            bad: path of each such file to the reason.
            num_files: number of files.

        Raises:
            ValueError: if there are such files and they are not skipped, or no files are left.
        """
        if not bad:
            return
        if not self.skip or len(bad) == num_files:
            raise ValueError(unreadable(bad) + self.hint)
        print(f"left out {len(bad)} of {num_files} files. {unreadable(bad)}", file=sys.stderr, flush=True)


def read_images(
    paths: dict[str, list[str]], image_size, channels: int | None, bad_files: str
) -> tuple[columns.Reading, dict[str, list[str]]]:
    """Reads images, or determines how to read them later.

    Args:
        paths: split to the paths of its images.
        image_size: as in `data.load`.
        channels: as in `data.load`.
        bad_files: as in `data.load`.

    Returns:
        What was read, and the paths of its files.

    Raises:
        ValueError: if images differ in size and no `image_size` is given, or a file is not an image.
    """
    found, space, kept = image_column(paths, image_size, channels=channels, bad_files=bad_files)
    by_split = {split: {"x": column} for split, column in found.items()}
    return columns.Reading(by_split, {"x": space}, options=("image_size", "channels", "bad_files")), kept


def image_column(
    paths: dict[str, list[pathlib.Path | str]],
    image_size,
    half: str | None = None,
    *,
    channels: int | None = None,
    bad_files: str | None = None,
) -> tuple[dict[str, columns.Column], Levels, dict[str, list[pathlib.Path | str]]]:
    """Returns the images of each split, held in memory if they fit, with their space and paths.

    Args:
        paths: split to the paths of its images.
        image_size: as in `data.load`; the size of the halves, if `half` is given.
        half: which half of each file is the image, "left" or "right"; None for the whole file.
        channels: as in `data.load`.
        bad_files: as in `data.load`; None if there is no choice.

    Raises:
        ValueError: as in `read_images`.
    """
    rule = Rule(bad_files)
    size = None if image_size is None else full_size(image_size)
    all_paths = [path for files in paths.values() for path in files]
    # With very many files, some of them determine what the others must be; the others are read during training.
    apart = len(all_paths) // FIRST_HEADERS if bad_files != "skip" else 0
    headers = headers_of(all_paths[:: max(1, apart)])
    bad = {str(path): found for path, found in headers.items() if isinstance(found, str)}
    good = {path: found for path, found in headers.items() if not isinstance(found, str)}
    if bad and not (rule.skip and good):
        # A file with a valid header may still be truncated; all such files are named at once.
        bad |= {str(path): why for path in good if isinstance(why := decoded(path, 3), str)}
        rule.apply(bad, len(all_paths))
    shape, expected = common_shape(good, size, channels)
    if half is not None and size is None:
        shape = (shape[0], shape[1] // 2, shape[2])
    deep = expected.header.deep
    known_bad = {path for path, header in headers.items() if isinstance(header, str)}
    kept = {split: [path for path in files if path not in known_bad] for split, files in paths.items()}
    fits = math.prod(shape) * (1 + deep) * (len(all_paths) - len(known_bad)) <= columns.MEMORY_LIMIT
    check = None
    if apart > 1:
        check = HeaderCheck([path for path in all_paths if path not in headers], expected)
    arguments = {"resized": image_size is not None, "half": half, "deep": deep, "check": check}
    found = {
        split: ImageFiles(np.array(list(map(str, files)), str), shape, **arguments) for split, files in kept.items()
    }
    if fits:
        if check is not None:
            check.begin()
            check.thread.join()
            if check.sentence is not None:
                raise ValueError(check.sentence)
        read = {split: files.read_all() for split, files in found.items()}
        bad |= {path: why for _, bad_ones in read.values() for path, why in bad_ones.items()}
        found = {split: images for split, (images, _) in read.items()}
        kept = {split: [path for path in files if str(path) not in bad] for split, files in kept.items()}
    rule.apply(bad, len(all_paths))
    return found, Levels(shape, 65_536 if deep else 256), kept


def common_shape(
    headers: dict[pathlib.Path | str, Header], size: tuple[int, int] | None, channels: int | None
) -> tuple[tuple[int, int, int], Expected]:
    """Returns the shape that images have, or are resized to, and the requirements on the headers of others.

    Args:
        headers: path or name of each examined image to its header.
        size: height and width that all images are resized to; None expects images of one size.
        channels: as in `data.load`.

    Raises:
        ValueError: if images differ in size or depth, or the number of channels is not supported.
    """
    found = size or common_size(headers)
    any_colour = channels is not None
    if channels is None:
        channels = 1 if all(header.grey for header in headers.values()) else 3
    elif channels not in MODES:
        raise ValueError(f"`channels` must be 1, 3, 4 or None, received {channels}.")
    deep = channels == 1 and any(header.deep for header in headers.values())
    if deep and not all(header.deep for header in headers.values()):
        first, other = (next(path for path in headers if headers[path].deep == which) for which in (True, False))
        raise ValueError(f"`name`: images must have one depth; {first} has 16 bits, but {other} has 8.")
    header = Header(found, channels == 1, deep)
    return (*found, channels), Expected(header, any_size=size is not None, any_colour=any_colour)


def common_size(headers: dict[pathlib.Path | str, Header]) -> tuple[int, int]:
    """Returns the common height and width of images.

    Raises:
        ValueError: if they differ in size.
    """
    first = next(iter(headers))
    for path, header in headers.items():
        if header.size != headers[first].size:
            raise ValueError(
                "`image_size` must be given, a height and width to bring all images to, such as 64 or (48, 64): "
                f"{path} has {header.size}, but {first} has {headers[first].size}."
            )
    return headers[first].size


def full_size(image_size) -> tuple[int, int]:
    """Returns a height and width, or one number for both, as a pair.

    Raises:
        TypeError: if it is neither an integer nor a pair of integers.
        ValueError: if it has a different length, or a number is below 1.
    """
    if isinstance(image_size, (int, np.integer)):
        image_size = (image_size, image_size)
    size = checks.positive_ints("image_size", image_size)
    if len(size) != 2:
        raise ValueError(f"`image_size` must be a whole number or (height, width), received {image_size}.")
    return size
