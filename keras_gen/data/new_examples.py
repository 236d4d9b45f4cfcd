"""New examples for a trained model: read a few at a time, and prepared like the data it was trained on."""

import concurrent.futures
import dataclasses
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from keras_gen import checks
from keras_gen.data import audio
from keras_gen.data.captioned_folders import captions_file, captions_of, load_conditioned
from keras_gen.data.loading import FILE_SUFFIXES
from keras_gen.data.readers.arrays import npy_rows
from keras_gen.data.readers.folders import files_by_split, files_outside
from keras_gen.data.readers.images import IMAGE_SUFFIXES, SKIP_HINT, ImageFiles, header_of, unreadable
from keras_gen.data.readers.shards import holds_shards
from keras_gen.data.readers.tables import TABLE_SUFFIXES, frames_of, read_frame, suffix_of
from keras_gen.data.splits import Splits
from keras_gen.data.stored import parts_of
from keras_gen.files import local_copy
from keras_gen.spaces import ClassLabel, Levels, Numbers, Sound, Space, Text

#: The highest level of images of 8 bits and of 16.
BYTES, WORDS = 255, 65_535

#: What an error adds if rows could be left out.
SKIP_ROWS_HINT = '; `bad_rows="skip"` (--bad-rows skip) leaves out such rows.'


@dataclasses.dataclass(frozen=True)
class Part:
    """Some examples.

    Attributes:
        identity: columns that identify the examples, by name: "file", and "caption" if there are captions; or "row",
            counted from 1; or "split" and "row".
        columns: the model's inputs, by name.
    """

    identity: dict[str, list]
    columns: dict[str, np.ndarray]


def check_column_names(name: str, found: Sequence[str], expected: Sequence[str]) -> None:
    """Raises an error if the column names of a set and of a model's data, or their order, differ."""
    if found and expected and tuple(found) != tuple(expected):
        raise ValueError(f"`name`: {name} has the columns {', '.join(found)}; the model takes {', '.join(expected)}.")


