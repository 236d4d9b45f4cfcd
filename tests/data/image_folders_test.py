"""Folders of images: their sizes, their labels, and those that do not fit in memory."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_gen import data
from keras_gen.data.readers import images
from keras_gen.data.readers.folders import files_by_split
from keras_gen.spaces import ClassLabel, Levels

SPLITS = ("train", "validation", "test")


def save(path, image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(image).save(path)


@pytest.fixture
def classes(tmp_path):
    """A folder of 12 grey images, each of one value from 0 to 11, in subfolders "b" (even) and "a" (odd)."""
    for value in range(12):
        save(tmp_path / ("a" if value % 2 else "b") / f"{value:02}.png", np.full((4, 6), value, np.uint8))
    return tmp_path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(12, 8, 3), (5, 7, 1), (3, 2, 4), (1, 1, 1)])
def test_files_of_all_sizes_are_resized_as_batches_are(shape, dtype):
    """By the triangle around each new pixel's place, whose weights have the sum one, to the nearest level."""
    highest, size = np.iinfo(dtype).max, (4, 6)
    image = np.random.default_rng(0).integers(0, highest + 1, shape, dtype)
    found = images.resized_image(image, size)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, images.resized(tf.constant(image), size))
    weights = []
    for old, new in zip(shape, size, strict=False):
        centres = (np.arange(new)[:, np.newaxis] + 0.5) * old / new
        distances = np.abs(np.arange(old) + 0.5 - centres) / max(1.0, old / new)
        weights.append(np.maximum(0.0, 1.0 - distances))
        weights[-1] /= weights[-1].sum(axis=1, keepdims=True)
    expected = np.einsum("ij,jkc,lk->ilc", weights[0], image.astype(float), weights[1])
    # What lies between two levels is rounded either way.
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.5 + 1e-6 * highest)


def test_a_folder_of_images(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 6, 3), np.uint8)
    for index, image in enumerate(images):
        save(tmp_path / f"{index:02}.png", image)
    splits = data.load(tmp_path)
    assert splits.spaces == {"x": Levels((4, 6, 3), 256)}
    found = np.concatenate([splits.array(split) for split in SPLITS])
    assert sorted(map(bytes, found)) == sorted(map(bytes, images))
    with pytest.raises(ValueError, match=r"`labels` must be False: .* has none"):
        data.load(tmp_path, labels=True)


def test_subfolders_are_the_labels_in_alphabetical_order(classes):
    splits = data.load(classes, labels=True)
    assert splits.spaces == {"x": Levels((4, 6, 1), 256), "condition": ClassLabel(2)}
    values = {split: splits.array(split)[:, 0, 0, 0] for split in SPLITS}
    for split in SPLITS:
        np.testing.assert_array_equal(splits.labels(split), (values[split] + 1) % 2)
    assert sorted(np.concatenate(list(values.values()))) == list(range(12))


def test_subfolders_can_be_splits_with_classes_inside(tmp_path):
    for number, split in enumerate(("train", "val", "test")):
        for label, name in enumerate(("one", "two", "zero")[: 3 - number]):
            save(tmp_path / split / name / "0.png", np.full((2, 2), 10 * number + label, np.uint8))
    splits = data.load(tmp_path, labels=True)
    assert splits.spaces["condition"] == ClassLabel(3)
    for number, split in enumerate(SPLITS):
        np.testing.assert_array_equal(splits.array(split)[:, 0, 0, 0] - 10 * number, splits.labels(split))


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("image_size", [None, (3, 2)])
def test_what_does_not_fit_in_memory_is_read_in_the_same_batches(classes, monkeypatch, labels, image_size):
    arguments = {"batch_size": 4, "seed": 3, "labels": labels, "image_size": image_size}
    held = data.load(classes, **arguments)
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", 0)
    read = data.load(classes, **arguments)
    assert held.in_memory
    assert not read.in_memory
    assert read.spaces == held.spaces
    for ours, theirs in ((read.train_from(0).take(6), held.train_from(0).take(6)), (read.test, held.test)):
        for batch, expected in zip(ours, theirs, strict=True):
            for column, other in zip(*((each if labels else (each,)) for each in (batch, expected)), strict=True):
                np.testing.assert_array_equal(column, other)
    if labels:
        np.testing.assert_array_equal(read.labels("train"), held.labels("train"))
    with pytest.raises(ValueError, match="needs the whole set in memory; use 'dynamic'"):
        read.binarized("static")
    assert set(np.unique(np.concatenate([batch for batch in read.unlabelled().binarized("dynamic").test]))) <= {0, 1}


