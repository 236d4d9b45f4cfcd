"""Tables as people have them: delimiters, marks, encodings, names, text, gaps, and numbers that float32 cannot hold."""

import bz2
import decimal
import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest

from keras_gen import data
from keras_gen.data import columns
from keras_gen.spaces import Levels, Reals

SPLITS = ("train", "validation", "test")
ROWS = np.round(np.random.default_rng(0).normal(0.0, 2000.0, (40, 2)), 3)
TEXT = "".join(f"{a:.3f},{b:.3f}\n" for a, b in ROWS)


def everything(splits):
    """All rows of a set, in the order of their first entry."""
    rows = np.concatenate([splits.array(split) for split in SPLITS])
    return rows[np.argsort(rows[:, 0])]


def with_marks(decimal, thousands):
    """The same numbers with other marks, each in a field of its own."""
    swap = str.maketrans({",": thousands, ".": decimal})
    return [[f"{number:,.3f}".translate(swap) for number in row] for row in ROWS]


FILES = {
    "plain.csv": TEXT,
    "CAPITALS.CSV": TEXT,
    "tab.tsv": TEXT.replace(",", "\t"),
    "semicolons.csv": "a;b\n" + TEXT.replace(",", ";"),
    "bars.txt": TEXT.replace(",", "|"),
    "blanks.data": TEXT.replace(",", "   "),
    "blank_lines.csv": "\n\n" + TEXT.replace("\n", "\n\n"),
    "names.csv": "weight,height\n" + TEXT,
    "names_of_numpy.csv": "# weight,height\n" + TEXT,
    "names_with_blanks.csv": "my weight\tmy height\n" + TEXT.replace(",", "\t"),
    "years.csv": "2019,2020\n" + TEXT,
    "quotes.csv": '"a","b"\n' + "".join(f'"{a:.3f}","{b:.3f}"\n' for a, b in ROWS),
    "crlf.csv": TEXT.replace("\n", "\r\n"),
    "decimal_commas.csv": TEXT.replace(",", ";").replace(".", ","),
    "points_for_thousands.csv": "".join(";".join(row) + "\n" for row in with_marks(",", ".")),
    "commas_for_thousands.csv": "".join(";".join(row) + "\n" for row in with_marks(".", ",")),
    "quoted_thousands.csv": "".join('"' + '","'.join(row) + '"\n' for row in with_marks(".", ",")),
    "bom.csv": "\ufeffa,b\n" + TEXT,
    "latin.csv": ("température,b\n" + TEXT).encode("latin-1"),
    "wide.csv": ("a,b\n" + TEXT).encode("utf-16"),
    "ends_of_old_macs.csv": ("a,b\n" + TEXT).replace("\n", "\r"),
    "spaces_for_thousands.csv": "a;b\n" + "".join(";".join(row) + "\n" for row in with_marks(",", "\u202f")),
    "apostrophes_for_thousands.csv": "".join(";".join(row) + "\n" for row in with_marks(".", "'")),
    "another_minus.csv": TEXT.replace("-", "\u2212"),
    "told_delimiter.csv": "sep=;\na;b\n" + TEXT.replace(",", ";"),
    "remarks_and_names.csv": "# made by hand\n# in 2020, once\na,b\n" + TEXT,
    "names_that_are_numbers.csv": "0,1\n" + TEXT,
    "a_year_among_names.csv": "a,2020\n" + TEXT,
    "delimiter_at_the_end.csv": "a,b,\n" + TEXT.replace("\n", ",\n"),
    "delimiter_behind_rows.csv": "a,b\n" + TEXT.replace("\n", ",\n"),
    "delimiter_without_names.csv": TEXT.replace("\n", ",\n"),
    "rows_of_pandas.csv": ",a,b\n" + "".join(f"{i * 7 % 40},{a:.3f},{b:.3f}\n" for i, (a, b) in enumerate(ROWS)),
    "rows_of_r.csv": "a,b\n" + "".join(f'"{i + 1}",{a:.3f},{b:.3f}\n' for i, (a, b) in enumerate(ROWS)),
    "packed.csv.gz": gzip.compress(TEXT.encode()),
    "packed.csv.bz2": bz2.compress(TEXT.encode()),
    "packed.tsv.xz": lzma.compress(TEXT.replace(",", "\t").encode()),
}


