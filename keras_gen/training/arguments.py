"""Arguments that recipes share: the data, how long to train and how fast, and the devices.

A recipe takes these in groups, such as `data: training.Images = training.Images("digits")`. On the command line, in
`config.json` and in calls from Python, the fields of a group are separate arguments: `--dataset mnist`.
"""

import dataclasses
import functools
from typing import Literal

from keras_gen import checks
from keras_gen.files import check_exists


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set; subclasses add the arguments of `keras_gen.data.load` that say how to read it."""

    dataset: str
    """Name or path of a data set."""
    steps_per_epoch: int | None = None
    """Training steps after which an epoch ends, with validation and a checkpoint; by default a pass through all
    examples. Examples come in the same order."""

    def load(self, **arguments):
        """Returns the `Splits`.

        Args:
            **arguments: further arguments of `keras_gen.data.load`, such as `batch_size` and `seed`.
        """
        from keras_gen import data

        fields = fields_of(self)
        steps = fields.pop("steps_per_epoch")
        splits = data.load(fields.pop("dataset"), **fields, **arguments)
        return splits if steps is None else splits.in_epochs_of(steps)


#: Sets of grey images that are usually used as bits: 1 from the middle level on.
KNOWN_AS_BITS = ("digits", "mnist")


@dataclasses.dataclass(frozen=True)
class Records(Dataset):
    """A data set that may be stored in shards of records."""

    feature: str | None = None
    """Feature of shards of records that holds the examples; by default the only image, else the only sound, else the
    only list of numbers; otherwise each number is a column."""
    label_feature: str | None = None
    """Feature of shards of records that holds labels, where they are needed; by default the one called label, else the
    only integer."""


@dataclasses.dataclass(frozen=True)
class Images(Records):
    """A set of images."""

    binarization: Literal["none", "by_set", "threshold", "static", "dynamic"] = "none"
    """How grey levels become bits: by a threshold, with 1 from the middle level on; drawn once; drawn anew in each
    epoch; or not at all. by_set uses the threshold for digits and mnist, which are usually used as bits, and keeps the
    levels of any other set."""
    image_size: int | tuple[int, int] | None = None
    """Height and width, or one number for both, that the images of a folder are resized to."""
    channels: Literal[1, 3, 4] | None = None
    """Channels of the images of a folder: grey, colour, or colour and opacity; by default 1 if all are grey."""
    bad_files: Literal["refuse", "skip"] = "refuse"
    """What to do with files of a folder that cannot be read: name all of them in one error, or leave them out."""
    levels: int | None = None
    """Number of levels of an entry; by default 2 for bits, 256 for bytes, else the largest value plus one. Floats, and
    all numbers of a table, are real numbers by default, whole or not; if this is given, whole ones are levels."""

    def load(self, **arguments):
        if self.binarization != "by_set":
            return super().load(**arguments)
        how = "threshold" if self.dataset in KNOWN_AS_BITS else "none"
        return dataclasses.replace(self, binarization=how).load(**arguments)


@dataclasses.dataclass(frozen=True)
class Vectors(Records):
    """A set of real vectors."""

    columns: str | None = None
    """Columns to keep of a table, or of shards of single numbers, by position or name, such as 0:11 or 0,2,5 or
    age,height."""
    text: Literal["refuse", "one_hot", "drop"] = "refuse"
    """What a table's columns of text become: an error, columns of zeros and ones, or nothing."""
    missing: Literal["refuse", "keep"] = "refuse"
    """What a table's missing values become: an error, or NaN, for a model that accepts it."""


@dataclasses.dataclass(frozen=True)
class Examples(Vectors, Images):
    """A set of images or vectors."""

    standardize: bool = False
    """Scale each column of real vectors to mean 0 and variance 1. Figures are then those of scaled rows; likelihoods
    are also given for the rows themselves. The saved model is a model of the rows themselves."""


@dataclasses.dataclass(frozen=True)
class Sounds(Records):
    """A set of sounds."""

    audio_length: int | None = None
    """Number of samples of an example: longer recordings are cut, shorter ones padded; by default the longest one's."""
    padding: Literal["silence", "missing"] = "silence"
    """What shorter recordings are padded with: silence, or missing samples, which do not count."""


