"""Arrays that stay in their files, beside the same ones in memory."""

import os
import re

import numpy as np
import pytest

from keras_gen import data
from keras_gen.data import columns, orders, stored

RANDOM = np.random.default_rng(0)
#: Arrays of each kind that `data.load` tells apart.
ARRAYS = {
    "bytes": RANDOM.integers(0, 256, (90, 4, 3, 1), np.uint8),
    "bits": RANDOM.integers(0, 2, (90, 4, 3), np.uint8),
    "levels": RANDOM.integers(0, 700, (90, 5)).astype(">u2"),
    "reals": RANDOM.normal(3.0, 2.0, (90, 5)),
    "one column": RANDOM.normal(size=90).astype(np.float32),
}


@pytest.fixture
def nothing_in_memory(monkeypatch):
    monkeypatch.setattr(columns, "MEMORY_LIMIT", 0)


def all_batches(splits):
    """Returns two epochs of training, and the other splits."""
    batches = [*splits.train_from(0).take(2 * splits.steps_per_epoch), *splits.validation, *splits.test]
    return [np.asarray(part) for batch in batches for part in (batch if isinstance(batch, tuple) else (batch,))]


def assert_same(path, atol=0.0, **arguments):
    """Asserts that a set is the same in memory and in its file, and returns both."""
    in_memory = data.load(path, batch_size=7, **arguments)
    assert in_memory.in_memory
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "MEMORY_LIMIT", 0)
        in_file = data.load(path, batch_size=7, **arguments)
        assert not in_file.in_memory
        assert in_file.spaces == in_memory.spaces
        for ours, theirs in zip(all_batches(in_file), all_batches(in_memory), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=atol)
    return in_memory, in_file


@pytest.mark.parametrize("kind", ARRAYS)
def test_batches_are_those_of_an_array_in_memory(kind, tmp_path):
    np.save(tmp_path / "x.npy", ARRAYS[kind])
    assert_same(tmp_path / "x.npy")


def test_very_many_rows_are_divided_without_a_list_of_them(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", ARRAYS["bytes"])
    expected = data.load(tmp_path / "x.npy").array("test")
    np.testing.assert_array_equal(expected, ARRAYS["bytes"][np.random.default_rng(0).permutation(90)][-9:])
    monkeypatch.setattr(orders, "LONG_ORDER", 80)
    for _ in range(2):
        splits, _ = assert_same(tmp_path / "x.npy")
        np.testing.assert_array_equal(splits.array("test"), ARRAYS["bytes"][orders.LongOrder(90, 81, 90)])


def test_the_splits_of_an_archive_and_their_labels(tmp_path):
    x, labels = ARRAYS["bytes"], np.arange(90) % 3
    path = tmp_path / "x.npz"
    np.savez(path, x_train=x[:60], y_train=labels[:60], x_valid=x[60:70], y_valid=labels[60:70], x_test=x[70:],
             y_test=labels[70:])  # fmt: skip
    assert_same(path, labels=True)


def test_means_and_deviations_come_from_one_pass_over_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "PART_BYTES", 7 * ARRAYS["reals"][0].nbytes)
    np.save(tmp_path / "x.npy", ARRAYS["reals"] + 1e6)
    # Sums of parts round in another way.
    in_memory, in_file = assert_same(tmp_path / "x.npy", atol=1e-6, standardize=True)
    order = np.random.default_rng(0).permutation(90)
    train = (ARRAYS["reals"] + 1e6)[order][: in_memory.size("train")]
    for scale in (in_memory.scale, in_file.scale):
        np.testing.assert_allclose(scale, (train.mean(axis=0), train.std(axis=0)), rtol=1e-9)


def test_missing_entries_do_not_count():
    x = ARRAYS["reals"].copy()
    x[::3, 1] = np.nan
    found = columns.moments(x)
    np.testing.assert_allclose(found.mean, np.nanmean(x, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.deviation(), np.nanstd(x, axis=0), rtol=1e-12)


def test_rows_one_behind_the_other_are_read_at_once(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", ARRAYS["bytes"])
    rows = stored.StoredRows(stored.array_file(tmp_path / "x.npy"))
    positions, preadv = [], os.preadv

    def counted(descriptor, buffers, position):
        positions.append(position)
        return preadv(descriptor, buffers, position)

    monkeypatch.setattr(os, "preadv", counted)
    chosen = np.array([3, 4, 5, 80, 2, 3])
    np.testing.assert_array_equal(rows.read(chosen), ARRAYS["bytes"][chosen])
    assert [(position - rows.file.offset) // 12 for position in positions] == [3, 80, 2]
    np.testing.assert_array_equal(np.concatenate(list(rows[chosen].parts())), ARRAYS["bytes"][np.sort(chosen)])
    np.testing.assert_array_equal(rows[10:40][::-1].read(np.array([0, 29])), ARRAYS["bytes"][[39, 10]])


def test_arrays_whose_rows_are_apart_are_held_in_memory(tmp_path, nothing_in_memory):
    np.save(tmp_path / "columns.npy", np.asfortranarray(ARRAYS["reals"]))
    np.savez_compressed(tmp_path / "packed.npz", train=ARRAYS["reals"])
    for name in ("columns.npy", "packed.npz"):
        assert data.load(tmp_path / name).in_memory


def test_a_file_cut_short_is_named_before_training(tmp_path, nothing_in_memory):
    path = tmp_path / "x.npy"
    np.save(path, ARRAYS["reals"])
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(
        ValueError, match=re.escape(f"`name`: {path} is not a readable .npy file (it is cut short: 3600")
    ):
        data.load(path)
    np.save(path, np.array([{}], object))
    with pytest.raises(ValueError, match=r"holds Python objects, which could run code"):
        data.load(path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"is not a readable \.npy file"):
        data.load(path)


def test_a_file_that_becomes_shorter_is_named_at_once(tmp_path, nothing_in_memory):
    path = tmp_path / "x.npy"
    np.save(path, ARRAYS["bytes"])
    splits = data.load(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(Exception, match=f"{path} ends after .* bytes; it was longer when it was opened"):
        all_batches(splits)


def test_whole_numbers_become_levels_and_those_beyond_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", ARRAYS["levels"].astype(np.float32))
    _, in_file = assert_same(tmp_path / "x.npy", levels=700)
    assert in_file.levels == 700
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "MEMORY_LIMIT", 0)
        with pytest.raises(ValueError, match=r"`levels` must be above the largest level, 69\d in the train split of"):
            data.load(tmp_path / "x.npy", levels=200)
