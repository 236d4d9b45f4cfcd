"""Whether an exported model computes what Keras does."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gen.core import Codes, EventModel, Model
from keras_gen.spaces import Levels


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far one output of an exported model is from Keras.

    Attributes:
        signature: name of the signature.
        output: name of its output.
        measure: what `value` measures.
        value: the figure found.
        bound: the largest value that counts as agreement.
        largest_difference: largest absolute difference of two entries.
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
        """Whether the figure is within its bound, which nan is not."""
        return self.value <= self.bound


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """How far an exported model may be from Keras.

    Attributes:
        relative: bound on the largest difference of real numbers, relative to the largest magnitude among them
            (or to 1 if that is more).
        diverged: bound on the share of examples in which more than 1 % of the levels differ; None where the levels
            are compared as `Tolerance.levels` says.
        levels: bound on the mean difference of levels, relative to their range.
        codes: bound on the share of an encoder's whole codes that are others.
    """

    relative: float
    diverged: float | None = None
    levels: float | None = None
    codes: float | None = None


#: The same arithmetic in another order. A level is drawn by comparing a probability with a random number: one in
#: millions of draws falls to the other side, and an autoregressive model goes on differently from there.
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
    """Measures one output of an exported model against Keras, in the way that suits it.

    Real numbers are compared by their largest difference, draws in steps by the share of examples that diverge from
    Keras. Draws with rounded weights diverge by design: those of a model with an exact mass are judged by Keras, which
    computes their mean log mass and that of its own draws, given the `condition` of a conditional model; those of other
    models by how far off they are. Whole codes of an encoder with rounded weights are judged by how many are others, as
    one between two codes may be; and what follows from the codes of examples, such as reconstructions, by its mean
    difference.
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
    """Whether values of an output move in steps, so that rounding leaves them as they are or moves them far.

    Levels, whole codes and bits do where they are whole: a reconstruction may be a mean of levels.
    """
    if isinstance(model.output_space(output), Levels):
        return bool(np.all(values == np.round(values)))
    return output == "x" and isinstance(model, EventModel) and model.draws_steps


def follows_from_codes(model: Model, signature: str) -> bool:
    """Whether a signature makes whole codes of examples: rounding leaves a code as it is, or makes it another one."""
    if not isinstance(model, Codes) or not isinstance(model.code_space, Levels):
        return False
    inputs = model.signatures()[signature].inputs
    return "x" in inputs and model.code_name not in inputs
