"""Puzzles: the overlap of masks, and positions with and without equal pieces told apart."""

import numpy as np
import pytest

from keras_gen import evaluation


def test_the_overlap_is_intersection_over_union():
    truth = np.zeros((4, 4, 5, 1))
    truth[:3, :2, :2] = 1.0
    found = np.zeros_like(truth)
    found[0, :2, :2] = 0.9
    found[1, 1:3, 1:3] = 0.6
    found[2] = 0.5
    # All four pixels; one of seven; none, for one half is not more than one half; and two empty masks.
    assert evaluation.mask_overlap(found, truth) == pytest.approx((1.0 + 1.0 / 7.0 + 0.0 + 1.0) / 4.0)
    assert evaluation.mask_overlap(found, truth, 0.4) == pytest.approx((1.0 + 1.0 / 7.0 + 4.0 / 20.0 + 1.0) / 4.0)
    with pytest.raises(ValueError, match=r"`masks` must have the shape of the true ones, \(4, 4, 5, 1\); received"):
        evaluation.mask_overlap(found[:2], truth)


def test_equal_pieces_count_at_each_other_s_positions():
    # Pieces 0 and 2 of the first image are equal; of the second one none are.
    pieces = np.array([[7, 1, 7, 2], [3, 1, 7, 2]])[..., np.newaxis]
    truth = np.array([[3, 0, 1, 2], [3, 0, 1, 2]])
    exchanged = np.array([[1, 0, 3, 2], [1, 0, 3, 2]])
    found = evaluation.arrangement_accuracy(exchanged, truth, pieces)
    assert found == {
        "positions": (1.0 + 0.5) / 2.0,
        "images": 0.5,
        "positions, equal pieces told apart": 0.5,
        "images, equal pieces told apart": 0.0,
    }
    assert set(evaluation.arrangement_accuracy(truth, truth, pieces).values()) == {1.0}
    # Pieces 0 and 1 are not equal: exchanged, both are wrong.
    wrong = evaluation.arrangement_accuracy(truth[:, [1, 0, 2, 3]], truth, pieces)
    assert wrong["positions"] == 0.5
    with pytest.raises(ValueError, match=r"`pieces` must have the shape of the true ones, \(2, 4\)"):
        evaluation.arrangement_accuracy(truth, truth, pieces[:, :3])
