"""Captions: they say what is measured, nothing else, and the parts that are held out are held out."""

import json
import random

import numpy as np
import PIL.Image
import pytest

from keras_gen import data
from keras_gen.data.captions import DIGITS, PHRASES, in_direction, sentence
from keras_gen.data.strokes import measured
from keras_gen.spaces import ClassLabel, Levels, Text

HELD_OUT = ("a thick three", "a small seven on the left")


@pytest.fixture(scope="module")
def grey():
    return data.load("digits", labels=True, batch_size=50)


@pytest.fixture(scope="module")
def splits(grey):
    return data.captioned(grey, held_out=HELD_OUT)


def measured_of(splits, split):
    return measured(splits.array(split)[..., 0] / (splits.levels - 1.0))


# Words


def test_a_sentence_says_its_facts_and_nothing_else():
    """Whatever its words and their order."""
    choose = random.Random(0)
    labels = [choose.randrange(10) for _ in range(2000)]
    facts = [{name: choose.choice(list(PHRASES[name])) for name in PHRASES if choose.random() < 0.5} for _ in labels]
    captions = [
        sentence(choose, choose.choice(DIGITS[label]), list(said.items()))
        for label, said in zip(labels, facts, strict=True)
    ]
    found = data.asked(captions)
    np.testing.assert_array_equal(found["label"], labels)
    for name in PHRASES:
        np.testing.assert_array_equal(found[name], [said.get(name, np.nan) for said in facts])
    assert len(set(captions)) > 1500


def test_asked_takes_bytes_and_leaves_open_what_is_not_said():
    found = data.asked([b"An EIGHT, upright", "a bird", ""])
    np.testing.assert_array_equal(found["label"], [8, -1, -1])
    np.testing.assert_array_equal(found["slant"], [0.0, np.nan, np.nan])
    assert np.isnan(found["thickness"]).all()


def test_a_direction_is_a_side_of_the_middle():
    values = np.array([1.9, 2.1, 2.4, 2.6, 3.1, np.nan])
    for direction, expected in {-1: [1, 1, 1, 0, 0, 0], 0: [0, 1, 1, 1, 0, 0], 1: [0, 0, 0, 1, 1, 0]}.items():
        found = in_direction(values, np.full(6, float(direction)), (2.0, 3.0))
        np.testing.assert_array_equal(found, np.array(expected, bool))
    assert not in_direction(values, np.full(6, np.nan), (2.0, 3.0)).any()


# The captioned set


def test_captions_are_true(splits):
    for split in splits.sources:
        values, captions = measured_of(splits, split), splits.array(split, "condition")
        for column in captions.T:
            found = data.asked(column)
            np.testing.assert_array_equal(found["label"], splits.array(split, "label"))
            for name, (low, high) in splits.limits.items():
                assert np.all(values[name][found[name] == -1] < low)
                assert np.all(values[name][found[name] == 1] > high)
                assert np.all(abs(values[name][found[name] == 0] - (low + high) / 2) < (high - low) / 4)


def test_a_property_beyond_its_limit_is_named_half_of_the_time(splits):
    values, captions = measured_of(splits, "train"), splits.array("train", "condition")
    for name, (low, high) in splits.limits.items():
        beyond = (values[name] < low) | (values[name] > high)
        named = np.stack([~np.isnan(data.asked(column)[name]) for column in captions.T])
        share, num = named[:, beyond].mean(), 5 * beyond.sum()
        assert abs(share - 0.5) < 4.0 * 0.5 / num**0.5
        if name != "slant":
            # Lowest and highest third, but for the images that are held out.
            assert abs(beyond.mean() - 2 / 3) < 0.05