@pytest.mark.parametrize("name", FILES)
def test_a_table_holds_the_same_numbers_in_every_form(tmp_path, name):
    content = FILES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    splits = data.load(tmp_path / name)
    assert splits.spaces == {"x": Reals((2,))}
    np.testing.assert_allclose(everything(splits), ROWS[np.argsort(ROWS[:, 0])], rtol=1e-6)


def test_a_comma_below_a_single_name_marks_decimals(tmp_path):
    (tmp_path / "one.csv").write_text("weight\n" + "".join(f"{a:.3f}\n".replace(".", ",") for a in ROWS[:, 0]))
    splits = data.load(tmp_path / "one.csv")
    assert splits.column_names == ("weight",)
    np.testing.assert_allclose(everything(splits)[:, 0], np.sort(ROWS[:, 0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("first", "rows", "names"),
    [
        # A first row of numbers that could also be data like the rows below.
        ("0,1", [f"{t / 10:g},{np.cos(t / 10):g}" for t in range(1, 30)], ("0", "1")),
        ("0,1,2,3,4,5,6,7", [",".join(map(str, range(8 * t, 8 * t + 8))) for t in range(1, 30)], tuple("01234567")),
        ("NA,5", ["1,2"] * 29, ("0", "1")),
    ],
)
def test_a_first_row_of_numbers_is_a_row(tmp_path, first, rows, names):
    (tmp_path / "rows.csv").write_text("\n".join([first, *rows]))
    splits = data.load(tmp_path / "rows.csv", missing="keep")
    assert splits.column_names == names
    assert len(everything(splits)) == 30


def test_names_that_count_are_names_above_whole_numbers(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 17, (20, 9))
    pd.DataFrame(pixels).to_csv(tmp_path / "pixels.csv", index=False)
    splits = data.load(tmp_path / "pixels.csv", levels=17)
    found = np.concatenate([splits.array(split) for split in SPLITS])
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(pixels, axis=0))


def test_rows_of_years_keep_their_names_where_text_is_left_out(tmp_path):
    (tmp_path / "years.csv").write_text("country,2019,2020\n" + "".join(f"A{i},{i}.5,7\n" for i in range(20)))
    splits = data.load(tmp_path / "years.csv", text="drop")
    assert splits.column_names == ("2019", "2020")
    np.testing.assert_array_equal(everything(splits)[:, 0], np.arange(20) + 0.5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b\n" + "0.5,1.5,2.5\n" * 20, "its first row names 2, but row 1 has 3"),
        ("a,b,c\n" + "0.5,1.5\n" * 20, "its first row names 3, but row 1 has 2"),
        ("my export\na,b,c\n" + "1,2,3\n" * 20, "its first row names 1, but row 1 has 3"),
        ("a,b\n" + "1,2,\n" * 1200 + "1,2,3\n", "row 1201 of .* has a value in column 2, which has no name"),
        ("a;b\n" + "1.234,5;2.75\n" * 20, "row 1 of column a of .* holds '1.234,5', where a number is expected"),
        ("a,b\n1,2\n\0", "holds bytes that are 0, and is no text"),
        (gzip.compress(TEXT.encode()), r"it holds text packed by gzip; the name of such a file must end in \.gz\."),
        ("a;b\n" + "1,5;2\n" * 9 + "1.25;3\n" * 9, "row 10 of column a of .* holds '1.25', where a number is expected"),
        (
            "a;b\n" + "1;2.5\n" * 1500 + "1.234;3,5\n",
            "row 1501 of column b of .* holds '3,5', where a number is expected",
        ),
    ],
)
def test_what_would_be_lost_is_refused(tmp_path, content, sentence):
    (tmp_path / "rows.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=sentence):
        data.load(tmp_path / "rows.csv", missing="keep")


def test_numbers_of_python_are_numbers(tmp_path):
    """Arrow's decimals, truth values of which some are missing, and categories that are numbers."""
    frame = pd.DataFrame(
        {
            "money": [decimal.Decimal(i) / 4 for i in range(20)],
            "known": [True, False, None, True] * 5,
            "class": pd.Categorical([3, 1] * 10),
        }
    )
    expected = np.stack([np.arange(20) / 4, [1, 0, np.nan, 1] * 5, [3, 1] * 10], axis=1)
    frame.to_parquet(tmp_path / "rows.parquet")
    for name in (frame, tmp_path / "rows.parquet"):
        np.testing.assert_array_equal(everything(data.load(name, missing="keep")), expected)
    names = data.load(frame[["class", "money"]], text="one_hot").column_names
    assert names == ("class=1", "class=3", "money")


@pytest.mark.parametrize("labels", [["a", "a"], [1, "1"]])
def test_columns_of_one_name_are_refused(labels):
    with pytest.raises(ValueError, match=rf"has several columns {labels[1]}; a name of its own is expected for each"):
        data.load(pd.DataFrame(ROWS, columns=labels))


def test_a_column_that_has_the_name_of_a_value_is_refused():
    frame = pd.DataFrame({"a": ["x", "y"] * 20, "a=x": ROWS[:, 0]})
    with pytest.raises(ValueError, match="has several columns a=x"):
        data.load(frame, text="one_hot")


def test_zip_files_parquet_files_and_data_frames(tmp_path):
    frame = pd.DataFrame(ROWS, columns=["weight", "height"], index=np.arange(100, 140))
    frame.to_parquet(tmp_path / "rows.parquet")
    with zipfile.ZipFile(tmp_path / "rows.csv.zip", "w") as archive:
        archive.writestr("folder/rows.csv", TEXT)
    for name in (tmp_path / "rows.parquet", tmp_path / "rows.csv.zip", frame):
        np.testing.assert_allclose(everything(data.load(name)), ROWS[np.argsort(ROWS[:, 0])], rtol=1e-6)
    assert data.load(frame).column_names == ("weight", "height")
    assert data.load(frame).description()["column_names"] == ["weight", "height"]


def test_whole_numbers_of_a_table_are_real_numbers(tmp_path):
    """They are levels in arrays and images, and real numbers in tables."""
    whole = np.random.default_rng(0).integers(0, 5, (20, 3))
    np.savetxt(tmp_path / "whole.csv", whole, fmt="%d", delimiter=",")
    np.save(tmp_path / "whole.npy", whole)
    assert data.load(tmp_path / "whole.csv").spaces["x"] == Reals((3,))
    assert data.load(tmp_path / "whole.npy").spaces["x"] == Levels((3,), 5)


def test_one_column(tmp_path):
    (tmp_path / "one.csv").write_text("\n".join(f"{number:.3f}" for number in ROWS[:, 0]))
    np.testing.assert_allclose(everything(data.load(tmp_path / "one.csv"))[:, 0], np.sort(ROWS[:, 0]), rtol=1e-6)


def test_columns_are_chosen_by_place_and_by_name():
    frame = pd.DataFrame(np.c_[ROWS, ROWS[:, :1] + 1.0, 7.0 * ROWS], columns=list("abcde"))
    for chosen, names in (("0:2", "ab"), ("e,b", "eb"), ("a,2:4", "acd"), ("-1", "e"), ("::2", "ace")):
        splits = data.load(frame, columns=chosen)
        assert splits.column_names == tuple(names)
        expected = frame[list(names)].to_numpy()
        np.testing.assert_allclose(everything(splits), expected[np.argsort(expected[:, 0])], rtol=1e-6)
    with pytest.raises(
        ValueError, match=r"`columns` must be places such as .* or names out of a, b, c, d, e; received"
    ):
        data.load(frame, columns="a,weight")


LATE = 1500


@pytest.mark.parametrize(
    ("early", "late", "row"),
    [
        ("1;2", "2,75;3", (2.75, 3.0)),
        ("1;2", "1.234,5;3", (1234.5, 3.0)),
        ("1;2.5", "1,234;3", (1234.0, 3.0)),
        ("1;2.5", "\u22124;3", (-4.0, 3.0)),
        ("1,2", '"2,75",3', (2.75, 3.0)),
        ("1\t2", "1 234\t3", (1234.0, 3.0)),
    ],
)
def test_marks_of_numbers_may_first_appear_in_a_late_row(tmp_path, early, late, row):
    path = tmp_path / "rows.csv"
    names = early.replace("2.5", "2").replace("1", "a").replace("2", "b")
    path.write_text(names + "\n" + f"{early}\n" * LATE + f"{late}\n" * 20, encoding="utf-8")
    rows = np.concatenate([data.load(path).array(split) for split in SPLITS])
    assert (rows == np.float32(row)).all(axis=1).sum() == 20
    assert (rows[:, 0] == 1.0).sum() == LATE
    # Numbers are no categories, either.
    assert data.load(path, text="one_hot").column_names == ("a", "b")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<html><body>404</body></html>", "a page of HTML"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html>\n<html>\n<p>1,2</p>\n</html>\n", "a page of HTML"),
        (b'<?xml version="1.0"?>\n<a>1</a>\n', "a page of HTML or XML"),
        (b'[{"a": 1, "b": 2}, {"a": 3, "b": 4}]', r"JSON; `pandas\.read_json`"),
        (b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', "JSON"),
        (b"[[1, 2], [3, 4]]", "JSON"),
        (b"%PDF-1.4\n1 0 obj\n", "a PDF document"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n", "the address of a file in Git LFS"),
        (b"PK\x03\x04\x14\x00", r"a zip archive or a workbook; `pandas\.read_excel`"),
        (b"PAR1\x15\x00", r"a Parquet file; its name must end in \.parquet"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_kind(tmp_path, content, kind):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(ValueError, match=f"rows.csv must be a table of text, with a row in each line; it holds {kind}"):
        data.load(tmp_path / "rows.csv")


def test_names_in_brackets_are_names(tmp_path):
    (tmp_path / "rows.csv").write_text("[id],[size]\n" + "1,2.5\n" * 20)
    assert data.load(tmp_path / "rows.csv").column_names == ("[id]", "[size]")


@pytest.mark.parametrize("value", ["12 %", "$3.50", "3.50 €", "-£3", "EUR 3", '"$1,234.50"', "0.5%"])
@pytest.mark.parametrize("text", ["refuse", "one_hot"])
def test_amounts_are_neither_read_nor_made_categories(tmp_path, value, text):
    (tmp_path / "rows.csv").write_text("a,b\n" + "1,2\n" * 3 + f"2,{value}\n" * 20, encoding="utf-8")
    if text == "one_hot":
        (tmp_path / "rows.csv").write_text("a,b\n" + f"2,{value}\n" * 20, encoding="utf-8")
    row, shown = 4 if text == "refuse" else 1, value.strip('"').replace("$", "\\$")
    with pytest.raises(
        ValueError,
        match=f"row {row} of column b of .*rows.csv holds '{shown}', where a number without a sign of percent or of a "
        "currency is expected",
    ):
        data.load(tmp_path / "rows.csv", text=text)
    assert data.load(tmp_path / "rows.csv", text="drop").column_names == ("a",)


@pytest.fixture
def people():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {"age": random.integers(20, 70, 30), "city": ["Paris", "Rome", "Berlin"] * 10, "member": [True, False] * 15}
    )


def test_columns_of_text_are_named_made_numbers_or_left_out(people):
    with pytest.raises(ValueError, match=r"row 1 of column city of the table holds 'Paris', .*--text one_hot"):
        data.load(people)
    splits = data.load(people, text="one_hot")
    assert splits.column_names == ("age", "city=Berlin", "city=Paris", "city=Rome", "member")
    rows = everything(splits)
    np.testing.assert_array_equal(rows[:, 1:4].sum(axis=1), np.ones(30))
    by_age = people.sort_values("age", kind="stable")
    assert sorted(map(tuple, rows[:, [0, 2]])) == sorted(zip(by_age.age, by_age.city == "Paris", strict=True))
    assert data.load(people, text="drop").column_names == ("age", "member")
    with pytest.raises(ValueError, match="holds no column of numbers"):
        data.load(people[["city"]], text="drop")


def test_a_missing_value_is_named_or_kept(people):
    people["age"] = people["age"].astype(float)
    people.loc[[4, 9], "age"] = np.nan
    with pytest.raises(ValueError, match=r"the table lacks a value in row 5 of column age; .*--missing keep"):
        data.load(people, text="drop")
    splits = data.load(people, text="drop", missing="keep", standardize=True)
    assert splits.spaces["x"] == Reals((2,), missing=True)
    rows = np.concatenate([splits.array(split) for split in SPLITS])
    assert np.isnan(rows).sum(axis=0).tolist() == [2, 0]
    # Missing entries have no part in the standardisation.
    train = splits.array("train")
    np.testing.assert_allclose(np.nanmean(train, axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(train, axis=0), 1.0, rtol=1e-5)
    people.loc[4, "age"] = np.inf
    with pytest.raises(ValueError, match="row 5 of column age of the table is infinite"):
        data.load(people, text="drop", missing="keep")


@pytest.mark.parametrize("mark", ["", "NA", "NaN", "?", "-"])
def test_marks_of_missing_values(tmp_path, mark):
    (tmp_path / "gaps.csv").write_text("a,b\n" + TEXT + f"{mark},1.5\n")
    with pytest.raises(ValueError, match="lacks a value in row 41 of column a"):
        data.load(tmp_path / "gaps.csv")


def test_rows_of_several_lengths_get_a_sentence(tmp_path):
    (tmp_path / "ragged.csv").write_text("a,b\n" + TEXT + "1,2,3\n")
    with pytest.raises(ValueError, match=r"ragged\.csv must have as many columns in every row"):
        data.load(tmp_path / "ragged.csv")
    for name, content in (
        ("empty.csv", b""),
        ("cut.csv.gz", gzip.compress(TEXT.encode())[:40]),
        ("no.parquet", b"PAR"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"`name`: .*{name} (holds no rows|is not a readable)"):
            data.load(tmp_path / name)


# Before casting


def test_times_are_standardised_before_they_are_cast():
    """Times in seconds differ by less than float32 can tell apart, until their mean is subtracted."""
    times = 1.7e9 + np.arange(200.0)
    frame = pd.DataFrame({"time": times, "value": np.random.default_rng(0).normal(size=200)})
    with pytest.raises(ValueError, match=r"column time of table has values up to 1\.7e\+09 that deviate by 57\.\d+,"):
        data.load(frame)
    rows = everything(data.load(frame, standardize=True))
    assert len(np.unique(rows[:, 0])) == 200
    np.testing.assert_allclose(np.diff(rows[:, 0]), np.diff(rows[:, 0]).mean(), rtol=1e-3)


def test_a_column_that_is_constant_up_to_rounding_is_constant():
    frame = pd.DataFrame({"a": np.arange(30.0), "b": 0.1 + 0.2 + np.zeros(30)})
    frame.loc[::2, "b"] = 0.3
    with pytest.raises(ValueError, match="columns b of table are constant"):
        data.load(frame, standardize=True)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"train": np.int8([[-128], [127]] * 5)}, "holds whole numbers from -128 to 127, but levels count from 0"),
        ({"train": np.int64([[-1], [1]] * 5)}, "holds whole numbers from -1 to 1, but levels count from 0"),
        (
            {"train": np.uint8([[200]] * 9), "test": np.float64([[0.5]])},
            "whole numbers or real numbers in all splits; its train split has dtype uint8, its test split float64",
        ),
        (
            {"train": np.zeros((9, 2)), "test": np.zeros((4, 3))},
            r"one shape; those of its train split have \(2,\), those of its test split \(3,\)",
        ),
        ({"train": np.zeros((9, 2)), "valid": np.full((4, 2), np.nan)}, "holds NaN or infinity"),
        ({"train": np.float32(1.0)}, "must hold one example a row; it is a single number"),
    ],
)
def test_arrays_are_judged_on_all_splits_and_both_ends(tmp_path, arrays, sentence):
    np.savez(tmp_path / "arrays.npz", **arrays)
    with pytest.raises(ValueError, match=sentence):
        data.load(tmp_path / "arrays.npz")