def test_images_are_brought_to_a_size(classes):
    square, pair = data.load(classes, image_size=2), data.load(classes, image_size=(2, 3))
    assert (square.event_shape, pair.event_shape) == ((2, 2, 1), (2, 3, 1))
    # Each image has one value, which stays.
    assert sorted(np.concatenate([pair.array(split) for split in SPLITS])[:, 1, 2, 0]) == list(range(12))
    np.testing.assert_array_equal(square.array("train"), pair.array("train")[:, :, :2])


@pytest.mark.parametrize("memory_limit", [0, 2**30])
def test_the_first_image_of_another_size_is_named_before_training(classes, monkeypatch, memory_limit):
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", memory_limit)
    save(classes / "b" / "tall.png", np.zeros((9, 6), np.uint8))
    sentence = (
        r"`image_size` must be given, a height and width to bring all images to, such as 64 or \(48, 64\): "
        r".*b/tall\.png has \(9, 6\), but .*a/01\.png has \(4, 6\)\."
    )
    with pytest.raises(ValueError, match=sentence):
        data.load(classes)
    assert data.load(classes, image_size=5).event_shape == (5, 5, 1)


def test_a_file_that_is_no_image_is_named(classes):
    (classes / "a" / "none.png").write_bytes(b"")
    for image_size in (None, 4):
        with pytest.raises(ValueError, match=r"`name`: .*a/none\.png is not a readable image"):
            data.load(classes, image_size=image_size)


def test_all_bad_files_are_named_at_once_or_left_out(classes, monkeypatch, capfd):
    """Also one that begins as an image does, and is cut short."""
    (classes / "a" / "empty.png").write_bytes(b"")
    whole = (classes / "a" / "01.png").read_bytes()
    (classes / "b" / "short.png").write_bytes(whole[: len(whole) - 30])
    # macOS keeps notes beside files.
    (classes / "a" / "._01.png").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    with pytest.raises(
        ValueError, match=r"2 files are not readable images: .*empty\.png .*; .*short\.png .*--bad-files"
    ):
        data.load(classes)
    splits = data.load(classes, labels=True, bad_files="skip")
    assert "left out 2 of 14 files" in capfd.readouterr().err
    values = {split: splits.array(split)[:, 0, 0, 0] for split in SPLITS}
    for split in SPLITS:
        np.testing.assert_array_equal(splits.labels(split), (values[split] + 1) % 2)
    assert sorted(np.concatenate(list(values.values()))) == list(range(12))
    for path in classes.rglob("[01]*.png"):
        path.unlink()
    with pytest.raises(ValueError, match="2 files are not readable images"):
        data.load(classes, bad_files="skip")


def test_photographs_are_upright(tmp_path):
    """A camera's picture lies on its side in the file, whose orientation says how to turn it."""
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    exif = PIL.Image.Exif()
    for value, stored in ((1, image), (3, image[::-1, ::-1]), (6, np.rot90(image, 1)), (8, np.rot90(image, -1))):
        exif[0x0112] = value
        PIL.Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"{value}.png", exif=exif)
    found = np.concatenate([data.load(tmp_path).array(split) for split in SPLITS])
    np.testing.assert_array_equal(found, np.broadcast_to(image, (4, 4, 6, 3)))