def test_held_out_combinations_are_in_a_split_of_their_own_alone(grey, splits):
    plain = data.captioned(grey)

    def held(of, split):
        found, label = measured_of(of, split), of.array(split, "label")
        thick_three = (label == 3) & (found["thickness"] > of.limits["thickness"][1])
        small = found["size"] < of.limits["size"][0]
        return thick_three, (label == 7) & small & (found["horizontal"] < of.limits["horizontal"][0])

    assert plain.limits == splits.limits
    for split in ("train", "validation", "test"):
        out = np.logical_or(*held(plain, split))
        assert out.any()
        np.testing.assert_array_equal(splits.array(split), plain.array(split)[~out])
    np.testing.assert_array_equal(splits.array("zero_shot"), plain.array("test")[out])
    thick, small = held(splits, "zero_shot")
    for column in splits.array("zero_shot", "condition").T:
        found = data.asked(column)
        np.testing.assert_array_equal(found["thickness"][thick], 1.0)
        np.testing.assert_array_equal(found["size"][small], -1.0)
        np.testing.assert_array_equal(found["horizontal"][small], -1.0)
    assert [len(batch["x"]) for batch in splits.in_order("zero_shot")] == [thick.sum() + small.sum()]


def test_the_same_seed_gives_the_same_set(grey, splits):
    again, other = data.captioned(grey, held_out=HELD_OUT), data.captioned(grey, held_out=HELD_OUT, seed=1)
    for name in ("x", "condition", "label"):
        np.testing.assert_array_equal(splits.array("train", name), again.array("train", name))
    assert np.any(other.array("validation", "condition")[:90, 0] != splits.array("validation", "condition")[:90, 0])
    unplaced = data.captioned(grey, placed=False)
    assert set(unplaced.limits) == {"thickness", "slant"}
    np.testing.assert_array_equal(unplaced.array("test"), grey.array("test"))


def test_batches_hold_one_caption_of_each_image_another_one_in_each_epoch(splits):
    longest = max(len(caption) for split in splits.sources for caption in splits.array(split, "condition").flat)
    assert splits.spaces == {"x": Levels((8, 8, 1), 17), "condition": Text(longest), "label": ClassLabel(10)}
    captions_of = {}
    for x, row in zip(splits.array("train"), splits.array("train", "condition"), strict=True):
        captions_of.setdefault(x.tobytes(), []).append(list(row))
    seen, numbers = {}, np.zeros(5)
    for batch in splits.train_from(0).take(4 * splits.steps_per_epoch):
        assert batch.keys() == {"x", "condition", "label"}
        for x, caption in zip(batch["x"].numpy(), batch["condition"].numpy(), strict=True):
            rows = captions_of[x.tobytes()]
            assert any(caption.decode() in row for row in rows)
            seen.setdefault(x.tobytes(), set()).add(caption)
            if len(rows) == 1 and len(set(rows[0])) == 5:
                numbers[rows[0].index(caption.decode())] += 1
    assert np.mean([len(captions) for captions in seen.values()]) > 2.0
    assert np.all(abs(numbers / numbers.sum() - 0.2) < 4.0 * (0.16 / numbers.sum()) ** 0.5)
    first, second = (next(iter(splits.test))["condition"].numpy().tolist() for _ in range(2))
    assert first == second
    assert set(splits.without_labels().columns("test", np.arange(2), (0, 0))) == {"x", "condition"}


def test_mistakes_get_one_sentence(grey):
    for wrong in ("a thick bird", "a three"):
        with pytest.raises(ValueError, match=f"`held_out` holds '{wrong}'; a class and a property that captions name"):
            data.captioned(grey, held_out=(wrong,))
    with pytest.raises(ValueError, match="a class and a property that captions name are expected"):
        data.captioned(grey, ("thickness",), held_out=("an upright one",))
    with pytest.raises(ValueError, match="`properties` 'width' is unknown"):
        data.captioned(grey, ("width",))
    with pytest.raises(ValueError, match="`splits` must hold a label for each image; digits does not"):
        data.captioned(data.load("digits"))
    with pytest.raises(ValueError, match="`splits` must hold grey images; two_moons has"):
        data.captioned(data.load("two_moons"))
    with pytest.raises(ValueError, match="`names` must name 10 classes, received 2"):
        data.captioned(grey, names=(("a",), ("b",)))


# Folders