def test_levels_are_counted_over_all_splits(tmp_path):
    np.savez(tmp_path / "x.npz", train=np.int64([[0], [1]] * 6), test=np.int64([[6]]))
    assert data.load(tmp_path / "x.npz").levels == 7
    assert data.load(tmp_path / "x.npz", levels=9).levels == 9
    with pytest.raises(ValueError, match="`levels` must be above the largest level, 6 in the test split"):
        data.load(tmp_path / "x.npz", levels=6)
    with pytest.raises(ValueError, match="`levels` must be None: two_moons holds real numbers; received 4"):
        data.load("two_moons", levels=4)


def test_one_rule_says_which_whole_numbers_are_levels(tmp_path):
    """Those of a whole dtype, and those of tables and floats where `levels` is given."""
    whole = np.random.default_rng(0).integers(0, 5, (40, 3))
    np.savetxt(tmp_path / "x.csv", whole, delimiter=",", fmt="%d")
    np.save(tmp_path / "whole.npy", whole)
    np.save(tmp_path / "floats.npy", whole.astype(np.float64))
    found = {name: data.load(tmp_path / name) for name in ("x.csv", "whole.npy", "floats.npy")}
    assert {name: splits.levels for name, splits in found.items()} == {
        "x.csv": None,
        "whole.npy": 5,
        "floats.npy": None,
    }
    assert found["x.csv"].summary().startswith("3 columns of real numbers; examples: 32 train, ")
    for name in found:
        splits = data.load(tmp_path / name, levels=6)
        assert splits.levels == 6
        assert splits.summary().startswith("levels 0 to 5 of shape (3,); ")
        np.testing.assert_array_equal(splits.array("train"), data.load(tmp_path / "whole.npy").array("train"))
        with pytest.raises(ValueError, match="`levels` must be above the largest level, 4 in the"):
            data.load(tmp_path / name, levels=4)
    np.savetxt(tmp_path / "half.csv", whole + 0.5, delimiter=",")
    with pytest.raises(ValueError, match=r"`levels` must be None: half\.csv holds real numbers; received 6"):
        data.load(tmp_path / "half.csv", levels=6)