def test_grey_images_of_16_bits_keep_their_levels(tmp_path, monkeypatch):
    levels = np.random.default_rng(0).integers(0, 65_536, (12, 3, 3)).astype(np.uint16)
    for index, image in enumerate(levels):
        save(tmp_path / f"{index:02}.png", image)
    for limit in (2**30, 0):
        monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", limit)
        splits = data.load(tmp_path, batch_size=3)
        assert splits.spaces == {"x": Levels((3, 3, 1), 65_536)}
        found = np.concatenate([batch for name in ("validation", "test") for batch in getattr(splits, name)])
        assert {image.tobytes() for image in found[..., 0]} <= {image.tobytes() for image in levels}
    # With three channels, these are bytes.
    assert data.load(tmp_path, channels=3).levels == 256
    save(tmp_path / "plain.png", np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="`name`: images must have one depth"):
        data.load(tmp_path)


COLOURS = {
    "RGB": ((10, 20, 30), (10, 20, 30)),
    "RGBA": ((10, 20, 30, 255), (10, 20, 30)),
    "RGBA, transparent": ((10, 20, 30, 0), (255, 255, 255)),
    "L": (40, (40, 40, 40)),
    "LA": ((40, 255), (40, 40, 40)),
    "1": (1, (255, 255, 255)),
    "CMYK": ((0, 0, 0, 255), (0, 0, 0)),
}


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "bmp", "gif"])
@pytest.mark.parametrize("kind", COLOURS)
def test_images_of_all_kinds_become_colours(tmp_path, kind, ending):
    """White lies behind what is transparent."""
    mode, (stored, colour) = kind.split(",")[0], COLOURS[kind]
    if (mode in ("RGBA", "LA", "CMYK") and ending in ("bmp", "gif")) or (mode == "CMYK" and ending != "tif"):
        mode, stored, colour = "RGB", (10, 20, 30), (10, 20, 30)
    if mode == "LA" and ending == "webp":
        mode, stored = "RGBA", (40, 40, 40, 255)
    options = {"lossless": True} if ending == "webp" else {}
    for index in range(10):
        PIL.Image.new(mode, (2, 2), stored).save(tmp_path / f"{index}.{ending}", **options)
    save(tmp_path / "other.png", np.full((2, 2, 3), colour, np.uint8))
    splits = data.load(tmp_path)
    found = np.concatenate([splits.array(split) for split in SPLITS])
    np.testing.assert_array_equal(found, np.broadcast_to(np.uint8(colour), (11, 2, 2, 3)))


def test_channels_can_be_chosen(tmp_path):
    for index in range(10):
        save(tmp_path / f"{index}.png", np.full((2, 2, 4), (200, 100, 50, 128), np.uint8))
    assert data.load(tmp_path).event_shape == (2, 2, 3)
    opaque = data.load(tmp_path, channels=4)
    np.testing.assert_array_equal(opaque.array("test")[0, 0, 0], (200, 100, 50, 128))
    assert data.load(tmp_path, channels=1).event_shape == (2, 2, 1)
    with pytest.raises(ValueError, match="`channels` must be 1, 3, 4 or None, received 2"):
        data.load(tmp_path, channels=2)
    with pytest.raises(
        ValueError, match="`channels` must be None: digits is no folder and no shards of images; received 3"
    ):
        data.load("digits", channels=3)


@pytest.mark.parametrize(
    ("image_size", "error", "sentence"),
    [
        (0, ValueError, "`image_size` must be at least 1, received 0"),
        ((4, 5, 6), ValueError, r"`image_size` must be a whole number or \(height, width\), received \(4, 5, 6\)"),
        (2.5, TypeError, "`image_size` must be a tuple of whole numbers, received 2.5"),
    ],
)
def test_a_wrong_size_gets_a_sentence(classes, image_size, error, sentence):
    with pytest.raises(error, match=sentence):
        data.load(classes, image_size=image_size)