class NewExamples:
    """Examples in a file, a folder or a named set, in parts.

    Tables and `.npy` files are read a few rows at a time, images and sounds a few files at a time, so memory does not
    grow with their number. Columns of a table are found by name, in any order and among others; images of a size other
    than the model's are resized; sounds are resampled, cut and padded.

    Args:
        name: path of a table, an `.npy` or `.npz` file, or a folder of images or WAV files; or another set known to
            `data.load`.
        spaces: spaces of the model's inputs, by name: "x", and "condition" for a conditional model.
        rows_at_once: largest number of examples in a part.
        reading: arguments of `data.load` that the model's own data were read with; "standardize" holds their means and
            deviations, if they were standardised.
        column_names: names of the columns of the table that the model was trained on.
        class_names: names of the classes of the folder that the model was trained on.
        label: class of all examples, for a class-conditional model; None uses their labels.
        captions: for a model of captions, the file with the captions of a folder of images, as in `load_captioned`:
            each caption of an image makes an example. None uses that of `reading`, or else `captions.jsonl`.
        bad_files: "refuse" names files that cannot be read in an error; "skip" leaves them out.
        bad_rows: "refuse" names in an error the first row of a table that the model does not accept; "skip" leaves such
            rows out.
        split: part of the set, as divided by `data.load`; None for the whole set.
        most: largest number of examples of that part, evenly spaced; None for all of them.

    Attributes:
        num_examples: number of examples, if it is known.
        resized: number of images resized so far.
        bad: path of each file, or number of each row, left out so far, to the reason.

    Raises:
        FileNotFoundError: if there is no such file or set.
        ValueError: if the model does not accept a row or a file, which the message names. Rows are checked as they are
            read.
    """

    def __init__(
        self,
        name: str | os.PathLike,
        spaces: Mapping[str, Space],
        *,
        rows_at_once: int = 100,
        reading: Mapping | None = None,
        column_names: tuple[str, ...] = (),
        class_names: tuple[str, ...] = (),
        label: int | None = None,
        captions: str | os.PathLike | None = None,
        bad_files: str = "refuse",
        bad_rows: str = "refuse",
        split: str | None = None,
        most: int | None = None,
    ):
        self.name = str(name)
        self.space: Numbers = spaces["x"]
        self.condition_space = spaces.get("condition")
        self.rows_at_once = checks.positive_int("rows_at_once", rows_at_once)
        self.reading = dict(reading or {})
        self.column_names = tuple(column_names)
        self.class_names = tuple(class_names)
        self.label = label
        if captions is not None and not isinstance(self.condition_space, Text):
            raise ValueError(f"`captions` must be None: the model is not conditioned on text; received {captions}.")
        self.captions = captions or self.reading.get("captions") or "captions.jsonl"
        self.bad_files = checks.choice("bad_files", bad_files, ("refuse", "skip"))
        self.bad_rows = checks.choice("bad_rows", bad_rows, ("refuse", "skip"))
        self.num_examples = None
        self.resized = 0
        self.bad = {}
        self.check_label()
        path = local_copy(self.name)
        suffix = suffix_of(path)
        if split is not None:
            self.parts = self.of_splits((split,), most)
        elif path.is_dir() and not holds_shards(path):
            self.parts = self.files(path)
        elif suffix in FILE_SUFFIXES and not path.is_file():
            raise FileNotFoundError(f"`name`: there is no file {name}.")
        elif suffix == ".npy":
            self.parts = self.rows(path)
        elif suffix in TABLE_SUFFIXES:
            self.parts = self.table(path)
        else:
            self.parts = self.of_splits()

    def __iter__(self) -> Iterator[Part]:
        return self.parts

    # Conditions

    def check_label(self):
        """Raises an error if the label is not one of the model's classes."""
        if self.label is None:
            return
        if not isinstance(self.condition_space, ClassLabel):
            raise ValueError(f"`label` must be None: the model is not conditioned on a class; received {self.label}.")
        self.condition_space.validate([self.label], "label")

    @property
    def needs_labels(self) -> bool:
        """Whether examples must come with labels; this is not so if the model allows an unknown class."""
        if self.condition_space is None or self.label is not None:
            return False
        return not (isinstance(self.condition_space, ClassLabel) and self.condition_space.unknown)

    @property
    def needs(self) -> str:
        """What examples must come with, as stated in an error."""
        if isinstance(self.condition_space, Text):
            return "captions are read beside a folder of images"
        expected, shape = self.condition_space.expected, tuple(self.condition_space.shape)
        return f"{expected}, of shape {shape}, are taken by `evaluation.scores` alone, as a column of arrays"

    def condition(self, num: int, labels: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Returns the condition column of `num` examples, which may have labels."""
        if self.condition_space is None:
            return {}
        if self.label is None and labels is not None:
            return {"condition": self.condition_space.validate(labels, "label").numpy()}
        if self.needs_labels:
            if not isinstance(self.condition_space, ClassLabel):
                raise ValueError(
                    f"`name`: {self.name} holds nothing of what the model is conditioned on; {self.needs}."
                )
            raise ValueError(f"`label` must be given: {self.name} has no labels, and the model is conditioned on them.")
        return {"condition": np.full(num, -1 if self.label is None else self.label, np.int32)}

    # Values

    def values(self, x: np.ndarray, first: int) -> np.ndarray:
        """Returns rows of numbers as inputs of the model, standardised like its own data.

        Args:
            x: the rows.
            first: number of rows before them.
        """
        if x.dtype.kind not in "buif":
            raise ValueError(f"`name`: {self.name} must hold numbers, received dtype {x.dtype}.")
        shape = tuple(self.space.shape)
        if x.shape[1:] != shape and (*x.shape[1:], 1) != shape:
            raise ValueError(f"`name`: {self.name} has examples of shape {x.shape[1:]}; the model takes {shape}.")
        given = x = x.reshape(len(x), *shape)
        if scale := self.reading.get("standardize"):
            if scale is True:
                raise ValueError("`name`: the run standardised its data, but does not tell their means and deviations.")
            x = (x.astype(np.float64) - np.asarray(scale[0])) / np.asarray(scale[1])
        with np.errstate(over="ignore"):
            found = x.astype(np.float32)
        wrong = np.argwhere(~self.space.contains(tf.constant(found)).numpy())
        if len(wrong):
            row, *place = (int(index) for index in wrong[0])
            entry = place[0] if len(place) == 1 else tuple(place)
            entry = self.column_names[entry] if self.column_names and len(place) == 1 else entry
            raise ValueError(
                f"`name`: row {first + row + 1} of column {entry} of {self.name} holds {given[(row, *place)]:g}; "
                f"expected {self.space.expected}."
            )
        return found

    def binarized(self, x: np.ndarray, highest: int, first: int) -> np.ndarray:
        """Returns levels as bits if the model's own data were turned into bits.

        Args:
            x: levels.
            highest: the highest level.
            first: number of examples before these, on which drawn bits depend.
        """
        how = self.reading.get("binarization", "none")
        if how == "none":
            return x
        grey = x / highest
        drawn = 0.5 if how == "threshold" else np.random.default_rng((0, first)).random(grey.shape)
        return (grey >= drawn if how == "threshold" else drawn < grey).astype(np.uint8)

    # Sources

    def table(self, path: pathlib.Path) -> Iterator[Part]:
        """Yields the rows of a table."""
        missing = "keep" if self.space.missing else "refuse"
        given = {k: self.reading[k] for k in ("columns", "text") if k in self.reading}
        given |= {"columns": self.column_names} if self.column_names else {}
        given |= {"missing": missing, "hints": False}

        def part(frame: pd.DataFrame, first: int) -> Part:
            found = read_frame(frame, self.name, first_row=first, **given).columns["all"]["x"]
            return self.numbered(self.values(found, first), first)

        first = 0
        for frame in frames_of(path, self.rows_at_once):
            try:
                good = [part(frame, first)]
            except ValueError as error:
                good = list(self.good_rows(frame, first, part))
                if not first and not good:
                    # The error does not concern single rows.
                    raise
                if self.bad_rows == "refuse":
                    raise ValueError(f"{str(error).removesuffix('.')}{SKIP_ROWS_HINT}") from None
            yield from good
            first += len(frame)

    def good_rows(self, frame: pd.DataFrame, first: int, part: Callable[[pd.DataFrame, int], Part]) -> Iterator[Part]:
        """Yields each row that the model accepts, and records what is wrong with the others.

        Args:
            frame: some rows of a table.
            first: number of rows before them.
            part: function that reads rows, given the number of those before them.
        """
        for index in range(len(frame)):
            try:
                found = part(self.with_numbers(frame.iloc[index : index + 1]), first + index)
            except ValueError as error:
                self.bad[f"row {first + index + 1}"] = str(error).removeprefix("`name`: ").removesuffix(".")
            else:
                yield found

    def with_numbers(self, row: pd.DataFrame) -> pd.DataFrame:
        """Returns a row with text converted to numbers where possible: one wrong value makes a whole column text."""
        marks, row = row.attrs.get("marks", {}), row.copy()
        for place, label in enumerate(map(str, row.columns)):
            value = row.iat[0, place]
            if isinstance(value, str) and (not self.column_names or label in self.column_names):
                plain = value.replace(marks.get("thousands", ""), "").replace(marks.get("decimal", "."), ".")
                number = pd.to_numeric(plain, errors="coerce")
                if not np.isnan(number):
                    row.isetitem(place, [float(number)])
        return row

    def rows(self, path: pathlib.Path) -> Iterator[Part]:
        """Yields the rows of an array."""
        x = npy_rows(path, stays=True)
        self.num_examples = len(x)
        become_bits = self.reading.get("binarization", "none") != "none" and any(
            np.any(part > 1) for part in parts_of(x)
        )
        highest = (self.reading.get("levels") or 256) - 1
        if become_bits and x.dtype != np.uint8 and "levels" not in self.reading:
            raise ValueError(f"`name`: {self.name} must hold bits, or bytes that become bits; received {x.dtype}.")

        def parts():
            first = 0
            for rows in parts_of(x, self.rows_at_once):
                levels = self.binarized(rows, highest, first) if become_bits else rows
                yield self.numbered(self.values(levels, first), first)
                first += len(rows)

        return parts()

    def numbered(self, x: np.ndarray, first: int, labels: np.ndarray | None = None) -> Part:
        """Returns rows with their numbers."""
        return Part({"row": list(range(first + 1, first + len(x) + 1))}, {"x": x, **self.condition(len(x), labels)})

    def of_splits(self, names: tuple[str, ...] | None = None, most: int | None = None) -> Iterator[Part]:
        """Yields, split by split, the examples of a set known to `data.load` or, for captions, to `load_captions`."""
        length = {"audio_length": self.space.shape[0]} if isinstance(self.space, Sound) else {}
        arguments = {**self.reading, **length, "batch_size": self.rows_at_once, "labels": self.needs_labels}
        splits = load_conditioned(self.name, self.condition_space, **arguments)
        self.check_kind(splits)
        names = names or tuple(splits.sources)
        sizes = [splits.size(name) for name in names]
        if most is not None:
            splits = dataclasses.replace(splits, shard=(0, -(-max(sizes) // most)))
        self.num_examples = sum(splits.size(name) for name in names)

        def parts():
            for name in names:
                first = 0
                for batch in splits.in_order(name):
                    x, labels = batch if self.needs_labels else (batch, None)
                    part = self.numbered(self.space.validate(x, "name").numpy(), first, labels)
                    yield Part({"split": [name] * len(x), **part.identity}, part.columns)
                    first += len(x)

        return parts()

    def check_kind(self, splits: Splits) -> None:
        """Raises ValueError if a set has sounds of a sample rate other than the model's, or other columns."""
        known = isinstance(self.space, Sound) and self.space.sample_rate and splits.sample_rate
        if known and splits.sample_rate != self.space.sample_rate:
            raise ValueError(
                f"`name`: {self.name} has sounds of {splits.sample_rate} samples in a second, the model takes "
                f"{self.space.sample_rate}; a folder of WAV files is resampled."
            )
        check_column_names(self.name, splits.column_names, self.column_names)

    def files(self, folder: pathlib.Path) -> Iterator[Part]:
        """Yields the images or the sounds of a folder."""
        is_sound = isinstance(self.space, Sound)
        has_captions = isinstance(self.condition_space, Text)
        # Each example is a file, with the subfolder or the caption that determines its condition.
        examples = self.captioned_files(folder) if has_captions else self.files_in_subfolders(folder)
        paths = list(dict.fromkeys(path for path, _ in examples))
        self.num_examples, self.num_files = len(examples), len(paths)
        read, others = (self.sound, set()) if is_sound else self.image_reader(paths)

        def parts():
            first = 0
            with concurrent.futures.ThreadPoolExecutor() as pool:
                for start in range(0, len(examples), self.rows_at_once):
                    some = examples[start : start + self.rows_at_once]
                    files = list(dict.fromkeys(path for path, _ in some))
                    read_ones = dict(zip(files, pool.map(read, files), strict=True))
                    self.refuse({str(path): why for path, why in read_ones.items() if isinstance(why, str)})
                    good = [(path, told) for path, told in some if not isinstance(read_ones[path], str)]
                    if not good:
                        continue
                    x = np.stack([read_ones[path] for path, _ in good])
                    if not is_sound:
                        x = self.as_levels(x, first)
                    self.resized += len(others & set(read_ones))
                    others.difference_update(read_ones)
                    told = [each for _, each in good]
                    if has_captions:
                        condition, named = {"condition": np.array(told, object)}, {"caption": told}
                    else:
                        labels = self.labels_of(told) if self.needs_labels else None
                        condition, named = self.condition(len(x), labels), {}
                    identity = {"file": [path.relative_to(folder).as_posix() for path, _ in good], **named}
                    yield Part(identity, {"x": x.astype(np.float32), **condition})
                    first += len(x)

        return parts()

    def files_in_subfolders(self, folder: pathlib.Path) -> list[tuple[pathlib.Path, str]]:
        """Returns the images or the sounds of a folder, each with the name of its subfolder, "" for none."""
        is_sound = isinstance(self.space, Sound)
        suffixes = (".wav",) if is_sound else IMAGE_SUFFIXES
        found = files_by_split(folder, suffixes)
        examples = [(pathlib.Path(path), name) for split in found.values() for path, name in split.items()]
        # Those beside the subfolders of splits are examples, too.
        others = map(pathlib.Path, files_outside(folder, found, suffixes))
        examples += [(path, path.parent.relative_to(folder).as_posix()) for path in sorted(others)]
        if not examples:
            kind = ".wav" if is_sound else ", ".join(IMAGE_SUFFIXES)
            raise ValueError(f"`name`: the folder {folder} holds no file ({kind}) such as the model takes.")
        return examples

    def captioned_files(self, folder: pathlib.Path) -> list[tuple[pathlib.Path, str]]:
        """Returns the images of a folder that have captions, once for each caption."""
        entries = captions_of(captions_file(folder, self.captions), folder)
        return [(path, caption) for path, (captions, _) in entries.items() for caption in captions]

    def refuse(self, bad: dict[str, str]):
        """Records files that cannot be read, or raises an error that names them."""
        self.bad |= bad
        if bad and (self.bad_files == "refuse" or len(self.bad) == self.num_files):
            kind = "WAV file" if isinstance(self.space, Sound) else "image"
            raise ValueError(unreadable(self.bad, kind) + SKIP_HINT)

    def labels_of(self, subfolders: list[str]) -> np.ndarray | None:
        """Returns the label of each subfolder; None if files are not in subfolders."""
        if not any(subfolders):
            return None
        for name in subfolders:
            if name not in self.class_names:
                known = ", ".join(self.class_names) or "none, as the run does not tell the names of its classes"
                raise ValueError(f"`name`: the subfolder {name} of {self.name} is no class; expected {known}.")
        return np.array([self.class_names.index(name) for name in subfolders], np.int32)

    def image_reader(self, paths: list[pathlib.Path]):
        """Returns the function that reads an image at the model's size or says why not, and which have other sizes.

        All files with an unreadable beginning are named at once, before anything is scored.
        """
        space = self.space
        if not isinstance(space, Levels) or len(space.shape) != 3 or space.shape[-1] not in (1, 3, 4):
            raise ValueError(f"`name`: {self.name} holds files, but the model takes {space}.")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            headers = dict(zip(paths, pool.map(header_of, paths), strict=True))
        bad = {path: why for path, why in headers.items() if isinstance(why, str)}
        self.refuse({str(path): why for path, why in bad.items()})
        files = ImageFiles(np.array([], str), space.shape, resized=True, deep=self.is_deep)
        others = {path for path in headers if path not in bad and headers[path].size != space.shape[:2]}
        return lambda path: bad.get(path) or files.read(str(path)), others

    @property
    def is_deep(self) -> bool:
        """Whether images keep their 16 bits."""
        return self.space.num_levels > 256 and self.space.shape[-1] == 1

    def as_levels(self, images: np.ndarray, first: int) -> np.ndarray:
        """Returns images of bytes, or of 16 bits, in the model's levels."""
        highest = WORDS if self.is_deep else BYTES
        if self.reading.get("binarization", "none") != "none":
            return self.binarized(images, highest, first)
        return np.round(images * ((self.space.num_levels - 1) / highest))

    def sound(self, path: pathlib.Path) -> np.ndarray | str:
        """Returns a sound at the model's rate and length, or the reason why it cannot be read."""
        try:
            rate, waveform = audio.read_wav(path)
        except ValueError as error:
            return str(error).removeprefix(f"`name`: {path} ").rstrip(".")
        waveform = audio.resampled(waveform, rate, self.space.sample_rate or rate)
        (length,) = self.space.shape[:1]
        missing = self.space.missing and self.reading.get("padding", "missing") == "missing"
        return audio.of_length(waveform, length, np.nan if missing else 0.0).reshape(self.space.shape)

    def say_what_was_done(self):
        """Prints, as a warning, how many images were resized and which files or rows were left out."""
        if self.resized:
            height, width, _ = self.space.shape
            print(f"{self.resized} images had other sizes than {height}×{width} and were resized.", file=sys.stderr)
        for which, why in self.bad.items():
            print(f"skipped {which}: {why}", file=sys.stderr)
