"""How far confidence is from accuracy."""

import numpy as np
import pytest

from keras_gen.evaluation import expected_calibration_error


def test_the_error_is_that_of_the_equation():
    # Two bins: confidence 0.6 and 0.8, of which one of two is right; confidence 1, right.
    probabilities = [[0.6, 0.4], [0.2, 0.8], [0.0, 1.0]]
    found = expected_calibration_error(probabilities, [0, 0, 1], num_bins=2)
    # All are in the upper bin: accuracy 2/3, confidence 0.8.
    assert found == pytest.approx(abs(2 / 3 - 0.8))
    # Four bins: (0.5, 0.75] and (0.75, 1].
    assert expected_calibration_error(probabilities, [0, 0, 1], num_bins=4) == pytest.approx(
        (1 * abs(1.0 - 0.6) + 2 * abs(0.5 - 0.9)) / 3
    )


def test_a_classifier_that_draws_its_labels_is_calibrated():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(4), 50_000)
    labels = (random.random((50_000, 1)) > np.cumsum(probabilities, axis=1)).sum(axis=1)
    assert expected_calibration_error(probabilities, labels) < 0.015
    sharper = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(sharper, labels) > 0.15


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([[0.5, 0.5]], [0, 1]), "`probabilities` and `labels` must be of shapes"),
        ((np.zeros((0, 2)), []), "`probabilities` and `labels` must be of shapes"),
        (([[0.5, 0.6]], [0]), r"`probabilities` must hold distributions, received the row \[0.5 0.6\]"),
    ],
)
def test_mistakes_get_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        expected_calibration_error(*arguments)