@pytest.mark.parametrize(("change", "num_replicas"), [("none", 2), ("dynamic", 4)])
def test_each_worker_opens_the_files_of_its_own_rows(classes, monkeypatch, change, num_replicas):
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", 0)
    splits = data.load(classes, batch_size=5, seed=3, binarization=change)
    num_steps, opened = 2 * splits.steps_per_epoch, []
    decode = images.decoded
    monkeypatch.setattr(images, "decoded", lambda path, *arguments: opened.append(path) or decode(path, *arguments))

    # Files are counted, so nothing may be read ahead.
    plain_map = tf.data.Dataset.map
    monkeypatch.setattr(tf.data.Dataset, "map", lambda dataset, function, **parallel: plain_map(dataset, function))
    monkeypatch.setattr(tf.data.Dataset, "prefetch", lambda dataset, size: dataset)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False

    def shares_of(worker):
        """Returns the rows of each replica of a worker in each batch, and the files that it opened."""
        context = tf.distribute.InputContext(2, worker, num_replicas)
        del opened[:]
        train = splits.train_shares(1, 0, context).take(num_steps * num_replicas // 2).with_options(options)
        num_ordered = -(-splits.size("train") // 5) * num_replicas // 2
        ordered = splits.shares("train", context).take(num_ordered)
        return list(train.as_numpy_iterator()), list(opened), list(ordered.as_numpy_iterator())

    (first, first_opened, first_ordered), (second, second_opened, second_ordered) = shares_of(0), shares_of(1)
    of_a_worker = num_replicas // 2
    for ours, theirs, expected in (
        (first, second, splits.train_from(1).take(num_steps)),
        (first_ordered, second_ordered, splits.in_order("train")),
    ):
        batches = [
            np.concatenate([*ours[start : start + of_a_worker], *theirs[start : start + of_a_worker]])
            for start in range(0, len(ours), of_a_worker)
        ]
        for batch, other in zip(batches, expected.as_numpy_iterator(), strict=True):
            np.testing.assert_array_equal(batch, other)
    assert {len(x) for x in (*first, *second)} == ({2, 3} if num_replicas == 2 else {1, 2})
    # Five rows of each batch, in two shares.
    assert (len(first_opened), len(second_opened)) == (2 * num_steps, 3 * num_steps)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((4, 6, 3), np.uint8), r"it has colours, others have none; `channels=3` keeps them"),
        (np.zeros((4, 5), np.uint8), r"it has the size \(4, 5\), others \(4, 6\); `image_size` brings all to one"),
        (np.full((4, 6), 300, np.uint16), r"it has another depth than others"),
        (None, r"is not a readable image"),
    ],
)
def test_headers_of_many_files_are_read_behind_the_training(classes, monkeypatch, wrong, sentence):
    monkeypatch.setattr("keras_gen.data.columns.MEMORY_LIMIT", 0)
    expected = data.load(classes, batch_size=4)
    # Of twelve files, every third one, beginning with the first of the folder "a".
    monkeypatch.setattr(images, "FIRST_HEADERS", 4)
    read = []
    header_of = images.header_of
    monkeypatch.setattr(images, "header_of", lambda path: read.append(path) or header_of(path))
    checks = []
    make = images.HeaderCheck
    monkeypatch.setattr(images, "HeaderCheck", lambda *a, **k: checks.append(make(*a, **k)) or checks[-1])
    splits = data.load(classes, batch_size=4)
    paths = sorted(map(str, classes.rglob("*.png")))
    # The others wait for the first batch.
    assert sorted(read) == paths[::3]
    np.testing.assert_array_equal(next(iter(splits.train_from(0))), next(iter(expected.train_from(0))))

    checks[0].thread.join()
    assert sorted(read) == paths

    path = classes / "a" / "03.png"
    path.write_bytes(b"no image") if wrong is None else PIL.Image.fromarray(wrong).save(path)
    splits = data.load(classes, batch_size=4)
    checks[1].begin()
    checks[1].thread.join()
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence) as error:
        list(splits.test)
    assert "a/03.png is not a readable image" in str(error.value)


