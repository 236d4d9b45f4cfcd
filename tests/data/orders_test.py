"""The order of very many rows, computed entry by entry."""

import numpy as np
import pytest

from keras_gen.data.orders import LongOrder, order_of

NUM = 1003
ORDER = LongOrder(NUM, 0, NUM)


def test_it_is_a_permutation_and_the_same_at_every_call():
    rows = np.asarray(ORDER)
    np.testing.assert_array_equal(np.sort(rows), np.arange(NUM))
    np.testing.assert_array_equal(rows, LongOrder(NUM, 0, NUM))
    # Hardly a row lies where it lay, or behind the one that it followed.
    assert np.mean(rows == np.arange(NUM)) < 0.01
    assert np.mean(np.diff(rows) == 1) < 0.01
    # A piece of it is spread over all rows: means of 100 uniform numbers.
    means = rows[:1000].reshape(10, 100).mean(axis=1) / NUM
    np.testing.assert_allclose(means, 0.5, atol=4 / (12 * 100) ** 0.5)


@pytest.mark.parametrize("places", [slice(None), slice(5, 90), slice(90, 5), slice(-20, None), slice(3, 200, 7)])
def test_its_slices_are_those_of_the_array(places):
    np.testing.assert_array_equal(ORDER[places], np.asarray(ORDER)[places])
    piece = ORDER[100:900]
    np.testing.assert_array_equal(piece[places], np.asarray(ORDER)[100:900][places])
    assert len(piece[places]) == len(range(800)[places])


def test_its_entries_are_those_of_the_array():
    places = np.array([3, 0, 999, 3])
    np.testing.assert_array_equal(ORDER[places], np.asarray(ORDER)[places])
    np.testing.assert_array_equal(np.arange(2 * NUM)[::2][ORDER[40:50]], 2 * np.asarray(ORDER)[40:50])


@pytest.mark.parametrize(("start", "stop"), [(0, NUM), (0, 983), (7, 900), (983, NUM), (5, 5)])
def test_rows_come_lowest_first(start, stop):
    parts = list(ORDER[start:stop].lowest_first(64))
    rows = np.concatenate([*parts, np.zeros(0, int)])
    np.testing.assert_array_equal(rows, np.sort(np.asarray(ORDER)[start:stop]))
    assert all(0 < len(part) <= 64 for part in parts)


def test_a_set_of_a_billion_rows_is_divided_at_once():
    order = order_of(10**9)
    assert len(order) == 10**9
    train, test = order[:-10_000], order[-10_000:]
    held = np.asarray(test)
    assert len(np.unique(held)) == 10_000
    # Rows that are left out and rows that are not, by a few of them.
    assert not np.isin(train[np.arange(0, len(train), 10**6)], held).any()