def folder_of(folder, lines, files=("a.png", "b.png", "c.png", "d.png")):
    for number, file in enumerate(files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(folder / file)
    text = "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)
    (folder / "captions.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_has_the_captions_of_its_file(tmp_path):
    lines = [
        {"file": "train/a.png", "captions": ["ein Fuß", "a foot"], "label": 2},
        "",
        {"file": "train/b.png", "captions": ["a hand"], "label": 0},
        {"file": "val/c.png", "captions": ["an eye"], "label": 0},
        {"file": "test/d.png", "captions": ["an ear"], "label": 1},
    ]
    files = ("train/a.png", "train/b.png", "val/c.png", "test/d.png", "test/without_a_line.png")
    splits = data.load_captioned(folder_of(tmp_path, lines, files), batch_size=2)
    assert splits.spaces == {"x": Levels((4, 5, 3), 256), "condition": Text(7), "label": ClassLabel(3)}
    np.testing.assert_array_equal(splits.array("train", "condition"), [["ein Fuß", "a foot"], ["a hand", ""]])
    seen = {0: set(), 1: set()}
    for batch in splits.train_from(0).take(20):
        for x, caption, label in zip(*(batch[name].numpy() for name in ("x", "condition", "label")), strict=True):
            seen[x[0, 0, 0]].add((caption.decode(), int(label)))
    assert seen == {0: {("ein Fuß", 2), ("a foot", 2)}, 1: {("a hand", 0)}}
    (batch,) = splits.test
    assert (batch["condition"].numpy().tolist(), batch["label"].numpy().tolist()) == ([b"an ear"], [1])


def test_a_folder_without_splits_or_labels_is_divided(tmp_path):
    files = [f"{letter}.png" for letter in "abcdefghij"]
    lines = [{"file": file, "captions": [file]} for file in files]
    splits = data.load_captioned(folder_of(tmp_path, lines, files))
    assert set(splits.spaces) == {"x", "condition"}
    assert {name: splits.size(name) for name in splits.sources} == {"train": 8, "validation": 1, "test": 1}
    for split in splits.sources:
        for x, caption in zip(splits.array(split), splits.array(split, "condition"), strict=True):
            assert caption == files[x[0, 0, 0]]


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("{", ValueError, "is not JSON"),
        ("[]", ValueError, 'must be an object with the path of an image as "file"'),
        ({"captions": ["x"]}, ValueError, 'must be an object with the path of an image as "file"'),
        ({"file": "b.png", "captions": []}, ValueError, 'must have a list of texts, none of them empty, as "captions"'),
        ({"file": "b.png", "captions": ["x", " "]}, ValueError, "must have a list of texts"),
        ({"file": "b.png", "captions": "x"}, ValueError, "must have a list of texts"),
        ({"file": "b.png", "captions": ["x"], "label": -1}, ValueError, 'a whole number from 0 on as "label"'),
        ({"file": "b.png", "captions": ["x"], "label": 1}, ValueError, 'has a "label", unlike the lines before it'),
        ({"file": "a.png", "captions": ["x"]}, ValueError, "names a.png, which an earlier line names, too"),
        ({"file": "b.txt", "captions": ["x"]}, ValueError, "names b.txt, which is no image"),
        ({"file": "e.png", "captions": ["x"]}, FileNotFoundError, "names e.png, which is not in"),
    ],
)
def test_a_wrong_line_is_named_with_its_file(tmp_path, line, error, message):
    folder_of(tmp_path, [{"file": "a.png", "captions": ["one"]}, line])
    with pytest.raises(error, match=r"`captions`: line 2 of .*captions\.jsonl") as found:
        data.load_captioned(tmp_path)
    assert message in str(found.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="`name`: there is no folder"):
        data.load_captioned(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"`captions`: there is no file .*captions\.jsonl"):
        data.load_captioned(tmp_path)
    with pytest.raises(ValueError, match=r"`captions`: .*captions\.jsonl holds no line"):
        data.load_captioned(folder_of(tmp_path, []))