def test_files_come_in_the_order_of_the_parts_of_their_paths(tmp_path):
    for name in ("b.png", "a/z.png", "a!/y.png", "a/b/x.png", "a-b.png", "A.png", "._a.png", "a/text.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = files_by_split(tmp_path, (".png",))["all"]
    names = [("A.png",), ("a", "b", "x.png"), ("a", "z.png"), ("a!", "y.png"), ("a-b.png",), ("b.png",)]
    assert list(found.items()) == [(str(tmp_path.joinpath(*parts)), "/".join(parts[:-1])) for parts in names]


def test_what_is_hidden_is_no_example_and_no_class(classes):
    for name in (".ipynb_checkpoints/00-checkpoint.png", "__MACOSX/a/00.png", "a/.hidden.png", ".c/00.png"):
        save(classes / name, np.full((4, 6), 200, np.uint8))
    splits = data.load(classes, labels=True)
    assert splits.class_names == ("a", "b")
    assert sorted(value for split in SPLITS for value in splits.array(split)[:, 0, 0, 0]) == list(range(12))


@pytest.mark.parametrize("names", [("Train", "Val", "TEST"), ("training", "validation", "testing")])
def test_splits_by_other_names_are_not_mixed(tmp_path, names):
    for value, name in enumerate(names):
        for number in range(4):
            save(tmp_path / name / f"{number}.png", np.full((2, 2), value, np.uint8))
    splits = data.load(tmp_path)
    for value, split in enumerate(SPLITS):
        np.testing.assert_array_equal(splits.array(split), np.full((4, 2, 2, 1), value))


@pytest.mark.parametrize("names", [("test", "val"), ("test/cat", "test/dog"), ("Valid",)])
def test_a_folder_without_a_split_for_training_gets_a_sentence(tmp_path, names):
    for name in names:
        for number in range(12):
            save(tmp_path / "set" / name / f"{number}.png", np.zeros((2, 2), np.uint8))
    told = " and ".join(sorted({name.split("/")[0] for name in names}))
    for load in (data.load, data.load_pairs):
        with pytest.raises(
            ValueError, match=f"the folder .*set holds {told}, but no train; a subfolder train is expected"
        ):
            load(tmp_path / "set")
    assert sum(data.load(tmp_path / "set" / names[0]).size(split) for split in SPLITS) == 12


def test_classes_may_be_called_like_splits(tmp_path):
    for name in ("valid", "invalid"):
        for number in range(6):
            save(tmp_path / name / f"{number}.png", np.zeros((2, 2), np.uint8))
    assert data.load(tmp_path, labels=True).class_names == ("invalid", "valid")


def test_files_that_are_left_out_are_counted(classes, capsys):
    (classes / "a" / "photo.CR2").write_bytes(b"x")
    (classes / "a" / "notes.txt").write_text("nothing")
    data.load(classes)
    assert "left out 1 file (" + str(classes / "a" / "photo.CR2") + "): only .png" in capsys.readouterr().err
    for name in ("train", "test"):
        (classes / "a").rename(classes / name) if name == "train" else (classes / name).mkdir()
    data.load(classes)
    outside = [str(path) for path in sorted((classes / "b").iterdir())]
    found = capsys.readouterr().err
    assert f"left out {len(outside)} files ({outside[0]}, " in found
    assert "which are in no subfolder of a split." in found


def test_links_to_folders_are_followed_unless_they_lead_up(classes, tmp_path_factory):
    other = tmp_path_factory.mktemp("links")
    for name in "ab":
        (other / name).symlink_to(classes / name)
    (other / "up").symlink_to(other)
    splits = data.load(other, labels=True)
    assert splits.class_names == ("a", "b")
    assert sorted(value for split in SPLITS for value in splits.array(split)[:, 0, 0, 0]) == list(range(12))


def test_images_of_kinds_that_are_not_decoded_are_named(classes):
    (classes / "a" / "photo.HEIC").write_bytes(b"\0\0\0 ftypheic")
    with pytest.raises(ValueError, match=r"photo\.HEIC is not a readable image"):
        data.load(classes)
    assert sum(data.load(classes, bad_files="skip").size(split) for split in SPLITS) == 12
