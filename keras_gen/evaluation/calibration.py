"""Whether the probabilities of a classifier match how often it is right."""

import numpy as np

from keras_gen import checks


def expected_calibration_error(probabilities, labels, *, num_bins: int = 15) -> float:
    r"""Computes the average gap between confidence and accuracy.

    Chuan Guo, Geoff Pleiss, Yu Sun, Kilian Q. Weinberger (2017), On Calibration of Modern Neural Networks,
    https://arxiv.org/abs/1706.04599: examples are put into bins B of equal width by their confidence, the largest
    probability, and

    $$ECE = \sum_b \frac{|B_b|}{n} \, |\mathrm{accuracy}(B_b) - \mathrm{confidence}(B_b)|$$

    Args:
        probabilities: p(y|x), of shape `(num, num_classes)`.
        labels: the class of each example, of shape `(num,)`.
        num_bins: number of bins.

    Returns:
        The error, from 0 to 1.

    Raises:
        ValueError: if there is not one label for each example, there are no examples, or a row of `probabilities` is
            not a distribution.
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    checks.positive_int("num_bins", num_bins)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            "`probabilities` and `labels` must be of shapes (num, num_classes) and (num,), received "
            f"{probabilities.shape} and {labels.shape}."
        )
    total = probabilities.sum(axis=1)
    wrong = (probabilities < 0.0).any(axis=1) | ~(np.abs(total - 1.0) < 1e-3)
    if wrong.any():
        raise ValueError(f"`probabilities` must hold distributions, received the row {probabilities[wrong][0]}.")
    confidence = probabilities.max(axis=1)
    # A bin includes its upper end.
    which = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    gaps = (probabilities.argmax(axis=1) == labels) - confidence
    return float(np.abs(np.bincount(which, gaps, num_bins)).sum() / len(labels))
