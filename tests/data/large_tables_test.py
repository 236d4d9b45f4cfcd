"""Tables that stay in files, beside the same ones in memory."""

import os
import re

import numpy as np
import pandas as pd
import pytest

from keras_gen import data
from keras_gen.data import columns
from keras_gen.data.readers import large_tables

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "height": RANDOM.normal(170.0, 9.0, 60),
        "seconds": 1.7e9 + RANDOM.random(60),
        "city": list("abcab" * 11) + ["z"] * 5,
    }
)


@pytest.fixture
def in_files(monkeypatch):
    """Nothing is held in memory, and seven rows are converted at once."""
    monkeypatch.setattr(large_tables, "ROWS_AT_ONCE", 7)
    return lambda: monkeypatch.setattr(columns, "MEMORY_LIMIT", 0)


def rows(splits):
    return {split: np.concatenate([np.asarray(x) for x in splits.in_order(split)]) for split in splits.sources}


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table.parquet"])
@pytest.mark.parametrize("text", ["drop", "one_hot"])
def test_rows_are_those_of_a_table_in_memory(name, text, in_files, tmp_path):
    write = FRAME.to_parquet if name.endswith("parquet") else FRAME.to_csv
    write(tmp_path / name, index=False)
    arguments = {"text": text, "standardize": True}
    in_memory = data.load(tmp_path / name, **arguments)
    in_files()
    stored = data.load(tmp_path / name, **arguments)
    assert not stored.in_memory
    assert stored.spaces == in_memory.spaces
    assert stored.column_names == in_memory.column_names
    np.testing.assert_allclose(stored.scale, in_memory.scale, rtol=1e-9)
    for split, expected in rows(in_memory).items():
        np.testing.assert_allclose(rows(stored)[split], expected, atol=1e-5)


def test_numbers_take_half_the_room_where_none_loses_a_digit(in_files, tmp_path):
    small = pd.DataFrame({"a": RANDOM.normal(size=40).astype(np.float32), "b": np.arange(40, dtype=np.int16) * 800})
    small["c"] = small["b"] > 9
    frames = {
        "small": small,
        "double": small.assign(a=small["a"].astype(float) + 1e-9),
        "long": small.assign(b=2**31 + small["b"].astype(int)),
    }
    expected = {}
    for name, frame in frames.items():
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
        expected[name] = rows(data.load(tmp_path / f"{name}.parquet", standardize=True))
    in_files()
    for name, frame in frames.items():
        stored = rows(data.load(tmp_path / f"{name}.parquet", standardize=True))
        for split, x in expected[name].items():
            np.testing.assert_allclose(stored[split], x, rtol=1e-6, atol=1e-6)
        (file,) = tmp_path.glob(f".{name}.parquet.rows-*/rows.bin")
        assert file.stat().st_size == frame.size * (4 if name == "small" else 8)


def test_a_table_is_converted_once_and_anew_when_it_changes(in_files, tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    FRAME.to_csv(path, index=False)
    in_files()
    data.load(path, columns="height")
    converted = []
    convert = large_tables.convert
    monkeypatch.setattr(large_tables, "convert", lambda *given: (converted.append(given), convert(*given)))
    assert rows(data.load(path, columns="height"))["train"].shape == (48, 1)
    assert not converted
    FRAME[:20].to_csv(path, index=False)
    assert rows(data.load(path, columns="height"))["train"].shape == (16, 1)
    assert len(converted) == 1
    assert sorted(os.listdir(tmp_path)) == sorted([next(tmp_path.glob(".table.csv.rows-*")).name, "table.csv"])


def test_a_table_that_two_processes_convert_at_once_is_whole_for_both(in_files, tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    FRAME.to_csv(path, index=False)
    in_files()
    others = []
    convert = large_tables.convert

    def convert_while_another_one_does(*given):
        monkeypatch.setattr(large_tables, "convert", convert)
        # Another process comes when this one has begun, and ends before it.
        others.append(data.load(path, columns="height"))
        convert(*given)

    monkeypatch.setattr(large_tables, "convert", convert_while_another_one_does)
    first = data.load(path, columns="height")
    for split, expected in rows(others[0]).items():
        np.testing.assert_array_equal(rows(first)[split], expected)
    assert len(os.listdir(tmp_path)) == 2


def test_other_columns_leave_those_that_another_process_may_be_reading(in_files, tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    FRAME.to_csv(path, index=False)
    in_files()
    data.load(path, columns="height")
    data.load(path, columns="seconds", standardize=True)
    monkeypatch.setattr(large_tables, "convert", None)
    found = np.concatenate([*rows(data.load(path, columns="height")).values()])[:, 0]
    np.testing.assert_array_equal(np.sort(found), np.sort(FRAME["height"]).astype(np.float32))


@pytest.mark.parametrize(
    ("row", "column", "value", "text", "sentence"),
    [
        (40, "height", "tall", "drop", "row 41 of column height of {path} holds 'tall', where a number is expected."),
        (40, "height", None, "drop", "{path} lacks a value in row 41 of column height"),
        (40, "height", np.inf, "drop", "row 41 of column height of {path} is infinite."),
        (40, "height", "tall", "one_hot", "column height of {path} must hold numbers or text; it holds both."),
    ],
)
def test_a_wrong_value_is_named_by_its_row_and_leaves_nothing(row, column, value, text, sentence, in_files, tmp_path):
    path = tmp_path / "table.csv"
    frame = FRAME.astype({column: object})
    frame.loc[row, column] = value
    frame.to_csv(path, index=False)
    in_files()
    with pytest.raises(ValueError, match=re.escape(sentence.format(path=path))):
        data.load(path, text=text)
    assert os.listdir(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_missing_values_are_kept_where_they_are_wanted(name, in_files, tmp_path):
    # The first and the last rows lack none, so that parts of the file are read in both ways.
    frame = FRAME[["height"]].assign(floor=pd.array(range(60), "Int16"))
    frame.loc[10:40:4, "height"] = np.nan
    frame.loc[12:40:4, "floor"] = pd.NA
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name, index=False)
    else:
        frame.to_csv(tmp_path / name, index=False, na_rep="?")
    in_memory = rows(data.load(tmp_path / name, missing="keep", standardize=True))
    in_files()
    splits = data.load(tmp_path / name, missing="keep", standardize=True)
    assert not splits.in_memory
    assert splits.event_space.missing
    assert sum(np.isnan(x).sum() for x in rows(splits).values()) == 16
    for split, x in in_memory.items():
        np.testing.assert_allclose(rows(splits)[split], x, atol=1e-5)


@pytest.mark.parametrize(("value", "sentence"), [(None, "lacks a value in row 41"), (np.inf, "row 41 .* is infinite")])
def test_a_wrong_number_of_a_parquet_file_is_named_by_its_row(value, sentence, in_files, tmp_path):
    frame = FRAME[["height", "seconds"]].copy()
    frame.loc[40, "height"] = value
    frame.to_parquet(tmp_path / "table.parquet", index=False)
    in_files()
    with pytest.raises(ValueError, match=sentence):
        data.load(tmp_path / "table.parquet")
    assert os.listdir(tmp_path) == ["table.parquet"]