@dataclasses.dataclass(frozen=True)
class CaptionedImages(Dataset):
    """Images with captions: digits with generated captions, or a folder."""

    captions: str | None = None
    """File of the captions of a folder of images, as described in `keras_gen.data.load_captioned`; by default, images
    of digits get captions that state what is measured of them."""
    image_size: int | tuple[int, int] | None = None
    """Height and width, or one number for both, that the images of a folder are resized to."""
    placed: bool = True
    """Move digits to a random size and place."""
    held_out: tuple[str, ...] = ("a thick three", "a small seven", "a left-leaning zero")
    """Captions of combinations that no training image of a digit shows."""

    def load(self, **arguments):
        """Returns the `CaptionedSplits`.

        Args:
            **arguments: further arguments of `keras_gen.data.load`, such as `batch_size` and `seed`.
        """
        from keras_gen import data

        how = {"placed": self.placed, "held_out": self.held_out, "image_size": self.image_size}
        splits = data.load_captions(self.dataset, self.captions, **how, **arguments)
        return splits.in_epochs_of(self.steps_per_epoch)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of images; training pairs are enlarged, cropped at random to their size and mirrored at random."""

    dataset: str
    """Folder of images that each hold two side by side; or, with `target`, the folder of the sources or a TFDS set."""
    target: str | None = None
    """Folder of the targets, with the same names; or the feature of the TFDS set that holds them."""
    source: Literal["left", "right"] = "left"
    """Which half of an image that holds two is the source."""
    image_size: int | tuple[int, int] | None = None
    """Height and width, or one number for both, that all images are resized to."""
    enlargement: float = 286 / 256
    """Factor by which training images are enlarged before they are cropped; 1 for no cropping."""
    flip: bool = True
    """Mirror every second training pair, left to right."""

    def load(self, **arguments):
        """Returns the `Splits`.

        Args:
            **arguments: further arguments of `keras_gen.data.load_pairs`, such as `batch_size` and `seed`.
        """
        from keras_gen import data

        pairs = data.load_pairs(self.dataset, self.target, source=self.source, image_size=self.image_size, **arguments)
        return data.augmented(pairs, "source", "target", enlargement=self.enlargement, flip=self.flip)


@dataclasses.dataclass(frozen=True)
class Unpaired:
    """Two sets of images; training images are enlarged, cropped at random to their size and mirrored at random."""

    dataset: str
    """Name or path of images a; or, without `dataset_b`, a TFDS set of two kinds, such as cycle_gan/horse2zebra."""
    dataset_b: str | None = None
    """Name or path of images b."""
    image_size: int | tuple[int, int] | None = None
    """Height and width, or one number for both, that all images are resized to."""
    enlargement: float = 1.0
    """Factor by which training images are enlarged before they are cropped; 1 for no cropping."""
    flip: bool = False
    """Mirror every second training image, left to right."""

    def load(self, **arguments):
        """Returns the `UnpairedSplits`.

        Args:
            **arguments: further arguments of `keras_gen.data.load_unpaired`, such as `batch_size` and `seed`.
        """
        from keras_gen import data

        splits = data.load_unpaired(self.dataset, self.dataset_b, image_size=self.image_size, **arguments)
        for column in splits.spaces:
            splits = data.augmented(splits, column, enlargement=self.enlargement, flip=self.flip)
        return splits


@dataclasses.dataclass(frozen=True)
class FixedSchedule:
    """How long to train, without early stopping, and how fast."""

    epochs: int
    """Largest number of passes over the training data."""
    batch_size: int
    """Examples in a training step, over all devices together."""
    learning_rate: float
    """Highest learning rate of the optimizer; it falls to 0 along a cosine."""

    def rate(self, steps_per_epoch: int, learning_rate: float | None = None):
        """Returns the learning rate as a function of the training step: a half cosine that ends at 0.

        Args:
            steps_per_epoch: training steps in an epoch.
            learning_rate: learning rate at the start; by default the schedule's.
        """
        import keras

        start = self.learning_rate if learning_rate is None else learning_rate
        return keras.optimizers.schedules.CosineDecay(start, self.epochs * steps_per_epoch)


@dataclasses.dataclass(frozen=True)
class LinearSchedule(FixedSchedule):
    """How long to train, without early stopping, and how fast: at a constant learning rate, then at a falling one."""

    learning_rate: float
    """Learning rate of the first half of the training; in the second half it falls linearly to 0."""

    def rate(self, steps_per_epoch, learning_rate=None):
        """As in `FixedSchedule`; in a hundred steps, which are the epochs in the code of CycleGAN's authors."""
        import keras

        start = self.learning_rate if learning_rate is None else learning_rate
        steps = self.epochs * steps_per_epoch
        num_stairs = min(100, steps - steps // 2)
        boundaries = [steps // 2 + (steps - steps // 2) * stair // num_stairs for stair in range(num_stairs)]
        values = [start * (1.0 - stair / (num_stairs + 1)) for stair in range(num_stairs + 1)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)


@dataclasses.dataclass(frozen=True)
class Schedule(FixedSchedule):
    """How long to train, with early stopping on validation data, and how fast."""

    patience: int = 0
    """Epochs without a better validation loss after which training stops; 0 never stops."""


@dataclasses.dataclass(frozen=True)
class VectorSchedule(Schedule):
    """How to train a density of real vectors."""

    weight_decay: float = 0.0
    """Share of the weights, per unit of learning rate, that each step removes."""
    folds: int = 0
    """Number of folds of a cross-validation before the training; 0 for none."""

    def adamw(self, steps_per_epoch: int, *, max_norm: float | None = None):
        """Returns the optimizer AdamW with the schedule's learning rate and weight decay.

        Args:
            steps_per_epoch: training steps in an epoch.
            max_norm: bound on the norm of the gradient of all weights, which is clipped to it; None for no bound.
        """
        import keras

        rate = self.rate(steps_per_epoch)
        return keras.optimizers.AdamW(rate, weight_decay=self.weight_decay, global_clipnorm=max_norm)


@dataclasses.dataclass(frozen=True)
class GridSchedule:
    """How to train a density on few rows, and the settings to choose from on validation rows."""

    num_steps: int
    """Training steps."""
    batch_size: int
    """Examples in a training step, over all devices together."""
    learning_rates: tuple[float, ...]
    """Learning rates to choose from; each falls linearly to 0."""
    weight_decays: tuple[float, ...]
    """Weight decays to choose from: share of the weights, per unit of learning rate, that each step removes."""
    steps_per_check: int = 20
    """Training steps between two evaluations of the validation likelihood; the best weights are kept."""
    folds: int = 0
    """Number of folds of a cross-validation before the training, each of which chooses separately; 0 for none."""
    epochs: int | None = None
    """Passes over the training data, in place of a number of training steps."""

    def counted(self, steps_per_epoch: int) -> "GridSchedule":
        """Returns the schedule with its number of training steps, even if it gives a number of epochs."""
        if self.epochs is None:
            return self
        return dataclasses.replace(self, num_steps=self.epochs * steps_per_epoch, epochs=None)

    def rate(self, learning_rate: float):
        """Returns the learning rate as a function of the training step: a line that ends at 0.

        Args:
            learning_rate: learning rate at the start.
        """
        import keras

        return keras.optimizers.schedules.PolynomialDecay(learning_rate, self.num_steps, end_learning_rate=0.0)


@dataclasses.dataclass(frozen=True)
class Options:
    """How to train any model."""

    strategy: Literal["auto", "one", "mirrored", "multi_worker", "slurm", "tpu"] = "auto"
    """Devices to train on; auto uses several workers if TF_CONFIG names them, else all GPUs, else one device. slurm
    uses the tasks of srun."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Data type policy of the networks; densities are always float32."""
    xla: bool | None = None
    """Compile the training step with XLA; by default if this was measured to be faster for the model, on one device."""
    ema: float = 0.0
    """Momentum of an exponential moving average of the weights, such as 0.999; 0 for none."""
    checkpoint_every: str | None = None
    """Also save within epochs: after this many steps (500) or minutes (10m). A killed run resumes there."""
    profile: bool = False
    """Report whether steps wait for input, for the step itself or for callbacks, and write a trace for TensorBoard."""
    start_from: str | None = None
    """Run folder or .keras file of a model with the same networks, whose weights to start from."""
    overwrite: bool = False
    """Replace a finished run in the folder."""


#: Checks of arguments of these names, in any recipe.
CHECKS = {
    **dict.fromkeys(("epochs", "batch_size", "num_samples", "num_steps", "steps_per_epoch"), checks.positive_int),
    **dict.fromkeys(("learning_rate", "discriminator_learning_rate"), checks.positive),
    **dict.fromkeys(("patience", "folds", "seed"), functools.partial(checks.not_negative, whole=True)),
    "weight_decay": checks.not_negative,
    "ema": checks.rate,
}


def check_values(arguments: dict) -> None:
    """Raises an error if an argument that recipes share has an invalid value, or if the data's path does not exist.

    Args:
        arguments: name to value, including the fields of groups.

    Raises:
        FileNotFoundError: if a data set is given by a path that does not exist.
        TypeError: if a number has the wrong type.
        ValueError: if a number is too small or too large.
    """
    for name, check in CHECKS.items():
        if arguments.get(name) is not None:
            check(name, arguments[name])
    for name in ("dataset", "dataset_b"):
        if arguments.get(name) is not None:
            check_exists(arguments[name], name)


def is_group(value) -> bool:
    """Returns whether an argument is a group of arguments."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def fields_of(group) -> dict:
    """Returns the fields of a group by name."""
    return {field.name: getattr(group, field.name) for field in dataclasses.fields(group)}


def flat(arguments: dict) -> dict:
    """Returns arguments with each group replaced by its fields."""
    return {
        name: value
        for key, argument in arguments.items()
        for name, value in (fields_of(argument) if is_group(argument) else {key: argument}).items()
    }


def replaced(arguments: dict, values: dict) -> dict:
    """Returns arguments with new values for some of them, or for fields of some groups.

    Args:
        arguments: name to value.
        values: name of an argument, or of a field of a group, to its new value.

    Raises:
        TypeError: if there is no such argument.
    """
    arguments = {name: values.get(name, argument) for name, argument in arguments.items()}
    unknown = sorted(set(values) - set(arguments) - set(flat(arguments)))
    if unknown:
        raise TypeError(f"`{unknown[0]}` is no argument; expected one of {', '.join(flat(arguments))}.")
    for name, argument in arguments.items():
        if is_group(argument):
            fields = {field: values[field] for field in fields_of(argument) if field in values}
            arguments[name] = dataclasses.replace(argument, **fields)
    return arguments
