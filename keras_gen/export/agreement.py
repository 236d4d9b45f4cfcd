"""Whether an exported model computes the same as Keras."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gen.core import Codes, EventModel, Model
from keras_gen.spaces import Levels


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How much one output of an exported model differs from Keras.

    Attributes:
        signature: name of the signature.
        output: name of its output.
        measure: what `value` measures.
        value: the measured figure.
        bound: largest value that counts as agreement.
        largest_difference: largest absolute difference between two entries.
        equal_share: share of the entries that are equal.
    """

    signature: str
    output: str
    measure: str
    value: float
    bound: float
    largest_difference: float
    equal_share: float

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bound; NaN is not."""
        return self.value <= self.bound


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """How much an exported model may differ from Keras.

    Attributes:
        relative: bound on the largest difference of real numbers, relative to the largest magnitude among them (or to 1
            if that is larger).
        diverged: bound on the share of examples in which more than 1 % of the levels differ; None if the levels are
            compared by `Tolerance.levels`.
        levels: bound on the mean difference of levels, relative to their range.
        codes: bound on the share of an encoder's discrete codes that differ.
    """

    relative: float
    diverged: float | None = None
    levels: float | None = None
    codes: float | None = None


#: The same arithmetic in a different order. A level is drawn by comparing a probability with a random number: one in
#: millions of draws comes out differently, and an autoregressive model continues differently from there.
FLOAT32 = Tolerance(relative=1e-4, diverged=0.1)


def compare(
    model: Model,
    signature: str,
    output: str,
    expected: np.ndarray,
    actual: np.ndarray,
    tolerance: Tolerance,
    condition: np.ndarray | None = None,
) -> Agreement:
    """Compares one output of an exported model with Keras, by a suitable measure.

    Real numbers are compared by their largest difference, discrete draws by the share of examples that diverge from
    Keras. Draws with rounded weights diverge by design: for a model with an exact mass, Keras computes their mean log
    mass and that of its own draws, given the `condition` of a conditional model; for other models, the size of the
    difference is measured. Discrete codes of an encoder with rounded weights are compared by the share that differ,
    because an example between two codes may get either; and outputs that follow from the codes of examples, such as
    reconstructions, by their mean difference.
    """
    expected, actual = (np.asarray(array, np.float64) for array in (expected, actual))
    if expected.shape != actual.shape:
        raise RuntimeError(
            f"`{signature}` gives `{output}` of shape {actual.shape}, where Keras gives {expected.shape}."
        )
    difference = np.abs(expected - actual)
    found = {"largest_difference": float(difference.max()), "equal_share": float(np.mean(expected == actual))}
    if tolerance.codes is not None and follows_from_codes(model, signature):
        if output == model.code_name:
            measure, value, bound = "share of codes that are others", np.mean(difference > 0.0), tolerance.codes
        else:
            measure = "mean difference, relative"
            value, bound = difference.mean() / max(1.0, np.abs(expected).max()), tolerance.levels
        return Agreement(signature, output, measure, float(value), float(bound), **found)
    if not in_steps(model, output, expected):
        measure = "largest difference, relative"
        value = difference.max() / max(1.0, np.abs(expected).max())
        bound = tolerance.relative
        return Agreement(signature, output, measure, float(value), float(bound), **found)

    space = model.output_space(output)
    if not np.all(space.contains(tf.constant(actual))):
        measure, value, bound = f"share outside {space.expected}", 1.0, 0.0
    elif tolerance.diverged is not None:
        measure = "share of examples that diverge"
        differs = difference > tolerance.relative
        value = np.mean(np.mean(differs.reshape(len(difference), -1), axis=1) > 0.01)
        bound = tolerance.diverged
    elif "log_prob" in model.signatures() and output == "x":
        measure = "difference in mean log mass of the draws"
        ours, theirs = (model.log_prob(x, condition).numpy() for x in (expected, actual))
        value = abs(ours.mean() - theirs.mean())
        error = np.sqrt((ours.var() + theirs.var()) / len(ours))
        bound = 4 * error + tolerance.relative * abs(ours.mean())
    else:
        measure = "mean difference, relative to the range"
        value = difference.mean() / (space.unscaled(1.0) - space.unscaled(-1.0))
        bound = tolerance.levels
    return Agreement(signature, output, measure, float(value), float(bound), **found)


def in_steps(model: Model, output: str, values: np.ndarray) -> bool:
    """Whether values of an output change in steps, so that rounding either leaves them unchanged or moves them far.

    Levels, discrete codes and bits do if they are integers: a reconstruction may be a mean of levels.
    """
    if isinstance(model.output_space(output), Levels):
        return bool(np.all(values == np.round(values)))
    return output == "x" and isinstance(model, EventModel) and model.draws_steps


def follows_from_codes(model: Model, signature: str) -> bool:
    """Whether a signature computes discrete codes of examples, which rounding leaves unchanged or changes to others."""
    if not isinstance(model, Codes) or not isinstance(model.code_space, Levels):
        return False
    inputs = model.signatures()[signature].inputs
    return "x" in inputs and model.code_name not in inputs