def test_arrays_under_other_names_get_a_sentence(tmp_path):
    np.save(tmp_path / "x.npy", ROWS)
    (tmp_path / "renamed.npz").write_bytes((tmp_path / "x.npy").read_bytes())
    with pytest.raises(ValueError, match=r"renamed\.npz is an \.npy file, of one array, under another name"):
        data.load(tmp_path / "renamed.npz")
    np.savez(tmp_path / "x.npz", train=ROWS)
    (tmp_path / "renamed.npy").write_bytes((tmp_path / "x.npz").read_bytes())
    with pytest.raises(ValueError, match=r"renamed\.npy is an \.npz file, of several arrays, under another name"):
        data.load(tmp_path / "renamed.npy")
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.npy is not a readable \.npy file"):
        data.load(tmp_path / "text.npy")


def test_the_resolution_is_that_of_float32():
    columns.check_resolution(np.array([[1e6], [1e6 + 200.0]]), "x")
    with pytest.raises(ValueError, match="float32 cannot tell apart"):
        columns.check_resolution(np.array([[1e6], [1e6 + 10.0]]), "x")
    # What has no spread has nothing to tell apart.
    columns.check_resolution(np.full((3, 1), 1e12), "x")


def test_columns_of_another_table_are_found_by_name():
    frame = pd.DataFrame(ROWS, columns=["weight", "height"]).assign(city=["Paris", "Rome"] * 20)
    names = data.load(frame, text="one_hot").column_names
    assert names == ("weight", "height", "city=Paris", "city=Rome")
    other = frame[frame["city"] == "Rome"][["city", "height", "weight"]].assign(age=3)
    found = everything(data.load(other, columns=names))
    expected = np.concatenate([ROWS[1::2], np.zeros((20, 1)), np.ones((20, 1))], axis=1)
    np.testing.assert_allclose(found, expected[np.argsort(expected[:, 0])], rtol=1e-6)
    with pytest.raises(ValueError, match="the table has no column weight; expected weight, height, city=Paris"):
        data.load(other.drop(columns="weight"), columns=list(names))
